"""Second look: repeated decisions about recently changed stories.

`cluster.events.reassess` decides; this module reads its inputs and writes its decisions. A second look is due
by inbox number, before the first article of the next `reassess_every`, and covers the stories that changed
since the last one; so a replay of the same articles decides at the same moments.
"""

from collections.abc import Collection, Sequence

from aggregator.cluster.events.pair_features import Floats, PairArticle
from aggregator.cluster.events.reassess import ReportMove, StoryMerge, reassess_stories
from aggregator.cluster.events.weights import EventTuning
from aggregator.cluster.events.window import LiveStory, Window
from aggregator.model.core import Article, Evidence, Reason, RunnerUp
from aggregator.pipeline.placement.apply_corrections import Constraints
from aggregator.pipeline.placement.report_comparison import ReportComparison, has_report
from aggregator.pipeline.placement.story_writer import StoryWriter
from aggregator.pipeline.placement.stream import Stream
from aggregator.pipeline.placement.unit_of_work import UnitOfWork
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles, stories


class SecondLook:
    """Runs the second look when it is due."""

    def __init__(
        self,
        story_writer: StoryWriter,
        constraints: Constraints,
        tuning: EventTuning,
        comparison: ReportComparison,
        stream: Stream,
        rules_version: str,
    ) -> None:
        self._story_writer = story_writer
        self._constraints = constraints
        self._tuning = tuning
        self._comparison = comparison
        self._stream = stream
        self._version = rules_version
        self._last_run_no = -1  # the number of the period that was looked at last

    def forget(self) -> None:
        """Forget the last run: its transaction failed."""
        self._last_run_no = -1

    def before(self, unit_of_work: UnitOfWork, inbox_no: int) -> None:
        """Run the second look if it is due before the article of this inbox number is placed.

        An inbox number without an article (its entry was refused) changes nothing: periods without an article
        are run one by one.
        """
        every = self._tuning.reassess_every
        period = inbox_no // every
        if period == self._last_run_no:
            return
        self._last_run_no = period
        last = self._story_writer.last_membership_change(unit_of_work.connection) // every
        while last < period and self._run(unit_of_work, last * every, at_no=(last + 1) * every):
            last += 1

    def _run(self, unit_of_work: UnitOfWork, since: int, *, at_no: int) -> bool:
        """Reassess the stories that changed since the last run; return whether anything was changed."""
        touched = self._story_writer.changed_since(unit_of_work, since)
        return bool(touched) and self._reassess(unit_of_work, touched, at_no=at_no)

    def look_at(self, unit_of_work: UnitOfWork, article: str, *, at_no: int) -> str:
        """Reassess the story of one article at once; return the story of the article afterwards.

        A story that the article alone made does not bump the one that it is merged into.
        """
        connection = unit_of_work.connection
        story = stories.row_of(connection, articles.assigned_stories(connection, [article])[article])
        if story is not None:
            silent = {story.id} if story.report_count == 1 else set()
            self._reassess(unit_of_work, [story.story_no], at_no=at_no, silent=silent)
        return articles.assigned_stories(connection, [article])[article]

    def _reassess(
        self, unit_of_work: UnitOfWork, numbers: Sequence[int], *, at_no: int, silent: Collection[str] = ()
    ) -> bool:
        unit_of_work.ledger.write()
        self._stream.read_last(unit_of_work)
        window = self._story_writer.window(unit_of_work.connection)
        view = _StoryLookup(
            unit_of_work.connection, window, self._constraints, self._comparison, self._stream
        )
        changes = reassess_stories(numbers, view, self._tuning)
        ids = {number: window.story(number).id for change in changes for number in change.numbers}
        for change in changes:
            # Changed at the first number of this period, so the next run covers these stories.
            if isinstance(change, StoryMerge):
                self._merge(unit_of_work, change, ids, at_no, silent)
            else:
                self._move(unit_of_work, change, ids, at_no, view.reasons(change))
        return bool(changes)

    def _merge(
        self,
        unit_of_work: UnitOfWork,
        change: StoryMerge,
        ids: dict[int, str],
        at_no: int,
        silent: Collection[str],
    ) -> None:
        kept, gone = ids[change.kept], ids[change.gone]
        ids[change.kept] = self._story_writer.unite(
            unit_of_work,
            (kept, gone),
            at_no=at_no,
            silent=silent,
            reason="second look",
            score=change.score,
            need=change.need,
        )

    def _move(
        self,
        unit_of_work: UnitOfWork,
        change: ReportMove,
        ids: dict[int, str],
        at_no: int,
        reasons: tuple[Reason, ...],
    ) -> None:
        origin = ids[change.source]
        target = ids[change.target]
        if articles.assigned_stories(unit_of_work.connection, [change.article])[change.article] != origin:
            return  # it moved along with its original
        leaving = self._story_writer.with_copies(unit_of_work.connection, [change.article], origin)
        connection = unit_of_work.connection
        if not self._constraints.may_leave(connection, leaving) or not self._constraints.may_join(
            connection, leaving, target
        ):
            return  # a copy has a constraint
        evidence = Evidence(
            stage="second look",
            score=change.score,
            need=change.need,
            bias=self._comparison.model.bias,
            reasons=reasons,
            runner_up=RunnerUp(story=origin, score=change.own, need=change.need),
            rules_version=self._version,
            reuse=articles.evidence_of(unit_of_work.connection, change.article).reuse,
        )
        followers = [one for one in leaving if one != change.article]
        evidence = self._comparison.with_agreement(unit_of_work.connection, change.article, target, evidence)
        articles.set_evidence(unit_of_work.connection, change.article, evidence)
        new = self._story_writer.move(unit_of_work, leaving, target, at_no=at_no, founder=change.article)
        ids[change.target] = new
        why: dict[str, str | float | None] = {
            "reason": "second look",
            "score": change.score,
            "need": change.need,
            "own": change.own,
        }
        for article in (change.article, *followers):
            unit_of_work.ledger.log(unit_of_work.now, origin, "moved", article=article, to=new, **why)
            left = {"from": origin, **why}
            unit_of_work.ledger.log(unit_of_work.now, new, "moved", article=article, **left)


class _StoryLookup:
    """The inputs of the second look, from the window, which changes only after it."""

    def __init__(
        self,
        connection: Connection,
        window: Window,
        constraints: Constraints,
        comparison: ReportComparison,
        stream: Stream,
    ) -> None:
        self._connection = connection
        self._window = window
        self._constraints = constraints
        self._comparison = comparison
        self._stream = stream
        self._reports: dict[str, Article] = {}  # those that were asked for, by id

    def story(self, number: int) -> LiveStory | None:
        return self._window.get(number)

    def neighbours(self, number: int) -> Sequence[LiveStory]:
        return self._window.neighbours(number)

    def reports(self, number: int) -> Sequence[Article]:
        deciding = self._comparison.deciding(self._window.story(number))
        reports = [article for article in deciding if not article.is_container and article.terms]
        self._reports.update((report.id, report) for report in reports)
        return reports

    def scores(self, reports: Sequence[Article], others: Sequence[Article]) -> Floats:
        return self._comparison.logits(self._connection, self._decoded(reports), self._decoded(others))

    def _decoded(self, reports: Sequence[Article]) -> list[PairArticle]:
        return [self._comparison.article(report) for report in reports]

    def reasons(self, move: ReportMove) -> tuple[Reason, ...]:
        """Return what adds up to the score of a move."""
        own, *others = self._decoded([self._reports[id_] for id_ in (move.article, *move.reports)])
        return self._comparison.reasons(self._connection, own, others, move.shift)

    def shift(self) -> float:
        return self._stream.shift(self._connection)

    def has_report(self, number: int) -> bool:
        return has_report(self._comparison.newest(self._window.story(number)))

    def may_leave(self, article: str) -> bool:
        """Whether the article may move: only once, or similar stories would exchange it at every run."""
        was_moved = articles.evidence_of(self._connection, article).stage == "second look"
        return not was_moved and self._constraints.may_leave(self._connection, [article])

    def may_join(self, article: str, number: int) -> bool:
        return self._constraints.may_join(self._connection, [article], self._window.story(number).id)

    def is_foreign(self, report: Article, others: Sequence[Article]) -> bool:
        (own,) = self._decoded([report])
        return self._comparison.is_foreign(self._connection, own, self._decoded(others))

    def may_merge(self, one: int, other: int) -> bool:
        names = [self._window.story(number).id for number in (one, other)]
        return self._constraints.may_merge(self._connection, *names)
