"""All of a database into another one: pages between two SQLite files, rows wherever a server takes part.

Either way it is one state of the source, taken while others write to it, and one transaction of the target:
all of it is there at the end, or nothing of it.
"""

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, insert, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

from aggregator.model.errors import AggregatorError, NotWritableError
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import dump_rows
from aggregator.store.search import index
from aggregator.store.tables import article, counter, entry, metadata, prepared

_PAGES_A_STEP = 256  # 0.5 MiB: often enough to be stopped and to tell how far it is
_ROWS_A_STEP = 2_000
_ALWAYS_THERE = frozenset({"alembic_version", counter.name}) | dump_rows.PASSING

Advance = Callable[[int], object]  # hears how many pages or rows more are done; may raise, to stop


def has_content(connection: Connection) -> bool:
    """Whether any table holds more than a new database has, of whichever version it is."""
    names = inspect(connection).get_table_names()
    asked = (name for name in names if name not in _ALWAYS_THERE and not name.startswith("article_search"))
    return any(connection.execute(text(f'SELECT 1 FROM "{name}" LIMIT 1')).first() for name in asked)  # noqa: S608


def database_name(url: str) -> str:
    """What a database is called: a file without its ending, or the name that the server knows."""
    return Path(make_url(url).database or "aggregator").stem


def size_bytes(database: Database) -> int:
    """How large a copy is at most."""
    with database.read() as connection:
        if not database.is_sqlite:
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        return int(pages * connection.execute(text("PRAGMA page_size")).scalar_one())


def _page_bytes(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(text("PRAGMA page_size")).scalar_one())


def first_accepted_at(connection: Connection) -> dt.datetime | None:
    """When the oldest entry came that is still kept; None where none ever came."""
    return connection.execute(select(entry.c.accepted_at).order_by(entry.c.n).limit(1)).scalar()


# --- pages -------------------------------------------------------------------------------------------------


def page_count(database: Database) -> int:
    """How many pages an SQLite database has."""
    with database.read() as connection:
        return int(connection.execute(text("PRAGMA page_count")).scalar_one())


def copy_pages(source: Database, target: sqlite3.Connection, advance: Advance) -> None:
    """Every page of one SQLite database into another one, in place of all that is there.

    One state of the source: what others write meanwhile is not in it, and does not make it begin again.
    """
    with source.read() as connection:
        connection.execute(text("SELECT count(*) FROM sqlite_master"))  # from here on it reads one state
        step_through(_driver(connection), target, advance)


def step_through(source: sqlite3.Connection, target: sqlite3.Connection, advance: Advance) -> None:
    """As `copy_pages`, from a file that is open already."""
    done = 0

    def step(_status: int, left: int, total: int) -> None:
        nonlocal done
        advance(total - left - done)
        done = total - left

    source.backup(target, pages=_PAGES_A_STEP, progress=step)


def take_pages(target: Database, source: Database, advance: Advance) -> None:
    """Put the pages of `source` in the place of all that `target` holds, in one transaction of SQLite's.

    Raises AggregatorError for a target that is no database any more.
    """
    target.engine.dispose()  # what this process has open for reading would be in the way
    with _readable(target) as connection:
        try:
            driver = _driver(connection)
            if driver.execute("PRAGMA page_size").fetchone()[0] != _page_bytes(source):
                driver.execute("PRAGMA journal_mode=DELETE")  # SQLite changes that without its log alone
            copy_pages(source, driver, advance)
        except sqlite3.OperationalError as error:
            raise NotWritableError(f"{target.file} cannot be written: {error}") from error
    target.engine.dispose()  # its log may be another file now


@contextmanager
def _readable(database: Database) -> Iterator[Connection]:
    """A connection to a file that may be no database any more, which is said."""
    try:
        with database.engine.connect() as connection:
            yield connection
    except (DatabaseError, sqlite3.DatabaseError) as error:
        words = getattr(error, "orig", error)
        raise AggregatorError(
            f"{database.file} cannot be replaced ({words}); move it away together with its -wal and -shm, "
            "then type this again"
        ) from error


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


# --- rows --------------------------------------------------------------------------------------------------


def article_count(connection: Connection) -> int:
    """How many articles there are."""
    return int(connection.execute(select(func.count()).select_from(article)).scalar_one())


def _tables() -> list[Table]:
    """What is copied, those that others refer to first."""
    return [table for table in metadata.sorted_tables if table.name not in dump_rows.PASSING]


def row_count(connection: Connection) -> int:
    """How many rows `copy_rows` copies."""
    return sum(
        connection.execute(select(func.count()).select_from(table)).scalar_one() for table in _tables()
    )


def copy_rows(source: Connection, target: Connection, advance: Advance) -> None:
    """Every row of a database into one with empty tables, whatever kind each is; numbers go on after them.

    Both have the tables of this program. The full-text index is left to be made anew, the newest first.
    """
    target.execute(counter.delete())
    for table in _tables():
        copied = 0
        for chunk in _chunks(source, table):
            _put(target, table, chunk)
            copied += len(chunk)
            advance(len(chunk))
        there = target.execute(select(func.count()).select_from(table)).scalar_one()
        if there != copied:
            raise AggregatorError(f"of {copied:,} rows of {table.name} {there:,} arrived; nothing was copied")
    dump_rows.continue_numbers(target)
    index.reindex_all(target)


def empty(connection: Connection) -> None:
    """Take every row out of the tables on a server."""
    # What was prepared is known by the numbers of entries alone, which others will have now.
    names = ", ".join(f'"{name}"' for name in (*(table.name for table in _tables()), prepared.name))
    connection.execute(text(f"TRUNCATE {names}, article_search"))


def _chunks(source: Connection, table: Table) -> Iterator[Sequence[Any]]:
    # By their keys: rows that come in their order are added at the end.
    statement = select(table).order_by(*table.primary_key.columns)
    found = source.execute(statement.execution_options(stream_results=True, yield_per=_ROWS_A_STEP))
    yield from found.partitions()


def _put(target: Connection, table: Table, chunk: Sequence[Any]) -> None:
    if target.dialect.name == "sqlite":
        keys = [column.name for column in table.columns]
        target.execute(insert(table), [dict(zip(keys, row, strict=True)) for row in chunk])
        return
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    cursor = target.connection.cursor()
    with cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
        for row in chunk:
            copy.write_row(row)
