"""Second look: repeated decisions about recently changed stories.

reassess.py decides; this module reads its inputs and writes its decisions. A second look is due
by inbox number, before the first article of the next `reassess_every`, and covers the stories that changed
since the last one; so a replay of the same articles decides at the same moments.
"""

import itertools
from collections.abc import Sequence, Set

from aggregator.grouping.changes import Merge, Move
from aggregator.grouping.copies.series import is_kept_apart
from aggregator.grouping.pairs.pair_article import Floats, PairArticle
from aggregator.grouping.pairs.pair_model import shift_between
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.report_comparison import ReportComparison, has_report
from aggregator.grouping.second_look.reassess import reassess_stories
from aggregator.grouping.second_look.state import ReportMove, StoryMerge
from aggregator.grouping.stream import NewsStream
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.window import LiveStory, Window, live_story
from aggregator.grouping.write.copy_families import with_copies
from aggregator.model.core import Article, Evidence, Reason, RunnerUp
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles, live_stories, stories
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.corrections import Constraints
from aggregator.store.stories.standing import sender_of

_ASKED = 128  # reports of a story that is merged (limit: each takes some milliseconds)


class SecondLook:
    """Runs the second look when it is due."""

    def __init__(self, parts: GroupingParts) -> None:
        self._story_writer = parts.story_writer
        self._constraints = parts.constraints
        self._tuning = parts.model.tuning
        self._comparison = parts.comparison
        self._stream = parts.stream
        self._version = parts.rules_version
        self._last_run_no = -1  # the number of the period that was looked at last

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
        last = self._story_writer.window.last_change(unit_of_work.connection) // every
        while last < period and self._run(
            unit_of_work, last * every, at_no=(last + 1) * every
        ):
            last += 1

    def _run(self, unit_of_work: UnitOfWork, since: int, *, at_no: int) -> bool:
        """Reassess the stories that changed since the last run; return whether anything was changed."""
        unit_of_work.ledger.write()
        touched = stories.membership_changed_since(unit_of_work.connection, since)
        return bool(touched) and self._reassess(unit_of_work, touched, at_no=at_no)

    def look_at(self, unit_of_work: UnitOfWork, article: str, *, at_no: int) -> str:
        """Reassess the story of one article at once; return the story of the article afterwards.

        A story that the article alone made does not bump the one that it is merged into.
        """
        connection = unit_of_work.connection
        story = stories.row_of(
            connection, articles.assigned_stories(connection, [article])[article]
        )
        if story is not None:
            silent = frozenset({story.id} if story.report_count == 1 else ())
            self._reassess(unit_of_work, [story.story_no], at_no=at_no, silent=silent)
        return articles.assigned_stories(connection, [article])[article]

    def _reassess(
        self,
        unit_of_work: UnitOfWork,
        numbers: Sequence[int],
        *,
        at_no: int,
        silent: frozenset[str] = frozenset(),
    ) -> bool:
        """Decide about these stories and carry it out; return whether anything was changed."""
        unit_of_work.ledger.write()
        self._stream.read_last(unit_of_work)
        connection = unit_of_work.connection
        window = self._story_writer.window.current(connection)
        view = _StoryLookup(
            connection, window, self._constraints, self._comparison, self._stream
        )
        decided = reassess_stories(numbers, view, self._tuning)
        ids = {
            number: window.story(number).id for one in decided for number in one.numbers
        }
        for one in decided:
            # Changed at the first number of this period, so the next run covers these stories.
            if isinstance(one, StoryMerge):
                self._ask_strangers(connection, ids[one.kept], ids[one.gone])
                merge = Merge(
                    stories=(ids[one.kept], ids[one.gone]),
                    at_no=at_no,
                    reason="second look",
                    silent=silent,
                    score=one.score,
                    need=one.need,
                )
                ids[one.kept] = self._story_writer.apply(unit_of_work, merge)
            else:
                self._move(unit_of_work, one, ids, at_no, view.reasons(one))
        return bool(decided)

    def _ask_strangers(self, connection: Connection, kept: str, gone: str) -> None:
        """Ask the reports of a story whether they agree with the one with which it is merged.

        That is a story without standing that meets one with, or one of a single sender that meets several:
        nobody else was asked about it.
        """
        stories_met = [
            live_story(rows) for rows in live_stories.named(connection, (kept, gone))
        ]
        for story, other in itertools.permutations(stories_met, 2):
            if _rank(story) >= _rank(other) or not all(
                report.is_little_known for report in story.reports
            ):
                continue
            for report in articles.members(connection, story.id)[:_ASKED]:
                evidence = articles.evidence_of(connection, report.id)
                if report.role == "report" and evidence.stage != "correction":
                    evidence = self._comparison.with_agreement(
                        connection, report.id, other.id, evidence
                    )
                    article_writes.set_evidence(connection, report.id, evidence)

    def _move(
        self,
        unit_of_work: UnitOfWork,
        decided: ReportMove,
        ids: dict[int, str],
        at_no: int,
        reasons: tuple[Reason, ...],
    ) -> None:
        """Move a report with its copies, unless a correction binds one of them."""
        connection, report = unit_of_work.connection, decided.article
        origin, target = ids[decided.source], ids[decided.target]
        if articles.assigned_stories(connection, [report])[report] != origin:
            return  # it moved along with its original
        leaving = with_copies(connection, [report], origin)
        if not self._constraints.may_leave(connection, leaving):
            return
        if not self._constraints.may_join(connection, leaving, target):
            return
        evidence = self._evidence(connection, decided, origin, reasons)
        evidence = self._comparison.with_agreement(connection, report, target, evidence)
        article_writes.set_evidence(connection, report, evidence)
        move = Move(articles=tuple(leaving), target=target, at_no=at_no, founder=report)
        ids[decided.target] = self._story_writer.apply(unit_of_work, move)
        followers = [article for article in leaving if article != report]
        _log_move(
            unit_of_work, [report, *followers], origin, ids[decided.target], decided
        )

    def _evidence(
        self,
        connection: Connection,
        decided: ReportMove,
        origin: str,
        reasons: tuple[Reason, ...],
    ) -> Evidence:
        """Return why a report moves; its own story is the runner-up."""
        return Evidence(
            stage="second look",
            score=decided.score,
            need=decided.need,
            bias=self._comparison.model.bias,
            reasons=reasons,
            runner_up=RunnerUp(story=origin, score=decided.own, need=decided.need),
            rules_version=self._version,
            reuse=articles.evidence_of(connection, decided.article).reuse,
        )


def _rank(story: LiveStory) -> tuple[bool, bool]:
    """Return whether a story has a report with standing, and whether several senders report it."""
    has_standing = any(not report.is_little_known for report in story.reports)
    return has_standing, len({sender_of(report) for report in story.reports}) > 1


def _log_move(
    unit_of_work: UnitOfWork,
    moved: Sequence[str],
    origin: str,
    target: str,
    decided: ReportMove,
) -> None:
    ledger, now = unit_of_work.ledger, unit_of_work.now
    scores = {"score": decided.score, "need": decided.need, "own": decided.own}
    for article in moved:
        ledger.log(
            now,
            origin,
            "moved",
            article=article,
            to=target,
            reason="second look",
            **scores,
        )
        came: dict[str, str | float | None] = {
            "from": origin,
            "reason": "second look",
            **scores,
        }
        ledger.log(now, target, "moved", article=article, **came)


class _StoryLookup:
    """The inputs of the second look, from the window, which changes only after it."""

    def __init__(
        self,
        connection: Connection,
        window: Window,
        constraints: Constraints,
        comparison: ReportComparison,
        stream: NewsStream,
    ) -> None:
        self._connection = connection
        self._window = window
        self._constraints = constraints
        self._comparison = comparison
        self._stream_shift = stream.shift(connection)  # the same during the whole look
        self._reports: dict[str, Article] = {}  # those that were asked for, by id

    def story(self, number: int) -> LiveStory | None:
        return self._window.get(number)

    def neighbours(self, number: int) -> Sequence[LiveStory]:
        return self._window.neighbours(number)

    def reports(self, number: int) -> Sequence[Article]:
        deciding = self._comparison.deciding(self._window.story(number))
        reports = [
            article
            for article in deciding
            if not article.is_container and article.terms
        ]
        self._reports.update((report.id, report) for report in reports)
        return reports

    def scores(self, reports: Sequence[Article], others: Sequence[Article]) -> Floats:
        return self._comparison.logits(
            self._connection, self._decoded(reports), self._decoded(others)
        )

    def _decoded(self, reports: Sequence[Article]) -> list[PairArticle]:
        return [self._comparison.article(report) for report in reports]

    def reasons(self, move: ReportMove) -> tuple[Reason, ...]:
        """Return what adds up to the score of a move."""
        own, *others = self._decoded(
            [self._reports[id_] for id_ in (move.article, *move.reports)]
        )
        return self._comparison.reasons(self._connection, own, others, move.shift)

    def shift(self, sources: Set[str]) -> float:
        return shift_between(self._stream_shift, sources, self._comparison.tuning)

    def has_report(self, number: int) -> bool:
        return has_report(self._comparison.newest(self._window.story(number)))

    def may_leave(self, article: str) -> bool:
        """Whether the article may move: only once, or similar stories would exchange it at every run."""
        was_moved = (
            articles.evidence_of(self._connection, article).stage == "second look"
        )
        return not was_moved and self._constraints.may_leave(
            self._connection, [article]
        )

    def may_join(self, article: str, number: int) -> bool:
        return self._constraints.may_join(
            self._connection, [article], self._window.story(number).id
        )

    def is_foreign(self, report: Article, others: Sequence[Article]) -> bool:
        (own,) = self._decoded([report])
        return self._comparison.is_foreign(self._connection, own, self._decoded(others))

    def are_apart(
        self, reports: Sequence[Article], others: Sequence[Article], number: int
    ) -> bool:
        further = list(reports)
        for story in self.neighbours(number):
            further += self.reports(story.number)
        return any(
            is_kept_apart(self._connection, report, others, further)
            for report in reports
        )

    def may_merge(self, one: int, other: int) -> bool:
        names = [self._window.story(number).id for number in (one, other)]
        return self._constraints.may_merge(self._connection, *names)
