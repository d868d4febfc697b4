"""Features of two articles: what they share, and what one lacks of the other.

Features are computed from integers that do not depend on the order of terms or reports, so that they are
equal on all machines. Those of local scaling are in neighbours.py.

An array of the words has one place for each different word (hash) of the article that is compared. Of an
array over several articles, the article is the first row, and the reports are the others.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from aggregator.cluster.events.pair_article import (
    HASHES,
    LEAD,
    NAMES,
    NUMBERS,
    SCALED,
    TEXT,
    TITLE,
    TITLE_IDF,
    Floats,
    PairArticle,
)
from aggregator.cluster.events.stream import IDF_UNITS, StreamSnapshot, Units
from aggregator.cluster.events.term_codec import DOT_SCALE, FIELD_COUNT, FIELDS, HASH_BITS, Ints, Words
from aggregator.cluster.events.title_frames import compare_titles
from aggregator.cluster.events.weights import MINUTES_A_DAY

# Features by the name under which `explain` shows what they add. The first of a group is shown as its value.
GROUPS: Final = {
    "texts": ("stream_cosine", "all", "rare", "rare_shared", "text_rarest"),
    "titles": (
        "title_cosine", "title", "title_shared", "title_mass", "title_rarest", "title_in_lead_min",
        "title_in_lead_max", "title_missing_min", "title_missing_max",
    ),
    "leads": (
        "lead_cosine", "lead", "lead_shared", "lead_mass", "lead_rarest", "lead_missing_min",
        "lead_missing_max",
    ),
    "names": ("names", "names_shared", "names_missing_min", "names_missing_max"),
    "numbers": ("numu", "num", "numbers_apart"),
    "title frame": (
        "titles_in_order", "titles_moved", "titles_loose_min", "titles_loose_max", "numbers_swapped",
        "names_swapped", "words_swapped",
    ),
    "days": ("days",),
    "lengths": ("shorter_words", "longer_words", "shorter_title"),
    "outlet and kind": ("same_outlet", "opinions"),
    "neighbours": tuple(
        f"{name}_{part}"
        for name in SCALED
        for part in ("above", "own_near", "other_near", "own_rank", "other_rank")
    ),
}  # fmt: skip
FEATURES: Final = tuple(name for names in GROUPS.values() for name in names)
AT: Final = {name: place for place, name in enumerate(FEATURES)}
# In units of 1/IDF_UNITS: words that are rare in the stream; what counts of a word of leads.
_RARE_IDF: Final = round(4.2 * IDF_UNITS)
_LEAD_IDF: Final = round(3.0 * IDF_UNITS)
_RAREST_OF_TEXT: Final = 3  # shared words

Columns = dict[str, npt.NDArray[Any]]  # features by name: a value per report


class _Pairs(NamedTuple):
    """An article beside reports."""

    articles: Sequence[PairArticle]  # the article, then the reports
    words: Words  # the different words of the article: hashes
    weights: Floats  # by field, article and word; 0 where the article has no such term
    has: Floats  # 1 where there is one

    def sums(self, field: int, values: npt.NDArray[Any]) -> Floats:
        """Return the sum of the values of each article; `values`: of all terms of the field, in order."""
        owners = np.arange(len(self.articles)).repeat(self.sizes(field))
        sums = np.bincount(owners, weights=values, minlength=len(self.articles))
        return np.asarray(sums, dtype=np.float64)

    def sizes(self, field: int) -> Ints:
        """Return how many terms of a field each article has."""
        return np.array([len(article.parts[field]) for article in self.articles])

    def terms(self, field: int) -> Words:
        """Return the hashes of a field of all articles, one after the other."""
        return np.concatenate([article.parts[field] for article in self.articles])


def text_cosines(article: PairArticle, reports: Sequence[PairArticle]) -> Floats:
    """Return the feature "all" of the article with each report (at least one): the cosine of the texts."""
    own_weights = np.zeros(HASHES, np.uint16)  # by hash; none is above SCALE
    own_weights[article.parts[TEXT]] = article.text_weights
    dots = [own_weights[report.parts[TEXT]] @ report.text_weights for report in reports]
    return np.array(dots, dtype=np.float64) / DOT_SCALE


def pair_features(article: PairArticle, reports: Sequence[PairArticle], snapshot: StreamSnapshot) -> Floats:
    """Return the features of the article with each report (at least one): a row per report, columns FEATURES.

    Features of local scaling are 0: see `add_neighbours`.
    """
    pairs = _paired([article, *reports])
    columns = {
        **_text_features(pairs, snapshot),
        **_part_features(pairs, "title", snapshot.idf, TITLE_IDF),
        **_part_features(pairs, "lead", snapshot.lead_idf, _LEAD_IDF),
        **_title_in_lead(pairs),
        **_name_features(pairs, snapshot.idf),
        **_title_frames(article, reports),
        **_differences(pairs),
    }
    features = np.zeros((len(reports), len(FEATURES)))
    for name, column in columns.items():
        features[:, AT[name]] = column
    return features


def _paired(articles: Sequence[PairArticle]) -> _Pairs:
    words = np.unique(articles[0].hashes)
    place_of = np.full(HASHES, -1, np.int32)  # a table by hash: most words of the reports are none of these
    place_of[words] = np.arange(len(words))
    places = place_of[np.concatenate([article.hashes for article in articles])]
    known = np.flatnonzero(places >= 0)
    fields = np.concatenate([article.ids for article in articles])[known] >> HASH_BITS
    owners = np.arange(len(articles)).repeat([len(article.ids) for article in articles])[known]
    weights = np.zeros((FIELD_COUNT, len(articles), len(words)))
    weights[fields, owners, places[known]] = np.concatenate([article.weights for article in articles])[known]
    return _Pairs(articles, words, weights, (weights > 0).astype(np.float64))


def _text_features(pairs: _Pairs, snapshot: StreamSnapshot) -> Columns:
    """Return the cosine of each field, and what whole texts share.

    stream_cosine: of the texts, if words have the idf of the snapshot instead of that of the background
    rare_shared: number of shared words above _RARE_IDF
    text_rarest: sum of the idf of the rarest shared words
    """
    own, theirs = pairs.weights[:, 0], pairs.weights[:, 1:]
    dots = (theirs @ own[:, :, None])[:, :, 0]
    stream_dots = theirs[TEXT] @ (own[TEXT] * snapshot.factor[pairs.words] ** 2)
    text_weights = np.concatenate([article.text_weights for article in pairs.articles])
    lengths = np.sqrt(pairs.sums(TEXT, (text_weights * snapshot.factor[pairs.terms(TEXT)]) ** 2))
    shared_idf = pairs.has[TEXT, 1:] * (pairs.has[TEXT, 0] * snapshot.idf[pairs.words])
    return {
        **dict(zip(FIELDS, dots / DOT_SCALE, strict=True)),
        "stream_cosine": stream_dots / np.maximum(lengths[0] * lengths[1:], 1.0),
        "rare_shared": (shared_idf > _RARE_IDF).sum(axis=1),
        "text_rarest": np.sort(shared_idf, axis=1)[:, -_RAREST_OF_TEXT:].sum(axis=1) / IDF_UNITS,
    }


def _part_features(pairs: _Pairs, name: str, idf: Units, least_idf: int) -> Columns:
    """Return what titles, or leads, share.

    shared: number of shared words
    mass: sum of their idf above `least_idf`
    rarest: the highest of their idf
    cosine: sum of idf^2 of the shared words / product of the lengths of both parts, sqrt(sum of idf^2)
    missing: share of a part's idf that is nowhere in text, title and lead of the other article
    """
    field = FIELDS.index(name)
    own, theirs = pairs.has[field, 0], pairs.has[field, 1:]
    anywhere = pairs.has[[TEXT, TITLE, LEAD]].max(axis=0)
    word_idf, part_idf = idf[pairs.words], idf[pairs.terms(field)]
    lengths = np.sqrt(pairs.sums(field, part_idf**2))
    found = theirs @ (anywhere[0] * word_idf), anywhere[1:] @ (own * word_idf)
    return {
        f"{name}_shared": theirs @ own,
        f"{name}_mass": theirs @ (own * np.maximum(word_idf - least_idf, 0)) / IDF_UNITS,
        f"{name}_rarest": (theirs * (own * word_idf)).max(axis=1, initial=0.0) / IDF_UNITS,
        f"{name}_cosine": theirs @ (own * word_idf**2) / np.maximum(lengths[0] * lengths[1:], 1.0),
        **_missing(name, pairs.sums(field, part_idf), *found),
    }


def _name_features(pairs: _Pairs, idf: Units) -> Columns:
    """Return the idf of the shared names, and the share of it that each article lacks of the other."""
    shared = pairs.has[NAMES, 1:] @ (pairs.has[NAMES, 0] * idf[pairs.words])
    masses = pairs.sums(NAMES, idf[pairs.terms(NAMES)])
    return {"names_shared": shared / IDF_UNITS, **_missing("names", masses, shared, shared)}


def _missing(name: str, masses: Floats, found_of_theirs: Floats, found_of_own: Floats) -> Columns:
    """Return the share of the idf of a part that the other article lacks.

    `masses`: the idf of the part of each article; `found_of_theirs`: of what the article has of a report's,
    `found_of_own`: of what the report has of the article's.
    """
    of_theirs = (masses[1:] - found_of_theirs) / np.maximum(masses[1:], 1.0)
    of_own = (masses[0] - found_of_own) / max(masses[0], 1.0)
    return _both_ways(f"{name}_missing", of_theirs, of_own)


def _title_in_lead(pairs: _Pairs) -> Columns:
    """Return the share of the words of one article's title that are in the lead of the other."""
    title_words = np.maximum(pairs.sizes(TITLE), 1)
    of_theirs = pairs.has[TITLE, 1:] @ pairs.has[LEAD, 0] / title_words[1:]
    of_own = pairs.has[LEAD, 1:] @ pairs.has[TITLE, 0] / title_words[0]
    return _both_ways("title_in_lead", of_theirs, of_own)


def _both_ways(name: str, of_theirs: Floats, of_own: Floats) -> Columns:
    """Return the smaller and the larger of both directions, so that features are symmetric."""
    return {f"{name}_min": np.minimum(of_theirs, of_own), f"{name}_max": np.maximum(of_theirs, of_own)}


def _title_frames(article: PairArticle, reports: Sequence[PairArticle]) -> Columns:
    """Return how the titles differ (title_frames.py), seen from the earlier article."""
    frames = []
    for report in reports:
        earlier, later = (report, article) if report.inbox < article.inbox else (article, report)
        frames.append(compare_titles(earlier.title_pieces, later.title_pieces))
    return dict(zip(GROUPS["title frame"], np.array(frames).T, strict=True))


def _differences(pairs: _Pairs) -> Columns:
    """Return how far apart two articles are in time, length, outlet, kind and numbers."""
    article, *reports = pairs.articles
    body_words = np.array([report.body_words for report in reports])
    title_words, numbers = pairs.sizes(TITLE), pairs.sizes(NUMBERS)
    shared_numbers = pairs.has[NUMBERS, 1:] @ pairs.has[NUMBERS, 0]
    is_same_outlet = [article.outlet is not None and article.outlet == report.outlet for report in reports]
    return {
        "days": np.array([days_apart(article.minutes, report.minutes) for report in reports]),
        "shorter_words": np.minimum(body_words, article.body_words),
        "longer_words": np.maximum(body_words, article.body_words),
        "shorter_title": np.minimum(title_words[1:], title_words[0]),
        "same_outlet": np.array(is_same_outlet),
        "opinions": np.array([article.is_opinion + report.is_opinion for report in reports]),
        # Of the article with fewer numbers, if none is shared.
        "numbers_apart": np.where(shared_numbers > 0, 0, np.minimum(numbers[1:], numbers[0])),
    }


def days_apart(minutes: int | None, other: int | None) -> float:
    """Return the days between two times in minutes; -1 if one is unknown."""
    if minutes is None or other is None:
        return -1.0
    return abs(minutes - other) / MINUTES_A_DAY
