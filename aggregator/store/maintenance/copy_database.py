"""Copy of a whole database: by pages between two SQLite files, by rows if one of them is on a server.

Both ways copy one state of the source, while others may write to it, in one transaction of the target. Rows
are copied by row_stream.py.
"""

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

from aggregator.model.errors import AggregatorError, NotWritableError
from aggregator.store.engine.database import Database
from aggregator.store.engine.timeouts import sqlite_driver
from aggregator.store.maintenance import row_stream
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.tables import article, counter, entry

_PAGES_A_STEP = 256  # 0.5 MiB, after which progress is reported
_ALWAYS_THERE = frozenset({"alembic_version", counter.name}) | row_stream.PASSING


def has_content(connection: Connection) -> bool:
    """Whether any table has rows that a new database does not have, whatever its revision."""
    names = inspect(connection).get_table_names()
    tables = (name for name in names if name not in _ALWAYS_THERE and not name.startswith("article_search"))
    return any(connection.execute(text(f'SELECT 1 FROM "{name}" LIMIT 1')).first() for name in tables)  # noqa: S608


def database_name(url: str) -> str:
    """Return the name of the file without its suffix, or the name of the database on the server."""
    return Path(make_url(url).database or "aggregator").stem


def size_bytes(database: Database) -> int:
    """Return an upper bound of the size of a copy, in bytes."""
    if database.is_sqlite:
        return page_count(database) * _pragma(database, "page_size")
    with database.read() as connection:
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def page_count(database: Database) -> int:
    """Return the number of pages of an SQLite database."""
    return _pragma(database, "page_count")


def _pragma(database: Database, name: str) -> int:
    with database.read() as connection:
        return int(connection.execute(text(f"PRAGMA {name}")).scalar_one())


def article_count(connection: Connection) -> int:
    """Return the number of articles."""
    return int(connection.execute(select(func.count()).select_from(article)).scalar_one())


def first_accepted_at(connection: Connection) -> dt.datetime | None:
    """Return when the oldest stored entry was accepted; None without entries."""
    return connection.execute(select(entry.c.accepted_at).order_by(entry.c.entry_no).limit(1)).scalar()


# --- pages -------------------------------------------------------------------------------------------------


def copy_pages(source: Database, target: sqlite3.Connection, advance: Advance) -> None:
    """Replace the content of one SQLite database by the pages of another one.

    It copies one state of the source: writes of others meanwhile are not in it and do not restart it.
    """
    with source.read() as connection:
        connection.execute(text("SELECT count(*) FROM sqlite_master"))  # from here on it reads one state
        step_through(sqlite_driver(connection), target, advance)


def step_through(source: sqlite3.Connection, target: sqlite3.Connection, advance: Advance) -> None:
    """As `copy_pages`, from an open file."""
    done = 0

    def step(_status: int, left: int, total: int) -> None:
        nonlocal done
        advance(total - left - done)
        done = total - left

    source.backup(target, pages=_PAGES_A_STEP, progress=step)


def take_pages(target: Database, source: Database, advance: Advance) -> None:
    """Replace the content of `target` by the pages of `source`, in one SQLite transaction.

    Raises AggregatorError for a target that is no database any more.
    """
    target.engine.dispose()  # idle connections of this process would block it
    with _readable(target) as connection:
        try:
            driver = sqlite_driver(connection)
            if driver.execute("PRAGMA page_size").fetchone()[0] != _pragma(source, "page_size"):
                driver.execute("PRAGMA journal_mode=DELETE")  # the page size cannot change in WAL mode
            copy_pages(source, driver, advance)
        except sqlite3.OperationalError as error:
            raise NotWritableError(f"{target.file} cannot be written: {error}") from error
    target.engine.dispose()  # the log may be a new file now


@contextmanager
def _readable(database: Database) -> Iterator[Connection]:
    """Connect to a file that may be no database any more. Raises AggregatorError then."""
    try:
        with database.engine.connect() as connection:
            yield connection
    except (DatabaseError, sqlite3.DatabaseError) as error:
        cause = getattr(error, "orig", error)
        raise AggregatorError(
            f"{database.file} cannot be replaced ({cause}); move it away together with its -wal and -shm, "
            "then repeat the command"
        ) from error
