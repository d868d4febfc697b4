"""`aggregator db prune` as people type it: alone, and beside a daemon, which does the same by itself."""

import json
import sqlite3
from pathlib import Path

from tests.e2e.test_forgetting_cli import ingested, program
from tests.support.daemon_process import DaemonProcess

__all__ = ["ingested", "program"]  # fixtures: pytest finds them here

AT_ONCE = {"retention": {"compress_after": "1s"}}


def plain_texts(folder: Path) -> int:
    """How many articles have a text that is not packed."""
    with sqlite3.connect(folder / "stories.db") as connection:
        return int(connection.execute("SELECT count(*) FROM article WHERE text <> ''").fetchone()[0])


def test_it_says_what_is_due_and_does_it(program: DaemonProcess, tmp_path: Path) -> None:
    young = json.loads(program.command("db", "prune", "--dry-run", "--format", "json").stdout)
    assert (young["packed"], young["texts"], young["stories"]) == (0, 0, 0)
    program.configure(AT_ONCE)
    before = plain_texts(tmp_path)

    def due() -> int:
        said = program.command("db", "prune", "--dry-run", "--format", "json")
        return int(json.loads(said.stdout)["packed"])

    assert before > 40
    program.wait_for(lambda: due() >= before, "all to be older than a second")
    assert plain_texts(tmp_path) == before, "nothing was changed"
    done = program.command("db", "prune", "--vacuum")
    assert done.returncode == 0, done.stderr
    assert "the file had" in done.stderr
    assert plain_texts(tmp_path) == 0
    assert program.command("search", "goat cheese").stdout
    assert program.command("db", "check").returncode == 0


def test_it_says_what_it_may_not_take(program: DaemonProcess) -> None:
    program.configure({"retention": {"size": "0.1 MB"}})
    asked = program.command("db", "prune")
    assert asked.returncode == 0
    assert "above `size` remain: articles of the last days are not deleted" in asked.stderr


def test_a_daemon_does_it_by_itself(program: DaemonProcess, tmp_path: Path) -> None:
    program.configure(AT_ONCE)
    with program as daemon:
        daemon.wait_for(lambda: plain_texts(tmp_path) == 0, "texts to be packed")
        asked = daemon.command("db", "prune")
        assert (asked.returncode, "done" in asked.stderr) == (0, True), asked.stderr
        refused = daemon.command("db", "prune", "--vacuum")
        assert (refused.returncode, "stop the daemon first" in refused.stderr) == (6, True)
        assert daemon.stop() == 0
