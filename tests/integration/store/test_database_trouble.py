"""What a database does to us under load and when it goes away, and what becomes of the transaction."""

import os
import resource
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from aggregator.config.tuning import Tuning
from aggregator.model.counters import TRANSACTION_RETRIES
from aggregator.model.errors import (
    AggregatorError,
    DatabaseAwayError,
    DatabaseBusyError,
    DatabaseLockedError,
    NotWritableError,
)
from aggregator.store.engine import engines, liveness
from aggregator.store.engine.database import Connection, Database
from aggregator.store.engine.engines import DatabaseTuning
from aggregator.store.engine.fair_lock import FairLock
from aggregator.store.migrate import make_file
from tests.support.fresh import opened_at
from tests.support.own_postgres import OwnPostgres
from tests.support.rows import executed, queried, read_by
from tests.support.waiting import PATIENCE_SECONDS, wait_until

SHIPPED = Tuning().section("database", DatabaseTuning)
IMPATIENT = replace(SHIPPED, lock_seconds=0.3, read_seconds=0.3, idle_seconds=0.3)


def retries(database: Database, cause: str) -> float:
    """How many transactions were done again because of `cause`."""
    name = f"{TRANSACTION_RETRIES.name}_total"
    return (
        database.metrics_registry.registry.get_sample_value(name, {"cause": cause})
        or 0.0
    )


def rows(database: Database) -> list[int]:
    return sorted(queried(database, text("SELECT n FROM noted")).scalars())


def note(n: int) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        connection.execute(text("INSERT INTO noted VALUES (:n)"), {"n": n})

    return work


def prepared(url: str, tuning: DatabaseTuning = SHIPPED) -> Database:
    database = Database(url, tuning)
    make_file(database)
    executed(database, text("CREATE TABLE noted (n INTEGER PRIMARY KEY)"))
    return database


@pytest.fixture
def server(own_postgres: OwnPostgres) -> Iterator[Database]:
    """A database on a server of the test's own, with one table."""
    with closing(prepared(own_postgres.make())) as database:
        yield database


@pytest.fixture
def impatient(database_url: str) -> Iterator[Database]:
    """A database of each kind that waits for nothing longer than .3 s."""
    with closing(prepared(database_url, IMPATIENT)) as database:
        yield database


# --- in the way of others ----------------------------------------------------------------------------------


@pytest.mark.later
def test_transactions_that_cannot_be_put_in_an_order_are_done_again(
    own_postgres: OwnPostgres,
) -> None:
    """Each counts the rows and adds one of that number: 40001 where two do so at once."""
    url = own_postgres.make()
    own_postgres.run(
        f"ALTER DATABASE {url.rsplit('/', 1)[1]} SET default_transaction_isolation=serializable"
    )
    with closing(prepared(url)) as one, closing(Database(url)) as other:
        meet = threading.Barrier(2)

        def count(database: Database) -> None:
            first = True

            def work(connection: Connection) -> None:
                nonlocal first
                known = connection.execute(
                    text("SELECT count(*) FROM noted")
                ).scalar_one()
                # Both have read by now, and each is about to write what the other one counted
                if first:
                    first = False
                    meet.wait(PATIENCE_SECONDS)
                connection.execute(text("INSERT INTO noted VALUES (:n)"), {"n": known})

            database.transact(work)

        with ThreadPoolExecutor(2) as both:
            list(both.map(count, (one, other)))
        assert rows(one) == [0, 1]
        assert retries(one, "busy") + retries(other, "busy") > 0


def test_a_dead_lock_ends_one_of_two_which_is_done_again(
    own_postgres: OwnPostgres,
) -> None:
    url = own_postgres.make()
    with closing(prepared(url)) as one, closing(Database(url)) as other:
        for n in (1, 2):
            one.transact(note(n))
        meet = threading.Barrier(2)

        def move(database: Database, order: tuple[int, int]) -> None:
            first = True

            def work(connection: Connection) -> None:
                nonlocal first
                for n in order:
                    connection.execute(
                        text("UPDATE noted SET n = n + 10 WHERE n % 10 = :n"), {"n": n}
                    )
                    if first:
                        first = False
                        meet.wait(PATIENCE_SECONDS)

            database.transact(work)

        with ThreadPoolExecutor(2) as both:
            list(both.map(move, (one, other), ((1, 2), (2, 1))))
        assert rows(one) == [21, 22]
        assert retries(one, "busy") + retries(other, "busy") == 1


def test_a_lock_timeout_is_reported_in_our_own_words(impatient: Database) -> None:
    with closing(Database(impatient.url)) as other, other.write() as held:
        held.execute(text("INSERT INTO noted VALUES (1)"))
        with (
            pytest.raises(DatabaseBusyError, match="try again") as refused,
            impatient.write() as connection,
        ):
            connection.execute(text("INSERT INTO noted VALUES (1)"))
        assert "database is locked" not in str(refused.value)
    impatient.transact(note(2))
    assert rows(impatient) == [1, 2]


def test_writers_of_one_process_do_not_queue_for_ever(impatient: Database) -> None:
    with ThreadPoolExecutor(1) as beside, impatient.write(unhurried=True) as held:
        held.execute(text("INSERT INTO noted VALUES (1)"))
        waits = beside.submit(impatient.transact, note(2))
        with pytest.raises(DatabaseBusyError, match="try again"):
            waits.result()
    assert rows(impatient) == [1]


def test_writers_of_one_process_are_served_in_the_order_in_which_they_came() -> None:
    lock, served = FairLock(), []

    def write(number: int) -> None:
        assert lock.acquire(PATIENCE_SECONDS)
        served.append(number)
        lock.release()

    assert lock.acquire(0)
    with ThreadPoolExecutor(8) as pool:
        for number in range(8):
            pool.submit(write, number)
            wait_until(
                lambda number=number: lock.waiting == number + 1, "the thread to wait"
            )
        lock.release()
    assert served == [*range(8)]


def test_another_program_that_keeps_a_file_is_waited_for_once_and_then_said(
    tmp_path: Path,
) -> None:
    """As somebody in sqlite3 who typed BEGIN IMMEDIATE and went to lunch."""
    tuning = replace(
        SHIPPED, lock_seconds=1000.0, read_seconds=0.2, short_wait_seconds=0.05
    )
    with closing(prepared(f"sqlite:///{tmp_path / 'a.db'}", tuning)) as database:
        with closing(
            sqlite3.connect(tmp_path / "a.db", isolation_level=None)
        ) as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            with pytest.raises(DatabaseLockedError, match="another program"):
                database.with_read_timeout().transact(note(1))
            assert "another program" in database.trouble
            with pytest.raises(DatabaseLockedError, match="another program"):
                # Now that it is known, not for a thousand seconds
                database.transact(note(1))
            assert read_by(database, database.why_not_writable) == database.trouble
            assert retries(database, "busy") == 0
        database.transact(note(2))
        assert rows(database) == [2]
        assert database.trouble is None


@pytest.mark.later
def test_a_reader_in_a_hurry_is_not_kept_for_ever_and_others_are(
    impatient: Database,
) -> None:
    slow = "SELECT pg_sleep(0.6)"
    if impatient.is_sqlite:
        slow = (
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 6000000) "
            "SELECT max(n) FROM c"
        )
    with (
        pytest.raises(DatabaseBusyError, match="took too long"),
        impatient.with_read_timeout().read() as connection,
    ):
        connection.execute(text(slow)).all()
    with impatient.read() as connection:
        began = time.monotonic()
        connection.execute(text(slow)).all()
        assert time.monotonic() - began > IMPATIENT.read_seconds, (
            "the statement above proves nothing"
        )
    with impatient.with_read_timeout().read() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1


@pytest.mark.later
def test_a_full_connection_pool_is_reported_in_our_own_words(
    impatient: Database,
) -> None:
    def take_all(taken: ExitStack) -> None:
        for _ in range(100):
            taken.enter_context(impatient.read())

    with ExitStack() as taken, pytest.raises(DatabaseBusyError, match="are in use"):
        take_all(taken)
    assert rows(impatient) == []


# --- gone --------------------------------------------------------------------------------------------------


def end_others(own_postgres: OwnPostgres, database: Database) -> None:
    own_postgres.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{database.url.rsplit('/', 1)[1]}'"
    )


def test_a_transaction_whose_connection_breaks_is_done_again_and_once(
    own_postgres: OwnPostgres, server: Database
) -> None:
    calls = 0

    def work(connection: Connection) -> None:
        nonlocal calls
        calls += 1
        connection.execute(text("INSERT INTO noted VALUES (1)"))
        if calls == 1:
            end_others(own_postgres, server)
        connection.execute(text("INSERT INTO noted VALUES (2)"))

    server.transact(work)
    assert calls == 2
    assert rows(server) == [1, 2]
    assert retries(server, "away") == 1


def test_a_commit_that_nobody_knows_of_is_not_done_again(
    own_postgres: OwnPostgres, server: Database
) -> None:
    """The server is made to take its time with a commit, and ended in the middle of it."""
    with server.write() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
                "'BEGIN PERFORM pg_sleep(30); RETURN NULL; END'"
            )
        )
        connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON noted DEFERRABLE INITIALLY DEFERRED "
                "FOR EACH ROW EXECUTE FUNCTION dawdle()"
            )
        )
    calls = 0

    def work(connection: Connection) -> None:
        nonlocal calls
        calls += 1
        note(1)(connection)

    def end_the_commit() -> None:
        name = server.url.rsplit("/", 1)[1]
        end = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{name}' AND wait_event = 'PgSleep'"
        )
        wait_until(lambda: own_postgres.run(end), "the commit")

    with ThreadPoolExecutor(1) as beside:
        ended = beside.submit(end_the_commit)
        with pytest.raises(DatabaseAwayError, match="unknown whether") as failed:
            server.transact(work)
        ended.result()
    assert failed.value.commit_unknown
    assert calls == 1
    assert server.trouble is not None
    executed(server, text("DROP TRIGGER late ON noted"))
    assert server.trouble is None


def test_a_writer_that_says_nothing_loses_what_it_holds_unless_it_may(
    own_postgres: OwnPostgres,
) -> None:
    def write_after_the_end(database: Database) -> None:
        with database.write() as connection:
            note(1)(connection)
            session = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            alive = f"SELECT 1 FROM pg_stat_activity WHERE pid = {session}"
            wait_until(
                lambda: not own_postgres.run(alive), "the server to end the session"
            )
            note(2)(connection)

    with closing(prepared(own_postgres.make(), IMPATIENT)) as database:
        with pytest.raises(DatabaseAwayError):
            write_after_the_end(database)
        with database.write(unhurried=True) as connection:
            note(3)(connection)
            time.sleep(2 * IMPATIENT.idle_seconds)
            note(4)(connection)
        assert rows(database) == [3, 4]


def test_a_server_that_restarted_is_noticed_by_nobody(
    own_postgres: OwnPostgres, server: Database
) -> None:
    server.transact(note(1))
    own_postgres.restart("immediate")
    assert rows(server) == [1]
    own_postgres.restart()
    server.transact(note(2))
    assert rows(server) == [1, 2]


@pytest.mark.later
def test_a_server_that_is_not_there_is_said_in_words_and_waited_for(
    own_postgres: OwnPostgres, server: Database
) -> None:
    own_postgres.stop()
    with pytest.raises(DatabaseAwayError, match="does not answer"):
        server.transact(note(1))
    assert "password" not in server.trouble
    said: list[str] = []

    def start_later() -> None:
        wait_until(lambda: said, "it to say that it waits")
        own_postgres.start()

    with ThreadPoolExecutor(1) as beside:
        up = beside.submit(start_later)
        server.wait_for_server(say=said.append)
        up.result()
    assert len(said) == 1
    assert "does not answer" in said[0]
    server.transact(note(1))
    assert rows(server) == [1]
    assert server.trouble is None


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent server is given up soon."""
    monkeypatch.setattr(liveness, "SILENT_SECONDS", 0.2)


@pytest.mark.later
@pytest.mark.usefixtures("hasty")
def test_a_server_that_hangs_is_given_up_and_one_that_is_slow_is_not(
    own_postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(prepared(own_postgres.make())) as server:
        queried(server, text("SELECT pg_sleep(0.8)")).all()
        # Not before: a busy machine may take longer to let in the one who looks whether the server lives.
        monkeypatch.setitem(engines._CONNECTING, "connect_timeout", 2)
        own_postgres.suspend()
        try:
            with pytest.raises(DatabaseAwayError, match="does not answer"):
                note_at_once(server, 1)
        finally:
            own_postgres.resume()
        server.transact(note(2))
        assert rows(server) == [2]


def note_at_once(database: Database, n: int) -> None:
    """Without trying again."""
    with database.write() as connection:
        note(n)(connection)


def test_an_answer_that_one_process_of_a_server_owes_is_given_up_by_who_is_in_a_hurry(
    own_postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where its disk hangs: the server lets everybody in, and its own time-out does not come."""
    monkeypatch.setattr(engines, "_LATE_SECONDS", 0.1)
    with closing(prepared(own_postgres.make(), IMPATIENT)) as server:

        def ask() -> None:
            with server.with_read_timeout().read() as connection:
                process = connection.execute(
                    text("SELECT pg_backend_pid()")
                ).scalar_one()
                os.kill(process, signal.SIGSTOP)
                try:
                    connection.execute(text("SELECT 1"))
                finally:
                    os.kill(process, signal.SIGCONT)

        with pytest.raises(DatabaseAwayError, match="no answer in time"):
            ask()
        assert rows(server) == []


def test_who_is_not_let_in_does_not_wait(own_postgres: OwnPostgres) -> None:
    with (
        closing(Database(f"{own_postgres.server}/nowhere")) as nowhere,
        pytest.raises(AggregatorError, match="does not exist") as refused,
    ):
        nowhere.wait_for_server()
    assert not isinstance(refused.value, DatabaseAwayError)


# --- SQLite's log and disk ---------------------------------------------------------------------------------


def test_a_log_that_a_long_reader_made_grow_shrinks_again(tmp_path: Path) -> None:
    tuning = replace(SHIPPED, wal_mib=1, short_wait_seconds=0.1)
    with closing(Database(f"sqlite:///{tmp_path / 'a.db'}", tuning)) as database:
        make_file(database)
        executed(
            database, text("CREATE TABLE noted (n INTEGER PRIMARY KEY, words BLOB)")
        )
        with database.read() as reader:
            reader.execute(text("SELECT count(*) FROM noted")).scalar()
            for n in range(30):
                executed(
                    database,
                    text("INSERT INTO noted VALUES (:n, zeroblob(100000))"),
                    {"n": n},
                )
            assert database.log_bytes() > 2 * 2**20
            assert not database.truncate_log(), "the reader is in the way"
        usual = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, usual[1]))
        try:
            with pytest.raises(NotWritableError, match=r"full|cannot be written"):
                database.truncate_log()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        assert database.truncate_log()
        assert database.log_bytes() == 0
        executed(database, text("DELETE FROM noted WHERE n = 0"))


def test_a_disk_without_room_is_refused_at_the_start(tmp_path: Path) -> None:
    wants_more = replace(SHIPPED, free_mib=2**40)
    with (
        closing(Database(f"sqlite:///{tmp_path / 'a.db'}", wants_more)) as database,
        pytest.raises(NotWritableError, match="MiB are free") as refused,
    ):
        database.check_free_disk()
    assert refused.value.exit_code == 5
    with opened_at(tmp_path / "a.db") as database:
        database.check_free_disk()


def test_a_read_only_database_says_so_and_is_read(
    own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    url = own_postgres.make()
    prepared(url).close()
    own_postgres.run(
        f"ALTER DATABASE {url.rsplit('/', 1)[1]} SET default_transaction_read_only=on"
    )
    file = tmp_path / "a.db"
    # As where a disk becomes read-only under a daemon: its log is there already.
    with closing(prepared(f"sqlite:///{file}")), ExitStack() as opened:
        for address in (url, f"sqlite:///file:{file}?mode=ro&uri=true"):
            database = opened.enter_context(closing(Database(address)))
            with pytest.raises(NotWritableError, match="cannot be written"):
                database.transact(note(1))
            assert rows(database) == []
            assert "cannot be written" in (database.trouble or "")
