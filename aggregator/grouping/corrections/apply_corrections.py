"""Corrections: an editor merges or splits stories or moves an article, and later decisions follow that.

A correction is stored as constraints between articles (`cluster.constraints`), which apply when the articles
are placed again: stories that an article must belong to, and must not. The changes of rows are stored, too,
for the undo, which restores the ids of merged stories.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from aggregator.grouping.changes import Merge, Move
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.write.copy_families import with_copies
from aggregator.grouping.write.growing_stories import live_story
from aggregator.grouping.write.story_writer import StoryWriter
from aggregator.model.core import Evidence, FrozenStruct
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Connection
from aggregator.store.stories import article_views, articles, corrections, stories
from aggregator.store.stories.constraints import ConstraintTable
from aggregator.store.stories.corrections import (
    Constraints,
    Correction,
    CorrectionDetail,
    CorrectionKind,
    MovedArticle,
    Redirect,
)
from aggregator.stories.lexicon import clean_title


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


class CorrectionHandler:
    """Executes corrections, in a placing transaction."""

    def __init__(self, story_writer: StoryWriter, constraints: Constraints, rules_version: str) -> None:
        self._story_writer = story_writer
        self._constraints = constraints
        self._evidence = Evidence(stage="correction", rules_version=rules_version)

    def carry_out(self, unit_of_work: UnitOfWork, command: CorrectionCommand) -> CorrectionResult:
        """Execute a command. Raises UsageError if it is impossible; then roll the transaction back."""
        kinds = {"merge": self._merge, "split": self._split, "move": self._move, None: self._undo}
        result = kinds[command.kind](unit_of_work, command)
        self._constraints.forget()
        return result

    def _merge(self, unit_of_work: UnitOfWork, command: CorrectionCommand) -> CorrectionResult:
        connection = unit_of_work.connection
        ids = list(dict.fromkeys(_live(connection, story) for story in command.stories))
        if len(ids) < 2:
            raise UsageError("give two different stories; these are one story already")
        before = {}
        for story in ids:
            before[story] = _members(connection, story), stories.redirecting_to(connection, story)
        titles = _titles(connection, ids)
        at_no = self._story_writer.window.last_change(connection)
        merge = Merge(stories=tuple(ids), at_no=at_no, reason="correction", bump=unit_of_work.now)
        kept = self._story_writer.apply(unit_of_work, merge)
        del before[kept]
        moved, redirects = [], []
        for story, (members, former) in before.items():
            moved += [MovedArticle(article=article, before=story, after=kept) for article in members]
            redirects += [Redirect(story=id_, to=story) for id_ in former]
        detail = CorrectionDetail(
            moved=tuple(moved),
            retired=tuple(before),
            redirects=tuple(redirects),
            titles=titles,
            words=f"merged {', '.join(before)} into {kept}",
        )
        together = _members(connection, kept)
        number = corrections.add(connection, unit_of_work.now, "merge", detail, together=together)
        return _logged(unit_of_work, number, [kept], detail.words, correction=number)

    def _split(self, unit_of_work: UnitOfWork, command: CorrectionCommand) -> CorrectionResult:
        connection = unit_of_work.connection
        origin = _live(connection, command.stories[0])
        members = _members(connection, origin)
        for article in command.articles:
            if article not in members:
                raise UsageError(
                    f"article {article} is not in story {origin}; `aggregator story {origin}` lists it"
                )
        leaving = with_copies(connection, command.articles, origin)
        if len(leaving) == len(members):
            raise UsageError(
                f"nothing would be left in story {origin}; name only the articles of the new story"
            )
        words = f"split {len(leaving)} of {len(members)} articles from {origin} into the new story"
        return self._take_out(unit_of_work, leaving, origin, None, words)

    def _move(self, unit_of_work: UnitOfWork, command: CorrectionCommand) -> CorrectionResult:
        connection = unit_of_work.connection
        article, target = command.articles[0], _live(connection, command.stories[0])
        origin = articles.assigned_stories(connection, [article]).get(article)
        if origin is None:
            raise UsageError(f"there is no article {article}; `aggregator story ID` lists their ids")
        if origin == target:
            raise UsageError(f"article {article} is in story {target} already")
        leaving = with_copies(connection, [article], origin)
        if len(leaving) == len(_members(connection, origin)):
            return self._merge(unit_of_work, CorrectionCommand(kind="merge", stories=(target, origin)))
        return self._take_out(unit_of_work, leaving, origin, target, f"moved {article} from {origin} to")

    def _take_out(
        self, unit_of_work: UnitOfWork, leaving: Sequence[str], origin: str, target: str | None, words: str
    ) -> CorrectionResult:
        """Move some articles of a story to the live story `target`; None: to a new one.

        `words`: the description of the correction, without the story that they move to.
        """
        connection, now = unit_of_work.connection, unit_of_work.now
        titles = _titles(connection, filter(None, (origin, target)))
        evidence = {article: articles.evidence_of(connection, article) for article in leaving}
        at_no = self._story_writer.window.last_change(connection)
        for article in leaving:  # before the move, which counts them
            articles.set_evidence(connection, article, self._evidence)
        move = Move(articles=tuple(leaving), target=target, at_no=at_no, bump=now)
        story = self._story_writer.apply(unit_of_work, move)
        moved = [
            MovedArticle(article=article, before=origin, after=story, evidence=reasons)
            for article, reasons in evidence.items()
        ]
        is_split = target is None
        detail = CorrectionDetail(
            moved=tuple(moved),
            founded=story if is_split else None,
            titles=titles,
            words=f"{words} {story}",
        )
        number = corrections.add(
            connection,
            now,
            "split" if is_split else "move",
            detail,
            together=_members(connection, story),
            leaving=leaving,
            staying=_members(connection, origin),
        )
        return _logged(unit_of_work, number, [origin, story], detail.words, correction=number)

    def _undo(self, unit_of_work: UnitOfWork, command: CorrectionCommand) -> CorrectionResult:
        connection = unit_of_work.connection
        correction = corrections.to_undo(connection, command.undo)
        number, detail = correction.correction_no, correction.detail
        after = detail.moved[0].after if detail.moved else ""  # the same of all
        source = stories.target_of(connection, after) or ""
        returning = _returning_articles(connection, detail, source)
        for target, moved in returning.items():
            _refuse_overridden(connection, correction, source, target, moved)
        corrections.undo(connection, number, unit_of_work.now)
        for story, article in detail.titles:
            for view in article_views.views_of(connection, [article]):
                stories.show_title(connection, story, article, clean_title(view))
        touched: set[str] = set()
        for target, moved in returning.items():
            if source != target:
                touched |= {source, self._put_back(unit_of_work, detail, source, target, moved)}
        live = sorted({_live(connection, story) for story in touched})
        words = f"undid correction {number} ({detail.words})"
        return _logged(unit_of_work, number, live, words, undone=number)

    def _put_back(
        self,
        unit_of_work: UnitOfWork,
        detail: CorrectionDetail,
        source: str,
        target: str,
        moved: Sequence[MovedArticle],
    ) -> str:
        """Move articles back to a live story, or to a merged one that lives again; return their story."""
        connection, now = unit_of_work.connection, unit_of_work.now
        at_no = self._story_writer.window.last_change(connection)
        for article in moved:  # before the move, which counts them
            if article.evidence is not None:
                articles.set_evidence(connection, article.article, article.evidence)
        ids = tuple(article.article for article in moved)
        change: Merge | Move = Move(articles=ids, target=target, at_no=at_no, bump=now)
        if stories.target_of(connection, target) != target:
            change = Move(articles=ids, target=None, at_no=at_no, bump=now, revived=target)
        elif source == detail.founded:  # all of it goes back, with what joined it since
            pair = target, source
            change = Merge(stories=pair, at_no=at_no, reason="undone", bump=now, keeps=target)
        story = self._story_writer.apply(unit_of_work, change)
        former = [redirect.story for redirect in detail.redirects if redirect.to == target]
        stories.redirect(connection, former, story)
        return story


def _live(connection: Connection, story: str) -> str:
    """Return the id of the story, or of its successor if it was merged. Raises UsageError."""
    target = stories.target_of(connection, story)
    if target is None:
        raise UsageError(f"there is no story {story}; `aggregator stories` lists them")
    return target


def _members(connection: Connection, story: str) -> list[str]:
    return [member.id for member in articles.members(connection, story)]


def _titles(connection: Connection, ids: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return these stories with the article of the headline, which an undo shows again."""
    rows = (live_story(connection, story) for story in ids)
    return tuple((row.id, row.title_article) for row in rows if row.title_article)


def _logged(
    unit_of_work: UnitOfWork, number: int, ids: Sequence[str], words: str, **detail: Any
) -> CorrectionResult:
    """Write to the log of these stories that a person corrected them; return the result for the person."""
    for story in ids:
        unit_of_work.ledger.log(unit_of_work.now, story, "corrected", article=None, words=words, **detail)
    return CorrectionResult(n=number, stories=tuple(ids), words=words)


def _returning_articles(
    connection: Connection, detail: CorrectionDetail, source: str
) -> dict[str, list[MovedArticle]]:
    """Return the articles that are still in the story where the correction put them, by the former story.

    Those that are back already are included: what brought them back may be undone, too.
    """
    assigned_stories = articles.assigned_stories(connection, [moved.article for moved in detail.moved])
    returning: dict[str, list[MovedArticle]] = {}
    for moved in sorted(detail.moved, key=attrgetter("before")):
        if assigned_stories.get(moved.article) == source:
            # A story merged for another reason: the articles return to its successor. A story whose articles
            # were all forgotten is restored with these.
            target = moved.before
            if target not in detail.retired:
                target = stories.target_of(connection, target) or target
            returning.setdefault(target, []).append(moved)
    return returning


def _refuse_overridden(
    connection: Connection, correction: Correction, source: str, target: str, moved: Sequence[MovedArticle]
) -> None:
    """Raise UsageError if a later correction concerns these articles; it must be undone first."""
    later = ConstraintTable(corrections.all_constraints(connection, after=correction.correction_no))
    members, joined = set(_members(connection, source)), set(_members(connection, target))
    moving = {article.article for article in moved}
    if source == correction.detail.founded:
        moving = members
    for article in sorted(moving):
        linked = later.linked_articles(article)
        if linked.together & (members - moving) or linked.apart & joined:
            latest = later.latest_correction(article)
            raise UsageError(
                f"the later correction {latest} also concerns article {article}; undo it first: "
                f"aggregator correct undo {latest}"
            )
