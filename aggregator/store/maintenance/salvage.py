"""Salvage: reading the undamaged rows of a damaged SQLite file.

A damaged page hides its own rows; the pages before and after it are readable. So a table is read from both
ends up to the damage, and the range between in ever smaller parts.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Label,
    MetaData,
    Row,
    Select,
    Table,
    inspect,
    literal_column,
    select,
)
from sqlalchemy.exc import DatabaseError

from aggregator.model.errors import ReadError
from aggregator.store.engine.db_errors import is_damage
from aggregator.store.maintenance.row_stream import AT_ONCE, Batch, Values, checked, tables

_AT: Final[Label[int]] = literal_column("rowid").label("_at")
_SPAN: Final = 1024  # row numbers that are read at once between two damaged places
_WIDEST: Final = 1 << 24  # gap between the numbers of two rows: retention may have deleted so many
_HIGHEST: Final = 1 << 40
# Exceptions raised for a value that does not have the type of its column.
GARBLED: Final = (ValueError, TypeError, LookupError)


def salvaged_batches(connection: Connection, lost: Counter[str]) -> Iterator[Batch]:
    """As `row_stream.batches`, from a damaged file and unordered.

    `lost` counts unreadable rows by table. A table that an earlier revision does not have yet has no rows.
    """
    for table in tables():
        rows = _salvaged(connection, table, lost)
        while chunk := list(islice(rows, AT_ONCE)):
            yield Batch(table, chunk)


def _salvaged(connection: Connection, table: Table, lost: Counter[str]) -> Iterator[Values]:
    stored = _stored_table(connection, table)
    if stored is None:
        return
    for row in salvage_rows(connection, stored):
        try:
            if row is None:
                raise ReadError("the row cannot be read")
            values = {str(one.name): _without_nul(row._mapping[one]) for one in stored.columns}
            values = checked(table.name, values)
        except (ReadError, *GARBLED):
            lost[table.name] += 1
        else:
            yield values


def _stored_table(connection: Connection, table: Table) -> Table | None:
    """Return the table with those columns that the file has; None if it has no such table."""
    schema = inspect(connection)
    if not schema.has_table(table.name):
        return None
    existing = {one["name"] for one in schema.get_columns(table.name)}
    held = (Column(c.name, c.type, primary_key=c.primary_key) for c in table.columns if c.name in existing)
    with_rowid = table.dialect_options["sqlite"]["with_rowid"]
    return Table(table.name, MetaData(), *held, sqlite_with_rowid=with_rowid)


def _without_nul(value: Any) -> Any:
    """Replace NUL characters, which Postgres does not accept in text."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def salvage_rows(connection: Connection, table: Table) -> Iterator[Row[Any] | None]:
    """Yield the readable rows, unordered, and None for each unreadable row or range of rows."""
    if table.dialect_options["sqlite"]["with_rowid"]:
        yield from _by_numbers(connection, select(table, _AT))
    else:
        yield from _by_keys(connection, table)


def _readable(connection: Connection, statement: Select[Any]) -> Iterator[Row[Any] | None]:
    """Yield rows up to the first unreadable one; then None."""
    try:
        yield from connection.execute(statement)
    except DatabaseError as error:
        if not is_damage(error.orig):
            raise
        yield None
    except GARBLED:
        yield None


def _by_numbers(connection: Connection, statement: Select[Any]) -> Iterator[Row[Any] | None]:
    low = 0
    for row in _readable(connection, statement.order_by(_AT)):
        if row is None or not low < row._at <= _most_after(low):
            break
        low = row._at
        yield row
    else:
        return
    high = None
    behind = statement.where(_AT.between(low + 1, _HIGHEST)).order_by(_AT.desc())
    for row in _readable(connection, behind):
        if row is not None:
            high = row._at
            yield row
    if high is None or high > _most_after(low):  # the number of lost rows is unknown
        yield None
        return
    for first in range(low + 1, high, _SPAN):
        yield from _within(connection, statement, first, min(first + _SPAN, high) - 1)


def _most_after(number: int) -> int:
    """Return the highest plausible number of the next row."""
    return number + _WIDEST if number else _HIGHEST


def _within(
    connection: Connection, statement: Select[Any], first: int, last: int
) -> Iterator[Row[Any] | None]:
    """Yield rows `first` to `last`, by bisection if one of them is unreadable."""
    found = list(_readable(connection, statement.where(_AT.between(first, last)).order_by(_AT)))
    if None not in found or first == last:
        yield from found
        return
    middle = (first + last) // 2
    yield from _within(connection, statement, first, middle)
    yield from _within(connection, statement, middle + 1, last)


def _by_keys(connection: Connection, table: Table) -> Iterator[Row[Any] | None]:
    """Yield the rows of a WITHOUT ROWID table before the first damage and after the last one."""
    columns = list(table.primary_key.columns)
    last: tuple[Any, ...] | None = None
    for row in _readable(connection, select(table).order_by(*columns)):
        if row is None:
            break
        last = tuple(row._mapping[column] for column in columns)
        yield row
    else:
        return
    yield None
    backwards = select(table).order_by(*(column.desc() for column in columns))
    for row in _readable(connection, backwards):
        key = row and tuple(row._mapping[column] for column in columns)
        if key is None or key == last:
            return
        yield row
