"""Compares two groupings of the same articles: finds the stories that keep their ids, and the changes.

A grouping is a mapping of articles to stories, in the order of inbox numbers.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from aggregator.model.structs import FrozenStruct

CHANGES_LISTED = 40
# The most articles listed for one change
_ARTICLES_LISTED = 10
Grouping = Mapping[str, str]


class ReclusterCommand(FrozenStruct):
    """The command for a running daemon."""

    since: datetime | None = None
    # Renumber articles in order of time, from this inbox number on, and notify nobody.
    in_order_from: int | None = None


class RegroupedStory(FrozenStruct, omit_defaults=False):
    """A story whose articles have changed."""

    story: str
    title: str
    before: int  # articles; 0: the story is new
    after: int  # 0: it is merged
    came: tuple[str, ...] = ()  # articles, at most ten
    went: tuple[str, ...] = ()


class GroupingDifference(FrozenStruct, omit_defaults=False):
    """The changes of a new grouping."""

    # Articles that were decided again
    articles: int
    # Articles that are in another story now
    moved: int
    stories_before: int
    stories_after: int
    # The share of the pairs of articles in one story that still are in one story, 0 to 1
    pairs_kept: float
    # The stories that most articles moved to or from, at most CHANGES_LISTED
    changes: tuple[RegroupedStory, ...] = ()
    changed_stories: int = 0
    written: bool = False


def matched_stories(
    before: Grouping, after: Grouping, numbers: Mapping[str, int]
) -> dict[str, str]:
    """Map stories of `after` to the stories of `before` that they share most articles with.

    Each story of `before` is used once, so a story of `after` may get none. In a tie, the older story of `before` (by
    `numbers`) comes first, then the story of `after` whose first article was placed earlier.
    """
    shared: Counter[tuple[str, str]] = Counter()
    order: dict[str, int] = {}
    for article, story in after.items():
        order.setdefault(story, len(order))
        shared[story, before[article]] += 1
    names: dict[str, str] = {}
    used = set()
    for story, former in sorted(
        shared,
        key=lambda pair: (-shared[pair], numbers.get(pair[1], 0), order[pair[0]]),
    ):
        if story not in names and former not in used:
            names[story] = former
            used.add(former)
    return names


class Regrouping:
    """The changes between two groupings; in the second, stories that go on have their former ids."""

    def __init__(self, before: Grouping, after: Grouping) -> None:
        """`before` has all articles of `after`."""
        self._before: Counter[str] = Counter()  # articles by story
        self._after = Counter(after.values())
        # Articles by story before and after
        self._pairs: Counter[tuple[str, str]] = Counter()
        self.came: dict[str, list[str]] = defaultdict(list)  # articles by story
        self.went: dict[str, list[str]] = defaultdict(list)
        for article, story in sorted(after.items()):
            former = before[article]
            self._before[former] += 1
            self._pairs[former, story] += 1
            if former != story:
                self.came[story].append(article)
                self.went[former].append(article)

    def retired(self) -> dict[str, str]:
        """Map each story that has lost all its articles to the story that has most of them now."""
        successors: dict[str, str] = {}
        for story, successor in sorted(
            self._pairs, key=lambda pair: (-self._pairs[pair], pair)
        ):
            if story not in self._after:
                successors.setdefault(story, successor)
        return successors

    def difference(
        self, articles: int, title: Callable[[str], str]
    ) -> GroupingDifference:
        """Return the changes and list the largest; `articles` is the number of articles that were decided again."""
        sizes: Counter[str] = Counter()
        for former, story in self._pairs:
            if former != story:
                sizes[former] += self._pairs[former, story]
                sizes[story] += self._pairs[former, story]
        changed = sorted(sizes, key=lambda story: (-sizes[story], story))
        listed = [
            RegroupedStory(
                story=story,
                title=title(story),
                before=self._before[story],
                after=self._after[story],
                came=tuple(self.came[story][:_ARTICLES_LISTED]),
                went=tuple(self.went[story][:_ARTICLES_LISTED]),
            )
            for story in changed[:CHANGES_LISTED]
        ]
        pairs = _pairs_within(self._before)
        return GroupingDifference(
            articles=articles,
            moved=sum(map(len, self.came.values())),
            stories_before=len(self._before),
            stories_after=len(self._after),
            pairs_kept=_pairs_within(self._pairs) / pairs if pairs else 1.0,
            changes=tuple(listed),
            changed_stories=len(changed),
        )


def _pairs_within(groups: Mapping[Any, int]) -> int:
    """Return the number of pairs of articles in one group; `groups` has the size of each group."""
    return sum(size * (size - 1) // 2 for size in groups.values())
