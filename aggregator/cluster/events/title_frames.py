"""How two titles differ where one was made after the pattern of the other, or both after one.

"EU adopts 12th package of sanctions" and "... 13th package ..." share nearly all words, and so do two
tellings of one event. What tells them apart is the difference: what stands in the place of what, in how many
places, in which order. All of it is read from the kinds of tokens, without lists of words of a language.
"""

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import Final, NamedTuple

# Numbers; characters of scripts without spaces; words.
_PIECE: Final = re.compile(
    r"(?P<number>\d+(?:[.,:]\d+)*)|(?P<character>[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff])"
    r"|(?P<word>[^\W\d_\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]+)"
)
_KEY_CHARS: Final = 5  # of a word that count, since endings differ
_LEAST_CONTENT: Final = 4  # characters of a word that is more than a particle
_MOST_PIECES: Final = 120  # of a title: limits the time
_PATTERN_SHARE: Final = 0.5  # of the shorter title's pieces that both must have


class TitlePieces(NamedTuple):
    """The pieces of a title in order."""

    keys: tuple[str, ...]
    kinds: str  # of each: "n" number, "c" character, "N" capitalised word, "w" word, "p" particle
    different: frozenset[str]


class TitleFrame(NamedTuple):
    """What differs between two titles; all 0 where they share too few pieces to be of one pattern."""

    in_order: float = 0.0  # share of the shorter title's pieces that both have in one order
    moved: int = 0  # pieces of both that stand in another order
    loose_min: int = 0  # pieces without particles that the other title lacks: of the title with fewer,
    loose_max: int = 0  # ... and with more of them
    numbers: int = 0  # places in which another number stands,
    names: int = 0  # ... another capitalised word or character,
    words: int = 0  # ... another word


def read_title(title: str) -> TitlePieces:
    """Read the pieces of a title. In capitals, or with most words capitalised, it tells no names."""
    keys, kinds = [], []
    found = list(_PIECE.finditer(title))[:_MOST_PIECES]
    words = [match["word"] for match in found[1:] if len(match["word"] or "") >= _LEAST_CONTENT]
    has_names = sum(word[0].isupper() for word in words) * 2 <= len(words)
    for place, match in enumerate(found):
        piece = match[0]
        if match["number"]:
            keys.append(piece)
            kinds.append("n")
        elif match["character"]:
            keys.append(piece)
            kinds.append("c")
        else:
            keys.append(piece.lower()[:_KEY_CHARS])
            is_name = has_names and place > 0 and piece[0].isupper()
            kinds.append("N" if is_name else "w" if len(piece) >= _LEAST_CONTENT else "p")
    return TitlePieces(tuple(keys), "".join(kinds), frozenset(keys))


def are_alike(one: TitlePieces, other: TitlePieces, share: float) -> bool:
    """Return whether both have `share` of the longer title's pieces, or one pattern with other numbers."""
    longer = max(len(one.different), len(other.different))
    is_same = longer > 0 and len(one.different & other.different) >= share * longer
    return is_same or compare_titles(one, other).numbers > 0


def compare_titles(one: TitlePieces, other: TitlePieces) -> TitleFrame:
    """Align two titles. Symmetric but for ties of the alignment, so give the earlier article first."""
    shorter = min(len(one.different), len(other.different))
    if not shorter or len(one.different & other.different) < _PATTERN_SHARE * shorter:
        return TitleFrame()
    codes = SequenceMatcher(None, one.keys, other.keys, autojunk=False).get_opcodes()
    equal = sum(end - start for tag, start, end, _, _ in codes if tag == "equal")
    shared = sum((Counter(one.keys) & Counter(other.keys)).values())
    counts = Counter[str]()
    for tag, start, end, other_start, other_end in codes:
        if tag == "replace":
            mine = _only(one, other, start, end)
            theirs = _only(other, one, other_start, other_end)
            counts[_swapped(mine, theirs)] += 1
    loose = sorted(
        sum(kind != "p" for kind in _only(mine, theirs, 0, len(mine.keys)))
        for mine, theirs in ((one, other), (other, one))
    )
    return TitleFrame(
        in_order=equal / min(len(one.keys), len(other.keys)),
        moved=shared - equal,
        loose_min=loose[0],
        loose_max=loose[1],
        numbers=counts["numbers"],
        names=counts["names"],
        words=counts["words"],
    )


def _only(mine: TitlePieces, others: TitlePieces, start: int, end: int) -> str:
    """Return the kinds of the pieces that are nowhere in the other title: a moved piece was not replaced."""
    return "".join(
        kind
        for key, kind in zip(mine.keys[start:end], mine.kinds[start:end], strict=True)
        if key not in others.different
    )


def _swapped(mine: str, theirs: str) -> str:
    if "n" in mine and "n" in theirs:
        return "numbers"
    if ("N" in mine or "c" in mine) and ("N" in theirs or "c" in theirs):
        return "names"
    return "words" if "w" in mine + theirs and mine and theirs else ""
