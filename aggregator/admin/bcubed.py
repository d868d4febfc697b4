"""Measures of a grouping: stories as decided, compared with clusters as labelled (see docs/evaluation.md).

A grouping maps article ids to stories; the labels map article ids to clusters. Only ids that are in both are
measured. All functions are pure. BCubed: Bagga and Baldwin 1998.

Intervals say how much the figures would differ for other events of the same kind. They come from the percentile
bootstrap (Efron 1979) of clusters (Field and Welsh 2007): events are drawn with replacement, as many as there are, each
with all its articles, and the figures are computed again. For the share of stories that mix events, stories are drawn
instead. Single articles or pairs are never drawn, because those of one event are not independent. An article keeps the
precision and recall that it has in the whole set.
"""

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean

import msgspec
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]
# The number of articles of each group
Sizes = Counter[str]
# The number of articles of each pair of story and cluster
Cells = Counter[tuple[str, str]]

# The usual number of draws for percentiles (Efron and Tibshirani 1993)
_DRAWS = 1000
_PERCENTILES = (2.5, 97.5)
_SEED = 2026  # an arbitrary constant, so that the same set has the same intervals


def bcubed_intervals(
    cells: Cells,
    by_story: Sizes,
    by_cluster: Sizes,
    mixed: Sequence[bool],
    split: Sequence[bool],
) -> dict[str, Interval]:
    """Return the intervals of the figures of a grouping; {} for fewer than two clusters.

    `mixed` and `split` say of each story and each cluster of several articles whether it is mixed or split.
    """
    if len(by_cluster) < 2:
        return {}
    units = {event: np.zeros(3) for event in by_cluster}
    # The cells are sorted, so that neither the names of stories nor the order of articles changes a bit of the sums.
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
    """Return the interval of the share of groups that are wrong; (0, 0) without groups."""
    if not are_wrong:
        return 0.0, 0.0
    (wrong,) = _drawn_sums((is_wrong,) for is_wrong in are_wrong)
    return _interval(wrong / len(are_wrong))


def _drawn_sums(units: Iterable[tuple[float, ...]]) -> Floats:
    """Return the sums over the units of each draw, one row for each number of a unit and one column for each draw."""
    # The units are sorted, because their order must not matter.
    values = np.array(sorted(units), dtype=float)
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


# The group of each article by its id; groups may be stories, clusters, affairs or outlets
Groups = Mapping[str, str]
CopyLinks = Mapping[str, str | None]  # the original of each article, if it is a copy
Loose = Collection[frozenset[str]]  # pairs that may be together or apart


class Score(msgspec.Struct, frozen=True):
    """Precision, recall and their harmonic mean, each from 0 to 1; 1 if nothing could be wrong.

    `f1` is always computed, and a value that is passed in is ignored. It is 0 if precision and recall are 0.
    """

    precision: float
    recall: float
    f1: float = 0.0

    def __post_init__(self) -> None:
        both = self.precision + self.recall
        f1 = 2 * self.precision * self.recall / both if both else 0.0
        msgspec.structs.force_setattr(self, "f1", f1)


class GroupingMetrics(msgspec.Struct, frozen=True):
    """All measures of one grouping."""

    articles: int
    clusters: int
    stories: int
    bcubed: Score
    # The share of mixed stories among the stories of two or more articles
    over_merge: float
    # The share of split clusters among the clusters of two or more articles
    split: float
    # BCubed if every article were a story of its own
    alone: Score
    # Confidence intervals of precision, recall and f1 of BCubed, over_merge and split; {} for fewer than two
    # clusters
    intervals: dict[str, Interval]


def measure(stories: Groups, clusters: Groups) -> GroupingMetrics:
    """Return the measures of a grouping. BCubed is the mean over the articles."""
    ids = [article for article in clusters if article in stories]
    cells = Counter((stories[article], clusters[article]) for article in ids)
    by_story = Counter(stories[article] for article in ids)
    by_cluster = Counter(clusters[article] for article in ids)
    mixed = _are_split((story for story, _ in cells), by_story)
    split = _are_split((cluster for _, cluster in cells), by_cluster)
    # fsum makes the result independent of the order of the articles.
    precision = math.fsum(n * n / by_story[story] for (story, _), n in cells.items())
    recall = math.fsum(n * n / by_cluster[cluster] for (_, cluster), n in cells.items())
    total = cells.total()
    return GroupingMetrics(
        articles=total,
        clusters=len(by_cluster),
        stories=len(by_story),
        bcubed=Score(_share(precision, total), _share(recall, total)),
        over_merge=fmean(mixed or [False]),
        split=fmean(split or [False]),
        alone=Score(1.0, _share(len(by_cluster), total)),
        intervals=bcubed_intervals(cells, by_story, by_cluster, mixed, split),
    )


class OutletMetrics(msgspec.Struct, frozen=True):
    """Counts of stories and clusters of several outlets. A story is pure if all its articles are of one cluster."""

    # Stories with articles of two or more outlets
    stories: int
    pure: int
    # Clusters with articles of two or more outlets
    events: int
    # Those clusters whose articles are all in one story, which may have other articles, too
    whole: int


def measure_outlets(
    stories: Groups,
    clusters: Groups,
    outlets: Groups,
    loose: Loose = (),
) -> OutletMetrics:
    """Return the measures of stories and clusters of several outlets.

    An article without an outlet counts as an outlet of its own. The pairs in `loose` may be together or apart.
    """

    def count(group: Collection[str]) -> int:
        return len({outlets.get(key, key) for key in group})

    several = [group for group in _members(stories, clusters) if count(group) > 1]
    wanted = [group for group in _members(clusters, stories) if count(group) > 1]
    return OutletMetrics(
        stories=len(several),
        pure=sum(is_pure(group, clusters, loose) for group in several),
        events=len(wanted),
        whole=sum(len({stories[key] for key in group}) == 1 for group in wanted),
    )


def is_pure(group: Collection[str], others: Groups, loose: Loose) -> bool:
    """Return whether each pair of the articles is in one group of the other kind, or in `loose`."""
    return all(
        others[a] == others[b] or frozenset((a, b)) in loose
        for a, b in itertools.combinations(group, 2)
    )


class WrongGroup(msgspec.Struct, frozen=True):
    """A story with its articles by event, or an event with its articles by story."""

    name: str
    # The titles of articles by id, for each event or story
    parts: dict[str, dict[str, str]]


def wrong_groups(
    groups: Groups,
    others: Groups,
    titles: Mapping[str, str],
    loose: Loose,
) -> list[WrongGroup]:
    """Return the stories that mix events (`others`), or the events in several stories, the largest first."""
    wrong = []
    for group in sorted(_members(groups, others), key=len, reverse=True):
        if not is_pure(group, others, loose):
            parts: dict[str, dict[str, str]] = defaultdict(dict)
            for article in group:
                parts[others[article]][article] = titles[article]
            wrong.append(WrongGroup(groups[group[0]], parts))
    return wrong


class MonthMetrics(msgspec.Struct, frozen=True):
    """The quality of the grouping of one month of news."""

    report: GroupingMetrics
    # Stories and events of two or more articles
    several: OutletMetrics


def measure_month(stories: Groups, clusters: Groups) -> MonthMetrics:
    """Return the measures of the articles that have a cluster."""
    return MonthMetrics(
        measure(stories, clusters), measure_outlets(stories, clusters, {})
    )


def _members(groups: Groups, others: Groups) -> Collection[list[str]]:
    """Return the articles of each group that are also in a group of the other kind."""
    by_group = defaultdict(list)
    for article in others:
        if article in groups:
            by_group[groups[article]].append(article)
    return by_group.values()


def measure_copies(predicted: CopyLinks, labelled: CopyLinks) -> Score:
    """Return the score of copy detection, over pairs of articles that share an original.

    The values of both mappings are the originals of articles, or None. Only articles that are keys of `labelled`
    count: another original links its copies with each other, but is not in a pair itself.
    """
    theirs = _groups(labelled)
    ours = _groups(predicted)
    copies = ours.keys() & labelled
    originals = theirs.keys() & labelled
    shared = _pair_count((ours[i], theirs[i]) for i in copies & originals)
    return Score(
        _share(shared, _pair_count(ours[i] for i in copies)),
        _share(shared, _pair_count(theirs[i] for i in originals)),
    )


def _pair_count(groups: Iterable[object]) -> int:
    """Return the number of pairs within groups. `groups` has the group of each member."""
    return sum(n * (n - 1) // 2 for n in Counter(groups).values())


def _are_split(parts: Iterable[str], sizes: Sizes) -> list[bool]:
    """Return for each group of two or more members whether they are in several groups of the other kind.

    `parts` has each group once for each group of the other kind that shares members with it.
    """
    spread = Counter(parts)
    return [spread[group] > 1 for group, size in sizes.items() if size > 1]


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def _groups(copy_links: CopyLinks) -> dict[str, str]:
    """Return the group of each article that is linked with another, directly or indirectly (union-find)."""
    root: dict[str, str] = {}

    def find(article: str) -> str:
        while root.setdefault(article, article) != article:
            # Path halving, because a chain of copies may be thousands long
            root[article] = root[root[article]]
            article = root[article]
        return article

    for article, original in copy_links.items():
        if original is not None:
            root[find(article)] = find(original)
    return {article: find(article) for article in list(root)}
