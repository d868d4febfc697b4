"""Sentences for comparing versions: their words and names, and the similar sentences of another text."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from aggregator.extract.front_matter import without_dateline
from aggregator.model.article import ArticleView
from aggregator.text.calendar import number_of, weekday_words
from aggregator.text.numbers import in_digits
from aggregator.text.sentences import sentences_of
from aggregator.text.tokens import parts

# Only this much of a text is compared (limit: 200,000 characters take .4 s).
CHARS_READ = 20_000
# At most this many sentences of each text, which the other text lacks, are compared: 3,600 pairs (limit).
SENTENCES_COMPARED = 60
# Two sentences are alike if the Dice coefficient of their words is at least this (chosen on invented versions).
LEAST_ALIKE = 0.4
# Times of day: "9:30", "9h30", "9 p.m.", "9 Uhr", "9 o'clock"
_TIME = re.compile(
    r"\b\d{1,2}(?::\d{2}|h\d{2})(?!\d)|\b\d{1,2}(?:[.:]\d{2})?\s?(?:[ap]\.?m\b\.?|uhr\b|o['’]clock\b|heures?\b)",
    re.IGNORECASE,
)
_SPACED_THOUSANDS = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))")


class Sentence(NamedTuple):
    text: str
    # Words in lower case and numbers in digits, without datelines, times of day and weekdays
    words: tuple[str, ...]
    # Its capitalised words except the first word and months, in lower case and in order
    names: tuple[str, ...]


class TextVersion(NamedTuple):
    """A text with the details that a comparison needs."""

    title: str
    text: str
    language: str | None
    outlet: str | None


def version_of(article: ArticleView) -> TextVersion:
    """Return the text of an article for comparison; the lead if the text is not loaded."""
    return TextVersion(
        article.title,
        article.text or article.lead,
        article.language,
        article.outlet_key,
    )


class ReadText(NamedTuple):
    # The sentences by their words, in order
    sentences: dict[tuple[str, ...], Sentence]
    # The words of title and text
    words: frozenset[str]
    # The names of all sentences, except the words of the text's own outlet
    names: frozenset[str]
    title: tuple[str, ...]


# The cache helps because a text is compared with several others.
@lru_cache(maxsize=16)
def read_sentences(version: TextVersion) -> ReadText:
    language = version.language or "en"
    sentences: dict[tuple[str, ...], Sentence] = {}
    names: set[str] = set()
    outlet = (version.outlet or "").casefold()
    for paragraph in sentences_of(version.text[:CHARS_READ]):
        for text in paragraph:
            sentence = _sentence(text, language)
            named = tuple(name for name in sentence.names if name not in outlet)
            sentences.setdefault(sentence.words, sentence._replace(names=named))
            names.update(named)
    title = _sentence(version.title, language).words
    return ReadText(
        sentences, frozenset(title).union(*sentences), frozenset(names), title
    )


def _sentence(text: str, language: str) -> Sentence:
    plain = _SPACED_THOUSANDS.sub("", _TIME.sub(" ", without_dateline(text)))
    words = []
    names = []
    for place, (word, *_) in enumerate(parts(plain, language)):
        lower = word.lower().replace("’", "'").removesuffix("'s")
        if lower in weekday_words():
            continue
        words.append(lower)
        if place and word[0].isupper() and number_of("months", lower) is None:
            names.append(lower)
    return Sentence(text, tuple(in_digits(words, language)), tuple(names))


def alike_sentences(
    left: ReadText, right: ReadText
) -> Iterator[tuple[Sentence, Sentence, float]]:
    """Yield the sentences of the left text that the right text has in other words.

    Each is yielded with the most similar sentence of the right text, and their likeness from LEAST_ALIKE to 1.
    """
    lefts, rights = (
        [
            (sentence, Counter(words))
            for words, sentence in text.sentences.items()
            if words not in other.sentences
        ][:SENTENCES_COMPARED]
        for text, other in ((left, right), (right, left))
    )
    for sentence, words in lefts:
        likest = sentence
        most = 0.0
        for other, other_words in rights:
            shared = (words & other_words).total()
            likeness = 2 * shared / (len(sentence.words) + len(other.words))
            if likeness > most:
                likest = other
                most = likeness
        if most >= LEAST_ALIKE:
            yield sentence, likest, most
