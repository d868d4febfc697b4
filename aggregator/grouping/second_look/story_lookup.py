"""Read stories and articles for a second look, as they were before it: the window changes only after it."""

from collections.abc import Sequence

from aggregator.grouping.copies.series import is_kept_apart
from aggregator.grouping.pairs.pair_article import Floats, PairArticle
from aggregator.grouping.pairs.pair_model import shift_between
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.scores.report_comparison import has_report
from aggregator.grouping.second_look.reassignments import ReportMove
from aggregator.model.article import Article
from aggregator.model.evidence import Reason
from aggregator.store.engine.database import Connection
from aggregator.store.stories import stored_articles
from aggregator.store.stories.live_stories import LiveStory


class StoryLookup:
    """The inputs of one second look."""

    def __init__(self, parts: GroupingParts, connection: Connection) -> None:
        self._connection = connection
        self._window = parts.window.current(connection)
        self._constraints = parts.constraints
        self._comparison = parts.comparison
        # One shift for the whole look
        self._stream_shift = parts.stream.shift(connection)
        # The requested reports by id
        self._reports: dict[str, Article] = {}

    def story(self, number: int) -> LiveStory | None:
        """Return a live story, or None if there is none with this number (any more)."""
        return self._window.get(number)

    def id_of(self, number: int) -> str:
        """Return the id of a live story."""
        return self._window.story(number).id

    def neighbours(self, number: int) -> Sequence[LiveStory]:
        """Return other live stories that share terms with the story and are in its window, best first."""
        return self._window.neighbours(number)

    def reports(self, number: int) -> Sequence[Article]:
        """Return the reports of a story that decide which articles join it, in the order of `decides_before`."""
        reports = []
        for report in self._comparison.deciding(self._window.story(number)):
            if report.terms and not report.is_container:
                reports.append(report)
                self._reports[report.id] = report
        return reports

    def scores(self, reports: Sequence[Article], others: Sequence[Article]) -> Floats:
        """Return the logit of each report with each of the others, a row for each report, and remember the reports."""
        return self._comparison.logits(
            self._connection, self._decode(reports), self._decode(others)
        )

    def _decode(self, reports: Sequence[Article]) -> list[PairArticle]:
        return [self._comparison.article(report) for report in reports]

    def reasons(self, move: ReportMove) -> tuple[Reason, ...]:
        """Return the reasons that add up to the score of a move."""
        reports = [self._reports[id_] for id_ in (move.article, *move.reports)]
        article, *others = self._decode(reports)
        return self._comparison.reasons(self._connection, article, others, move.shift)

    def shift(self, reports: Sequence[Article]) -> float:
        """Return the shift of the stream for a score of these reports."""
        return shift_between(self._stream_shift, reports, self._comparison.tuning)

    def has_report(self, number: int) -> bool:
        """Return whether a counted article of the story is a report, not an opinion or an explainer."""
        return has_report(self._comparison.newest(self._window.story(number)))

    def may_leave(self, article: str) -> bool:
        """Return whether an article may move: only once, and if no correction keeps it in its story.

        Otherwise similar stories would exchange the article at every run.
        """
        evidence = stored_articles.evidence_of(self._connection, article)
        return evidence.stage != "second look" and self._constraints.may_leave(
            self._connection, [article]
        )

    def may_join(self, article: str, number: int) -> bool:
        """Return False if a correction keeps the article out of the story."""
        return self._constraints.may_join(
            self._connection, [article], self.id_of(number)
        )

    def is_foreign(self, report: Article, others: Sequence[Article]) -> bool:
        """Return whether a report has the headline of one of the others, but a body unlike theirs."""
        (decoded,) = self._decode([report])
        return self._comparison.is_foreign(
            self._connection, decoded, self._decode(others)
        )

    def are_apart(
        self, reports: Sequence[Article], others: Sequence[Article], number: int
    ) -> bool:
        """Return whether a report and one of the others are of one series, or two releases.

        A third entry of the series is searched in both, and near the story of this number.
        """
        further = list(reports)
        for story in self.neighbours(number):
            further += self.reports(story.number)
        return any(
            is_kept_apart(self._connection, report, others, further)
            for report in reports
        )

    def may_merge(self, number: int, other: int) -> bool:
        """Return False if a correction keeps the two stories apart."""
        return self._constraints.may_merge(
            self._connection, self.id_of(number), self.id_of(other)
        )
