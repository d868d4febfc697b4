"""Alignment of two headlines: the words they share, and the words that replace each other."""

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

_LONGEST_TITLE: Final = (
    40  # words (three times as many characters in scripts without spaces): limits the time
)


class AlignmentSlot(NamedTuple):
    """A gap between shared words and its content in either headline, as word indexes."""

    left: tuple[int, ...]
    right: tuple[int, ...]


class AlignedHeadlines(NamedTuple):
    """Two aligned headlines."""

    one: VetoInput
    other: VetoInput
    left: ParsedHeadline
    right: ParsedHeadline
    shared: int  # words that are in both
    shorter: int  # words of the shorter headline
    in_order: float  # share of the shorter headline's words that both have in the same order
    slots: tuple[AlignmentSlot, ...]


def compare(one: VetoInput, other: VetoInput) -> AlignedHeadlines | None:
    """Align two headlines word by word, or return None if they share too little to be of one pattern."""
    left = read_headline(without_outlet(one), one.language)
    right = read_headline(without_outlet(other), other.language)
    shorter = min(len(left.keys), len(right.keys))
    if max(len(left.keys), len(right.keys)) > (_LONGEST_TITLE if left.has_spaces else 3 * _LONGEST_TITLE):
        return None
    unmatched = list(right.keys)
    shared = 0
    for key in left.keys:
        if key in unmatched:
            unmatched.remove(key)
            shared += 1
    if shorter == 0 or shared * 2 < shorter or not _share_content(left, right):
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


def _share_content(left: ParsedHeadline, right: ParsedHeadline) -> bool:
    """Return whether both have a content word: a shared date or article alone is not enough."""
    if not left.has_spaces:
        return True
    return any(
        word.is_content and word.sort == "word" and word.key in right.keys and not _is_of_calendar(word, left)
        for word in left.words
    )


def _is_of_calendar(word: HeadlineWord, headline: ParsedHeadline) -> bool:
    return weekday_of(word, headline.language) is not None or month_of(word, headline.language) is not None


def _only(mine: ParsedHeadline, others: ParsedHeadline, places_: range) -> tuple[int, ...]:
    """Return those words that are nowhere in the other headline: a moved word was not replaced."""
    if not mine.has_spaces:
        return tuple(places_)
    return tuple(at for at in places_ if mine.keys[at] not in others.keys)


def is_one_build(pair: AlignedHeadlines, slot: AlignmentSlot, tuning: VetoTuning) -> bool:
    """Return whether the headlines share most words when the content of the slot counts as one word."""
    filled = max(len(slot.left), len(slot.right), 1)
    return pair.shared >= tuning.template_share * (max(pair.shorter - filled, 0) + 1)


def is_all(pair: AlignedHeadlines, slot: AlignmentSlot, most: int) -> bool:
    """Return whether at most `most` words of either headline differ outside this slot.

    Two newsrooms that report one event differ in more than one place; two instances of a pattern do not.
    """
    return all(len(words) <= most for words in beside(pair, slot))


def beside(pair: AlignedHeadlines, slot: AlignmentSlot) -> tuple[frozenset[int], frozenset[int]]:
    """Return the words without counterpart outside the slot, of either headline."""
    left, right = loose(pair)
    return left - set(slot.left), right - set(slot.right)


@functools.lru_cache(maxsize=64)  # called for each slot of a pair
def loose(pair: AlignedHeadlines) -> tuple[frozenset[int], frozenset[int]]:
    """Return the words of either headline that the other does not have in any form."""
    left, right = pair.left, pair.right
    return _without_counterpart(left, right), _without_counterpart(right, left)


def _without_counterpart(mine: ParsedHeadline, others: ParsedHeadline) -> frozenset[int]:
    """Return the content words, without numbers, that the other headline does not have in any form."""
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
