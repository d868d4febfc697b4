"""One statement on a database that a test looks at or changes; of an address, a database is opened for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Executable, Result

from aggregator.store.engine.database import Database


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


def queried(database: Database | str, statement: Executable, *values: Any) -> Result[Any]:
    """What a statement finds; it is all read."""
    with opened(database) as held, held.read() as connection:
        return connection.execute(statement, *values).freeze()()


def executed(database: Database | str, statement: Executable, *values: Any) -> None:
    """Execute a statement that changes rows, and commit it."""
    with opened(database) as held, held.write() as connection:
        connection.execute(statement, *values)
