"""Tokens of a text, each with a head that all forms and synonyms of a word share."""

import re
from functools import cache, lru_cache

import msgspec

from aggregator.stories.lexicon import ignored_words, lexicon, word_list, words_of
from aggregator.text.numbers import plain_number, spelt_numbers
from aggregator.text.stems import ELIDING, elided, stem_of

# Numbers with their separators, words with inner apostrophes; "20km" is two tokens, hyphens split.
TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*")
SPACELESS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")


class WordToken(msgspec.Struct, frozen=True, gc=False):
    """A word in its sentence. `head` is empty for function words and verbs of speech."""

    lower: str
    head: str
    start: int
    end: int
    capital: bool


@lru_cache(maxsize=1024)  # a sentence is read for its similarity and for its outcome
def tokens(text: str, language: str | None = None) -> tuple[WordToken, ...]:
    """Return the tokens of `text`; text without spaces (Chinese, Thai) becomes pairs of characters."""
    forms, of_language = _forms, language or "en"
    if language not in ELIDING and not SPACELESS.search(text):
        found = []
        for match in TOKEN.finditer(text):
            lower, head, capital = forms(match[0], of_language)
            start, end = match.span()
            found.append(WordToken(lower, head, start, end, capital))
        return tuple(found)
    result = []
    for match in TOKEN.finditer(text):
        word, start = match.group(), match.start()
        if SPACELESS.match(word) and len(word) > 2:
            result += [WordToken(word[i : i + 2], word[i : i + 2], start + i, start + i + 2, False)
                       for i in range(len(word) - 1)]  # fmt: skip
            continue
        skipped = elided(word, of_language)
        word, start = word[skipped:], start + skipped
        lower, head, capital = forms(word, of_language)
        result.append(WordToken(lower, head, start, match.end(), capital))
    return tuple(result)


@lru_cache(maxsize=16384)
def _forms(word: str, language: str) -> tuple[str, str, bool]:
    """Return a word in lower case without "'s", its head, and whether it is capitalized."""
    lower = word.lower()
    if lower.endswith(("'s", "’s")):
        lower = lower[:-2]
    return lower, head_of(lower, language), word[0].isupper()


def heads(text: str, language: str | None = None) -> dict[str, None]:
    """Return the heads of `text` in order, each once; twice as fast as `tokens`."""
    if SPACELESS.search(text) or language in ELIDING:
        return dict.fromkeys(token.head for token in tokens(text, language) if token.head)
    result = dict.fromkeys(
        head_of(word[:-2] if word.endswith(("'s", "’s")) else word, language or "en")
        for word in TOKEN.findall(text.lower())
    )
    result.pop("", None)
    return result


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
    for group in lexicon().synonyms:
        stems = [stem_of(word, "en") for word in group.split()]
        for each in stems:
            heads.setdefault(each, heads.get(stems[0], stems[0]))
    return heads


@cache
def generic_heads() -> frozenset[str]:
    """Return the heads of words that nearly every report has."""
    english = {head for word in words_of("generic") if (head := head_of(word, "en"))}
    return frozenset(english).union(
        head
        for language in ("de", "fr", "es")
        for word in word_list(language, "generic")
        if (head := head_of(word, language))
    )


def word_count(text: str) -> int:
    """Count words: separated by spaces, or two characters each in scripts without spaces."""
    return len(text.split()) + len(SPACELESS.findall(text)) // 2
