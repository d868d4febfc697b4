"""A lock on a database that at most one process has, and that dies with it.

SQLite: flock on a file beside the database, which the kernel frees however the process ends. Postgres: an
advisory lock on a session of its own, which the server frees when the session breaks. A daemon that stands by
says so by a shared lock beside it: commands leave the place to it.
"""

import fcntl
import logging
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import DBAPIError

from aggregator.model.errors import AggregatorError, NotWritableError
from aggregator.store.engine.database import Database
from aggregator.store.engine.db_errors import in_words

log = logging.getLogger(__name__)

ADVISORY_KEY = 0x61676772  # "aggr": one writer a database
STANDBY_KEY = 0x61676773  # shared by the daemons that wait for that
_AWAITED = b"a daemon waits for this\n"


class ProcessLock(Protocol):
    """Had by one process at a time."""

    def acquire(self) -> bool:
        """Take it without waiting; False where another process has it. Had already, it is had."""
        ...

    def release(self) -> None:
        """Give it back; harmless when it is not had."""
        ...


class FileLock:
    """For the one file of an SQLite database. A word in it says that a daemon waits for it."""

    def __init__(self, path: Path, *, is_standby: bool = False) -> None:
        """`is_standby`: as of SessionLock; what it says holds until somebody gets the lock."""
        self._path = path
        self._is_standby = is_standby
        self._is_awaited = False
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        if self._descriptor is not None:
            return True
        descriptor = self._opened()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if self._is_standby:
                with suppress(OSError):  # no room for a word: commands place on, and this one waits
                    os.pwrite(descriptor, _AWAITED, 0)
                    self._is_awaited = True
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        self._is_awaited = False
        self._descriptor = descriptor
        return True

    def others(self) -> tuple[bool, bool]:
        """Whether anybody has it, and whether a daemon waits for it."""
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
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._is_awaited:
            self._is_awaited = False
            with suppress(OSError):  # then commands wait some seconds for nobody
                os.truncate(self._path, 0)

    def _opened(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise NotWritableError(f"{self._path} cannot be written: {error.strerror}") from error


class SessionLock:
    """For a database on a server. Its session is for one thread at a time."""

    def __init__(self, database: Database, *, is_standby: bool = False) -> None:
        """`is_standby`: who does not get it says that it waits, from then on until it has it, or
        `release`.
        """
        self._database = database
        self._is_standby = is_standby
        self._session: Connection | None = None
        self._is_had = self._is_awaited = False

    def acquire(self) -> bool:
        if not self._is_had:
            try:
                with in_words(self._database.url):
                    self._try()
            finally:
                if not (self._is_had or self._is_awaited):
                    self.release()
        return self._is_had

    def _try(self) -> None:
        self._is_awaited, waited = False, self._is_awaited  # what fails closes the session
        if self._session is None:
            session = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            session.detach()  # so that closing it ends it, and the lock with it
            self._session = session
        session = self._session
        if session.execute(_TRY, {"key": ADVISORY_KEY}).scalar_one():
            session.execute(_NOTICED_SOON)
            _warn_of_pooler(session)
            if waited:
                session.execute(_WAIT_NO_MORE, {"key": STANDBY_KEY})
            self._is_had = True
        elif self._is_standby:
            if not waited:
                session.execute(_NOTICED_SOON)
                session.execute(_WAIT, {"key": STANDBY_KEY})
            self._is_awaited = True

    def others(self) -> tuple[bool, bool]:
        """Whether anybody has it, and whether a daemon stands by for it."""
        with self._database.read() as connection:
            keys = set(connection.execute(_OTHERS).scalars())
        return ADVISORY_KEY in keys, STANDBY_KEY in keys

    def ask(self, statement: TextClause, values: dict[str, Any]) -> int:
        """Execute a statement in the session that has the lock; how many rows it changed.

        Raises AggregatorError where that session is broken, or the lock is not had.
        """
        session = self._session
        if session is None or not self._is_had:
            raise AggregatorError("the session with the lock of the writer is closed")
        with in_words(self._database.url):
            return session.execute(statement, values).rowcount

    def release(self) -> None:
        self._is_had = self._is_awaited = False
        if self._session is None:
            return
        session, self._session = self._session, None
        try:
            session.close()
        except DBAPIError:
            session.invalidate()  # the server went away, and the lock with it

    def abandon(self) -> None:
        """Give it back while another thread waits for an answer in its session, which may never come."""
        session, self._session = self._session, None
        self._is_had = self._is_awaited = False
        if session is not None:
            with suppress(Exception):  # it is closed by now
                driver: Any = session.connection.driver_connection
                with socket.socket(fileno=os.dup(driver.fileno())) as wire:
                    wire.shutdown(socket.SHUT_RDWR)


_TRY = text("SELECT pg_try_advisory_lock(:key)")
_WAIT = text("SELECT pg_advisory_lock_shared(:key)")  # nobody ever has it alone: it is had at once
_WAIT_NO_MORE = text("SELECT pg_advisory_unlock_shared(:key)")
_OTHERS = text(
    "SELECT DISTINCT CAST(objid AS bigint) FROM pg_locks WHERE locktype = 'advisory' AND granted "
    "AND classid = 0 AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
# The server is to notice, too, when this machine vanishes without a word: after 4 s of silence it asks three
# times, 2 s apart. Over a socket of the machine itself these mean nothing and are accepted.
_NOTICED_SOON = text(
    "SELECT set_config(name, value, false) FROM (VALUES ('tcp_keepalives_idle', '4'), "
    "('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '10000')) "
    "AS wanted (name, value)"
)
_PROCESS = text("SELECT pg_backend_pid()")


def _warn_of_pooler(session: Connection) -> None:
    """A pooler tells each client an invented process; through one that shares sessions no lock is had."""
    driver: Any = session.connection.dbapi_connection
    if driver.info.backend_pid != session.execute(_PROCESS).scalar_one():
        log.warning(
            "between here and the Postgres server stands a pooler: it must pool sessions (pgbouncer: "
            "pool_mode = session), or `database` in config.yaml must name the server itself"
        )


def open_process_lock(database: Database, *, is_standby: bool = False) -> FileLock | SessionLock:
    """The lock of this database; not taken yet. `is_standby`: see SessionLock."""
    file = database.file
    if file is not None:
        return FileLock(file.with_name(file.name + ".lock"), is_standby=is_standby)
    return SessionLock(database, is_standby=is_standby)
