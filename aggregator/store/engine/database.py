"""One door to the database: an engine with the house's rules, reading and writing transactions.

On SQLite every writing transaction is BEGIN IMMEDIATE: one that reads first and writes later fails at once
under contention whatever the time-out (measured: 1,500 of 2,000). Within this process writers queue up on a
fair lock, because SQLite's own waiting is not fair.

All waiting is bounded: for the turn in that queue and for other programs together `lock_seconds`; for a
server that hangs see `silence`. Once the database is known to be in trouble, nobody waits for more than a
moment.
"""

import logging
import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, text
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
    UsageError,
)
from aggregator.store.engine.db_errors import in_words, shown_url
from aggregator.store.engine.engines import laid_out_anew, postgres_engine, session_name, sqlite_engine
from aggregator.store.engine.fair_lock import FairLock
from aggregator.store.engine.open_file import OpenFile
from aggregator.store.engine.timeouts import (
    DatabaseTuning,
    full_sync,
    lock_timeout,
    lossy_text,
    milliseconds,
    sqlite_driver,
    statement_timeout,
)

log = logging.getLogger(__name__)

_LEAST_FREE_BYTES = 1 << 20  # what a transaction of the daemon may add to SQLite's log

__all__ = ["Connection", "Database", "shown_url"]  # Connection: a type that other rooms pass along

Result = TypeVar("Result")


class _WriteState:
    """What the last tries came to; shared by all copies of a Database."""

    def __init__(self) -> None:
        self.trouble: AggregatorError | None = None
        self.checkpoint_at = 0.0  # when the log may be looked at again, monotonic


Fence = Callable[[Connection], None]


class Database:
    """An open database. Threads may share it; each transaction has a connection of its own.

    The file of an SQLite database is there already: `migrate.upgrade` makes a new one.
    """

    def __init__(
        self, url: str, tuning: DatabaseTuning | None = None, metrics_registry: Metrics | None = None
    ) -> None:
        """`url` is what `Config.database_url` gives. Nothing is opened before the first use."""
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.session_name = session_name()
        self.tuning = tuning or Tuning().section("database", DatabaseTuning)
        self.metrics_registry = metrics_registry or Metrics()
        self._writing = FairLock()
        self._fence: Fence | None = None
        self._read_timeout_seconds: float | None = None
        self._forgives = False
        self._write_state = _WriteState()
        file = self.file
        self._open_file = None if file is None else OpenFile(file, str(make_url(url).query.get("mode", "rw")))
        self.engine: Engine = (
            postgres_engine(url, self.tuning, self.session_name)
            if self._open_file is None
            else sqlite_engine(url, self.tuning, self._open_file)
        )

    def fenced(self, fence: "Fence") -> "Database":
        """The same database; each writing transaction begins with `fence`, and is none where that raises."""
        other = copy(self)
        other._fence = fence
        return other

    def with_read_timeout(self) -> "Database":
        """The same database for those who wait for a page: no answer takes more than `read_seconds`.

        What takes longer raises DatabaseBusyError.
        """
        other = copy(self)
        other._read_timeout_seconds = self.tuning.read_seconds
        return other

    def lossy_text(self) -> "Database":
        """The same database for those who look at damage: texts that are no UTF-8 can be read, about."""
        other = copy(self)
        other._forgives = self.is_sqlite
        return other

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database."""
        name = make_url(self.url).database
        return Path(name.removeprefix("file:")) if self.is_sqlite and name else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; sees one consistent state."""
        with in_words(self.url), self.engine.connect() as raw:
            # SQLite's readers see one state as it is; Postgres has to be asked.
            level = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
            connection = raw.execution_options(**level)
            with (
                connection.begin() as reading,
                statement_timeout(connection, self._read_timeout_seconds),
                lossy_text(connection, is_asked=self._forgives),
            ):
                yield connection
                if self._forgives:
                    reading.rollback()  # SQLite refuses to commit where it has met damage

    @contextmanager
    def write(self, *, durable: bool = False, unhurried: bool = False) -> Iterator[Connection]:
        """A writing transaction: committed at the end of the block, or nothing happened.

        A `durable` one is on the disk by then, so that a power cut cannot take it back. An `unhurried` one
        may wait for its data as long as it likes; from others a server takes back what they hold when
        nothing comes for `idle_seconds`. Raises DatabaseBusyError, DatabaseAwayError or NotWritableError
        where the database is in trouble; see `again`.
        """
        committing = False
        try:
            with (
                self.metrics_registry.timer(TRANSACTION_SECONDS),
                self._turn() as seconds,
                in_words(self.url),
                self.engine.connect() as raw,
                lock_timeout(raw, seconds, self.tuning.lock_seconds),
            ):
                self.check_file()
                connection = raw.execution_options(immediate=True)
                with full_sync(raw) if durable and self.is_sqlite else nullcontext(), connection.begin():
                    if not self.is_sqlite:
                        idle = 0 if unhurried else milliseconds(self.tuning.idle_seconds)
                        connection.execute(_IDLES, {"idle": str(idle)})
                        if durable:
                            connection.execute(_COMMIT_WAITS)
                    if self._fence is not None:
                        self._fence(connection)
                    if isinstance(self._write_state.trouble, DatabaseLockedError | DatabaseAwayError):
                        self._write_state.trouble = None  # it is there, and nobody is in the way
                    yield connection
                    committing = True
        except DatabaseAwayError as error:
            self._write_state.trouble = error
            if committing:
                raise DatabaseAwayError(
                    f"{error}; whether the last change is in it is not known", commit_unknown=True
                ) from error
            raise
        except (NotWritableError, DatabaseLockedError) as error:
            self._write_state.trouble = error
            raise
        if committing:
            self._write_state.trouble = None

    def check_file(self) -> None:
        """Raise DatabaseReplacedError where the file of an SQLite database is not the one that is open."""
        if self._open_file is not None:
            self._open_file.check()

    @contextmanager
    def _turn(self) -> Iterator[float]:
        """This thread's turn among the writers of this process; yields how long it may wait for others.

        Raises DatabaseBusyError where it does not come in time, or what was found out meanwhile.
        """
        known, seconds = self._write_state.trouble, self._patience_seconds
        ends = time.monotonic() + seconds
        if not self._writing.acquire(seconds):
            raise DatabaseBusyError(
                f"the database {shown_url(self.url)} was written to all the while; try again in a moment"
            )
        try:
            met = self._write_state.trouble
            if met is not None and met is not known:  # who was in front found out: again it takes as long
                raise met.with_traceback(None)
            yield max(min(self.tuning.look_seconds, seconds), ends - time.monotonic())
        finally:
            self._writing.release()

    @property
    def _patience_seconds(self) -> float:
        """How long a writer waits for others. In trouble that is no time: who tries again asks again."""
        usual = self.tuning.lock_seconds if self._read_timeout_seconds is None else self._read_timeout_seconds
        return usual if self._write_state.trouble is None else min(usual, self.tuning.look_seconds)

    def transact(self, work: Callable[[Connection], Result], *, durable: bool = False) -> Result:
        """`work` in a writing transaction, done again as a whole where it was in the way of others.

        It may be called several times, so it changes nothing but rows.
        """

        def unit() -> Result:
            with self.write(durable=durable) as connection:
                return work(connection)

        return self.again(unit)

    def again(self, unit: Callable[[], Result]) -> Result:
        """What `unit` returns, which is one writing transaction and changes nothing else.

        It is done again, a few times within about a second, where surely nothing of it was written: a dead
        lock, a serialisation failure, a connection that was lost before the commit. Where that is not sure
        it is not done again: whoever asked looks at the rows first. See ADR 32.
        """
        started = time.monotonic()
        pause = self.tuning.pause_seconds
        for tried in range(1, self.tuning.tries + 1):
            try:
                return unit()
            except DatabaseLockedError:
                raise  # it was waited for all the while
            except (DatabaseBusyError, DatabaseAwayError) as error:
                unknown = isinstance(error, DatabaseAwayError) and error.commit_unknown
                # Who has waited for a lock for half a minute has waited enough.
                spent = time.monotonic() - started > self.tuning.lock_seconds / 2
                if unknown or spent or tried == self.tuning.tries:
                    raise
                self.metrics_registry.count(TRANSACTION_RETRIES, _CAUSES[type(error)])
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that two do not meet again
            pause *= 2
        raise AssertionError("unreachable: the last try returns or raises")

    def why_not_writable(self, connection: Connection) -> str | None:
        """Why nothing can be written, in the user's words; None where it can. Takes no lock."""
        trouble, file = self._write_state.trouble, self.file
        if trouble is not None:
            return str(trouble)
        if file is not None:
            may_write = os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
            if not may_write:
                return f"the database {file} cannot be written; check the folder and its owner"
            if shutil.disk_usage(file.parent).free < _LEAST_FREE_BYTES:
                return f"the disk of {file} is full: make room there"
            return None
        standby = connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one()
        return (
            f"the database {shown_url(self.url)} is a standby server: it cannot be written"
            if standby
            else None
        )

    @property
    def trouble(self) -> str | None:
        """Why the last try to write failed, in the user's words; None where it did not."""
        return None if self._write_state.trouble is None else str(self._write_state.trouble)

    def checkpoint_log(self, patience_seconds: float | None = None) -> bool:
        """Write SQLite's log into its file and empty it; False where a reader held it. Elsewhere nothing.

        Writers wait meanwhile: at most `patience_seconds` for readers, or as long as for a lock.
        """
        if not self.is_sqlite:
            return True
        patience = self.tuning.lock_seconds if patience_seconds is None else patience_seconds
        with self._turn(), in_words(self.url), self.engine.connect() as raw:
            driver = sqlite_driver(raw)
            driver.execute(f"PRAGMA busy_timeout={milliseconds(patience)}")
            try:
                busy: int = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                driver.execute(f"PRAGMA busy_timeout={milliseconds(self.tuning.lock_seconds)}")
        return not busy

    def truncate_log(self) -> bool:
        """Empty SQLite's log where a long reader made it grow; whether it did.

        It gives up soon where readers are in the way, and does nothing for `log_rest_seconds` after a try.
        """
        now = time.monotonic()
        if now < self._write_state.checkpoint_at or self.log_bytes() <= self.tuning.log_mib * 2**20:
            return False
        self._write_state.checkpoint_at = now + self.tuning.log_rest_seconds
        return self.checkpoint_log(self.tuning.checkpoint_seconds)

    def release_free_pages(self, pages: int) -> None:
        """Take so many free pages out of SQLite's file, which must be made to give them (`auto_vacuum`)."""
        with self._turn(), in_words(self.url), self.engine.connect() as raw:
            driver = raw.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            # `execute` would take one step of it, and that is one page.
            driver.executescript(f"PRAGMA incremental_vacuum({pages})")

    def vacuum(self) -> tuple[int, int]:
        """Write SQLite's file without its free pages, so that it gives them back by itself from now on.

        Returns its bytes before and after. Raises UsageError on Postgres, NotWritableError where there is no
        room: the copy that SQLite makes and its log take the file's size twice.
        """
        file = self.file
        if file is None:
            raise UsageError("on Postgres that is VACUUM FULL, typed in psql; autovacuum does the rest")
        before = file.stat().st_size
        needed, free = 2 * before, shutil.disk_usage(file.parent).free
        if free < needed:
            raise NotWritableError(
                f"{file.parent} has {free / 2**20:,.0f} MiB left and writing the file anew takes "
                f"{needed / 2**20:,.0f}; free pages are used again in any case"
            )
        self.engine.dispose()  # what this process has open for reading is in the way
        with self._turn(), in_words(self.url), self.engine.connect() as raw:
            driver = raw.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            # Not in memory, and not in a small /tmp: beside the file.
            folder = str(file.parent).replace("'", "''")
            for statement in ("temp_store=FILE", f"temp_store_directory='{folder}'"):
                driver.execute(f"PRAGMA {statement}")
            try:
                with laid_out_anew(driver):
                    driver.execute("VACUUM")
            finally:
                driver.execute("PRAGMA temp_store_directory=''")
                driver.execute("PRAGMA temp_store=MEMORY")
        self.engine.dispose()  # the log is another file now
        self.checkpoint_log()
        return before, file.stat().st_size

    def log_bytes(self) -> int:
        """How long the `-wal` file of an SQLite database is; 0 where there is none."""
        file = self.file
        try:
            return 0 if file is None else file.with_name(file.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def check_free_disk(self) -> None:
        """Raises NotWritableError where the disk of an SQLite file is all but full: it would stop soon."""
        file = self.file
        if file is None or not file.parent.is_dir():
            return
        free = shutil.disk_usage(file.parent).free >> 20
        if free < self.tuning.free_mib:
            raise NotWritableError(
                f"only {free} MiB are free on the disk of {file}, and {self.tuning.free_mib} are needed to "
                "start: make room there, or move the database"
            )

    def wait_for_server(
        self, stops: Callable[[], bool] = lambda: False, say: Callable[[str], object] = str
    ) -> None:
        """Wait for a server that does not answer yet: after a boot it may come up after us.

        `say` is told once what is waited for. Returns when it answers or `stops()`. Raises AggregatorError
        where it answers that it does not want us: waiting changes nothing about that.
        """
        if self.is_sqlite:
            return
        said = False
        while not stops():
            try:
                with self.read() as connection:
                    connection.execute(text("SELECT 1"))
                return
            except DatabaseAwayError as error:
                if not said:
                    say(f"waiting for the database: {error}")
                    said = True
                time.sleep(self.tuning.look_seconds)

    def close(self) -> None:
        """Close all connections.

        SQLite leaves the log of a file that was moved or replaced where it was: there it would be applied to
        the file that has its place now. So it is written into its own file before.
        """
        try:
            self.check_file()
        except DatabaseReplacedError:
            try:
                if not self.checkpoint_log(self.tuning.checkpoint_seconds):
                    log.warning("the log %s-wal is not in its database: something still reads it", self.file)
            except AggregatorError as error:
                log.warning("the log %s-wal is not in its database: %s", self.file, error)
        finally:
            self.engine.dispose()


_CAUSES = {DatabaseBusyError: "busy", DatabaseAwayError: "away"}
_IDLES = text("SELECT set_config('idle_in_transaction_session_timeout', :idle, true)")

# A server that was told not to wait for its disk waits for this transaction; stricter settings stay.
_COMMIT_WAITS = text(
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)
