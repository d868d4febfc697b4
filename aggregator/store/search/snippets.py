"""Snippets: the words around the matches of a search.

The databases' own functions (`snippet`, `ts_headline`) are not used, because they split a text into words by their own
rules, and would find neither words of scripts without spaces nor folded Arabic words. Besides, the index of SQLite
contains no texts.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from aggregator.extract.language.search_tokens import WORD, is_unspaced, search_words
from aggregator.model.read_model import Mark
from aggregator.store.search.query import Phrase

_WORDS_SHOWN = 40
_WORDS_BEFORE = 12
_CHARS_SHOWN = 600
_CHARS_SCANNED = 200 * 1024  # the beginning of a text


class _Match(NamedTuple):
    """The numbers of a phrase, of its first word in a text, and of the word after it."""

    first: int
    after: int
    phrase: int


def snippet(text: str, phrases: Sequence[Phrase]) -> tuple[str, tuple[Mark, ...]]:
    """Return about 40 words of `text` that contain most of `phrases`, and the ranges of the matches in them.

    Ranges are half-open, in code points. In scripts without spaces each character counts as a word.
    """
    spans = _word_spans(text)
    if not spans:
        return "", ()
    matches = sorted(_matches([_fold(text[a:b]) for a, b in spans], phrases))
    richest = _richest_word(matches)

    # Show some words before the place with most phrases, or fewer if they are long, so that the place is not cut off.
    shown = spans[max(0, richest - _WORDS_BEFORE) :][:_WORDS_SHOWN]
    start = max(shown[0][0], spans[richest][0] - _CHARS_SHOWN // 2)
    # The first word keeps the signs before it, and the last word the signs after it.
    if start == spans[0][0]:
        start = 0
    end = len(text) if shown[-1] == spans[-1] else shown[-1][1]
    end = min(end, start + _CHARS_SHOWN)
    before = "… " if start else ""
    after = " …" if end < len(text) else ""

    # Mark the matches that are shown whole; those that touch or overlap become one mark.
    shift = len(before) - start
    marks: list[Mark] = []
    for match in matches:
        begin, last = spans[match.first][0], spans[match.after - 1][1]
        if begin < start or last > end:
            continue
        mark = Mark(begin + shift, last + shift)
        if marks and marks[-1].end >= mark.start:
            former = marks.pop()
            mark = Mark(former.start, max(former.end, mark.end))
        marks.append(mark)
    return before + text[start:end].replace("\n", " ") + after, tuple(marks)


def _word_spans(text: str) -> list[tuple[int, int]]:
    """Return where the words of a text begin and end."""
    spans = []
    for word in WORD.finditer(text, 0, _CHARS_SCANNED):
        begin, end = word.span()
        if is_unspaced(word[0]):
            spans += [(at, at + 1) for at in range(begin, end)]
        else:
            spans.append((begin, end))
    return spans


def _richest_word(matches: Sequence[_Match]) -> int:
    """Return the number of the word where the passage with the most different phrases begins; 0 without matches."""
    richest = most = 0
    for at, match in enumerate(matches):
        near = set()
        for other in matches[at : at + _WORDS_SHOWN]:
            if other.after - match.first <= _WORDS_SHOWN - _WORDS_BEFORE:
                near.add(other.phrase)
        if len(near) > most:
            richest, most = match.first, len(near)
    return richest


def _matches(words: Sequence[str], phrases: Sequence[Phrase]) -> Iterator[_Match]:
    """Yield where the phrases stand among the folded words of a text."""
    where = defaultdict(list)
    for at, word in enumerate(words):
        where[word].append(at)
    for number, phrase in enumerate(dict.fromkeys(phrases)):
        parts: list[str] = []
        for word in phrase.words:
            parts += word if is_unspaced(word) else [word]
        *before, last = parts
        ends = [last]
        if phrase.prefix:
            ends = [word for word in where if word.startswith(last)]
        for end in ends:
            for at in where.get(end, ()):
                first = at - len(before)
                if first >= 0 and words[first:at] == before:
                    yield _Match(first, at + 1, number)


@lru_cache(maxsize=65536)
def _fold(word: str) -> str:
    return " ".join(search_words(word))
