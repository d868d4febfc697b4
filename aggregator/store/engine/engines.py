"""Engines for both databases, with the settings of each connection and of single transactions.

liveness.py detects PostgreSQL servers that accept requests and never answer.
"""

import os
import secrets
import shlex
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from aggregator.model.errors import AggregatorError
from aggregator.store.engine.open_file import OpenFile


class DatabaseTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `database` of config/tuning.yaml, which gives units and origins."""

    lock_seconds: float
    idle_seconds: float
    read_seconds: float
    wal_mib: int
    free_mib: int
    short_wait_seconds: float


# A server that disappears is detected within 10 s, while we wait for it and while we send.
_CONNECTING = {
    "connect_timeout": 10,
    # The driver would return bytes from a database with SQL_ASCII
    "client_encoding": "utf8",
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def session_name() -> str:
    """Return the `application_name` that identifies the sessions of this process.

    At most 63 ASCII characters, PostgreSQL's limit.
    """
    machine = "".join(sign for sign in socket.gethostname() if "!" <= sign <= "~")[:24]
    return f"aggregator {machine} {os.getpid()} {secrets.token_hex(4)}"


def sqlite_engine(url: str, tuning: DatabaseTuning, file: OpenFile) -> Engine:
    """Return an engine for `file` in WAL mode; the execution option `immediate` selects BEGIN IMMEDIATE."""
    engine = create_engine(
        url,
        connect_args={"timeout": tuning.lock_seconds, "check_same_thread": False},
        pool_size=8,
        max_overflow=32,
        pool_timeout=tuning.read_seconds,
        pool_use_lifo=True,  # uses few connections, because each caches pages
    )

    def configure(connection: sqlite3.Connection) -> None:
        connection.isolation_level = None  # pysqlite's own BEGIN comes too late
        connection.create_function(
            "casefold", 1, lambda value: value and value.casefold(), deterministic=True
        )
        if file.mode != "ro":
            # Only a new file needs these two. For them SQLite would take the write lock of any other file, and each
            # new reader would wait for the writer.
            if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
                connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")
        for pragma in (
            # A power cut may undo the last commits, but never corrupts the file.
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
            f"cache_size=-{_CACHE_KIB}",
            "temp_store=MEMORY",
            # A WAL that a long reader let grow shrinks again
            f"journal_size_limit={tuning.wal_mib * 2**20}",
            "secure_delete=ON",  # overwrites deleted data, as `forget` promises
            "schema_version",  # reads the file, which creates its WAL
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "do_connect")
    def _connect(
        _dialect: Any, _record: Any, _args: Any, how: dict[str, Any]
    ) -> sqlite3.Connection:
        return file.connect(configure, **how)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        # SQLAlchemy's own way took half of the time of an empty transaction, and a changed poll has thirty of them.
        sqlite_driver(connection).execute("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


# The page cache of each connection; a daemon has four or more. With 300,000 stored articles, placing one
# takes 38 times as long as its shingles with 32 MiB and 39 times with 2 MiB (`python -m benchmarks.placing`).
_CACHE_KIB = 2048

# SQLite copies the WAL into the file at this number of pages, 16 MiB: a page of an index that changes with each
# entry is then copied once for many entries. Computed from the log of a second day of 94 entries: 453 KB an
# entry are copied with SQLite's own 1,000 pages, 199 with these.
_CHECKPOINT_PAGES = 8000

# Measured: rows of 1 to 6 KB leave less space unused than in pages of 4,096, at the same speed (ADR 34).
_PAGE_BYTES = 2048


def postgres_engine(url: str, tuning: DatabaseTuning, session_name: str) -> Engine:
    """Return an engine whose connections detect a hanging server. Raises AggregatorError without a driver."""
    try:
        # The driver is an optional extra.
        from aggregator.store.engine.liveness import LivenessConnection

        engine = create_engine(
            url,
            pool_size=8,
            max_overflow=32,
            pool_pre_ping=True,
            pool_timeout=tuning.read_seconds,
            connect_args={"application_name": session_name, **_CONNECTING},
        )
    except (ImportError, SQLAlchemyError) as error:
        raise AggregatorError(
            f"PostgreSQL needs the driver psycopg ({error}); type: pip install 'psycopg[binary]>=3.2,<4'"
        ) from error

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, _args: Any, how: dict[str, Any]) -> Any:
        return LivenessConnection.opened(**how)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = {milliseconds(tuning.lock_seconds)}")
        # The server must also detect that this machine has disappeared, so that it ends its sessions and their locks.
        # These settings have no effect on Unix sockets.
        connection.execute(
            "SELECT set_config(name, value, false) FROM (VALUES ('tcp_keepalives_idle', '4'), "
            "('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '10000')) "
            "AS wanted (name, value)"
        )
        connection.autocommit = False

    return engine


def shown_url(url: str) -> str:
    """Return the address for messages: the path of the file, or the URL without its password."""
    parsed = make_url(url)
    if url.startswith("sqlite"):
        return parsed.database or url
    return parsed.set(drivername="postgresql").render_as_string(hide_password=True)


def address_to_type(url: str) -> str:
    """Return the address of a server without its password, quoted for PostgreSQL's own programs in a shell."""
    address = make_url(url).set(drivername="postgresql", password=None)
    return shlex.quote(address.render_as_string())


@contextmanager
def full_sync(connection: Connection) -> Iterator[None]:
    """Have SQLite sync the WAL at each commit in the block; enter it outside of a transaction."""
    driver = sqlite_driver(connection)
    driver.execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        driver.execute("PRAGMA synchronous=NORMAL")


@contextmanager
def lock_timeout(
    connection: Connection, seconds: float, usual_seconds: float
) -> Iterator[None]:
    """Limit the wait for locks of other programs in the block, on SQLite only.

    A server has its own setting `lock_timeout`, which is the same for a whole connection.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = sqlite_driver(connection)
    driver.execute(f"PRAGMA busy_timeout={milliseconds(seconds)}")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA busy_timeout={milliseconds(usual_seconds)}")


_SET_STATEMENT_TIMEOUT = text("SELECT set_config('statement_timeout', :ends, true)")
# Instructions between two checks of the clock, about 20 ms: each check needs the GIL.
_STEPS = 500_000
_LATE_SECONDS = 2.0  # a server that ends a statement later than this hangs (chosen)


@contextmanager
def statement_timeout(connection: Connection, seconds: float | None) -> Iterator[None]:
    """Limit each statement in the block, on SQLite the whole block, to `seconds`; None: no limit."""
    if seconds is None:
        yield
    elif connection.dialect.name == "sqlite":
        driver = sqlite_driver(connection)
        ends = time.monotonic() + seconds
        driver.set_progress_handler(lambda: int(time.monotonic() > ends), _STEPS)
        try:
            yield
        finally:
            driver.set_progress_handler(None, 0)
    else:
        server: Any = connection.connection.driver_connection
        server.most_seconds = seconds + _LATE_SECONDS
        try:
            connection.execute(
                _SET_STATEMENT_TIMEOUT, {"ends": str(milliseconds(seconds))}
            )
            yield
        finally:
            server.most_seconds = None


def sqlite_driver(connection: Connection) -> sqlite3.Connection:
    """Return the connection of the sqlite3 module."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def milliseconds(seconds: float) -> int:
    """Return whole milliseconds; at least 1."""
    return max(1, round(seconds * 1000))
