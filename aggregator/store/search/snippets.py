"""Snippets: the words around the matches of a search."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
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
    start, end = _range_shown(spans, _richest(places))
    if start == spans[0][0]:
        start = 0
    if end == spans[-1][1]:
        end = len(text)
    end = min(end, start + _CHARS_SHOWN)
    before = ""
    after = ""
    if start:
        before = "… "
    if end < len(text):
        after = " …"
    shown = before + text[start:end].replace("\n", " ") + after
    shift = len(before) - start
    marks: list[Mark] = []
    for word_start, word_end in _matches(spans, places):
        if word_start < start or word_end > end:
            continue
        first = word_start + shift
        if marks and marks[-1][1] >= first:  # characters of one run
            first = marks.pop()[0]
        marks.append(Mark(first, word_end + shift))
    return shown, tuple(marks)


def _range_shown(spans: Sequence[tuple[int, int]], middle: int) -> tuple[int, int]:
    """Return where the words around a match begin and end."""
    chosen = spans[max(0, middle - _WORDS_BEFORE) :][:_WORDS_SHOWN]
    while len(chosen) > 1 and spans[middle][0] - chosen[0][0] > _CHARS_SHOWN // 2:
        chosen = chosen[1:]  # very long words before the match
    return chosen[0][0], chosen[-1][1]


def _matches(
    spans: Sequence[tuple[int, int]], places: Iterable[_Place]
) -> Iterator[tuple[int, int]]:
    """Yield the spans of the words that match, in order."""
    words: set[int] = set()
    for place in places:
        words.update(range(place.first, place.first + place.words))
    for word in sorted(words):
        yield spans[word]


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
    where = defaultdict(list)
    for at, word in enumerate(words):
        where[word].append(at)
    places = []
    for number, phrase in enumerate(dict.fromkeys(phrases)):
        parts: list[str] = []
        for word in phrase.words:
            parts += word if is_unspaced(word) else [word]
        *before, last = parts
        ends = [last]
        if phrase.prefix and not is_unspaced(last):
            ends = [word for word in where if word.startswith(last)]
        for end in ends:
            for at in where.get(end, ()):
                first = at - len(before)
                if first >= 0 and words[first:at] == before:
                    places.append(_Place(first, len(before) + 1, number))
    return sorted(places)


def _richest(places: Sequence[_Place]) -> int:
    """Return the first word of the passage with the most different phrases; 0 without matches."""
    firsts = [place.first for place in places]
    richest = most = 0
    for at, first in enumerate(firsts):
        end = bisect_left(firsts, first + _WORDS_SHOWN - _WORDS_BEFORE)
        phrases = {place.phrase for place in places[at:end]}
        if len(phrases) > most:
            richest = first
            most = len(phrases)
    return richest
