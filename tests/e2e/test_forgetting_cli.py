"""`aggregator forget` as people type it: asked first, alone, beside a daemon; and it stays forgotten."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.store.engine.database import Database
from tests.support.daemon_process import DaemonProcess
from tests.support.story_checks import TRIPWIRE, assigned, by_title, members, what_is_wrong


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as `aggregator ingest` leaves it."""
    folder = tmp_path_factory.mktemp("ingested")
    done = DaemonProcess(folder, {}).command("ingest", str(TRIPWIRE))
    assert done.returncode == 0, done.stderr
    return folder / "stories.db"


@pytest.fixture
def program(tmp_path: Path, ingested: Path) -> Iterator[DaemonProcess]:
    shutil.copy(ingested, tmp_path / "stories.db")
    process = DaemonProcess(tmp_path, {})
    yield process
    process.kill()


@pytest.fixture
def database(program: DaemonProcess, tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'stories.db'}")
    yield opened
    opened.close()


def test_it_asks_first_and_says_what_goes(program: DaemonProcess, database: Database) -> None:
    (bridge,) = by_title(database, "Hollin Bridge")
    one, *others = members(database, bridge)
    before = assigned(database)
    dry = program.command("forget", one, "--dry-run")
    assert (dry.returncode, "would be forgotten" in dry.stdout) == (0, True)
    nobody = program.command("forget", one)
    assert nobody.returncode == 2
    assert "--yes" in nobody.stderr
    unknown = program.command("forget", "nobody knows it", "--yes")
    assert unknown.returncode == 2
    assert "nothing is stored of nobody knows it" in unknown.stderr
    assert program.command("forget").returncode == 2
    assert assigned(database) == before

    done = program.command("forget", one, "--yes", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["articles"] == 1
    assert members(database, bridge) == others
    assert program.command("forget", "--list").stdout.startswith(one)
    again = program.command("ingest", str(TRIPWIRE))
    assert "forgotten" in again.stdout + again.stderr
    assert members(database, bridge) == others
    stones = json.loads(program.command("forget", "--list", "--format", "json").stdout)
    assert [(stone["article"], stone["refused"]) for stone in stones] == [(one, 1)]
    assert what_is_wrong(database) == []


def test_a_running_daemon_forgets_what_is_asked(program: DaemonProcess, database: Database) -> None:
    (goat,) = by_title(database, "goat cheese")
    with program as daemon:
        assert daemon.get(f"/stories/{goat}").status_code == 200
        for one in members(database, goat):
            done = program.command("forget", one, "--yes")
            assert done.returncode == 0, done.stderr
            assert "forgotten" in done.stdout
        assert daemon.get(f"/stories/{goat}").status_code == 410
        assert daemon.get(f"/api/v1/stories/{goat}").status_code == 410
        assert goat not in daemon.get("/feeds/stories.rss").text
        assert daemon.stop() == 0
    assert what_is_wrong(database) == []
