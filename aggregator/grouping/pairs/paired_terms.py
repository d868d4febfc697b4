"""The terms of an article beside those of reports, as arrays.

An array of the words has one place for each different word (hash) of the compared article. In an array over
several articles, the first row is the article, and the other rows are the reports.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from aggregator.grouping.pairs.pair_article import Floats, PairArticle
from aggregator.grouping.pairs.term_codec import (
    FIELD_COUNT,
    HASH_BITS,
    HASHES,
    Ints,
    Words,
    hashes_of,
)


class Pairs(NamedTuple):
    """An article beside reports."""

    articles: Sequence[PairArticle]  # the article, then the reports
    # The hashes of the different words of the article
    words: Words
    # The weight by field, article and word; 0 where the article lacks the term
    weights: Floats
    # 1 where the article has the term
    has: Floats

    def parts(self, field: int) -> list[Words]:
        """Return the hashes of a field of each article."""
        return [article.parts[field] for article in self.articles]


def pair_terms(articles: Sequence[PairArticle]) -> Pairs:
    """Return the terms of the first article beside those of the others."""
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
    return Pairs(articles, words, weights, np.sign(weights))


def sum_parts(values: npt.NDArray[Any], parts: Sequence[Words]) -> Floats:
    """Return the sum of the values of each part; `values` has those of the terms of all parts in order."""
    return np.bincount(_owners(parts), values, len(parts)).astype(np.float64)


def _owners(parts: Sequence[Words]) -> Ints:
    """Return for the terms of all parts, in order, the place of their part."""
    return np.arange(len(parts)).repeat([len(part) for part in parts])


def multiply_lengths(values: npt.NDArray[Any], parts: Sequence[Words]) -> Floats:
    """Return the products of the Euclidean lengths of the article's part and of each report's, at least 1."""
    lengths = np.sqrt(sum_parts(values**2, parts))
    products: Floats = np.maximum(lengths[0] * lengths[1:], 1.0)
    return products
