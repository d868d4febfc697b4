"""All rows of a database as one stream, and its writer: for export, import, backup, restore and copy.

Between two SQLite files the pages are copied instead. Both ways copy one state of the source, while others
may write to it, in one transaction of the target.

Tables come referenced tables first, rows in the order of their keys, the same on both databases. An export
leaves out what belongs to one installation: tokens, responses to pushes, commands, webhooks and their
deliveries. The lease of a running daemon is in no stream. The full-text index is built
again from the articles.
"""

import base64
import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import zstandard
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    DefaultClause,
    Float,
    Integer,
    LargeBinary,
    Table,
    Text,
    collate,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, IntegrityError

from aggregator.model.errors import AggregatorError, NotWritableError, ReadError
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.engine.db_errors import translate_errors
from aggregator.store.engine.engines import sqlite_driver
from aggregator.store.maintenance.older_rows import as_of_today
from aggregator.store.search import index
from aggregator.store.tables import UtcTime, count_rows, counter, entry, metadata

# State of the daemon that runs now, useless in a copy.
PASSING: Final = frozenset({"writer_lease"})
LEFT_OUT: Final = frozenset({"api_token", "command", "webhook", "outbox"}) | PASSING
AT_ONCE: Final = 500  # rows of a batch
_INDEX_COUNTERS: Final = ("searchable", "unindexed")  # of the full-text index, which no export has

Values = dict[str, Any]
Advance = Callable[[int], object]  # called with the number of further rows; may raise to stop


class Batch(NamedTuple):
    """Some rows of one table."""

    table: Table
    rows: list[Values]


def tables(left_out: Set[str] = LEFT_OUT) -> tuple[Table, ...]:
    """Return the tables of a stream, referenced tables first."""
    return tuple(table for table in metadata.sorted_tables if table.name not in left_out)


def count(connection: Connection, left_out: Set[str] = LEFT_OUT) -> int:
    """Return the number of rows of a stream."""
    return sum(count_rows(connection, table) for table in tables(left_out))


def is_empty(connection: Connection) -> bool:
    """Whether the tables of an export are empty, except for the counters."""
    filled = (select(table).limit(1) for table in tables() if table is not counter)
    return all(connection.execute(one).first() is None for one in filled)


def batches(connection: Connection, left_out: Set[str] = LEFT_OUT) -> Iterator[Batch]:
    """Yield all rows."""
    options = {"stream_results": True, "yield_per": AT_ONCE}
    for table in tables(left_out):
        # By bytes, because the order of letters depends on the locale of a server.
        is_plain = connection.dialect.name == "sqlite"
        keys = table.primary_key.columns
        order = [one if is_plain or not isinstance(one.type, Text) else collate(one, "C") for one in keys]
        found = connection.execute(select(table).order_by(*order), execution_options=options)
        names = [str(column.name) for column in table.columns]
        for rows in found.partitions():
            yield Batch(table, [dict(zip(names, row, strict=True)) for row in rows])


# --- writing -----------------------------------------------------------------------------------------------


def write_all(connection: Connection, stream: Iterable[Batch], advance: Advance) -> int:
    """Write a stream into empty tables; return the number of rows. Serial numbers continue.

    Raises ReadError for a duplicate, or a reference to a missing row. The full-text index is queued.
    """
    total = 0
    for batch in stream:
        _write(connection, batch)
        total += len(batch.rows)
        advance(len(batch.rows))
    _continue_numbers(connection)
    index.reindex_all(connection)
    return total


def _write(connection: Connection, batch: Batch) -> None:
    table, rows = batch
    driver = connection.dialect.loaded_dbapi
    try:
        if table is counter:  # a new database has most of them already
            connection.execute(delete(counter).where(counter.c.name.in_([row["name"] for row in rows])))
        if connection.dialect.name == "sqlite":
            connection.execute(insert(table), rows)
        else:
            _copy_in(connection, batch)
    except (IntegrityError, DataError, driver.IntegrityError, driver.DataError) as error:
        raise ReadError(
            f"a row of {table.name} does not fit, is a duplicate, or refers to a row that does not exist"
        ) from error


def _copy_in(connection: Connection, batch: Batch) -> None:
    """Write with COPY, which is some times faster than INSERT."""
    names = batch.table.columns.keys()
    listed = ", ".join(f'"{name}"' for name in names)
    cursor = connection.connection.cursor()
    with cursor.copy(f'COPY "{batch.table.name}" ({listed}) FROM STDIN') as target:
        for row in batch.rows:
            target.write_row([row[name] for name in names])
    if cursor.rowcount != len(batch.rows):  # a trigger of somebody else
        raise AggregatorError(
            f"only {cursor.rowcount:,} of {len(batch.rows):,} rows of {batch.table.name} were written; "
            "nothing was copied"
        )


def _continue_numbers(connection: Connection) -> None:
    """Set the sequences of a server to the highest inserted number; SQLite does so by itself."""
    if connection.dialect.name == "sqlite":
        return
    for table in metadata.sorted_tables:
        for column in table.primary_key.columns:
            named = select(func.pg_get_serial_sequence(table.name, column.name))
            sequence = connection.execute(named).scalar()
            if sequence is not None:
                following = select(func.coalesce(func.max(column), 0) + 1).scalar_subquery()
                connection.execute(select(func.setval(sequence, following, False)))


def clear(connection: Connection) -> None:
    """Delete every row of the tables on a server."""
    names = ", ".join(f'"{table.name}"' for table in tables(PASSING))
    connection.execute(text(f"TRUNCATE {names}, article_search"))


# --- rows as JSON ------------------------------------------------------------------------------------------

_INTEGER = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TYPES: Final[Mapping[type, Any]] = {
    UtcTime: Annotated[dt.datetime, msgspec.Meta(tz=True)],
    LargeBinary: bytes,
    Boolean: bool,
    BigInteger: _INTEGER,
    Integer: _INTEGER,
    Float: float,
    Text: str,
}


def as_json(table: Table, row: Values) -> Values:
    """Return a row for JSON; msgspec writes times as RFC 3339 and bytes as base64."""
    is_of_index = table is counter and row["name"] in _INDEX_COUNTERS
    return {**row, "value": 0} if is_of_index else row


def checked(table: str, given: Mapping[str, Any], revision: str) -> Values | None:
    """Convert a row of an export of `revision` for `write_all`, without former columns; None: it is dropped.

    Raises ReadError if it does not fit.
    """
    try:
        of_today = as_of_today(table, given, revision)
        if of_today is None:
            return None
        row = _before_baseline(table, of_today)
        return msgspec.structs.asdict(msgspec.convert(row, _row_type(table)))
    except (msgspec.ValidationError, zstandard.ZstdError, TypeError, ValueError) as error:
        raise ReadError(f"a row of {table} does not fit: {error}") from error


def _before_baseline(table: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Restore what revisions before 0033 stored compressed, made on demand, or did not know."""
    if table == "article":
        given = {**given, "is_polled": given.get("is_polled") or False}
        if given.get("compressed_text") is not None:
            packed = base64.b64decode(given["compressed_text"])
            return {**given, "text": codecs.decompress_bytes(packed).decode() if packed else None}
    if table == "intake_count" and given.get("outcome") == "earlier":
        return {**given, "outcome": "known"}  # received before outcomes were counted, and not stored
    if table == "story" and given.get("text") == "" and given.get("rendered") is None:
        return {**given, "text": None}  # it is rendered
    return given


@cache
def _row_type(name: str) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for column in metadata.tables[name].columns:
        type_ = next(type_ for kind, type_ in _TYPES.items() if isinstance(column.type, kind))
        given = column.server_default
        if column.nullable:
            fields.append((str(column.name), type_ | None, None))
        elif isinstance(given, DefaultClause) and not isinstance(column.type, Text):  # of an older export
            fields.append((str(column.name), type_, msgspec.json.decode(str(given.arg))))
        else:
            fields.append((str(column.name), type_))
    return msgspec.defstruct(name, fields, kw_only=True)


# --- copy of a database ------------------------------------------------------------------------------------

_PAGES_A_STEP = 256  # 0.5 MiB, after which progress is reported
_ALWAYS_THERE = frozenset({"alembic_version", counter.name}) | PASSING


def has_content(connection: Connection) -> bool:
    """Whether any table has rows that a new database does not have, whatever its revision."""
    names = inspect(connection).get_table_names()
    tables = (name for name in names if name not in _ALWAYS_THERE and not name.startswith("article_search"))
    return any(connection.execute(text(f'SELECT 1 FROM "{name}" LIMIT 1')).first() for name in tables)  # noqa: S608


def database_name(url: str) -> str:
    """Return the name of the file without its suffix, or the name of the database on the server."""
    return Path(make_url(url).database or "aggregator").stem


def first_accepted_at(connection: Connection) -> dt.datetime | None:
    """Return when the oldest stored entry was accepted; None without entries."""
    return connection.execute(select(entry.c.accepted_at).order_by(entry.c.entry_no).limit(1)).scalar()


# --- pages -------------------------------------------------------------------------------------------------


def copy_pages(source: Database, target: sqlite3.Connection, advance: Advance) -> None:
    """Replace the content of one SQLite database by the pages of another one.

    It copies one state of the source: writes of others meanwhile are not in it and do not restart it.
    """
    done = 0

    def step(_status: int, left: int, total: int) -> None:
        nonlocal done
        advance(total - left - done)
        done = total - left

    with source.read() as connection:
        connection.execute(text("SELECT count(*) FROM sqlite_master"))  # from here on it reads one state
        sqlite_driver(connection).backup(target, pages=_PAGES_A_STEP, progress=step)


def take_pages(target: Database, source: Database, advance: Advance) -> None:
    """Replace the content of `target` by the pages of `source`, in one SQLite transaction.

    Raises NotWritableError.
    """
    target.engine.dispose()  # idle connections of this process would block it
    with translate_errors(target.url), target.engine.connect() as connection:
        try:
            driver = sqlite_driver(connection)
            if driver.execute("PRAGMA page_size").fetchone()[0] != source.space().page:
                driver.execute("PRAGMA journal_mode=DELETE")  # the page size cannot change in WAL mode
            copy_pages(source, driver, advance)
        except sqlite3.OperationalError as error:
            raise NotWritableError(f"{target.file} cannot be written: {error}") from error
    target.engine.dispose()  # the log may be a new file now
