"""Merging of SQLite's full-text index, so that the words of deleted rows go.

FTS5 keeps the words of a deleted row until it merges. On PostgreSQL VACUUM removes them.
"""

from sqlalchemy import Connection, text

from aggregator.store.tables import counter_value, set_counter

# Pages of the full-text index merged in one transaction: about 2 MB
_MERGED_PAGES = 500
# Counters.
# Rows that were taken out of the index since it was last merged
_STALE_ROWS = "index_stale"
_MERGING = "index_merging"  # 1 while it is being merged


def count_stale_rows(connection: Connection, number: int) -> None:
    """Record that so many rows were taken out of the index."""
    if number:
        set_counter(
            connection, _STALE_ROWS, counter_value(connection, _STALE_ROWS) + number
        )


def merge_index(
    connection: Connection, *, is_first: bool, pages: int = _MERGED_PAGES
) -> bool:
    """Merge `pages` of the index. Return whether more remains."""
    if connection.dialect.name != "sqlite":
        return False
    if is_first:
        set_counter(connection, _STALE_ROWS, 0)
    changes = text("SELECT total_changes()")
    before = connection.execute(changes).scalar_one()
    connection.execute(
        text(
            "INSERT INTO article_search(article_search, rank) VALUES ('merge', :pages)"
        ),
        {"pages": -pages if is_first else pages},
    )
    # Less than 2: nothing was merged
    return bool(connection.execute(changes).scalar_one() - before >= 2)


def merge_stale_index(connection: Connection, least: int, pages: int) -> bool:
    """Merge `pages` of the index once `least` of its rows are stale. Return whether it did."""
    is_under_way = counter_value(connection, _MERGING) > 0
    is_due = is_under_way or counter_value(connection, _STALE_ROWS) >= least
    if not is_due or connection.dialect.name != "sqlite":
        return False
    more = merge_index(connection, is_first=not is_under_way, pages=pages)
    set_counter(connection, _MERGING, int(more))
    return True
