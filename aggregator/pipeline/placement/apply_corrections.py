"""Corrections: an editor merges or splits stories or moves an article, and later decisions follow that.

A correction is stored as constraints between articles (`cluster.constraints`), which apply when the articles
are placed again: stories that an article must belong to, and must not. The changes of rows are stored, too,
for the undo, which restores the ids of merged stories.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from aggregator.cluster.constraints import Constraint, ConstraintTable, Relation
from aggregator.model.core import Evidence, FrozenStruct
from aggregator.model.errors import UsageError
from aggregator.pipeline.placement.changes import Merge, Move
from aggregator.pipeline.placement.growing_stories import live_story
from aggregator.pipeline.placement.story_writer import StoryWriter, with_copies
from aggregator.pipeline.placement.unit_of_work import UnitOfWork
from aggregator.store.engine.database import Connection
from aggregator.store.stories import article_views, articles, corrections, stories
from aggregator.store.stories.corrections import (
    Correction,
    CorrectionDetail,
    CorrectionKind,
    MovedArticle,
    Redirect,
)
from aggregator.stories.lexicon import clean_title


class StoryConstraints(NamedTuple):
    """The stories that corrections name for an article; live ids."""

    must_link: tuple[str, ...] = ()  # it belongs to all of these: they are one story
    barred: frozenset[str] = frozenset()


class Constraints:
    """The corrections in force, kept in memory because they are few."""

    def __init__(self) -> None:
        self._table: ConstraintTable | None = None

    def forget(self) -> None:
        """Read the corrections again after a change."""
        self._table = None

    def has_article(self, connection: Connection, article: str) -> bool:
        """Return whether a correction names the article."""
        return article in self._of(connection)

    def story_constraints(self, connection: Connection, article: str) -> StoryConstraints:
        """Return the constraints of an article. A must-link takes precedence over a cannot-link."""
        with_, never = self._of(connection).linked_articles(article)
        if not with_ and not never:
            return StoryConstraints()
        assigned_stories = articles.assigned_stories(connection, with_ | never)
        must_link = {assigned_stories[one] for one in with_ if one in assigned_stories}
        barred = {assigned_stories[one] for one in never if one in assigned_stories}
        return StoryConstraints(must_link=tuple(sorted(must_link)), barred=frozenset(barred - must_link))

    def may_leave(self, connection: Connection, articles_: Iterable[str]) -> bool:
        """Whether no correction links any of these articles to another one."""
        moving = set(articles_)
        table = self._of(connection)
        return not any(table.linked_articles(one)[0] - moving for one in moving)

    def may_join(self, connection: Connection, articles_: Iterable[str], story: str) -> bool:
        """Whether no correction keeps any of these articles out of the story."""
        return not any(story in self.story_constraints(connection, one).barred for one in articles_)

    def may_merge(self, connection: Connection, one: str, other: str) -> bool:
        """Whether no correction separates an article of one story from one of the other."""
        table = self._of(connection)
        kept_apart = [article for article in table.articles if table.has_cannot_link(article)]
        if not kept_apart:
            return True
        assigned_stories = articles.assigned_stories(connection, kept_apart)
        sides = [
            {article for article, story in assigned_stories.items() if story == id_} for id_ in (one, other)
        ]
        smaller, larger = sorted(sides, key=len)
        return not any(table.linked_articles(article)[1] & larger for article in smaller)

    def _of(self, connection: Connection) -> ConstraintTable:
        if self._table is None:
            self._table = ConstraintTable(corrections.all_constraints(connection))
        return self._table


class CorrectionCommand(FrozenStruct, frozen=True, kw_only=True):
    """A correction or undo, by ids of stories and articles."""

    kind: CorrectionKind | None = None  # None: undo
    stories: tuple[str, ...] = ()  # merge: all of them; split: the one; move: the target
    articles: tuple[str, ...] = ()  # split: those of the new story; move: the one
    undo: int | None = None  # number of the correction; None: the last one in force


class CorrectionResult(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The number of the correction, the live stories that it changed, and a description."""

    n: int
    stories: tuple[str, ...]
    words: str


class _ReturnedArticles(NamedTuple):
    """Articles that an undo moves from one story to another."""

    articles: frozenset[str]
    source: str
    target: str  # a live story, or a merged one that is restored
    is_whole: bool  # the correction created the source story, so all of it moves


class CorrectionHandler:
    """Executes corrections, in a placing transaction."""

    def __init__(self, story_writer: StoryWriter, constraints: Constraints, rules_version: str) -> None:
        self._story_writer = story_writer
        self._constraints = constraints
        self._evidence = Evidence(stage="correction", rules_version=rules_version)

    def carry_out(self, unit_of_work: UnitOfWork, command: CorrectionCommand) -> CorrectionResult:
        """Execute a command. Raises UsageError if it is impossible; then roll the transaction back."""
        done = {"merge": self._merge, "split": self._split, "move": self._move, None: self._undo}
        corrected = done[command.kind](unit_of_work, command)
        self._constraints.forget()
        return corrected

    # --- the three corrections ----------------------------------------------------------------------------

    def _merge(self, unit_of_work: UnitOfWork, command: CorrectionCommand) -> CorrectionResult:
        connection = unit_of_work.connection
        ids = list(dict.fromkeys(_live(connection, one) for one in command.stories))
        if len(ids) < 2:
            raise UsageError("give two different stories; these are one story already")
        held = {one: [member.id for member in articles.members(connection, one)] for one in ids}
        led = {one: stories.redirecting_to(connection, one) for one in ids}
        titles = _titles(connection, ids)
        at_no = self._story_writer.window.last_change(connection)
        merge = Merge(stories=tuple(ids), at_no=at_no, reason="correction", bump=unit_of_work.now)
        kept = self._story_writer.apply(unit_of_work, merge)
        moved = [
            MovedArticle(article=article, before=story, after=kept)
            for story, members in held.items()
            if story != kept
            for article in members
        ]
        return self._kept(
            unit_of_work,
            "merge",
            CorrectionDetail(
                moved=tuple(moved),
                retired=tuple(one for one in ids if one != kept),
                redirects=tuple(
                    Redirect(story=gone, to=one) for one in ids if one != kept for gone in led[one]
                ),
                titles=titles,
                words=f"merged {', '.join(one for one in ids if one != kept)} into {kept}",
            ),
            [Constraint(correction=0, article=one, relation="together") for one in chain(*held.values())],
            [kept],
        )

    def _split(self, unit_of_work: UnitOfWork, command: CorrectionCommand) -> CorrectionResult:
        connection = unit_of_work.connection
        origin = _live(connection, command.stories[0])
        members = [member.id for member in articles.members(connection, origin)]
        unknown_entries = [one for one in command.articles if one not in members]
        if unknown_entries:
            raise UsageError(
                f"article {unknown_entries[0]} is not in story {origin}; `aggregator story {origin}` lists it"
            )
        leaving = with_copies(connection, command.articles, origin)
        staying = [one for one in members if one not in leaving]
        if not staying:
            raise UsageError(
                f"nothing would be left in story {origin}; name only the articles of the new story"
            )
        known, titles = corrections.evidence_of(connection, leaving), _titles(connection, [origin])
        new = self._taken_out(unit_of_work, leaving, None)
        words = f"split {len(leaving)} of {len(members)} articles from {origin} into the new story {new}"
        moved = _moved(leaving, origin, new, known)
        constraints = [*_apart(leaving, staying), *_together(leaving)]
        return self._kept(
            unit_of_work,
            "split",
            CorrectionDetail(moved=moved, founded=new, titles=titles, words=words),
            constraints,
            [origin, new],
        )

    def _move(self, unit_of_work: UnitOfWork, command: CorrectionCommand) -> CorrectionResult:
        connection = unit_of_work.connection
        article, target = command.articles[0], _live(connection, command.stories[0])
        assigned_story = articles.assigned_stories(connection, [article]).get(article)
        if assigned_story is None:
            raise UsageError(f"there is no article {article}; `aggregator story ID` lists their ids")
        if assigned_story == target:
            raise UsageError(f"article {article} is in story {target} already")
        leaving = with_copies(connection, [article], assigned_story)
        there = [member.id for member in articles.members(connection, target)]
        staying = [one.id for one in articles.members(connection, assigned_story) if one.id not in leaving]
        if not staying:
            return self._merge(
                unit_of_work, CorrectionCommand(kind="merge", stories=(target, assigned_story))
            )
        known = corrections.evidence_of(connection, leaving)
        titles = _titles(connection, [assigned_story, target])
        after = self._taken_out(unit_of_work, leaving, target)
        moved = _moved(leaving, assigned_story, after, known)
        words = f"moved {article} from {assigned_story} to {after}"
        detail = CorrectionDetail(moved=moved, titles=titles, words=words)
        constraints = [*_apart(leaving, staying), *_together([*leaving, *there])]
        return self._kept(unit_of_work, "move", detail, constraints, [assigned_story, after])

    def _undo(self, unit_of_work: UnitOfWork, command: CorrectionCommand) -> CorrectionResult:
        connection = unit_of_work.connection
        correction = _to_undo(corrections.all_corrections(connection), command.undo)
        detail = correction.detail
        returns = self._returns(connection, detail)
        self._refuse_overridden(connection, correction.correction_no, returns)
        corrections.undo(connection, correction.correction_no, unit_of_work.now)
        self._constraints.forget()
        touched: set[str] = set()
        for story, article in detail.titles:
            for view in article_views.views_of(connection, [article]):
                stories.show_title(connection, story, article, clean_title(view))
        for one in returns:
            if one.target != one.source:
                touched |= self._put_back(unit_of_work, one, detail)
        words = f"undid correction {correction.correction_no} ({detail.words})"
        live = sorted({_live(connection, one) for one in touched})
        for story in live:
            unit_of_work.ledger.log(
                unit_of_work.now, story, "corrected", undone=correction.correction_no, words=words
            )
        return CorrectionResult(n=correction.correction_no, stories=tuple(live), words=words)

    def _returns(self, connection: Connection, detail: CorrectionDetail) -> list[_ReturnedArticles]:
        """Return the articles that move back, without those that were moved since.

        Those that are back already are included: what brought them back may be undone, too.
        """
        assigned_stories = articles.assigned_stories(connection, [one.article for one in detail.moved])
        by_story: dict[tuple[str, str], set[str]] = {}
        for one in detail.moved:
            now = stories.target_of(connection, one.after)
            if now is not None and assigned_stories.get(one.article) == now:
                by_story.setdefault((one.before, now), set()).add(one.article)
        found = []
        for (before, now), moved in sorted(by_story.items()):
            # A story merged for another reason: the articles return to its successor. A story whose articles
            # were all forgotten is restored with these.
            target = before if before in detail.retired else stories.target_of(connection, before) or before
            found.append(_ReturnedArticles(frozenset(moved), now, target, is_whole=now == detail.founded))
        return found

    def _refuse_overridden(
        self, connection: Connection, n: int, returns: Sequence[_ReturnedArticles]
    ) -> None:
        """Raise UsageError if a later correction concerns these articles; it must be undone first."""
        later = ConstraintTable(
            constraint for constraint in corrections.all_constraints(connection) if constraint.correction > n
        )
        for one in returns:
            there = {member.id for member in articles.members(connection, one.target)}
            here = {member.id for member in articles.members(connection, one.source)}
            moving = here if one.is_whole else one.articles
            for article in sorted(moving):
                with_, never = later.linked_articles(article)
                if with_ & (here - moving) or never & there:
                    held = later.latest_correction(article)
                    raise UsageError(
                        f"the later correction {held} also concerns article {article}; undo it first: "
                        f"aggregator correct undo {held}"
                    )

    def _put_back(
        self, unit_of_work: UnitOfWork, one: _ReturnedArticles, detail: CorrectionDetail
    ) -> set[str]:
        connection = unit_of_work.connection
        at_no = self._story_writer.window.last_change(connection)
        is_retired = stories.target_of(connection, one.target) != one.target
        for moved in detail.moved:  # before the move, which counts them
            if moved.evidence is not None and moved.article in one.articles:
                articles.set_evidence(connection, moved.article, moved.evidence)
        change: Merge | Move
        if one.is_whole and not is_retired:
            pair = one.target, one.source
            change = Merge(
                stories=pair, at_no=at_no, reason="undone", bump=unit_of_work.now, keeps=one.target
            )
        else:
            change = Move(
                articles=tuple(one.articles),
                target=None if is_retired else one.target,
                at_no=at_no,
                bump=unit_of_work.now,
                revived=one.target if is_retired else None,
            )
        back = self._story_writer.apply(unit_of_work, change)
        stories.redirect(connection, [gone.story for gone in detail.redirects if gone.to == one.target], back)
        return {one.source, back}

    # --- parts --------------------------------------------------------------------------------------------

    def _taken_out(self, unit_of_work: UnitOfWork, leaving: Sequence[str], target: str | None) -> str:
        at_no = self._story_writer.window.last_change(unit_of_work.connection)
        for article in leaving:  # before the move, which counts them
            articles.set_evidence(unit_of_work.connection, article, self._evidence)
        move = Move(articles=tuple(leaving), target=target, at_no=at_no, bump=unit_of_work.now)
        return self._story_writer.apply(unit_of_work, move)

    def _kept(
        self,
        unit_of_work: UnitOfWork,
        kind: CorrectionKind,
        detail: CorrectionDetail,
        constraints: Sequence[Constraint],
        touched: Sequence[str],
    ) -> CorrectionResult:
        n = corrections.add(unit_of_work.connection, unit_of_work.now, kind, detail, constraints)
        for story in touched:
            unit_of_work.ledger.log(unit_of_work.now, story, "corrected", correction=n, words=detail.words)
        return CorrectionResult(n=n, stories=tuple(touched), words=detail.words)


def _titles(connection: Connection, ids: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return these stories with the article of the headline, which an undo shows again."""
    rows = (live_story(connection, id_) for id_ in ids)
    return tuple((row.id, row.title_article) for row in rows if row.title_article)


def _moved(
    leaving: Iterable[str], before: str, after: str, known: Mapping[str, Evidence]
) -> tuple[MovedArticle, ...]:
    return tuple(
        MovedArticle(article=one, before=before, after=after, evidence=known[one]) for one in leaving
    )


def _apart(one: Iterable[str], other: Iterable[str]) -> list[Constraint]:
    sides = ((0, one), (1, other))
    return [_constraint(article, "apart", side) for side, articles_ in sides for article in articles_]


def _together(articles_: Iterable[str]) -> list[Constraint]:
    return [_constraint(article, "together", 0) for article in articles_]


def _constraint(article: str, relation: Relation, side: int) -> Constraint:
    return Constraint(correction=0, article=article, relation=relation, side=side)


def _live(connection: Connection, story: str) -> str:
    """Return the id of the story, or of its successor if it was merged. Raises UsageError."""
    found = stories.target_of(connection, story)
    if found is None:
        raise UsageError(f"there is no story {story}; `aggregator stories` lists them")
    return found


def _to_undo(made: Sequence[Correction], n: int | None) -> Correction:
    if n is None:
        in_force = [one for one in made if one.undone_at is None]
        if not in_force:
            raise UsageError("there is no correction to undo")
        return in_force[0]
    found = next((one for one in made if one.correction_no == n), None)
    if found is None:
        raise UsageError(f"there is no correction {n}; `aggregator correct list` shows them")
    if found.undone_at is not None:
        raise UsageError(f"correction {n} is already undone")
    return found
