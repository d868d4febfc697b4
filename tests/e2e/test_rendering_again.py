"""After an upgrade that changes the text of stories: what `db upgrade` and `db render` say and do."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from aggregator.store.engine.database import Database
from aggregator.store.engine.process_lock import open_process_lock
from tests.support.make_upgrade_fixture import Fixture
from tests.support.terminal import Terminal

_UNRENDERED = "SELECT count(*) FROM story WHERE text IS NULL AND redirect_to IS NULL"


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """With the database of a former program, none of whose stories is rendered."""
    terminal = Terminal(tmp_path)
    file = terminal.write(
        "aggregator.db", zstandard.decompress(Fixture("v0.1.0").sqlite.read_bytes())
    )
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE story SET text = NULL, rendered = NULL")
    return terminal


def _unrendered(terminal: Terminal) -> int:
    with closing(sqlite3.connect(terminal.folder / "aggregator.db")) as connection:
        return int(connection.execute(_UNRENDERED).fetchone()[0])


def test_an_upgrade_says_how_many_stories_wait_and_db_render_renders_them(
    terminal: Terminal,
) -> None:
    said = terminal.type("db", "upgrade")
    assert said.code == 0
    assert said.err.endswith(
        "14 stories will be rendered again, the newest first: by the daemon in the background, or at once by "
        "`aggregator db render`\n"
    )
    assert _unrendered(terminal) == 14
    assert "rendered" not in terminal.type("db", "upgrade").err
    said = terminal.type("db", "render")
    assert (said.code, said.err) == (0, "rendered 14 stories\n")
    assert _unrendered(terminal) == 0
    said = terminal.type("db", "render")
    assert (said.code, said.err) == (0, "no story waits to be rendered\n")


def test_beside_a_daemon_the_daemon_renders(terminal: Terminal) -> None:
    terminal.type("db", "upgrade")
    with closing(
        Database(f"sqlite:///{terminal.folder / 'aggregator.db'}")
    ) as database:
        lock = open_process_lock(database)
        assert lock.acquire()
        said = terminal.type("db", "render")
        lock.release()
    words = (
        "the running daemon renders 14 stories in the background, the newest first\n"
    )
    assert (said.code, said.err) == (0, words)
    assert _unrendered(terminal) == 14
