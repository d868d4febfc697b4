"""How good a grouping is: stories as decided against clusters as labelled. Pure functions, see quality.md.

A grouping is a mapping from article id to story, the labels one from article id to cluster. Only ids that
are in both count. BCubed: Bagga & Baldwin 1998.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

import msgspec

_Group = TypeVar("_Group", str, tuple[str, str])


class Score(msgspec.Struct, frozen=True):
    """Precision, recall and their harmonic mean, 0..1. Where nothing could be wrong, 1.

    `f1` is worked out, whatever is given for it; it is 0 when both are 0.
    """

    precision: float
    recall: float
    f1: float = 0.0

    def __post_init__(self) -> None:
        both = self.precision + self.recall
        f1 = 2 * self.precision * self.recall / both if both else 0.0
        msgspec.structs.force_setattr(self, "f1", f1)


class GroupingMetrics(msgspec.Struct, frozen=True):
    """All figures of one grouping, or of what it did with some of the articles."""

    articles: int
    clusters: int
    stories: int
    bcubed: Score
    pairs: Score
    over_merge: float  # share of stories with two or more articles that hold two clusters
    split: float  # share of clusters of two or more articles that are spread over stories
    alone: Score  # BCubed of "every article its own story"


def measure(stories: Mapping[str, str], clusters: Mapping[str, str]) -> GroupingMetrics:
    """The figures of a grouping."""
    return measure_part(stories, clusters, clusters.keys())


def measure_part(
    stories: Mapping[str, str], clusters: Mapping[str, str], chosen: Collection[str]
) -> GroupingMetrics:
    """What the grouping did with the articles `chosen`, measured against all articles, not only these.

    BCubed is the mean over the chosen articles, pairs are those with a chosen article in them, and
    `over_merge` and `split` ask the stories and clusters that hold one. Parts that make up the whole have the
    whole's BCubed as their mean, weighted by their articles.
    """
    ids = [article for article in clusters if article in stories]
    cells = Counter((stories[i], clusters[i]) for i in ids)
    wanted = set(chosen)
    mine = Counter((stories[i], clusters[i]) for i in ids if i in wanted)
    by_story, by_cluster = _sides(cells)
    my_stories, my_clusters = _sides(mine)
    total = mine.total()
    # fsum: the figures do not depend on the order of the articles.
    precision = math.fsum(n * cells[cell] / by_story[cell[0]] for cell, n in mine.items())
    recall = math.fsum(n * cells[cell] / by_cluster[cell[1]] for cell, n in mine.items())
    alone = math.fsum(n / by_cluster[cluster] for cluster, n in my_clusters.items())
    hits = _pairs_with(cells, mine)
    return GroupingMetrics(
        articles=total,
        clusters=len(my_clusters),
        stories=len(my_stories),
        bcubed=Score(_share(precision, total), _share(recall, total)),
        pairs=Score(
            _share(hits, _pairs_with(by_story, my_stories)),
            _share(hits, _pairs_with(by_cluster, my_clusters)),
        ),
        over_merge=_split_share((story for story, _ in cells), by_story, my_stories),
        split=_split_share((cluster for _, cluster in cells), by_cluster, my_clusters),
        alone=Score(1.0, _share(alone, total)),
    )


def measure_copies(predicted: Mapping[str, str | None], labelled: Mapping[str, str | None]) -> Score:
    """Copies: pairs of articles in one copy group, found against labelled. Values name the twin or None.

    `labelled` says which articles there are: a twin that is none of its keys links its copies with each
    other, but is in no pair itself.
    """
    theirs, ours = _groups(labelled), _groups(predicted)
    ids = sorted(labelled)
    hits = Counter((ours[i], theirs[i]) for i in ids if i in ours and i in theirs)
    predicted_pairs, labelled_pairs = (Counter(side[i] for i in ids if i in side) for side in (ours, theirs))
    shared = _pair_count(hits)
    return Score(
        _share(shared, _pair_count(predicted_pairs)),
        _share(shared, _pair_count(labelled_pairs)),
    )


class GroupingFault(msgspec.Struct, frozen=True):
    """A story that holds several clusters, or a cluster spread over several stories."""

    name: str
    wrong_pairs: int
    parts: tuple[tuple[str, ...], ...]  # ids, the largest part first


def worst_merges(stories: Mapping[str, str], clusters: Mapping[str, str], limit: int) -> list[GroupingFault]:
    """Stories with the most pairs of articles that belong apart; parts by cluster."""
    return _faults(stories, clusters, limit)


def worst_misses(stories: Mapping[str, str], clusters: Mapping[str, str], limit: int) -> list[GroupingFault]:
    """Clusters with the most pairs of articles that belong together; parts by story."""
    return _faults(clusters, stories, limit)


def _sides(cells: Counter[tuple[str, str]]) -> tuple[Counter[str], Counter[str]]:
    """Articles by story and by cluster."""
    by_story: Counter[str] = Counter()
    by_cluster: Counter[str] = Counter()
    for (story, cluster), n in cells.items():
        by_story[story] += n
        by_cluster[cluster] += n
    return by_story, by_cluster


def _pairs_with(sizes: Counter[_Group], mine: Counter[_Group]) -> int:
    """Pairs inside the groups with at least one of `mine` in them."""
    return sum(_choose_two(sizes[group]) - _choose_two(sizes[group] - n) for group, n in mine.items())


def _pair_count(sizes: Counter[_Group]) -> int:
    return sum(map(_choose_two, sizes.values()))


def _split_share(parts: Iterable[str], sizes: Counter[str], asked: Counter[str]) -> float:
    """Share of the asked groups of two or more that have members in two or more groups of the other kind."""
    spread = Counter(parts)
    several = [group for group in asked if sizes[group] > 1]
    return sum(spread[group] > 1 for group in several) / len(several) if several else 0.0


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def _choose_two(n: int) -> int:
    return n * (n - 1) // 2


def _faults(groups: Mapping[str, str], parts: Mapping[str, str], limit: int) -> list[GroupingFault]:
    members: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for article in sorted(groups.keys() & parts.keys()):
        members[groups[article]][parts[article]].append(article)
    faults = []
    for name, held in members.items():
        split = sorted((tuple(ids) for ids in held.values()), key=lambda ids: (-len(ids), ids))
        together = _choose_two(sum(map(len, split)))
        wrong = together - sum(_choose_two(len(ids)) for ids in split)
        if wrong:
            faults.append(GroupingFault(name, wrong, tuple(split)))
    return sorted(faults, key=lambda fault: (-fault.wrong_pairs, fault.name))[:limit]


def _groups(copy_links: Mapping[str, str | None]) -> dict[str, str]:
    """The group of each article that is linked with another, directly or through others."""
    root: dict[str, str] = {}

    def find(article: str) -> str:
        while root.setdefault(article, article) != article:
            root[article] = root[root[article]]  # halves the way: a chain of copies may be thousands long
            article = root[article]
        return article

    for article, original in copy_links.items():
        if original is not None:
            root[find(article)] = find(original)
    return {article: find(article) for article in list(root)}
