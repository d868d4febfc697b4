"""Migrations: up, again, down, killed half-way; and a database of a newer program is left alone."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select, text

from aggregator.errors import AggregatorError, DatabaseOutdatedError, DatabaseTooNewError, NotWritableError
from aggregator.store.database import Database
from aggregator.store.migrate import check, migrations_folder, newest_revision, revision_of, upgrade
from aggregator.store.sources import Source, add, all_sources
from aggregator.store.tables import counter, metadata, story
from tests.articles import NOON, STRIKE, Clock, Desk, record
from tests.conftest import REPOSITORY


@pytest.fixture
def empty(database_url: str) -> Database:
    return Database(database_url)


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


KILLED = """
import os, signal, sys
from sqlalchemy import event
from aggregator.store.database import Database
from aggregator.store.migrate import upgrade

database, left = Database(sys.argv[1]), int(sys.argv[2])

@event.listens_for(database.engine, "before_cursor_execute")
def _count(connection, cursor, statement, *rest):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

upgrade(database)
"""


@pytest.mark.parametrize("statements", [5, 12, 20, 28])
def test_killed_in_the_middle_it_is_old_or_new(database_url: str, statements: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, database_url, str(statements)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    database = Database(database_url)
    with database.read() as connection:
        tables = inspect(connection).get_table_names()
    assert (revision_of(database) is None and tables == []) or revision_of(database) == newest_revision()
    upgrade(database)
    check(database)
    database.close()


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
