"""Second look: repeat decisions about recent stories after later articles arrived.

The first decision about an article knows only earlier articles. So the stories that changed since the last
second look are compared again with their neighbours, in two steps:

1. *Moves.* A report without a date may have joined the first of several stories of a topic. It moves to a
   story that it fits clearly better.
2. *Merges.* Two stories whose newest reports agree on average become one, the closest pair first.

Pure: data is read through a `StoryLookup`, and nothing is written. Apply the changes in their order. Copies,
excerpts, and live blogs and roundups in a story with reports are no evidence of their own. See ADR 10.
"""

import heapq
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec
import numpy as np

from aggregator.grouping.pairs.pair_article import Floats
from aggregator.grouping.pairs.weights import MINUTES_A_DAY, EventTuning
from aggregator.grouping.scorer import is_within_window
from aggregator.grouping.window import LiveStory
from aggregator.model.core import Article


class ReportMove(msgspec.Struct, frozen=True):
    """A report leaves its story for another one."""

    article: str
    source: int
    target: int
    own: float  # its score with the other reports of the story it leaves
    score: float  # its mean score with `reports`, which includes `shift`
    need: float
    reports: tuple[str, ...]  # of the other story
    shift: float  # what the stream adds

    @property
    def numbers(self) -> tuple[int, ...]:
        """The stories that change."""
        return (self.source, self.target)


class StoryMerge(msgspec.Struct, frozen=True):
    """Two stories become one.

    Which story id survives is decided elsewhere. Later changes of the same second look refer to the story as
    `kept`.
    """

    kept: int
    gone: int
    score: float  # mean score of a report of one with a report of the other
    need: float

    @property
    def numbers(self) -> tuple[int, ...]:
        """The stories that change."""
        return (self.kept, self.gone)


Reassignment = ReportMove | StoryMerge


class StoryLookup(Protocol):
    """Read access to stories and articles as they were before the second look."""

    def story(self, number: int) -> LiveStory | None:
        """Return a live story, or None if there is none with this number (any more)."""

    def reports(self, number: int) -> Sequence[Article]:
        """Return the newest counted reports of a story, the newest first, at most as many as are compared."""

    def neighbours(self, number: int) -> Sequence[LiveStory]:
        """Return other live stories that share terms with the story and are in its window, best first."""

    def scores(self, reports: Sequence[Article], others: Sequence[Article], /) -> Floats:
        """Return the logit of each report with each other one: a row a report. Remembers them."""

    def shift(self) -> float:
        """Return what the stream adds to a score."""

    def has_report(self, number: int, /) -> bool:
        """Return whether a counted article of the story is a report, no opinion and no explainer."""

    def may_leave(self, article: str, /) -> bool:
        """Return False if a correction keeps the article in its story."""

    def may_join(self, article: str, number: int, /) -> bool:
        """Return False if a correction keeps the article out of the story."""

    def is_foreign(self, report: Article, others: Sequence[Article], /) -> bool:
        """Return whether a report has the headline of one of the others, but a body unlike theirs."""

    def may_merge(self, one: int, other: int, /) -> bool:
        """Return False if a correction keeps the two stories apart."""


def reassess_stories(
    changed_numbers: Iterable[int], lookup: StoryLookup, tuning: EventTuning
) -> tuple[Reassignment, ...]:
    """Return the changes to the stories in `changed_numbers`, which changed since the last second look.

    Numbers of stories that no longer exist are skipped. Stories changed here should be checked again in the
    next second look. The result depends on the set of numbers and the lookup, not on any order.
    """
    look = _Look(lookup, tuning)
    numbers = sorted(set(changed_numbers))
    for number in numbers:
        look.move_undated(number)
    look.merge_stories(numbers)
    return tuple(look.changes)


class _Story:
    """The present state of a story during one second look."""

    def __init__(self, live: LiveStory, reports: Sequence[Article]) -> None:
        self.number = live.number
        self.live = live
        self.reports = list(reports)
        self.dates = np.array(live.dates, dtype=np.int64)  # in minutes, sorted
        self.article_count = live.article_count
        self.compared_count = live.compared_count
        self.last_inbox_no = live.last_inbox_no


class _Look:
    """One second look."""

    def __init__(self, lookup: StoryLookup, tuning: EventTuning) -> None:
        self._lookup = lookup
        self._tuning = tuning
        self._shift = lookup.shift()
        self._need = tuning.threshold + tuning.reassess_gain
        self._stories: dict[int, _Story | None] = {}  # None: merged into another one, or not to be looked at
        self.changes: list[Reassignment] = []

    def _story(self, number: int) -> _Story | None:
        if number not in self._stories:
            live = self._lookup.story(number)
            is_looked_at = live is not None and live.reports and not live.is_container_only
            story = _Story(live, self._lookup.reports(number)) if live is not None and is_looked_at else None
            self._stories[number] = story
        return self._stories[number]

    def _near(self, number: int) -> list[_Story]:
        near = self._lookup.neighbours(number)[: self._tuning.reassess_neighbours]
        stories = (self._story(live.number) for live in near)
        return [story for story in stories if story is not None and story.number != number]

    # --- moves ----------------------------------------------------------------------------------------------

    def move_undated(self, number: int) -> None:
        """Move the newest reports without a date to stories that they fit clearly better."""
        story = self._story(number)
        if story is None or len(story.reports) < 2:
            return
        for report in [one for one in story.reports if one.stated_minutes is None]:
            others = [one for one in story.reports if one is not report]
            if others and self._lookup.may_leave(report.id):
                self._move(story, report, others)

    def _move(self, story: _Story, report: Article, others: Sequence[Article]) -> None:
        own = float(self._lookup.scores([report], others).mean()) + self._shift
        need = max(own, self._tuning.threshold) + self._tuning.reassess_gain
        best: tuple[float, _Story] | None = None
        for other in sorted(self._near(story.number), key=lambda one: one.number):
            if not other.reports or other.article_count >= self._tuning.story_cap:
                continue
            if not is_within_window(report, other.live, self._tuning):
                continue
            score = float(self._lookup.scores([report], other.reports).mean()) + self._shift
            is_better = score >= need and (best is None or score > best[0])
            is_open = report.is_opinion or self._lookup.has_report(other.number)
            is_open = is_open and self._lookup.may_join(report.id, other.number)
            if is_better and is_open and not self._lookup.is_foreign(report, other.reports):
                best = score, other
        if best is not None:
            score, target = best
            compared = tuple(one.id for one in target.reports)
            self.changes.append(
                ReportMove(report.id, story.number, target.number, own, score, need, compared, self._shift)
            )
            story.reports.remove(report)
            target.reports.insert(0, report)

    # --- merges ---------------------------------------------------------------------------------------------

    def merge_stories(self, changed_numbers: Sequence[int]) -> None:
        """Merge stories as long as a pair is close enough, the closest first."""
        waiting: list[tuple[float, int, int]] = []
        near: dict[int, set[int]] = {}
        known: dict[tuple[int, int], float] = {}

        def propose(one: _Story, other: _Story) -> None:
            pair = (min(one.number, other.number), max(one.number, other.number))
            near.setdefault(one.number, set()).add(other.number)
            near.setdefault(other.number, set()).add(one.number)
            if pair in known or not self._may_be_one(one, other):
                return
            known[pair] = self._score(one, other)
            if known[pair] >= self._need:
                heapq.heappush(waiting, (-known[pair], *pair))

        for number in changed_numbers:
            story = self._story(number)
            if story is not None:
                near_ones = self._near(number)
                # All at once, which is faster.
                others = [one for one in near_ones if self._may_be_one(story, one)]
                self._lookup.scores(story.reports, [report for one in others for report in one.reports])
                for near_one in near_ones:
                    propose(story, near_one)
        while waiting:
            score, first, second = heapq.heappop(waiting)
            one, other = self._stories[first], self._stories[second]
            if one is None or other is None or known.get((first, second)) != -score:
                continue
            kept, gone = self._merge(one, other, -score)
            around = (near[kept.number] | near[gone.number]) - {kept.number, gone.number}
            known = {pair: value for pair, value in known.items() if kept.number not in pair}
            beside = [found for number in sorted(around) if (found := self._story(number)) is not None]
            for each in beside:
                propose(kept, each)

    def _score(self, one: _Story, other: _Story) -> float:
        """Return the mean score of the reports; -inf unless at least half of each story's fit the other.

        So one report that fits two stories does not connect them. Nor does a headline: -inf, too, if all
        bodies of a story under a headline of the other are foreign to it.
        """
        if not one.reports or not other.reports:
            return -np.inf
        scores = self._lookup.scores(one.reports, other.reports) + self._shift
        for means in (scores.mean(axis=1), scores.mean(axis=0)):
            if len(means) > 1 and np.sort(means)[(len(means) - 1) // 2] < self._tuning.threshold:
                return -np.inf
        score = float(scores.mean())
        if score < self._need:
            return score
        for mine, theirs in ((one.reports, other.reports), (other.reports, one.reports)):
            if all(self._lookup.is_foreign(report, theirs) for report in mine):
                return -np.inf
        return score

    def _may_be_one(self, one: _Story, other: _Story) -> bool:
        if one.article_count + other.article_count > self._tuning.story_cap:
            return False
        return self._lookup.may_merge(one.number, other.number) and _are_in_one_window(
            one, other, self._tuning
        )

    def _merge(self, one: _Story, other: _Story, score: float) -> tuple[_Story, _Story]:
        """Merge two stories and return the surviving one and the other.

        A story with a report survives one of opinions only, then that with more reports, then the older one.
        """
        kept, gone = sorted(
            (one, other),
            key=lambda story: (
                not self._lookup.has_report(story.number),
                -story.compared_count,
                story.number,
            ),
        )
        most = max(len(kept.reports), len(gone.reports))
        kept.reports = sorted((*kept.reports, *gone.reports), key=lambda report: -report.inbox_no)[:most]
        kept.dates = np.sort(np.concatenate((kept.dates, gone.dates)))
        kept.article_count += gone.article_count
        kept.compared_count += gone.compared_count
        kept.last_inbox_no = max(kept.last_inbox_no, gone.last_inbox_no)
        self._stories[gone.number] = None
        self.changes.append(StoryMerge(kept.number, gone.number, score, self._need))
        return kept, gone


def _are_in_one_window(one: _Story, other: _Story, tuning: EventTuning) -> bool:
    """Return whether the nearest dates (inbox numbers if one has no dates) are within the window."""
    left, right = one.dates, other.dates
    if not len(left) or not len(right):
        return abs(one.last_inbox_no - other.last_inbox_no) <= tuning.undated_reach
    reach = tuning.window_days * MINUTES_A_DAY
    if abs(int(left[-1]) - int(right[-1])) <= reach:
        return True  # of most stories
    spots = np.searchsorted(left, right)
    below = np.abs(left[np.maximum(spots - 1, 0)] - right)
    above = np.abs(left[np.minimum(spots, len(left) - 1)] - right)
    return int(np.minimum(below, above).min()) <= reach
