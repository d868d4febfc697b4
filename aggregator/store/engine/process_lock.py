"""The lock of the one process that may write stories or use the database alone. It ends with its process.

SQLite: flock on a file beside the database, which the kernel releases. PostgreSQL: an advisory lock of a
separate session, which the server releases when the session ends.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, text

from aggregator.config import kept_files
from aggregator.model.errors import (
    AggregatorError,
    AnotherDaemonError,
    NotWritableError,
)
from aggregator.store.engine.database import Database
from aggregator.store.engine.db_errors import translate_errors
from aggregator.store.engine.open_file import hand_over

ADVISORY_KEY = 0x61676772  # "aggr": one writer per database


class FileLock:
    """The lock of an SQLite database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting. Return False if another process has it."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = kept_files.take(str(self._path))
            if descriptor is None:
                is_new = not self._path.exists()
                descriptor = os.open(
                    self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
                )
                if is_new:
                    hand_over(self._path)
        except OSError as error:
            raise NotWritableError(
                f"{self._path} cannot be written: {error.strerror}"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def keep(self) -> None:
        """Pass the lock to the program that this process becomes next, without releasing it."""
        if self._descriptor is not None:
            kept_files.keep(str(self._path), self._descriptor)

    def release(self) -> None:
        """Release the lock, if this process has it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class SessionLock:
    """The lock of a database on a server. Only one thread at a time may use its session."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session: Connection | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting. Return False if another process has it."""
        if self._session is not None:
            return True
        with translate_errors(self._database.url):
            session = self._database.engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            )
            session.detach()  # closing it must end the session, which releases the lock
            self._session = session
            is_taken = False
            try:
                taken = text("SELECT pg_try_advisory_lock(:key)")
                is_taken = session.execute(taken, {"key": ADVISORY_KEY}).scalar_one()
            finally:
                if not is_taken:
                    self.release()
        return is_taken

    def first_row(self, statement: Executable, values: dict[str, Any]) -> Any:
        """Execute a statement in the session that has the lock. Return its first row; None without rows.

        Raises AggregatorError if the session is broken or does not have the lock.
        """
        session = self._session
        if session is None:
            raise AggregatorError("the session with the writer lock is closed")
        with translate_errors(self._database.url):
            return session.execute(statement, values).first()

    def release(self) -> None:
        """Release the lock, if this process has it, even while a thread waits for an answer in the session."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(Exception):  # the session may be closed already
                driver: Any = session.connection.dbapi_connection
                with socket.socket(fileno=os.dup(driver.fileno())) as wire:
                    wire.shutdown(socket.SHUT_RDWR)
                session.invalidate()


def open_process_lock(database: Database) -> FileLock | SessionLock:
    """Return the lock of this database, not acquired yet."""
    file = database.file
    if file is None:
        return SessionLock(database)
    return FileLock(file.with_name(file.name + ".lock"))


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
