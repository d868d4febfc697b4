"""The full-text index of articles, and its updates.

The index is derived: new articles are indexed shortly after placing, by inbox number, and the whole index can be
rebuilt, the newest articles first (`index_older`). index_rows.py defines its content. FTS5 keeps the words of a deleted
row until it merges the index, so retention and `forget` start merges. On PostgreSQL, VACUUM removes such words.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from aggregator.store.engine.database import Database
from aggregator.store.search.index_rows import INDEXED, fts5_row, tsvector_row
from aggregator.store.search.progress import (
    LAST,
    REST,
    indexed_to,
    unindexed_at_most,
    unindexed_to,
)
from aggregator.store.tables import (
    Row,
    counter_value,
    is_sqlite,
    read_rows,
    read_value,
    set_counter,
    write_each,
    write_sql,
)

_NEWEST = "SELECT coalesce(max(inbox_no), 0) FROM article"
_INDEXED_A_TRANSACTION = 200  # not more, because arriving entries wait meanwhile


def index_next(connection: Connection, limit: int) -> int:
    """Index the next articles after the last indexed article. Return how many were indexed."""
    rows = read_rows(
        connection,
        f"{INDEXED} WHERE inbox_no > :last ORDER BY inbox_no LIMIT :limit",
        last=indexed_to(connection),
        limit=limit,
    )
    if rows:
        put(connection, rows)
        set_counter(connection, LAST, rows[-1].inbox_no)
    return len(rows)


def index_older(connection: Connection, limit: int) -> int:
    """Index the next articles that wait to be indexed again, the newest first. Return how many were indexed."""
    rest = unindexed_to(connection)
    if rest == 0:
        return 0
    rows = read_rows(
        connection,
        f"{INDEXED} WHERE inbox_no <= :rest ORDER BY inbox_no DESC LIMIT :limit",
        rest=rest,
        limit=limit,
    )
    # Rows are inserted in ascending order, because FTS5 collects rows only while their numbers rise.
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
    """Repeat `index_next` or `index_older` until all, or about `most`, articles are indexed. Return how many were.

    `advance` is called with the number of further articles. If it is interrupted, a daemon continues the work.
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
    """Remove article `n` from the index. Return whether it was indexed. Its row must not have changed yet."""
    if n > indexed_to(connection) or n <= unindexed_to(connection):
        return False
    if is_sqlite(connection):
        (row,) = read_rows(connection, f"{INDEXED} WHERE inbox_no = :n", n=n)
        write_sql(
            connection,
            "INSERT INTO article_search(article_search, rowid, words) VALUES ('delete', :n, :w)",
            **fts5_row(row),
        )
    else:
        write_sql(connection, "DELETE FROM article_search WHERE n = :n", n=n)
    return True


def put_back(connection: Connection, n: int) -> None:
    """Index article `n` by its present row."""
    put(connection, read_rows(connection, f"{INDEXED} WHERE inbox_no = :n", n=n))


def clear(connection: Connection) -> None:
    """Empty the index and queue all articles for indexing."""
    emptied = "DELETE FROM article_search"
    if is_sqlite(connection):
        emptied = "INSERT INTO article_search(article_search) VALUES ('delete-all')"
    write_sql(connection, emptied)
    reindex_all(connection)


def reindex_all(connection: Connection) -> None:
    """Queue all articles for indexing; the index must be empty."""
    last = read_value(connection, _NEWEST)
    for name in (LAST, REST):
        set_counter(connection, name, last)


def put(connection: Connection, rows: Sequence[Row]) -> None:
    """Insert articles, given by their rows of INDEXED, into the index."""
    if is_sqlite(connection):
        added = "INSERT INTO article_search(rowid, words) VALUES (:n, :w)"
        write_each(connection, added, [fts5_row(row) for row in rows])
    else:
        added = "INSERT INTO article_search(n, words, is_long) VALUES (:n, CAST(:w AS tsvector), :l)"
        write_each(connection, added, [tsvector_row(row) for row in rows])


# Pages of the full-text index merged in one transaction: about 2 MB
_MERGED_PAGES = 500
# Counter: rows that were taken out of the index since its last merge began
_STALE_ROWS = "index_stale"
_MERGING = "index_merging"  # counter: 1 while the index is being merged


def count_stale_rows(connection: Connection, number: int) -> None:
    """Add the `number` of rows that were taken out of the index to the counter."""
    if number:
        set_counter(
            connection, _STALE_ROWS, counter_value(connection, _STALE_ROWS) + number
        )


def merge_index(
    connection: Connection, *, is_first: bool, pages: int = _MERGED_PAGES
) -> bool:
    """Merge about `pages` pages of the index. Return whether more remains. `is_first`: begin a merge of all of it."""
    if not is_sqlite(connection):
        return False
    if is_first:
        set_counter(connection, _STALE_ROWS, 0)
    changes = "SELECT total_changes()"
    before = read_value(connection, changes)
    write_sql(
        connection,
        "INSERT INTO article_search(article_search, rank) VALUES ('merge', :pages)",
        pages=-pages if is_first else pages,
    )
    # FTS5 documents that a difference of less than 2 means that nothing was merged.
    return read_value(connection, changes) - before >= 2


def merge_stale_index(connection: Connection, least: int, pages: int) -> bool:
    """Merge about `pages` pages if `least` rows are stale or a merge is under way. Return whether it did."""
    is_under_way = counter_value(connection, _MERGING) > 0
    is_due = is_under_way or counter_value(connection, _STALE_ROWS) >= least
    if not is_due or not is_sqlite(connection):
        return False
    more = merge_index(connection, is_first=not is_under_way, pages=pages)
    set_counter(connection, _MERGING, int(more))
    return True
