"""The stream of changes: what readers of a story are told, written with the decision and read again here.

A change is what bumps a story (it came to be, an independent report came, the headline changed, a person
corrected it), and every merge and split. A copy is none. The stream begins with the migration that made its
table: older lines of `story_log` do not say which article brought a report of its own.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, select

from aggregator.model.read_model import Change, ChangeKind, StoryFilter
from aggregator.store.read.story_filter import fitting, of_stories
from aggregator.store.stories import article_views
from aggregator.store.stories.placement_batch import Ledger
from aggregator.store.stories.stories import StoryRow, StoryState
from aggregator.store.tables import article as article_table
from aggregator.store.tables import change, story

_FIRST_STEP, _STEP = 100, 2500  # changes read at once: few where nearly all fit, more where hardly any does
_THEN = story.alias("story_then")  # the story as the change names it; it may have given way since


class ChangeTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `changes` of config/tuning.yaml."""

    looked_at: int


def write_change(
    ledger: Ledger,
    now: dt.datetime,
    story_id: str,
    before: StoryRow | None,
    after: StoryState,
    *,
    bump: dt.datetime,
    article: str | None = None,
    others: Sequence[str] = (),
    kind: ChangeKind | None = None,
) -> None:
    """Write down what is new about a story whose row said `before`; nothing where nobody is told of it.

    `kind` is what was done, where the two rows do not say; `bump` the time that it sorts by.
    """
    is_renamed = before is not None and after.title != before.title
    told = kind or _kind(before, after, others)
    if told is not None:
        ledger.change(
            now,
            story_id,
            told,
            bump=bump,
            title=after.title,
            title_before=before.title or None if before is not None and is_renamed else None,
            report_count=after.report_count,
            article=article,
            others=others,
        )


def _kind(before: StoryRow | None, after: StoryState, others: Sequence[str]) -> ChangeKind | None:
    if before is None:
        return "created"
    if others:
        return "merged"
    if after.report_count > before.report_count:
        return "report"
    return "headline" if after.title != before.title else None


def newest(connection: Connection, wanted: StoryFilter, *, looked_at: int) -> tuple[Change, ...]:
    """The newest changes of stories that fit `wanted`, at most its `limit`.

    Only the newest `looked_at` changes are asked: a filter that fits nothing must not read them all.
    """
    found: list[Row[Any]] = []
    offset, step = 0, min(max(_FIRST_STEP, wanted.limit), looked_at)
    while len(found) < wanted.limit and offset < looked_at:
        rows = _fitting_rows(connection, wanted, offset, step)
        if rows is None:
            break
        found += rows
        offset, step = offset + step, min(_STEP, looked_at - offset - step)
    return _changes(connection, found[: wanted.limit])


def _fitting_rows(
    connection: Connection, wanted: StoryFilter, offset: int, step: int
) -> list[Row[Any]] | None:
    """Of `step` changes in their order from `offset` those that fit; None where there are no changes left."""
    recent = select(change).order_by(change.c.updated.desc(), change.c.n.desc())
    part = recent.limit(step).offset(offset).subquery("part")
    statement = (
        select(part, story.c.id.label("today"))
        .join(_THEN, _THEN.c.id == part.c.story)
        .join(story, story.c.id == func.coalesce(_THEN.c.redirect_to, _THEN.c.id))
        .where(*of_stories(wanted))  # asked here already, so that few rows come out
        .order_by(part.c.updated.desc(), part.c.n.desc())
    )
    rows = connection.execute(statement).all()
    if not rows and connection.execute(recent.limit(1).offset(offset)).first() is None:
        return None
    fits = fitting(connection, wanted, {row.today for row in rows})
    return [row for row in rows if row.today in fits]


def following(connection: Connection, after: int, limit: int, *, indexed_to: int) -> tuple[Change, ...]:
    """The changes after number `after`, oldest first, as far as their articles can be searched for.

    `indexed_to`: the article number up to which full text is indexed.
    """
    statement = (
        select(change, story.c.id.label("today"), article_table.c.n.label("article_n"))
        .join(_THEN, _THEN.c.id == change.c.story)
        .join(story, story.c.id == func.coalesce(_THEN.c.redirect_to, _THEN.c.id))
        .outerjoin(article_table, article_table.c.id == change.c.article)
        .where(change.c.n > after)
        .order_by(change.c.n)
        .limit(limit)
    )
    rows = connection.execute(statement).all()
    ready = next((i for i, row in enumerate(rows) if (row.article_n or 0) > indexed_to), len(rows))
    return _changes(connection, rows[:ready])


def last_number(connection: Connection) -> int:
    """The number of the newest change; 0 where there is none."""
    return connection.execute(select(func.max(change.c.n))).scalar() or 0


def _changes(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Change, ...]:
    wanted = {row.article for row in rows if row.article is not None}
    came = {view.id: view for view in article_views.views_of(connection, wanted)}
    return tuple(
        Change(
            n=row.n,
            story=row.today,
            was=row.story,
            kind=row.kind,
            at=row.at,
            updated=row.updated,
            title=row.title,
            title_before=row.title_before,
            report_count=row.report_count,
            others=tuple(row.others.split(",")) if row.others else (),
            article=came.get(row.article),
        )
        for row in rows
    )
