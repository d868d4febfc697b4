"""Executes statements that are the same on both databases, with long lists of values in parts.

A statement is SQL text (`read_rows`, `read_values`, `read_value`, `write_sql`), and `Where` collects the conditions of
a filter. Only `insert_rows` builds its statement from the columns of a table.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Boolean,
    Connection,
    CursorResult,
    Executable,
    Table,
    Text,
    TextClause,
    bindparam,
    column,
    insert,
    text,
)
from sqlalchemy import Row as SqlRow
from sqlalchemy.types import TypeEngine

from aggregator.store.tables.columns import UtcTime, metadata

_TIME = UtcTime()
_TEXT = Text()
# All other values, except times, are lists. Asking whether a value is iterable would take much longer.
_SINGLE = (str, int, bytes, float, type(None))
VALUES_AT_ONCE = 500  # SQLite accepts 32,766 parameters, and 999 in older builds
# The `*` of SELECT, but not of count(*)
_ALL_COLUMNS = re.compile(r"(?<!\()\*")

# `Row` is a row of a result, with an attribute for each column; `Values` has values by names of columns or parameters.
Row = SqlRow[Any]
Values = dict[str, Any]

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

    A selected column gets the type of the table columns with the same name, so times must keep such a name. One of the
    values may be a set or list, as in `id IN :ids`. It is sorted, and the statement is executed for each part of it.
    """
    # `all` fetches rows together. Iterating takes a third longer, and three times as long for short rows.
    return [row for result in _results(connection, sql, values) for row in result.all()]


def read_row(connection: Connection, sql: str, /, **values: Any) -> Any:
    """Return the first row of `read_rows`; None without rows."""
    return next(iter(read_rows(connection, sql, **values)), None)


def read_values(connection: Connection, sql: str, /, **values: Any) -> list[Any]:
    """Return the first column of `read_rows`."""
    return [row[0] for row in read_rows(connection, sql, **values)]


def read_set(connection: Connection, sql: str, /, **values: Any) -> set[Any]:
    """Return the different values of the first column of `read_rows`."""
    return set(read_values(connection, sql, **values))


def read_map(connection: Connection, sql: str, /, **values: Any) -> dict[Any, Any]:
    """Return the second column of `read_rows` by the first."""
    return dict(read_rows(connection, sql, **values))


def has_rows(connection: Connection, sql: str, /, **values: Any) -> bool:
    """Return whether SQL text selects a row."""
    return bool(read_rows(connection, sql, **values))


def read_value(connection: Connection, sql: str, /, **values: Any) -> Any:
    """Return the first value of `read_rows`; None without rows."""
    return next(iter(read_values(connection, sql, **values)), None)


def read_lists(
    connection: Connection, sql: str, /, **values: Any
) -> dict[Any, list[Any]]:
    """Return lists of the second column of `read_rows`, by the first column; other keys give an empty list."""
    lists = defaultdict(list)
    for key, value in read_rows(connection, sql, **values):
        lists[key].append(value)
    return lists


def read_structs(
    connection: Connection, shape: type[AnyStruct], sql: str, /, **values: Any
) -> list[AnyStruct]:
    """Return the rows of `read_rows` as structs that have a field for each column, with its name."""
    structs = []
    for result in _results(connection, sql, values):
        # A struct is made ten times faster from a dictionary than from a row
        names = list(result.keys())
        structs += [shape(**dict(zip(names, row, strict=True))) for row in result.all()]
    return structs


def read_struct(
    connection: Connection, shape: type[AnyStruct], sql: str, /, **values: Any
) -> AnyStruct | None:
    """Return the first struct of `read_structs`; None without rows."""
    return next(iter(read_structs(connection, shape, sql, **values)), None)


def is_sqlite(connection: Connection) -> bool:
    """Return whether the database is SQLite, and not PostgreSQL."""
    return connection.dialect.name == "sqlite"


def lock_rows(connection: Connection, sql: str) -> str:
    """Return a SELECT that locks its rows. On SQLite nothing is added, because only one transaction can write."""
    return sql if is_sqlite(connection) else f"{sql} FOR UPDATE"


def write_sql(connection: Connection, sql: str, /, **values: Any) -> int:
    """Change rows by SQL text, with values as in `read_rows`. Return their number."""
    return sum(result.rowcount for result in _results(connection, sql, values))


def write_each(connection: Connection, sql: str, rows: Sequence[Values]) -> None:
    """Execute SQL text that changes rows once for each item of `rows`. All items have the same names and types."""
    if rows:
        times = [
            (name, False, _TIME)
            for name, value in rows[0].items()
            if isinstance(value, datetime)
        ]
        connection.execute(_prepare(sql, tuple(times)).executable, rows)


def counter_value(connection: Connection, name: str) -> int:
    """Return the value of a row of `counter`; 0 without one."""
    stored = "SELECT value FROM counter WHERE name = :name"
    return read_value(connection, stored, name=name) or 0


def set_counter(connection: Connection, name: str, value: int) -> None:
    """Write a row of `counter`."""
    write_sql(
        connection,
        """
        INSERT INTO counter (name, value) VALUES (:name, :value)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value
        """,
        name=name,
        value=value,
    )


def stream_rows(connection: Connection, sql: str, /, **values: Any) -> Iterator[Any]:
    """Yield the rows of `read_rows`, with some hundreds of them in memory at a time."""
    for result in _results(connection, sql, values, yield_per=VALUES_AT_ONCE):
        yield from result


class Where:
    """Conditions in SQL text that are joined by AND, and the values that they name.

    A list among these values must be short and contain texts, because it is not divided as in `read_rows`.
    """

    def __init__(self, *conditions: str, **values: Any) -> None:
        self.conditions = list(conditions)
        self.values = values

    def add(self, condition: str, **values: Any) -> None:
        """Add a condition with its values."""
        self.conditions.append(condition)
        self.values |= values

    def take_in(self, other: "Where") -> None:
        """Add the conditions of `other` with their values."""
        self.conditions += other.conditions
        self.values |= other.values

    def __str__(self) -> str:
        """Return the conditions as one condition."""
        return " AND ".join(self.conditions) or "true"

    def read_rows(
        self, connection: Connection, sql: str, /, **values: Any
    ) -> list[Any]:
        """Return the rows of a statement that contains these conditions."""
        results = _results(connection, sql, values, whole=self.values)
        return [row for result in results for row in result.all()]

    def read_values(
        self, connection: Connection, sql: str, /, **values: Any
    ) -> list[Any]:
        """Return the first column of `read_rows`."""
        return [row[0] for row in self.read_rows(connection, sql, **values)]


def _results(
    connection: Connection,
    sql: str,
    values: Values,
    *,
    whole: Mapping[str, Any] = MappingProxyType({}),
    **options: Any,
) -> Iterator[CursorResult[Any]]:
    """Execute a statement for each part of the list among `values`. Lists in `whole` are not divided."""
    named = {n: value for n, value in whole.items() if re.search(rf":{n}\b", sql)}
    given = {**named, **values}
    parts = [given]
    typed: list[_Typed] = []
    for name, value in given.items():
        if isinstance(value, datetime):
            typed.append((name, False, _TIME))
        elif name in named and not isinstance(value, _SINGLE):
            typed.append((name, True, _TEXT))
        elif not isinstance(value, _SINGLE):
            typed.append((name, True, None))
            divided = in_parts(sorted(set(value)))
            parts = [{**given, name: part} for part in divided]
    statement = _prepare(sql, tuple(typed))
    for part in parts:
        yield statement.execute(connection, part, options)


# The name of a value, whether it is a list, and its type. A list that is not divided has the type of texts, because
# PostgreSQL would take an empty list for numbers.
_Typed = tuple[str, bool, TypeEngine[Any] | None]


class _Statement:
    """SQL text with the types of its values and columns."""

    def __init__(self, text_: TextClause, types: Mapping[str, TypeEngine[Any]]) -> None:
        """`types`: types of columns, by name."""
        self.executable: Executable = text_.columns(**types) if types else text_
        self._text = text_
        self._types = types
        # The order is not kept for `*`, because the table may have other columns in another database.
        self._is_ordered = _ALL_COLUMNS.search(text_.text) is not None

    def execute(
        self, connection: Connection, values: Values, options: Values
    ) -> CursorResult[Any]:
        """Execute the statement. The first result shows the order of its columns, which is kept.

        Otherwise SQLAlchemy would describe the columns of every result again, which took a third of its time.
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
def _prepare(sql: str, typed_values: tuple[_Typed, ...]) -> _Statement:
    """Return a statement with types, because SQLite stores times as text, and true and false as numbers."""
    statement = text(sql).bindparams(
        *(
            bindparam(name, expanding=is_list, type_=type_)
            for name, is_list, type_ in typed_values
        )
    )
    # Views show `story.bumped_at` under this name.
    typed: Values = {"updated": UtcTime()} if " AS updated" in sql else {}
    has_rows = "RETURNING" in sql or sql.lstrip().startswith(("SELECT", "WITH"))
    has_all_columns = _ALL_COLUMNS.search(sql) is not None
    for table in metadata.tables.values() if has_rows else ():
        for shown in table.columns:
            is_read = shown.name in sql or (has_all_columns and table.name in sql)
            if is_read and isinstance(shown.type, UtcTime | Boolean):
                typed[shown.name] = shown.type
    return _Statement(statement, typed if has_rows else {})


def update_rows(
    connection: Connection,
    table: str,
    condition: str,
    columns: Values,
    /,
    **values: Any,
) -> None:
    """Write columns of the rows that meet a condition, which names `values`. These may not be lists."""
    written = ", ".join(f"{name} = :{name}" for name in columns)
    write_each(
        connection,
        f"UPDATE {table} SET {written} WHERE {condition}",  # noqa: S608
        [{**columns, **values}],
    )


def insert_rows(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows into a table. `rows` may be empty."""
    if rows:
        connection.execute(_insert(table), rows)


# Cached, because SQLAlchemy takes as long to build a statement as to execute it
_insert = cache(insert)


def rows_in_order(connection: Connection, sql: str, ids: Sequence[str]) -> list[Any]:
    """Return the rows of a statement for the stories or articles `:ids`, one for each, in the order of `ids`."""
    by_id = {row.id: row for row in read_rows(connection, sql, ids=ids)}
    return [by_id[id_] for id_ in ids if id_ in by_id]


def count_rows(connection: Connection, table: Table) -> int:
    """Return the number of rows of a table."""
    return read_value(connection, f"SELECT count(*) FROM {table.name}")  # noqa: S608
