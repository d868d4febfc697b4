"""A few words around what was searched for."""

import re

from aggregator.text.words import search_words

_WORDS_SHOWN = 40
_WORDS_BEFORE = 12
_CHARS_SCANNED = 200 * 1024
_TOKEN = re.compile(r"\S+")


def snippet(text: str, words: list[str]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """About 40 words of `text` around the first hit, and the ranges in them that hold `words`.

    Ranges are half-open and count code points. A text written without spaces is cut by characters.
    """
    wanted = set(words)
    tokens = [(match.start(), match.end()) for match in _TOKEN.finditer(text, 0, _CHARS_SCANNED)]
    hit = next((i for i, (a, b) in enumerate(tokens) if wanted & set(search_words(text[a:b]))), 0)
    chosen = tokens[max(0, hit - _WORDS_BEFORE) :][:_WORDS_SHOWN]
    if not chosen:
        return "", ()
    start, end = chosen[0][0], min(chosen[-1][1], chosen[0][0] + 600)
    shown = ("… " if start else "") + text[start:end] + (" …" if end < len(text) else "")
    shown = shown.replace("\n", " ")
    words_shown = re.finditer(r"\w+", shown)
    return shown, tuple(match.span() for match in words_shown if wanted & set(search_words(match[0])))
