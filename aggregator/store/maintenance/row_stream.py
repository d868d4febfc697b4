"""Reads all rows of a database as one stream, and writes a stream, for export and import.

The stream shows one state of the database, even if other processes write to it meanwhile, and is written in one
transaction of the target.

Referenced tables come first, and rows come in the order of their keys, which is the same on both databases. A stream
leaves out data that belongs to one installation: secrets of sources, commands, webhooks and their deliveries, and the
writer lease. The full-text index is built again from the articles.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Table,
    Text,
    inspect,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, IntegrityError

from aggregator.model.errors import ReadError
from aggregator.store.search import index
from aggregator.store.tables import (
    Values,
    api_token,
    count_rows,
    counter,
    insert_rows,
    is_sqlite,
    metadata,
    read_rows,
    read_value,
    stream_rows,
    write_sql,
)

# The state of the running daemon, which is useless in a copy
PASSING = frozenset({"writer_lease"})
LEFT_OUT = PASSING | frozenset({"command", "webhook", "outbox", "source_access"})
AT_ONCE = 500  # most rows of a batch

# A callback for progress, called with the number of further rows. It may raise an exception to stop the work.
Advance = Callable[[int], object]


class Batch(NamedTuple):
    """Some rows of one table."""

    table: Table
    rows: list[Values]


def tables() -> list[Table]:
    """Return the tables of a stream, referenced tables first."""
    return [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]


def count(connection: Connection) -> int:
    """Return the number of rows of a stream."""
    return sum(count_rows(connection, table) for table in tables())


def is_empty(connection: Connection) -> bool:
    """Return whether the tables of a stream are empty, apart from counters and tokens."""
    names = {table.name for table in tables()} - {counter.name, api_token.name}
    return not _have_rows(connection, names)


def has_content(connection: Connection) -> bool:
    """Return whether the database has rows that a new one does not have, whatever its revision is."""
    names = (
        set(inspect(connection).get_table_names())
        - {"alembic_version", counter.name}
        - PASSING
    )
    return _have_rows(
        connection, (name for name in names if not name.startswith("article_search"))
    )


def _have_rows(connection: Connection, names: Iterable[str]) -> bool:
    return any(
        read_rows(connection, f'SELECT 1 FROM "{name}" LIMIT 1')  # noqa: S608
        for name in names
    )


def batches(connection: Connection) -> Iterator[Batch]:
    """Yield all rows of a stream."""
    for table in tables():
        keys = []
        for key in table.primary_key.columns:
            # Texts are ordered by bytes, because the order of letters depends on the locale of a server.
            is_text = isinstance(key.type, Text) and not is_sqlite(connection)
            keys.append(f'{key.name} COLLATE "C"' if is_text else key.name)
        ordered = f"SELECT * FROM {table.name} ORDER BY {', '.join(keys)}"  # noqa: S608
        for rows in parts(connection, ordered):
            yield Batch(table, rows)


def parts(connection: Connection, sql: str, /, **values: Any) -> Iterator[list[Values]]:
    """Yield the rows of a statement in lists of at most AT_ONCE."""
    rows = stream_rows(connection, sql, **values)
    while part := [
        dict(zip(row._fields, row, strict=True)) for row in islice(rows, AT_ONCE)
    ]:
        yield part


def database_name(url: str) -> str:
    """Return the name of the file without its suffix, or the name of the database on the server."""
    return Path(make_url(url).database or "aggregator").stem


def first_accepted_at(connection: Connection) -> datetime | None:
    """Return when the oldest stored entry was accepted; None without entries."""
    return read_value(
        connection, "SELECT accepted_at FROM entry ORDER BY entry_no LIMIT 1"
    )


def write_all(connection: Connection, stream: Iterable[Batch], advance: Advance) -> int:
    """Write a stream into empty tables; return the number of rows.

    The articles are queued for the full-text index, and later rows get higher serial numbers than these. Raises
    ReadError for a duplicate, or a reference to a missing row.
    """
    total = 0
    for table, rows in stream:
        if table is counter:  # a new database has most of them already
            names = [row["name"] for row in rows]
            write_sql(
                connection, "DELETE FROM counter WHERE name IN :names", names=names
            )
        try:
            insert_rows(connection, table, rows)
        except (IntegrityError, DataError) as error:
            raise ReadError(
                f"a row of {table.name} does not fit, is a duplicate, or refers to a row that does not exist"
            ) from error
        total += len(rows)
        advance(len(rows))
    # SQLite continues its numbers by itself; a server has sequences.
    if not is_sqlite(connection):
        for table in metadata.sorted_tables:
            for column in table.primary_key.columns:
                sequence = read_value(
                    connection,
                    "SELECT pg_get_serial_sequence(:table, :key)",
                    table=table.name,
                    key=column.name,
                )
                # Without rows the highest number is null, and nothing is set
                if sequence is not None:
                    read_value(
                        connection,
                        f'SELECT setval(:sequence, max("{column.name}")) FROM "{table.name}"',  # noqa: S608
                        sequence=sequence,
                    )
    index.reindex_all(connection)
    return total
