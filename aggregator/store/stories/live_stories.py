"""Rows of live stories for the window: their compared reports, and the dates of their other articles."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from aggregator.model.article import Article
from aggregator.store.stories import articles
from aggregator.store.tables import highest, read_rows, story, stream_rows


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
    return _read(connection, "last_inbox_no >= :which", since)


def named(connection: Connection, ids: Iterable[str]) -> list[LiveRows]:
    """Return those of these stories that are live."""
    return _read(connection, "story.id IN :which", set(ids))


def _read(
    connection: Connection, condition: str, which: int | Collection[str]
) -> list[LiveRows]:
    stories = f"""
        SELECT story_no, id, last_inbox_no, article_count FROM story
        WHERE redirect_to IS NULL AND {condition} ORDER BY story_no
        """  # noqa: S608
    by_id = {}
    for row in read_rows(connection, stories, which=which):
        by_id[row.id] = LiveRows(
            row.story_no, row.id, row.last_inbox_no, row.article_count, [], []
        )
    members = f"FROM article JOIN story ON story.id = article.story WHERE redirect_to IS NULL AND {condition}"
    compared = f"SELECT {articles.COLUMNS} {members} AND is_compared"
    for report in map(articles.of_row, stream_rows(connection, compared, which=which)):
        by_id[report.story].compared.append(report)
    dates = f"SELECT story, published {members} AND NOT is_compared AND published IS NOT NULL"
    for id_, published in stream_rows(connection, dates, which=which):
        by_id[id_].other_minutes.append(int(published.timestamp() // 60))
    return list(by_id.values())
