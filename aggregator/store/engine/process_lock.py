"""A lock on a database for at most one process, released when the process ends.

SQLite: flock on a file beside the database, which the kernel releases. PostgreSQL: an advisory lock of a
separate session, which the server releases when the session ends. A waiting standby holds a second, shared
lock, so that commands let it become the writer first.
"""

import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import DBAPIError

from aggregator.model.errors import AggregatorError, AnotherDaemonError, NotWritableError
from aggregator.store.engine.database import Database
from aggregator.store.engine.db_errors import translate_errors

log = logging.getLogger(__name__)

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
        log.warning(
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
