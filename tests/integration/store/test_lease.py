"""The lock of the writer and its epoch: who lost it cannot write, whatever it does when it wakes up."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from threading import Thread

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text, update

from aggregator.config.tuning import Tuning
from aggregator.model.errors import AggregatorError, DatabaseBusyError, LeaseLostError
from aggregator.store.engine.database import Database
from aggregator.store.engine.engines import DatabaseTuning
from aggregator.store.engine.process_lock import ADVISORY_KEY, open_process_lock
from aggregator.store.engine.writer_lease import WriterLease
from aggregator.store.intake import acceptance
from aggregator.store.tables import article, counter, writer_lease
from tests.conftest import REPOSITORY
from tests.support.articles import FLOOD, NOON, STRIKE, Rig, record
from tests.support.fresh import with_tables
from tests.support.own_postgres import OwnPostgres
from tests.support.rows import column, executed, queried, value, written_by
from tests.support.waiting import PATIENCE_SECONDS, wait_until

# A writer that does what it is told, a line at a time, and says what came of it.
WRITER = """
import sys
from sqlalchemy import text
from aggregator.model.errors import AggregatorError
from aggregator.store.engine.database import Database
from aggregator.store.engine.writer_lease import WriterLease

database = Database(sys.argv[1])
lock = WriterLease(database)
assert lock.become_writer()
print("writer", flush=True)
for line in sys.stdin:
    try:
        with lock.fenced.write() as connection:
            connection.execute(text("UPDATE counter SET value = value + 1 WHERE name = 'story'"))
            if line.strip() == "slowly":
                print("in the middle", flush=True)
                sys.stdin.readline()
        print("wrote", flush=True)
    except AggregatorError as error:
        print(type(error).__name__, flush=True)
"""


@pytest.fixture
def other(database: Database) -> Iterator[Database]:
    """The same database as another process would open it."""
    with closing(Database(database.url)) as opened:
        yield opened


def one_more(database: Database) -> int:
    """Write something; what is there afterwards."""
    executed(database, _ONE_MORE)
    return stored(database)


_ONE_MORE = (
    update(counter).where(counter.c.name == "story").values(value=counter.c.value + 1)
)


def stored(database: Database) -> int:
    return int(value(database, counter.c.value, counter.c.name == "story"))


def taken_over(lock: WriterLease) -> None:
    wait_until(lock.become_writer, "the lock")


# --- one at a time -----------------------------------------------------------------------------------------


def test_one_writer_at_a_time_and_each_with_an_epoch_of_its_own(
    database: Database, other: Database
) -> None:
    first, second = WriterLease(database), WriterLease(other)
    with pytest.raises(LeaseLostError):
        one_more(first.fenced)
    assert first.become_writer()
    assert first.is_held
    assert not second.become_writer()
    assert one_more(first.fenced) == 1
    before = queried(database, select(writer_lease)).one()
    first.release()
    taken_over(second)  # the server notices the end of a session a little later
    after = queried(database, select(writer_lease)).one()
    assert (before.holder, after.holder) == (database.session_name, other.session_name)
    assert after.epoch == before.epoch + 1
    with pytest.raises(LeaseLostError):
        one_more(first.fenced)
    assert one_more(second.fenced) == 2
    second.release()


def test_the_lock_without_an_epoch_keeps_writers_out(
    database: Database, other: Database
) -> None:
    # Of a writer that is long gone
    executed(database, writer_lease.insert().values(epoch=7, holder="somebody"))
    migrating, waiting = open_process_lock(database), WriterLease(other)
    assert migrating.acquire()
    assert not waiting.become_writer()
    migrating.release()
    taken_over(waiting)  # the server notices the end of a session a little later
    assert column(other, writer_lease.c.epoch) == [8]
    waiting.release()


def test_who_lost_the_lock_places_nothing_and_the_next_goes_on(
    database: Database, other: Database
) -> None:
    """As after a network file system that forgot the lock, or a server that took a session for dead."""
    first, second = WriterLease(database), WriterLease(other)
    assert first.become_writer()
    before = Rig(first.fenced)
    before.take(record("a", "1", "Levee breaks at Pennmouth", FLOOD, published=None))
    lose(first, database)
    taken_over(second)
    strike = record("b", "2", "Dock workers strike in Sennick", STRIKE, published=None)
    # Whoever fetches still may, and is not fenced
    written_by(database, acceptance.accept, [strike], seen=[NOON])
    with pytest.raises(LeaseLostError):
        before.place()
    assert titles(other) == ["Levee breaks at Pennmouth"]
    Rig(second.fenced).place()
    assert titles(other) == [
        "Levee breaks at Pennmouth",
        "Dock workers strike in Sennick",
    ]
    first.release()
    second.release()


def titles(database: Database) -> list[str]:
    return column(database, article.c.title)


def lose(lock: WriterLease, database: Database) -> None:
    """Take the lock away from under the writer, who does not know it."""
    if database.file is not None:
        database.file.with_name(database.file.name + ".lock").unlink()
        return
    executed(database, _END_OF_SESSION, {"key": ADVISORY_KEY})


_END_OF_SESSION = text(
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = :key "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


_END_OF_OTHERS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name <> current_setting('application_name')"
)


# --- a writer that stops, and wakes up ---------------------------------------------------------------------


class Process:
    """A writer in a process of its own."""

    def __init__(self, database: Database) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER, database.url],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.says() == "writer"

    def tell(self, word: str) -> None:
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def says(self) -> str:
        return self._process.stdout.readline().strip()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._process.pid, number)

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def process(shared: Database) -> Iterator[Process]:
    made = Process(shared)
    yield made
    made.end()


@pytest.mark.later
def test_a_writer_that_was_suspended_writes_nothing_when_it_wakes(
    shared: Database, process: Process
) -> None:
    process.tell("now")
    assert process.says() == "wrote"
    process.tell("slowly")
    # Of a transaction that holds the row of the epoch
    assert process.says() == "in the middle"
    process.signal(signal.SIGSTOP)
    lock = WriterLease(shared)
    assert not lock.become_writer(), "its session is still there"
    # As the server does when it takes the machine for gone
    executed(shared, _END_OF_OTHERS)
    taken_over(lock)
    assert stored(shared) == 1, "its open transaction was broken off"
    assert one_more(lock.fenced) == 2
    process.signal(signal.SIGCONT)
    process.tell("go on")
    assert process.says() in ("DatabaseAwayError", "LeaseLostError", "AggregatorError")
    process.tell("now")
    assert process.says() == "LeaseLostError"
    assert stored(shared) == 2
    lock.release()


def test_a_transaction_that_began_in_an_epoch_ends_before_the_next_one(
    shared: Database,
) -> None:
    other = Database(shared.url)
    first, second = WriterLease(shared), WriterLease(other)
    assert first.become_writer()
    waiting = Thread(target=lambda: taken_over(second))
    try:
        with first.fenced.write() as connection:
            connection.execute(_ONE_MORE)
            with closing(Database(shared.url)) as third:
                lose(first, third)
            waiting.start()
            wait_until(
                lambda: waits_for_a_row(shared, other), "the next writer to wait"
            )
            assert waiting.is_alive()
        waiting.join(PATIENCE_SECONDS)
        assert second.is_held
        assert stored(other) == 1, "what was committed in its own epoch is there"
    finally:
        second.release()
        other.close()


def waits_for_a_row(database: Database, who: Database) -> bool:
    asked = text(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = :name AND wait_event_type = 'Lock'"
    )
    return queried(database, asked, {"name": who.session_name}).first() is not None


@pytest.mark.later
def test_a_session_that_hangs_is_given_back_all_the_same(
    own_postgres: OwnPostgres,
) -> None:
    with closing(with_tables(Database(own_postgres.make()))) as database:
        lock = WriterLease(database)
        assert lock.become_writer()
        own_postgres.suspend()
        try:
            time.sleep(2 * database.tuning.short_wait_seconds)  # it waits for an answer
            lock.release()
        finally:
            own_postgres.resume()
        taken_over(lock)
        lock.release()
    wait_until(
        lambda: all(one.name != "lease" for one in threading.enumerate()),
        "the thread to end",
    )
    gc.collect()


@pytest.mark.later
def test_a_writer_notices_that_its_session_broke_and_can_begin_again(
    shared: Database,
) -> None:
    lock = WriterLease(shared)
    assert lock.become_writer()
    time.sleep(3 * shared.tuning.short_wait_seconds)
    assert lock.is_held
    lose(lock, shared)
    wait_until(lambda: not lock.is_held, "the lock to be noticed lost")
    with pytest.raises(LeaseLostError):
        one_more(lock.fenced)
    assert lock.become_writer()
    assert one_more(lock.fenced) == 1
    lock.release()


@pytest.mark.later
def test_a_standby_without_a_free_connection_reports_it_and_tries_again(
    own_postgres: OwnPostgres,
) -> None:
    tuning = replace(Tuning().section("database", DatabaseTuning), read_seconds=0.2)
    with closing(Database(own_postgres.make(), tuning)) as busy, ExitStack() as taken:
        lock = open_process_lock(busy)

        def take_all() -> None:
            for _ in range(100):
                taken.enter_context(busy.read())

        for attempt in (take_all, lock.acquire):
            with pytest.raises(DatabaseBusyError, match="are in use"):
                attempt()
        taken.close()
        assert lock.acquire()
        lock.release()


@pytest.mark.later
def test_a_server_that_restarts_has_one_writer_again(own_postgres: OwnPostgres) -> None:
    database = with_tables(Database(own_postgres.make()))
    other = Database(database.url)
    first, second = WriterLease(database), WriterLease(other)
    assert first.become_writer()
    own_postgres.stop("immediate")
    wait_until(lambda: not first.is_held, "the loss to be noticed")
    with pytest.raises(AggregatorError):
        second.become_writer()
    own_postgres.start()
    assert second.become_writer()
    assert not first.become_writer()
    second.release()
    for one in (database, other):
        one.close()


def test_a_commit_of_any_connection_changes_the_version_and_a_look_does_not(
    database: Database,
) -> None:
    """By it a process that rests sees whether there is something to do."""
    seen = {database.data_version()}
    if database.is_sqlite:  # a server has one version for all its databases
        queried(database, select(counter))
        assert database.data_version() in seen
    other = Database(database.url)
    for writer in (database, other):
        executed(writer, update(counter).values(value=counter.c.value + 1))
        assert database.data_version() not in seen
        seen.add(database.data_version())
    other.close()


def test_who_lost_the_lease_learns_it_by_reading(database: Database) -> None:
    lease = WriterLease(database)
    assert lease.become_writer()
    lease.check()
    executed(database, update(writer_lease).values(epoch=writer_lease.c.epoch + 1))
    with pytest.raises(LeaseLostError):
        lease.check()
    assert not lease.is_held
    lease.release()
