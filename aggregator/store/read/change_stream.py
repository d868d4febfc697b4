"""The change stream, as update feeds and webhooks read it. `Ledger.change` writes it with each decision.

A change is a bump of a story (a new story, a new independent report, another headline, a correction), a merge
or a split. Copies cause no change.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from aggregator.model.read_model import Change, ChangedStories, ChangedStory, StoryFilter
from aggregator.store.read.story_list import StoryMatcher, of_stories
from aggregator.store.stories import article_views
from aggregator.store.tables import article as article_table
from aggregator.store.tables import change, rows_with, story, story_log

_FIRST_STEP, _STEP = 100, 2500  # changes per query; more if few of the first match
# Newest changes that one request reads at most: ten hours at 50,000 articles a day (docs/evaluation.md).
_SCAN_LIMIT = 20_000
_THEN = story.alias("story_then")  # the story of the change, which may have been merged since


def newest(connection: Connection, wanted: StoryFilter) -> tuple[Change, ...]:
    """Return the newest changes of stories that match `wanted`, at most its `limit`.

    Only the newest `_SCAN_LIMIT` changes are scanned: a filter that matches nothing must not read them all.
    """
    found: list[Row[Any]] = []
    offset, step = 0, min(max(_FIRST_STEP, wanted.limit), _SCAN_LIMIT)
    while len(found) < wanted.limit and offset < _SCAN_LIMIT:
        rows = _fitting_rows(connection, wanted, offset, step)
        if rows is None:
            break
        found += rows
        offset, step = offset + step, min(_STEP, _SCAN_LIMIT - offset - step)
    return _changes(connection, found[: wanted.limit])


def _fitting_rows(
    connection: Connection, wanted: StoryFilter, offset: int, step: int
) -> list[Row[Any]] | None:
    """Return those of `step` changes from `offset` on that match; None if no changes are left."""
    recent = select(change).order_by(change.c.bumped_at.desc(), change.c.change_no.desc())
    part = recent.limit(step).offset(offset).subquery("part")
    statement = (
        select(part, story.c.id.label("today"))
        .join(_THEN, _THEN.c.id == part.c.story)
        .join(story, story.c.id == func.coalesce(_THEN.c.redirect_to, _THEN.c.id))
        .where(*of_stories(wanted))  # also part of `matching`; here it reduces the rows
        .order_by(part.c.bumped_at.desc(), part.c.change_no.desc())
    )
    rows = connection.execute(statement).all()
    if not rows and connection.execute(recent.limit(1).offset(offset)).first() is None:
        return None
    fits = StoryMatcher(connection, wanted).matching(connection, {row.today for row in rows})
    return [row for row in rows if row.today in fits]


def following(connection: Connection, after: int, limit: int, *, indexed_to: int) -> tuple[Change, ...]:
    """Return the changes after number `after`, oldest first, up to the first whose article is not indexed.

    `indexed_to`: the inbox number up to which articles are in the full-text index.
    """
    statement = (
        select(change, story.c.id.label("today"), article_table.c.inbox_no.label("article_n"))
        .join(_THEN, _THEN.c.id == change.c.story)
        .join(story, story.c.id == func.coalesce(_THEN.c.redirect_to, _THEN.c.id))
        .outerjoin(article_table, article_table.c.id == change.c.article)
        .where(change.c.change_no > after)
        .order_by(change.c.change_no)
        .limit(limit)
    )
    rows = connection.execute(statement).all()
    ready = next((i for i, row in enumerate(rows) if (row.article_n or 0) > indexed_to), len(rows))
    return _changes(connection, rows[:ready])


def changed_stories(connection: Connection, since: int | None, limit: int) -> ChangedStories:
    """Return the stories of the first `limit` log lines after number `since`, each once, as they are now."""
    if since is None:
        last = connection.execute(select(func.max(story_log.c.log_no))).scalar()
        return ChangedStories(next=last or 0)
    columns = (story_log.c.log_no, story_log.c.story, story_log.c.kind)
    lines = select(*columns).where(story_log.c.log_no > since).order_by(story_log.c.log_no).limit(limit)
    numbers: dict[str, int] = {}
    created: set[str] = set()
    for line in connection.execute(lines):
        numbers[line.story] = line.log_no
        created |= {line.story} if line.kind == "created" else set()
    named = select(story.c.id, story.c.redirect_to, story.c.bumped_at)
    found = [
        ChangedStory(
            n=numbers[row.id],
            story=row.id,
            kind="removed"
            if row.redirect_to == ""
            else "merged"
            if row.redirect_to
            else "created"
            if row.id in created
            else "changed",
            into=row.redirect_to or None,
            updated=row.bumped_at if row.redirect_to is None else None,
        )
        for row in rows_with(connection, named, story.c.id, numbers)
    ]
    found.sort(key=lambda one: one.n)
    return ChangedStories(changes=tuple(found), next=max(numbers.values(), default=since))


def last_number(connection: Connection) -> int:
    """Return the number of the newest change; 0 without changes."""
    return connection.execute(select(func.max(change.c.change_no))).scalar() or 0


def _changes(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Change, ...]:
    wanted = {row.article for row in rows if row.article is not None}
    came = {view.id: view for view in article_views.views_of(connection, wanted)}
    return tuple(
        Change(
            n=row.change_no,
            story=row.today,
            was=row.story,
            kind=row.kind,
            at=row.at,
            updated=row.bumped_at,
            title=row.title,
            title_before=row.title_before,
            report_count=row.report_count,
            others=tuple(row.others.split(",")) if row.others else (),
            article=came.get(row.article),
        )
        for row in rows
    )
