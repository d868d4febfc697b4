"""The second look, carried out: stories that changed lately are asked again whether their reports belong.

`cluster.events.reassess` decides; here it is told what the rows say, and what it decides is written. A look
is due
by inbox numbers, before the first article of the next `look_every`, and goes over the stories that were
touched since the last one; so a replay of the same articles looks at the same moments.
"""

from collections.abc import Sequence

from aggregator.cluster.events import centroid
from aggregator.cluster.events.centroid import Centroid
from aggregator.cluster.events.reassess import (
    CountedReport,
    Reassignment,
    ReportMove,
    StoryMerge,
    reassess_stories,
)
from aggregator.cluster.events.scorer import Candidate, Scorer, ScoringInput
from aggregator.cluster.vetoes.vetoes import VetoInput, VetoTuning, objections
from aggregator.model.core import Evidence, Reason, RunnerUp
from aggregator.pipeline.placement.constraints import Constraints
from aggregator.pipeline.placement.story_writer import StoryWriter, UnitOfWork
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles, stories

_REASONS_LOGGED = 4
VETO_INPUTS = 8  # newest reports of a story that a veto compares with


class SecondLook:
    """Looks again where it is due."""

    def __init__(
        self,
        story_writer: StoryWriter,
        constraints: Constraints,
        scorer: Scorer,
        veto_rules: VetoTuning,
        rules_version: str,
    ) -> None:
        self._story_writer = story_writer
        self._constraints = constraints
        self._scorer = scorer
        self._veto_rules = veto_rules
        self._version = rules_version
        self._last_run_no = -1  # the number of the period that was looked at last

    def forget(self) -> None:
        """The transaction in which it looked has failed."""
        self._last_run_no = -1

    def before(self, unit_of_work: UnitOfWork, inbox_no: int) -> None:
        """Look, as often as that is due before the article of this inbox number is placed.

        A number that no article has (its entry was refused) changes nothing: periods that passed without an
        article are gone through one by one, as they would be with one article in each.
        """
        every = self._scorer.model.tuning.look_every
        period = inbox_no // every
        if period == self._last_run_no:
            return
        self._last_run_no = period
        last = self._story_writer.last_membership_change(unit_of_work.connection) // every
        while last < period and self._run(unit_of_work, last * every, at_no=(last + 1) * every):
            last += 1

    def _run(self, unit_of_work: UnitOfWork, since: int, *, at_no: int) -> bool:
        """Look at the stories that were touched since; whether anything was changed, as of number `at_no`."""
        touched = stories.membership_changed_since(unit_of_work.connection, since)
        if not touched:
            return False
        view = _StoryLookup(
            unit_of_work.connection, self._story_writer, self._constraints, self._scorer, self._veto_rules
        )
        ids = _Ids(unit_of_work.connection)
        changes = reassess_stories(touched, view, self._scorer)
        for change in changes:
            # Touched at this period's first number: the next look goes over what this one changed.
            self._carry_out(unit_of_work, change, ids, at_no=at_no)
        return bool(changes)

    def _carry_out(self, unit_of_work: UnitOfWork, change: Reassignment, ids: "_Ids", *, at_no: int) -> None:
        if isinstance(change, StoryMerge):
            self._merge(unit_of_work, change, ids, at_no)
        else:
            self._move(unit_of_work, change, ids, at_no)

    def _merge(self, unit_of_work: UnitOfWork, change: StoryMerge, ids: "_Ids", at_no: int) -> None:
        kept, gone = ids[change.kept], ids[change.gone]
        ids[change.kept] = self._story_writer.join(
            unit_of_work,
            kept,
            gone,
            at_no=at_no,
            reason="second look",
            score=change.score,
            need=change.need,
            because=_strongest(change.reasons),
        )

    def _move(self, unit_of_work: UnitOfWork, change: ReportMove, ids: "_Ids", at_no: int) -> None:
        origin = ids[change.source]
        target = None if change.target is None else ids[change.target]
        if articles.assigned_stories(unit_of_work.connection, [change.article])[change.article] != origin:
            return  # it went along with another text that it turned out to be a copy of
        leaving = self._story_writer.followers(unit_of_work.connection, change.article, origin)
        others_hold = not self._constraints.may_leave(unit_of_work.connection, leaving)
        if others_hold or (
            target and not self._constraints.may_join(unit_of_work.connection, leaving, target)
        ):
            return  # a copy that goes along is bound
        evidence = Evidence(
            stage="second look",
            score=change.score,
            need=change.need,
            bias=self._scorer.model.bias,
            reasons=change.reasons,
            runner_up=RunnerUp(story=origin, score=change.own, need=change.need),
            vetoes=tuple(reason.name for reason in change.reasons if reason.name.startswith("veto")),
            rules_version=self._version,
        )
        followers = [one for one in leaving if one != change.article]
        new = self._story_writer.move(unit_of_work, leaving, target, at_no=at_no, founder=change.article)
        articles.set_evidence(unit_of_work.connection, change.article, evidence)
        if target is not None:
            ids[change.target or 0] = new
        why: dict[str, str | float | None] = {
            "reason": "second look",
            "score": change.score,
            "need": change.need,
            "own": change.own,
        }
        for article in (change.article, *followers):
            unit_of_work.ledger.log_with(unit_of_work.now, origin, "moved", article, {"to": new, **why})
            unit_of_work.ledger.log_with(unit_of_work.now, new, "moved", article, {"from": origin, **why})


def _strongest(reasons: Sequence[Reason]) -> str:
    """What spoke most for it and against it, in logits."""
    ranked = sorted(reasons, key=lambda reason: (-abs(reason.share), reason.name))
    return ", ".join(f"{reason.name} {reason.share:+.2f}" for reason in ranked[:_REASONS_LOGGED])


class _Ids(dict[int, str]):
    """Running number of a story to the id that its articles are under by now."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, number: int) -> str:
        self[number] = stories.rows_of(self._connection, [number])[0].id
        return self[number]


class _StoryLookup:
    """What the rows say, as the second look asks it (dedup.second_look.Desk)."""

    def __init__(
        self,
        connection: Connection,
        story_writer: StoryWriter,
        constraints: Constraints,
        scorer: Scorer,
        veto_rules: VetoTuning,
    ) -> None:
        self._connection = connection
        self._index = story_writer.index(connection)
        self._constraints = constraints
        self._model = scorer.model
        self._veto_rules = veto_rules
        self._veto_inputs: dict[int, list[VetoInput]] = {}

    def story(self, number: int) -> Candidate | None:
        return self._index.story(number) if number in self._index else None

    def story_centroid(self, number: int) -> Centroid:
        return centroid.from_bytes(stories.centroid_of(self._connection, number))

    def counted_reports(self, number: int, newest: int) -> Sequence[CountedReport]:
        story = self._index.story(number).story
        return [
            CountedReport(row.id, row.n, row.as_article().member(self._model))
            for row in articles.counted_members(self._connection, story, newest)
        ]

    def neighbours(self, number: int) -> Sequence[Candidate]:
        return self._index.neighbours(number)

    def candidates(self, article: ScoringInput) -> Sequence[Candidate]:
        return self._index.candidates(article)

    def may_leave(self, article: str) -> bool:
        """Once: stories that pull at one report as strongly would hand it to and fro at every look."""
        was_moved = articles.stage_of(self._connection, article) == "second look"
        return not was_moved and self._constraints.may_leave(self._connection, [article])

    def may_join(self, article: str, number: int) -> bool:
        return self._constraints.may_join(self._connection, [article], self._index.story(number).story)

    def may_merge(self, one: int, other: int) -> bool:
        names = [self._index.story(number).story for number in (one, other)]
        return self._constraints.may_merge(self._connection, *names)

    def objections(self, article: str, number: int) -> Sequence[Reason]:
        if number not in self._veto_inputs:
            story = self._index.story(number).story
            self._veto_inputs[number] = articles.veto_inputs(
                self._connection, story, VETO_INPUTS, bodyless_words=self._model.tuning.bodyless_words
            )
        own = articles.veto_input(self._connection, article, bodyless_words=self._model.tuning.bodyless_words)
        return objections(own, self._veto_inputs[number], self._veto_rules)
