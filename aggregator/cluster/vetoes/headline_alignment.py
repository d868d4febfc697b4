"""Two headlines side by side: what stands in both, and what stands in the place of what."""

import functools
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from aggregator.cluster.vetoes.headline_tokens import (
    HeadlineWord,
    ParsedHeadline,
    VetoInput,
    VetoTuning,
    are_near,
    month_of,
    read_headline,
    weekday_of,
    without_outlet,
)

_LONGEST_TITLE: Final = 40  # words (three times as many characters where no spaces stand): bounds the time


class AlignmentSlot(NamedTuple):
    """A gap in one headline and what fills it in the other; places of words."""

    left: tuple[int, ...]
    right: tuple[int, ...]


class AlignedHeadlines(NamedTuple):
    """Two headlines side by side."""

    one: VetoInput
    other: VetoInput
    left: ParsedHeadline
    right: ParsedHeadline
    shared: int  # words that stand in both
    shorter: int  # words of the shorter headline
    in_order: float  # share of the shorter headline's words that stand in both in one order
    slots: tuple[AlignmentSlot, ...]


def compare(one: VetoInput, other: VetoInput) -> AlignedHeadlines | None:
    """The headlines word by word; None where they share too little to be of one build."""
    left = read_headline(without_outlet(one), one.language)
    right = read_headline(without_outlet(other), other.language)
    shorter = min(len(left.keys), len(right.keys))
    if max(len(left.keys), len(right.keys)) > (_LONGEST_TITLE if left.has_spaces else 3 * _LONGEST_TITLE):
        return None
    rest = list(right.keys)
    shared = 0
    for key in left.keys:
        if key in rest:
            rest.remove(key)
            shared += 1
    if shorter == 0 or shared * 2 < shorter or not _say_one_thing(left, right):
        return None
    matcher = SequenceMatcher(None, left.keys, right.keys, autojunk=False)
    codes = matcher.get_opcodes()
    in_order = sum(a2 - a1 for tag, a1, a2, _, _ in codes if tag == "equal")
    slots = tuple(
        AlignmentSlot(_only(left, right, range(a1, a2)), _only(right, left, range(b1, b2)))
        for tag, a1, a2, b1, b2 in codes
        if tag == "replace"
    )
    return AlignedHeadlines(one, other, left, right, shared, shorter, in_order / shorter, slots)


def _say_one_thing(left: ParsedHeadline, right: ParsedHeadline) -> bool:
    """Whether a word that says something is in both: a date or an article alone makes no build."""
    if not left.has_spaces:
        return True
    return any(
        word.is_content and word.sort == "word" and word.key in right.keys and not _is_of_calendar(word, left)
        for word in left.words
    )


def _is_of_calendar(word: HeadlineWord, headline: ParsedHeadline) -> bool:
    return weekday_of(word, headline.language) is not None or month_of(word, headline.language) is not None


def _only(mine: ParsedHeadline, others: ParsedHeadline, places_: range) -> tuple[int, ...]:
    """Those of these words that stand nowhere in the other headline: what moved was not replaced."""
    if not mine.has_spaces:
        return tuple(places_)
    return tuple(at for at in places_ if mine.keys[at] not in others.keys)


def is_one_build(pair: AlignedHeadlines, slot: AlignmentSlot, tuning: VetoTuning) -> bool:
    """Whether most words are in both when what fills the slot counts as one word."""
    filled = max(len(slot.left), len(slot.right), 1)
    return pair.shared >= tuning.one_build * (max(pair.shorter - filled, 0) + 1)


def is_all(pair: AlignedHeadlines, slot: AlignmentSlot, most: int) -> bool:
    """Whether the headlines differ in this slot and in at most `most` further words on either side.

    Two newsrooms that tell of one event differ in more than one place; two tellings of one build do not.
    """
    return all(len(words) <= most for words in beside(pair, slot))


def beside(pair: AlignedHeadlines, slot: AlignmentSlot) -> tuple[frozenset[int], frozenset[int]]:
    """The words without counterpart that are not in the slot, of either headline."""
    left, right = loose(pair)
    return left - set(slot.left), right - set(slot.right)


@functools.lru_cache(maxsize=64)  # asked for each slot of a pair
def loose(pair: AlignedHeadlines) -> tuple[frozenset[int], frozenset[int]]:
    """The words of either headline that the other has in no form."""
    left, right = pair.left, pair.right
    return _without_counterpart(left, right), _without_counterpart(right, left)


def _without_counterpart(mine: ParsedHeadline, others: ParsedHeadline) -> frozenset[int]:
    """Words that say something and stand in no form in the other headline; numbers left out."""
    if not mine.has_spaces:
        return frozenset()
    return frozenset(
        at
        for at, word in enumerate(mine.words)
        if word.is_content
        and word.sort == "word"
        and word.key not in others.keys
        and not any(are_near(word.key, key) for key in others.keys)
    )
