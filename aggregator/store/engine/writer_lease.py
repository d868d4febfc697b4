"""The lease of the one writer of stories: a lock that ends with its process, and an epoch as fencing token.

SQLite: flock on a file beside the database, which the kernel releases. PostgreSQL: an advisory lock of a
separate session, which the server releases when the session ends.

A lock alone is not enough: its holder may be suspended (SIGSTOP, a paused machine, a cut cable), lose the
lock, resume and write. So each new writer raises the epoch in the table `writer_lease`, and every transaction
of a writer first checks that its epoch is the current one. The row stays locked until the commit (FOR KEY
SHARE), so the epoch cannot be raised in between (ADR 2).

On PostgreSQL the writer checks every second that its session still has the lock. A standby takes over
when the session of the writer ends.
"""

import fcntl
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select, text, update

from aggregator.config import kept_files
from aggregator.model.errors import (
    AggregatorError,
    AnotherDaemonError,
    LeaseLostError,
    NotWritableError,
)
from aggregator.store.engine.database import SERVER_VERSION, Database, shown_url
from aggregator.store.engine.db_errors import translate_errors
from aggregator.store.tables import writer_lease

log = logging.getLogger(__name__)

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
                descriptor = os.open(
                    self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
                )
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
        """Let the program that this process becomes next have the lock from its beginning."""
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
                is_taken = bool(
                    session.execute(_TRY, {"key": ADVISORY_KEY}).scalar_one()
                )
            finally:
                if not is_taken:
                    self.release()
        return is_taken

    def has_epoch(self, mine: dict[str, Any]) -> bool:
        """Return whether the epoch is still this one, by the session that has the lock.

        The version of the database comes with it, so that idle threads need not ask. Raises AggregatorError
        if the session is broken or does not have the lock.
        """
        session = self._session
        if session is None:
            raise AggregatorError("the session with the writer lock is closed")
        with translate_errors(self._database.url):
            row = session.execute(_EPOCH_AND_VERSION, mine).first()
        if row is not None:
            self._database.note_version(row.version)
        return row is not None

    def release(self) -> None:
        """Release the lock, if this process has it, even if a thread waits in its session for an answer."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(Exception):  # the session may be closed already
                driver: Any = session.connection.dbapi_connection
                with socket.socket(fileno=os.dup(driver.fileno())) as wire:
                    wire.shutdown(socket.SHUT_RDWR)
                session.invalidate()


_TRY = text("SELECT pg_try_advisory_lock(:key)")


def open_process_lock(database: Database) -> FileLock | SessionLock:
    """Return the lock of this database, not acquired yet."""
    file = database.file
    return (
        SessionLock(database)
        if file is None
        else FileLock(file.with_name(file.name + ".lock"))
    )


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


class WriterLease:
    """The lease of the writer. Threads may share it, but only one may acquire it."""

    def __init__(self, database: Database) -> None:
        """It is not acquired yet."""
        self._database = database
        self._lock = open_process_lock(database)
        self._epoch: int | None = None
        self._over = threading.Event()  # of the thread that checks the present lease
        # For data of the writer: transactions raise LeaseLostError if this process is not the writer.
        self.fenced = database.fenced(self._check)

    @property
    def is_held(self) -> bool:
        """Whether this process is the writer, as far as it knows without a query."""
        return self._epoch is not None

    def become_writer(self) -> bool:
        """Take the lock and raise the epoch. Return False if another process is the writer.

        The tables must exist.
        """
        if isinstance(self._lock, SessionLock):
            self.release()  # the lease of an older epoch
        if not self._lock.acquire():
            return False
        try:
            self._epoch = self._raise_epoch()
        except BaseException:
            self.release()
            raise
        if isinstance(self._lock, SessionLock):
            self._over = threading.Event()
            threading.Thread(
                target=self._watch, args=(self._over,), name="lease", daemon=True
            ).start()
        return True

    def check(self) -> None:
        """Raise LeaseLostError if another process became the writer; without a lock."""
        with self._database.read() as connection:
            self._check(connection, _EPOCH)

    def keep_for_next_program(self) -> None:
        """Remain the writer while this process begins anew; on a server a standby may take over."""
        if isinstance(self._lock, FileLock):
            self._lock.keep()

    def release(self) -> None:
        """Stop being the writer; without effect if this process is not."""
        self._epoch = None
        self._over.set()
        self._lock.release()

    # --- the fence ----------------------------------------------------------------------------------------

    def _check(
        self, connection: Connection, mine: Select[tuple[int]] | None = None
    ) -> None:
        """Raise LeaseLostError if the epoch is not ours; else lock it until the commit."""
        epoch = self._epoch
        if epoch is None:
            raise LeaseLostError(
                "this process is no longer the writer; another one may have taken over"
            )
        if (
            connection.execute(
                _MINE if mine is None else mine, self._mine(epoch)
            ).first()
            is None
        ):
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
        """Start a new epoch. Waits for the transactions of the last writer."""
        name = self._database.session_name
        with self._database.write() as connection:
            before = connection.execute(select(writer_lease)).first()
            epoch = 1 if before is None else int(before.epoch) + 1
            statement = insert(writer_lease) if before is None else update(writer_lease)
            connection.execute(statement.values(epoch=epoch, holder=name))
        return epoch

    # --- on a server --------------------------------------------------------------------------------------

    def _watch(self, over: threading.Event) -> None:
        """Check the lease until it is released or lost."""
        while (
            not over.wait(self._database.tuning.short_wait_seconds)
            and self._keeps_lock()
        ):
            pass

    def _keeps_lock(self) -> bool:
        """Return whether this process is still the writer; otherwise it knows so from now on."""
        epoch = self._epoch
        if epoch is None or not isinstance(self._lock, SessionLock):
            return False
        try:
            is_mine = self._lock.has_epoch(self._mine(epoch))
        except AggregatorError as error:
            if self._epoch == epoch:  # else it was released meanwhile
                log.warning(
                    "writer lost its lease: %s",
                    error,
                    extra={"event": "writer_lease_lost"},
                )
            is_mine = False
        if not is_mine:
            self._lose(epoch)
        return is_mine


_EPOCH = select(writer_lease.c.epoch).where(
    writer_lease.c.epoch == bindparam("mine"), writer_lease.c.holder == bindparam("me")
)
_EPOCH_AND_VERSION = _EPOCH.add_columns(SERVER_VERSION.label("version"))
_MINE = _EPOCH.with_for_update(read=True, key_share=True)  # blocks a new epoch
