"""Snippets: the words around the matches of a search."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from aggregator.extract.language.search_tokens import WORD, is_unspaced, search_words
from aggregator.model.read_model import Mark
from aggregator.store.search.query import Phrase

_WORDS_SHOWN = 40
_WORDS_BEFORE = 12
_CHARS_SHOWN = 600
_CHARS_SCANNED = 200 * 1024


class _Place(NamedTuple):
    """A match: its first word, its number of words, and the number of the phrase."""

    first: int
    words: int
    phrase: int


def snippet(text: str, phrases: Sequence[Phrase]) -> tuple[str, tuple[Mark, ...]]:
    """Return about 40 words of `text` that contain most of `phrases`, and the ranges of the matches in them.

    Ranges are half-open, in code points. In scripts without spaces each character counts as a word.
    """
    spans = list(_spans(text))
    if not spans:
        return "", ()
    places = _places([_folded(text[a:b]) for a, b in spans], phrases)
    middle = _richest(places)
    chosen = spans[max(0, middle - _WORDS_BEFORE) :][:_WORDS_SHOWN]
    while (
        len(chosen) > 1
        and places
        and spans[middle][0] - chosen[0][0] > _CHARS_SHOWN // 2
    ):
        chosen = chosen[1:]  # very long words before the match
    start = 0 if chosen[0] == spans[0] else chosen[0][0]
    end = min(
        len(text) if chosen[-1] == spans[-1] else chosen[-1][1], start + _CHARS_SHOWN
    )
    before = "… " if start else ""
    shown = (
        before + text[start:end].replace("\n", " ") + (" …" if end < len(text) else "")
    )
    shift = len(before) - start
    marks: list[Mark] = []
    for at in sorted(
        {at for place in places for at in range(place.first, place.first + place.words)}
    ):
        first, last = spans[at][0] + shift, spans[at][1] + shift
        if spans[at][0] < start or spans[at][1] > end:
            continue
        if marks and marks[-1][1] >= first:  # characters of one run
            first = marks.pop()[0]
        marks.append(Mark(first, last))
    return shown, tuple(marks)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    spaced = text.isascii()
    for word in WORD.finditer(text, 0, _CHARS_SCANNED):
        start, end = word.span()
        if not spaced and is_unspaced(word[0]):
            yield from ((at, at + 1) for at in range(start, end))
        else:
            yield start, end


@lru_cache(maxsize=65536)
def _folded(word: str) -> str:
    return " ".join(search_words(word))


def _places(words: Sequence[str], phrases: Sequence[Phrase]) -> list[_Place]:
    """Return the matches of the phrases, in order."""
    where: dict[str, list[int]] = {}
    for at, word in enumerate(words):
        where.setdefault(word, []).append(at)
    places = []
    for number, phrase in enumerate(dict.fromkeys(phrases)):
        parts = [
            part
            for word in phrase.words
            for part in (word if is_unspaced(word) else (word,))
        ]
        *before, last = parts
        ends = [last]
        if phrase.prefix and not is_unspaced(last):
            ends = [word for word in where if word.startswith(last)]
        places += [
            _Place(at - len(before), len(parts), number)
            for end in ends
            for at in where.get(end, ())
            if at >= len(before) and words[at - len(before) : at] == before
        ]
    return sorted(places)


def _richest(places: Sequence[_Place]) -> int:
    """Return the first word of the passage with the most different phrases; 0 without matches."""
    firsts = [place.first for place in places]
    ends = (
        bisect_left(firsts, first + _WORDS_SHOWN - _WORDS_BEFORE) for first in firsts
    )
    counts = [
        len({place.phrase for place in places[at:end]}) for at, end in enumerate(ends)
    ]
    return firsts[counts.index(max(counts))] if counts else 0
