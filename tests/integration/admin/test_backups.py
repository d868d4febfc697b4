"""Backup and restore: all of a SQLite database or nothing, and a daemon goes on; a server's own programs."""

import json
import os
import resource
import shlex
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.engine import make_url

from aggregator.admin import backup
from aggregator.admin.backup import Progress, back_up
from aggregator.admin.backup_folder import (
    back_up_as_configured,
    back_up_gently,
    backup_folder,
    backup_state,
    backups,
    describe_backup,
    keep_before_upgrade,
)
from aggregator.admin.export_file import export_lines
from aggregator.admin.import_rows import import_into
from aggregator.admin.restore import restore
from aggregator.cli.command_context import bring_up
from aggregator.config.loader import load
from aggregator.config.settings import BackupConfig, Config
from aggregator.grouping.placing.placement_result import PlacementResult
from aggregator.model.errors import (
    AnotherDaemonError,
    ConfigError,
    DamagedFileError,
    DatabaseTooNewError,
    NotWritableError,
    ReadError,
    UsageError,
)
from aggregator.model.health_report import BackupState
from aggregator.store.engine.database import Database
from aggregator.store.engine.process_lock import open_process_lock
from aggregator.store.maintenance import page_copy, row_stream
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.migrate import check, upgrade
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import entry, metadata
from tests.conftest import Postgres
from tests.support.articles import DAY, STRIKE, Rig, record
from tests.support.deep_checks import faults
from tests.support.fresh import opened_at, sqlite_at, sqlite_file
from tests.support.kills import in_a_child
from tests.support.later_version import later_version
from tests.support.rich import LATER, later_entries, rich, rig_at
from tests.support.rows import counted, executed, full_soon, queried, value
from tests.support.story_checks import undo, what_is_wrong
from tests.support.tables import each_row


@contextmanager
def quietly(_unit: str, _total: int | None) -> Iterator[Advance]:
    yield lambda _count: None


def busy(
    database: Database, took: list[PlacementResult], at: str | None = None
) -> Progress:
    """Progress during which, at its first step (of this unit), a daemon places what comes later."""
    rig = rig_at(database)

    @contextmanager
    def working(unit: str, _total: int | None) -> Iterator[Advance]:
        def advance(_count: int) -> None:
            if not took and at in (None, unit):
                took.extend(rig.take(*later_entries()))

        yield advance

    return working


def export(database: Database) -> bytes:
    return b"".join(export_lines(database, lambda _count: None))


def installation(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """What an export leaves out: of tokens, their secrets."""
    names = row_stream.LEFT_OUT - row_stream.PASSING | {"api_token"}
    kept = [table for table in metadata.sorted_tables if table.name in names]
    return {
        table.name: [tuple(row) for row in queried(database, select(table))]
        for table in kept
    }


def assert_same(one: Database, other: Database) -> None:
    assert export(one) == export(other)
    assert installation(one) == installation(other)


def assert_goes_on(one: Database, other: Database) -> None:
    """The same things done to both leave both the same: ids, numbers, times, and what a person undoes."""
    for database in (one, other):
        rig = rig_at(database)
        rig.place()
        rig.take(*later_entries())
        undo(database)
        rig.pipeline.index_text()
        rig.pipeline.index_older()
        assert what_is_wrong(database) == []
        assert faults(database) == []
    assert export(one) == export(other)
    words = "levee OR strike OR goat OR ferry"
    found = [StoryReader(database).search(words, 20) for database in (one, other)]
    assert (
        [hit.article for hit in found[0].hits]
        == [hit.article for hit in found[1].hits]
        != []
    )


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Database]:
    """A database with rows in every table that is kept, SQLite."""
    database = rich(sqlite_file(tmp_path / "full.db"))
    yield database
    database.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A new, empty SQLite database."""
    with sqlite_at(tmp_path / "new_one.db") as new:
        yield new


@pytest.fixture
def server(postgres: Postgres) -> Iterator[Database]:
    """A new, empty database on a server."""
    address = postgres.lend()
    with closing(Database(address)) as database:
        yield database
    postgres.take_back(address)


@pytest.mark.later
def test_the_database_of_these_tests_has_rows_in_every_table(full: Database) -> None:
    empty = {table.name for table in metadata.sorted_tables if not counted(full, table)}
    assert empty <= row_stream.PASSING


# --- backup and restore ------------------------------------------------------------------------------------


@pytest.fixture
def kept(full: Database, tmp_path: Path) -> Path:
    """A backup of the full database."""
    file = tmp_path / "kept.db.zst"
    back_up(full, file, quietly)
    return file


@pytest.mark.later
def test_a_daemon_goes_on_with_a_restored_backup(
    full: Database, kept: Path, database: Database
) -> None:
    restore(kept, database, quietly)
    assert_same(full, database)
    assert_goes_on(full, database)


@pytest.mark.later
def test_the_commands_for_a_server_that_are_printed_back_it_up_and_restore_it(
    full: Database, server: Database, tmp_path: Path
) -> None:
    """As a person does it: type what is printed, after a daemon worked on it and before it goes on."""
    upgrade(server)
    import_into(server, export(full).splitlines(keepends=True), lambda _count: None)
    before = export(server)
    password = make_url(server.url).password
    environment = {**os.environ, "PGPASSWORD": str(password or "")}
    with pytest.raises(UsageError, match="pg_dump") as refused:
        back_up(server, tmp_path / "server.db.zst", quietly)
    typed = shlex.split(str(refused.value).split("type: ")[1].split(" (")[0])
    subprocess.run(typed, cwd=tmp_path, env=environment, check=True)
    rig_at(server).take(*later_entries())
    assert export(server) != before
    server.engine.dispose()
    with pytest.raises(UsageError, match="pg_restore") as refused:
        restore(tmp_path / "aggregator.dump", server, quietly, replace=True)
    typed = shlex.split(str(refused.value).split("type: ")[1].split(" (")[0])
    typed[typed.index("FILE")] = "aggregator.dump"
    subprocess.run(typed, cwd=tmp_path, env=environment, check=True)
    assert export(server) == before
    assert faults(server) == []
    assert str(password) not in str(refused.value) or password is None


def test_no_backup_of_a_server_is_due(config: Config, server: Database) -> None:
    upgrade(server)
    assert backup_state(config, server, LATER) == BackupState()


@pytest.mark.later
def test_a_backup_is_one_state_and_holds_up_no_writer(
    full: Database, tmp_path: Path
) -> None:
    before, took = export(full), list[PlacementResult]()
    back_up(full, tmp_path / "kept.db.zst", busy(full, took, "pages"))
    assert took
    with opened_at(tmp_path / "new.db") as new:
        restore(tmp_path / "kept.db.zst", new, quietly)
        assert export(new) == before != export(full)


def test_a_backup_is_only_for_who_made_it(
    kept: Path, full: Database, tmp_path: Path
) -> None:
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    back_up(full, tmp_path / "backups" / "one.db.zst", quietly)
    assert stat.S_IMODE((tmp_path / "backups").stat().st_mode) == 0o700
    assert [one.name for one in (tmp_path / "backups").iterdir()] == ["one.db.zst"], (
        "nothing beside it"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_beside_a_service_belongs_to_the_service(
    full: Database, tmp_path: Path
) -> None:
    """Else the daemon of another user could open neither the database nor its lock, nor make a backup."""
    home = tmp_path / "service"
    home.mkdir()
    os.chown(home, 65534, 65533)
    kept = home / "backups" / "first.db.zst"
    back_up(full, kept, quietly)
    with opened_at(home / "new" / "aggregator.db") as lost:
        restore(kept, lost, quietly)
    file = home / "aggregator.db"
    file.write_bytes(b"SQLite format 3\0" + bytes(5000))
    with opened_at(file) as damaged:
        _, moved_to = restore(kept, damaged, quietly, replace=True)
        assert moved_to is not None
        made = {
            path.relative_to(home).as_posix(): path.stat() for path in home.rglob("*")
        }
    assert {
        "backups",
        "new/aggregator.db",
        "aggregator.db-wal",
        "aggregator.db.lock",
    } <= set(made)
    moved = f"{Path(moved_to).name}/aggregator.db"
    del made[moved]  # what was there before keeps its owner
    assert {(status.st_uid, status.st_gid) for status in made.values()} == {
        (65534, 65533)
    }, made


def test_a_restore_replaces_only_when_asked_and_when_nobody_works_there(
    full: Database, kept: Path, database: Database
) -> None:
    rig = Rig(database)
    rig.take(record("Herald", "1", "Dock workers strike", STRIKE))
    before = export(database)
    with pytest.raises(UsageError, match="--replace"):
        restore(kept, database, quietly)
    lock = open_process_lock(database)
    assert lock.acquire()
    with pytest.raises(AnotherDaemonError, match="stop it"):
        restore(kept, database, quietly, replace=True)
    lock.release()
    assert export(database) == before
    restore(kept, database, quietly, replace=True)
    assert_same(full, database)
    assert StoryReader(database).search("levee", 5).hits


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def test_a_backup_does_not_take_the_place_of_a_database(
    full: Database, tmp_path: Path
) -> None:
    before = full.file.read_bytes()
    link = tmp_path / "another.db"
    link.symlink_to(full.file)
    with opened_at(tmp_path / "other.db") as other:
        upgrade(other)
        assert other.file is not None
        for file in (full.file, link, other.file):
            with pytest.raises(UsageError, match=r"ends in \.db\.zst"):
                back_up(full, file, quietly)
    assert full.file.read_bytes() == before


def test_what_another_user_left_beside_it_stays_and_is_no_trouble(
    tmp_path: Path,
) -> None:
    left = tmp_path / ".aggregator-left"
    left.write_text("no folder at all")
    with backup.scratch_in(tmp_path) as scratch:
        assert scratch.is_dir()
    assert left.exists()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (_flipped, "damaged"),
        (lambda content: content[:-9], "cut short"),
        (lambda content: content[:-3], "cut short"),
        (lambda content: content[:-1], "cut short"),
        (lambda content: content[: len(content) // 2], "cut short"),
        (lambda content: b"", "not a backup"),
        (lambda content: b"these are words, not a database\n", "not a backup"),
        (lambda content: b'{"export":"aggregator"}\n', "aggregator import"),
    ],
    ids=[
        "a bit",
        "the end",
        "three bytes",
        "a byte",
        "half",
        "empty",
        "a text",
        "an export",
    ],
)
def test_a_damaged_backup_is_named_before_anything_is_touched(
    kept: Path, tmp_path: Path, broken: Callable[[bytes], bytes], words: str
) -> None:
    kept.write_bytes(broken(kept.read_bytes()))
    target = rich(sqlite_file(tmp_path / "target.db"))
    before = export(target)
    with pytest.raises(ReadError, match=words):
        restore(kept, target, quietly, replace=True)
    assert export(target) == before
    target.close()
    assert not list(tmp_path.glob(".aggregator-*"))


def test_a_backup_with_pages_of_another_size_is_restored_over_others(
    full: Database, kept: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db")) as old:
        old.execute("PRAGMA page_size=4096")
        old.execute("VACUUM")
    with opened_at(tmp_path / "old.db") as target:
        upgrade(target)
        restore(kept, target, quietly, replace=True)
        assert export(target) == export(full)
        assert queried(target, text("PRAGMA journal_mode")).scalar_one() == "wal"


@each_row(
    "backups",
    "a backup of a newer or unreleased program is refused",
    "revision",
    "code",
    "words",
)
def test_a_backup_of_a_newer_or_unreleased_program_is_refused(
    full: Database,
    database: Database,
    tmp_path: Path,
    revision: str,
    code: int,
    words: str,
) -> None:
    executed(full, text("UPDATE alembic_version SET version_num = :n"), {"n": revision})
    back_up(full, tmp_path / "kept.db.zst", quietly)
    before = export(database)
    with pytest.raises(
        DatabaseTooNewError if code == 4 else ConfigError, match=words
    ) as caught:
        restore(tmp_path / "kept.db.zst", database, quietly, replace=True)
    assert caught.value.exit_code == code
    assert export(database) == before


def test_an_older_backup_is_upgraded_on_the_way(full: Database, tmp_path: Path) -> None:
    back_up(full, tmp_path / "old.db.zst", quietly)
    target = sqlite_file(tmp_path / "target.db")
    with later_version():
        restore(tmp_path / "old.db.zst", target, quietly)
        upgrade(full)
        check(target)
        assert export(target) == export(full)
        assert faults(target) == []
    target.close()


def test_a_backup_from_before_an_upgrade_takes_back_the_upgrade(
    full: Database, tmp_path: Path
) -> None:
    """What a newer program left is replaced by the older one's backup."""
    back_up(full, tmp_path / "before.db.zst", quietly)
    before = export(full)
    with later_version():
        upgrade(full)
    with pytest.raises(DatabaseTooNewError):
        check(full)
    restore(tmp_path / "before.db.zst", full, quietly, replace=True)
    check(full)
    assert export(full) == before
    assert faults(full) == []


def test_a_target_that_is_no_database_any_more_is_moved_aside(
    full: Database, kept: Path, tmp_path: Path
) -> None:
    broken = b"\0" * 8192 + b"words " * 1000
    (tmp_path / "broken.db").write_bytes(broken)
    with (
        opened_at(tmp_path / "broken.db") as target,
        pytest.raises(DamagedFileError, match=r"broken\.db"),
    ):
        restore(kept, target, quietly)
    with opened_at(tmp_path / "broken.db") as target:
        _, moved_to = restore(kept, target, quietly, replace=True)
        assert_same(full, target)
    assert moved_to is not None
    assert Path(moved_to, "broken.db").read_bytes() == broken


# --- killed, stopped, out of room --------------------------------------------------------------------------


def killed(work: Callable[[Progress], object], unit: str, after: int) -> int:
    """Do it in a process of its own that kills itself at that step of `unit`; how it ended."""
    left = after

    @contextmanager
    def deadly(reported: str, _total: int | None) -> Iterator[Advance]:
        def advance(_count: int) -> None:
            nonlocal left
            left -= reported == unit
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        yield advance

    return in_a_child(lambda: work(deadly))


@pytest.mark.later
@each_row(
    "backups",
    "a backup that was killed leaves nothing that looks like one",
    "unit",
    "after",
)
def test_a_backup_that_was_killed_leaves_nothing_that_looks_like_one(
    full: Database,
    tmp_path: Path,
    unit: str,
    after: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_copy, "_PAGES_A_STEP", 50)
    full.close()
    folder = tmp_path / "backups"
    file = folder / "one.db.zst"
    url = full.url
    assert (
        killed(lambda deadly: back_up(Database(url), file, deadly), unit, after)
        == -signal.SIGKILL
    )
    assert list(folder.glob("*.db*")) == []
    assert [one.name[:12] for one in folder.iterdir()] == [".aggregator-"]
    back_up(full, file, quietly)
    assert list(folder.iterdir()) == [file], "the next one removes what was left"


@pytest.mark.later
@pytest.mark.parametrize("after", [1, 3])
def test_a_restore_that_was_killed_leaves_the_old_content(
    full: Database,
    kept: Path,
    database: Database,
    after: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_copy, "_PAGES_A_STEP", 50)
    full.close()
    Rig(database).take(record("Herald", "1", "Dock workers strike", STRIKE))
    before, url = export(database), database.url
    database.close()
    ended = killed(
        lambda deadly: restore(kept, Database(url), deadly, replace=True),
        "pages",
        after,
    )
    assert ended == -signal.SIGKILL
    assert export(database) == before
    assert faults(database) == []
    restore(kept, database, quietly, replace=True)
    assert_same(full, database)


def test_a_daemon_that_stops_leaves_no_backup(
    full: Database, config: Config, tmp_path: Path
) -> None:
    asked: list[None] = []

    def stop() -> bool:
        asked.append(None)
        return len(asked) > 1

    back_up_gently(config, full, LATER, stop)
    assert len(asked) == 2
    assert list(backup_folder(config).iterdir()) == []
    back_up_gently(config, full, LATER, lambda: False)
    assert [one.made_at for one in backups(config)] == [LATER.replace(microsecond=0)]


def test_where_the_disk_is_full_nothing_is_left_and_it_is_said(
    full: Database, tmp_path: Path
) -> None:
    """Files may not grow beyond half of what a backup takes."""
    full.close()

    def fill_the_disk() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = (tmp_path / "full.db").stat().st_size // 2
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        with pytest.raises(NotWritableError):
            back_up(Database(full.url), tmp_path / "backups" / "one.db.zst", quietly)

    assert in_a_child(fill_the_disk) == 0
    assert list((tmp_path / "backups").iterdir()) == []


def test_room_is_asked_for_first(
    full: Database, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "SPARE_BYTES", 1 << 60)
    for work in (
        lambda: back_up(full, tmp_path / "backups" / "one.db.zst", quietly),
        lambda: restore(kept, sqlite_file(tmp_path / "new.db"), quietly),
    ):
        with pytest.raises(NotWritableError, match="MiB free") as caught:
            work()
        assert caught.value.exit_code == 5
    assert not list((tmp_path / "backups").iterdir())


# --- kept by the daemon ------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "config.yaml").write_text(
        "database: full.db\nbackup: {every: 1d, keep: 3}\n"
    )
    return load(tmp_path / "config.yaml")


def test_the_oldest_go_but_what_others_made_stays(
    full: Database, config: Config
) -> None:
    folder = backup_folder(config)
    folder.mkdir()
    (folder / "other-20200101T000000Z.db.zst").write_bytes(b"of another database")
    (folder / "full-by-hand.db.zst").write_bytes(b"named by a person")
    before = back_up_as_configured(
        config, full, LATER - timedelta(days=9), quietly, before="0033"
    )
    for day in range(5):
        back_up_as_configured(config, full, LATER + timedelta(days=day), quietly)
    found = backups(config)
    assert [one.made_at.day for one in found if one.before is None] == [
        (LATER + timedelta(days=day)).day for day in (4, 3, 2)
    ]
    assert [one.path for one in found if one.before == "0033"] == [before]
    assert len(list(folder.iterdir())) == 3 + 1 + 2


def test_two_at_once_into_one_folder_leave_the_newer_one(
    full: Database, config: Config
) -> None:
    """One keeps a single backup, so each would remove the other's as soon as it is there."""
    config = config.model_copy(update={"backup": BackupConfig(keep=1)})
    made: list[str] = []

    def make(seconds: int) -> None:
        file = back_up_as_configured(
            config, full, LATER + timedelta(seconds=seconds), quietly
        )
        made.append(describe_backup(file))

    threads = [Thread(target=make, args=(seconds,)) for seconds in (0, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3, "none of them fails"
    assert backups(config)[0].made_at == LATER.replace(microsecond=0) + timedelta(
        seconds=1
    )
    assert not list(backup_folder(config).glob(".aggregator-*"))
    file = backups(config)[0].path
    file.unlink()
    assert describe_backup(file).endswith("which a newer backup has replaced")


def test_no_process_deletes_the_temporary_folder_of_another(tmp_path: Path) -> None:
    """Not even between its creation and its lock."""
    kept: list[bool] = []

    def make() -> None:
        for _ in range(100):
            with backup.scratch_in(tmp_path) as scratch:
                kept.append((scratch / "lock").exists())

    threads = [Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept == [True] * 400
    assert not list(tmp_path.iterdir())


def test_when_the_next_is_due_and_whether_it_is_late(
    full: Database, config: Config
) -> None:
    day = DAY
    first = value(full, func.min(entry.c.accepted_at))
    assert backup_state(config, full, LATER).next == first + day, (
        "the first when a day's work is there"
    )
    assert (
        backup_state(config, full, first + 3 * day).words
        == "a backup is overdue: there is none yet"
    )
    file = back_up_as_configured(config, full, first + day, quietly)
    made = backups(config)[0].made_at
    now = backup_state(config, full, made + day)
    assert (now.last, now.size_bytes, now.words) == (made, file.stat().st_size, None)
    assert backup_state(config, full, made + day).next == made + day
    assert "the last one is from" in (
        backup_state(config, full, made + 2 * day).words or ""
    )
    back_up_as_configured(config, full, made + 900 * day, quietly)
    assert backup_state(config, full, made + day).next == made + day, (
        "one of the future, from a wrong clock, counts for nothing"
    )
    never = config.model_copy(
        update={"backup": BackupConfig.model_validate({"every": "never"})}
    )
    assert backup_state(never, full, LATER).next is None
    assert backup_state(never, full, LATER + 900 * day).words is None


def test_nothing_is_due_of_an_empty_database(
    config: Config, database: Database
) -> None:
    assert backup_state(config, database, LATER).next is None


def test_what_the_system_refuses_is_said(
    full: Database,
    kept: Path,
    config: Config,
    tmp_path: Path,
) -> None:
    """Root may write everywhere: the kernel's own folder takes no files of anybody."""
    target = sqlite_file(tmp_path / "new.db")
    with pytest.raises(UsageError, match="Is a directory"):
        restore(tmp_path, target, quietly)
    with pytest.raises(NotWritableError):
        restore(kept, Database("sqlite:////proc/here/new.db"), quietly)
    there = config.model_copy(update={"backup": BackupConfig(folder="/proc")})
    with pytest.raises(NotWritableError, match="/proc"):
        back_up_as_configured(there, full, LATER, quietly)


def test_an_older_database_is_kept_before_its_upgrade(
    full: Database, config: Config, tmp_path: Path
) -> None:
    said: list[str] = []
    with later_version() as later:
        upgrade(
            full,
            keep=lambda new: said.append(
                keep_before_upgrade(config, full, new, LATER, quietly)[1]
            ),
        )
    (kept,) = backups(config)
    assert (kept.before, str(kept.path) in said[0]) == (later.revisions[-1], True)
    # A backup of the later version would be refused
    with opened_at(tmp_path / "new.db") as new:
        restore(kept.path, new, quietly)


def test_upgrades_that_fail_again_and_again_leave_no_backups(
    full: Database, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Database(full.url)
    full_soon(old, 3)
    with later_version():
        for _ in range(2):
            with pytest.raises(NotWritableError, match="full"):
                bring_up(old, config)
            assert backups(config) == []
            assert (
                "the upgrade failed, and the database is unchanged"
                in capsys.readouterr().err
            )
        old.close()
        bring_up(full, config)
    assert len(backups(config)) == 1


@pytest.mark.later
def test_the_words_of_an_upgrade_are_json_where_the_log_is(
    full: Database, config: Config
) -> None:
    full.close()
    with later_version() as later:
        ended = subprocess.run(
            [
                sys.executable,
                "-m",
                "aggregator",
                "db",
                "upgrade",
                "--log-format",
                "json",
            ],
            cwd=config.file.parent,
            env={**os.environ, "PYTHONPATH": str(later.folder)},
            capture_output=True,
            check=True,
        )
    messages = [json.loads(line)["message"] for line in ended.stderr.splitlines()]
    assert any("backed up the database" in message for message in messages)
    assert f"upgrading the database to revision {later.revisions[-1]}" in messages


def test_an_upgrade_goes_on_where_no_copy_can_be_kept(
    full: Database, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "SPARE_BYTES", 1 << 60)
    said: list[str] = []
    with later_version():
        upgrade(
            full,
            keep=lambda new: said.append(
                keep_before_upgrade(config, full, new, LATER, quietly)[1]
            ),
        )
        check(full)
    assert "no backup before the upgrade" in said[0]
    assert "MiB free" in said[0]
