"""One statement on a database that a test looks at or changes; of an address, a database is opened for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Executable, FromClause, Result, func, select

from aggregator.store.engine.database import Database

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


def queried(database: Database | str, statement: Executable, *values: Any) -> Result[Any]:
    """What a statement finds; it is all read."""
    with opened(database) as held, held.read() as connection:
        return connection.execute(statement, *values).freeze()()


def counted(database: Database | str, table: FromClause, *where: ColumnElement[bool]) -> int:
    """How many rows of a table fit."""
    return queried(database, select(func.count()).select_from(table).where(*where)).scalar_one()


def executed(database: Database | str, statement: Executable, *values: Any) -> None:
    """Execute a statement that changes rows, and commit it."""
    with opened(database) as held, held.write() as connection:
        connection.execute(statement, *values)


def read_by(
    database: Database | str, function: Callable[..., Found], *arguments: Any, **settings: Any
) -> Found:
    """What a function of the program answers in a reading transaction of its own."""
    with opened(database) as held, held.read() as connection:
        return function(connection, *arguments, **settings)


def written_by(
    database: Database | str, function: Callable[..., Found], *arguments: Any, **settings: Any
) -> Found:
    """Likewise in a writing one, which is committed."""
    with opened(database) as held, held.write() as connection:
        return function(connection, *arguments, **settings)
