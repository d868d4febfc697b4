"""Rows of live stories for the window: their compared reports, and the dates of their other articles."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, select

from aggregator.model.article import Article
from aggregator.store.stories import articles
from aggregator.store.tables import IS_LIVE, article, highest, in_parts, story

_STORIES = select(
    story.c.story_no, story.c.id, story.c.last_inbox_no, story.c.article_count
).where(IS_LIVE)
_COMPARED = (
    select(*articles.COLUMNS)
    .join(story, story.c.id == article.c.story)
    .where(article.c.is_compared, IS_LIVE)
)
_DATES_OF_OTHERS = (
    select(article.c.story, article.c.published)
    .join(story, story.c.id == article.c.story)
    .where(
        ~article.c.is_compared,
        article.c.published.is_not(None),
        IS_LIVE,
    )
)
_GROWN_SINCE = story.c.last_inbox_no >= bindparam("since")
_NAMED = story.c.id.in_(bindparam("ids", expanding=True))
_ROWS_AT_ONCE = 1_000


def newest_inbox_no(connection: Connection) -> int:
    """Return the inbox number of the newest article of any story; 0 in an empty database."""
    return highest(connection, story.c.last_inbox_no)


class LiveRows(NamedTuple):
    """A live story with the data of its articles that the window needs."""

    number: int
    id: str
    last_inbox_no: int
    article_count: int
    # Articles in any order
    compared: list[Article]
    other_minutes: list[int]  # dates of its other articles, in minutes since 1970


def grown_since(connection: Connection, since: int) -> list[LiveRows]:
    """Return the live stories that grew at inbox number `since` or later, in the order of their numbers."""
    return _read(connection, _GROWN_SINCE, {"since": since})


def named(connection: Connection, ids: Iterable[str]) -> list[LiveRows]:
    """Return those of these stories that are live."""
    live = []
    for part in in_parts(sorted(ids)):
        live += _read(connection, _NAMED, {"ids": part})
    return live


def _read(
    connection: Connection,
    which: ColumnElement[bool],
    bounds: dict[str, int | Sequence[str]],
) -> list[LiveRows]:
    by_id = {}
    for row in connection.execute(
        _STORIES.where(which).order_by(story.c.story_no), bounds
    ):
        by_id[row.id] = LiveRows(*row, compared=[], other_minutes=[])
    rows = connection.execute(_COMPARED.where(which), bounds)
    for part in rows.yield_per(_ROWS_AT_ONCE).partitions():
        for report in map(articles.of_row, part):
            by_id[report.story].compared.append(report)
    for id_, published in connection.execute(_DATES_OF_OTHERS.where(which), bounds):
        by_id[id_].other_minutes.append(int(published.timestamp() // 60))
    return list(by_id.values())
