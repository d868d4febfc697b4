"""The vocabulary of a language: turns words into codes, and finds names and numbers.

text/reading.py finds words and numbers. The result for a word (stem, hash, document frequency) is cached in a
column of the language's lexicon, so each word is stemmed once.

Each word becomes one integer, a *code*: the hash, above it the document frequency, and on top a flag for
numbers; STOP_WORD for a stop word. So one `numpy.unique` counts the terms of an article and keeps the document
frequencies, from which their weights are computed.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import xxhash

from aggregator.text.calendar import forms
from aggregator.text.common_words import SHARES, UNLISTED_SHARE, listed_words
from aggregator.text.document_frequency import (
    ANY_LANGUAGE,
    BackgroundFrequencies,
    Kind,
)
from aggregator.text.language import stop_words
from aggregator.text.lines import fold_line, word_set
from aggregator.text.names import CASELESS, find_names
from aggregator.text.numbers import plain_number, spelt_numbers
from aggregator.text.reading import LONGEST_WORD, Column, Ints, Reading, lexicon_of
from aggregator.text.scripts import EVERYDAY, simplify_chinese
from aggregator.text.stems import elision_length, plain_letters, stem_of
from aggregator.text.tokens import word_tokens

# The size of a word's hash
HASH_BITS = 19
HASHES = 1 << HASH_BITS

HASH_MASK = HASHES - 1
STOP_WORD = -1
_DF_BITS = 24
DF_MASK = (1 << _DF_BITS) - 1
# Codes from here on are numbers ("72,000", "two")
NUMBER = 1 << HASH_BITS + _DF_BITS
# Marks of words (`Vocabulary.name_marks`)
NO_NAME = 1
MAYBE_NAME = 2
NAME = 3
# The cache keeps this many stems of words after numbers and in names
_STEMS_KEPT = 4_096

# The weights were trained with number words up to twelve
_LARGEST_SPELT = 12
# Languages that decline names and rarely share spellings with other languages, so that their names are stemmed
_DECLINING = word_set("ru uk be bg sr mk")
# An unlisted word counts by its first letters, because a stemmer leaves the cases and adjectives of a name apart:
# "Галеев" and "с Галеевым", "Marsala" and "nel Marsalese" (six letters join no more short reports than stems).
_ROOT_LETTERS = 5
# English words were counted by their stems. Germanic compounds share a beginning without being about one thing:
# "Erdbeben" and "Erdgas".
_WITHOUT_ROOTS = word_set("en und de nl sv da nb nn no")
# Scripts with capitals come before this letter; words of other scripts are not cut, because they do not mark cases by
# endings.
_FIRST_WITHOUT_CAPITALS = "\u0530"
_YEAR = re.compile(r"(?:19|20)\d\d")
_FIRST_HAN = "\u3400"


class Vocabulary:
    """The codes of the words of one language, computed on first use. Words are given as they occur in the text."""

    def __init__(self, language: str, background: BackgroundFrequencies) -> None:
        self.language = language
        self.declines_names = language in _DECLINING  # names have endings of cases
        self.stem = lru_cache(_STEMS_KEPT)(self._stem)
        self.root = lru_cache(_STEMS_KEPT)(self._root)
        self._column = Column(self.__getitem__)
        self._marks = Column(self._mark)
        self._days = forms("weekdays", language) | forms("months", language)
        self._stops = stop_words(language)
        self._spelt = spelt_numbers(language)
        self._background = background
        events = background.events.get(ANY_LANGUAGE, 0)
        self._df_of_share = {
            heading: round(share * events) for heading, share in SHARES.items()
        }
        self.named_df = self._df_of_share["named"]
        # A language that was not counted gets document frequencies from its lists of common words.
        is_listed = events > 0 and not background.events.get(language)
        self._df = background.table("w", language)
        if is_listed:
            # The stems of listed words have the frequency of the first list that has them.
            listed: dict[str, int] = {}
            for heading, words in listed_words(language).items():
                for word in words:
                    listed.setdefault(self.stem(word), self._df_of_share[heading])
            listed.pop("", None)
            self._df = listed
        self.knows_common = bool(self._df)  # if false, no word can be called rare
        # This is above 0 if only the lists of common words are known for the language.
        self.unlisted_df = (
            round(UNLISTED_SHARE * events) if is_listed and self.knows_common else 0
        )
        self.has_lists_only = self.unlisted_df > 0

    def __getitem__(self, token: str) -> int:
        stem = self._root(token)
        if not stem or (len(stem) == 1 and stem >= _FIRST_HAN):
            return STOP_WORD
        df = self._df.get(stem[:LONGEST_WORD])
        if df is None:
            if not self.has_lists_only:
                df = 0
            elif (
                len(stem) < 3 and (stem.isdigit() or len(stem) == 1)
            ) or _YEAR.fullmatch(stem):
                df = self._df_of_share["common"]
            elif stem.isdigit():
                df = 0
            elif (
                len(stem) == 2
                and self.language == "zh"
                and not EVERYDAY.isdisjoint(stem)
            ):
                df = self._df_of_share["topical"]
            else:
                df = self.unlisted_df
        code = df << HASH_BITS | term_hash("w", self.language, stem)
        return code if self.number(token) is None else NUMBER | code

    def codes_of(self, reading: Reading) -> Ints:
        """Return the code of each word of a reading in this language."""
        return self._column.of(reading.lexicon, reading.numbers)

    def name_marks(self, reading: Reading, count: int) -> Ints:
        """Return for each of the first words of a reading whether it is a NAME, a MAYBE_NAME or NO_NAME."""
        return self._marks.of(reading.lexicon, reading.numbers[:count])

    def _mark(self, token: str) -> int:
        """Return whether a word is part of a name: NAME, MAYBE_NAME or NO_NAME.

        A capitalised word may be part of a name. It is one, even at the start of a sentence, if it is listed as a name
        or the counted texts of its language do not have it. Days, months and words in other lists are not names. In a
        script without capitals, every other word may be part of a name.
        """
        word = token.removesuffix("'s").removesuffix("’s")
        # A document frequency shows the list of a word only if the language has lists alone.
        df = self[token] >> HASH_BITS & DF_MASK if self.has_lists_only else 0
        if self.has_lists_only and df not in (self.unlisted_df, self.named_df):
            return NO_NAME
        if self.language in CASELESS:
            return MAYBE_NAME
        if not word[:1].isupper() or word.lower() in self._days:
            return NO_NAME
        if self.has_lists_only:
            return NAME if df == self.named_df else MAYBE_NAME
        is_unknown = self.knows_common and not self.is_common(word)
        return NAME if is_unknown else MAYBE_NAME

    def content_codes(self, words: list[str]) -> set[int]:
        """Return the codes of these words, without stop words."""
        lexicon = lexicon_of(self.language)
        return set(self._column.of(lexicon, lexicon.numbers(words)).tolist()) - {
            STOP_WORD
        }

    def _stem(self, token: str) -> str:
        """Return the stem of `token`; "" for a stop word and for a single letter."""
        word = token[:LONGEST_WORD].lower().replace("’", "'").rstrip("'-")
        if not word.isascii():
            word = plain_letters(word, self.language)
        if word in self._stops:
            return ""
        if "'" in word:
            word = word[elision_length(word, self.language) :].removesuffix("'s")
        if word in self._stops or (len(word) < 2 and word < _FIRST_HAN):
            return ""
        if word[:1].isdigit():
            return plain_number(word, self.language)
        return stem_of(word, self.language)

    def _root(self, token: str) -> str:
        """Return the stem of `token`, or the first letters of an unlisted word; "" for a stop word.

        The first letters are followed by a hyphen, so that they differ from the stem of a listed word.
        """
        stem = self._stem(token)
        if (
            self.language in _WITHOUT_ROOTS
            or stem in self._df
            or not "a" <= stem[:1] < _FIRST_WITHOUT_CAPITALS
        ):
            return stem
        word = token[:LONGEST_WORD].lower().replace("’", "'")
        word = fold_line(word[elision_length(word, self.language) :])
        if len(word) < _ROOT_LETTERS:
            word = fold_line(stem)
        return f"{word[:_ROOT_LETTERS].rstrip()}-"

    def number(self, token: str) -> str | None:
        """Return the number that `token` means ("2" for "two", up to twelve); None for other words."""
        if token[0].isdigit():
            return plain_number(token, self.language)
        number = self._spelt.get(token.lower(), 0)
        return str(number) if 2 <= number <= _LARGEST_SPELT else None

    def codes(self, kind: Kind, terms: list[str]) -> Ints:
        """Return the codes of names, numbers or numbers with their unit, which belong to no language."""
        table = self._background.table(kind, ANY_LANGUAGE)
        codes = [
            table.get(term[:LONGEST_WORD], 0) << HASH_BITS
            | term_hash(kind, ANY_LANGUAGE, term)
            for term in terms
        ]
        return np.array(codes, dtype=np.int64)

    def names(self, text: str) -> list[str]:
        """Return the names in `text` in lower case, with repeats; days and months are not names.

        In a language that declines names, the words of names are stemmed.
        """
        written = map(str.lower, self.written_names(text))
        names = [name for name in written if name not in self._days]
        if self.declines_names:
            return [
                " ".join(self.root(word) or word for word in name.split())
                for name in names
            ]
        return names

    def written_names(self, text: str, *, are_linked: bool = False) -> list[str]:
        """Return the names in `text` as written; `are_linked`: with the names linked to them (text/names.py)."""
        if self.language == "zh":
            text = simplify_chinese(text)
        return find_names(text, self.language, self.is_common, are_linked=are_linked)

    def is_common(self, word: str) -> bool:
        """Return whether the counted texts of the language, or else its lists of common words, have the word."""
        return self.stem(word) in self._df

    def words_of_names(self, names: Iterable[str]) -> list[int]:
        """Return the hashes of the words in `names`, which are in the form that `names` returns."""
        joined = " ".join(dict.fromkeys(names))
        if self.declines_names:
            return [term_hash("w", self.language, stem) for stem in joined.split()]
        return [
            code & HASH_MASK
            for code in self.content_codes(word_tokens(joined, self.language))
        ]


def term_hash(kind: Kind, language: str, term: str) -> int:
    """Return the hash of a stem, name or number that packed terms have."""
    hashed: int = xxhash.xxh3_64_intdigest(
        f"{kind}:{language}:{term[:LONGEST_WORD]}".encode()
    )
    return hashed & HASH_MASK
