"""The subjects of a story: names that its outlets use, and topics by the categories that they declare."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter

import msgspec

from aggregator.model.article import ArticleView
from aggregator.model.story import StoryName
from aggregator.stories.counting.copy_groups import (
    copy_groups,
    origin_link,
    printer_of,
    speaker_of,
)
from aggregator.stories.lexicon import subject_key, words_of
from aggregator.stories.name_forms import (
    LINK_WORDS,
    NameKey,
    form_of,
    read_names,
    vocabulary_of,
)
from aggregator.text.names import UPPER
from aggregator.text.sentences import STATES

# The most names and topics that a story shows (chosen)
MOST_NAMES = 8
MOST_TOPICS = 3
_LONGEST = 60  # topics with more characters are sentences (chosen)
_WORD = re.compile(r"[\w-]+")
_SMALL_WORD = re.compile(rf"\b[^\W\d_{UPPER}][\w-]*")
# The office in "Secretary of State John Kerry", which is not a part of the name
_OFFICE = re.compile(r"[Ss](?<!\w.)ecretary of [A-Z]\w+ (?=[A-Z])")
# Hebrew begins here. In scripts from here on, particles are joined to words, or there are no spaces between words.
_JOINED_FROM = "\u0590"
_TOPIC = re.compile(r"[^,;:/<>@©]+")


class _Uses(msgspec.Struct):
    """How a name or a topic is used in a story."""

    # Keys of outlets, or the ids of articles without an outlet
    outlets: set[str] = set()
    # Senders that do not reuse each other's texts (`_speakers`)
    speakers: set[str] = set()
    # How often each spelling is used
    spellings: dict[str, int] = {}

    def add(
        self, article: ArticleView, speaker: str, spelling: str, times: int = 1
    ) -> None:
        """Add an article that uses this spelling of the name or topic `times` times."""
        self.outlets.add(printer_of(article))
        self.speakers.add(speaker)
        self.spellings[spelling] = self.spellings.get(spelling, 0) + times

    def name(self) -> StoryName:
        """Return the most frequent spelling; in a tie the shortest, which often is the nominative."""
        name = min(
            self.spellings,
            key=lambda spelling: (-self.spellings[spelling], len(spelling), spelling),
        )
        return StoryName(name=name, outlets=len(self.outlets))


def names_of(articles: Sequence[ArticleView]) -> tuple[StoryName, ...]:
    """Return the names that two speakers use, or that the only speaker has in a title and the text below it.

    The rarer a name is in the news and the more outlets use it, the earlier it comes. The articles must have texts.
    """
    from aggregator.text.document_frequency import ANY_LANGUAGE, shipped_background

    speakers = _speakers(articles)
    least = min(2, len(set(speakers.values())))
    names: dict[NameKey, _Uses] = {}
    # Words that the articles also have in small letters are not names: "police" beside "Police".
    small_words: set[str] = set()
    for article in articles:
        text = _OFFICE.sub("", article.text.removeprefix(article.title))
        vocabulary = vocabulary_of(article.language)
        for words, count in Counter(
            vocabulary.written_names(text, are_linked=True)
        ).items():
            for name, key in read_names(words, vocabulary):
                names.setdefault(key, _Uses()).add(
                    article, speakers[article.id], name, count
                )
        small = set(_SMALL_WORD.findall(text))
        if vocabulary.declines_names:
            small = {form_of(word, vocabulary) for word in small}
        small_words |= small
    longer_names = _longer_names(names, least)
    publishers = {subject_key(article.outlet) for article in articles if article.outlet}
    for key, uses in [*names.items()]:
        is_used = len(uses.speakers) >= least or key in longer_names
        is_outlet = not publishers.isdisjoint(map(subject_key, uses.spellings))
        forms = [*key, *map(str.lower, uses.spellings)]
        is_word = len(key) == 1 and not small_words.isdisjoint(forms)
        # "Conn." and "Calif." stand behind the name of a town
        is_state = not STATES.isdisjoint(uses.spellings)
        if not is_used or is_outlet or is_word or is_state:
            del names[key]
    _join_parts(names, longer_names)
    chosen = [key for key, uses in names.items() if len(uses.speakers) >= least]
    if least < 2:
        chosen = _in_titles(chosen, articles)
    background = shipped_background()
    counts = background.table("n", ANY_LANGUAGE)
    rarities = background.idf(ANY_LANGUAGE)

    def rank(key: NameKey) -> tuple[float, NameKey]:
        rarity = float(rarities[counts.get(" ".join(key), 0)])
        return -len(names[key].outlets) * rarity, key

    chosen.sort(key=rank)
    return tuple(names[key].name() for key in chosen[:MOST_NAMES])


def _speakers(articles: Sequence[ArticleView]) -> dict[str, str]:
    """Return the speaker of each article: the same for all articles that share a sender or a text."""
    return {
        article.id: group[0].id
        for group in copy_groups(articles, origin_link, speaker_of)
        for article in group
    }


def _longer_names(
    names: Mapping[NameKey, _Uses], least: int
) -> dict[NameKey, list[NameKey]]:
    """Return the longer names of each beginning or end of a name, if enough speakers use the longer name.

    If the part has a link, the number of speakers does not matter: "Centers for Disease Control" can only be short for
    the full name of the body.
    """
    longer_names: dict[NameKey, list[NameKey]] = {}
    for key, uses in names.items():
        is_linked = not LINK_WORDS.isdisjoint(key)
        is_shared = len(uses.speakers) >= least
        for end in range(1, len(key)):
            for part in (key[:end], key[end:]):
                # "Obama" is short for "Barack Obama", but "England" is not short for "Bank of England".
                if not LINK_WORDS.isdisjoint(part) if is_linked else is_shared:
                    longer_names.setdefault(part, []).append(key)
    return longer_names


def _join_parts(
    names: dict[NameKey, _Uses], longer_names: Mapping[NameKey, Sequence[NameKey]]
) -> None:
    """Join each name to the longer name that begins or ends with it: "Obama" to "Barack Obama"."""
    for short in sorted(names, key=lambda key: (len(key), key)):
        longer = [key for key in longer_names.get(short, ()) if key in names]
        if longer:
            best = max(
                longer,
                key=lambda key: (
                    len(names[key].outlets),
                    sum(names[key].spellings.values()),
                    key,
                ),
            )
            part = names.pop(short)
            names[best].outlets |= part.outlets
            names[best].speakers |= part.speakers


def _in_titles(
    keys: Sequence[NameKey], articles: Sequence[ArticleView]
) -> list[NameKey]:
    """Return the names whose last word is in the title of an article."""
    titles = []
    words: set[str] = set()
    for article in articles:
        title = subject_key(article.title)
        vocabulary = vocabulary_of(article.language)
        titles.append(title)
        words.update(form_of(word, vocabulary) for word in _WORD.findall(title))
    return [
        key
        for key in keys
        if (
            any(key[-1] in title for title in titles)
            if key[-1] >= _JOINED_FROM
            else key[-1] in words
        )
    ]


def topics_of(articles: Sequence[ArticleView]) -> tuple[StoryName, ...]:
    """Return the topics that two speakers declare, or the topics of the only speaker that declares any.

    If all articles are from little-known sources, a single speaker only counts if it is alone in the story. Each topic
    has the number of its outlets. The most frequent topics come first; topics that are as frequent keep their
    declared order.
    """
    speakers = _speakers(articles)
    no_topics = words_of("no_topics")
    topics: dict[str, _Uses] = {}
    asked = set()
    for article in sorted(articles, key=attrgetter("effective_at", "id")):
        for category in article.categories:
            label = " ".join(category.lstrip("#").split())
            # A sentence, a list, a number, an address or a word of the site is not a topic.
            if (
                len(label) <= _LONGEST
                and _TOPIC.fullmatch(label)
                and any(map(str.isalpha, label))
                and subject_key(label) not in no_topics
            ):
                speaker = speakers[article.id]
                topics.setdefault(subject_key(label), _Uses()).add(
                    article, speaker, label
                )
                asked.add(speaker)
    if all(article.is_little_known for article in articles):
        asked = set(speakers.values())
    least = min(2, len(asked))
    chosen = [topic for topic in topics.values() if len(topic.speakers) >= least]
    chosen.sort(key=lambda topic: -len(topic.outlets))
    return tuple(topic.name() for topic in chosen[:MOST_TOPICS])
