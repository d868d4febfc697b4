"""The change stream, as update feeds and webhooks read it. `Ledger.change` writes it with each decision.

A change is a bump of a story (a new story, a new independent report, another headline, a correction), a merge
or a split. Copies cause no change.
"""

from collections.abc import Sequence
from itertools import takewhile
from operator import attrgetter
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select

from aggregator.model.read_model import Change, ChangedStories, ChangedStory
from aggregator.store.stories import article_views
from aggregator.store.tables import article, change, rows_with, story, story_log

# The story of the change, which may have been merged since
STORY_THEN = story.alias("story_then")


def following(
    connection: Connection, after: int, limit: int, *, indexed_to: int
) -> tuple[Change, ...]:
    """Return the changes after number `after`, oldest first, up to the first whose article is not indexed.

    `indexed_to`: the inbox number up to which articles are in the full-text index.
    """
    statement = (
        select(change, story.c.id.label("today"), article.c.inbox_no.label("article_n"))
        .join(STORY_THEN, STORY_THEN.c.id == change.c.story)
        .join(
            story,
            story.c.id == func.coalesce(STORY_THEN.c.redirect_to, STORY_THEN.c.id),
        )
        .outerjoin(article, article.c.id == change.c.article)
        .where(change.c.change_no > after)
        .order_by(change.c.change_no)
        .limit(limit)
    )
    rows = connection.execute(statement).all()
    ready = takewhile(lambda row: (row.article_n or 0) <= indexed_to, rows)
    return _changes(connection, list(ready))


def changed_stories(
    connection: Connection, since: int | None, limit: int
) -> ChangedStories:
    """Return the stories of the first `limit` log lines after number `since`, each once, as they are now."""
    if since is None:
        last = connection.scalar(select(func.max(story_log.c.log_no)))
        return ChangedStories(next=last or 0)
    columns = (story_log.c.log_no, story_log.c.story, story_log.c.kind)
    lines = (
        select(*columns)
        .where(story_log.c.log_no > since)
        .order_by(story_log.c.log_no)
        .limit(limit)
    )
    numbers: dict[str, int] = {}
    created: set[str] = set()
    for line in connection.execute(lines):
        numbers[line.story] = line.log_no
        if line.kind == "created":
            created.add(line.story)
    named = select(story.c.id, story.c.redirect_to, story.c.bumped_at)
    changed = []
    for row in rows_with(connection, named, story.c.id, numbers):
        kind = _kind_of(row.redirect_to, is_created=row.id in created)
        changed.append(
            ChangedStory(
                n=numbers[row.id],
                story=row.id,
                kind=kind,
                into=row.redirect_to or None,
                updated=row.bumped_at if row.redirect_to is None else None,
            )
        )
    changed.sort(key=attrgetter("n"))
    return ChangedStories(
        changes=tuple(changed), next=max(numbers.values(), default=since)
    )


def _kind_of(
    redirect_to: str | None, *, is_created: bool
) -> Literal["created", "changed", "merged", "removed"]:
    if redirect_to == "":
        return "removed"
    if redirect_to is not None:
        return "merged"
    return "created" if is_created else "changed"


def last_number(connection: Connection) -> int:
    """Return the number of the newest change; 0 without changes."""
    return connection.scalar(select(func.max(change.c.change_no))) or 0


def _changes(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Change, ...]:
    wanted = {row.article for row in rows if row.article is not None}
    came = {view.id: view for view in article_views.views_of(connection, wanted)}
    same = ("kind", "at", "title", "title_before", "report_count")
    return tuple(
        Change(
            **{name: row._mapping[name] for name in same},
            n=row.change_no,
            story=row.today,
            was=row.story,
            updated=row.bumped_at,
            others=tuple(row.others.split(",")) if row.others else (),
            article=came.get(row.article),
        )
        for row in rows
    )
