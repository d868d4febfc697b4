"""Denials and plain negations in a sentence, by the words of languages.yaml."""

import re
from functools import cache
from typing import NamedTuple

from aggregator.stories.lexicon import language_words


class Cues(NamedTuple):
    """The patterns of one language."""

    denial: re.Pattern[str]
    not_before: re.Pattern[str]
    negation: re.Pattern[str]


def denies(sentence: str, language: str | None = None) -> bool:
    """Whether the sentence reports a denial."""
    cues = cues_of(language)
    return any(
        not cues.not_before.search(sentence[: match.start()]) for match in cues.denial.finditer(sentence)
    )


def negations(sentence: str, language: str | None) -> list[int]:
    """Return the ends of plain negations: a negated sentence does not state the same as one that is not."""
    return [match.end() for match in cues_of(language).negation.finditer(sentence)]


@cache
def cues_of(language: str | None) -> Cues:
    """Return the patterns of a language; of several languages together where it has no words of its own."""
    words = language_words(language).denial
    denial = words.deny
    if words.reject:
        denial += rf"|{words.reject}\b(?=(?:\W+\w+){{0,6}}?\W+{words.objects}\b)"
        denial += rf"|{words.objects}\b(?:\W+\w+){{0,6}}?\W+{words.reject}"
    # Scripts without spaces have no word boundaries.
    is_spaced = not re.search(r"[\u3040-\u30ff\u3400-\u9fff]", denial)
    return Cues(
        re.compile(rf"\b(?:{denial})\b" if is_spaced else denial, re.IGNORECASE),
        re.compile(words.not_before, re.IGNORECASE),
        re.compile(words.negated, re.IGNORECASE),
    )
