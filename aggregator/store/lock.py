"""One writer of stories: a lock that dies with its process.

SQLite: flock on a file beside the database, which the kernel frees however the process ends. Postgres: an
advisory lock on a connection of its own, which the server frees when the connection breaks.
"""

import fcntl
import os
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from aggregator.errors import AggregatorError, NotWritableError
from aggregator.store.database import Database

_ADVISORY_KEY = 0x61676772  # "aggr": one writer a database


class WriterLock(Protocol):
    """Held by the one process that places articles."""

    def acquire(self) -> bool:
        """Take the lock without waiting; False when another process holds it."""
        ...

    def release(self) -> None:
        """Give it back; harmless when it is not held."""
        ...


def writer_lock(database: Database) -> WriterLock:
    """The lock of this database; not taken yet."""
    file = database.file
    return _FileLock(file.with_name(file.name + ".lock")) if file is not None else _AdvisoryLock(database)


class _FileLock:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise NotWritableError(f"{self._path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class _AdvisoryLock:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        try:
            connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            statement = text("SELECT pg_try_advisory_lock(:key)")
            taken = connection.execute(statement, {"key": _ADVISORY_KEY}).scalar_one()
        except DBAPIError as error:
            words = " ".join(str(error.orig).split())
            raise AggregatorError(f"the database does not answer: {words}") from error
        if not taken:
            connection.close()
            return False
        self._connection = connection
        return True

    def release(self) -> None:
        if self._connection is None:
            return
        connection, self._connection = self._connection, None
        try:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ADVISORY_KEY})
        except DBAPIError:
            connection.invalidate()  # the server went away, and the lock with it
        finally:
            connection.close()
