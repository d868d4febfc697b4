"""Snippets: the words around the matches of a search."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from aggregator.extract.language.search_tokens import WORD, is_unspaced, search_words
from aggregator.store.search.query_syntax import Phrase

_WORDS_SHOWN = 40
_WORDS_BEFORE = 12
_CHARS_SHOWN = 600
_CHARS_SCANNED = 200 * 1024


class _Place(NamedTuple):
    """A match: its first word, its number of words, and the number of the phrase."""

    first: int
    words: int
    phrase: int


def snippet(text: str, phrases: Sequence[Phrase]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return about 40 words of `text` that contain most of `phrases`, and the ranges of the matches in them.

    Ranges are half-open, in code points. In scripts without spaces each character counts as a word.
    """
    spans = list(_spans(text))
    if not spans:
        return "", ()
    places = _places([_folded(text[a:b]) for a, b in spans], phrases)
    middle = _richest(places)
    chosen = spans[max(0, middle - _WORDS_BEFORE) :][:_WORDS_SHOWN]
    while len(chosen) > 1 and places and spans[middle][0] - chosen[0][0] > _CHARS_SHOWN // 2:
        chosen = chosen[1:]  # very long words before the match
    start = 0 if chosen[0] == spans[0] else chosen[0][0]
    end = min(len(text) if chosen[-1] == spans[-1] else chosen[-1][1], start + _CHARS_SHOWN)
    before = "… " if start else ""
    shown = before + text[start:end].replace("\n", " ") + (" …" if end < len(text) else "")
    shift = len(before) - start
    hits = sorted({at for place in places for at in range(place.first, place.first + place.words)})
    marks = [(a + shift, b + shift) for a, b in (spans[at] for at in hits) if start <= a and b <= end]
    return shown, _joined(marks)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    spaced = text.isascii()
    for match in WORD.finditer(text, 0, _CHARS_SCANNED):
        start, end = match.span()
        if not spaced and is_unspaced(match[0]):
            yield from ((at, at + 1) for at in range(start, end))
        else:
            yield start, end


@lru_cache(maxsize=65536)
def _folded(word: str) -> str:
    return " ".join(search_words(word))


def _places(words: Sequence[str], phrases: Sequence[Phrase]) -> list[_Place]:
    """Return the matches of the phrases, in order."""
    single: dict[str, int] = {}
    beginnings: list[tuple[str, int]] = []
    longer: dict[str, list[tuple[int, tuple[str, ...], bool]]] = {}
    for number, phrase in enumerate(dict.fromkeys(phrases)):
        parts = tuple(part for word in phrase.words for part in (word if is_unspaced(word) else (word,)))
        ends_in_prefix = phrase.prefix and not is_unspaced(parts[-1])
        if len(parts) > 1:
            longer.setdefault(parts[0], []).append((number, parts, ends_in_prefix))
        elif ends_in_prefix:
            beginnings.append((parts[0], number))
        else:
            single.setdefault(parts[0], number)
    found = []
    for at, word in enumerate(words):
        if word in single:
            found.append(_Place(at, 1, single[word]))
        found += [_Place(at, 1, number) for start, number in beginnings if word.startswith(start)]
        for number, parts, ends_in_prefix in longer.get(word, ()):
            if _matches(words, at, parts, ends_in_prefix=ends_in_prefix):
                found.append(_Place(at, len(parts), number))
    return found


def _matches(words: Sequence[str], at: int, parts: Sequence[str], *, ends_in_prefix: bool) -> bool:
    *before, last = words[at : at + len(parts)]
    if len(before) + 1 < len(parts) or before != list(parts[:-1]):
        return False
    return last.startswith(parts[-1]) if ends_in_prefix else last == parts[-1]


def _richest(places: Sequence[_Place]) -> int:
    """Return the first word of the passage with the most different phrases; 0 without matches."""
    best, most, last = 0, 0, 0
    near: Counter[int] = Counter()
    for place in places:
        while last < len(places) and places[last].first < place.first + _WORDS_SHOWN - _WORDS_BEFORE:
            near[places[last].phrase] += 1
            last += 1
        if len(near) > most:
            best, most = place.first, len(near)
        near[place.phrase] -= 1
        if not near[place.phrase]:
            del near[place.phrase]
    return best


def _joined(ranges: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Merge ranges that touch."""
    joined: list[tuple[int, int]] = []
    for start, end in ranges:
        if joined and joined[-1][1] >= start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)
