"""Tokenizer: text to stems, names and numbers, with rules by language.

text/reading.py finds words and numbers. The result for a word (stem, hash, document frequency) is kept in a
column of the language's lexicon, so the stemmer sees each word once. Results do not depend on it.

Each token becomes one integer, a *code*: the hash, above it the document frequency, and on top a flag for
numbers; STOP_WORD for a stop word. So one `numpy.unique` counts the terms of an article together with the
input of their weights.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import xxhash

from aggregator.cluster.events.document_frequency import (
    ANY_LANGUAGE,
    BackgroundFrequencies,
    Kind,
)
from aggregator.cluster.events.term_codec import HASH_BITS
from aggregator.text.common_words import SHARES, UNLISTED_SHARE, listed_words
from aggregator.text.language import stop_words
from aggregator.text.names import find_names
from aggregator.text.numbers import plain_number, spelt_numbers
from aggregator.text.reading import LONGEST_WORD, Column, Ints, Reading, lexicon_of
from aggregator.text.scripts import EVERYDAY, simplified
from aggregator.text.stems import elided, plain_letters, stem_of
from aggregator.text.tokens import MAX_WORDS, word_tokens

HASH_MASK: Final = (1 << HASH_BITS) - 1
STOP_WORD: Final = -1
_DF_BITS: Final = 24
DF_MASK: Final = (1 << _DF_BITS) - 1
NUMBER: Final = 1 << HASH_BITS + _DF_BITS  # codes from here on are numbers ("72,000", "two")
_TERMS_KEPT: Final = 50_000  # of one kind, about 6 MB; all are dropped when there are more
_STEMS_KEPT: Final = 4_096  # of words after numbers and in names

_LARGEST_SPELT: Final = 12  # of the numbers in words that the weights were trained with
# Languages that decline names and rarely share spellings with other languages: their names are stemmed.
_DECLINING: Final = frozenset({"ru", "uk", "be", "bg", "sr", "mk"})
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_FIRST_HAN: Final = "\u3400"


class Vocabulary:
    """Codes by token for one language, computed on first use. Tokens are as they occur in the text."""

    def __init__(self, language: str, background: BackgroundFrequencies) -> None:
        self.language = language
        self.stem = lru_cache(_STEMS_KEPT)(self._stem)
        self._column = Column(self.__getitem__)
        self._stops = stop_words(language)
        self._spelt = spelt_numbers(language)
        self._background = background
        self._memo: dict[Kind, dict[str, int]] = {"n": {}, "d": {}, "u": {}}
        self._df, self.unlisted_df = self._frequencies()
        events = background.events.get(ANY_LANGUAGE, 0)
        self._everyday_df = round(SHARES["topical"] * events)
        self._common_df = round(SHARES["common"] * events)
        self.named_df = round(SHARES["named"] * events)

    @property
    def knows_common(self) -> bool:
        """Whether common words are known; otherwise none can be called rare."""
        return bool(self._df)

    @property
    def has_lists_only(self) -> bool:
        """Whether only the lists of common words are known of this language."""
        return self.unlisted_df > 0

    def _frequencies(self) -> tuple[Mapping[str, int], int]:
        """Return document frequencies by stem, and that of other stems: counted, or from the lists."""
        if self._background.knows(self.language):
            return self._background.table("w", self.language), 0
        events = self._background.events.get(ANY_LANGUAGE, 0)
        listed: dict[str, int] = {}
        for heading, heading_words in listed_words(self.language) if events else ():
            for word in heading_words:
                listed.setdefault(self.stem(word), round(SHARES[heading] * events))
        listed.pop("", None)
        return listed, round(UNLISTED_SHARE * events) if listed else 0

    def __getitem__(self, token: str) -> int:
        stem = self._stem(token)
        if not stem or (len(stem) == 1 and stem >= _FIRST_HAN):
            return STOP_WORD
        mark = NUMBER if self.number(token) is not None else 0
        df = self._df.get(stem[:LONGEST_WORD])
        return mark | _code("w", self.language, stem, self._usual_df(stem) if df is None else df)

    def codes_of(self, reading: Reading) -> Ints:
        """Return the code of each word of a reading in this language."""
        return self._column.of(reading.lexicon, reading.numbers)

    def content_codes(self, words: list[str]) -> set[int]:
        """Return the codes of words without stop words."""
        lexicon = lexicon_of(self.language)
        return set(self._column.of(lexicon, lexicon.numbers(words)).tolist()) - {STOP_WORD}

    def _stem(self, token: str) -> str:
        """Return the stem of `token`; "" for a stop word and for a single letter."""
        word = token[:LONGEST_WORD].lower().replace("’", "'").rstrip("'-")
        if not word.isascii():
            word = plain_letters(word, self.language)
        if word in self._stops:
            return ""
        if "'" in word:
            word = word[elided(word, self.language) :].removesuffix("'s")
        if word in self._stops or (len(word) < 2 and word < _FIRST_HAN):
            return ""
        if word[:1].isdigit():
            return plain_number(word, self.language)
        return stem_of(word, self.language)

    def number(self, token: str) -> str | None:
        """Return the number that `token` means ("2" for "two"), None for other words."""
        if token[0].isdigit():
            return plain_number(token, self.language)
        number = self._spelt.get(token.lower(), 0)
        return str(number) if 2 <= number <= _LARGEST_SPELT else None

    def tokens(self, text: str, limit: int = MAX_WORDS) -> list[str]:
        """Return words and numbers in order, at most `limit`."""
        return word_tokens(text, self.language, limit)

    def codes(self, kind: Kind, terms: Sequence[str]) -> list[int]:
        """Return the codes of names, numbers or numbers with their units, which belong to no language."""
        memo = self._memo[kind]
        if len(memo) >= _TERMS_KEPT:
            memo.clear()
        for term in terms:
            if term not in memo:
                df = self._background.table(kind, ANY_LANGUAGE).get(term[:LONGEST_WORD], 0)
                memo[term] = _code(kind, ANY_LANGUAGE, term, df)
        return [memo[term] for term in terms]

    def names(self, text: str) -> list[str]:
        """Return the names in `text` in lower case, with repeats."""
        names = [name.lower() for name in self.written_names(text)]
        if self.declines_names:
            return [" ".join(self.stem(word) or word for word in name.split()) for name in names]
        return names

    @property
    def declines_names(self) -> bool:
        """Whether names of the language have endings of cases."""
        return self.language in _DECLINING

    def written_names(self, text: str) -> list[str]:
        """Return the names in `text` as written, with repeats."""
        if self.language == "zh":
            text = simplified(text)
        return find_names(text, self.language, self.is_common)

    def linked_names(self, text: str) -> list[str]:
        """Return the names in `text` as written, with what is linked to them (text/names.py)."""
        if self.language == "zh":
            text = simplified(text)
        return find_names(text, self.language, self.is_common, are_linked=True)

    def is_common(self, word: str) -> bool:
        """Return whether texts of the background or the lists of common words have the word."""
        return self.stem(word) in self._df

    def words_of_names(self, names: Iterable[str]) -> list[int]:
        """Return the hashes of the words in `names`, which are in the form that `names` returns."""
        joined = " ".join(dict.fromkeys(names))
        if self.declines_names:
            return [_code("w", self.language, stem, 0) & HASH_MASK for stem in joined.split()]
        return [code & HASH_MASK for code in self.content_codes(self.tokens(joined))]

    def _usual_df(self, stem: str) -> int:
        """Return the document frequency assumed for an unlisted stem.

        Small numbers, years and single characters are as frequent as common words; pairs with an everyday
        character are as frequent as topical ones.
        """
        if not self.has_lists_only:
            return 0
        if (len(stem) < 3 and (stem.isdigit() or len(stem) == 1)) or _YEAR.fullmatch(stem):
            return self._common_df
        if stem.isdigit():
            return 0
        if len(stem) == 2 and self.language == "zh" and not EVERYDAY.isdisjoint(stem):
            return self._everyday_df
        return self.unlisted_df


def word_hash(language: str, stem: str) -> int:
    """Return the hash of a stem, which packed terms carry."""
    return _code("w", language, stem, 0)


def _code(kind: Kind, language: str, term: str, df: int) -> int:
    hashed: int = xxhash.xxh3_64_intdigest(f"{kind}:{language}:{term[:LONGEST_WORD]}".encode())
    return min(df, DF_MASK) << HASH_BITS | hashed & HASH_MASK
