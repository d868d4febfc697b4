"""Updates that shrink rows: on SQLite rows are deleted and inserted again, so that pages are filled.

SQLite does not merge the pages of rows that an UPDATE made smaller: measured, a row that lost nine tenths of
its bytes continued to fill half a page. Postgres writes a new row version in any case.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table, delete, insert, select, text, update

from aggregator.store.tables import in_parts, metadata


def rewrite(connection: Connection, key: Column[Any], values: Mapping[Any, Mapping[str, Any]]) -> None:
    """Write `values` (column to value, by `key`) into rows. Rows that refer to them are not changed."""
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
        cascaded = [(child, _rows(connection, child, part)) for child in _cascading_to(key)]
        connection.execute(delete(table).where(key.in_(part)))
        for row in rows:
            row.update(values[row[key.name]])
        if rows:
            connection.execute(insert(table), sorted(rows, key=lambda row: row[key.name]))
        for child, child_rows in cascaded:
            if child_rows:
                connection.execute(insert(child.table), child_rows)


def _cascading_to(key: Column[Any]) -> list[Column[Any]]:
    """Return the foreign keys whose rows are deleted together with the rows of `key`."""
    return [
        foreign.parent
        for table in metadata.sorted_tables
        for foreign in table.foreign_keys
        if foreign.column is key and foreign.ondelete == "CASCADE"
    ]


def _rows(connection: Connection, column: Column[Any], keys: Sequence[Any]) -> list[dict[str, Any]]:
    chosen = select(column.table).where(column.in_(keys))
    return [dict(row) for row in connection.execute(chosen).mappings()]
