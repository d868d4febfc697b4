"""One door to the database: an engine with the house's rules, reading and writing transactions.

On SQLite every writing transaction is BEGIN IMMEDIATE: one that reads first and writes later fails at once
under contention whatever the time-out (measured: 1,500 of 2,000). Within this process writers queue up on a
lock, because SQLite's own waiting is not fair.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError

from aggregator.errors import AggregatorError, NotWritableError

__all__ = ["Connection", "Database", "shown_url"]  # Connection: a type that other rooms pass along

BUSY_TIMEOUT_SECONDS = 30  # another process' writing transaction holds at most 100 articles, well under 1 s


class Database:
    """An open database. Threads may share it; each transaction has a connection of its own."""

    def __init__(self, url: str) -> None:
        """`url` is what `Config.database_url` gives. Nothing is opened before the first use."""
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self._writing = threading.RLock()
        self.engine: Engine = _sqlite_engine(url) if self.is_sqlite else _postgres_engine(url)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database."""
        name = make_url(self.url).database
        return Path(name) if self.is_sqlite and name else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; sees one consistent state."""
        with _in_words(self.url), self.engine.connect() as raw:
            # SQLite's readers see one state as it is; Postgres has to be asked.
            level = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
            connection = raw.execution_options(**level)
            with connection.begin():
                yield connection

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """A writing transaction: committed at the end of the block, or nothing happened.

        A `durable` one is on the disk by then, so that a power cut cannot take it back.
        """
        with self._writing, _in_words(self.url), self.engine.connect() as raw:
            connection = raw.execution_options(immediate=True)
            with _synced(raw) if durable and self.is_sqlite else nullcontext(), connection.begin():
                if durable and not self.is_sqlite:
                    connection.execute(_COMMIT_WAITS)
                yield connection

    def why_not_writable(self, connection: Connection) -> str | None:
        """Why nothing can be written, in the user's words; None where it can. Takes no lock."""
        file = self.file
        if file is not None:
            may_write = os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
            return (
                None
                if may_write
                else f"the database {file} cannot be written; check the folder and its owner"
            )
        standby = connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one()
        return (
            f"the database {shown_url(self.url)} is a standby server: it cannot be written"
            if standby
            else None
        )

    def fold_log(self) -> bool:
        """Write SQLite's log into its file and empty it; False where a reader held it. Elsewhere nothing."""
        if not self.is_sqlite:
            return True
        with self._writing, _in_words(self.url), self.engine.connect() as raw:
            driver = raw.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            busy: int = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def close(self) -> None:
        self.engine.dispose()


# A server that was told not to wait for its disk waits for this transaction; stricter settings stay.
_COMMIT_WAITS = text(
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)


@contextmanager
def _synced(connection: Connection) -> Iterator[None]:
    """SQLite syncs its log at each commit within the block; to be entered outside of a transaction."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        driver.execute("PRAGMA synchronous=NORMAL")


@contextmanager
def _in_words(url: str) -> Iterator[None]:
    """What the database says about itself in the user's words; a mistake in our SQL stays what it is."""
    try:
        yield
    except (IntegrityError, ProgrammingError) as error:
        if "UndefinedTable" in type(error.orig).__name__:
            raise _without_tables(url) from error
        raise
    except DBAPIError as error:
        words = " ".join(str(error.orig).split())
        if any(sign in words for sign in _NOT_WRITABLE):
            raise NotWritableError(
                f"the database {shown_url(url)} cannot be written ({words}); check the folder and its owner"
            ) from error
        if "no such table" in words:
            raise _without_tables(url) from error
        if isinstance(error.orig, (sqlite3.IntegrityError, sqlite3.ProgrammingError)) or not words:
            raise
        raise AggregatorError(
            f"the database {shown_url(url)}: {words}; `aggregator doctor` looks at it"
        ) from error


_NOT_WRITABLE = ("readonly", "unable to open", "disk is full", "read-only", "No space left", "disk I/O error")


def _without_tables(url: str) -> AggregatorError:
    return AggregatorError(f"the database {shown_url(url)} has no tables yet; type: aggregator db upgrade")


def shown_url(url: str) -> str:
    """The address as it may be shown: a file's path, or the server without its password."""
    parsed = make_url(url)
    if url.startswith("sqlite"):
        return parsed.database or url
    return parsed.render_as_string(hide_password=True)


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        pool_size=8,
        max_overflow=32,
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: pysqlite's own begins too late
        connection.create_function("casefold", 1, _casefold, deterministic=True)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",  # a power cut may undo the last commits, never corrupt
            "foreign_keys=ON",
            "cache_size=-32768",  # KiB
            "temp_store=MEMORY",
            "secure_delete=ON",  # what is deleted is overwritten: `forget` promises that
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _casefold(value: str | None) -> str | None:
    return None if value is None else value.casefold()


def _postgres_engine(url: str) -> Engine:
    try:
        return create_engine(
            url,
            pool_size=8,
            max_overflow=32,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10, "application_name": "aggregator"},
        )
    except (ImportError, SQLAlchemyError) as error:
        raise AggregatorError(
            f"Postgres needs the driver psycopg ({error}); type: pip install 'aggregator[postgres]'"
        ) from error
