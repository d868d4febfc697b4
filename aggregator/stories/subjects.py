"""The subjects of a story: names that its outlets use, and topics by the categories that they declare."""

import calendar
import functools
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from aggregator.model.core import ArticleView, StoryName
from aggregator.stories.lexicon import lexicon, words_of

if TYPE_CHECKING:  # who only reads stories loads no numpy
    from aggregator.cluster.events.tokenizer import Vocabulary

SUBJECTS_VERSION: Final = 1  # of this code: another one finds the subjects of recent stories again
MOST_NAMES: Final = 8  # of a story (chosen)
MOST_TOPICS: Final = 3  # of a story (chosen)
_LONGEST: Final = 60  # characters of a name or topic; longer ones are sentences (chosen)
_MOST_WORDS: Final = 5  # of a name (chosen)
_COMPARED_WORDS: Final = 200  # of a headline and a summary (limit)
_LOWER_CASE: Final = re.compile(r"\b(?=[^\W\d_])[^A-Z\W][\w-]+")
_TOPIC: Final = re.compile(r"[^,;:/<>@©]+")

_DATES: Final = frozenset(
    word.lower()
    for names in (calendar.day_name, calendar.day_abbr, calendar.month_name, calendar.month_abbr)
    for word in names
)


_Key = tuple[str, ...]  # the words of a name in lower case


class _Uses(msgspec.Struct):
    """How a name is used in a story."""

    outlets: set[str] = msgspec.field(default_factory=set)  # keys of outlets, ids of articles without one
    spellings: Counter[str] = msgspec.field(default_factory=Counter)
    in_title: bool = False


def subject_key(label: str) -> str:
    """Return the form by which names and topics are compared and found."""
    return " ".join(label.casefold().split())


def names_of(articles: Sequence[ArticleView]) -> tuple[StoryName, ...]:
    """Return the names that two outlets use, or that the only outlet has in a title and the text below it.

    The rarer a name is in news and the more outlets use it, the earlier it stands. Needs the texts.
    """
    used: dict[_Key, _Uses] = {}
    plain: set[str] = set()  # words that occur in lower case, which are no names of one word
    for one in articles:
        plain.update(_LOWER_CASE.findall(one.text))
        title = f" {subject_key(one.title)} "
        for name in _names_in(one):
            key = tuple(subject_key(name).split())
            uses = used.setdefault(key, _Uses())
            uses.outlets.add(one.outlet_key or one.id)
            uses.spellings[name] += 1
            uses.in_title |= key[-1] in title
    publishers = {subject_key(one.outlet) for one in articles if one.outlet}
    for key in [*used]:
        if " ".join(key) in publishers or (len(key) == 1 and key[0] in plain):
            del used[key]
    least = min(2, len({one.outlet_key or one.id for one in articles}))
    _join_parts(used, least)
    chosen = [key for key, one in used.items() if len(one.outlets) >= least and (least > 1 or one.in_title)]
    chosen.sort(key=lambda key: (-len(used[key].outlets) * _rarity(key), key))
    return tuple(
        StoryName(name=used[key].spellings.most_common(1)[0][0], outlets=len(used[key].outlets))
        for key in chosen[:MOST_NAMES]
    )


def _join_parts(used: dict[_Key, _Uses], least: int) -> None:
    """Join each name to the longer one that begins or ends with it: "Obama" to "Barack Obama"."""
    for short in sorted(used, key=len):
        longer = [
            key
            for key, one in used.items()
            if len(key) > len(short)
            and len(one.outlets) >= least
            and short in (key[: len(short)], key[-len(short) :])
        ]
        if longer:
            whole = used[
                max(longer, key=lambda key: (len(used[key].outlets), used[key].spellings.total(), key))
            ]
            part = used.pop(short)
            whole.outlets |= part.outlets
            whole.in_title |= part.in_title


def _rarity(key: _Key) -> float:
    from aggregator.cluster.events.document_frequency import ANY_LANGUAGE, shipped_background

    background = shipped_background()
    count = background.table("n", ANY_LANGUAGE).get(" ".join(key), 0)
    return float(background.idf(ANY_LANGUAGE)[count])


def _names_in(article: ArticleView) -> Iterator[str]:
    vocabulary = _vocabulary(article.language)
    for written in vocabulary.written_names(article.text):
        words = written.removesuffix("'").split()
        titles = [place for place, word in enumerate(words, start=1) if word.lower() in words_of("titles")]
        del words[: max(titles, default=0)]
        while words and not vocabulary.stem(words[0]):  # a stop word: "For Team ..."
            del words[0]
        name = " ".join(words)
        is_initial = (
            not 0 < len(words) <= _MOST_WORDS
            or (len(words[-1]) < 3 and not words[-1].isupper())
            or len(words[-1]) < 2
        )
        if not is_initial and len(name) <= _LONGEST and _DATES.isdisjoint(map(str.lower, words)):
            yield name


def topics_of(articles: Sequence[ArticleView]) -> tuple[StoryName, ...]:
    """Return the topics that two outlets declare, or those of the only outlet that declares any.

    Each with the number of these outlets; the most frequent first, then in the order of the declarations.
    """
    outlets: dict[str, set[str]] = {}
    spellings: dict[str, Counter[str]] = {}
    for one in articles:
        for label in map(_topic, one.categories or ()):
            key = subject_key(label)
            if label and key not in lexicon().no_topics:
                outlets.setdefault(key, set()).add(one.outlet_key or one.id)
                spellings.setdefault(key, Counter())[label] += 1
    least = min(2, len(set().union(*outlets.values())))
    chosen = [key for key in outlets if len(outlets[key]) >= least]
    chosen.sort(key=lambda key: -len(outlets[key]))
    return tuple(
        StoryName(name=spellings[key].most_common(1)[0][0], outlets=len(outlets[key]))
        for key in chosen[:MOST_TOPICS]
    )


def _topic(category: str) -> str:
    """Return a category as a topic; "" for a sentence, a list, a number or an address."""
    label = " ".join(category.lstrip("#").split())
    is_topic = len(label) <= _LONGEST and _TOPIC.fullmatch(label)
    return label if is_topic and any(map(str.isalpha, label)) else ""


def resemblance(one: str, other: str, language: str | None) -> float:
    """Return the cosine of the words of two short texts, from 0 to 1; rare words weigh more."""
    vocabulary = _vocabulary(language)
    first, second = (_word_weights(text, vocabulary) for text in (one, other))
    return sum(weight * second.get(stem, 0.0) for stem, weight in first.items())


def _word_weights(text: str, vocabulary: "Vocabulary") -> dict[str, float]:
    """Return the weight of each stem; the sum of their squares is 1."""
    from aggregator.cluster.events.document_frequency import shipped_background

    background = shipped_background()
    known, idf = background.table("w", vocabulary.language), background.idf(vocabulary.language)
    counts = Counter(filter(None, map(vocabulary.stem, vocabulary.tokens(text, _COMPARED_WORDS))))
    weights = {stem: (1 + math.log(n)) * float(idf[known.get(stem, 0)] - 1) for stem, n in counts.items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {stem: weight / length for stem, weight in weights.items()}


@functools.lru_cache(maxsize=16)
def _vocabulary(language: str | None) -> "Vocabulary":
    from aggregator.cluster.events.document_frequency import shipped_background
    from aggregator.cluster.events.tokenizer import Vocabulary, primary_tag

    return Vocabulary(primary_tag(language), shipped_background())
