"""Features of two articles: the terms that they share, and the terms that only one of them has.

Features are computed from integers that do not depend on the order of terms or reports, so that they are
equal on all machines. The features of local scaling are in neighbours.py.
"""

from collections.abc import Sequence
from itertools import chain, product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aggregator.grouping.pairs.pair_article import (
    COUNTED,
    LEAD,
    NAMED,
    NAMES,
    SCALED,
    TEXT,
    TITLE,
    TITLE_IDF,
    Floats,
    PairArticle,
)
from aggregator.grouping.pairs.snapshot import IDF_UNITS, StreamSnapshot, Units
from aggregator.grouping.pairs.term_codec import (
    DOT_SCALE,
    FIELD_COUNT,
    FIELDS,
    HASH_BITS,
    HASHES,
    Hashes,
    Ints,
    hashes_of,
)
from aggregator.grouping.pairs.title_differences import compare_titles
from aggregator.grouping.pairs.weights import MINUTES_A_DAY
from aggregator.text.lines import word_list

# The features that local scaling adds for each similarity (`neighbours.add_neighbours`)
_SCALED_PARTS = ("above", "own_near", "other_near", "own_rank", "other_rank")
# The names of the features of each group
_NAMES = {
    "texts": "stream_cosine all rare rare_shared text_rarest",
    "titles": "title_cosine title title_shared title_mass title_rarest title_in_lead_min title_in_lead_max "
        "title_missing_min title_missing_max",
    "leads": "lead_cosine lead lead_shared lead_mass lead_rarest lead_missing_min lead_missing_max",
    "names": "names names_shared names_missing_min names_missing_max",
    "numbers": "numu num numbers_apart",
    "title frame": "titles_in_order titles_moved titles_loose_min titles_loose_max numbers_swapped names_swapped "
        "words_swapped",
    "days": "days",
    "lengths": "shorter_words longer_words shorter_title",
    "outlet and kind": "same_outlet opinions",
    "contrast": "title_apart_min title_apart_max named_apart_min named_apart_max named_shared named "
        "beside_shared beside_cosine beside_title counts_apart",
    "neighbours": " ".join(map("_".join, product(SCALED, _SCALED_PARTS))),
}  # fmt: skip
# `explain` shows the share of a group, and its first feature as its value.
GROUPS = {group: word_list(names) for group, names in _NAMES.items()}
FEATURES = tuple(chain.from_iterable(GROUPS.values()))
AT = {name: place for place, name in enumerate(FEATURES)}
# Words with an idf above this value are rare in the stream (units of 1/IDF_UNITS).
_RARE_IDF = round(4.2 * IDF_UNITS)
# Only the part of a word's idf above this value counts in leads (units of 1/IDF_UNITS).
_LEAD_IDF = round(3.0 * IDF_UNITS)
# How many of the rarest shared words of two texts `text_rarest` adds up
_RAREST_OF_TEXT = 3

Columns = dict[str, npt.NDArray[Any]]  # features by name: a value per report


class Pairs(NamedTuple):
    """The terms of an article and of the reports that it is compared with, as arrays.

    The axis of the words has one place for each different word (hash) of the article.
    """

    articles: Sequence[PairArticle]  # the article, then the reports
    # The hashes of the different words of the article
    words: Hashes
    # The weight by field, article and word; 0 where the article lacks the term
    weights: Floats
    # 1 where the article has the term, by field and word
    own: Floats
    # 1 where the report has the term, by field, report and word
    theirs: Floats

    def parts(self, field: int) -> list[Hashes]:
        """Return the hashes of a field of each article."""
        return [article.parts[field] for article in self.articles]


def pair_terms(articles: Sequence[PairArticle]) -> Pairs:
    """Return the terms of the first article and of the other articles, which are compared with it."""
    words = np.unique(hashes_of(articles[0].ids))
    terms = [article.ids for article in articles]
    ids = np.concatenate(terms)
    values = np.concatenate([article.weights for article in articles])
    # The place of each hash in `words`, from 1 on; 0, as for most hashes, if it is not there
    place_of = np.zeros(HASHES, np.uint16)
    place_of[words] = np.arange(1, len(words) + 1)
    places = place_of[hashes_of(ids)]
    known = np.flatnonzero(places)
    weights = np.zeros((FIELD_COUNT, len(articles), len(words)))
    weights[ids[known] >> HASH_BITS, _owners(terms)[known], places[known] - 1] = values[
        known
    ]
    has = np.sign(weights)
    return Pairs(articles, words, weights, has[:, 0], has[:, 1:])


def sum_parts(values: npt.NDArray[Any], parts: Sequence[Hashes]) -> Floats:
    """Return the sum of the values of each part; `values` has a value for each term, part after part."""
    return np.bincount(_owners(parts), values, len(parts)).astype(np.float64)


def _owners(parts: Sequence[Hashes]) -> Ints:
    """Return the place of its part for each term of all parts, part after part."""
    return np.arange(len(parts)).repeat([len(part) for part in parts])


def multiply_lengths(values: npt.NDArray[Any], parts: Sequence[Hashes]) -> Floats:
    """Return the product of the Euclidean lengths of the article's part and of each report's part, at least 1."""
    lengths = np.sqrt(sum_parts(np.square(values, dtype=np.float64), parts))
    products: Floats = np.maximum(lengths[0] * lengths[1:], 1.0)
    return products


def text_cosines(article: PairArticle, reports: Sequence[PairArticle]) -> Floats:
    """Return the feature "all" of the article with each report: the cosine of the whole texts."""
    # The weight of each hash; no weight is above SCALE
    own_weights = np.zeros(HASHES, np.uint16)
    own_weights[article.parts[TEXT]] = article.part_weights[TEXT]
    if not reports:
        return np.zeros(0)
    texts = [report.parts[TEXT] for report in reports]
    weights = np.concatenate([report.part_weights[TEXT] for report in reports])
    return sum_parts(own_weights[np.concatenate(texts)] * weights, texts) / DOT_SCALE


def pair_features(
    article: PairArticle, reports: Sequence[PairArticle], snapshot: StreamSnapshot
) -> Floats:
    """Return the features of the article with each report (at least one): a row per report, columns FEATURES.

    The features of local scaling are left 0; `add_neighbours` fills them.
    """
    pairs = pair_terms([article, *reports])
    dots = (pairs.weights[:, 1:] @ pairs.weights[:, 0, :, None])[:, :, 0]
    columns = {
        **dict(zip(FIELDS, dots / DOT_SCALE, strict=True)),  # the cosine of each field
        **_text_features(pairs, snapshot),
        **_part_features(pairs, "title", snapshot.idf, TITLE_IDF),
        **_part_features(pairs, "lead", snapshot.lead_idf, _LEAD_IDF),
        **_name_features(pairs, snapshot.idf),
        **_contrast(pairs, snapshot.idf),
    }
    # The share of the words of one article's title that are in the lead of the other
    title_words = np.maximum([len(title) for title in pairs.parts(TITLE)], 1)
    of_theirs = pairs.theirs[TITLE] @ pairs.own[LEAD] / title_words[1:]
    of_own = pairs.theirs[LEAD] @ pairs.own[TITLE] / title_words[0]
    columns |= _both_ways("title_in_lead", of_theirs, of_own)
    features = np.zeros((len(reports), len(FEATURES)))
    for name, column in columns.items():
        features[:, AT[name]] = column
    for row, report in zip(features, reports, strict=True):
        for name, value in _differences(article, report).items():
            row[AT[name]] = value
    return features


def _text_features(pairs: Pairs, snapshot: StreamSnapshot) -> Columns:
    """Return the features of whole texts.

    stream_cosine: cosine of the texts, with the idf of the snapshot instead of the idf of the background
    rare_shared: number of shared words with an idf above _RARE_IDF
    text_rarest: sum of the idf of the rarest shared words
    """
    factor = snapshot.factor
    ours = pairs.weights[TEXT, 0] * np.square(factor[pairs.words], dtype=np.int32)
    texts = pairs.parts(TEXT)
    weights = np.concatenate([each.part_weights[TEXT] for each in pairs.articles])
    lengths = multiply_lengths(weights * factor[np.concatenate(texts)], texts)
    shared_idf = pairs.theirs[TEXT] * (pairs.own[TEXT] * snapshot.idf[pairs.words])
    return {
        "stream_cosine": pairs.weights[TEXT, 1:] @ ours / lengths,
        "rare_shared": (shared_idf > _RARE_IDF).sum(axis=1),
        "text_rarest": np.sort(shared_idf, axis=1)[:, -_RAREST_OF_TEXT:].sum(axis=1)
        / IDF_UNITS,
    }


def _part_features(pairs: Pairs, name: str, idf: Units, least_idf: int) -> Columns:
    """Return the features of titles, or of leads.

    shared: number of shared words
    mass: sum of their idf above `least_idf`
    rarest: the highest of their idf
    cosine: sum of idf^2 of the shared words / product of the lengths of both parts, sqrt(sum of idf^2)
    missing: share of a part's idf that is nowhere in text, title and lead of the other article
    """
    field = FIELDS.index(name)
    ours = pairs.own[field]
    theirs = pairs.theirs[field]
    word_idf = idf[pairs.words]
    own_idf = ours * word_idf
    parts = pairs.parts(field)
    part_idf = idf[np.concatenate(parts)]
    return {
        f"{name}_shared": theirs @ ours,
        f"{name}_mass": theirs @ np.maximum(own_idf - least_idf, 0) / IDF_UNITS,
        f"{name}_rarest": (theirs * own_idf).max(axis=1, initial=0.0) / IDF_UNITS,
        f"{name}_cosine": theirs @ own_idf**2 / multiply_lengths(part_idf, parts),
        **_missing(
            name,
            sum_parts(part_idf, parts),
            _found_elsewhere(pairs, ours, theirs, word_idf),
        ),
    }


def _found_elsewhere(
    pairs: Pairs, ours: Floats, theirs: Floats, word_idf: npt.NDArray[Any]
) -> tuple[Floats, Floats]:
    """Return the idf of each report's part that is in text, title or lead of the article, and the reverse."""
    own_idf = pairs.own[: LEAD + 1].max(axis=0) * word_idf
    anywhere = pairs.theirs[: LEAD + 1].max(axis=0)
    return theirs @ own_idf, anywhere @ (ours * word_idf)


def _name_features(pairs: Pairs, idf: Units) -> Columns:
    """Return the idf of the shared names, and the share of each article's names, by idf, that the other lacks."""
    shared = pairs.theirs[NAMES] @ (pairs.own[NAMES] * idf[pairs.words])
    names = pairs.parts(NAMES)
    masses = sum_parts(idf[np.concatenate(names)], names)
    return {
        "names_shared": shared / IDF_UNITS,
        **_missing("names", masses, (shared, shared)),
    }


def _contrast(pairs: Pairs, idf: Units) -> Columns:
    """Return the signs that two texts of one form tell of other places, persons, teams or counts.

    apart: idf of the words of names, in titles or in titles and leads, that are nowhere in the other text;
    -1 if one of the two does not have a name there
    named_shared: idf of the words of names of one text that are anywhere in the other; the larger of both directions
    beside: features of the words of leads, or titles, that do not belong to a name of either text
    counts_apart: if the texts share no number with its unit, how many the text with fewer of them has; otherwise 0
    """
    word_idf = idf[pairs.words]
    columns: Columns = {}
    ours = pairs.own[NAMED]
    theirs = pairs.theirs[NAMED]
    in_title = [article.named_in_title for article in pairs.articles]
    for name, parts, own_named, their_named in (
        ("title", in_title, ours * pairs.own[TITLE], theirs * pairs.theirs[TITLE]),
        ("named", pairs.parts(NAMED), ours, theirs),
    ):
        masses = sum_parts(idf[np.concatenate(parts)], parts) / IDF_UNITS
        found = _found_elsewhere(pairs, own_named, their_named, word_idf / IDF_UNITS)
        apart = masses[1:] - found[0], masses[0] - found[1]
        have_names = np.minimum(masses[1:], masses[0]) > 0
        for column, values in _both_ways(f"{name}_apart", *apart).items():
            columns[column] = np.where(have_names, values, -1.0)
    # The last round of the loop was about names in titles and leads.
    columns["named_shared"] = np.maximum(*found)
    for column, field in (("beside_title", TITLE), ("beside_cosine", LEAD)):
        both = pairs.theirs[field] * pairs.own[field]
        shared = both * (1 - theirs) * (1 - ours)
        without = [article.without_names[field] for article in pairs.articles]
        lengths = multiply_lengths(idf[np.concatenate(without)], without)
        columns[column] = shared @ np.square(word_idf, dtype=np.int32) / lengths
    columns["beside_shared"] = shared @ word_idf / IDF_UNITS
    sizes = np.array([len(part) for part in pairs.parts(COUNTED)])
    common = pairs.theirs[COUNTED] @ pairs.own[COUNTED]
    columns["counts_apart"] = np.where(common > 0, 0, np.minimum(sizes[1:], sizes[0]))
    return columns


def _missing(name: str, masses: Floats, shared: tuple[Floats, Floats]) -> Columns:
    """Return the share of a part's idf that the other article lacks, for each article.

    `masses` is the idf of each article's part. `shared` is the idf of a report's words that the article has, and of
    the article's words that the report has.
    """
    return _both_ways(
        f"{name}_missing",
        (masses[1:] - shared[0]) / np.maximum(masses[1:], 1.0),
        (masses[0] - shared[1]) / max(masses[0], 1.0),
    )


def _both_ways(name: str, of_theirs: Floats, of_own: Floats) -> Columns:
    """Return the smaller and the larger of both directions, so that features are symmetric."""
    return {
        f"{name}_min": np.minimum(of_theirs, of_own),
        f"{name}_max": np.maximum(of_theirs, of_own),
    }


def _differences(article: PairArticle, report: PairArticle) -> dict[str, float]:
    """Return how two articles differ in time, length, outlet, kind, numbers and the pattern of their titles.

    days: -1 if a time is unknown
    numbers_apart: if they share no number, how many the article with fewer of them has; otherwise 0
    """
    days = -1.0
    if article.minutes is not None and report.minutes is not None:
        days = abs(article.minutes - report.minutes) / MINUTES_A_DAY
    numbers_apart = 0
    if article.numbers.isdisjoint(report.numbers):
        numbers_apart = min(len(article.numbers), len(report.numbers))
    earlier, later = sorted((article, report), key=lambda each: each.inbox)
    frame = compare_titles(earlier.title_pieces, later.title_pieces)
    return {
        "days": days,
        "shorter_words": min(article.body_words, report.body_words),
        "longer_words": max(article.body_words, report.body_words),
        "shorter_title": min(len(article.parts[TITLE]), len(report.parts[TITLE])),
        "same_outlet": article.outlet is not None and article.outlet == report.outlet,
        "opinions": article.is_opinion + report.is_opinion,
        "numbers_apart": numbers_apart,
        **dict(zip(GROUPS["title frame"], frame, strict=True)),
    }
