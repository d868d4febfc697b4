"""After an upgrade that changes the text of stories: what `db upgrade` says."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

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


def test_an_upgrade_says_how_many_stories_wait_for_the_daemon(
    terminal: Terminal,
) -> None:
    said = terminal.type("db", "upgrade")
    assert said.code == 0
    assert said.err.endswith(
        "14 stories will be rendered again, the newest first: by the daemon in the background\n"
    )
    assert _unrendered(terminal) == 14
    assert "rendered" not in terminal.type("db", "upgrade").err
