"""Rows that shrink: written again where SQLite would leave a hole.

SQLite never joins the pages of rows that an UPDATE made smaller: measured, a row that gave up nine tenths of
its bytes went on filling half a page. Deleted and inserted again, rows lie close. Postgres writes each row
anew in any case.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table, delete, insert, select, text, update

from aggregator.store.tables import in_parts, metadata


def rewrite(connection: Connection, key: Column[Any], values: Mapping[Any, Mapping[str, Any]]) -> None:
    """Write new `values` into rows, by their `key`; rows that refer to them stay as they are."""
    table = key.table
    assert isinstance(table, Table)
    keys = sorted(values)
    if connection.dialect.name != "sqlite":
        for one in keys:
            if values[one]:
                connection.execute(update(table).where(key == one).values(**values[one]))
        return
    connection.execute(text("PRAGMA defer_foreign_keys=ON"))  # to the end of this transaction
    for part in in_parts(keys):
        rows = [dict(row) for row in connection.execute(select(table).where(key.in_(part))).mappings()]
        hanging = [(child, _rows(connection, child, part)) for child in _hanging_on(key)]
        connection.execute(delete(table).where(key.in_(part)))
        for row in rows:
            row.update(values[row[key.name]])
        if rows:
            connection.execute(insert(table), sorted(rows, key=lambda row: row[key.name]))
        for child, held in hanging:
            if held:
                connection.execute(insert(child.table), held)


def _hanging_on(key: Column[Any]) -> list[Column[Any]]:
    """The columns whose rows go when the rows of `key` are deleted."""
    return [
        foreign.parent
        for table in metadata.sorted_tables
        for foreign in table.foreign_keys
        if foreign.column is key and foreign.ondelete == "CASCADE"
    ]


def _rows(connection: Connection, column: Column[Any], keys: Sequence[Any]) -> list[dict[str, Any]]:
    chosen = select(column.table).where(column.in_(keys))
    return [dict(row) for row in connection.execute(chosen).mappings()]
