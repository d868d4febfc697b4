"""Access to the database: reading and writing transactions with timeouts and retries.

On SQLite every writing transaction starts with BEGIN IMMEDIATE. Otherwise, under contention, a transaction that
reads before it writes would fail at once, whatever the timeout (measured: 1,500 of 2,000). The writers of this process
queue on a fair lock, because SQLite's own waiting is not fair.

A writer waits about `lock_seconds` in all, in the queue and for the locks of other programs. After a failure, it waits
at most `short_wait_seconds` for each. liveness.py detects a server that accepts requests and never answers.
"""

import logging
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from copy import copy
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from aggregator.config.tuning import Tuning
from aggregator.model.counters import TRANSACTION_RETRIES, TRANSACTION_SECONDS, Metrics
from aggregator.model.errors import (
    AggregatorError,
    DatabaseAwayError,
    DatabaseBusyError,
    DatabaseLockedError,
    DatabaseReplacedError,
    NotWritableError,
)
from aggregator.store.engine.db_errors import translate_errors
from aggregator.store.engine.engines import (
    DatabaseTuning,
    full_sync,
    lock_timeout,
    milliseconds,
    postgres_engine,
    session_name,
    shown_url,
    sqlite_driver,
    sqlite_engine,
    statement_timeout,
)
from aggregator.store.engine.fair_lock import FairLock
from aggregator.store.engine.open_file import OpenFile

log = logging.getLogger(__name__)

# Attempts of a transaction that conflicts with others; the pauses between them take at most 1.5 s (chosen)
_TRIES = 5
# Pause before the second attempt; doubled before each further attempt, and shortened by up to half at random.
_PAUSE_SECONDS = 0.1
_LEAST_FREE_BYTES = 1 << 20  # a transaction of the daemon may add this much to the WAL
# `Connection` is exported for the type annotations of other packages.
__all__ = ["Connection", "Database", "shown_url"]

Result = TypeVar("Result")


class DatabaseSpace(NamedTuple):
    """Sizes in bytes; only SQLite has pages. `has_auto_vacuum`: free pages can be released in parts."""

    total: int
    free: int = 0
    page: int = 1
    has_auto_vacuum: bool = False


# Without other writes, a failing disk is noticed after this time at most, if health is asked for (chosen).
_PROBE_SECONDS = 10.0


class _WriteState(msgspec.Struct):
    """The result of the last write. All copies of a Database share it."""

    trouble: AggregatorError | None = None
    probe_due: float = 0.0  # monotonic; see `probe_write`


Fence = Callable[[Connection], None]


class Database:
    """An open database, shared by threads; each transaction has its own connection.

    The file of an SQLite database must exist; `migrate.upgrade` creates it.
    """

    def __init__(self, url: str, tuning: DatabaseTuning | None = None) -> None:
        """`url`: from `Config.database_url`. The first query opens the first connection."""
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.session_name = session_name()
        self.tuning = tuning or Tuning().section("database", DatabaseTuning)
        self.metrics_registry = Metrics()
        self._writing = FairLock()
        self._fence: Fence | None = None
        self._read_timeout_seconds: float | None = None
        self._write_state = _WriteState()
        self._open_file: OpenFile | None = None
        # The file of an SQLite database; None for PostgreSQL
        self.file: Path | None = None
        if self.is_sqlite:
            parsed = make_url(url)
            self.file = Path(str(parsed.database).removeprefix("file:"))
            self._open_file = OpenFile(self.file, str(parsed.query.get("mode", "rw")))
            self.engine = sqlite_engine(url, self.tuning, self._open_file)
        else:
            self.engine = postgres_engine(url, self.tuning, self.session_name)

    def fenced(self, fence: "Fence") -> "Database":
        """Return a copy whose writing transactions call `fence` first, and fail if it raises."""
        other = copy(self)
        other._fence = fence
        return other

    def with_read_timeout(self) -> "Database":
        """Return a copy whose reads raise DatabaseBusyError after `read_seconds`.

        Its writes wait no longer than that for their turn.
        """
        other = copy(self)
        other._read_timeout_seconds = self.tuning.read_seconds
        return other

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a reading transaction, which sees one consistent state."""
        with translate_errors(self.url), self.engine.connect() as raw:
            # SQLite reads one snapshot by default; Postgres needs an isolation level.
            level = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
            connection = raw.execution_options(**level)
            with (
                connection.begin(),
                statement_timeout(connection, self._read_timeout_seconds),
            ):
                yield connection

    @contextmanager
    def write(
        self, *, durable: bool = False, unhurried: bool = False
    ) -> Iterator[Connection]:
        """Open a writing transaction, committed at the end of the block, or rolled back after an error.

        `durable`: the commit is synced to disk and survives a power failure. `unhurried`: a server does not
        end the transaction after `idle_seconds` without a query. Raises DatabaseBusyError, DatabaseAwayError
        or NotWritableError; see `again`.
        """
        committing = False
        try:
            with (
                self.metrics_registry.timer(TRANSACTION_SECONDS),
                self._turn() as seconds,
                translate_errors(self.url),
                self.engine.connect() as raw,
                lock_timeout(raw, seconds, self.tuning.lock_seconds),
            ):
                self.check_file()
                connection = raw.execution_options(immediate=True)
                with (
                    full_sync(raw) if durable and self.is_sqlite else nullcontext(),
                    connection.begin(),
                ):
                    if not self.is_sqlite:
                        idle = 0
                        if not unhurried:
                            idle = milliseconds(self.tuning.idle_seconds)
                        connection.execute(_IDLES, {"idle": str(idle)})
                        if durable:
                            connection.execute(_COMMIT_WAITS)
                    if self._fence is not None:
                        self._fence(connection)
                    trouble = self._write_state.trouble
                    if isinstance(trouble, DatabaseLockedError | DatabaseAwayError):
                        # The database answers and is not locked
                        self._write_state.trouble = None
                    yield connection
                    committing = True
        except DatabaseAwayError as error:
            self._write_state.trouble = error
            if committing:
                raise DatabaseAwayError(
                    f"{error}; it is unknown whether the last change was committed",
                    commit_unknown=True,
                ) from error
            raise
        except (NotWritableError, DatabaseLockedError) as error:
            self._write_state.trouble = error
            raise
        if committing:
            self._write_state.trouble = None
            self._write_state.probe_due = time.monotonic() + _PROBE_SECONDS

    def probe_write(self) -> None:
        """Write a row if nothing was written for some seconds; `trouble` has the result.

        Only a write shows that a disk fails, since rows that are read may come from memory.
        """
        if time.monotonic() < self._write_state.probe_due:
            return
        self._write_state.probe_due = time.monotonic() + _PROBE_SECONDS
        with suppress(AggregatorError), self.write(durable=True) as connection:
            connection.execute(
                text(
                    """
                    INSERT INTO counter (name, value) VALUES ('probe', 1)
                    ON CONFLICT (name) DO UPDATE SET value = counter.value + 1
                    """
                )
            )

    def data_version(self) -> int | str:
        """Return a value that changes with every commit, including commits of other processes.

        This is cheaper than reading the tables. On a server, commits to other databases change the value, too.
        """
        with translate_errors(self.url):
            if self._open_file is not None:
                return self._open_file.data_version()
            # Without a transaction, the query takes one message to the server instead of three.
            with self.engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            ) as raw:
                return raw.execute(_SNAPSHOT).scalar_one()

    def check_file(self) -> None:
        """Raise DatabaseReplacedError if the file of an SQLite database was replaced or removed."""
        if self._open_file is not None:
            self._open_file.check()

    @contextmanager
    def _turn(self) -> Iterator[float]:
        """Wait in the queue of this process's writers. Yield the seconds that are left to wait for other programs.

        Raises DatabaseBusyError after the timeout, or the error of a writer that failed meanwhile.
        """
        known = self._write_state.trouble
        seconds = self._read_timeout_seconds or self.tuning.lock_seconds
        if known is not None:  # after a failure, wait only briefly
            seconds = min(seconds, self.tuning.short_wait_seconds)
        ends = time.monotonic() + seconds
        if not self._writing.acquire(seconds):
            raise DatabaseBusyError(
                f"the database {shown_url(self.url)} is busy with other writes; try again in a moment"
            )
        try:
            latest = self._write_state.trouble
            # A writer failed meanwhile, so this one would wait in vain.
            if latest is not None and latest is not known:
                raise latest.with_traceback(None)
            yield max(
                min(self.tuning.short_wait_seconds, seconds), ends - time.monotonic()
            )
        finally:
            self._writing.release()

    def transact(
        self, work: Callable[[Connection], Result], *, durable: bool = False
    ) -> Result:
        """Call `work` in a writing transaction, repeated as by `again`. `work` must change only rows."""

        def unit() -> Result:
            with self.write(durable=durable) as connection:
                return work(connection)

        return self.again(unit)

    def again(self, unit: Callable[[], Result]) -> Result:
        """Call `unit`, which is one writing transaction and changes nothing else, and return its result.

        Repeats it a few times within about a second if nothing was written: after a deadlock, a serialisation
        failure, or a connection lost before the commit. If it is unknown whether the commit succeeded, the
        error is raised, and the caller checks the rows. See ADR 3.
        """
        started = time.monotonic()
        pause = _PAUSE_SECONDS
        for _ in range(1, _TRIES):
            try:
                return unit()
            except DatabaseLockedError:
                raise  # waiting for the lock has taken the whole timeout already
            except (DatabaseBusyError, DatabaseAwayError) as error:
                cause, is_unknown = "busy", False
                if isinstance(error, DatabaseAwayError):
                    cause, is_unknown = "away", error.commit_unknown
                is_over = time.monotonic() - started > self.tuning.lock_seconds / 2
                if is_over or is_unknown:
                    raise
                self.metrics_registry.count(TRANSACTION_RETRIES, cause)
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause *= 2
        return unit()

    def why_not_writable(self, connection: Connection) -> str | None:
        """Return the reason why the database cannot be written; None if it can. Takes no lock."""
        file = self.file
        if self.trouble is not None:
            return self.trouble
        if file is not None:
            may_write = os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
            if not may_write:
                return f"the database {file} cannot be written; check the folder and its owner"
            if shutil.disk_usage(file.parent).free < _LEAST_FREE_BYTES:
                return f"the disk of {file} is full: free some space on it"
            return None
        if connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one():
            return f"the database {shown_url(self.url)} is a read-only standby server"
        return None

    @property
    def trouble(self) -> str | None:
        """The reason why the last write failed; None if it succeeded."""
        trouble = self._write_state.trouble
        return None if trouble is None else str(trouble)

    def checkpoint_log(self, patience_seconds: float | None = None) -> bool:
        """Checkpoint and truncate SQLite's WAL. Return False if a reader prevented it.

        Waits at most `patience_seconds` for readers (None: `lock_seconds`); writers wait meanwhile.
        """
        if not self.is_sqlite:
            return True
        usual = self.tuning.lock_seconds
        patience = usual if patience_seconds is None else patience_seconds
        with (
            self._turn(),
            translate_errors(self.url),
            self.engine.connect() as raw,
            lock_timeout(raw, patience, usual),
        ):
            checkpoint = sqlite_driver(raw).execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return not checkpoint.fetchone()[0]

    def truncate_log(self) -> bool:
        """Checkpoint and truncate SQLite's WAL if it is larger than `wal_mib`. Return whether it did.

        Gives up after `short_wait_seconds`.
        """
        if self.log_bytes() <= self.tuning.wal_mib * 2**20:
            return False
        return self.checkpoint_log(self.tuning.short_wait_seconds)

    def space(self) -> DatabaseSpace:
        """Return the sizes of the database, all read in one transaction."""
        with self.read() as connection:
            if self.is_sqlite:
                sizes = text(  # auto_vacuum 2: incremental
                    "SELECT page_size * page_count, page_size * freelist_count, page_size, auto_vacuum = 2 "
                    "FROM pragma_page_size, pragma_page_count, pragma_freelist_count, pragma_auto_vacuum"
                )
            else:
                sizes = text("SELECT pg_database_size(current_database())")
            return DatabaseSpace(*connection.execute(sizes).one())

    def release_free_pages(self, pages: int) -> None:
        """Return up to `pages` free pages of SQLite's file to the disk. Needs `auto_vacuum`."""
        with self._turn(), translate_errors(self.url), self.engine.connect() as raw:
            # `execute` would take a single step, which is one page.
            sqlite_driver(raw).executescript(f"PRAGMA incremental_vacuum({pages})")

    def log_bytes(self) -> int:
        """Return the size of the `-wal` file in bytes; 0 without one."""
        file = self.file
        if file is None:
            return 0
        try:
            return file.with_name(file.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def check_free_disk(self) -> None:
        """Raise NotWritableError if the disk of an SQLite file has less than `free_mib` free."""
        file = self.file
        if file is None or not file.parent.is_dir():
            return
        free = shutil.disk_usage(file.parent).free >> 20
        if free < self.tuning.free_mib:
            raise NotWritableError(
                f"only {free} MiB are free on the disk of {file}, and {self.tuning.free_mib} are needed to "
                "start: free some space, or move the database"
            )

    def wait_for_server(self, say: Callable[[str], object] = str) -> None:
        """Wait until the server answers: it may start later than this process at boot.

        Calls `say` once with the reason. Raises AggregatorError if the server refuses the connection.
        """
        if self.is_sqlite:
            return
        said = False
        while True:
            try:
                with self.read() as connection:
                    connection.execute(text("SELECT 1"))
                return
            except DatabaseAwayError as error:
                if not said:
                    say(f"waiting for the database: {error}")
                    said = True
                time.sleep(self.tuning.short_wait_seconds)

    def close(self) -> None:
        """Close all connections.

        If the file was moved or replaced, its WAL is checkpointed first: SQLite would leave it at the old
        path, where it would be applied to another file.
        """
        try:
            self.check_file()
        except DatabaseReplacedError:
            try:
                is_done = self.checkpoint_log(self.tuning.short_wait_seconds)
                problem = "" if is_done else "a reader still uses it"
            except AggregatorError as error:
                problem = str(error)
            if problem:
                log.warning(
                    "%s-wal could not be checkpointed into its moved database: %s",
                    self.file,
                    problem,
                    extra={"event": "wal_checkpoint_failed"},
                )
        finally:
            if self._open_file is not None:
                self._open_file.close()
            self.engine.dispose()


_IDLES = text("SELECT set_config('idle_in_transaction_session_timeout', :idle, true)")
# Each transaction that writes has a number, which leaves the snapshot when it ends.
_SNAPSHOT = text("SELECT CAST(pg_current_snapshot() AS text)")
# Durable even if the server is configured with synchronous_commit = off; stricter settings stay.
_COMMIT_WAITS = text(
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)
