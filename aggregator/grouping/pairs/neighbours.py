"""Local scaling: the nearness of two articles, relative to the nearness of other articles to each of them.

If one topic fills the news, every article has many near neighbours, and only those that stand out report the
same event. So each of four similarities of a pair is compared with the mean similarities of both articles to their
nearest neighbours, which are fixed when an article arrives (as in Conneau et al. 2018, arXiv:1710.04087).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aggregator.grouping.pairs.pair_article import (
    NEAREST,
    SCALED,
    Floats,
    PairArticle,
    read_nearest,
)
from aggregator.grouping.pairs.pair_features import AT, GROUPS
from aggregator.grouping.pairs.term_codec import Ints

# Articles further apart in time are not neighbours
NEAR_DAYS = 7
# Similarities are stored as whole numbers of 16 bits, in units of 1/SIMILARITY_UNITS
SIMILARITY_UNITS = 10_000
_SCALED_AT = [AT[name] for name in SCALED]
_NEIGHBOURS_AT = AT[GROUPS["neighbours"][0]]


def nearest_of(features: Floats) -> Ints:
    """Return the highest similarities of an article to others, from its features with them, as `read_nearest` does."""
    similarities = _in_units(features[_are_near(features)])
    highest = np.sort(similarities, axis=0)[::-1][:NEAREST]
    nearest = read_nearest(None)
    nearest[:, : len(highest)] = highest.T
    return nearest


def _are_near(features: Floats) -> npt.NDArray[np.bool_]:
    """Return for each compared report whether it is near enough in time; False if a time is unknown."""
    days = features[:, AT["days"]]
    return (days >= 0) & (days <= NEAR_DAYS)


def _in_units(features: Floats) -> Ints:
    """Return the SCALED similarities of each report in the units of their stored form."""
    whole = np.rint(features[:, _SCALED_AT] * SIMILARITY_UNITS).astype(np.int64)
    return np.minimum(whole, 0xFFFF)


def add_neighbours(
    features: Floats, article: PairArticle, reports: Sequence[PairArticle]
) -> None:
    """Fill the columns of local scaling, in place. `own` is the later article of a pair, and `other` the earlier.

    above: twice the similarity, minus the mean similarities of both articles to their nearest neighbours
    near, rank: see `_nearness`
    """
    # The axes are reports, SCALED and neighbours
    theirs = np.array([report.nearest for report in reports])
    is_earlier = np.array([article.inbox < report.inbox for report in reports])
    is_earlier = is_earlier[:, None, None]
    own_near, own_rank = _nearness(
        np.where(is_earlier, theirs, article.nearest), features
    )
    other_near, other_rank = _nearness(
        np.where(is_earlier, article.nearest, theirs), features
    )
    above = 2 * features[:, _SCALED_AT] - own_near - other_near
    columns = np.stack((above, own_near, other_near, own_rank, other_rank), axis=2)
    features[:, _NEIGHBOURS_AT:] = columns.reshape(len(features), -1)


def _nearness(nearest: Ints, features: Floats) -> tuple[Floats, Ints]:
    """Return the mean of the nearest similarities of one article of each pair, and the rank of the pair among them.

    The mean is over five neighbours. It leaves out the similarity of the pair itself, or the last of the six stored
    similarities if the pair is not among them.
    """
    similarity = _in_units(features)[:, :, None]
    is_same = (nearest == similarity) & (similarity > 0)
    is_counted = is_same.any(axis=2) & _are_near(features)[:, None]
    left_out = np.where(is_counted, similarity[:, :, 0], nearest[:, :, -1])
    count = np.minimum((nearest > 0).sum(axis=2) - is_counted, NEAREST - 1)
    mean = (nearest.sum(axis=2) - left_out) / np.maximum(count, 1) / SIMILARITY_UNITS
    return mean, (nearest > similarity).sum(axis=2)
