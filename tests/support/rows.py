"""One statement on a database that a test looks at or changes; of an address, a database is opened for it."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    Result,
    event,
    func,
    select,
    text,
)

from aggregator.store.engine.database import Database
from aggregator.store.tables import read_value

Found = TypeVar("Found")


@contextmanager
def opened(database: Database | str) -> Iterator[Database]:
    """A database that was given, or one at an address, which is closed again."""
    if isinstance(database, Database):
        yield database
        return
    made = Database(database)
    try:
        yield made
    finally:
        made.close()


def full_soon(database: Database, pages: int) -> None:
    """From now on so many pages more fit into an SQLite file."""
    held = queried(database, text("PRAGMA page_count")).scalar_one()
    database.close()

    @event.listens_for(database.engine, "connect")
    def _small(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={held + pages}")


def queried(
    database: Database | str, statement: Executable, *values: Any
) -> Result[Any]:
    """What a statement finds; it is all read."""
    with opened(database) as held, held.read() as connection:
        return connection.execute(statement, *values).freeze()()


def counted(
    database: Database | str, table: FromClause, *where: ColumnElement[bool]
) -> int:
    """How many rows of a table fit."""
    count: int = queried(
        database, select(func.count()).select_from(table).where(*where)
    ).scalar_one()
    return count


def column(
    database: Database | str, wanted: Column[Any], *where: ColumnElement[bool]
) -> list[Any]:
    """A column of the rows that fit, in the order of their table."""
    found = select(wanted).where(*where).order_by(*wanted.table.primary_key)
    return [*queried(database, found).scalars()]


def value(
    database: Database | str, wanted: Column[Any], *where: ColumnElement[bool]
) -> Any:
    """What the one row that fits has in a column."""
    return queried(database, select(wanted).where(*where)).scalar_one()


def executed(database: Database | str, statement: Executable, *values: Any) -> None:
    """Execute a statement that changes rows, and commit it."""
    with opened(database) as held, held.write() as connection:
        connection.execute(statement, *values)


def read_by(
    database: Database | str,
    function: Callable[..., Found],
    *arguments: Any,
    **settings: Any,
) -> Found:
    """What a function of the program answers in a reading transaction of its own."""
    with opened(database) as held, held.read() as connection:
        return function(connection, *arguments, **settings)


def written_by(
    database: Database | str,
    function: Callable[..., Found],
    *arguments: Any,
    **settings: Any,
) -> Found:
    """Likewise in a writing one, which is committed."""
    with opened(database) as held, held.write() as connection:
        return function(connection, *arguments, **settings)


@contextmanager
def overheard(database: Database, *starts: str) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are sent meanwhile, with their values; of `starts`, those that begin so."""
    sent: list[tuple[str, Any]] = []

    def hear(
        _connection: object, _cursor: object, statement: str, values: Any, *_: object
    ) -> None:
        if statement.lstrip().startswith(starts or ""):
            sent.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", hear)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", hear)


def whole_scans(database: Database, sent: Sequence[tuple[str, Any]]) -> set[str]:
    """How SQLite carries out the statements: the steps that read a whole table, without an index."""
    with database.read() as connection:
        plans = [
            connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values).all()
            for one, values in sent
        ]
    steps = {str(row[-1]) for plan in plans for row in plan}
    return {step for step in steps if step.startswith("SCAN") and "INDEX" not in step}


def rename(database: Database, before: str, after: str) -> None:
    """Give a table another name: whoever looks for it fails."""
    executed(database, text(f"ALTER TABLE {before} RENAME TO {after}"))


def unindexed_count(connection: Connection) -> int:
    """Count the articles that the full-text index does not have yet."""
    unindexed = """
        SELECT count(*) FROM article WHERE inbox_no > (SELECT value FROM counter WHERE name = 'searchable')
        OR inbox_no <= (SELECT value FROM counter WHERE name = 'unindexed')
        """
    return int(read_value(connection, unindexed))
