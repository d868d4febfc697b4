"""Differences between two titles that follow one pattern.

"EU adopts 12th package of sanctions" and "... 13th package ..." share nearly all words, and so do two reports
of one event. Only the differences tell these cases apart: which words replace others, at how many places and
in what order. Only the kinds of the replaced words count, so no lists of words of a language are needed.
"""

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import NamedTuple

# Numbers; characters of scripts without spaces; words. The groups have the names of the kinds in `TitlePieces`.
_PIECE = re.compile(
    r"(?P<n>\d+(?:[.,:]\d+)*)|(?P<c>[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff])"
    r"|(?P<w>[^\W\d_\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]+)"
)
# Only the first characters of a word count, because endings differ
_KEY_CHARS = 5
# A word with fewer characters is a particle, unless its capital marks a name
_LEAST_CONTENT = 4
# Longer titles are cut, which limits the time
_MOST_PIECES = 120
# Titles of one pattern share at least this part of the shorter title's pieces
_PATTERN_SHARE = 0.5


class TitlePieces(NamedTuple):
    """The pieces of a title in order. The key of a number or character is itself, of a word its first characters."""

    keys: tuple[str, ...]
    # A letter for each piece: "n" number, "c" character, "N" capitalised word, "w" word, "p" particle
    kinds: str
    distinct_keys: frozenset[str]


class TitleDifferences(NamedTuple):
    """Counts of differences between two titles; all 0 if they share too few pieces to follow one pattern."""

    # Share of the shorter title's pieces that both titles have in the same order
    in_order: float = 0.0
    # Pieces of both titles that stand in another order
    moved: int = 0
    # Pieces that the other title lacks, without particles: the smaller and the larger number of the two titles
    loose_min: int = 0
    loose_max: int = 0
    # Places where a number of one title stands for a number of the other
    numbers: int = 0
    # Places where a capitalised word or a character stands for another
    names: int = 0
    # Places where other words stand for each other
    words: int = 0


def read_title(title: str) -> TitlePieces:
    """Split a title into numbers, characters and words, by kind."""
    pieces = list(_PIECE.finditer(title))[:_MOST_PIECES]
    # Capitals mark names, unless most words of the title are capitalised.
    words = [
        piece[0]
        for piece in pieces[1:]
        if piece["w"] and len(piece[0]) >= _LEAST_CONTENT
    ]
    has_names = sum(word[0].isupper() for word in words) * 2 <= len(words)
    keys = []
    kinds = ""
    for place, piece in enumerate(pieces):
        key = piece[0]
        kind = str(piece.lastgroup)
        if kind == "w":
            if has_names and place > 0 and key[0].isupper():
                kind = "N"
            elif len(key) < _LEAST_CONTENT:
                kind = "p"
            key = key.lower()[:_KEY_CHARS]
        keys.append(key)
        kinds += kind
    return TitlePieces(tuple(keys), kinds, frozenset(keys))


def are_alike(title: TitlePieces, other: TitlePieces, share: float) -> bool:
    """Return whether two titles share at least `share` of the longer title's pieces, or follow one pattern and
    differ in a number.
    """
    longer = max(len(title.distinct_keys), len(other.distinct_keys))
    if longer and len(title.distinct_keys & other.distinct_keys) >= share * longer:
        return True
    return compare_titles(title, other).numbers > 0


def compare_titles(title: TitlePieces, other: TitlePieces) -> TitleDifferences:
    """Return the differences of two titles. The order decides ties of the alignment: give the earlier article first."""
    shorter = min(len(title.distinct_keys), len(other.distinct_keys))
    shared = len(title.distinct_keys & other.distinct_keys)
    if not shorter or shared < _PATTERN_SHARE * shorter:
        return TitleDifferences()
    # A moved piece was not replaced: only pieces that the other title lacks are other numbers, names or words.
    title_kinds = _kinds_missing_in(other, title)
    other_kinds = _kinds_missing_in(title, other)
    loose_min, loose_max = sorted(
        len("".join(kinds).replace("p", "")) for kinds in (title_kinds, other_kinds)
    )
    aligned = SequenceMatcher(None, title.keys, other.keys, autojunk=False)
    in_order = sum(block.size for block in aligned.get_matching_blocks())
    # The places where numbers, names and words were replaced
    swapped = Counter[str]()
    for tag, start, end, other_start, other_end in aligned.get_opcodes():
        if tag != "replace":
            continue
        kinds = title_kinds[start:end]
        others = other_kinds[other_start:other_end]
        if "n" in kinds and "n" in others:
            swapped["numbers"] += 1
        elif not {"N", "c"}.isdisjoint(kinds) and not {"N", "c"}.isdisjoint(others):
            swapped["names"] += 1
        elif "w" in kinds + others and any(kinds) and any(others):
            swapped["words"] += 1
    return TitleDifferences(
        in_order / min(len(title.keys), len(other.keys)),
        (Counter(title.keys) & Counter(other.keys)).total() - in_order,
        loose_min,
        loose_max,
        **swapped,
    )


def _kinds_missing_in(other: TitlePieces, title: TitlePieces) -> list[str]:
    """Return the kind of each piece of `title`; "" for pieces that `other` has, too."""
    return [
        "" if key in other.distinct_keys else kind
        for key, kind in zip(title.keys, title.kinds, strict=True)
    ]
