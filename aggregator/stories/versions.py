"""Versions of a text: which sentences two texts tell differently, and whether one updates the other.

A *version* is a text in which a sentence that stands in the other one, too, has another number, name or
negation, or a word that only this headline and this text have ("are missing", "are alive"). Left out or added
sentences, spellings of numbers, bylines, datelines, times of day, weekdays and the names of both outlets
make none. Numbers and negations count in languages with tables of them (text/numbers.yaml, languages.yaml).

Which text is the later one does not matter here.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from aggregator.model.core import ArticleView
from aggregator.stories.lexicon import is_correction, word_list
from aggregator.stories.sentences import BOILERPLATE, front_matter, without_dateline
from aggregator.stories.words import head_of
from aggregator.text.calendar import number_of, weekday_words
from aggregator.text.numbers import has_numbers, in_digits
from aggregator.text.sentences import sentences_of
from aggregator.text.tokens import parts

CHARS_READ = 20_000  # of a text (limit: 200,000 take .4 s)
# That only one of both texts has, so at most 3,600 pairs (limit)
SENTENCES_COMPARED = 60
CHANGES_SHOWN = 3
# Dice coefficient of the words of a sentence in both texts (chosen on invented versions)
LEAST_ALIKE = 0.4
# The same where only a negation differs: "did not answer", "declined to comment"
LEAST_NEGATED = 0.6
LEAST_KEPT = 2  # sentences that an update repeats word for word,
# ... of those of the longer text: more than the background that an outlet repeats
KEPT_SHARE = 1 / 3
# Of the sentences of the shorter text that an update repeats or changes,
SHARED_SHARE = 0.6
# ... if it repeats no third of the longer one: one has grown (chosen on events-lookalikes)
GROWN_SHARE = 0.9
CORRECTION_SENTENCES = 4
_TIME = re.compile(
    r"\b\d{1,2}(?::\d{2}|h\d{2})(?!\d)|\b\d{1,2}(?:[.:]\d{2})?\s?(?:[ap]\.?m\b\.?|uhr\b|o['’]clock\b|heures?\b)",
    re.IGNORECASE,
)
_SPACED_THOUSANDS = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))")


class ChangedSentence(NamedTuple):
    """A sentence that two texts tell differently, word for word in each."""

    own: str
    other: str


class _Sentence(NamedTuple):
    text: str
    words: tuple[str, ...]  # in lower case, numbers in digits
    names: tuple[str, ...]  # its capitalised words but the first, in order


class TextVersion(NamedTuple):
    """A text as it is compared."""

    title: str
    text: str
    language: str | None
    outlet: str | None


def version_of(article: ArticleView) -> TextVersion:
    """Return the text of an article, or its lead, for comparison."""
    return TextVersion(
        article.title,
        article.text or article.lead,
        article.language,
        article.outlet_key,
    )


class _ReadText(NamedTuple):
    sentences: dict[tuple[str, ...], _Sentence]  # by their words, in order
    words: frozenset[str]  # of title and text
    names: frozenset[str]  # the capitalised words of all sentences
    title: tuple[str, ...]


def changed_sentences(own: TextVersion, other: TextVersion) -> list[ChangedSentence]:
    """Return the sentences that two texts tell differently, at most CHANGES_SHOWN; empty: no versions."""
    return [
        ChangedSentence(sentence.text, alike.text)
        for sentence, alike in _changed(own, other)
        if front_matter(sentence.text, own.language) not in BOILERPLATE
    ][:CHANGES_SHOWN]


def is_update(own: TextVersion, other: TextVersion) -> bool:
    """Return whether a text that is no copy is another state of the other one, beyond one form.

    It repeats sentences and changes others, the first one, too. Texts of one form are about something else:
    both headlines name what the other text lacks, or they differ only in their numbers. In a script without
    capitals names are not seen, so no text is an update.
    """
    left, right = _read(own), _read(other)
    kept = left.sentences.keys() & right.sentences.keys()
    shorter, longer = sorted((left.sentences.keys(), right.sentences.keys()), key=len)
    if (
        not left.names
        or not right.names
        or len(kept) < max(LEAST_KEPT, KEPT_SHARE * len(shorter))
    ):
        return False
    shared = kept | {
        sentence.words for sentence, *_ in (*_alike(left, right), *_alike(right, left))
    }
    least_shared = (
        SHARED_SHARE if len(kept) >= KEPT_SHARE * len(longer) else GROWN_SHARE
    )
    if len(shared & shorter) < least_shared * len(shorter):
        return False
    if shared.isdisjoint(_opening(own, left)) or shared.isdisjoint(
        _opening(other, right)
    ):
        # The next step of an event, above the background of the one before
        return False
    if _without_numbers(left.title) == _without_numbers(right.title):
        return False
    if _lacks_name(right, left, own.language) and _lacks_name(
        left, right, own.language
    ):
        return False
    return bool(changed_sentences(own, other))


def unread_signs(language: str | None) -> tuple[str, ...]:
    """Return what a language has no table for, so that a change of it makes no version."""
    unread = []
    if not has_numbers(language or "en"):
        unread.append("numbers")
    if not word_list(language, "negations"):
        unread.append("negations")
    return tuple(unread)


# --- sentences ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)  # a text is compared with several others
def _read(version: TextVersion) -> _ReadText:
    language = version.language or "en"
    sentences: dict[tuple[str, ...], _Sentence] = {}
    names: set[str] = set()
    outlet = (version.outlet or "").casefold()
    for paragraph in sentences_of(version.text[:CHARS_READ]):
        for text in paragraph:
            sentence = _sentence(text, language)
            named = tuple(name for name in sentence.names if name not in outlet)
            sentences.setdefault(sentence.words, sentence._replace(names=named))
            names.update(named)
    title = _sentence(version.title, language).words
    words = frozenset(title).union(*sentences)
    return _ReadText(sentences, words, frozenset(names), title)


def _sentence(text: str, language: str) -> _Sentence:
    plain = _SPACED_THOUSANDS.sub("", _TIME.sub(" ", without_dateline(text)))
    words, names = [], []
    for place, (word, *_) in enumerate(parts(plain, language)):
        lower = word.lower().replace("’", "'").removesuffix("'s")
        if lower in weekday_words():
            continue
        words.append(lower)
        if place and word[0].isupper() and number_of("months", lower) is None:
            names.append(lower)
    return _Sentence(text, tuple(in_digits(words, language)), tuple(names))


def _alike(
    left: _ReadText, right: _ReadText
) -> Iterator[tuple[_Sentence, _Sentence, float]]:
    """Yield sentences of the left text that the right one has in other words, each with the likest of it."""
    lefts = [
        one for words, one in left.sentences.items() if words not in right.sentences
    ]
    rights = [
        one for words, one in right.sentences.items() if words not in left.sentences
    ]
    counted = [(other, Counter(other.words)) for other in rights[:SENTENCES_COMPARED]]
    for sentence in lefts[:SENTENCES_COMPARED]:
        words, likest, most = Counter(sentence.words), sentence, 0.0
        for other, other_words in counted:
            shared = (words & other_words).total()
            likeness = 2 * shared / (len(sentence.words) + len(other.words))
            if likeness > most:
                likest, most = other, likeness
        if most >= LEAST_ALIKE:
            yield sentence, likest, most


# --- what differs -------------------------------------------------------------------------------------------


def _changed(
    own: TextVersion, other: TextVersion
) -> Iterator[tuple[_Sentence, _Sentence]]:
    left, right = _read(own), _read(other)
    if own.language != other.language:
        return
    language = own.language or "en"
    negations = word_list(language, "negations")
    for sentence, alike, likeness in _alike(left, right):
        gone, came = (
            _differing(sentence.words, alike.words),
            _differing(alike.words, sentence.words),
        )
        is_changed = (
            (has_numbers(language) and _has_number(gone) and _has_number(came))
            or (
                likeness >= LEAST_NEGATED
                and _count(gone, negations) != _count(came, negations)
            )
            or _has_other_names(sentence, alike, left, right)
            or any(_is_new(word, left, right, language) for word in gone)
            or any(_is_new(word, right, left, language) for word in came)
        )
        if is_changed:
            yield sentence, alike


def _differing(words: Sequence[str], others: Sequence[str]) -> list[str]:
    return list((Counter(words) - Counter(others)).elements())


def _has_number(words: Sequence[str]) -> bool:
    return any(word[0].isdigit() for word in words)


def _count(words: Sequence[str], listed: frozenset[str]) -> int:
    return sum(word in listed for word in words)


def _has_other_names(
    sentence: _Sentence, alike: _Sentence, left: _ReadText, right: _ReadText
) -> bool:
    """Return whether another name stands in a sentence, or its names in another order."""
    if sorted(sentence.words) == sorted(alike.words):
        known = left.names | right.names
        return [word for word in sentence.words if word in known] != [
            word for word in alike.words if word in known
        ]
    gone, came = (
        set(_differing(sentence.names, alike.names)),
        set(_differing(alike.names, sentence.names)),
    )
    return bool(gone and came and (gone - right.words or came - left.words))


def _is_new(word: str, own: _ReadText, other: _ReadText, language: str) -> bool:
    """Return whether a word is in this headline and nowhere in the other text: "alive"."""
    return (
        word in own.title and word not in other.words and bool(head_of(word, language))
    )


# --- forms --------------------------------------------------------------------------------------------------


def _opening(version: TextVersion, text: _ReadText) -> list[tuple[str, ...]]:
    """Return the first sentence by its words; of a correction, which explains itself first, some more."""
    is_explained = is_correction(version.text, version.language)
    return list(text.sentences)[: CORRECTION_SENTENCES if is_explained else 1]


def _without_numbers(words: Sequence[str]) -> list[str]:
    return sorted(word for word in words if not word[0].isdigit())


def _lacks_name(text: _ReadText, titled: _ReadText, language: str | None) -> bool:
    """Return whether a headline names something of which the other text has no word."""
    known = {head_of(word, language or "en") for word in text.words}
    return any(
        head_of(word, language or "en") not in known
        for word in titled.title
        if word in titled.names
    )
