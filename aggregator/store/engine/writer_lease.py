"""The lease of the only writer of stories: a lock that ends with its process, and an epoch as fencing token.

A lock alone is not enough: its holder may be suspended (SIGSTOP, a paused machine, a cut cable), lose the
lock, resume and write. So each new writer raises the epoch in the table `writer_lease`, and every transaction
of a writer first checks that its own epoch is still the current one. On PostgreSQL, FOR KEY SHARE locks the row
until the commit, so the epoch cannot be raised in between (ADR 2).

On PostgreSQL the writer checks every second that its session still has the lock. A standby takes over
when the session of the writer ends.
"""

import logging
import threading

from sqlalchemy import Connection, text

from aggregator.model.errors import (
    AggregatorError,
    LeaseLostError,
)
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.process_lock import (
    FileLock,
    SessionLock,
    open_process_lock,
)
from aggregator.store.tables import has_rows, read_value, write_sql

log = logging.getLogger(__name__)


class WriterLease:
    """The lease of the writer. Threads may share it, but only one may acquire it."""

    def __init__(self, database: Database) -> None:
        """Create a lease that is not acquired yet."""
        self._database = database
        self._lock = open_process_lock(database)
        self._epoch: int | None = None
        # Set to end the thread that checks the current lease
        self._over = threading.Event()
        # The writer writes its own data through this database. Its transactions raise LeaseLostError if another
        # process became the writer.
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
            # Waits for the transactions of the last writer
            name = self._database.session_name
            with self._database.write() as connection:
                last = read_value(connection, "SELECT epoch FROM writer_lease") or 0
                taken = (
                    "INSERT INTO writer_lease (epoch, holder) VALUES (:epoch, :name)"
                )
                if last:
                    taken = "UPDATE writer_lease SET epoch = :epoch, holder = :name"
                write_sql(connection, taken, epoch=last + 1, name=name)
            self._epoch = last + 1
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
        """Raise LeaseLostError if this process is not the writer any more. Takes no lock."""
        with self._database.read() as connection:
            self._check(connection, locks="")

    def keep_for_next_program(self) -> None:
        """Remain the writer while a new program replaces this process. On a server, a standby may take over."""
        if isinstance(self._lock, FileLock):
            self._lock.keep()

    def release(self) -> None:
        """Stop being the writer. Has no effect if this process is not the writer."""
        self._epoch = None
        self._over.set()
        self._lock.release()

    def _check(self, connection: Connection, locks: str = "FOR KEY SHARE") -> None:
        """Raise LeaseLostError if the epoch is not ours; else keep others from raising it until the commit."""
        epoch = self._epoch
        if epoch is None:
            raise LeaseLostError(
                "this process is no longer the writer; another one may have taken over"
            )
        mine = f"{_MINE} {'' if self._database.is_sqlite else locks}"
        if not has_rows(connection, mine, mine=epoch, me=self._database.session_name):
            self._lose(epoch)
            raise LeaseLostError(
                f"another process became the writer of {shown_url(self._database.url)}; nothing was written"
            )

    def _lose(self, epoch: int) -> None:
        if self._epoch == epoch:
            self._epoch = None

    def _watch(self, over: threading.Event) -> None:
        """Check the lease again and again until it is released or lost. Afterwards `is_held` is false."""
        while not over.wait(self._database.tuning.short_wait_seconds):
            epoch = self._epoch
            if epoch is None or not isinstance(self._lock, SessionLock):
                return
            row = None
            try:
                # The session that holds the lock is asked, so that the query fails if this session has ended.
                row = self._lock.first_row(
                    text(_MINE), {"mine": epoch, "me": self._database.session_name}
                )
            except AggregatorError as error:
                if self._epoch == epoch:  # else it was released meanwhile
                    log.warning(
                        "writer lost its lease: %s",
                        error,
                        extra={"event": "writer_lease_lost"},
                    )
            if row is None:
                self._lose(epoch)
                return


_MINE = "SELECT epoch FROM writer_lease WHERE epoch = :mine AND holder = :me"
