"""The whole words of a title and a text, read once: kind, style and terms are computed from them.

A word is represented by its number in the lexicon of its language. A value of a word (a hash, a document frequency) is
computed once, stored in a column of the lexicon, and looked up for all words of a text at once.
"""

from collections.abc import Callable
from threading import Lock
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from aggregator.text.language import primary_tag
from aggregator.text.tokens import word_tokens

Ints = npt.NDArray[np.int64]

LONGEST_WORD = 64  # characters; a longer token is hardly a word, and is cut
# A lexicon with more words (about 6 MB) is replaced
_KEPT_WORDS = 50_000
# If there are this many lexicons, all are dropped before a new one is added
_LANGUAGES_KEPT = 64
# A new column has room for this many words
_COLUMN = 65_536


class Lexicon:
    """The words of one language as they were written, in the order of their first occurrence."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.words: list[str] = []
        self._numbers = _Numbers(self.words)

    def numbers(self, words: list[str]) -> Ints:
        """Return the number of each word."""
        return np.fromiter(
            map(self._numbers.__getitem__, words), dtype=np.int64, count=len(words)
        )


class _Numbers(dict[str, int]):
    def __init__(self, words: list[str]) -> None:
        super().__init__()
        self._words = words
        self._lock = Lock()

    def __missing__(self, word: str) -> int:
        if len(word) > LONGEST_WORD:
            return self[word[:LONGEST_WORD]]
        with self._lock:  # texts may be read in several threads
            number = self.setdefault(word, len(self._words))
            if number == len(self._words):
                self._words.append(word)
            return number


class Column:
    """The values of a function by word, computed when they are first needed.

    0 means not computed, so a value of 0 is computed again each time.
    """

    def __init__(self, value: Callable[[str], int]) -> None:
        self._value = value
        self._columns: WeakKeyDictionary[Lexicon, Ints] = WeakKeyDictionary()

    def of(self, lexicon: Lexicon, numbers: Ints) -> Ints:
        """Return the value of each word by its number."""
        column = self._columns.get(lexicon)
        if column is None or len(column) < len(lexicon.words):
            column = np.zeros(max(_COLUMN, 2 * len(lexicon.words)), np.int64)
            self._columns[lexicon] = column
        values = column[numbers]
        for place in (values == 0).nonzero()[0].tolist():
            number = numbers[place]
            values[place] = column[number] = self._value(lexicon.words[number])
        return values


class Reading(NamedTuple):
    """The words of one article: first the words of its title (`title_words`), then the words of its text."""

    # The lexicon of the article's language
    lexicon: Lexicon
    words: list[str]
    numbers: Ints
    title_words: int  # how many there are


def read(title: str, text: str, language: str | None) -> Reading:
    """Return the words of an article, with at most MAX_WORDS words of its text."""
    tag = primary_tag(language) or "und"
    title_words = word_tokens(title, tag)
    words = title_words + word_tokens(text, tag)
    lexicon = lexicon_of(tag)
    return Reading(lexicon, words, lexicon.numbers(words), len(title_words))


def lexicon_of(language: str) -> Lexicon:
    """Return the lexicon of a language, or a new lexicon if there is none or it is full."""
    lexicon = _lexicons.get(language)
    if lexicon is None or len(lexicon.words) > _KEPT_WORDS:
        if len(_lexicons) >= _LANGUAGES_KEPT:
            _lexicons.clear()
        lexicon = _lexicons[language] = Lexicon(language)
    return lexicon


_lexicons: dict[str, Lexicon] = {}
