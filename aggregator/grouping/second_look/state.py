"""The stories of one second look: as the database has them, and as its changes have left them so far."""

from collections.abc import Iterable, Sequence, Set
from typing import Protocol

import msgspec
import numpy as np

from aggregator.grouping.pairs.pair_article import Floats
from aggregator.grouping.pairs.weights import EventTuning
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

    Which id survives is decided when it is written. Later changes of this second look call the story `kept`.
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
        """Return the reports of a story that decide what joins it, in the order of `decides_before`."""

    def neighbours(self, number: int) -> Sequence[LiveStory]:
        """Return other live stories that share terms with the story and are in its window, best first."""

    def scores(
        self, reports: Sequence[Article], others: Sequence[Article], /
    ) -> Floats:
        """Return the logit of each report with each other one: a row a report. Remembers them."""

    def shift(self, sources: Set[str], /) -> float:
        """Return what the stream adds to a score of reports of these sources."""

    def has_report(self, number: int, /) -> bool:
        """Return whether a counted article of the story is a report, no opinion and no explainer."""

    def may_leave(self, article: str, /) -> bool:
        """Return False if a correction keeps the article in its story."""

    def may_join(self, article: str, number: int, /) -> bool:
        """Return False if a correction keeps the article out of the story."""

    def is_foreign(self, report: Article, others: Sequence[Article], /) -> bool:
        """Return whether a report has the headline of one of the others, but a body unlike theirs."""

    def are_apart(
        self, reports: Sequence[Article], others: Sequence[Article], number: int, /
    ) -> bool:
        """Return whether a report and one of the others are of one series, or two releases.

        A third entry of the series is searched in both, and near the story of this number.
        """

    def may_merge(self, one: int, other: int, /) -> bool:
        """Return False if a correction keeps the two stories apart."""


class LookedAtStory:
    """The present state of a story during one second look."""

    def __init__(self, live: LiveStory, reports: Sequence[Article]) -> None:
        self.number = live.number
        self.live = live
        self.reports = list(reports)
        self.dates = np.array(live.dates, dtype=np.int64)  # in minutes, sorted
        self.article_count = live.article_count
        self.compared_count = live.compared_count
        self.last_inbox_no = live.last_inbox_no

    def take_in(self, gone: "LookedAtStory") -> None:
        """Take in all articles of another story; as many reports stay as the larger one had."""
        most = max(len(self.reports), len(gone.reports))
        reports = [*self.reports, *gone.reports]
        self.reports = sorted(reports, key=lambda report: -report.inbox_no)[:most]
        self.dates = np.sort(np.concatenate((self.dates, gone.dates)))
        self.article_count += gone.article_count
        self.compared_count += gone.compared_count
        self.last_inbox_no = max(self.last_inbox_no, gone.last_inbox_no)


class Look:
    """The stories of one second look, as its changes have left them so far."""

    def __init__(self, lookup: StoryLookup, tuning: EventTuning) -> None:
        self.lookup = lookup
        self.tuning = tuning
        self.changes: list[Reassignment] = []
        self._stories: dict[
            int, LookedAtStory | None
        ] = {}  # None: merged into another one, or not to be looked at

    def story(self, number: int) -> LookedAtStory | None:
        """Return a story; None if it is gone, or has live blogs and roundups only."""
        if number not in self._stories:
            live = self.lookup.story(number)
            story = None
            if live is not None and live.reports and not live.is_container_only:
                story = LookedAtStory(live, self.lookup.reports(number))
            self._stories[number] = story
        return self._stories[number]

    def stories(self, numbers: Iterable[int]) -> list[LookedAtStory]:
        """Return those of these stories that are looked at."""
        stories = map(self.story, numbers)
        return [story for story in stories if story is not None]

    def near(self, number: int) -> list[LookedAtStory]:
        """Return the nearest other stories of a story."""
        near = self.lookup.neighbours(number)[: self.tuning.reassess_neighbours]
        return [
            story
            for story in self.stories(live.number for live in near)
            if story.number != number
        ]

    def scores(self, reports: Sequence[Article], others: Sequence[Article]) -> Floats:
        """Return the score of each report with each other one, with what the stream adds."""
        return self.lookup.scores(reports, others) + self.shift(reports, others)

    def shift(self, reports: Iterable[Article], others: Iterable[Article]) -> float:
        """Return what the stream adds to the score of reports with others."""
        return self.lookup.shift({report.source for report in (*reports, *others)})

    def merge(
        self, story: LookedAtStory, other: LookedAtStory, score: float, need: float
    ) -> tuple[LookedAtStory, LookedAtStory]:
        """Merge two stories and return the surviving one and the other.

        A story with a report survives one of opinions only, then that with more reports, then the older one.
        """
        kept, gone = sorted(
            (story, other),
            key=lambda one: (
                not self.lookup.has_report(one.number),
                -one.compared_count,
                one.number,
            ),
        )
        kept.take_in(gone)
        self._stories[gone.number] = None
        self.changes.append(StoryMerge(kept.number, gone.number, score, need))
        return kept, gone
