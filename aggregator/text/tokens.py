"""The words and numbers of a text, in order: whole words for terms, and their parts with offsets for sentences.

A whole word keeps its hyphens ("cease-fire", "3-year"), whereas a part ends at a hyphen. The weights of the terms were
trained on whole words; sentences and titles are compared by parts.
"""

import re

from aggregator.text.common_words import words_of_han
from aggregator.text.lines import UNSPACED, ascii_text, combining_marks
from aggregator.text.scripts import needs_splitting, simplify_chinese, split_words
from aggregator.text.stems import ELIDING, elision_length

# The rest of a longer text is not read (limit)
MAX_WORDS = 40_000

# A word, or a number with its separators; "12th" and "3-year" are words.
_WORD = re.compile(r"[^\W\d_][\w'’-]*|\d(?:[\d.,]*\d(?![\w-])|[\w'’-]*)")
# The same for text with only ASCII letters, in two thirds of the time
_ASCII_WORD = re.compile(
    r"[A-Za-z][A-Za-z0-9_'’-]*|[0-9](?:[0-9.,]*[0-9](?![A-Za-z0-9_-])|[A-Za-z0-9_'’-]*)"
)

# `re` does not count combining marks as letters
_MARKS = combining_marks(0x1900)
# A part of a word or number; "20km" has two.
PART = re.compile(rf"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+|[{_MARKS}]+[^\W\d_]*)*")
SPACELESS = re.compile(f"[\u3005{UNSPACED}]")
_RUN = re.compile(f"[\u3005{UNSPACED}]+|[^\u3005{UNSPACED}]+")
_BEFORE_DIGIT = re.compile(r"\b([وفبلك]|ال)(?=\d)")  # "و34": and 34


def word_tokens(text: str, language: str, limit: int = MAX_WORDS) -> list[str]:
    """Return whole words and numbers in order, at most `limit`."""
    # Words rarely have more than 12 characters, so this only limits the scan of a huge text.
    text = text[: limit * 12]
    if ascii_text(text) is not None:
        return _ASCII_WORD.findall(text)[:limit]
    if language == "ar":
        text = _BEFORE_DIGIT.sub(r"\1 ", text)
    if needs_splitting(text):
        if language == "zh":
            text = simplify_chinese(text)
        return split_words(
            text, is_japanese=language == "ja", known=words_of_han(language)
        )[:limit]
    return _WORD.findall(text)[:limit]


def parts(text: str, language: str) -> list[tuple[str, int, int, bool]]:
    """Return the parts of words, each with its start, its end, and whether it is a pair of characters.

    Elided words are left out. Characters of scripts without spaces are separated from others; three or more of them in
    a row become pairs of neighbours.
    """
    matches = PART.finditer(text)
    if language not in ELIDING and not SPACELESS.search(text):
        return [(match[0], *match.span(), False) for match in matches]
    tokens: list[tuple[str, int, int, bool]] = []
    for match in matches:
        for run in _RUN.finditer(text, *match.span()):
            start, end = run.span()
            if SPACELESS.match(run[0]) and len(run[0]) > 2:
                pairs = range(start, end - 1)
                tokens += [(text[at : at + 2], at, at + 2, True) for at in pairs]
            else:
                start += elision_length(run[0], language)
                tokens.append((text[start:end], start, end, False))
    return tokens
