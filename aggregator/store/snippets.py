"""A few words around what was searched for."""

from collections import Counter
from collections.abc import Sequence

from aggregator.text.words import WORD, search_words

_WORDS_SHOWN = 40
_WORDS_BEFORE = 12
_CHARS_SHOWN = 600
_CHARS_SCANNED = 200 * 1024


def snippet(
    text: str, words: Sequence[str], *, prefixes: Sequence[str] = ()
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """About 40 words of `text` where most of `words` stand together, and the ranges in them that are such.

    `words` and `prefixes` are as `search_words` gives them. Ranges are half-open and count code points. In
    scripts that write without spaces a character is a word.
    """
    wanted, beginnings = frozenset(words), tuple(prefixes)
    tokens = [match.span() for match in WORD.finditer(text, 0, _CHARS_SCANNED)]
    places = [i for i, span in enumerate(tokens) if _is_hit(text[slice(*span)], wanted, beginnings)]
    hits = [tokens[place] for place in places]
    if not tokens:
        return "", ()
    middle = _richest([(place, text[slice(*tokens[place])].casefold()) for place in places])
    chosen = tokens[max(0, middle - _WORDS_BEFORE) :][:_WORDS_SHOWN]
    while len(chosen) > 1 and hits and tokens[middle][0] - chosen[0][0] > _CHARS_SHOWN // 2:
        chosen = chosen[1:]  # enormous words before the hit
    start = 0 if chosen[0] == tokens[0] else chosen[0][0]
    end = min(len(text) if chosen[-1] == tokens[-1] else chosen[-1][1], start + _CHARS_SHOWN)
    before = "… " if start else ""
    shown = before + text[start:end].replace("\n", " ") + (" …" if end < len(text) else "")
    shift = len(before) - start
    return shown, tuple((a + shift, b + shift) for a, b in hits if start <= a and b <= end)


def _richest(hits: Sequence[tuple[int, str]]) -> int:
    """The first hit (place among the words, word) that most different ones follow closely; 0 without hits."""
    best, most, last = 0, 0, 0
    near: Counter[str] = Counter()
    for place, word in hits:
        while last < len(hits) and hits[last][0] < place + _WORDS_SHOWN - _WORDS_BEFORE:
            near[hits[last][1]] += 1
            last += 1
        if len(near) > most:
            best, most = place, len(near)
        near[word] -= 1
        if not near[word]:
            del near[word]
    return best


def _is_hit(token: str, wanted: frozenset[str], beginnings: tuple[str, ...]) -> bool:
    return any(word in wanted or word.startswith(beginnings) for word in search_words(token))
