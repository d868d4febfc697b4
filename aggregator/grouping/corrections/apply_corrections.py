"""Corrections: an editor changes stories or storylines, and later decisions follow that.

A correction is stored as constraints between articles (store/stories/corrections.py): the stories that an article
must belong to, and must not. They apply when the articles are placed again. The changes of rows are stored, too,
for the undo, which restores the ids of merged stories.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from aggregator.grouping.changes import Merge, Move
from aggregator.grouping.corrections.corrected_stories import live_id, member_ids
from aggregator.grouping.corrections.correction_command import (
    CorrectionCommand,
    CorrectionResult,
)
from aggregator.grouping.corrections.undo_correction import undo
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.storylines import NEAR, join_nearest, unite_stories
from aggregator.grouping.write.copy_families import with_copies
from aggregator.model.errors import UsageError
from aggregator.model.evidence import Evidence
from aggregator.store.engine.database import Connection
from aggregator.store.stories import (
    corrections,
    stored_articles,
    story_rows,
    storyline_rows,
)
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.corrections import (
    CorrectionDetail,
    CorrectionKind,
    MovedArticle,
    Redirect,
)
from aggregator.store.stories.unit_of_work import UnitOfWork


class CorrectionHandler:
    """Executes corrections, in a placing transaction."""

    def __init__(self, parts: GroupingParts) -> None:
        self._story_writer = parts.story_writer
        self._constraints = parts.constraints
        self._evidence = Evidence(stage="correction", rules_version=parts.rules_version)

    def carry_out(
        self, unit_of_work: UnitOfWork, command: CorrectionCommand
    ) -> CorrectionResult:
        """Execute a command. Raises UsageError if it is impossible; the caller then rolls the transaction back."""
        kinds = {
            "merge": self._merge,
            "split": self._split,
            "move": self._move,
            "join": self._join,
            "leave": self._leave,
            None: self._undo,
        }
        result = kinds[command.kind](unit_of_work, command)
        self._constraints.forget()
        if command.kind in ("split", "move"):
            # Each story gets the storyline that its articles are near to, as if they were placed now.
            connection = unit_of_work.connection
            for story in result.stories:
                join_nearest(
                    connection,
                    self._constraints,
                    story,
                    story_rows.row_of(connection, story).last_published,
                    storyline_rows.near_numbers(connection, story, NEAR),
                )
        return result

    def _merge(
        self, unit_of_work: UnitOfWork, command: CorrectionCommand
    ) -> CorrectionResult:
        connection = unit_of_work.connection
        ids = list(
            dict.fromkeys(live_id(connection, story) for story in command.stories)
        )
        if len(ids) < 2:
            raise UsageError("give two different stories; these are one story already")
        members, former = {}, {}
        for story in ids:
            members[story] = member_ids(connection, story)
            former[story] = story_rows.redirecting_to(connection, story)
        titles = _titles(connection, ids)
        at_no = self._story_writer.window.last_change(connection)
        merge = Merge(
            stories=tuple(ids), at_no=at_no, reason="correction", bump=unit_of_work.now
        )
        kept = self._story_writer.apply(unit_of_work, merge)
        losers = [story for story in ids if story != kept]
        moved = []
        redirects = []
        for story in losers:
            moved += [
                MovedArticle(article=article, before=story, after=kept)
                for article in members[story]
            ]
            redirects += [Redirect(story=id_, to=story) for id_ in former[story]]
        detail = CorrectionDetail(
            moved=tuple(moved),
            retired=tuple(losers),
            redirects=tuple(redirects),
            titles=titles,
            words=f"merged {', '.join(losers)} into {kept}",
        )
        return _record(unit_of_work, "merge", detail, [kept])

    def _split(
        self, unit_of_work: UnitOfWork, command: CorrectionCommand
    ) -> CorrectionResult:
        origin = live_id(unit_of_work.connection, command.stories[0])
        members = member_ids(unit_of_work.connection, origin)
        for article in command.articles:
            if article not in members:
                raise UsageError(
                    f"article {article} is not in story {origin}; `aggregator story {origin}` lists it"
                )
        leaving = with_copies(unit_of_work.connection, command.articles, origin)
        if len(leaving) == len(members):
            raise UsageError(
                f"nothing would be left in story {origin}; name only the articles of the new story"
            )
        words = f"split {len(leaving)} of {len(members)} articles from {origin} into the new story"
        return self._take_out(unit_of_work, leaving, origin, None, words)

    def _move(
        self, unit_of_work: UnitOfWork, command: CorrectionCommand
    ) -> CorrectionResult:
        connection = unit_of_work.connection
        article = command.articles[0]
        target = live_id(connection, command.stories[0])
        origin = stored_articles.assigned_stories(connection, [article]).get(article)
        if origin is None:
            raise UsageError(
                f"there is no article {article}; `aggregator story ID` lists their ids"
            )
        if origin == target:
            raise UsageError(f"article {article} is in story {target} already")
        leaving = with_copies(connection, [article], origin)
        if len(leaving) == len(member_ids(connection, origin)):
            return self._merge(
                unit_of_work, CorrectionCommand(kind="merge", stories=(target, origin))
            )
        return self._take_out(
            unit_of_work, leaving, origin, target, f"moved {article} from {origin} to"
        )

    def _take_out(
        self,
        unit_of_work: UnitOfWork,
        leaving: Sequence[str],
        origin: str,
        target: str | None,
        words: str,
    ) -> CorrectionResult:
        """Move some articles of a story to the live story `target`; None: to a new one.

        `words` describes the correction, without the story that they move to.
        """
        connection = unit_of_work.connection
        titles = _titles(connection, filter(None, (origin, target)))
        at_no = self._story_writer.window.last_change(connection)
        before = {}
        for article in leaving:  # before the move, which counts them
            before[article] = stored_articles.evidence_of(connection, article)
            article_writes.set_evidence(connection, article, self._evidence)
        move = Move(
            articles=tuple(leaving), target=target, at_no=at_no, bump=unit_of_work.now
        )
        story = self._story_writer.apply(unit_of_work, move)
        moved = []
        for article, reasons in before.items():
            moved.append(
                MovedArticle(
                    article=article, before=origin, after=story, evidence=reasons
                )
            )
        is_split = target is None
        detail = CorrectionDetail(
            moved=tuple(moved),
            founded=story if is_split else None,
            titles=titles,
            words=f"{words} {story}",
        )
        return _record(
            unit_of_work,
            "split" if is_split else "move",
            detail,
            [origin, story],
            leaving,
        )

    def _join(
        self, unit_of_work: UnitOfWork, command: CorrectionCommand
    ) -> CorrectionResult:
        connection = unit_of_work.connection
        ids = [live_id(connection, story) for story in command.stories]
        former: dict[str, str | None] = {}
        lines = {storyline_rows.line_of(connection, story) or story for story in ids}
        if len(lines) < 2:
            raise UsageError("these stories are in one storyline already")
        for line in lines:
            former |= storyline_rows.former_lines(connection, line)
        together = [
            article for story in ids for article in member_ids(connection, story)
        ]
        kept = unite_stories(connection, ids)
        detail = CorrectionDetail(
            storylines=tuple(former.items()),
            words=f"put {', '.join(ids)} into the storyline {kept}",
        )
        number = corrections.add(
            connection, unit_of_work.now, "join", detail, together=together
        )
        return _log(unit_of_work, number, ids, detail.words, correction=number)

    def _leave(
        self, unit_of_work: UnitOfWork, command: CorrectionCommand
    ) -> CorrectionResult:
        connection = unit_of_work.connection
        story = live_id(connection, command.stories[0])
        line = storyline_rows.line_of(connection, story) or story
        former = storyline_rows.former_lines(connection, line)
        if len(former) < 2:
            raise UsageError(f"story {story} is in no storyline")
        storyline_rows.take_out(connection, story, line)
        staying = []
        for other in former:
            if other != story:
                staying += member_ids(connection, other)
        detail = CorrectionDetail(
            storylines=tuple(former.items()),
            words=f"took {story} out of the storyline {line}",
        )
        number = corrections.add(
            connection,
            unit_of_work.now,
            "leave",
            detail,
            together=(),
            leaving=member_ids(connection, story),
            staying=staying,
        )
        return _log(unit_of_work, number, [story], detail.words, correction=number)

    def _undo(
        self, unit_of_work: UnitOfWork, command: CorrectionCommand
    ) -> CorrectionResult:
        correction, changed = undo(unit_of_work, self._story_writer, command.undo)
        storyline_rows.put_back(
            unit_of_work.connection, dict(correction.detail.storylines)
        )
        number = correction.correction_no
        words = f"undid correction {number} ({correction.detail.words})"
        return _log(unit_of_work, number, changed, words, undone=number)


def _titles(connection: Connection, ids: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return these stories with the article of the headline, which an undo shows again."""
    rows = (story_rows.row_of(connection, story) for story in ids)
    return tuple((row.id, row.title_article) for row in rows if row.title_article)


def _record(
    unit_of_work: UnitOfWork,
    kind: CorrectionKind,
    detail: CorrectionDetail,
    ids: Sequence[str],
    leaving: Sequence[str] = (),
) -> CorrectionResult:
    """Store a correction of these stories; `leaving`: the articles that went from the first to the last."""
    number = corrections.add(
        unit_of_work.connection,
        unit_of_work.now,
        kind,
        detail,
        together=member_ids(unit_of_work.connection, ids[-1]),
        leaving=leaving,
        staying=member_ids(unit_of_work.connection, ids[0]) if leaving else (),
    )
    return _log(unit_of_work, number, ids, detail.words, correction=number)


def _log(
    unit_of_work: UnitOfWork, number: int, ids: Sequence[str], words: str, **detail: Any
) -> CorrectionResult:
    """Write to the log of these stories that a person corrected them; return the result for the person."""
    for story in ids:
        unit_of_work.log(story, "corrected", words=words, **detail)
    return CorrectionResult(n=number, stories=tuple(ids), words=words)
