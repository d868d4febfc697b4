"""Engines for both databases, with the settings of each connection, and timeouts of single transactions.

liveness.py detects PostgreSQL servers that accept requests and never answer.
"""

import os
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from aggregator.model.errors import (
    AggregatorError,
    DatabaseReplacedError,
    NotWritableError,
)


class DatabaseTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `database` of config/tuning.yaml, which gives units and origins."""

    lock_seconds: float
    idle_seconds: float
    read_seconds: float
    wal_mib: int
    free_mib: int
    short_wait_seconds: float


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
    """Limit the wait for locks of other programs in the block (SQLite); servers have `lock_timeout`."""
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
        driver, ends = sqlite_driver(connection), time.monotonic() + seconds
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


# --- detection of a replaced SQLite file while it is open --------------------------------------------------

_LOGS = ("-wal", "-shm")  # created with the first connection, removed with the last one


def files_of(file: Path) -> tuple[Path, ...]:
    """Return the paths of an SQLite database: its file, the two logs and the lock; each may be missing."""
    return tuple(file.with_name(file.name + ending) for ending in ("", *_LOGS, ".lock"))


class OpenFile:
    """An SQLite file that is opened by its path; detects that another file took its place. Thread-safe."""

    def __init__(self, path: Path, mode: str = "rw") -> None:
        """`mode`: of SQLite's URIs, such as "ro" for read-only."""
        self.mode = mode
        self._path = path.absolute()
        self._changing = threading.Lock()
        self._connections = 0
        # Suffix of the path to device and inode
        self._met: dict[str, tuple[int, int]] = {}
        self._watching = threading.Lock()
        # Its commits are none, so it sees all others
        self._watch: sqlite3.Connection | None = None

    def connect(
        self, configure: Callable[[sqlite3.Connection], None], **how: Any
    ) -> sqlite3.Connection:
        """Return a new connection; does not create the file. Raises DatabaseReplacedError."""
        with self._changing:
            self.check()
            if self._identity("") is None:
                raise DatabaseReplacedError(f"there is no database at {self._path}")
            address = f"{self._path.as_uri()}?mode={self.mode}"
            connection = sqlite3.connect(
                address, factory=_Connection, **how | {"uri": True}
            )
            self._connections += 1
            connection.closing = self._closing
        try:
            configure(connection)
        except BaseException:
            connection.close()
            raise
        with self._changing:
            for ending in ("", *_LOGS):  # `configure` has created the logs
                identity = self._identity(ending)
                if identity is not None:
                    self._met.setdefault(ending, identity)
        return connection

    def check(self) -> None:
        """Raise DatabaseReplacedError if an opened file was removed, renamed or replaced."""
        for ending, met in tuple(self._met.items()):
            now = self._identity(ending)
            if (
                now == met or ending not in self._met
            ):  # another thread may just have closed the last connection
                continue
            what = (
                "was removed or renamed"
                if now is None
                else "was replaced by another file"
            )
            advice = "restart the program"
            if now is None and not ending:
                advice = f"put it back, or restore a backup (aggregator db restore FILE); then {advice}"
            raise DatabaseReplacedError(
                f"{self._path}{ending} {what} while the database was open; writing has stopped; {advice}"
            )

    def data_version(self) -> int:
        """Return a number that every commit of any connection and process changes. Takes 0.01 ms."""
        with self._watching:
            if self._watch is None:
                self._watch = self.connect(
                    lambda _: None, check_same_thread=False, isolation_level=None
                )
            version: int = self._watch.execute("PRAGMA data_version").fetchone()[0]
            return version

    def close(self) -> None:
        """Close the connection of `data_version`."""
        with self._watching:
            if self._watch is not None:
                self._watch.close()
                self._watch = None

    def _closing(self) -> None:
        with self._changing:
            self._connections -= 1
            if not self._connections:
                for ending in _LOGS:
                    self._met.pop(ending, None)

    def _identity(self, ending: str) -> tuple[int, int] | None:
        try:
            found = os.stat(f"{self._path}{ending}")  # noqa: PTH116 - called before each transaction
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise NotWritableError(
                f"{self._path}{ending} cannot be read: {error.strerror}"
            ) from error
        return found.st_dev, found.st_ino


class _Connection(sqlite3.Connection):
    """A connection that calls `closing` once, before it is closed."""

    closing: Callable[[], None] | None = None

    def close(self) -> None:
        closing, self.closing = self.closing, None
        if closing is not None:
            closing()
        super().close()


# --- engines ----------------------------------------------------------------------------------------------

# A server that disappears is detected within 10 s, while we wait for it and while we send.
_CONNECTING = {
    "connect_timeout": 10,
    "client_encoding": "utf8",  # with SQL_ASCII the driver would return bytes
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# Likewise the server detects that this machine disappeared, and ends its sessions and their locks. Without
# effect on Unix sockets.
_SET_KEEPALIVES = (
    "SELECT set_config(name, value, false) FROM (VALUES ('tcp_keepalives_idle', '4'), "
    "('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '10000')) "
    "AS wanted (name, value)"
)


def session_name() -> str:
    """Return the `application_name` of this process's sessions, by which each is found.

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
        pool_use_lifo=True,  # few connections, because each caches pages
    )

    @event.listens_for(engine, "do_connect")
    def _connect(
        _dialect: Any, _record: Any, _args: Any, how: dict[str, Any]
    ) -> sqlite3.Connection:
        return file.connect(_configure, **how)

    def _configure(connection: sqlite3.Connection) -> None:
        connection.isolation_level = None  # pysqlite's own BEGIN comes too late
        connection.create_function(
            "casefold", 1, lambda value: value and value.casefold(), deterministic=True
        )
        if file.mode != "ro":
            # For a new file only: otherwise SQLite would take the write lock, and each new reader would wait
            # for the writer.
            if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
                connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")
        for pragma in (
            # A power cut may undo the last commits, never corrupt
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

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


# The page cache of each connection; a daemon has four or more. With 300,000 stored articles, placing one
# takes 38 times as long as its shingles with 32 MiB and 39 times with 2 MiB (`python -m benchmarks.placing`).
_CACHE_KIB = 2048

# Pages in the WAL, 16 MiB, at which SQLite copies them into the file: a page of an index that changes with
# each entry is then copied once for many entries. Computed from the log of a second day of 94 entries: 453 KB
# an entry are copied with SQLite's own 1,000 pages, 199 with these.
_CHECKPOINT_PAGES = 8000

# Measured: rows of 1 to 6 KB leave less space unused than in pages of 4,096, at the same speed (ADR 34).
_PAGE_BYTES = 2048


def postgres_engine(url: str, tuning: DatabaseTuning, session_name: str) -> Engine:
    """Return an engine whose connections detect a hanging server. Raises AggregatorError without a driver."""
    try:
        # The driver is an extra
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
        connection.execute(_SET_KEEPALIVES)
        connection.autocommit = False

    return engine
