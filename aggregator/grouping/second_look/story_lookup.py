"""Read stories and articles for a second look, as they were before its changes are written."""

from collections.abc import Sequence

from aggregator.grouping.copies.series import is_kept_apart
from aggregator.grouping.grouping_services import GroupingServices
from aggregator.grouping.pairs.pair_article import Floats
from aggregator.grouping.pairs.pair_model import shift_between
from aggregator.model.article import Article
from aggregator.model.evidence import Reason
from aggregator.store.engine.database import Connection
from aggregator.store.stories import stored_articles
from aggregator.store.stories.live_stories import LiveStory


class StoryLookup:
    """The inputs of one second look. The stories passed to it may be changed copies of the stories in the window."""

    def __init__(self, services: GroupingServices, connection: Connection) -> None:
        self._connection = connection
        self._window = services.window.current(connection)
        self._constraints = services.constraints
        self._comparison = services.comparison
        # The shift of the stream is the same for the whole look
        self._shift = services.stream.shift(connection)

    def story(self, number: int) -> LiveStory | None:
        """Return the live story with this number; None if there is none."""
        return self._window.get(number)

    def neighbours(self, number: int) -> Sequence[LiveStory]:
        """Return other live stories that share terms with the story and may be near it in time, best first."""
        return self._window.neighbours(number)

    def reports(self, story: LiveStory) -> list[Article]:
        """Return the reports of a live story that decide which articles join it, in the order of `decides_before`."""
        return [
            report
            for report in self._comparison.deciding(story)
            if report.terms and not report.is_container
        ]

    def scores(self, reports: Sequence[Article], others: Sequence[Article]) -> Floats:
        """Return the score of each report with each of the others, a row for each report."""
        logits = self._comparison.logits(self._connection, reports, others)
        return logits + self._shift_of([*reports, *others])

    def _shift_of(self, reports: Sequence[Article]) -> float:
        """Return the shift of the stream for a score of these reports."""
        return shift_between(self._shift, reports, self._comparison.tuning)

    def reasons(self, report: Article, others: Sequence[Article]) -> tuple[Reason, ...]:
        """Return the reasons that add up to the score of a report with others."""
        shift = self._shift_of([report, *others])
        return self._comparison.reasons(self._connection, report, others, shift)

    def has_opinions_only(self, story: LiveStory) -> bool:
        """Return whether a story with reports has opinions and explainers only."""
        return self._window.story(story.number).reports[0].is_opinion

    def may_leave(self, article: str) -> bool:
        """Return whether an article may move: only once, and only if no correction keeps it in its story.

        If it could move several times, similar stories would exchange the article at every run.
        """
        evidence = stored_articles.read_evidence(self._connection, article)
        return evidence.stage != "second look" and self._constraints.may_leave(
            self._connection, [article]
        )

    def may_join(self, article: str, story: LiveStory) -> bool:
        """Return False if a correction keeps the article out of the story."""
        return self._constraints.may_join(self._connection, [article], story.id)

    def is_foreign(self, report: Article, others: Sequence[Article]) -> bool:
        """Return whether a report has the headline of one of the others, but a body unlike theirs."""
        return self._comparison.is_foreign(
            self._connection, self._comparison.decoded(report), others
        )

    def are_apart(
        self, reports: Sequence[Article], others: Sequence[Article], number: int
    ) -> bool:
        """Return whether a report and one of the others are of one series, or of two releases.

        A third entry of the series is searched among both and in the neighbours of the story with this number.
        """
        further = list(reports)
        for story in self.neighbours(number):
            further += self.reports(story)
        return any(
            is_kept_apart(self._connection, report, others, further)
            for report in reports
        )

    def may_merge(self, story: LiveStory, other: LiveStory) -> bool:
        """Return False if a correction keeps the two stories apart."""
        return self._constraints.may_merge(self._connection, story.id, other.id)
