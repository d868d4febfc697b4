"""Series: entries of one source that fill one form with something else, such as advisories and warnings.

Entries of a series share nearly all their words, but so do copies and later versions of a text. Two texts alone do
not show the difference, because a version may also replace the name of a person. So a form needs three entries of its
source, each with names that neither of the others has. Two entries are enough if each refers to something by its
number, such as a flaw or an application, because a version keeps its references. Entries of one form are not copies
of each other, and the words of the form never make them one event.

A slot is a short gap between words that two texts share. Only names fill a slot: words that the text never begins with
a small letter, except numbers, weekdays and months. A text that differs only in a number, such as the number of
victims, is a version. A bulletin, such as the level of a river, is the exception: it is published at the same time
on another day, and its numbers count like names.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import time, timedelta
from functools import lru_cache
from itertools import compress

from aggregator.extract.headline import are_other_releases
from aggregator.grouping.copies.copy_check import sequence_of, shingles_of
from aggregator.grouping.copies.shingles import (
    are_among,
    slots,
    words,
    words_in,
)
from aggregator.model.article import Article, ComparedText
from aggregator.store.engine.database import Connection
from aggregator.store.stories.article_rows import compared_articles
from aggregator.text.calendar import month_spellings, weekday_words

# Both texts have at least this share of their words in common; short entries of one form share .6 (chosen).
_FORM_SHARE = 0.5
# At least this share of a text's words are names in slots. If there are fewer, a name was corrected (chosen).
_NAME_SHARE = 0.01
# How many texts of one source are searched for a third entry (limit)
_TEXTS = 8
_SMALL_WORD = re.compile(r"\b[^\W\d_]+\b")
# LV-2026-2000, 26/0142, #1204
_REFERENCE = re.compile(r"\b[A-Z]{2,}-\d{2,}(?:-\d+)*\b|\b\d{2,}/\d{3,}\b|#\d{3,}\b")
_DAY = timedelta(days=1)
# A bulletin may be published this much before or after its usual time (chosen).
_LATE = timedelta(minutes=15)


def is_one_series(
    article: ComparedText, other: ComparedText, texts: Iterable[ComparedText]
) -> bool:
    """Return whether two texts fill one form with different names or numbers.

    If their references do not differ, a third text of `texts` must fill the form differently, too.
    """
    if not _fill_otherwise(article, other):
        return False
    references = _REFERENCE.findall(article.text)
    others = _REFERENCE.findall(other.text)
    if references and others and set(references).isdisjoint(others):
        return True
    return any(
        _fill_otherwise(article, third) and _fill_otherwise(other, third)
        for third in texts
    )


def _fill_otherwise(article: ComparedText, other: ComparedText) -> bool:
    """Return whether two texts of one source have other names, or numbers, in the slots of one form.

    The same outlet is not enough: any feed may claim an outlet, and could separate a text from its correction.
    """
    if article.source != other.source:
        return False
    # Bulletins are published on different days at the same time. Midnight is excluded, because it stands for a date
    # without a time.
    numbers_count = False
    if article.published is not None and other.published is not None:
        times = article.published.time(), other.published.time()
        apart = abs(article.published - other.published) + _LATE
        numbers_count = (
            time(0) not in times and apart >= _DAY and apart % _DAY <= 2 * _LATE
        )
    return _has_others(article.text, other.text, numbers_count) and _has_others(
        other.text, article.text, numbers_count
    )


# The result is cached, because an article is often compared with the same texts as the article before
@lru_cache(maxsize=16)
def _has_others(text: str, other: str, numbers_count: bool) -> bool:
    """Return whether two texts share a form and `text` has names in its slots that `other` lacks.

    With `numbers_count`, numbers are names.
    """
    in_order, fillings = _read(text)
    if numbers_count:
        fillings = fillings.union(word for word in in_order if word[0].isdigit())
    fillings = fillings.difference(_read(other)[0])
    # One boolean for each word of `text`: whether a run of words around it stands in the other text, too
    is_shared = words_in(
        are_among(sequence_of(text), shingles_of(other)), len(in_order)
    )
    if not fillings or is_shared.mean() < _FORM_SHARE:
        return False
    filled = sum(word in fillings for word in compress(in_order, slots(is_shared)))
    return filled >= _NAME_SHARE * len(in_order)


# The result is cached, because successive articles are often compared with the same texts
@lru_cache(maxsize=16)
def _read(text: str) -> tuple[list[str], frozenset[str]]:
    """Return the words of a text in order, and its names: words that never begin with a small letter.

    Numbers, weekdays and months are not names.
    """
    in_order = words(text)
    small = words(
        " ".join(word for word in _SMALL_WORD.findall(text) if word[0].islower())
    )
    names = {word for word in in_order if not word[0].isdigit()}
    return in_order, frozenset(
        names.difference(small, weekday_words(), month_spellings())
    )


def is_kept_apart(
    connection: Connection,
    article: Article | ComparedText,
    reports: Sequence[Article],
    others: Sequence[Article],
) -> bool:
    """Return whether an article and one of `reports` are of two releases, or two entries of one series.

    These never report one event. A third entry of the series is searched among `others`. An article that has no row
    yet is given with its text.
    """
    if any(are_other_releases(article.title, report.title) for report in reports):
        return True
    ids = [report.id for report in reports if report.source == article.source]
    if not ids:
        return False
    thirds = [other.id for other in others if other.source == article.source][:_TEXTS]
    texts = compared_articles.compared_texts(connection, {article.id, *ids, *thirds})
    if isinstance(article, ComparedText):
        texts[article.id] = article
    return any(
        is_one_series(texts[article.id], texts[id_], texts.values()) for id_ in ids
    )
