"""Migrations: up, again, down, killed at any statement; a database of a newer program is left alone."""

import os
import random
import signal
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, select, text, update

from aggregator.admin.export import exported, import_into
from aggregator.model.errors import (
    AggregatorError,
    AnotherDaemonError,
    ConfigError,
    DatabaseOutdatedError,
    DatabaseTooNewError,
    NotWritableError,
)
from aggregator.store.engine.database import Connection, Database
from aggregator.store.engine.writer_lease import open_process_lock
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
from aggregator.store.stories import copy_keys
from aggregator.store.tables import article, counter, metadata, set_counter, story
from aggregator.store.upgrade_0018 import COUNTERS, TABLES
from tests.conftest import Postgres
from tests.support.articles import FLOOD, NOON, STRIKE, Clock, Rig, record
from tests.support.fresh import shape, with_tables
from tests.support.revision_0018 import export_of_revision_0018, of_revision_0018, rows_of_all_tables
from tests.support.rich import ALL_TUNING, later_entries, rig_at
from tests.support.story_checks import placing_of, small_set, what_is_wrong


def _is_compared(_object: object, name: str | None, kind: str, _reflected: bool, _to: object) -> bool:
    return not (kind == "table" and (name or "").startswith("article_search"))


_COMPARED = {"include_object": _is_compared, "compare_type": True, "compare_server_default": False}
NEW_SINCE_0019 = {
    *("stream_period", "source_history", "source_period", "story_subject", "story_link"),
    *("reader", "read_mark", "story_summary", "lsh_block"),
}
ADDED_SINCE_0019 = {"article": 8, "folder": 1, "source": 1, "story": 1}  # columns, at the end


def _as_before(tables: dict[str, list[tuple[Any, ...]]], name: str) -> list[tuple[Any, ...]]:
    """The rows of a table without the columns of later revisions."""
    added = ADDED_SINCE_0019.get(name, 0)
    return [row[: len(row) - added] for row in tables[name]]


def _without_span(database: Database, stories: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Without the first and last date: since 0024 undated articles do not count beside dated ones."""
    with database.read() as connection:
        at = [one["name"] for one in inspect(connection).get_columns("story")].index("first_published")
    return [(*row[:at], *row[at + 2 :]) for row in stories]


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
    Rig(database, Clock()).take(record("Herald", "1", "Dock workers strike", STRIKE, published=NOON))
    upgrade(database)
    with database.read() as connection:
        assert connection.execute(select(story.c.title)).scalars().all() == ["Dock workers strike"]


def test_the_migrations_make_exactly_the_tables_of_the_program(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts=_COMPARED)
        assert compare_metadata(context, metadata) == []


def test_down_again_nothing_is_left(database: Database) -> None:
    _downgrade(database, "base")
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


@pytest.mark.parametrize("name", ["webhook", "article_search", "v_now"])
def test_a_view_with_a_name_of_ours_is_named(empty: Database, name: str) -> None:
    if empty.is_sqlite:
        pytest.skip("a file is not shared with another program")
    with empty.write() as connection:
        connection.execute(text(f"CREATE VIEW {name} AS SELECT 1 AS one"))
    with pytest.raises(ConfigError, match=rf"another program \({name}\)"):
        upgrade(empty)


@pytest.mark.parametrize("path", ["news", "news,public"])
def test_tables_are_created_in_the_first_schema_of_the_search_path(postgres: Postgres, path: str) -> None:
    address = postgres.make()
    server = Database(address)
    with server.write() as connection:
        connection.execute(text("CREATE SCHEMA news"))
        connection.execute(text("CREATE TABLE public.visitors (id integer)"))
        if path == "news":  # what the path does not name is not in the way
            connection.execute(text("CREATE TABLE public.story (id integer)"))
    database = Database(f"{address}?options=-csearch_path%3D{path}")
    assert upgrade(database) == (None, newest_revision())
    assert upgrade(database) == (newest_revision(), newest_revision())
    check(database)
    with server.read() as connection:
        schema = inspect(connection)
        assert set(metadata.tables) < set(schema.get_table_names("news"))
        assert not set(metadata.tables) & (set(schema.get_table_names("public")) - {"story"})
    database.close()
    server.close()


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
    with pytest.raises(NotWritableError, match="cannot be created") as caught:
        upgrade(Database(f"sqlite:///{tmp_path / 'file' / 'news.db'}"))
    assert caught.value.exit_code == 5


# --- the database of revision 0018, with rows in all tables ------------------------------------------------


@pytest.fixture
def old(empty: Database) -> Iterator[Database]:
    """As the program before version 0.1 left it."""
    yield of_revision_0018(empty)
    empty.close()


def test_revision_0018_is_renamed_in_place_and_keeps_every_value(old: Database) -> None:
    before = rows_of_all_tables(old)
    assert upgrade(old) == ("0018", newest_revision())
    check(old)
    after = rows_of_all_tables(old)
    assert {TABLES.get(name, name) for name in before} | NEW_SINCE_0019 == after.keys()
    for name, rows in before.items():
        kept = [(COUNTERS.get(row[0], row[0]), *row[1:]) for row in rows] if name == "counter" else rows
        now = _as_before(after, TABLES.get(name, name))
        if name == "story":
            kept, now = _without_span(old, kept), _without_span(old, now)
        if name != "alembic_version":
            assert sorted(now, key=repr) == sorted(kept, key=repr), name
    assert list(faults(old)) == []
    assert what_is_wrong(old, placing_of(old, ALL_TUNING)) == []
    assert DatabaseStoryReader(old).search("Pennmouth", 10).hits


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Database]:
    """A new SQLite database, whatever `old` is."""
    made = with_tables(Database(f"sqlite:///{tmp_path / 'fresh.db'}"))
    yield made
    made.close()


def test_revision_0018_becomes_exactly_the_tables_of_the_program(old: Database, fresh: Database) -> None:
    upgrade(old)
    with old.read() as connection:
        context = MigrationContext.configure(connection, opts=_COMPARED)
        assert compare_metadata(context, metadata) == []
        names = {view: inspect(connection).get_columns(view) for view in inspect(connection).get_view_names()}
    with fresh.read() as connection:
        ours = {view: inspect(connection).get_columns(view) for view in inspect(connection).get_view_names()}
    assert {view: [one["name"] for one in columns] for view, columns in names.items()} == {
        view: [one["name"] for one in columns] for view, columns in ours.items()
    }


def test_partial_indexes_of_revision_0018_stay_partial(old: Database) -> None:
    """Else PostgreSQL would refuse rows with a long address, and every index would hold all rows."""

    def partial() -> set[str]:
        listed = (
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            if old.is_sqlite
            else "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
        )
        with old.read() as connection:
            return {name for name, sql in connection.execute(text(listed)) if " WHERE " in sql}

    upgrade(old)
    declared = {
        str(one.name)
        for table in metadata.tables.values()
        for one in table.indexes
        if one.dialect_options["sqlite"]["where"] is not None
    }
    assert declared
    assert declared - partial() == set()


def test_an_export_of_revision_0018_is_imported_under_new_names(old: Database, fresh: Database) -> None:
    upgrade(old)
    import_into(fresh, export_of_revision_0018(), lambda _count: None)
    assert _export(fresh) == _export(old)


@pytest.mark.parametrize("revision", ["0001", "0012", "0017"])
def test_a_revision_before_0018_is_refused_with_what_to_do(old: Database, revision: str) -> None:
    with old.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :n"), {"n": revision})
    with pytest.raises(ConfigError, match=f"revision {revision} of a program before version 0"):
        upgrade(old)


def test_the_programs_before_version_0_1_know_no_revision_of_this_one() -> None:
    assert not set(REVISIONS) & {f"{number:04}" for number in range(1, 19)}


@pytest.mark.parametrize("kind", ["TABLE", "VIEW"])
def test_a_table_of_users_with_a_new_name_of_ours_is_named(old: Database, kind: str) -> None:
    with old.write() as connection:
        connection.execute(text(f"CREATE {kind} webhook AS SELECT 1 AS one"))
    kept: list[str] = []
    with pytest.raises(ConfigError, match="this version uses: webhook; rename it, then run"):
        upgrade(old, keep=kept.append)
    assert not kept, "no backup is made"
    with old.write() as connection:
        assert connection.execute(text("SELECT one FROM webhook")).scalar_one() == 1
        connection.execute(
            text("ALTER TABLE webhook RENAME TO mine" if kind == "TABLE" else "DROP VIEW webhook")
        )
    upgrade(old)
    check(old)


def test_views_and_indexes_of_users_survive_the_upgrade(old: Database) -> None:
    with old.write() as connection:
        connection.execute(text("CREATE VIEW v_mine AS SELECT id, title, updated FROM v_stories"))
        connection.execute(text("CREATE INDEX my_index ON story (title)"))
        before = connection.execute(text("SELECT * FROM v_mine ORDER BY id")).all()
        if not old.is_sqlite:
            connection.execute(text("GRANT SELECT ON v_stories TO PUBLIC"))
    upgrade(old)
    with old.write() as connection:
        assert connection.execute(text("SELECT * FROM v_mine ORDER BY id")).all() == before != []
        assert "my_index" in {one["name"] for one in inspect(connection).get_indexes("story")}
        if not old.is_sqlite:
            rights = "SELECT has_table_privilege('public', 'v_stories', 'SELECT')"
            assert connection.execute(text(rights)).scalar_one() is True
        connection.execute(text("DROP VIEW v_mine"))


def test_what_waited_before_is_placed_by_this_program(old: Database) -> None:
    upgrade(old)
    rig = rig_at(old)
    placed = rig.take(*later_entries())
    assert {one.outcome for one in placed} > {"copy"}
    rig.pipeline.index_older()
    rig.pipeline.index_text()
    assert what_is_wrong(old, placing_of(old, ALL_TUNING)) == []


# --- a database of revision 0019 ---------------------------------------------------------------------------


@pytest.fixture
def of_0019(database: Database) -> Database:
    """With some stories, as the program left it before stream history."""
    Rig(database, Clock()).take(
        record("Herald", "1", "Dock workers strike", STRIKE, published=NOON),
        record("Echo", "1", "Levee breaks at Pennmouth", FLOOD, published=NOON),
    )
    _downgrade(database, "0019")
    assert revision_of(database) == "0019"
    return database


def _downgrade(database: Database, revision: str) -> None:
    from alembic import command

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(migrations_folder()))
    with database.write() as connection:
        settings.attributes["connection"] = connection
        command.downgrade(settings, revision)


def test_revision_0019_gets_stream_history_and_keeps_every_value(of_0019: Database) -> None:
    before = rows_of_all_tables(of_0019)
    assert not before.keys() & NEW_SINCE_0019
    steps: list[str] = []
    assert upgrade(of_0019, lambda step: steps.append(step.revision)) == ("0019", newest_revision())
    assert steps == [one for one in REVISIONS if one > "0019"]
    after = rows_of_all_tables(of_0019)
    assert after.keys() - before.keys() == NEW_SINCE_0019
    assert {name: _as_before(after, name) for name in before if name != "alembic_version"} == {
        name: rows for name, rows in before.items() if name != "alembic_version"
    }
    with of_0019.read() as connection:
        context = MigrationContext.configure(connection, opts=_COMPARED)
        assert compare_metadata(context, metadata) == []
    assert list(faults(of_0019)) == []


def _as_of_older(database: Database) -> None:
    """Programs before revision 0025 did not say what came from a feed."""
    with database.write() as connection:
        connection.execute(update(article).values(is_polled=None))


def test_an_export_of_revision_0019_is_imported(database: Database, fresh: Database) -> None:
    Rig(database, Clock()).take(record("Herald", "1", "Dock workers strike", STRIKE, published=NOON))
    _as_of_older(database)
    lines = _export(database)
    older = lines.replace(newest_revision().encode(), b"0019", 1).splitlines(keepends=True)
    assert b'"0019"' in older[0]
    for added in (
        b',"date_counts":true',
        b',"counts_as_report":true',
        b',"is_polled":null',
        b',"kind":"report"',
        b',"kind_evidence":null',
        b',"follows":null',
        b',"outlet_name":null',
        b',"unknown_outlet_count":0',
    ):
        assert any(added in line for line in older)
        older = [line.replace(added, b"") for line in older]
    import_into(fresh, older, lambda _count: None)
    assert _export(fresh) == lines


def test_revision_0022_counts_articles_of_unknown_outlet_apart_and_changes_nothing_else(
    database: Database, fresh: Database
) -> None:
    rig = Rig(database, Clock())
    levee = record("Herald", "1", "Levee breaks at Pennmouth, four dead", FLOOD, published=NOON)
    unknown = [
        msgspec.structs.replace(levee, source="x", guid=str(n), outlet=None, text=f"{FLOOD} Update {n}.")
        for n in range(2)
    ]
    rig.take(levee, *unknown, record("Echo", "2", "Dock workers strike", STRIKE, published=NOON))
    _as_of_older(database)
    counts = "SELECT outlet_count, unknown_outlet_count FROM v_stories ORDER BY outlet_count + article_count"
    with database.read() as connection:
        assert connection.execute(text(counts)).all() == [(1, 0), (1, 2)]
    after = rows_of_all_tables(database)
    _downgrade(database, "0021")
    with database.read() as connection:
        before = select(story.c.outlet_count).order_by(story.c.outlet_count)
        assert list(connection.execute(before).scalars()) == [1, 3]
    upgrade(database)
    assert rows_of_all_tables(database) == after
    assert list(faults(database)) == []

    lines = _export(database)
    older = lines.replace(newest_revision().encode(), b"0021", 1)
    older = older.replace(b',"unknown_outlet_count":0', b"").replace(b',"outlet_name":null', b"")
    older = older.replace(
        b'"outlet_count":1,"report_count":1,"unknown_outlet_count":2', b'"outlet_count":3,"report_count":1'
    )
    assert b"unknown_outlet_count" not in older
    import_into(fresh, older.splitlines(keepends=True), lambda _count: None)
    assert _export(fresh) == lines


def test_blocks_of_copy_keys_become_rows_on_the_way_down_and_are_packed_again_later(
    database: Database,
) -> None:
    rig = Rig(database, Clock())
    rig.take(*small_set()[:9])
    before = rows_of_all_tables(database)
    with database.write() as connection:
        copy_keys.pack_all(connection)
        set_counter(connection, "keys_packed_to", 7)
    assert rows_of_all_tables(database)["lsh_band"] == []
    _downgrade(database, "0030")
    upgrade(database)
    assert rows_of_all_tables(database) == before
    assert list(faults(database)) == []


@pytest.mark.parametrize("kind", ["TABLE", "VIEW"])
def test_a_table_of_users_with_a_name_of_revision_0020_is_named(of_0019: Database, kind: str) -> None:
    with of_0019.write() as connection:
        connection.execute(text(f"CREATE {kind} source_history AS SELECT 1 AS one"))
    with pytest.raises(ConfigError, match="this version uses: source_history; rename it, then run"):
        upgrade(of_0019)
    assert revision_of(of_0019) == "0019"
    with of_0019.write() as connection:
        connection.execute(text(f"DROP {kind} source_history"))
    upgrade(of_0019)
    check(of_0019)


def _export(database: Database) -> bytes:
    return b"".join(exported(database, lambda _count: None))


# --- killed, refused, out of room ---------------------------------------------------------------------------


def _state(database: Database) -> tuple[object, ...]:
    """The revision, all tables, columns, indexes and views, and all rows."""
    if not database.is_sqlite:
        return revision_of(database), shape(database), rows_of_all_tables(database)
    with database.read() as connection:
        made = connection.execute(text("SELECT type, name, sql FROM sqlite_master ORDER BY type, name"))
        return revision_of(database), made.all(), rows_of_all_tables(database)


def _killed_before(address: str, statement: int | None) -> int:
    """Migrate in a process of its own that kills itself before that statement; None: before the commit.

    How many statements it had seen by then; 0 where it went to its end.
    """
    reported, tells = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reported)
        _migrate_and_die(address, statement, tells)
    os.close(tells)
    with os.fdopen(reported, "rb") as pipe:
        seen = pipe.read()
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended in (0, -signal.SIGKILL)
    return int(seen) if ended else 0


def _migrate_and_die(address: str, statement: int | None, tells: int) -> NoReturn:
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

        upgrade(database)
        code = 0
    finally:
        os._exit(code)


def _kill_on_the_way(database: Database, chosen: Callable[[int], Iterable[int]]) -> int:
    """Kill the upgrade before some of its statements and before its commit: nothing may have moved.

    `chosen` gets the number of statements, which is returned; at the end the way is gone undisturbed.
    """
    before = _state(database)
    database.close()
    total = _killed_before(database.url, None)
    for statement in (None, *chosen(total)):
        if statement is not None:
            assert _killed_before(database.url, statement) == statement
        assert _state(database) == before, f"killed before statement {statement} of {total}"
        database.close()
    assert _killed_before(database.url, total + 1000) == 0
    assert revision_of(database) == newest_revision()
    database.close()
    return total


def _some(seed: int) -> Callable[[int], Iterable[int]]:
    print(f"seed {seed}")
    return lambda total: sorted(random.Random(seed).sample(range(1, total + 1), 3))


def test_killed_on_the_way_all_is_as_it_was(old: Database) -> None:
    seed = int(os.environ.get("AGGREGATOR_KILL_SEED", "0")) or random.SystemRandom().randrange(2**32)
    assert _kill_on_the_way(old, _some(seed)) > 100
    check(old)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_killed_before_each_statement_all_is_as_it_was(old: Database) -> None:
    killed = _kill_on_the_way(old, lambda total: range(1, total + 1))
    print(f"killed before each of {killed} statements and before the commit")


def test_a_new_database_is_made_whole_or_not_at_all(empty: Database) -> None:
    total = _killed_before(empty.url, None)
    for statement in (random.randrange(1, total),):
        assert _killed_before(empty.url, statement) == statement
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
    assert steps == REVISIONS, "one of them did it, the others waited"
    for one in databases:
        check(one)
        one.close()


def test_while_an_older_program_works_on_it_an_older_database_is_left_alone(old: Database) -> None:
    kept: list[str] = []
    lock = open_process_lock(Database(old.url))
    assert lock.acquire()
    before = _state(old)
    with pytest.raises(AnotherDaemonError, match="stop that program first") as caught:
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
    database = of_revision_0018(Database(f"sqlite:///{tmp_path / 'old.db'}"))
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
