"""Word shingles: the set of all runs of three words of a text (Broder 1997).

Independent of the language: words are separated by spaces and punctuation and folded for case and width. In
scripts without spaces (Chinese, Japanese, Thai, ...) every character is a word and a shingle has five of
them, about as much text as three words. Quotation marks, dashes, line breaks and invisible characters do not
count, so they cannot hide a copy.

The hashes are stored (as MinHash signatures and as sampled shingles): a change of folding, widths or mixing
needs a new `minhash.FORMAT`.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from xxhash import xxh3_64_intdigest

from aggregator.text.lines import ascii_text

Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
Number = TypeVar("Number", bound=np.generic)

SHINGLE_WORDS = 3
# The length of a shingle in a script without spaces, where unrelated texts too often share three characters
SHINGLE_CHARACTERS = 5
# The words of a run in `runs_outside_quotations`; independent reports of one event rarely share that many in a row.
RUN_WORDS = 6
RUN_CHARACTERS = 12  # the same in a script without spaces
# The least number of words in a passage that `explain` shows
_PASSAGE_WORDS = 5

_UNSPACED_RANGES = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f40-\u0fbc"  # Tibetan
    "\u1000-\u109f\u1780-\u17d3"  # Burmese, Khmer
    "\u3041-\u3096\u30a1-\u30fa\u30fc"  # Hiragana, Katakana and its long mark
    "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_UNSPACED = re.compile(f"[{_UNSPACED_RANGES}]")
# `\w` does not match combining marks; without them a Hindi word would be split.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc"
    "\u0900-\u0963\u0966-\u0d7f"
)
# ASCII is left out, because the table below handles it
_FOREIGN_BREAK = re.compile(f"[^\\w\x00-\x7f{_MARKS}]+")
_ASCII_BREAKS = bytes(
    at if at > 127 else ord(chr(at).lower()) if chr(at).isalnum() else 32
    for at in range(256)
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")

# 2^64 / golden ratio; the next two numbers and the shift are from MurmurHash3
ODD_1 = np.uint64(0x9E3779B97F4A7C15)
ODD_2 = np.uint64(0xFF51AFD7ED558CCD)
ODD_3 = np.uint64(0xC4CEB9FE1A85EC53)
_HALF = np.uint64(33)


def words(text: str) -> list[str]:
    """Return the folded words of `text` in order; a character of a script without spaces is a word."""
    return b" ".join(_split(text)[0]).decode().split()


def is_unspaced(word: str) -> bool:
    """Return whether `word` is a character of a script without spaces."""
    return _UNSPACED.match(word) is not None


def shingle_sequence(text: str) -> Hashes:
    """Return one hash for every shingle of `text` in order, with repeats.

    The result is empty for fewer than three words. A text of three or four characters in a script without
    spaces is one shingle.
    """
    raw, has_unspaced = _split(text)
    hashes = _hashes_of(raw)
    shingles = _runs_of(hashes, SHINGLE_WORDS)
    if not has_unspaced:
        return shingles
    # Extend the shingles that begin with a character of a script without spaces to five characters.
    wide = _runs_of(hashes, SHINGLE_CHARACTERS)
    if not len(wide):
        return shingles[:1]
    unspaced = np.array([is_unspaced(word.decode()) for word in raw[: len(shingles)]])
    widened = np.where(unspaced[: len(wide)], wide, shingles[: len(wide)])
    # A shingle that begins fewer than five characters before the end is part of the last wide one.
    return np.concatenate([widened, shingles[len(wide) :][~unspaced[len(wide) :]]])


def _hashes_of(raw: list[bytes]) -> Hashes:
    return np.fromiter(map(xxh3_64_intdigest, raw), dtype=np.uint64, count=len(raw))


def _runs_of(hashes: Hashes, words: int) -> Hashes:
    """Return one hash for each run of words."""
    count = max(0, len(hashes) - words + 1)
    mixed = hashes[:count]
    for step in range(1, words):
        # The hash depends on the order of the words and wraps around at 2^64.
        mixed = (mixed * ODD_1) ^ hashes[step : count + step]
        for odd in (ODD_2, ODD_3):
            mixed = (mixed ^ (mixed >> _HALF)) * odd
        mixed ^= mixed >> _HALF
    return mixed


def shingle_hashes(text: str) -> Hashes:
    """Return the sorted, distinct shingle hashes of `text`; empty for fewer than three words."""
    return distinct(shingle_sequence(text))


def distinct(values: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return the sorted, distinct values, faster than `np.unique`: each article needs this nine times."""
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]


# A quotation ends at its closing mark or with the paragraph: only the last of several quoted paragraphs has a mark.
_QUOTATION = re.compile(
    r"[“„”][^“”\n]*[“”]?|«[^»\n]*»?|\"[^\"\n]*\"?|「[^」\n]*」?|『[^』\n]*』?"
)


def runs_outside_quotations(text: str) -> Hashes:
    """Return the sorted, distinct hashes of all runs of six words (or RUN_CHARACTERS characters) outside quotations.

    Two outlets may quote one speech, but shared runs outside quotations were written by one author.
    """
    runs = []
    for part in _QUOTATION.split(text):
        raw, has_unspaced = _split(part)
        runs.append(
            _runs_of(_hashes_of(raw), RUN_CHARACTERS if has_unspaced else RUN_WORDS)
        )
    return distinct(np.concatenate(runs))


def winnow(hashes_in_order: Hashes, window: int) -> Hashes:
    """Return the sorted, distinct minimum hashes of every run of `window` shingles.

    Two texts that share a run of `window + 2` words share at least one of these hashes.
    """
    if len(hashes_in_order) <= window:
        return distinct(hashes_in_order)[:1]
    return distinct(sliding_window_view(hashes_in_order, window).min(axis=1))


def shared_count(left: Hashes, right: Hashes) -> int:
    """Return how many hashes two sorted, distinct arrays have in common."""
    return int(are_among(left, right).sum())


def are_among(hashes: Hashes, others: Hashes) -> Flags:
    """Return whether each of the hashes is one of `others`, like `np.isin`, but faster: `others` must be sorted."""
    if not len(others):
        return np.zeros(len(hashes), np.bool_)
    likely = np.take(others, np.searchsorted(others, hashes), mode="clip")
    is_same: Flags = likely == hashes
    return is_same


def words_in(flags: Flags, count: int) -> Flags:
    """Return flags of the `count` words of a text from flags of its shingles: the first three words of each."""
    covered = np.zeros(count, dtype=bool)
    for step in range(SHINGLE_WORDS):
        covered[step : step + len(flags)] |= flags[: count - step]
    return covered


def long_runs(flags: Flags, least: int) -> Flags:
    """Return the flags that are in runs of at least this length."""
    starts, ends = _bounds(flags)
    in_long = flags.copy()
    in_long[flags] = np.repeat(ends - starts >= least, ends - starts)
    return in_long


def slots(is_shared: Flags) -> Flags:
    """Return the flags of words in short gaps between shared words; a gap of RUN_WORDS words or more is other text."""
    return ~is_shared & ~long_runs(~is_shared, RUN_WORDS)


def _bounds(flags: Flags) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return where each run of flags starts, and where it ends."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return edges[::2], edges[1::2]


def shared_passages(text_a: str, text_b: str, limit: int) -> tuple[str, ...]:
    """Return the longest passages of `text_a` whose runs of five words are all in `text_b`, for explanations.

    There are at most `limit` passages, the longest first, in the spelling of `text_a`.
    """
    matches = list(_PLAIN_WORD.finditer(text_a))
    starts, ends = _bounds(
        np.isin(
            _passage_runs(match[0] for match in matches),
            _passage_runs(_PLAIN_WORD.findall(text_b)),
        )
    )
    passages = set()
    for start, end in zip(
        starts.tolist(), (ends + _PASSAGE_WORDS - 2).tolist(), strict=True
    ):
        passages.add(text_a[matches[start].start() : matches[end].end()])
    return tuple(sorted(passages, key=lambda each: (-len(each), each))[:limit])


def _passage_runs(words: Iterable[str]) -> Hashes:
    folded = [_fold(word).encode("utf-8", "replace") for word in words]
    return _runs_of(_hashes_of(folded), _PASSAGE_WORDS)


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold()


def _split(text: str) -> tuple[list[bytes], bool]:
    """Return the folded words as UTF-8, and whether some are characters of a script without spaces.

    The words are bytes, because a table look-up and a split are five times faster than a regular expression.
    """
    plain = ascii_text(text)
    if plain is not None:
        return plain.translate(_ASCII_BREAKS).split(), False
    folded = _FOREIGN_BREAK.sub(" ", _fold(text))
    has_unspaced = bool(_UNSPACED.search(folded))
    if has_unspaced:
        folded = _UNSPACED.sub(r" \g<0> ", folded)
    return folded.encode("utf-8", "replace").translate(
        _ASCII_BREAKS
    ).split(), has_unspaced


# Nothing has put spaces into this text yet, so each character of an unspaced script is matched as a word.
_PLAIN_WORD = re.compile(
    f"[{_UNSPACED_RANGES}]|(?:(?![{_UNSPACED_RANGES}])[^\\W_]|[{_MARKS}])+"
)
