"""One writer of stories: a lock that dies with its process, and an epoch that all it commits is bound to.

A lock alone does not do: its holder may be suspended (SIGSTOP, a paused machine, a cut cable), lose it, wake
up and write. So each new writer raises the epoch in the table `writer`, and every transaction of a writer
asks first whether its own is still that one. The row is held until the commit (FOR KEY SHARE), so nobody can
raise the epoch in between. ADR 31.

On Postgres the writer also says every few seconds that it lives. From one that does not, the lock is taken:
its sessions are ended, which frees what they hold. A command never goes before a daemon that stands by.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from aggregator.config.tuning import Tuning, effective_tuning
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import AggregatorError, LeaseLostError
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.process_lock import SessionLock, open_process_lock
from aggregator.store.tables import writer

log = logging.getLogger(__name__)

_FREED_SECONDS = 3.0  # for the server to end the sessions of a dead writer
_LEAST_WAIT_SECONDS = 0.05
_BETWEEN_TRIES = 0.1  # seconds
_ALONE_SECONDS = 600.0  # a command places undisturbed, after a daemon that said that it waits did not come
_PATIENCE_SECONDS = 0.5  # with a renewal under way, when the lock is given back; then its session is cut


class LeaseTuning(msgspec.Struct, frozen=True, kw_only=True):
    """The section `overlaps` of config/tuning.yaml; units stand there."""

    lease_seconds: float
    renew_seconds: float
    standby_seconds: float
    give_way_seconds: float
    claim_seconds: float
    renew_claim_seconds: float


class WriterStatus(FrozenStruct, frozen=True, kw_only=True):
    """Who wrote last, or still does. `renewed_at` is by the server's clock; on SQLite the same as `since`."""

    epoch: int
    holder: str
    since: dt.datetime
    renewed_at: dt.datetime


def writer_status(connection: Connection) -> WriterStatus | None:
    """What the table says of the writer; None where there was none yet."""
    row = connection.execute(select(writer)).first()
    return None if row is None else WriterStatus(**row._mapping)


class WriterLease:
    """Had by the one process that writes stories. Safe to use from several threads but for taking it."""

    def __init__(self, database: Database, tuning: LeaseTuning, *, is_standby: bool = False) -> None:
        """`is_standby`: a daemon, which tries again and again where it is not the writer."""
        self._database = database
        self._tuning = tuning
        self._is_standby = is_standby
        self._lock = open_process_lock(database, is_standby=is_standby)
        self._left_since: float | None = None  # the lock was free, and a daemon about to take it
        self._alone_until = 0.0  # the daemon that says that it waits did not come: it is not waited for
        # When this process became the writer: how long nothing had been heard of the last one, on a server.
        self.silent_seconds: float | None = None
        self._epoch: int | None = None
        self._renewed = 0.0
        self._renewing: _LeaseRenewer | None = None
        # For all that only the writer may write: a transaction raises LeaseLostError where this is not it.
        self.fenced = database.fenced(self._check)

    @property
    def is_held(self) -> bool:
        """Whether this process is the writer, as far as it can know without asking."""
        if self._epoch is None:
            return False
        return self._renewing is None or _passed() - self._renewed < self._tuning.lease_seconds

    def acquire(self) -> bool:
        """Keep others from writing, without becoming the writer: for who replaces or migrates the tables.

        Does not wait; False where another process has the lock.
        """
        return self._lock.acquire()

    def become_writer(self) -> bool:
        """Take the lock and raise the epoch, or return False where another process is the writer.

        The tables must be there. A writer on a server that has said nothing for `lease_seconds` is deposed.
        Who does not stand by leaves both to a daemon that does.
        """
        if self._renewing is not None:
            self.release()  # of an epoch that is over
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
        """On SQLite: as `become_writer`, once a command that places has given way, or False.

        Daemons do not give way; nobody is waited for once `stops` is set.
        """
        ends = _passed() + self._tuning.give_way_seconds
        while not (became := self.become_writer()) and _passed() < ends and not stops.wait(_BETWEEN_TRIES):
            pass
        if not became:
            self.release()
        return became

    def is_awaited(self) -> bool:
        """Whether a daemon waits to be the writer, while this process is that; asks the database."""
        return _passed() >= self._alone_until and self._lock.others()[1]

    def release(self) -> None:
        """Stop being the writer; harmless where this process is not."""
        self._epoch = self._left_since = None
        hangs = self._renewing is not None and not self._renewing.stop()
        self._renewing = None
        if hangs and isinstance(self._lock, SessionLock):
            self._lock.abandon()
        else:
            self._lock.release()

    # --- the fence ----------------------------------------------------------------------------------------

    def _check(self, connection: Connection) -> None:
        """At the begin of each writing transaction: the epoch is ours, and stays that until the commit."""
        epoch = self._epoch
        if epoch is None:
            raise LeaseLostError("this process is not the writer of stories: another one took over, or may")
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
        """Begin an epoch of our own. Waits for transactions of the last one: its sessions are ended first."""
        name = self._database.session_name
        with self._database.write() as connection:
            before = connection.execute(select(writer)).first()
            is_server = not self._database.is_sqlite
            if is_server and before is not None and before.holder != name:
                connection.execute(_END, {"name": before.holder})
            now = func.clock_timestamp() if is_server else dt.datetime.now(dt.UTC)
            epoch = 1 if before is None else int(before.epoch) + 1
            if is_server and before is not None:
                self.silent_seconds = float(connection.execute(_SILENCE).scalar_one())
            statement = insert(writer) if before is None else update(writer)
            connection.execute(statement.values(epoch=epoch, holder=name, since=now, renewed_at=now))
        self._renewed = _passed()
        return epoch

    # --- on a server --------------------------------------------------------------------------------------

    def _is_left_to_daemon(self) -> bool:
        """Whether a daemon stands by for the lock, and takes it soon where it is free."""
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
        """Say that we live; False where that is all over."""
        epoch = self._epoch
        if epoch is None or not isinstance(self._lock, SessionLock):
            return False
        asked = _passed()
        try:
            is_mine = self._lock.ask(_LIVES, self._mine(epoch)) == 1
        except AggregatorError as error:
            log.warning("the lock of the writer is lost: %s", error)
            is_mine = False
        if is_mine:
            self._renewed = asked
        else:
            self._lose(epoch)
        return is_mine

    def _terminate_holder(self) -> bool:
        """Take the lock from a writer that has said nothing for too long; False where it lives.

        Only from the very process that the row names: who has the lock to migrate the tables says nothing.
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
            return False  # it is gone, and somebody else has the lock
        log.warning("the writer (%s) says nothing any more: ended %d of its sessions", holder, ended)
        deadline = time.monotonic() + _FREED_SECONDS
        while not self._lock.acquire():
            if time.monotonic() > deadline:
                return False
            time.sleep(_LEAST_WAIT_SECONDS)
        return True


_MINE = (
    select(writer.c.epoch)
    .where(writer.c.epoch == bindparam("mine"), writer.c.holder == bindparam("me"))
    .with_for_update(read=True, key_share=True)  # renewing goes on beside it, raising the epoch waits
)
_LIVES = text("UPDATE writer SET renewed_at = clock_timestamp() WHERE epoch = :mine AND holder = :me")
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name "
    "AND datname = current_database() AND usename = current_user "
    "AND pid <> pg_backend_pid()"  # our own name, where the server does not know a session to be dead
)
_SILENCE = text("SELECT extract(epoch FROM clock_timestamp() - renewed_at) FROM writer")
_SILENT = text(
    "SELECT holder FROM writer WHERE renewed_at < clock_timestamp() - make_interval(secs => :seconds)"
)


def open_writer_lease(
    database: Database, all_tuning: Tuning | None = None, *, is_standby: bool = False
) -> WriterLease:
    """The lock of this database; not taken yet."""
    tuning = (all_tuning or effective_tuning()).section("sharing", LeaseTuning)
    return WriterLease(database, tuning, is_standby=is_standby)


def _passed() -> float:
    """Seconds that passed on this machine, those included in which it was suspended."""
    return time.clock_gettime(_CLOCK)


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class _LeaseRenewer:
    """A thread that renews until it is told not to, or cannot."""

    def __init__(self, renew: Callable[[], bool], seconds: float) -> None:
        self._renew = renew
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._thread.start()

    def stop(self) -> bool:
        """Whether it ended; returns soon, also where the server does not answer."""
        self._over.set()
        self._thread.join(_PATIENCE_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._over.wait(self._seconds) and self._renew():
            pass
