"""Migrations: up, again, killed at any statement; a database of another program or version is left alone."""

import os
import random
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, event, inspect, select, text

from aggregator.model.errors import (
    AggregatorError,
    AnotherDaemonError,
    ConfigError,
    DatabaseOutdatedError,
    DatabaseTooNewError,
    NotWritableError,
)
from aggregator.store.engine.database import Connection, Database
from aggregator.store.engine.process_lock import open_process_lock
from aggregator.store.migrate import (
    check,
    make_file,
    migrations_folder,
    newest_revision,
    revision_of,
    upgrade,
)
from aggregator.store.tables import VIEWS, counter, metadata
from tests.conftest import Postgres
from tests.support.deep_checks import faults
from tests.support.fresh import shape, sqlite_file, with_tables
from tests.support.kills import in_a_child
from tests.support.later_version import LaterVersion, later_version
from tests.support.rows import executed, full_soon, queried, read_by
from tests.support.seeds import printed_seed
from tests.support.story_checks import fill


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url)) as database:
        make_file(database)
        yield database


@pytest.mark.later
def test_an_empty_database_is_brought_up_once(empty: Database) -> None:
    assert revision_of(empty) is None
    assert upgrade(empty) == (None, newest_revision())
    assert upgrade(empty) == (newest_revision(), newest_revision())
    check(empty)


def test_files_of_migrations_are_called_by_their_revisions() -> None:
    script = ScriptDirectory(str(migrations_folder()))
    assert script.get_heads() == [newest_revision()]
    assert all(
        Path(one.path).name.startswith(f"{one.revision}_")
        for one in script.walk_revisions()
    )


def test_two_that_upgrade_at_once_do_not_meet(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(upgrade, databases))
    for one in databases:
        check(one)
        one.close()


# Everything that SQLAlchemy creates for a model; on SQLite the statements themselves.
_ON_SQLITE = """
    SELECT type, name, tbl_name, sql FROM sqlite_master
    WHERE type <> 'view' AND tbl_name NOT LIKE 'article_search%' AND tbl_name <> 'alembic_version'"""
_ON_POSTGRES = """
    SELECT 'column', c.relname, a.attname, concat_ws(' ',
           row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),  -- a dropped column leaves a gap
           format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid))
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
      AND c.relname NOT IN ('article_search', 'alembic_version')
    UNION ALL
    SELECT 'index', tablename, indexname, indexdef FROM pg_indexes
    WHERE schemaname = current_schema() AND tablename NOT IN ('article_search', 'alembic_version')
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = current_schema()::regnamespace
      AND conrelid NOT IN (to_regclass('article_search'), 'alembic_version'::regclass)
    UNION ALL
    SELECT 'trigger', tgrelid::regclass::text, tgname, '' FROM pg_trigger WHERE NOT tgisinternal"""


def _made(connection: Connection) -> set[tuple[str, ...]]:
    asked = _ON_SQLITE if connection.dialect.name == "sqlite" else _ON_POSTGRES
    # A column that was added stands in the line before it, in the statement that SQLite keeps.
    rows = connection.execute(text(asked))
    return {tuple(" ".join(str(value).split()) for value in row) for row in rows}


def test_the_migrations_make_exactly_the_tables_of_the_program(
    database: Database,
) -> None:
    """Columns in their order, types, defaults, indexes with their conditions, constraints; no triggers."""
    declared = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        # tables.py gives the conditions for SQLite only
        for index in table.to_metadata(declared).indexes:
            index.dialect_options["postgresql"]["where"] = index.dialect_options[
                "sqlite"
            ]["where"]
    with database.write() as connection:
        migrated = _made(connection)
        assert set(inspect(connection).get_view_names()) == VIEWS
        for view in VIEWS:
            drop = f"DROP VIEW IF EXISTS {view}" + (
                "" if database.is_sqlite else " CASCADE"
            )
            connection.execute(text(drop))
        declared.drop_all(connection)
        assert not _made(connection)
        declared.create_all(connection)
        assert _made(connection) == migrated


def test_what_sqlalchemy_does_not_declare_is_made_too(database: Database) -> None:
    asked = (
        "SELECT sql FROM sqlite_master WHERE name = 'article_search'"
        if database.is_sqlite
        else "SELECT concat_ws(' ', relkind, relpersistence, reloptions) FROM pg_class "
        "WHERE relname IN ('article_search', 'ix_article_search_words') ORDER BY relname"
    )
    made = queried(database, text(asked)).scalars().all()
    assert made == (
        [
            "CREATE VIRTUAL TABLE article_search USING fts5(words, content='', "
            "tokenize=\"ascii tokenchars '_'\")"
        ]
        if database.is_sqlite
        else ["r p {toast_tuple_target=128}", "i p {fastupdate=off}"]
    )


@pytest.mark.later
@pytest.mark.parametrize("revision", ["9999", "0001", "0018", "0032", "a1b2"])
def test_a_database_of_a_newer_or_unreleased_program_is_refused_and_left_alone(
    database: Database, revision: str
) -> None:
    executed(
        database, text("UPDATE alembic_version SET version_num = :n"), {"n": revision}
    )
    error, code, words = ConfigError, 2, f"revision {revision} of an unreleased"
    if revision == "9999":
        error, code, words = DatabaseTooNewError, 4, revision
    for use in (upgrade, check):
        with pytest.raises(error, match=words) as caught:
            use(database)
        assert caught.value.exit_code == code
    assert revision_of(database) == revision


def _table_names(database: Database) -> list[str]:
    return read_by(database, lambda connection: inspect(connection).get_table_names())


def test_a_database_of_another_program_is_left_alone(empty: Database) -> None:
    executed(empty, text("CREATE TABLE article (id INTEGER PRIMARY KEY)"))
    with pytest.raises(ConfigError, match=r"tables of another program \(article\)"):
        upgrade(empty)
    assert _table_names(empty) == ["article"]


@pytest.mark.later
@pytest.mark.parametrize("name", ["webhook", "article_search", "v_now", "v_follows"])
def test_a_view_with_a_name_of_ours_is_named(empty: Database, name: str) -> None:
    if empty.is_sqlite:
        pytest.skip("a file is not shared with another program")
    executed(empty, text(f"CREATE VIEW {name} AS SELECT 1 AS one"))
    with pytest.raises(ConfigError, match=rf"another program \({name}\)"):
        upgrade(empty)


@pytest.mark.later
@pytest.mark.parametrize("path", ["news", "news,public"])
def test_tables_are_created_in_the_first_schema_of_the_search_path(
    postgres: Postgres, path: str
) -> None:
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
        assert not set(metadata.tables) & (
            set(schema.get_table_names("public")) - {"story"}
        )
    database.close()
    server.close()


def test_an_older_database_is_named_with_what_to_type(empty: Database) -> None:
    with pytest.raises(DatabaseOutdatedError, match="aggregator db upgrade"):
        check(empty)


def test_every_counter_of_the_program_is_there(database: Database) -> None:
    counters = {
        row.name: row.value
        for row in queried(database, select(counter.c.name, counter.c.value))
    }
    assert {"entry", "inbox", "story", "bump", "searchable"} <= set(counters)
    assert set(counters.values()) == {0}


def test_a_file_that_is_no_database_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "news.db").write_text("this is a text, and a long one at that. " * 50)
    with pytest.raises(AggregatorError, match="not a database"):
        upgrade(sqlite_file(tmp_path / "news.db"))


def test_a_place_that_cannot_be_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritableError, match="cannot be created") as caught:
        upgrade(sqlite_file(tmp_path / "file" / "news.db"))
    assert caught.value.exit_code == 5


# --- an upgrade from one revision to the next --------------------------------------------------------------


@pytest.fixture
def old(database: Database) -> Database:
    """With some stories."""
    fill(database)
    return database


@pytest.fixture
def later(old: Database) -> Iterator[LaterVersion]:
    with later_version() as made:
        yield made


@pytest.mark.later
def test_an_upgrade_takes_each_step_and_keeps_every_value(
    old: Database, later: LaterVersion
) -> None:
    before = rows_of_all_tables(old)
    revision = revision_of(old)
    with pytest.raises(DatabaseOutdatedError, match="aggregator db upgrade"):
        check(old)
    kept: list[str] = []
    assert upgrade(old, kept.append) == (revision, later.revisions[-1])
    assert kept == [later.revisions[-1]]
    check(old)
    after = rows_of_all_tables(old)
    assert after.keys() - before.keys() == {"later_note"}
    after["story"] = [row[:-1] for row in after["story"]]  # the new column
    assert {name: after[name] for name in before if name != "alembic_version"} == {
        name: rows for name, rows in before.items() if name != "alembic_version"
    }
    assert faults(old) == []


@pytest.mark.later
@pytest.mark.usefixtures("later")
def test_views_and_indexes_of_users_survive_the_upgrade(old: Database) -> None:
    with old.write() as connection:
        connection.execute(
            text("CREATE VIEW v_mine AS SELECT id, title, updated FROM v_stories")
        )
        connection.execute(text("CREATE INDEX my_index ON story (title)"))
        before = connection.execute(text("SELECT * FROM v_mine ORDER BY id")).all()
        if not old.is_sqlite:
            connection.execute(text("GRANT SELECT ON v_stories TO PUBLIC"))
    upgrade(old)
    with old.write() as connection:
        assert (
            connection.execute(text("SELECT * FROM v_mine ORDER BY id")).all()
            == before
            != []
        )
        assert "later_note" in {
            one["name"] for one in inspect(connection).get_columns("v_stories")
        }
        assert "my_index" in {
            one["name"] for one in inspect(connection).get_indexes("story")
        }
        if not old.is_sqlite:
            rights = "SELECT has_table_privilege('public', 'v_stories', 'SELECT')"
            assert connection.execute(text(rights)).scalar_one() is True
        connection.execute(text("DROP VIEW v_mine"))


# --- killed, refused, out of room ---------------------------------------------------------------------------


def rows_of_all_tables(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All rows as they are stored, whatever tables are called; not those of the full-text index."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with database.read() as connection:
        tables = MetaData()
        tables.reflect(
            connection, only=lambda name, _: not name.startswith("article_search")
        )
        for name, table in tables.tables.items():
            rows = connection.execute(
                select(table).order_by(*(table.primary_key.columns or table.columns))
            )
            found[name] = [tuple(row) for row in rows]
    return found


def _state(database: Database) -> tuple[object, ...]:
    """The revision, all tables, columns, indexes and views, and all rows."""
    if not database.is_sqlite:
        return revision_of(database), shape(database), rows_of_all_tables(database)
    made = queried(
        database, text("SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
    )
    return revision_of(database), made.all(), rows_of_all_tables(database)


def _killed_before(address: str, statement: int | None) -> int:
    """Migrate in a process of its own that kills itself before that statement; None: before the commit.

    How many statements it had seen by then; 0 where it went to its end.
    """
    reported, tells = os.pipe()
    ended = in_a_child(lambda: _migrate_and_die(address, statement, tells))
    os.close(tells)
    with os.fdopen(reported, "rb") as pipe:
        seen = pipe.read()
    assert ended in (0, -signal.SIGKILL)
    return int(seen) if ended else 0


def _migrate_and_die(address: str, statement: int | None, tells: int) -> None:
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


def kill_on_the_way(database: Database, chosen: Callable[[int], Iterable[int]]) -> int:
    """Kill the upgrade before some of its statements and before its commit: nothing may have moved.

    `chosen` gets the number of statements, which is returned; at the end the way is gone undisturbed.
    """
    before = _state(database)
    database.close()
    total = _killed_before(database.url, None)
    for statement in (None, *chosen(total)):
        if statement is not None:
            assert _killed_before(database.url, statement) == statement
        assert _state(database) == before, (
            f"killed before statement {statement} of {total}"
        )
        database.close()
    assert _killed_before(database.url, total + 1000) == 0
    assert revision_of(database) == newest_revision()
    database.close()
    return total


@pytest.mark.usefixtures("later")
def test_killed_on_the_way_all_is_as_it_was(old: Database) -> None:
    chance = Random(printed_seed())
    assert (
        kill_on_the_way(
            old, lambda total: sorted(chance.sample(range(1, total + 1), 3))
        )
        > 10
    )
    check(old)


@pytest.mark.later
def test_a_new_database_is_made_whole_or_not_at_all(empty: Database) -> None:
    for statement in (random.randrange(1, _killed_before(empty.url, None)),):
        assert _killed_before(empty.url, statement) == statement
        assert _table_names(empty) == []
        upgrade(empty)
    check(empty)


@pytest.mark.later
def test_several_that_upgrade_an_older_one_at_once_do_not_meet(
    old: Database, later: LaterVersion
) -> None:
    databases = [Database(old.url) for _ in range(4)]
    kept: list[str] = []
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: upgrade(one, kept.append), databases))
    assert kept == [later.revisions[-1]], "one of them did it, the others waited"
    for one in databases:
        check(one)
        one.close()


@pytest.mark.later
@pytest.mark.usefixtures("later")
def test_while_an_older_program_works_on_it_an_older_database_is_left_alone(
    old: Database,
) -> None:
    kept: list[str] = []
    with closing(Database(old.url)) as other:
        lock = open_process_lock(other)
        assert lock.acquire()
        before = _state(old)
        with pytest.raises(
            AnotherDaemonError, match="stop that program first"
        ) as caught:
            upgrade(old, keep=kept.append)
        assert caught.value.exit_code == 6
        assert (_state(old), kept) == (before, [])
        lock.release()
    upgrade(old, keep=kept.append)
    assert kept == [newest_revision()], (
        "what keeps a copy is asked once, before the first step"
    )
    upgrade(old, keep=kept.append)
    assert len(kept) == 1
    lock = open_process_lock(old)
    assert lock.acquire()
    lock.release()


def test_out_of_room_in_the_middle_all_is_as_it_was(tmp_path: Path) -> None:
    database = with_tables(sqlite_file(tmp_path / "old.db"))
    fill(database)
    before = _state(database)
    full_soon(database, 3)
    with later_version():
        with pytest.raises(NotWritableError, match="full"):
            upgrade(database)
        assert _state(database) == before
        database.close()
        with closing(Database(database.url)) as roomy:
            upgrade(roomy)
            check(roomy)
