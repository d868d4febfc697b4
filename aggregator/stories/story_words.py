"""Tokens of a text, each with a head that all forms and synonyms of its word share."""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from aggregator.stories.lexicon import LEXICON, ignored_words
from aggregator.text.numbers import plain_number, spelt_numbers
from aggregator.text.stems import stem_of
from aggregator.text.tokens import parts

# A weighty word occurs in at most this share of the events in the news (like `short_body_idf` of the tuning).
WEIGHTY_SHARE = 0.05


# The cache helps because a sentence is read more than once.
@lru_cache(maxsize=1024)
def tokens(text: str, language: str | None = None) -> tuple[tuple[str, str], ...]:
    """Return each word of a text in lower case and without "'s", with its head; the head of a function word is "".

    Text without spaces (Chinese, Thai) becomes pairs of characters, which are their own heads.
    """
    of = language or "en"
    words = []
    for word, _, _, is_pair in parts(text, of):
        lower = word.lower().removesuffix("'s").removesuffix("’s")
        words.append((lower, lower if is_pair else head_of(lower, of)))
    return tuple(words)


def heads(text: str, language: str | None = None) -> dict[str, None]:
    """Return the heads of the words in `text`, in order and each once, as the keys of a dictionary."""
    return dict.fromkeys([head for _, head in tokens(text, language) if head])


def weighty_heads(text: str, language: str | None) -> set[str]:
    """Return the heads that occur in few events of the news, without numbers."""
    from aggregator.text.document_frequency import shipped_background

    background = shipped_background()
    events = background.events.get(language or "en", 0)
    counts = background.table("w", language or "en")
    return {
        head
        for head in heads(text, language)
        if not head[0].isdigit() and counts.get(head, 0) <= WEIGHTY_SHARE * events
    }


def behind_last(words: Sequence[str], matches: Callable[[str], bool]) -> int:
    """Return the index after the last word that matches; 0 if no word matches."""
    for place in range(len(words), 0, -1):
        if matches(words[place - 1]):
            return place
    return 0


def dice(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the similarity of two sets of words, from 0 to 1."""
    return 2 * len(one & other) / max(1, len(one) + len(other))


@lru_cache(maxsize=16384)
def head_of(word: str, language: str) -> str:
    """Return the head of `word` (in lower case): a number, the head of its synonym group, or its stem.

    The head of a function word and of a verb of speech is "".
    """
    if word[0].isdigit():
        return plain_number(word, language)
    number = spelt_numbers(language).get(word, 0)
    if number > 1:
        return str(number)
    ignored = ignored_words(language)
    if word in ignored or (not ignored and len(word) <= 3):
        return ""  # short words count as function words in a language without lists
    stemmed = stem_of(word, language)
    return _synonym_heads().get(stemmed, stemmed) if language == "en" else stemmed


@cache
def _synonym_heads() -> dict[str, str]:
    heads: dict[str, str] = {}
    for group in LEXICON.content["synonyms"]:
        stems = [stem_of(word, "en") for word in group.split()]
        heads = dict.fromkeys(stems, heads.get(stems[0], stems[0])) | heads
    return heads
