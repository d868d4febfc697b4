"""The stories of one second look: as they are in the database, and as its changes have left them so far."""

from collections.abc import Iterable, Sequence
from copy import copy

from aggregator.grouping.pairs.pair_article import Floats
from aggregator.grouping.pairs.weights import EventTuning
from aggregator.grouping.second_look.reassignments import Reassignment, StoryMerge
from aggregator.grouping.second_look.story_lookup import StoryLookup
from aggregator.model.article import Article
from aggregator.store.stories.live_stories import LiveStory


class Look:
    """The stories of one second look, as its changes have left them so far."""

    def __init__(self, lookup: StoryLookup, tuning: EventTuning) -> None:
        self.lookup = lookup
        self.tuning = tuning
        self.changes: list[Reassignment] = []
        # None: the story was merged into another story, or is not to be looked at
        self._stories: dict[int, LiveStory | None] = {}

    def story(self, number: int) -> LiveStory | None:
        """Return a story; None if it is gone, or has live blogs and roundups only."""
        if number not in self._stories:
            live = self.lookup.story(number)
            story = None
            if live is not None and live.reports and not live.is_container_only:
                story = copy(live)  # the changes of the look must not reach the window
                story.reports = list(self.lookup.reports(number))
            self._stories[number] = story
        return self._stories[number]

    def stories(self, numbers: Iterable[int]) -> list[LiveStory]:
        """Return the stories that are looked at among these numbers."""
        stories = map(self.story, numbers)
        return [story for story in stories if story is not None]

    def near(self, number: int) -> list[LiveStory]:
        """Return the nearest other stories of a story."""
        near = self.lookup.neighbours(number)[: self.tuning.reassess_neighbours]
        return self.stories(live.number for live in near)

    def scores(self, reports: Sequence[Article], others: Sequence[Article]) -> Floats:
        """Return the score of each report with each of the others, including the shift of the stream."""
        return self.lookup.scores(reports, others) + self.shift(reports, others)

    def shift(self, reports: Iterable[Article], others: Iterable[Article]) -> float:
        """Return the shift of the stream for the score of reports with others."""
        return self.lookup.shift([*reports, *others])

    def merge(
        self, story: LiveStory, other: LiveStory, score: float, need: float
    ) -> tuple[LiveStory, LiveStory]:
        """Merge two stories and return the surviving one and the other.

        A story with a report survives a story of opinions only; then the story with more reports survives, and
        then the older story.
        """

        def rank(merged: LiveStory) -> tuple[bool, int, int]:
            has_report = self.lookup.has_report(merged.number)
            return not has_report, -merged.compared_count, merged.number

        kept, gone = sorted((story, other), key=rank)
        kept.take_in(gone)
        self._stories[gone.number] = None
        self.changes.append(StoryMerge(kept.number, gone.number, score, need))
        return kept, gone
