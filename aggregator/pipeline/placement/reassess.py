"""Second look: repeated decisions about recently changed stories.

`cluster.events.reassess` decides; this module reads its inputs and writes its decisions. A second look is due
by inbox number, before the first article of the next `reassess_every`, and covers the stories that changed
since the last one; so a replay of the same articles decides at the same moments.
"""

from collections.abc import Collection, Sequence

from aggregator.cluster.events.pair_features import Floats, PairArticle
from aggregator.cluster.events.reassess import (
    CountedReport,
    ReportMove,
    StoryMerge,
    reassess_stories,
)
from aggregator.cluster.events.scorer import Candidate
from aggregator.cluster.events.story_index import StoryIndex
from aggregator.cluster.events.weights import EventTuning
from aggregator.model.core import Evidence, Reason, RunnerUp
from aggregator.pipeline.placement.apply_corrections import Constraints
from aggregator.pipeline.placement.report_comparison import ReportComparison, deciding, has_report
from aggregator.pipeline.placement.story_writer import StoryWriter, UnitOfWork
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles, stories
from aggregator.store.stories.articles import MemberRow


class SecondLook:
    """Runs the second look when it is due."""

    def __init__(
        self,
        story_writer: StoryWriter,
        constraints: Constraints,
        tuning: EventTuning,
        comparison: ReportComparison,
        rules_version: str,
    ) -> None:
        self._story_writer = story_writer
        self._constraints = constraints
        self._tuning = tuning
        self._comparison = comparison
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
        touched = self._story_writer.changed_since(unit_of_work.connection, since)
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
        index = self._story_writer.index(unit_of_work.connection)
        view = _StoryLookup(unit_of_work.connection, index, self._constraints, self._comparison)
        changes = reassess_stories(numbers, view, self._tuning)
        named = (number for change in changes for number in change.numbers)
        ids = {number: index.story(number).story for number in named}
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
    """The inputs of the second look, from the rows, which change only after it."""

    def __init__(
        self,
        connection: Connection,
        index: StoryIndex,
        constraints: Constraints,
        comparison: ReportComparison,
    ) -> None:
        self._connection = connection
        self._index = index
        self._constraints = constraints
        self._comparison = comparison
        self._rows: dict[int, Sequence[MemberRow]] = {}  # newest reports, by story
        self._row_of: dict[str, MemberRow] = {}  # by article

    def story(self, number: int) -> Candidate | None:
        return self._index.get(number)

    def neighbours(self, number: int) -> Sequence[Candidate]:
        near = self._index.neighbours(number)
        self._read([one for one in near if one.number not in self._rows])
        return near

    def _read(self, unread: Sequence[Candidate]) -> None:
        for number, rows in self._comparison.newest_reports(self._connection, unread).items():
            self._rows[number] = rows
            self._row_of |= {row.id: row for row in rows}

    def _newest(self, number: int) -> Sequence[MemberRow]:
        if number not in self._rows:
            self._read([self._index.story(number)])
        return self._rows[number]

    def reports(self, number: int) -> Sequence[CountedReport]:
        rows = [row for row in deciding(self._newest(number)) if row.role != "container" and row.terms]
        return [CountedReport(row.id, row.as_article()) for row in rows]

    def scores(self, reports: Sequence[CountedReport], others: Sequence[CountedReport]) -> Floats:
        return self._comparison.logits(self._connection, self._decoded(reports), self._decoded(others))

    def _decoded(self, reports: Sequence[CountedReport]) -> list[PairArticle]:
        return [self._comparison.article(self._row_of[one.id]) for one in reports]

    def reasons(self, move: ReportMove) -> tuple[Reason, ...]:
        """Return what adds up to the score of a move."""
        own, *others = (self._comparison.article(self._row_of[one]) for one in (move.article, *move.reports))
        return self._comparison.reasons(self._connection, own, others, move.shift)

    def shift(self) -> float:
        return self._comparison.shift(self._connection)

    def has_report(self, number: int) -> bool:
        return has_report(self._newest(number))

    def may_leave(self, article: str) -> bool:
        """Whether the article may move: only once, or similar stories would exchange it at every run."""
        was_moved = articles.evidence_of(self._connection, article).stage == "second look"
        return not was_moved and self._constraints.may_leave(self._connection, [article])

    def may_join(self, article: str, number: int) -> bool:
        return self._constraints.may_join(self._connection, [article], self._index.story(number).story)

    def is_foreign(self, report: CountedReport, others: Sequence[CountedReport]) -> bool:
        (own,) = self._decoded([report])
        return self._comparison.is_foreign(self._connection, own, self._decoded(others))

    def may_merge(self, one: int, other: int) -> bool:
        names = [self._index.story(number).story for number in (one, other)]
        return self._constraints.may_merge(self._connection, *names)
