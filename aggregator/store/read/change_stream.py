"""Reads the change stream for update feeds and webhooks. `UnitOfWork.change` writes it with each decision.

A change is a bump of a story (a new story, a new independent report, another headline, a correction), a merge
or a split. A copy causes no change.
"""

from collections.abc import Collection, Iterable
from itertools import takewhile

from sqlalchemy import Connection

from aggregator.model.read_model import Change, ChangedStories, ChangedStory
from aggregator.store.stories import article_views
from aggregator.store.tables import Row, read_rows, read_structs, read_value


def following(
    connection: Connection, after: int, limit: int, *, indexed_to: int
) -> list[Change]:
    """Return the changes after number `after`, oldest first, up to the first whose article is not indexed.

    `indexed_to`: the inbox number of the last article in the full-text index.
    """
    rows = read_rows(
        connection,
        f"{_CHANGES} AND change_no > :after ORDER BY change_no LIMIT :limit",
        after=after,
        limit=limit,
    )
    return _with_articles(
        connection, takewhile(lambda row: (row.article_n or 0) <= indexed_to, rows)
    )


def changes(connection: Connection, numbers: Collection[int]) -> list[Change]:
    """Return the changes with these numbers, oldest first, except those of removed stories."""
    named = f"{_CHANGES} AND change_no IN :numbers ORDER BY change_no"
    return _with_articles(connection, read_rows(connection, named, numbers=numbers))


_CHANGES = """
    SELECT change.*, coalesce(story.redirect_to, story.id) AS today, article.inbox_no AS article_n
    FROM change JOIN story ON story.id = change.story LEFT JOIN article ON article.id = change.article
    WHERE coalesce(story.redirect_to, story.id) <> ''
    """


def _with_articles(connection: Connection, selected: Iterable[Row]) -> list[Change]:
    rows = list(selected)
    wanted = {row.article for row in rows if row.article is not None}
    articles = {view.id: view for view in article_views.views_of(connection, wanted)}
    return [
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
    ]


def changed_stories(
    connection: Connection, since: int | None, limit: int
) -> ChangedStories:
    """Return the stories of the first `limit` log lines after number `since`, each once, as they are now.

    Without `since`, return no stories, but the number of the newest log line as `next`.
    """
    if since is None:
        return ChangedStories(
            next=read_value(
                connection, "SELECT coalesce(max(log_no), 0) FROM story_log"
            )
        )
    changed = read_structs(
        connection,
        ChangedStory,
        """
        SELECT max(log_no) AS n, story.id AS story, nullif(redirect_to, '') AS "into",
          CASE WHEN redirect_to IS NULL THEN bumped_at END AS updated,
          CASE WHEN redirect_to = '' THEN 'removed' WHEN redirect_to IS NOT NULL THEN 'merged'
            WHEN min(CASE WHEN line.kind = 'created' THEN 0 ELSE 1 END) = 0 THEN 'created' ELSE 'changed' END AS kind
        FROM (SELECT log_no, story, kind FROM story_log WHERE log_no > :since ORDER BY log_no LIMIT :limit) AS line
        JOIN story ON story.id = line.story
        GROUP BY story.id, redirect_to, bumped_at ORDER BY max(log_no)
        """,
        since=since,
        limit=limit,
    )
    return ChangedStories(
        changes=tuple(changed), next=changed[-1].n if changed else since
    )


def last_number(connection: Connection) -> int:
    """Return the number of the newest change; 0 without changes."""
    return read_value(connection, "SELECT coalesce(max(change_no), 0) FROM change")
