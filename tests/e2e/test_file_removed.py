"""The file of the database is removed, renamed or replaced under a running daemon."""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.articles import FLOOD, STRIKE
from tests.support.daemon_process import DaemonProcess

pytestmark = pytest.mark.later


def write(folder: Path, name: str, text: str) -> None:
    outlet = folder / "news" / name
    outlet.mkdir(parents=True)
    (outlet / "a.txt").write_text(
        f"{name} reports\n\n12 October 2026\n\n{text}\n", encoding="utf-8"
    )


@contextmanager
def started(folder: Path) -> Iterator[DaemonProcess]:
    """A daemon with one story."""
    write(folder, "Gazette", FLOOD)
    with DaemonProcess(folder, {"sources": [{"folder": "news"}]}) as daemon:
        daemon.wait_for_stories(1)
        yield daemon


def count(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return connection.execute("SELECT count(*) FROM article").fetchone()[0]


def remove(file: Path) -> None:
    file.unlink()


def rename(file: Path) -> None:
    file.rename(file.with_name("away.db"))


@pytest.mark.parametrize("lose", [remove, rename])
def test_a_daemon_whose_database_is_gone_ends_and_makes_no_new_one(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    file = tmp_path / "stories.db"
    with started(tmp_path) as daemon:
        lose(file)
        # Beside the daemon, and when it has ended: nothing makes an empty database in its place.
        assert daemon.command("stories").returncode == 5
        assert daemon.command("sources", "add", str(tmp_path / "news")).returncode == 5
        assert daemon.wait_for_end() == 5
    assert daemon.lines(f"{file} was removed or renamed")
    assert "Traceback" not in daemon.log()
    for arguments in (
        ["ingest", "news"],
        ["stories"],
        ["token", "create", "me", "--scope", "push"],
        ["run"],
    ):
        refused = daemon.command(*arguments)
        assert (
            refused.returncode,
            "is missing, and it was there before" in refused.stderr,
        ) == (5, True)
    assert not file.exists()
    reported = daemon.command("doctor")
    assert (
        reported.returncode,
        "is missing, and it was there before" in reported.stdout,
    ) == (1, True)
    # All that was committed is in it, also what was in the log beside its old place
    if lose is rename:
        assert count(tmp_path / "away.db") == 1
        (tmp_path / "away.db").rename(file)
        assert daemon.command("stories").returncode == 0
    else:
        assert daemon.command("db", "upgrade").returncode == 0
        assert count(file) == 0


def test_a_database_that_takes_the_place_of_another_is_not_touched(
    tmp_path: Path,
) -> None:
    file, other = tmp_path / "stories.db", tmp_path / "other.db"
    with started(tmp_path) as daemon:
        made = daemon.command("ingest", "news", "--database", f"sqlite:///{other}")
        assert made.returncode == 0
        write(tmp_path, "Herald", STRIKE)
        made = daemon.command("ingest", "news", "--database", f"sqlite:///{other}")
        assert made.returncode == 0
        before = other.read_bytes()
        other.replace(file)
        assert daemon.wait_for_end() == 5
    assert daemon.lines(f"{file} was replaced by another file")
    assert file.read_bytes() == before
    assert count(file) == 2


@pytest.mark.parametrize("ending", ["-wal", "-shm"])
def test_a_daemon_whose_log_was_removed_ends_and_loses_nothing(
    tmp_path: Path, ending: str
) -> None:
    file = tmp_path / "stories.db"
    with started(tmp_path) as daemon:
        file.with_name(file.name + ending).unlink()
        assert daemon.wait_for_end() == 5
    assert daemon.lines(f"{file}{ending} was removed or renamed")
    assert count(file) == 1
    shown = daemon.command("stories", "--format", "jsonl")
    assert (shown.returncode, len(shown.stdout.splitlines())) == (0, 1), (
        "the story again"
    )


def test_files_of_the_database_are_only_for_who_made_them(tmp_path: Path) -> None:
    """Whatever the umask: the database with its logs and lock, a backup, an export."""
    before = os.umask(0o000)
    try:
        with started(tmp_path) as daemon:
            assert daemon.command("db", "backup", "--to", "kept.db.zst").returncode == 0
            assert daemon.command("export", "--output", "all.jsonl").returncode == 0
            files = [f"stories.db{ending}" for ending in ("", "-wal", "-shm", ".lock")]
            modes = {
                name: stat.S_IMODE((tmp_path / name).stat().st_mode)
                for name in (*files, "kept.db.zst", "all.jsonl")
            }
            assert set(modes.values()) == {0o600}, modes
            # Files that an older version made stay as they are, and the doctor names them.
            (tmp_path / "stories.db").chmod(0o644)
            reported = daemon.command("doctor").stdout
            assert f"chmod 600 {tmp_path / 'stories.db'}\n" in reported
            assert daemon.stop() == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "stories.db").stat().st_mode) == 0o644
