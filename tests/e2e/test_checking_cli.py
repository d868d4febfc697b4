"""`aggregator db check` as it is typed: what it says, what it repairs, also beside a daemon."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.support import forked
from tests.support.daemon_process import DaemonProcess

DAMAGE = "UPDATE story SET outlet_count = 77 WHERE redirect_to IS NULL"


def damaged(file: Path, sql: str) -> None:
    with closing(sqlite3.connect(file, timeout=30)) as connection:
        connection.execute(sql)
        connection.commit()


def test_it_counts_finds_and_repairs(tmp_path: Path) -> None:
    def typed(*arguments: str) -> tuple[int, str, str]:
        environment = {"PATH": os.environ["PATH"], "NO_COLOR": "1"}
        ended = forked.run([*arguments, "--database", "sqlite:///a.db"], tmp_path, environment)
        return ended.code, ended.out.decode(), ended.err.decode()

    assert typed("db", "check")[0] == 1  # none yet, and none is made
    assert not (tmp_path / "a.db").exists()
    read, _, words = typed("ingest", str(REPOSITORY / "examples" / "articles"))
    assert read in (0, 3), words
    code, out, words = typed("db", "check", "--thorough")
    assert (code, words.splitlines()[-1]) == (0, "no faults")
    assert "entries received =" in out
    damaged(tmp_path / "a.db", DAMAGE)
    code, out, words = typed("db", "check")
    assert code == 1
    assert "outlet counts" in out
    assert "aggregator db check --repair" in out
    assert "make a copy" in words
    code, out, words = typed("db", "check", "--repair", "--format", "json")
    assert code == 0, out
    reported = json.loads(out)
    assert reported["repaired"] > 0
    assert reported["faults"] == []
    assert reported["balance"]["seen"] == reported["balance"]["stored"] + reported["balance"]["known"]
    damaged(tmp_path / "a.db", "DELETE FROM entry WHERE entry_no = 1")
    code, out, words = typed("db", "check", "--repair")
    assert code == 1
    assert "that were stored are missing" in out
    assert "restore a backup" in out


def test_beside_a_daemon_that_one_repairs(tmp_path: Path) -> None:
    articles = str(REPOSITORY / "examples" / "articles")
    with DaemonProcess(tmp_path, {"sources": [{"folder": articles}]}) as daemon:
        daemon.wait_for(lambda: daemon.stories() and not daemon.waiting(), "stories")
        damaged(tmp_path / "stories.db", DAMAGE)
        assert daemon.command("db", "check").returncode == 1
        repaired = daemon.command("db", "check", "--repair")
        assert repaired.returncode == 0, repaired.stdout + repaired.stderr
        assert "repaired" in repaired.stderr
        assert daemon.stop() == 0
