"""Pair model: the logit of two articles being reports of one event, by boosted trees over their features.

A story's score is the mean over its newest reports:

    score = mean(logit of article and report + step of the hours, at least UNLIKE) + stream
    stream = slope x (share of the last articles, and of the source's, that others report, too - usual share)

A very unlike report counts no more against an article than an unlike report, because titles of one event often
have no word in common. A pair that shares too little to be compared has the logit UNLIKE, too. hours.py explains the
step of the hours.
The second line is the prior shift of Saerens, Latinne and Decaestecker (2002): others report hardly any article
of a reading list, but most articles of a curated set, and one threshold holds for both.

`training/fit_pair_model.py` makes pair_trees.json, which records data and quality. A tree has at most eight
leaves. Each condition excludes leaves if the value of its feature is above its threshold; the first leaf that no
condition excludes is the leaf of the pair (as in QuickScorer, Lucchese et al. 2015).
The value of a leaf is stored in thousandths, divided among the groups of the features on the way to the leaf. So a
score is the sum of its reasons, and equal on all machines.
"""

import math
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import msgspec
import numpy as np

from aggregator.grouping.pairs.hours import HoursTuning, hours_between, hours_steps
from aggregator.grouping.pairs.neighbours import add_neighbours, nearest_of
from aggregator.grouping.pairs.pair_article import Floats, PairArticle
from aggregator.grouping.pairs.pair_features import (
    AT,
    FEATURES,
    GROUPS,
    pair_features,
    text_cosines,
)
from aggregator.grouping.pairs.snapshot import StreamSnapshot
from aggregator.grouping.pairs.term_codec import Ints
from aggregator.model.article import Article
from aggregator.model.evidence import HOURS, Reason

# Articles whose whole texts have a lower cosine are not compared (this concerns 5 of 1,000 true pairs)
LEAST_COSINE = 0.06
# The least logit of a pair, and the logit of pairs below LEAST_COSINE. With -6, the F1 was .06 lower on headlines, and
# the same on months.
UNLIKE = -2.0
# The most leaves of a tree
LEAVES = 8


class PairTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `pairs` of config/tuning.yaml, which gives units and origins."""

    compared_reports: int
    stream_articles: int
    stream_share: float
    stream_weight: int
    stream_slope: float
    stream_most: float
    stream_least: float
    agreement: float
    copied_words: float
    copied_of_short: float
    copied_from_words: int
    headline_share: float
    short_body_words: int
    short_body_idf: float
    stream_days: int
    period_source_articles: int


class Tree(msgspec.Struct, frozen=True):
    """A tree: its conditions, and the shares of the groups in each leaf."""

    # The feature that each condition tests
    features: tuple[int, ...]
    thresholds: tuple[float, ...]
    # A bit for each leaf, from the lowest: 1 if the leaf stays possible where the value is above the threshold
    masks: tuple[int, ...]
    # Thousandths of a logit by group, from left to right
    leaves: tuple[tuple[int, ...], ...]


class TreeFile(msgspec.Struct, frozen=True):
    """The content of pair_trees.json."""

    about: dict[str, object]
    features: tuple[str, ...]
    bias: float
    trees: tuple[Tree, ...]


class PairModel:
    """The trees as arrays, without other state."""

    def __init__(self, trees: bytes | None = None) -> None:
        """Load the trees from the bytes of a file like pair_trees.json; None: from the shipped file.

        Raises msgspec.ValidationError for another format, ValueError for trees of other features.
        """
        if trees is None:
            trees = (
                files("aggregator.grouping.pairs")
                .joinpath("pair_trees.json")
                .read_bytes()
            )
        file = msgspec.json.decode(trees, type=TreeFile)
        if file.features != FEATURES:
            raise ValueError("the trees are of other features")
        self.bias = file.bias
        # The index of the first leaf of each tree
        self._first = np.arange(len(file.trees)) * LEAVES
        # Whole numbers: sums are exact
        self._leaves = np.zeros((len(file.trees) * LEAVES, len(GROUPS)))
        shape = LEAVES - 1, len(file.trees)  # conditions of each tree, at most
        self._features = np.zeros(shape, np.intp)
        self._thresholds = np.full(shape, np.inf)
        # The inverted masks: 1 if the leaf is excluded where the value is above the threshold
        self._excluded = np.zeros(shape, np.uint8)
        for place, tree in enumerate(file.trees):
            self._leaves[self._first[place] :][: len(tree.leaves)] = tree.leaves
            conditions = slice(len(tree.features)), place
            self._features[conditions] = tree.features
            self._thresholds[conditions] = tree.thresholds
            self._excluded[conditions] = ~np.array(tree.masks, np.uint8)
        self._values = self._leaves.sum(axis=1)

    def logits(self, leaves: Ints) -> Floats:
        """Return the logit of each row of `leaves`."""
        sums: Floats = self._values[leaves].sum(axis=1) / 1000.0
        return sums + self.bias

    def shares(self, leaves: Ints) -> Floats:
        """Return the share of each group in the sum of the logits of these rows; the rest of the sum is the biases."""
        times = np.bincount(leaves.ravel(), minlength=len(self._leaves))
        return times @ self._leaves / 1000.0

    def leaves(self, features: Floats) -> Ints:
        """Return the leaf of each row of features in each tree."""
        is_above = features.take(self._features, axis=1) > self._thresholds
        excluded = np.bitwise_or.reduce(is_above * self._excluded, axis=1)
        leaf: Ints = self._first + _LOWEST_BIT[~excluded]
        return leaf


# The feature that stands for its group
_SHOWN = [AT[members[0]] for members in GROUPS.values()]
_LOWEST_BIT = np.array([(n & -n).bit_length() - 1 if n else 0 for n in range(256)])


class ComparedPair(NamedTuple):
    """Two articles compared."""

    # The log-odds that the articles report one event, at least UNLIKE
    logit: float
    # The logit of the trees alone, at least UNLIKE, for storylines: an affair lasts for days, so hours do not count
    affinity: float
    # One row; () if the pair shares too little
    features: Floats
    # The leaf of the pair in each tree; () if the pair shares too little
    leaves: Ints
    # The hours between both articles; NaN if a clock time is unknown
    hours: float
    # What the hours add to the logit
    step: float

    @property
    def is_compared(self) -> bool:
        """Whether the articles share enough to be compared."""
        return len(self.features) > 0


_UNLIKE = ComparedPair(
    UNLIKE, UNLIKE, np.zeros(0), np.zeros(0, np.int64), math.nan, 0.0
)


def compare_pairs(
    model: PairModel,
    article: PairArticle,
    reports: Sequence[PairArticle],
    snapshot: StreamSnapshot,
    tuning: HoursTuning,
    *,
    has_come: bool = False,
) -> list[ComparedPair]:
    """Return the comparison of an article with each report; `has_come`: see `compared_rows`."""
    chosen, rows = compared_rows(article, reports, snapshot, has_come=has_come)
    leaves = model.leaves(rows)
    logits = model.logits(leaves)
    hours = hours_between(article, [reports[place] for place in chosen])
    steps = hours_steps(rows, hours, tuning)
    compared = map(
        ComparedPair,
        np.maximum(logits + steps, UNLIKE).tolist(),
        np.maximum(logits, UNLIKE).tolist(),
        rows,
        leaves,
        hours.tolist(),
        steps.tolist(),
    )
    by_place = dict(zip(chosen, compared, strict=True))
    return [by_place.get(place, _UNLIKE) for place in range(len(reports))]


def compared_rows(
    article: PairArticle,
    reports: Sequence[PairArticle],
    snapshot: StreamSnapshot,
    *,
    has_come: bool,
) -> tuple[list[int], Floats]:
    """Return the places of the reports that share enough with the article, and a row of features for each.

    `has_come`: the article has just arrived, so its nearest neighbours are among these reports. They are stored in
    `article.nearest`.
    """
    chosen = np.flatnonzero(text_cosines(article, reports) >= LEAST_COSINE).tolist()
    near = [reports[place] for place in chosen]
    if not near:
        return [], np.zeros((0, len(FEATURES)))
    rows = pair_features(article, near, snapshot)
    if has_come:
        article.nearest = nearest_of(rows)
    add_neighbours(rows, article, near)
    return chosen, rows


def reasons_of(model: PairModel, pairs: Sequence[ComparedPair]) -> tuple[Reason, ...]:
    """Return the shares of the groups in the mean logit of these pairs; with the bias, they add up to the mean.

    The reason "unlike" has the share that the lower limit UNLIKE adds, and the number of pairs with that logit.
    """
    reasons = []
    if compared := [pair for pair in pairs if pair.is_compared]:
        shares = model.shares(np.array([pair.leaves for pair in compared])) / len(pairs)
        # Each group shows the mean of one feature.
        values = np.mean([pair.features[_SHOWN] for pair in compared], axis=0)
        reasons = [
            Reason(name=name, value=value, share=share)
            for name, value, share in zip(
                GROUPS, values.tolist(), shares.tolist(), strict=True
            )
        ]
        if timed := [pair for pair in compared if not math.isnan(pair.hours)]:
            reasons.append(
                Reason(
                    name=HOURS,
                    value=sum(pair.hours for pair in timed) / len(timed),
                    share=sum(pair.step for pair in timed) / len(pairs),
                )
            )
    if unlike := sum(pair.logit <= UNLIKE for pair in pairs):
        mean = sum(pair.logit for pair in pairs) / len(pairs)
        share = mean - model.bias - sum(reason.share for reason in reasons)
        reasons.append(Reason(name="unlike", value=float(unlike), share=share))
    return tuple(reasons)


def stream_shift(
    shared: int, last: int, tuning: PairTuning, source: tuple[int, int] = (0, 0)
) -> float:
    """Return how far the stream shifts a score, in logits (see the module).

    `shared` of the `last` articles are not alone in their story. `source` has the number of articles of the source,
    and how many of them joined a story. Both shares count equally; a new source has the share of the stream.
    """
    stream = (shared + tuning.stream_weight * tuning.stream_share) / (
        last + tuning.stream_weight
    )
    articles, matched = source
    of_source = (matched + tuning.stream_weight * stream) / (
        articles + tuning.stream_weight
    )
    return min(
        tuning.stream_slope * ((stream + of_source) / 2 - tuning.stream_share),
        tuning.stream_most,
    )


def shift_between(
    shift: float, articles: Sequence[Article | PairArticle], tuning: PairTuning
) -> float:
    """Return how much of the shift of the stream a score of these articles gets.

    Articles of one source get the whole shift, because entries of a series are most alike where hardly any article
    has a partner. Articles of several sources get at least `stream_least`, which is negative. If a body has only a few
    words, the shift is never positive: how many other articles have a partner does not tell two accidents apart.
    """
    if any(0 < one.body_words < tuning.short_body_words for one in articles):
        shift = min(shift, 0.0)
    if len({one.source for one in articles}) < 2:
        return shift
    return max(shift, tuning.stream_least)
