"""Merge stories whose newest reports agree on average, the closest pair first."""

import heapq
from collections import defaultdict

import numpy as np

from aggregator.grouping.pairs.weights import MINUTES_A_DAY
from aggregator.grouping.second_look.state import Look
from aggregator.store.stories.live_stories import LiveStory


class Merging:
    """Merges stories as long as a pair is close enough, the closest first."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._need = look.tuning.threshold + look.tuning.reassess_gain
        # A heap: the negative score, and the pair
        self._waiting: list[tuple[float, int, int]] = []
        self._near: defaultdict[int, set[int]] = defaultdict(set)
        # The score of each pair of stories, the lower number first
        self._scores: dict[tuple[int, int], float] = {}

    def propose_near(self, number: int) -> None:
        """Propose a story with each story near it."""
        story = self._look.story(number)
        if story is None:
            return
        near = self._look.near(number)
        reports = []
        for other in near:
            if self._may_be_one(story, other):
                reports += other.reports
        self._look.scores(story.reports, reports)  # all at once, which is faster
        for other in near:
            self._propose(story, other)

    def merge_closest(self) -> None:
        """Merge the proposed pairs; a merged story is proposed again with all stories near both."""
        while self._waiting:
            score, first, second = heapq.heappop(self._waiting)
            story = self._look.story(first)
            other = self._look.story(second)
            if (
                story is None
                or other is None
                or self._scores.get((first, second)) != -score
            ):
                continue
            kept, gone = self._look.merge(story, other, -score, self._need)
            around = self._near[kept.number] | self._near[gone.number]
            self._scores = {
                pair: score
                for pair, score in self._scores.items()
                if kept.number not in pair
            }
            for beside in self._look.stories(
                sorted(around - {kept.number, gone.number})
            ):
                self._propose(kept, beside)

    def _propose(self, story: LiveStory, other: LiveStory) -> None:
        self._near[story.number].add(other.number)
        self._near[other.number].add(story.number)
        pair = min(story.number, other.number), max(story.number, other.number)
        if pair not in self._scores and self._may_be_one(story, other):
            score = self._scores[pair] = self._score(story, other)
            if score >= self._need:
                heapq.heappush(self._waiting, (-score, *pair))

    def _may_be_one(self, story: LiveStory, other: LiveStory) -> bool:
        tuning = self._look.tuning
        if story.article_count + other.article_count > tuning.story_cap:
            return False
        if not self._look.lookup.may_merge(story.number, other.number):
            return False
        # The nearest dates (inbox numbers if one has no dates) are within the window.
        if not story.dates or not other.dates:
            apart = abs(story.last_inbox_no - other.last_inbox_no)
            return apart <= tuning.undated_reach
        reach = tuning.window_days * MINUTES_A_DAY
        if abs(story.dates[-1] - other.dates[-1]) <= reach:
            # Decides for most stories without the search below
            return True
        left = np.array(story.dates, np.int64)
        right = np.array(other.dates, np.int64)
        spots = np.searchsorted(left, right)
        below = np.abs(left[np.maximum(spots - 1, 0)] - right)
        above = np.abs(left[np.minimum(spots, len(left) - 1)] - right)
        return int(np.minimum(below, above).min()) <= reach

    def _score(self, story: LiveStory, other: LiveStory) -> float:
        """Return the mean score of the reports; -inf unless at least half of each story's fit the other.

        So one report that fits two stories does not connect them. Nor does a headline: it is -inf, too, if all
        bodies of a story under a headline of the other are foreign to it. Nor does a form: it is -inf if a
        report of each story is of one series, or of two releases.
        """
        if not story.reports or not other.reports:
            return -np.inf
        scores = self._look.scores(story.reports, other.reports)
        for means in (scores.mean(axis=1), scores.mean(axis=0)):
            if (
                len(means) > 1
                and np.sort(means)[(len(means) - 1) // 2] < self._look.tuning.threshold
            ):
                return -np.inf
        score = float(scores.mean())
        if score >= self._need and (
            self._are_foreign(story, other)
            or self._are_foreign(other, story)
            or self._look.lookup.are_apart(story.reports, other.reports, story.number)
        ):
            return -np.inf
        return score

    def _are_foreign(self, story: LiveStory, other: LiveStory) -> bool:
        return all(
            self._look.lookup.is_foreign(report, other.reports)
            for report in story.reports
        )
