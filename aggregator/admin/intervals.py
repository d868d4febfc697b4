"""Intervals of the figures of `aggregator eval`: how far they would move with other events of the same kind.

Percentile bootstrap (Efron 1979) of clusters (Field and Welsh 2007): events are drawn with replacement, as
many as there are, each with all its articles, and the figures are computed again; likewise stories for the
share of those that mix events. Single articles or pairs are never drawn, since those of one event are not
independent. An article keeps the precision and recall that it has in the whole set.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]
# The number of articles of each group
Sizes = Counter[str]
# The number of articles of each pair of story and cluster
Cells = Counter[tuple[str, str]]

# The usual number for percentiles (Efron and Tibshirani 1993)
_DRAWS = 1000
_PERCENTILES = (2.5, 97.5)
_SEED = 2026  # any: the same set has the same intervals


def bcubed_intervals(
    cells: Cells,
    by_story: Sizes,
    by_cluster: Sizes,
    mixed: Sequence[bool],
    split: Sequence[bool],
) -> dict[str, Interval]:
    """Return the intervals of the figures of a grouping; {} for fewer than two clusters.

    `mixed`, `split`: of stories and clusters of several articles, whether they are so.
    """
    if len(by_cluster) < 2:
        return {}
    units = {event: np.zeros(3) for event in by_cluster}
    # sorted: names and order change no bit of the sums
    for event, n, of_story in sorted(
        (event, n, by_story[story]) for (story, event), n in cells.items()
    ):
        units[event] += (n, n * n / of_story, n * n / by_cluster[event])
    articles, precisions, recalls = _drawn_sums(map(tuple, units.values()))
    return {
        "precision": _interval(precisions / articles),
        "recall": _interval(recalls / articles),
        # No article has a precision or recall of 0.
        "f1": _interval(2 * precisions * recalls / (precisions + recalls) / articles),
        "over_merge": _share_interval(mixed),
        "split": _share_interval(split),
    }


def _share_interval(are_wrong: Sequence[bool]) -> Interval:
    """Return the interval of the share of groups that are wrong; 0 of no groups."""
    if not are_wrong:
        return 0.0, 0.0
    (wrong,) = _drawn_sums((is_wrong,) for is_wrong in are_wrong)
    return _interval(wrong / len(are_wrong))


def _drawn_sums(units: Iterable[tuple[float, ...]]) -> Floats:
    """Return the sum of each number of the units over the units of each draw, shape (numbers, draws)."""
    values = np.array(sorted(units), dtype=float)  # sorted: their order does not matter
    random = np.random.default_rng(_SEED)
    sums = []
    for _ in range(_DRAWS):
        drawn = random.integers(len(values), size=len(values))
        sums.append(values[drawn].sum(axis=0))
    return np.array(sums).T


def _interval(drawn: Floats) -> Interval:
    """Return the limits within which a figure lies in 95 of 100 draws."""
    low, high = np.percentile(drawn, _PERCENTILES)
    return float(low), float(high)
