"""The full-text index of articles, and its updates.

It is derived: new articles are indexed shortly after placing, by inbox number, and the whole index can be
rebuilt, the newest articles first (`index_older`). index_rows.py has its content.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, select, text

from aggregator.store.engine.database import Database
from aggregator.store.search.index_rows import (
    Indexed,
    IndexedText,
    fts5_row,
    tsvector_row,
)
from aggregator.store.search.progress import (
    LAST,
    REST,
    indexed_to,
    unindexed_at_most,
    unindexed_to,
)
from aggregator.store.tables import (
    TEXT_OR_EMPTY,
    article,
    count_rows,
    highest,
    set_counter,
)

_INDEXED_A_TRANSACTION = 200  # not more, because entries arrive meanwhile
_NEWEST = select(article.c.inbox_no).order_by(article.c.inbox_no.desc()).limit(1)

INDEXED = select(
    *(
        TEXT_OR_EMPTY if name == "text" else article.c[name]
        for name in IndexedText._fields
    )
)


def index_next(connection: Connection, limit: int) -> int:
    """Index the next articles after the last indexed one. Return their number."""
    last = indexed_to(connection)
    rows = connection.execute(
        INDEXED.where(article.c.inbox_no > last)
        .order_by(article.c.inbox_no)
        .limit(limit)
    ).all()
    if rows:
        put(connection, rows)
        set_counter(connection, LAST, rows[-1].inbox_no)
    return len(rows)


def index_older(connection: Connection, limit: int) -> int:
    """Index the next articles that wait to be indexed again, the newest first. Return their number."""
    rest = unindexed_to(connection)
    if rest == 0:
        return 0
    rows = connection.execute(
        INDEXED.where(article.c.inbox_no <= rest)
        .order_by(article.c.inbox_no.desc())
        .limit(limit)
    ).all()
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
        if not unindexed_at_most(connection, connection.scalar(_NEWEST) or 0):
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
        row = connection.execute(INDEXED.where(article.c.inbox_no == n)).one()
        connection.execute(
            text(
                "INSERT INTO article_search(article_search, rowid, words) VALUES ('delete', :n, :w)"
            ),
            fts5_row(row),
        )
    else:
        connection.execute(text("DELETE FROM article_search WHERE n = :n"), {"n": n})
    return True


def put_back(connection: Connection, n: int) -> None:
    """Index article `n` as its row is now."""
    put(connection, connection.execute(INDEXED.where(article.c.inbox_no == n)).all())


def clear(connection: Connection) -> None:
    """Empty the index and queue all articles for indexing."""
    is_sqlite = connection.dialect.name == "sqlite"
    emptied = "INSERT INTO article_search(article_search) VALUES ('delete-all')"
    connection.execute(text(emptied if is_sqlite else "DELETE FROM article_search"))
    reindex_all(connection)


def reindex_all(connection: Connection) -> None:
    """Queue all articles for indexing; the index must be empty."""
    last = highest(connection, article.c.inbox_no)
    for name in (LAST, REST):
        set_counter(connection, name, last)


def unindexed_count(connection: Connection) -> int:
    """Count the articles that are not indexed yet."""
    last = indexed_to(connection)
    rest = unindexed_to(connection)
    newer = count_rows(connection, article, article.c.inbox_no > last)
    return newer + count_rows(connection, article, article.c.inbox_no <= rest)


def put(connection: Connection, rows: Sequence[Indexed]) -> None:
    """Insert articles into the index."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        statement = text("INSERT INTO article_search(rowid, words) VALUES (:n, :w)")
        connection.execute(statement, [fts5_row(row) for row in rows])
    else:
        statement = text(
            "INSERT INTO article_search(n, words, is_long) VALUES (:n, CAST(:w AS tsvector), :l)"
        )
        connection.execute(statement, [tsvector_row(row) for row in rows])
