"""The change stream, as update feeds and webhooks read it. `UnitOfWork.change` writes it with each decision.

A change is a bump of a story (a new story, a new independent report, another headline, a correction), a merge
or a split. Copies cause no change.
"""

from collections.abc import Collection, Iterable
from itertools import takewhile
from operator import attrgetter
from typing import Any, Literal

from sqlalchemy import Connection, Row

from aggregator.model.read_model import Change, ChangedStories, ChangedStory
from aggregator.store.stories import article_views
from aggregator.store.tables import change, highest, read_rows, story_log


def following(
    connection: Connection, after: int, limit: int, *, indexed_to: int
) -> tuple[Change, ...]:
    """Return the changes after number `after`, oldest first, up to the first whose article is not indexed.

    `indexed_to`: the inbox number of the last article in the full-text index.
    """
    later = f"{_CHANGES} AND change_no > :after ORDER BY change_no LIMIT :limit"
    rows = read_rows(connection, later, after=after, limit=limit)
    return _with_articles(
        connection, takewhile(lambda row: (row.article_n or 0) <= indexed_to, rows)
    )


def changes(connection: Connection, numbers: Collection[int]) -> tuple[Change, ...]:
    """Return the changes with these numbers, oldest first, except those of removed stories."""
    named = f"{_CHANGES} AND change_no IN :numbers ORDER BY change_no"
    return _with_articles(connection, read_rows(connection, named, numbers=numbers))


_CHANGES = """
    SELECT change.*, coalesce(story.redirect_to, story.id) AS today, article.inbox_no AS article_n
    FROM change JOIN story ON story.id = change.story LEFT JOIN article ON article.id = change.article
    WHERE coalesce(story.redirect_to, story.id) <> ''
    """


def _with_articles(
    connection: Connection, selected: Iterable[Row[Any]]
) -> tuple[Change, ...]:
    rows = list(selected)
    wanted = {row.article for row in rows if row.article is not None}
    articles = {view.id: view for view in article_views.views_of(connection, wanted)}
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
            article=articles.get(row.article),
        )
        for row in rows
    )


def changed_stories(
    connection: Connection, since: int | None, limit: int
) -> ChangedStories:
    """Return the stories of the first `limit` log lines after number `since`, each once, as they are now."""
    if since is None:
        return ChangedStories(next=highest(connection, story_log.c.log_no))
    lines = "SELECT log_no, story, kind FROM story_log WHERE log_no > :since ORDER BY log_no LIMIT :limit"
    numbers = {}
    created = set()
    for line in read_rows(connection, lines, since=since, limit=limit):
        numbers[line.story] = line.log_no
        if line.kind == "created":
            created.add(line.story)
    changed = []
    present = "SELECT id, redirect_to, bumped_at FROM story WHERE id IN :ids"
    for row in read_rows(connection, present, ids=numbers):
        n = numbers[row.id]
        if row.redirect_to == "":
            changed.append(ChangedStory(n=n, story=row.id, kind="removed"))
        elif row.redirect_to is not None:
            into = row.redirect_to
            changed.append(ChangedStory(n=n, story=row.id, kind="merged", into=into))
        else:
            kind: Literal["created", "changed"] = "changed"
            if row.id in created:
                kind = "created"
            changed.append(
                ChangedStory(n=n, story=row.id, kind=kind, updated=row.bumped_at)
            )
    return ChangedStories(
        changes=tuple(sorted(changed, key=attrgetter("n"))),
        next=max(numbers.values(), default=since),
    )


def last_number(connection: Connection) -> int:
    """Return the number of the newest change; 0 without changes."""
    return highest(connection, change.c.change_no)
