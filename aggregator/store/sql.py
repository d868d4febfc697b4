"""What statements need on both databases: values in parts, and an INSERT that may meet what is there."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

VALUES_AT_ONCE: Final = 500  # SQLite takes 32,766 parameters, older builds 999

Value = TypeVar("Value")


def in_parts(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """The values in their order, at most VALUES_AT_ONCE at a time."""
    return (values[start : start + VALUES_AT_ONCE] for start in range(0, len(values), VALUES_AT_ONCE))


def insert_or(connection: Connection, table: Table) -> Any:
    """INSERT INTO `table`, which takes an ON CONFLICT in the words of this database."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)
