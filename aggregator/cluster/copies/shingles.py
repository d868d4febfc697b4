"""Word shingles: a text as the set of all its runs of three words.

Language-neutral: words are what stands between spaces and punctuation, folded for case and width; in scripts
that write without spaces (Chinese, Japanese, Thai, ...) every character is a word and a shingle is five of
them, about as much text as three words. Nothing else of a text counts, so quotation marks, dashes, line
breaks and invisible characters make no copy look different.

The hashes are stored (as MinHash signatures, later as sampled shingles): a change of folding, widths or
mixing needs a new `signature.FORMAT`.
"""

import re
import unicodedata
from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

Hashes = npt.NDArray[np.uint64]

SHINGLE_WORDS = 3
SHINGLE_CHARACTERS = 5  # of a script without spaces; three would be shared by unrelated texts too often

_UNSPACED_RANGES = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f40-\u0fbc"  # Tibetan
    "\u1000-\u109f\u1780-\u17d3"  # Burmese, Khmer
    "\u3041-\u3096\u30a1-\u30fa\u30fc"  # Hiragana, Katakana and its long mark
    "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_UNSPACED = re.compile(f"[{_UNSPACED_RANGES}]")
# `\w` leaves out the signs that many scripts set on or under a letter: without them a Hindi word falls apart.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc"
    "\u0900-\u0963\u0966-\u0d7f"
)
_FOREIGN_BREAK = re.compile(f"[^\\w\x00-\x7f{_MARKS}]+")  # no ASCII in it: that is left to the table below
_ASCII_BREAKS = bytes(at if at > 127 or chr(at).isalnum() else 32 for at in range(256))
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")

_ODD_1 = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio; the others are MurmurHash3's
_ODD_2 = np.uint64(0xFF51AFD7ED558CCD)
_ODD_3 = np.uint64(0xC4CEB9FE1A85EC53)
_HALF = np.uint64(33)

_SEED_PLACES = 8  # places in the other text that are tried for one shingle: keeps repetitive texts linear
_PASSAGE_WORDS = 40_000  # words of each text that are looked at for passages; 200 KiB hold fewer of most


def words(text: str) -> list[str]:
    """The words of `text` in order, folded; a character of a script without spaces is a word."""
    return b" ".join(_split(text)[0]).decode().split()


def is_unspaced(word: str) -> bool:
    """Whether `word` is a character of a script without spaces."""
    return _UNSPACED.match(word) is not None


def shingle_sequence(text: str) -> Hashes:
    """One hash for every shingle of `text` in its order, repeats included.

    Empty for less than three words. A text in a script without spaces, of three or four characters, is one
    shingle.
    """
    raw, has_unspaced = _split(text)
    count = len(raw) - SHINGLE_WORDS + 1
    if count < 1:
        return np.empty(0, np.uint64)
    hashes = np.fromiter(map(xxh3_64_intdigest, raw), dtype=np.uint64, count=len(raw))
    shingles = hashes[:count].copy()
    for step in range(1, SHINGLE_WORDS):
        shingles = _mixed(shingles, hashes[step : count + step])
    return _widened(shingles, hashes, raw) if has_unspaced else shingles


def shingle_hashes(text: str) -> Hashes:
    """The sorted, distinct shingle hashes of `text`; empty for less than three words."""
    return np.unique(shingle_sequence(text))


def winnow(hashes_in_order: Hashes, window: int) -> Hashes:
    """The sorted, distinct least hashes of every run of `window` shingles.

    Two texts that share a run of `window + 2` words share at least one of them.
    """
    if len(hashes_in_order) <= window:
        return hashes_in_order.min(keepdims=True) if len(hashes_in_order) else hashes_in_order
    least, width = hashes_in_order, 1
    while width < window:  # the least of runs twice as long, until they are long enough
        step = min(width, window - width)
        least = np.minimum(least[:-step], least[step:])
        width += step
    return np.unique(least)


def shared_count(left: Hashes, right: Hashes) -> int:
    """How many hashes two sorted, distinct arrays have in common."""
    small, large = (left, right) if len(left) <= len(right) else (right, left)
    if not len(small):
        return 0
    places = np.searchsorted(large, small)
    places[places == len(large)] = len(large) - 1
    return int(np.count_nonzero(large[places] == small))


class Passage(msgspec.Struct, frozen=True):
    """A run of words that stands in both texts; `text` as the first text has it."""

    text: str
    words: int


def shared_passages(text_a: str, text_b: str, limit: int, min_words: int = 5) -> tuple[Passage, ...]:
    """The longest runs of words that both texts have, longest first, at most `limit`.

    For explanations. Runs are found from left to right, each as long as it can be, and do not overlap in
    `text_a`. The time is linear in the texts whatever they hold (a shingle that `text_b` repeats is tried
    at its first eight places).
    """
    a, spans = _words_with_spans(text_a)
    b, _ = _words_with_spans(text_b)
    found: dict[tuple[str, ...], Passage] = {}
    for start, length in _shared_runs(a, b):
        if length >= min_words:
            text = text_a[spans[start][0] : spans[start + length - 1][1]]
            found.setdefault(tuple(a[start : start + length]), Passage(text=text, words=length))
    return tuple(sorted(found.values(), key=lambda passage: -passage.words)[:limit])


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold()


def _split(text: str) -> tuple[list[bytes], bool]:
    """The folded words as UTF-8, and whether characters of a script without spaces are among them.

    Bytes, because splitting them after a table look-up is five times faster than a regular expression.
    """
    folded = _folded(text)
    has_unspaced = False
    if not folded.isascii():
        folded = _FOREIGN_BREAK.sub(" ", folded)
        has_unspaced = bool(_UNSPACED.search(folded))
        if has_unspaced:
            folded = _UNSPACED.sub(r" \g<0> ", folded)
    return folded.encode("utf-8", "replace").translate(_ASCII_BREAKS).split(), has_unspaced


def _mixed(left: Hashes, right: Hashes) -> Hashes:
    """A hash of two columns of hashes that depends on their order; wraps around at 2^64 on purpose."""
    value = (left * _ODD_1) ^ right
    value ^= value >> _HALF
    value *= _ODD_2
    value ^= value >> _HALF
    value *= _ODD_3
    value ^= value >> _HALF
    return value


def _widened(shingles: Hashes, hashes: Hashes, raw: list[bytes]) -> Hashes:
    """Lets the shingles that begin with a character of a script without spaces run over five characters."""
    unspaced = [bool(_UNSPACED.match(word.decode())) for word in raw[: len(shingles)]]
    wide_count = len(hashes) - SHINGLE_CHARACTERS + 1
    if wide_count < 1:
        return shingles[:1]
    wide = shingles[:wide_count]
    for step in range(SHINGLE_WORDS, SHINGLE_CHARACTERS):
        wide = _mixed(wide, hashes[step : wide_count + step])
    # What begins too near the end for five characters is inside the last wide shingle already.
    narrow = ~np.array(unspaced)
    kept_tail = shingles[wide_count:][narrow[wide_count:]]
    return np.concatenate([np.where(narrow[:wide_count], shingles[:wide_count], wide), kept_tail])


def _words_with_spans(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    found: list[str] = []
    spans: list[tuple[int, int]] = []
    for match in _plain_words(text):
        found.append(_folded(match.group()))
        spans.append(match.span())
        if len(found) == _PASSAGE_WORDS:
            break
    return found, spans


# In the unfolded text an unspaced character must end a word by itself: nothing has put spaces around it.
_PLAIN_WORD = re.compile(f"[{_UNSPACED_RANGES}]|(?:(?![{_UNSPACED_RANGES}])[^\\W_]|[{_MARKS}])+")


def _plain_words(text: str) -> Iterator[re.Match[str]]:
    return _PLAIN_WORD.finditer(text)


def _shared_runs(a: list[str], b: list[str]) -> Iterator[tuple[int, int]]:
    """(start in a, length) of runs that both have, from left to right."""
    places: dict[tuple[str, ...], list[int]] = {}
    for at in range(len(b) - SHINGLE_WORDS + 1):
        known = places.setdefault(tuple(b[at : at + SHINGLE_WORDS]), [])
        if len(known) < _SEED_PLACES:
            known.append(at)
    start = 0
    while start < len(a) - SHINGLE_WORDS + 1:
        seeds = places.get(tuple(a[start : start + SHINGLE_WORDS]), ())
        length = max((_run_length(a, start, b, seed) for seed in seeds), default=0)
        if length:
            yield start, length
        start += max(length, 1)


def _run_length(a: list[str], start_a: int, b: list[str], start_b: int) -> int:
    length = 0
    end = min(len(a) - start_a, len(b) - start_b)
    while length < end and a[start_a + length] == b[start_b + length]:
        length += 1
    return length
