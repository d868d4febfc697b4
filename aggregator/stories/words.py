"""Tokens of a text, each with a head that all forms and synonyms of a word share."""

from functools import cache, lru_cache

import msgspec

from aggregator.stories.lexicon import ignored_words, lexicon
from aggregator.text.numbers import plain_number, spelt_numbers
from aggregator.text.stems import stem_of
from aggregator.text.tokens import parts


class WordToken(msgspec.Struct, frozen=True, gc=False):
    """A word in its sentence. `head` is empty for function words and verbs of speech."""

    lower: str
    head: str
    capital: bool
    start: int
    end: int


@lru_cache(maxsize=1024)  # a sentence is read for its similarity and for its outcome
def tokens(text: str, language: str | None = None) -> tuple[WordToken, ...]:
    """Return the tokens of `text`; text without spaces (Chinese, Thai) becomes pairs of characters."""
    of = language or "en"
    found = [WordToken(*_forms(word, of, pair), start, end) for word, start, end, pair in parts(text, of)]
    return tuple(found)


@lru_cache(maxsize=16384)
def _forms(word: str, language: str, is_pair: bool) -> tuple[str, str, bool]:
    """Return a word in lower case without "'s", its head, and whether it is capitalized."""
    if is_pair:
        return word, word, False
    lower = word.lower()
    if lower.endswith(("'s", "’s")):
        lower = lower[:-2]
    return lower, head_of(lower, language), word[0].isupper()


def heads(text: str, language: str | None = None) -> dict[str, None]:
    """Return the heads of `text` in order, each once."""
    return dict.fromkeys([token.head for token in tokens(text, language) if token.head])


def dice(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the similarity of two sets of words, from 0 to 1."""
    return 2 * len(one & other) / max(1, len(one) + len(other))


@lru_cache(maxsize=16384)
def head_of(word: str, language: str) -> str:
    """Return the head of `word` (lower case): a number, the head of its synonym group, or its stem."""
    if word[0].isdigit():
        return plain_number(word, language)
    number = spelt_numbers(language).get(word, 0)
    if number > 1:
        return str(number)
    ignored = ignored_words(language)
    if word in ignored or (not ignored and len(word) <= 3):
        return ""  # in a language without lists, short words count as function words
    stemmed = stem_of(word, language)
    return _synonym_heads().get(stemmed, stemmed) if language == "en" else stemmed


@cache
def _synonym_heads() -> dict[str, str]:
    heads: dict[str, str] = {}
    for group in lexicon()["synonyms"]:
        stems = [stem_of(word, "en") for word in group.split()]
        for each in stems:
            heads.setdefault(each, heads.get(stems[0], stems[0]))
    return heads
