"""Intervals of the figures of `aggregator eval`: how far they would move with other events of the same kind.

Percentile bootstrap (Efron 1979) of clusters (Field and Welsh 2007): events are drawn with replacement, as
many as there are, each with all its articles, and the figures are computed again; likewise stories for the
share of those that mix events. Single articles or pairs are never drawn, since those of one event are not
independent. An article keeps the precision and recall that it has in the whole set.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

_DRAWS = 1000  # usual for percentiles (Efron and Tibshirani 1993)
_PERCENTILES = (2.5, 97.5)
_SEED = 2026  # any: the same set has the same intervals


def drawn_sums(units: Iterable[tuple[float, ...]]) -> Floats:
    """Return the sum of each number of the units over the units of each draw, shape (numbers, draws)."""
    values = np.array(sorted(units), dtype=float)  # sorted: their order does not matter
    random = np.random.default_rng(_SEED)
    sums = []
    for _ in range(_DRAWS):
        drawn = random.integers(len(values), size=len(values))
        sums.append(values[drawn].sum(axis=0))
    return np.array(sums).T


def interval(drawn: Floats) -> Interval:
    """Return the limits within which a figure lies in 95 of 100 draws."""
    low, high = np.percentile(drawn, _PERCENTILES)
    return float(low), float(high)
