"""Versions of a text: the sentences that two texts tell differently.

A *version* is a text that has a sentence of the other text with another number, name or negation, or with a word
that only this headline and this text have ("are missing", "are alive"). Left out or added sentences, spellings of
numbers, bylines, datelines, times of day, weekdays and the names of both outlets do not make a version. Numbers
and negations count in languages with tables of them (text/numbers.yaml, languages.yaml).

Which text is the later one does not matter here.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from aggregator.stories.compared_sentences import (
    ReadText,
    Sentence,
    TextVersion,
    alike_sentences,
    read_sentences,
)
from aggregator.stories.lexicon import word_list
from aggregator.stories.story_sentences import BOILERPLATE, front_matter
from aggregator.stories.story_words import head_of
from aggregator.text.numbers import has_numbers

CHANGES_SHOWN = 3
# The least likeness (see LEAST_ALIKE) of sentences that differ only in a negation: "did not answer", "declined to
# comment"
LEAST_NEGATED = 0.6


class ChangedSentence(NamedTuple):
    """A sentence that two texts tell differently, word for word in each."""

    own: str
    other: str


def changed_sentences(own: TextVersion, other: TextVersion) -> list[ChangedSentence]:
    """Return the sentences that two texts tell differently, at most CHANGES_SHOWN; empty: no versions."""
    changed: list[ChangedSentence] = []
    if own.language != other.language:
        return changed
    left, right = read_sentences(own), read_sentences(other)
    language = own.language or "en"
    negations = word_list(language, "negations")
    new_left = _new_in_title(left, right, language)
    new_right = _new_in_title(right, left, language)
    for sentence, alike, likeness in alike_sentences(left, right):
        gone = _differing(sentence.words, alike.words)
        came = _differing(alike.words, sentence.words)
        is_changed = (
            (has_numbers(language) and _has_number(gone) and _has_number(came))
            or (
                likeness >= LEAST_NEGATED
                and _count(gone, negations) != _count(came, negations)
            )
            or _has_other_names(sentence, alike, left, right)
            or not new_left.isdisjoint(gone)
            or not new_right.isdisjoint(came)
        )
        if is_changed and front_matter(sentence.text, own.language) not in BOILERPLATE:
            changed.append(ChangedSentence(sentence.text, alike.text))
            if len(changed) == CHANGES_SHOWN:
                break
    return changed


def _differing(words: Sequence[str], others: Sequence[str]) -> list[str]:
    return list((Counter(words) - Counter(others)).elements())


def _has_number(words: Sequence[str]) -> bool:
    return any(word[0].isdigit() for word in words)


def _count(words: Sequence[str], listed: frozenset[str]) -> int:
    return sum(word in listed for word in words)


def _has_other_names(
    sentence: Sentence, alike: Sentence, left: ReadText, right: ReadText
) -> bool:
    """Return whether a sentence has other names, or its names in another order."""
    if sorted(sentence.words) == sorted(alike.words):
        known = left.names | right.names
        return [word for word in sentence.words if word in known] != [
            word for word in alike.words if word in known
        ]
    gone = set(_differing(sentence.names, alike.names))
    came = set(_differing(alike.names, sentence.names))
    return bool(gone and came and (gone - right.words or came - left.words))


def _new_in_title(own: ReadText, other: ReadText, language: str) -> set[str]:
    """Return the words that are in this headline and nowhere in the other text: "alive"."""
    return {
        word
        for word in own.title
        if word not in other.words and head_of(word, language)
    }
