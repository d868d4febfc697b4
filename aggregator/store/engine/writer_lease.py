"""The lease of the one writer of stories: a lock that ends with its process, and an epoch as fencing token.

A lock alone is not enough: its holder may be suspended (SIGSTOP, a paused machine, a cut cable), lose the
lock, resume and write. So each new writer raises the epoch in the table `writer_lease`, and every transaction
of a writer first checks that its epoch is the current one. The row stays locked until the commit (FOR KEY
SHARE), so the epoch cannot be raised in between (ADR 2).

On PostgreSQL the writer also sends a heartbeat every few seconds. Without one, a standby terminates the
writer's sessions, which releases their locks. A command never becomes the writer before a standby.

A lock on a database for at most one process, released when the process ends.

SQLite: flock on a file beside the database, which the kernel releases. PostgreSQL: an advisory lock of a
separate session, which the server releases when the session ends. A waiting standby holds a second, shared
lock, so that commands let it become the writer first.
"""

import datetime as dt
import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, TextClause, bindparam, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from aggregator.config.tuning import Tuning, effective_tuning
from aggregator.model.errors import AggregatorError, AnotherDaemonError, LeaseLostError, NotWritableError
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.db_errors import translate_errors
from aggregator.store.tables import writer_lease

_log = logging.getLogger(__name__)

ADVISORY_KEY = 0x61676772  # "aggr": one writer per database
STANDBY_KEY = 0x61676773  # shared by the daemons that wait for ADVISORY_KEY
_AWAITED = b"a daemon waits for this\n"


class FileLock:
    """The lock of an SQLite database. The file has content while a daemon waits for the lock."""

    def __init__(self, path: Path, *, is_standby: bool = False) -> None:
        """`is_standby`: see SessionLock; its note is valid until a process gets the lock."""
        self._path = path
        self._is_standby = is_standby
        self._is_awaited = False
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting. Return False if another process has it."""
        if self._descriptor is not None:
            return True
        descriptor = self._opened()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if self._is_standby:
                with suppress(OSError):  # disk full: commands do not wait for this daemon
                    os.pwrite(descriptor, _AWAITED, 0)
                    self._is_awaited = True
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        self._is_awaited = False
        self._descriptor = descriptor
        return True

    def others(self) -> tuple[bool, bool]:
        """Return whether a process has the lock, and whether a daemon waits for it."""
        is_awaited = self._path.exists() and self._path.stat().st_size > 0
        if self._descriptor is not None or not is_awaited:
            return self._descriptor is not None, is_awaited
        descriptor = self._opened()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True, is_awaited
        finally:
            os.close(descriptor)
        return False, is_awaited

    def release(self) -> None:
        """Release the lock, if this process has it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._is_awaited:
            self._is_awaited = False
            with suppress(OSError):  # commands then wait some seconds in vain
                os.truncate(self._path, 0)

    def _opened(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise NotWritableError(f"{self._path} cannot be written: {error.strerror}") from error


class SessionLock:
    """The lock of a database on a server. Only one thread at a time may use its session."""

    def __init__(self, database: Database, *, is_standby: bool = False) -> None:
        """`is_standby`: if the lock is taken, announce that this process waits, until it has it or
        `release`.
        """
        self._database = database
        self._is_standby = is_standby
        self._session: Connection | None = None
        self._is_had = self._is_awaited = False

    def acquire(self) -> bool:
        """Take the lock without waiting. Return False if another process has it."""
        if not self._is_had:
            try:
                with translate_errors(self._database.url):
                    self._try()
            finally:
                if not (self._is_had or self._is_awaited):
                    self.release()
        return self._is_had

    def _try(self) -> None:
        self._is_awaited, waited = False, self._is_awaited  # an error closes the session
        if self._session is None:
            session = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            session.detach()  # closing it must end the session, which releases the lock
            self._session = session
        session = self._session
        if session.execute(_TRY, {"key": ADVISORY_KEY}).scalar_one():
            session.execute(_SET_KEEPALIVES)
            _warn_of_pooler(session)
            if waited:
                session.execute(_WAIT_NO_MORE, {"key": STANDBY_KEY})
            self._is_had = True
        elif self._is_standby:
            if not waited:
                session.execute(_SET_KEEPALIVES)
                session.execute(_WAIT, {"key": STANDBY_KEY})
            self._is_awaited = True

    def others(self) -> tuple[bool, bool]:
        """Return whether a process has the lock, and whether a daemon waits for it."""
        with self._database.read() as connection:
            keys = set(connection.execute(_OTHERS).scalars())
        return ADVISORY_KEY in keys, STANDBY_KEY in keys

    def ask(self, statement: TextClause, values: dict[str, Any]) -> int:
        """Execute a statement in the session that has the lock. Return the number of changed rows.

        Raises AggregatorError if the session is broken or does not have the lock.
        """
        session = self._session
        if session is None or not self._is_had:
            raise AggregatorError("the session with the writer lock is closed")
        with translate_errors(self._database.url):
            return session.execute(statement, values).rowcount

    def release(self) -> None:
        """Release the lock, if this process has it."""
        self._is_had = self._is_awaited = False
        if self._session is None:
            return
        session, self._session = self._session, None
        try:
            session.close()
        except DBAPIError:
            session.invalidate()  # the server is gone, and the lock with it

    def abandon(self) -> None:
        """Release the lock while another thread waits in its session for an answer that may never come."""
        session, self._session = self._session, None
        self._is_had = self._is_awaited = False
        if session is not None:
            with suppress(Exception):  # the session may be closed already
                driver: Any = session.connection.driver_connection
                with socket.socket(fileno=os.dup(driver.fileno())) as wire:
                    wire.shutdown(socket.SHUT_RDWR)


_TRY = text("SELECT pg_try_advisory_lock(:key)")
_WAIT = text("SELECT pg_advisory_lock_shared(:key)")  # never held exclusively, so this does not wait
_WAIT_NO_MORE = text("SELECT pg_advisory_unlock_shared(:key)")
_OTHERS = text(
    "SELECT DISTINCT CAST(objid AS bigint) FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND classid = 0 AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
# Lets the server detect within 10 s that this machine disappeared: keepalives after 4 s without data, 2 s
# apart. They have no effect on Unix sockets.
_SET_KEEPALIVES = text(
    "SELECT set_config(name, value, false) FROM (VALUES ('tcp_keepalives_idle', '4'), "
    "('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '10000')) "
    "AS wanted (name, value)"
)
_PROCESS = text("SELECT pg_backend_pid()")


def _warn_of_pooler(session: Connection) -> None:
    """Log a warning if a pooler is in between, which reports another process id; it may break the lock."""
    driver: Any = session.connection.dbapi_connection
    if driver.info.backend_pid != session.execute(_PROCESS).scalar_one():
        _log.warning(
            "there is a pooler between this host and the PostgreSQL server: it must pool sessions "
            "(pgbouncer: pool_mode = session), or `database` in config.yaml must name the server itself",
            extra={"event": "connection_pooler_detected"},
        )


def open_process_lock(database: Database, *, is_standby: bool = False) -> FileLock | SessionLock:
    """Return the lock of this database, not acquired yet. `is_standby`: see SessionLock."""
    file = database.file
    if file is not None:
        return FileLock(file.with_name(file.name + ".lock"), is_standby=is_standby)
    return SessionLock(database, is_standby=is_standby)


@contextmanager
def exclusively(database: Database, refusal: str) -> Iterator[None]:
    """Hold the lock in the block. Raises AnotherDaemonError(refusal) if another process has it."""
    lock = open_process_lock(database)
    if not lock.acquire():
        raise AnotherDaemonError(refusal)
    try:
        yield
    finally:
        lock.release()


log = logging.getLogger(__name__)

_FREED_SECONDS = 3.0  # for the server to terminate the sessions of a dead writer
_LEAST_WAIT_SECONDS = 0.05
_BETWEEN_TRIES = 0.1  # seconds
_ALONE_SECONDS = 600.0  # a command ignores waiting daemons, after one did not take the lock
_PATIENCE_SECONDS = 0.5  # for an active renewal at the release; then its session is cut


class LeaseTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `leases` of config/tuning.yaml, which gives the units."""

    lease_seconds: float
    renew_seconds: float
    standby_seconds: float
    give_way_seconds: float


class WriterLease:
    """The lease of the writer. Threads may share it, but only one may acquire it."""

    def __init__(self, database: Database, tuning: LeaseTuning, *, is_standby: bool = False) -> None:
        """`is_standby`: for a daemon, which waits to become the writer."""
        self._database = database
        self._tuning = tuning
        self._is_standby = is_standby
        self._lock = open_process_lock(database, is_standby=is_standby)
        self._left_since: float | None = None  # when the lock became free for a waiting daemon
        self._alone_until = 0.0  # until then, waiting daemons are ignored
        # On a server: seconds since the previous writer's last heartbeat, when this one took over.
        self.silent_seconds: float | None = None
        self._epoch: int | None = None
        self._renewed = 0.0
        self._renewing: _LeaseRenewer | None = None
        # For data of the writer: transactions raise LeaseLostError if this process is not the writer.
        self.fenced = database.fenced(self._check)

    @property
    def is_held(self) -> bool:
        """Whether this process is the writer, as far as it knows without a query."""
        if self._epoch is None:
            return False
        return self._renewing is None or _passed() - self._renewed < self._tuning.lease_seconds

    def acquire(self) -> bool:
        """Take the lock without becoming the writer, to replace or migrate the tables.

        Does not wait; returns False if another process has the lock.
        """
        return self._lock.acquire()

    def become_writer(self) -> bool:
        """Take the lock and raise the epoch. Return False if another process is the writer.

        The tables must exist. On a server, terminates a writer without a heartbeat for `lease_seconds`. A
        command leaves both to a standby, if there is one.
        """
        if self._renewing is not None:
            self.release()  # the lease of an older epoch
        if self._is_left_to_daemon():
            return False
        if not self._lock.acquire() and not self._terminate_holder():
            return False
        try:
            self._epoch = self._raise_epoch()
        except BaseException:
            self.release()
            raise
        if isinstance(self._lock, SessionLock):
            self._renewing = _LeaseRenewer(self._renew, self._tuning.renew_seconds)
        if self._left_since is not None:
            self._left_since, self._alone_until = None, _passed() + _ALONE_SECONDS
        return True

    def wait_to_become_writer(self, stops: threading.Event) -> bool:
        """Call `become_writer` until a command that places articles has released the lock (SQLite).

        Returns False after `give_way_seconds`, since daemons do not release it, or when `stops` is set.
        """
        ends = _passed() + self._tuning.give_way_seconds
        while not (became := self.become_writer()) and _passed() < ends and not stops.wait(_BETWEEN_TRIES):
            pass
        if not became:
            self.release()
        return became

    def is_awaited(self) -> bool:
        """Return whether a daemon waits to become the writer after this process; queries the database."""
        return _passed() >= self._alone_until and self._lock.others()[1]

    def release(self) -> None:
        """Stop being the writer; without effect if this process is not."""
        self._epoch = self._left_since = None
        hangs = self._renewing is not None and not self._renewing.stop()
        self._renewing = None
        if hangs and isinstance(self._lock, SessionLock):
            self._lock.abandon()
        else:
            self._lock.release()

    # --- the fence ----------------------------------------------------------------------------------------

    def _check(self, connection: Connection) -> None:
        """Raise LeaseLostError if the epoch is not ours; else lock it until the commit."""
        epoch = self._epoch
        if epoch is None:
            raise LeaseLostError("this process is no longer the writer; another one may have taken over")
        if connection.execute(_MINE, self._mine(epoch)).first() is None:
            self._lose(epoch)
            raise LeaseLostError(
                f"another process became the writer of {shown_url(self._database.url)}; nothing was written"
            )

    def _mine(self, epoch: int) -> dict[str, Any]:
        return {"mine": epoch, "me": self._database.session_name}

    def _lose(self, epoch: int) -> None:
        if self._epoch == epoch:
            self._epoch = None

    def _raise_epoch(self) -> int:
        """Start a new epoch. Ends the sessions of the last writer, then waits for its transactions."""
        name = self._database.session_name
        with self._database.write() as connection:
            before = connection.execute(select(writer_lease)).first()
            is_server = not self._database.is_sqlite
            if is_server and before is not None and before.holder != name:
                connection.execute(_END, {"name": before.holder})
            now = func.clock_timestamp() if is_server else dt.datetime.now(dt.UTC)
            epoch = 1 if before is None else int(before.epoch) + 1
            if is_server and before is not None:
                self.silent_seconds = float(connection.execute(_SILENCE).scalar_one())
            statement = insert(writer_lease) if before is None else update(writer_lease)
            connection.execute(statement.values(epoch=epoch, holder=name, acquired_at=now, renewed_at=now))
        self._renewed = _passed()
        return epoch

    # --- on a server --------------------------------------------------------------------------------------

    def _is_left_to_daemon(self) -> bool:
        """Whether a standby waits for the lock and will take it soon."""
        if self._is_standby:
            return False
        is_had, is_awaited = self._lock.others()
        if not is_awaited:
            self._left_since = None
            return False
        now = _passed()
        self._left_since = None if is_had else self._left_since or now
        return self._left_since is None or now - self._left_since < self._tuning.lease_seconds

    def _renew(self) -> bool:
        """Renew the lease. Return False if it is lost."""
        epoch = self._epoch
        if epoch is None or not isinstance(self._lock, SessionLock):
            return False
        asked = _passed()
        try:
            is_mine = self._lock.ask(_LIVES, self._mine(epoch)) == 1
        except AggregatorError as error:
            log.warning("writer lost its lease: %s", error, extra={"event": "writer_lease_lost"})
            is_mine = False
        if is_mine:
            self._renewed = asked
        else:
            self._lose(epoch)
        return is_mine

    def _terminate_holder(self) -> bool:
        """Take the lock from a writer without a heartbeat. Return False if it is alive.

        Ends only sessions of the process in `writer_lease`: a process that migrates has the lock, too, and
        sends no heartbeat.
        """
        if self._database.is_sqlite:
            return False
        with self._database.read() as connection:
            silent = {"seconds": self._tuning.lease_seconds}
            holder = connection.execute(_SILENT, silent).scalar()
            if holder is None:
                return False
            ended = connection.execute(_END, {"name": holder}).rowcount
        if not ended:
            return False  # it is gone, and another process has the lock
        log.warning(
            "writer %s has no heartbeat; terminated %d of its sessions",
            holder,
            ended,
            extra={"event": "writer_sessions_ended"},
        )
        deadline = time.monotonic() + _FREED_SECONDS
        while not self._lock.acquire():
            if time.monotonic() > deadline:
                return False
            time.sleep(_LEAST_WAIT_SECONDS)
        return True


_MINE = (
    select(writer_lease.c.epoch)
    .where(writer_lease.c.epoch == bindparam("mine"), writer_lease.c.holder == bindparam("me"))
    .with_for_update(read=True, key_share=True)  # allows renewals, blocks a new epoch
)
_LIVES = text("UPDATE writer_lease SET renewed_at = clock_timestamp() WHERE epoch = :mine AND holder = :me")
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name "
    "AND datname = current_database() AND usename = current_user "
    "AND pid <> pg_backend_pid()"  # an old session of our own name may still exist
)
_SILENCE = text("SELECT extract(epoch FROM clock_timestamp() - renewed_at) FROM writer_lease")
_SILENT = text(
    "SELECT holder FROM writer_lease WHERE renewed_at < clock_timestamp() - make_interval(secs => :seconds)"
)


def open_writer_lease(
    database: Database, all_tuning: Tuning | None = None, *, is_standby: bool = False
) -> WriterLease:
    """Return the writer lease of this database, not acquired yet."""
    tuning = (all_tuning or effective_tuning()).section("leases", LeaseTuning)
    return WriterLease(database, tuning, is_standby=is_standby)


def _passed() -> float:
    """Return a monotonic time in seconds that includes the time in which the machine was suspended."""
    return time.clock_gettime(_CLOCK)


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class _LeaseRenewer:
    """A thread that renews the lease until it is stopped or the lease is lost."""

    def __init__(self, renew: Callable[[], bool], seconds: float) -> None:
        self._renew = renew
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._thread.start()

    def stop(self) -> bool:
        """Stop the thread. Return False if it still waits for the server after _PATIENCE_SECONDS."""
        self._over.set()
        self._thread.join(_PATIENCE_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._over.wait(self._seconds) and self._renew():
            pass
