"""The subjects of a story: names that its outlets use, and topics by the categories that they declare."""

import functools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from aggregator.model.core import ArticleView, StoryName
from aggregator.stories.lexicon import lexicon, words_of
from aggregator.text.calendar import forms
from aggregator.text.language import tag_or_und

if TYPE_CHECKING:  # who only reads stories loads no numpy
    from aggregator.cluster.events.tokenizer import Vocabulary

MOST_NAMES: Final = 8  # of a story (chosen)
MOST_TOPICS: Final = 3  # of a story (chosen)
_LONGEST: Final = 60  # characters of a name or topic; longer ones are sentences (chosen)
_MOST_WORDS: Final = 5  # of a name (chosen)
_COMPARED_WORDS: Final = 200  # of a headline and a summary (limit)
_WORD: Final = re.compile(r"[\w-]+")
_OFFICE: Final = re.compile(r"[Ss](?<!\w.)ecretary of [A-Z]\w+ (?=[A-Z])")  # "Secretary of State John Kerry"
_NO_NAME: Final = re.compile(r"[DRI]-[A-Z]|.*-[a-z]{3}")  # "R-Utah", "Obama-era"
_JOINED_FROM: Final = "\u0590"  # Hebrew: from here on, words have particles, or no spaces between them
_OFTEN: Final = 20  # texts of the background with a word that is an everyday one ... (chosen)
_RARELY_NAME: Final = 0.05  # ... and a name in fewer of them: "Tobacco" (chosen: "Fox" has .10)
_TOPIC: Final = re.compile(r"[^,;:/<>@©]+")

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
    for one in articles:
        vocabulary = _vocabulary(one.language)
        title = subject_key(one.title)
        in_title = {_form(word, vocabulary) for word in _WORD.findall(title)}
        for name, count in _names_in(_below_title(one), vocabulary).items():
            key = tuple([_form(word, vocabulary) for word in name.split()])
            uses = used.setdefault(key, _Uses())
            uses.outlets.add(one.outlet_key or one.id)
            uses.spellings[name] += count
            uses.in_title |= key[-1] in (title if key[-1] >= _JOINED_FROM else in_title)
    publishers = {subject_key(one.outlet) for one in articles if one.outlet}
    plain = _plain({key[0] for key in used if len(key) == 1}, articles)
    for key, uses in [*used.items()]:
        if publishers & set(map(subject_key, uses.spellings)) or (len(key) == 1 and key[0] in plain):
            del used[key]
    least = min(2, len({one.outlet_key or one.id for one in articles}))
    _join_parts(used, least)
    chosen = [key for key, one in used.items() if len(one.outlets) >= least and (least > 1 or one.in_title)]
    chosen.sort(key=lambda key: (-len(used[key].outlets) * _rarity(key), key))
    return tuple(
        StoryName(name=_spelling(used[key].spellings), outlets=len(used[key].outlets))
        for key in chosen[:MOST_NAMES]
    )


def _below_title(article: ArticleView) -> str:
    return article.text.removeprefix(article.title)


def _plain(forms_of_names: set[str], articles: Sequence[ArticleView]) -> set[str]:
    """Return which of these the articles also have in lower case: no names of one word."""
    plain: set[str] = set()
    for one in articles:
        vocabulary, words = _vocabulary(one.language), set(_WORD.findall(_below_title(one)))
        plain |= words & forms_of_names
        other = words if vocabulary.declines_names else (each for each in words if not each.isascii())
        small = (each for each in other if each[0].islower())
        plain |= forms_of_names.intersection([_form(each, vocabulary) for each in small])
    return plain


@functools.lru_cache(maxsize=16384)
def _form(word: str, vocabulary: "Vocabulary") -> str:
    """Return a word as names are compared: in lower case, without accents, endings of cases or 's."""
    if vocabulary.declines_names:
        return vocabulary.stem(word) or word.casefold()
    plain = word.casefold().replace("’", "'").removesuffix("'s")
    if plain.isascii():
        return plain or word
    plain = unicodedata.normalize("NFKD", plain)
    return "".join(sign for sign in plain if not unicodedata.combining(sign)) or word


def _spelling(spellings: Counter[str]) -> str:
    """Return the most frequent spelling; of equal ones the shortest, which often is the nominative."""
    return min(spellings, key=lambda one: (-spellings[one], len(one), one))


def _join_parts(used: dict[_Key, _Uses], least: int) -> None:
    """Join each name to the longer one that begins or ends with it: "Obama" to "Barack Obama"."""
    longer_of: dict[_Key, list[_Key]] = {}
    for key in used:
        for some in {words for end in range(1, len(key)) for words in (key[:end], key[-end:])}:
            longer_of.setdefault(some, []).append(key)
    for short in sorted(used, key=len):
        longer = [key for key in longer_of.get(short, ()) if len(used[key].outlets) >= least]
        if longer:
            best = max(longer, key=lambda key: (len(used[key].outlets), used[key].spellings.total(), key))
            whole, part = used[best], used.pop(short)
            whole.outlets |= part.outlets
            whole.in_title |= part.in_title


def _rarity(key: _Key) -> float:
    from aggregator.cluster.events.document_frequency import ANY_LANGUAGE, shipped_background

    background = shipped_background()
    count = background.table("n", ANY_LANGUAGE).get(" ".join(key), 0)
    return float(background.idf(ANY_LANGUAGE)[count])


def _is_everyday(word: str, vocabulary: "Vocabulary") -> bool:
    """Return whether a word is hardly ever a name in the texts of the background."""
    from aggregator.cluster.events.document_frequency import ANY_LANGUAGE, shipped_background

    background = shipped_background()
    in_texts = background.table("w", vocabulary.language).get(vocabulary.stem(word), 0)
    as_name = background.table("n", ANY_LANGUAGE).get(word.casefold(), 0)
    return in_texts >= _OFTEN and as_name < _RARELY_NAME * in_texts


def _names_in(text: str, vocabulary: "Vocabulary") -> Counter[str]:
    """Return the names in a text, with how often each is written."""
    found = Counter[str]()
    for written, count in Counter(vocabulary.written_names(_OFFICE.sub("", text))).items():
        if name := _name(written, vocabulary):
            found[name] += count
    return found


@functools.lru_cache(maxsize=16384)
def _name(written: str, vocabulary: "Vocabulary") -> str:
    """Return a name without titles and stop words before it; "" for what is no name."""
    words = written.removesuffix("'").split()
    titles = [place for place, word in enumerate(words, start=1) if word.lower() in words_of("titles")]
    del words[: max(titles, default=0)]
    while words and not vocabulary.stem(words[0]):  # a stop word: "For Team ..."
        del words[0]
    name = " ".join(words)
    is_name = 0 < len(words) <= _MOST_WORDS and len(words[-1]) >= (2 if words[-1].isupper() else 3)
    dates = forms("months", "en", short=True) | forms("weekdays", "en", short=True)
    if not is_name or len(name) > _LONGEST or not dates.isdisjoint(map(str.lower, words)):
        return ""
    # The words of a heading have capitals, too: "Time Of Dying".
    is_heading = vocabulary.language == "en" and any(
        not vocabulary.stem(word) and word.istitle() for word in words[1:]
    )
    is_word = len(words) == 1 and _is_everyday(name, vocabulary)
    return "" if is_heading or is_word or _NO_NAME.match(name) else name


def topics_of(articles: Sequence[ArticleView]) -> tuple[StoryName, ...]:
    """Return the topics that two outlets declare, or those of the only outlet that declares any.

    Each with the number of these outlets; the most frequent first, then in the order of the declarations.
    """
    outlets: dict[str, set[str]] = {}
    spellings: dict[str, Counter[str]] = {}
    for one in articles:
        for label in map(_topic, one.categories):
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
    first, second = (_word_weights(text, language) for text in (one, other))
    return sum(weight * second.get(stem, 0.0) for stem, weight in first.items())


@functools.lru_cache(maxsize=1024)  # a story is compared with many others
def _word_weights(text: str, language: str | None) -> dict[str, float]:
    """Return the weight of each stem; the sum of their squares is 1."""
    from aggregator.cluster.events.document_frequency import shipped_background

    background, vocabulary = shipped_background(), _vocabulary(language)
    known, idf = background.table("w", vocabulary.language), background.idf(vocabulary.language)
    counts = Counter(filter(None, map(vocabulary.stem, vocabulary.tokens(text, _COMPARED_WORDS))))
    weights = {stem: (1 + math.log(n)) * float(idf[known.get(stem, 0)] - 1) for stem, n in counts.items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {stem: weight / length for stem, weight in weights.items()}


@functools.lru_cache(maxsize=16)
def _vocabulary(language: str | None) -> "Vocabulary":
    from aggregator.cluster.events.document_frequency import shipped_background
    from aggregator.cluster.events.tokenizer import Vocabulary

    return Vocabulary(tag_or_und(language), shipped_background())
