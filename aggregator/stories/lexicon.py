"""The word lists of this package: lexicon.yaml, and languages.yaml with one section for each language."""

import re
from functools import cache

from aggregator.config.shipped import ShippedTable
from aggregator.text.language import stop_words

# A list is a text of words with spaces between them, or a list of phrases.
LEXICON = ShippedTable("aggregator.stories", "lexicon.yaml", dict[str, str | list[str]])
# The lists of each language; the file describes them.
LANGUAGES = ShippedTable(
    "aggregator.stories", "languages.yaml", dict[str, dict[str, str]]
)


@cache
def words_of(name: str) -> frozenset[str]:
    """Return the words or phrases of the list `name` in lexicon.yaml as a set."""
    words = LEXICON.content[name]
    return frozenset(words.split() if isinstance(words, str) else words)


@cache
def word_list(language: str | None, name: str) -> frozenset[str]:
    """Return the list `name` of a language (a primary tag; None for English) as a set, which may be empty."""
    return frozenset(LANGUAGES.content.get(language or "en", {}).get(name, "").split())


@cache
def ignored_words(language: str) -> frozenset[str]:
    """Return the function words and verbs of speech of a language, which are not compared."""
    stop = words_of("stop") if language == "en" else stop_words(language)
    return stop | word_list(language, "speech")


def subject_key(label: str) -> str:
    """Return the form of a name or topic for comparison and look-up."""
    return " ".join(label.casefold().split())


def is_correction(title: str, language: str | None) -> bool:
    """Return whether a title or text begins as a correction of an earlier one: "Correction: ..."."""
    # A mark follows the word or a bracket precedes it: "Correction officer charged" is not a correction.
    first = re.match(
        r"(?=\W*[(\[]|\W*[^\W\d_]+(?:\s\([^()]*\))?\s?[.:–—-])\W*([^\W\d_]+)", title
    )
    return first is not None and first[1].lower() in word_list(language, "corrections")
