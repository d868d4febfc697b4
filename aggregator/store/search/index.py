"""The full-text index of articles, and its updates.

It is derived: new articles are indexed shortly after placing, by inbox number, and the whole index can be
rebuilt, the newest articles first (`index_older`). index_rows.py has its content.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from aggregator.store.engine.database import Database
from aggregator.store.search.index_rows import INDEXED, fts5_row, tsvector_row
from aggregator.store.search.progress import (
    LAST,
    REST,
    indexed_to,
    unindexed_at_most,
    unindexed_to,
)
from aggregator.store.tables import read_rows, read_value, set_counter

_NEWEST = "SELECT coalesce(max(inbox_no), 0) FROM article"
_INDEXED_A_TRANSACTION = 200  # not more, because entries arrive meanwhile


def index_next(connection: Connection, limit: int) -> int:
    """Index the next articles after the last indexed one. Return their number."""
    following = f"{INDEXED} WHERE inbox_no > :last ORDER BY inbox_no LIMIT :limit"
    rows = read_rows(connection, following, last=indexed_to(connection), limit=limit)
    if rows:
        put(connection, rows)
        set_counter(connection, LAST, rows[-1].inbox_no)
    return len(rows)


def index_older(connection: Connection, limit: int) -> int:
    """Index the next articles that wait to be indexed again, the newest first. Return their number."""
    rest = unindexed_to(connection)
    if rest == 0:
        return 0
    older = f"{INDEXED} WHERE inbox_no <= :rest ORDER BY inbox_no DESC LIMIT :limit"
    rows = read_rows(connection, older, rest=rest, limit=limit)
    # ascending: FTS5 collects rows while their numbers rise
    put(connection, rows[::-1])
    rest = 0
    if len(rows) == limit:
        rest = rows[-1].inbox_no - 1
    set_counter(connection, REST, rest)
    return len(rows)


def index_until(
    database: Database,
    step: Callable[[Connection, int], int],
    stop: Callable[[], bool] = lambda: False,
    *,
    most: int | None = None,
    advance: Callable[[int], object] = lambda _count: None,
) -> int:
    """Repeat `index_next` or `index_older` to the end or to about `most`; return how many were indexed.

    `advance` is called with the number of further articles. A daemon continues after an interruption.
    """
    with database.read() as connection:
        if not unindexed_at_most(connection, read_value(connection, _NEWEST)):
            return 0
    total = 0
    count = _INDEXED_A_TRANSACTION
    while (
        count == _INDEXED_A_TRANSACTION
        and not stop()
        and (most is None or total < most)
    ):
        with database.write() as connection:
            count = step(connection, _INDEXED_A_TRANSACTION)
        advance(count)
        total += count
    return total


def take_out(connection: Connection, n: int) -> bool:
    """Remove article `n` from the index, before its row changes. Return whether it was indexed."""
    if n > indexed_to(connection) or n <= unindexed_to(connection):
        return False
    if connection.dialect.name == "sqlite":
        (row,) = read_rows(connection, f"{INDEXED} WHERE inbox_no = :n", n=n)
        taken_out = "INSERT INTO article_search(article_search, rowid, words) VALUES ('delete', :n, :w)"
        connection.execute(text(taken_out), fts5_row(row))
    else:
        connection.execute(text("DELETE FROM article_search WHERE n = :n"), {"n": n})
    return True


def put_back(connection: Connection, n: int) -> None:
    """Index article `n` as its row is now."""
    put(connection, read_rows(connection, f"{INDEXED} WHERE inbox_no = :n", n=n))


def clear(connection: Connection) -> None:
    """Empty the index and queue all articles for indexing."""
    is_sqlite = connection.dialect.name == "sqlite"
    emptied = "INSERT INTO article_search(article_search) VALUES ('delete-all')"
    connection.execute(text(emptied if is_sqlite else "DELETE FROM article_search"))
    reindex_all(connection)


def reindex_all(connection: Connection) -> None:
    """Queue all articles for indexing; the index must be empty."""
    last = read_value(connection, _NEWEST)
    for name in (LAST, REST):
        set_counter(connection, name, last)


def put(connection: Connection, rows: Sequence[Row[Any]]) -> None:
    """Insert articles into the index, by their rows of INDEXED."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        statement = text("INSERT INTO article_search(rowid, words) VALUES (:n, :w)")
        connection.execute(statement, [fts5_row(row) for row in rows])
    else:
        added = "INSERT INTO article_search(n, words, is_long) VALUES (:n, CAST(:w AS tsvector), :l)"
        connection.execute(text(added), [tsvector_row(row) for row in rows])
