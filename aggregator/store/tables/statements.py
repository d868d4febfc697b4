"""Statements that are the same on both databases: SQL text, lists of values in parts, INSERT ... ON CONFLICT.

A statement that is always the same is SQL text: `read_rows`, `read_values`, `read_value` and `write_sql`. A
statement composed of conditions or of the fields of a struct is made of SQLAlchemy's expressions.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Executable,
    Row,
    Select,
    Table,
    TextClause,
    bindparam,
    column,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.types import TypeEngine

from aggregator.store.tables.columns import UtcTime, metadata

VALUES_AT_ONCE = 500  # SQLite takes 32,766 parameters, older builds 999

Value = TypeVar("Value")
AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)


def in_parts(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Return the values in their order, at most VALUES_AT_ONCE at a time."""
    return (
        values[start : start + VALUES_AT_ONCE]
        for start in range(0, len(values), VALUES_AT_ONCE)
    )


def read_rows(connection: Connection, sql: str, /, **values: Any) -> list[Any]:
    """Return the rows that SQL text selects; `:name` in the text stands for a value.

    A column has the type of the columns of tables with its name, so times keep their names. One of
    the values may be a set or list, as in `id IN :ids`: it is read in parts of ascending values.
    """
    return [row for result in _results(connection, sql, values) for row in result]


def read_row(connection: Connection, sql: str, /, **values: Any) -> Any:
    """Return the first row of `read_rows`; None without rows."""
    return next(iter(read_rows(connection, sql, **values)), None)


def read_values(connection: Connection, sql: str, /, **values: Any) -> list[Any]:
    """Return the first column of `read_rows`."""
    return [row[0] for row in read_rows(connection, sql, **values)]


def read_value(connection: Connection, sql: str, /, **values: Any) -> Any:
    """Return the first value of `read_rows`; None without rows."""
    return next(iter(read_values(connection, sql, **values)), None)


def write_sql(connection: Connection, sql: str, /, **values: Any) -> int:
    """Change rows by SQL text, with values as in `read_rows`. Return their number."""
    return sum(result.rowcount for result in _results(connection, sql, values))


def write_each(
    connection: Connection, sql: str, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Change rows by SQL text once with the values of each row; the rows have the same names and types."""
    if rows:
        times = [n for n, value in rows[0].items() if isinstance(value, dt.datetime)]
        connection.execute(_prepare(sql, (), tuple(times)).executable, rows)


def counter_value(connection: Connection, name: str) -> int:
    """Return the value of a row of `counter`; 0 without one."""
    stored = "SELECT value FROM counter WHERE name = :name"
    return read_value(connection, stored, name=name) or 0


def set_counter(connection: Connection, name: str, value: int) -> None:
    """Write a row of `counter`."""
    written = """
        INSERT INTO counter (name, value) VALUES (:name, :value)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value
        """
    write_sql(connection, written, name=name, value=value)


def stream_rows(connection: Connection, sql: str, /, **values: Any) -> Iterator[Any]:
    """Yield the rows of `read_rows`, with some hundred of them in memory at a time."""
    for result in _results(connection, sql, values, yield_per=VALUES_AT_ONCE):
        yield from result


def _results(
    connection: Connection, sql: str, values: dict[str, Any], **options: Any
) -> Iterator[CursorResult[Any]]:
    many = []
    times = []
    for name, value in values.items():
        if isinstance(value, dt.datetime):
            times.append(name)
        elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
            many.append(name)
    statement = _prepare(sql, tuple(many), tuple(times))
    if not many:
        yield statement.execute(connection, values, options)
    for name in many:
        for part in in_parts(sorted(set(values[name]))):
            yield statement.execute(connection, {**values, name: part}, options)


class _Statement:
    """SQL text with the types of its values and columns."""

    def __init__(self, text_: TextClause, types: Mapping[str, TypeEngine[Any]]) -> None:
        """`types` of columns by their names."""
        self.executable: Executable = text_.columns(**types) if types else text_
        self._text = text_
        self._types = types
        # The columns of a table may be others in another file.
        self._is_ordered = "*" in text_.text

    def execute(
        self, connection: Connection, values: Mapping[str, Any], options: dict[str, Any]
    ) -> CursorResult[Any]:
        """Execute it; the first result shows the order of its columns.

        Without it SQLAlchemy describes the columns of every result again, which took a third of its time.
        """
        result = connection.execute(self.executable, values, execution_options=options)
        if not self._is_ordered and result.returns_rows:
            self._is_ordered = True
            names = result.keys()
            self.executable = self._text.columns(
                *(column(name, self._types.get(name)) for name in names)
            )
        return result


@lru_cache(maxsize=512)
def _prepare(sql: str, many: tuple[str, ...], times: tuple[str, ...]) -> _Statement:
    """Return a statement with its types: SQLite stores times as text, and true and false as numbers."""
    statement = text(sql).bindparams(
        *(bindparam(name, expanding=True) for name in many),
        *(bindparam(name, type_=UtcTime()) for name in times),
    )
    typed = {}
    has_rows = "RETURNING" in sql or sql.lstrip().startswith("SELECT")
    for table in metadata.tables.values() if has_rows else ():
        for shown in table.columns:
            is_read = shown.name in sql or "*" in sql
            if is_read and isinstance(shown.type, UtcTime | Boolean):
                typed[shown.name] = shown.type
    return _Statement(statement, typed)


def update_rows(
    connection: Connection, table: Table, /, *conditions: Any, **values: Any
) -> int:
    """Write values into the rows that meet all conditions. Return their number."""
    statement = update(table).where(*conditions).values(**values)
    return connection.execute(statement).rowcount


def delete_rows(connection: Connection, table: Table, /, *conditions: Any) -> int:
    """Delete the rows that meet all conditions. Return their number."""
    return connection.execute(delete(table).where(*conditions)).rowcount


def insert_or(connection: Connection, table: Table) -> Any:
    """Return INSERT INTO `table` in the dialect of the connection, which has ON CONFLICT methods."""
    # One of sqlalchemy.dialects.sqlite and .postgresql: the other is not loaded.
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)


def insert_new(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert the rows whose keys are not there yet; another process may have added the others meanwhile."""
    statement = insert_or(connection, table).on_conflict_do_nothing()
    execute_each(connection, statement, rows)


def upsert(connection: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Insert a row, or write `values` into the row with the same primary key."""
    statement = insert_or(connection, table).values(values)
    keys = table.primary_key.columns.keys()
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=values)
    )


def execute_each(
    connection: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Execute a statement with each of these rows of parameters, if there are any."""
    if rows:
        connection.execute(statement, rows)


def rows_in_order(
    connection: Connection,
    statement: Select[Any],
    column: ColumnElement[Any],
    values: Sequence[Any],
) -> list[Row[Any]]:
    """Return the rows of a statement whose `column` has one of the values, one a value, in their order."""
    by_value = {}
    for part in in_parts(sorted(set(values))):
        for row in connection.execute(statement.where(column.in_(part))):
            by_value[row._mapping[column]] = row
    return [by_value[value] for value in values if value in by_value]


def structs_of(shape: type[AnyStruct], rows: Iterable[Any]) -> list[AnyStruct]:
    """Return rows as structs that have a field for each column, with its name."""
    return [shape(**row._mapping) for row in rows]


def struct_of(shape: type[AnyStruct], row: Any) -> AnyStruct | None:
    """Return a row as `structs_of` does; None without a row."""
    return None if row is None else shape(**row._mapping)


def highest(connection: Connection, numbers: Column[int]) -> int:
    """Return the highest number in a column; 0 without rows."""
    newest = f"SELECT max({numbers.name}) FROM {numbers.table.name}"  # noqa: S608
    return read_value(connection, newest) or 0


def count_rows(
    connection: Connection, table: Table, *conditions: ColumnElement[bool]
) -> int:
    """Return the number of rows that meet all conditions."""
    return connection.execute(
        select(func.count()).select_from(table).where(*conditions)
    ).scalar_one()
