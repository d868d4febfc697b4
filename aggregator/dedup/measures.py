"""How good a grouping is: stories as decided against clusters as labelled. Pure functions, see quality.md.

A grouping is a mapping from article id to story, the labels one from article id to cluster. Only ids that
are in both count. BCubed: Bagga & Baldwin 1998.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import msgspec


class Score(msgspec.Struct, frozen=True):
    """Precision, recall and their harmonic mean, 0..1. Where nothing could be wrong, 1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean; 0 when both are 0."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


class Report(msgspec.Struct, frozen=True):
    """All figures of one grouping."""

    articles: int
    clusters: int
    stories: int
    bcubed: Score
    pairs: Score
    over_merge: float  # share of stories with two or more articles that hold two clusters
    split: float  # share of clusters of two or more articles that are spread over stories
    alone: Score  # BCubed of "every article its own story"


def measure(stories: Mapping[str, str], clusters: Mapping[str, str]) -> Report:
    """The figures of a grouping."""
    ids = [article for article in clusters if article in stories]
    story_sizes = Counter(stories[i] for i in ids)
    cluster_sizes = Counter(clusters[i] for i in ids)
    cells = Counter((stories[i], clusters[i]) for i in ids)
    return Report(
        articles=len(ids),
        clusters=len(cluster_sizes),
        stories=len(story_sizes),
        bcubed=_bcubed(cells, story_sizes, cluster_sizes),
        pairs=_pairs(cells, story_sizes, cluster_sizes),
        over_merge=_torn(((story, cluster) for story, cluster in cells), story_sizes),
        split=_torn(((cluster, story) for story, cluster in cells), cluster_sizes),
        alone=Score(1.0, len(cluster_sizes) / len(ids) if ids else 1.0),
    )


def measure_copies(found: Mapping[str, str | None], labelled: Mapping[str, str | None]) -> Score:
    """Copies: pairs of articles in one copy group, found against labelled. Values name the twin or None."""
    pairs_found = _group_pairs(found)
    pairs_labelled = _group_pairs(labelled)
    hits = len(pairs_found & pairs_labelled)
    return Score(_share(hits, len(pairs_found)), _share(hits, len(pairs_labelled)))


class Fault(msgspec.Struct, frozen=True):
    """A story that holds several clusters, or a cluster spread over several stories."""

    name: str
    wrong_pairs: int
    parts: tuple[tuple[str, ...], ...]  # ids, the largest part first


def worst_merges(stories: Mapping[str, str], clusters: Mapping[str, str], limit: int) -> list[Fault]:
    """Stories with the most pairs of articles that belong apart; parts by cluster."""
    return _faults(stories, clusters, limit)


def worst_misses(stories: Mapping[str, str], clusters: Mapping[str, str], limit: int) -> list[Fault]:
    """Clusters with the most pairs of articles that belong together; parts by story."""
    return _faults(clusters, stories, limit)


def _bcubed(cells: Counter[tuple[str, str]], stories: Counter[str], clusters: Counter[str]) -> Score:
    total = stories.total()
    # fsum: the figure does not depend on the order of the articles.
    precision = math.fsum(n * n / stories[story] for (story, _), n in cells.items())
    recall = math.fsum(n * n / clusters[cluster] for (_, cluster), n in cells.items())
    return Score(_share(precision, total), _share(recall, total))


def _pairs(cells: Counter[tuple[str, str]], stories: Counter[str], clusters: Counter[str]) -> Score:
    hits = sum(map(_choose_two, cells.values()))
    found, wanted = (sum(map(_choose_two, sizes.values())) for sizes in (stories, clusters))
    return Score(_share(hits, found), _share(hits, wanted))


def _torn(cells: Iterable[tuple[str, str]], sizes: Counter[str]) -> float:
    """Share of the groups of two or more that have members in two or more groups of the other kind."""
    parts = Counter(group for group, _ in cells)
    several = [group for group, size in sizes.items() if size > 1]
    return sum(parts[group] > 1 for group in several) / len(several) if several else 0.0


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def _choose_two(n: int) -> int:
    return n * (n - 1) // 2


def _faults(groups: Mapping[str, str], parts: Mapping[str, str], limit: int) -> list[Fault]:
    members: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for article in sorted(groups.keys() & parts.keys()):
        members[groups[article]][parts[article]].append(article)
    faults = []
    for name, held in members.items():
        split = sorted((tuple(ids) for ids in held.values()), key=lambda ids: (-len(ids), ids))
        together = _choose_two(sum(map(len, split)))
        wrong = together - sum(_choose_two(len(ids)) for ids in split)
        if wrong:
            faults.append(Fault(name, wrong, tuple(split)))
    return sorted(faults, key=lambda fault: (-fault.wrong_pairs, fault.name))[:limit]


def _group_pairs(twins: Mapping[str, str | None]) -> set[tuple[str, str]]:
    """Pairs of ids that are linked, directly or through others."""
    root: dict[str, str] = {}

    def find(article: str) -> str:
        while root.setdefault(article, article) != article:
            article = root[article]
        return article

    for article, twin in twins.items():
        if twin is not None:
            root[find(article)] = find(twin)
    groups: dict[str, list[str]] = defaultdict(list)
    for article in sorted(root):
        groups[find(article)].append(article)
    return {(a, b) for group in groups.values() for i, a in enumerate(group) for b in group[i + 1 :]}
