"""Second look: repeat decisions about recent stories after later articles arrived.

The first decision about an article knows only earlier articles. So the stories that changed since the last
second look are compared again with their neighbours, in two steps:

1. *Moves.* A report without a date may have joined the first of several stories of a topic. It moves to a
   story that it fits clearly better.
2. *Merges.* Two stories whose newest reports agree on average become one, the closest pair first.

This module reads all data through a `StoryLookup` and writes nothing. The changes must be applied in their order.
Copies, excerpts, and live blogs and roundups in a story with reports do not count as evidence. See ADR 10.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from copy import copy

import msgspec
import numpy as np

from aggregator.grouping.pairs.weights import MINUTES_A_DAY, EventTuning
from aggregator.grouping.scores.scorer import is_open
from aggregator.grouping.second_look.story_lookup import StoryLookup
from aggregator.model.article import Article
from aggregator.store.stories.live_stories import LiveStory


class ReportMove(msgspec.Struct, frozen=True):
    """A report moves from its story to another story."""

    report: Article
    source: str
    target: str
    own_score: float  # its mean score with the other reports of its story
    score: (
        float  # its mean score with `reports`, which includes the shift of the stream
    )
    need: float
    # The compared reports of the other story
    reports: tuple[Article, ...]


class StoryMerge(msgspec.Struct, frozen=True):
    """Two stories become one.

    The surviving id is decided when the merge is written. Later changes of this second look call the story `kept`.
    """

    kept: str
    gone: str
    score: float  # mean score of a report of one story with a report of the other
    need: float


Reassignment = ReportMove | StoryMerge


def reassess_stories(
    changed_numbers: Iterable[int], lookup: StoryLookup, tuning: EventTuning
) -> tuple[Reassignment, ...]:
    """Return the changes that a second look makes to the stories with these numbers and their neighbours.

    Numbers of stories that no longer exist are skipped. Stories changed here should be checked again in the
    next second look. The result depends on the set of numbers and the lookup, not on any order.
    """
    look = _Look(lookup, tuning)
    numbers = sorted(set(changed_numbers))
    for number in numbers:
        look.move_undated(number)
    for number in numbers:
        look.propose_near(number)
    look.merge_closest()
    return tuple(look.changes)


class _Look:
    """The stories of one second look, as its changes have left them so far."""

    def __init__(self, lookup: StoryLookup, tuning: EventTuning) -> None:
        self._lookup = lookup
        self._tuning = tuning
        # The least score of two stories that become one
        self._need = tuning.threshold + tuning.reassess_gain
        self.changes: list[Reassignment] = []
        # None: the story was merged into another story, is gone, or has live blogs and roundups only
        self._stories: dict[int, LiveStory | None] = {}
        # The stories that were proposed for a merge with each story
        self._near: defaultdict[int, set[int]] = defaultdict(set)
        # The score of each proposed pair of stories, the lower number first
        self._scores: dict[tuple[int, int], float] = {}

    def _story(self, number: int) -> LiveStory | None:
        """Return a story; None if it is gone or merged, or has live blogs and roundups only."""
        if number not in self._stories:
            live = self._lookup.story(number)
            story = None
            if live is not None and live.reports and not live.is_container_only:
                story = copy(live)  # the changes of the look must not reach the window
                story.reports = self._lookup.reports(live)
            self._stories[number] = story
        return self._stories[number]

    def _living(self, numbers: Iterable[int]) -> list[LiveStory]:
        """Return the stories with these numbers, without stories that are gone or have live blogs and roundups only."""
        return [story for story in map(self._story, numbers) if story is not None]

    def _neighbours(self, number: int) -> list[LiveStory]:
        """Return the nearest other stories of a story."""
        near = self._lookup.neighbours(number)[: self._tuning.reassess_neighbours]
        return self._living(live.number for live in near)

    def move_undated(self, number: int) -> None:
        """Move the compared reports without a date to stories that they fit clearly better."""
        story = self._story(number)
        if story is None:
            return
        for report in [each for each in story.reports if each.stated_minutes is None]:
            others = [other for other in story.reports if other is not report]
            if not others or not self._lookup.may_leave(report.id):
                continue
            present = float(self._lookup.scores([report], others).mean())
            need = max(present, self._tuning.threshold) + self._tuning.reassess_gain
            score, target = self._best_target(story, report, need)
            if target is None:
                continue
            self.changes.append(
                ReportMove(
                    report=report,
                    source=story.id,
                    target=target.id,
                    own_score=present,
                    score=score,
                    need=need,
                    reports=tuple(target.reports),
                )
            )
            story.reports.remove(report)
            target.reports.insert(0, report)

    def _best_target(
        self, story: LiveStory, report: Article, need: float
    ) -> tuple[float, LiveStory | None]:
        """Return the best score of a report with stories near its own that reaches `need`, and that story."""
        best = -math.inf
        target = None
        for other in sorted(
            self._neighbours(story.number), key=lambda near: near.number
        ):
            # Skip a story that may not take the report, whatever they have in common
            if (
                not other.reports
                or not is_open(report, other, self._tuning)
                or (not report.is_opinion and self._lookup.has_opinions_only(other))
                or not self._lookup.may_join(report.id, other)
            ):
                continue
            score = float(self._lookup.scores([report], other.reports).mean())
            if score < need or score <= best:
                continue
            is_apart = self._lookup.are_apart([report], other.reports, story.number)
            if not is_apart and not self._lookup.is_foreign(report, other.reports):
                best = score
                target = other
        return best, target

    def propose_near(self, number: int) -> None:
        """Propose to merge a story with each story near it."""
        story = self._story(number)
        if story is None:
            return
        near = self._neighbours(number)
        reports = []
        for other in near:
            if self._may_be_one(story, other):
                reports += other.reports
        self._lookup.scores(story.reports, reports)  # all at once, which is faster
        for other in near:
            self._propose(story, other)

    def merge_closest(self) -> None:
        """Merge the closest proposed pair, and repeat this while a pair is close enough.

        A merged story is proposed again with all stories near either of the two. A story with a report survives a story
        of opinions only; then the story with more compared reports survives, and then the older story.
        """

        def rank(story: LiveStory) -> tuple[bool, int, int]:
            is_opinion = self._lookup.has_opinions_only(story)
            return is_opinion, -story.compared_count, story.number

        while fitting := [
            (-score, pair)
            for pair, score in self._scores.items()
            if score >= self._need
        ]:
            score, pair = min(fitting)
            kept, gone = sorted(self._living(pair), key=rank)
            kept.take_in(gone)
            self._stories[gone.number] = None
            self.changes.append(StoryMerge(kept.id, gone.id, -score, self._need))
            self._scores = {
                other: score
                for other, score in self._scores.items()
                if set(other).isdisjoint(pair)
            }
            around = self._near[kept.number] | self._near[gone.number]
            for beside in self._living(around.difference(pair)):
                self._propose(kept, beside)

    def _propose(self, story: LiveStory, other: LiveStory) -> None:
        self._near[story.number].add(other.number)
        self._near[other.number].add(story.number)
        pair = min(story.number, other.number), max(story.number, other.number)
        if pair not in self._scores and self._may_be_one(story, other):
            self._scores[pair] = self._score(story, other)

    def _may_be_one(self, story: LiveStory, other: LiveStory) -> bool:
        tuning = self._tuning
        if (
            story.counted + other.counted > tuning.story_cap
            or not self._lookup.may_merge(story, other)
        ):
            return False
        # The nearest dates must be within the window; if one story has no dates, the inbox numbers are compared.
        if not story.dates or not other.dates:
            apart = abs(story.last_inbox_no - other.last_inbox_no)
            return apart <= tuning.undated_reach
        reach = int(tuning.window_days * MINUTES_A_DAY)
        # The last dates are compared first, because they are near for most stories.
        return any(story.is_near(date, reach) for date in reversed(other.dates))

    def _score(self, story: LiveStory, other: LiveStory) -> float:
        """Return the mean score of the reports; -inf if the two stories must not be merged.

        In a story of several reports, more than half must fit the other story, so that one report that fits both does
        not connect them. A shared headline does not connect stories either, if each report of one story has a headline
        of the other story, but a body unlike its reports. Nor does a form, if a report of each story is of one series,
        or if they are of two releases.
        """
        if not story.reports or not other.reports:
            return -math.inf
        scores = self._lookup.scores(story.reports, other.reports)
        for means in (scores.mean(axis=1), scores.mean(axis=0)):
            if (
                len(means) > 1
                and np.sort(means)[(len(means) - 1) // 2] < self._tuning.threshold
            ):
                return -math.inf
        score = float(scores.mean())
        if score >= self._need and (
            self._are_foreign(story, other)
            or self._are_foreign(other, story)
            or self._lookup.are_apart(story.reports, other.reports, story.number)
        ):
            return -math.inf
        return score

    def _are_foreign(self, story: LiveStory, other: LiveStory) -> bool:
        return all(
            self._lookup.is_foreign(report, other.reports) for report in story.reports
        )
