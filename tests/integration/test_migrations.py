"""Migrations: up, again, down, killed at any statement; a database of a newer program is left alone."""

import datetime as dt
import os
import random
import signal
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, func, inspect, select, text

from aggregator.admin.export import exported
from aggregator.model.core import Evidence
from aggregator.model.errors import (
    AggregatorError,
    AnotherDaemonError,
    ConfigError,
    DatabaseOutdatedError,
    DatabaseTooNewError,
    NotWritableError,
)
from aggregator.store import codecs
from aggregator.store.engine.database import Connection, Database
from aggregator.store.engine.process_lock import open_process_lock
from aggregator.store.intake.sources import Source, add, all_sources
from aggregator.store.maintenance.integrity_check import faults
from aggregator.store.migrate import (
    check,
    make_file,
    migrations_folder,
    newest_revision,
    revision_of,
    upgrade,
)
from aggregator.store.read.reader import DatabaseStoryReader
from aggregator.store.stories.merged_texts import render_next
from aggregator.store.tables import article, counter, metadata, story
from aggregator.stories.tuning import shipped_tuning
from tests.articles import NOON, STRIKE, Clock, Desk, record
from tests.first_release import FIRST, Rows, first_rows, migrate_to, of_first_release, rows_now
from tests.fresh import shape
from tests.homes import what_is_wrong

REVISIONS = sorted(one.revision for one in ScriptDirectory(str(migrations_folder())).walk_revisions())


@pytest.fixture
def empty(database_url: str) -> Database:
    database = Database(database_url)
    make_file(database)
    return database


def test_an_empty_database_is_brought_up_once(empty: Database) -> None:
    assert revision_of(empty) is None
    assert upgrade(empty) == (None, newest_revision())
    assert upgrade(empty) == (newest_revision(), newest_revision())
    check(empty)
    empty.close()


def test_files_of_migrations_are_called_by_their_revisions() -> None:
    script = ScriptDirectory(str(migrations_folder()))
    assert script.get_heads() == [newest_revision()]
    assert all(Path(one.path).name.startswith(f"{one.revision}_") for one in script.walk_revisions())


def test_two_that_upgrade_at_once_do_not_meet(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(upgrade, databases))
    for one in databases:
        check(one)
        one.close()


def test_upgrading_again_keeps_what_is_there(database: Database) -> None:
    Desk(database, Clock()).take(record("Herald", "1", "Dock workers strike", STRIKE, published=NOON))
    upgrade(database)
    with database.read() as connection:
        assert connection.execute(select(story.c.title)).scalars().all() == ["Dock workers strike"]


def test_the_migrations_make_exactly_the_tables_of_the_program(database: Database) -> None:
    def ours(_object: object, name: str | None, kind: str, _reflected: bool, _to: object) -> bool:
        return not (kind == "table" and (name or "").startswith("article_search"))

    with database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": ours, "compare_type": True, "compare_server_default": False}
        )
        assert compare_metadata(context, metadata) == []


def test_down_again_nothing_is_left(database: Database) -> None:
    from alembic import command

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(migrations_folder()))
    with database.write() as connection:
        settings.attributes["connection"] = connection
        command.downgrade(settings, "base")
    with database.read() as connection:
        assert [name for name in inspect(connection).get_table_names() if name != "alembic_version"] == []
        assert inspect(connection).get_view_names() == []
    upgrade(database)
    check(database)


def test_a_newer_database_is_refused_and_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for use in (upgrade, check):
        with pytest.raises(DatabaseTooNewError, match="9999") as caught:
            use(database)
        assert caught.value.exit_code == 4
    assert revision_of(database) == "9999"


def test_a_database_of_another_program_is_left_alone(empty: Database) -> None:
    with empty.write() as connection:
        connection.execute(text("CREATE TABLE article (id INTEGER PRIMARY KEY)"))
    with pytest.raises(ConfigError, match=r"tables of another program \(article\)"):
        upgrade(empty)
    with empty.read() as connection:
        assert inspect(connection).get_table_names() == ["article"]


def test_a_database_that_lost_its_revision_is_called_damaged(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    with pytest.raises(AggregatorError, match=r"damaged.*aggregator db restore FILE --replace"):
        check(database)


def test_an_older_database_is_named_with_what_to_type(empty: Database) -> None:
    with pytest.raises(DatabaseOutdatedError, match="aggregator db upgrade"):
        check(empty)
    empty.close()


def test_every_counter_of_the_program_is_there(database: Database) -> None:
    with database.read() as connection:
        counters = {
            row.name: row.value for row in connection.execute(select(counter.c.name, counter.c.value))
        }
    assert {"entry", "inbox", "story", "bump", "searchable"} <= set(counters)
    assert set(counters.values()) == {0}


def test_a_file_that_is_no_database_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "news.db").write_text("this is a text, and a long one at that. " * 50)
    with pytest.raises(AggregatorError, match="not a database"):
        upgrade(Database(f"sqlite:///{tmp_path / 'news.db'}"))


def test_a_place_that_cannot_be_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritableError, match="cannot be made") as caught:
        upgrade(Database(f"sqlite:///{tmp_path / 'file' / 'news.db'}"))
    assert caught.value.exit_code == 5


# --- the first release's database, with rows in all tables --------------------------------------------------


@pytest.fixture
def old(empty: Database) -> Iterator[Database]:
    """As the first release left it."""
    yield of_first_release(empty)
    empty.close()


# What a feed said of itself is asked anew (0009), the full-text index begins anew (0012).
_FORGOTTEN_ON_THE_WAY = {"source": {"etag", "last_modified", "body_hash"}, "counter": {"searchable"}}


def _kept(rows: Rows) -> Rows:
    """The rows without what a way up, or up and down again, may change."""
    names = {row["name"] for row in first_rows()["counter"]} - _FORGOTTEN_ON_THE_WAY["counter"]
    kept = {
        table: [
            {key: value for key, value in row.items() if key not in _FORGOTTEN_ON_THE_WAY.get(table, ())}
            for row in found
        ]
        for table, found in rows.items()
    }
    kept["counter"] = [row for row in kept["counter"] if row["name"] in names]
    return kept


def test_from_the_first_release_up_and_down_step_by_step(old: Database) -> None:
    assert rows_now(old) == first_rows()
    up = [one for one in REVISIONS if one != FIRST]
    for revision in up:
        migrate_to(old, revision)
    assert _kept(rows_now(old)) == _kept(first_rows())
    check(old)
    assert list(faults(old)) == []
    once = _export(old)
    for revision in reversed([FIRST, *up[:-1]]):
        migrate_to(old, revision)
        assert revision_of(old) == revision
    assert _kept(rows_now(old)) == _kept(first_rows())
    assert upgrade(old) == (FIRST, newest_revision())
    assert _export(old) == once


def test_what_waited_in_the_first_release_is_placed_by_this_one(old: Database) -> None:
    upgrade(old)
    desk = Desk(old, Clock(NOON + dt.timedelta(days=2)))
    placed = desk.take(record("Gazette", "8", "Dock workers strike again", STRIKE, published=NOON))
    assert [one.outcome for one in placed] == ["copy", "copy"], "what waited, and what came"
    desk.pipeline.index_older()
    desk.pipeline.index_text()
    assert what_is_wrong(old) == []
    assert list(faults(old)) == []
    assert DatabaseStoryReader(old).search("Pennmouth", 10).hits, "what the first release placed is found"


def _export(database: Database) -> bytes:
    return b"".join(exported(database, lambda _count: None))


# --- killed, refused, out of room ---------------------------------------------------------------------------


def _state(database: Database) -> tuple[object, ...]:
    """The revision, all tables, columns, indexes and views, and the rows of the first release's tables."""
    if not database.is_sqlite:
        return revision_of(database), shape(database), rows_now(database)
    with database.read() as connection:
        made = connection.execute(text("SELECT type, name, sql FROM sqlite_master ORDER BY type, name"))
        return revision_of(database), made.all(), rows_now(database)


def _killed_before(address: str, statement: int | None, target: str) -> int:
    """Migrate in a process of its own that kills itself before that statement; None: before the commit.

    How many statements it had seen by then; 0 where it went to its end.
    """
    told, tells = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        _migrate_and_die(address, statement, target, tells)
    os.close(tells)
    with os.fdopen(told, "rb") as pipe:
        seen = pipe.read()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended in (0, -signal.SIGKILL)
    return int(seen) if ended else 0


def _migrate_and_die(address: str, statement: int | None, target: str, tells: int) -> NoReturn:
    code = 1
    try:
        database, seen = Database(address), 0

        def die() -> None:
            os.write(tells, str(seen).encode())
            os.kill(os.getpid(), signal.SIGKILL)

        @event.listens_for(database.engine, "before_cursor_execute")
        def _statement(*_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == statement:
                die()

        @event.listens_for(database.engine, "commit")
        def _commit(connection: Connection) -> None:
            if statement is None and connection.get_execution_options().get("immediate"):
                die()

        if target == "head":
            upgrade(database)
        else:
            migrate_to(database, target)
        code = 0
    finally:
        os._exit(code)


def _kill_on_the_way(database: Database, target: str, chosen: Callable[[int], Iterable[int]]) -> int:
    """Kill the way to `target` before some of its statements and before its commit: nothing may have moved.

    `chosen` gets the number of statements, which is returned; at the end the way is gone undisturbed.
    """
    before = _state(database)
    database.close()
    total = _killed_before(database.url, None, target)
    for statement in (None, *chosen(total)):
        if statement is not None:
            assert _killed_before(database.url, statement, target) == statement
        assert _state(database) == before, f"killed before statement {statement} of {total}"
        database.close()
    assert _killed_before(database.url, total + 1000, target) == 0
    assert revision_of(database) == (newest_revision() if target == "head" else target)
    database.close()
    return total


def _some(seed: int) -> Callable[[int], Iterable[int]]:
    print(f"seed {seed}")
    return lambda total: sorted(random.Random(seed).sample(range(1, total + 1), 3))


def test_killed_on_the_way_up_and_down_all_is_as_it_was(old: Database) -> None:
    seed = int(os.environ.get("AGGREGATOR_KILL_SEED", "0")) or random.SystemRandom().randrange(2**32)
    assert _kill_on_the_way(old, "head", _some(seed)) > 100
    check(old)
    assert _kill_on_the_way(old, FIRST, _some(seed)) > 100
    assert _kept(rows_now(old)) == _kept(first_rows())


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_killed_before_each_statement_up_and_down_all_is_as_it_was(old: Database) -> None:
    for target in ("head", FIRST):
        killed = _kill_on_the_way(old, target, lambda total: range(1, total + 1))
        print(f"to {target}: killed before each of {killed} statements and before the commit")


def test_a_new_database_is_made_whole_or_not_at_all(empty: Database) -> None:
    total = _killed_before(empty.url, None, "head")
    for statement in (random.randrange(1, total),):
        assert _killed_before(empty.url, statement, "head") == statement
        with empty.read() as connection:
            assert inspect(connection).get_table_names() == []
        empty.close()
    upgrade(empty)
    check(empty)


def test_several_that_upgrade_an_older_one_at_once_do_not_meet(old: Database) -> None:
    databases = [Database(old.url) for _ in range(4)]
    steps: list[str] = []
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: upgrade(one, lambda step: steps.append(step.revision)), databases))
    assert steps == [one for one in REVISIONS if one != FIRST], "one of them did it, the others waited"
    for one in databases:
        check(one)
        one.close()


def test_while_an_older_program_works_on_it_an_older_database_is_left_alone(old: Database) -> None:
    kept: list[str] = []
    lock = open_process_lock(Database(old.url))
    assert lock.acquire()
    before = _state(old)
    with pytest.raises(AnotherDaemonError, match="stop that one first") as caught:
        upgrade(old, keep=kept.append)
    assert caught.value.exit_code == 6
    assert (_state(old), kept) == (before, [])
    lock.release()
    upgrade(old, keep=kept.append)
    assert kept == [newest_revision()], "what keeps a copy is asked once, before the first step"
    upgrade(old, keep=kept.append)
    assert len(kept) == 1
    assert open_process_lock(old).acquire()


def test_out_of_room_in_the_middle_all_is_as_it_was(tmp_path: Path) -> None:
    database = of_first_release(Database(f"sqlite:///{tmp_path / 'old.db'}"))
    before = _state(database)
    database.close()
    with database.read() as connection:
        pages = int(connection.execute(text("PRAGMA page_count")).scalar_one())
    database.close()

    @event.listens_for(database.engine, "connect")
    def _small(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages + 3}")

    with pytest.raises(NotWritableError, match="full"):
        upgrade(database)
    assert _state(database) == before
    database.close()
    roomy = Database(database.url)
    upgrade(roomy)
    check(roomy)
    roomy.close()


def test_the_program_before_reads_evidence_and_tells_stories_of_one_article_again(database: Database) -> None:
    Desk(database, Clock()).take(record("Herald", "1", "Dock workers strike", STRIKE, published=NOON))
    render_next(database, 10, shipped_tuning())
    with database.read() as connection:
        (held,) = connection.execute(select(article.c.evidence)).scalars()
    migrate_to(database, "0017")
    with database.read() as connection:
        (plain,) = connection.execute(select(article.c.evidence)).scalars()
        assert connection.execute(select(story.c.text, story.c.merged)).all() == [(None, None)]
    assert msgspec.msgpack.decode(plain, type=Evidence) == codecs.unpack(held, Evidence)
    upgrade(database)


def test_an_older_database_with_sources_and_articles_is_brought_up(database: Database) -> None:
    """Every feed is asked for its entries once more: what is told of them now was not written down then."""
    from alembic import command

    desk = Desk(database, Clock())
    desk.take(record("Herald", "1", "Dock workers strike", STRIKE, published=NOON))
    feed = Source(
        id="f", kind="feed", address="https://u:p@Gazette.example:8443/rss", interval_seconds=600,
        next_due_at=NOON, etag='"1"', last_modified="then", body_hash=b"h", first_poll_done=True, health="ok",
    )  # fmt: skip
    folder = Source(
        id="d", kind="folder", address="/news", interval_seconds=10, next_due_at=NOON, stamps=b"s"
    )
    with database.write() as connection:
        add(connection, feed)
        add(connection, folder)
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(migrations_folder()))
    with database.write() as connection:
        settings.attributes["connection"] = connection
        command.downgrade(settings, "0004")
    assert upgrade(database) == ("0004", newest_revision())
    with database.read() as connection:
        kept = {one.id: one for one in all_sources(connection)}
    unread = {"etag": None, "last_modified": None, "body_hash": None}
    assert kept["f"] == msgspec.structs.replace(feed, host="gazette.example:8443", **unread)
    assert kept["d"] == folder
    desk.take(record("Gazette", "1", "Dock workers strike again", STRIKE, published=NOON))
    with database.read() as connection:
        assert connection.execute(select(func.sum(story.c.article_count))).scalar_one() == 2
