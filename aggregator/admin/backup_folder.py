"""The folder of backups: lists them, says when the next one is due, makes it, and deletes the oldest."""

import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aggregator.admin.backup import PACKED, Progress, back_up
from aggregator.config.settings import Config
from aggregator.config.values import at_key, expand_path
from aggregator.model.clock import in_utc
from aggregator.model.errors import (
    AggregatorError,
    NotWritableError,
)
from aggregator.model.health_report import BackupState
from aggregator.model.structs import FrozenStruct
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import row_stream
from aggregator.store.maintenance.row_stream import Advance, database_name

log = logging.getLogger(__name__)

_KEPT_BEFORE_UPGRADES = 2

# A backup is reported as overdue if it is late by more than this share of its interval.
_LATE_SHARE = 0.5

# The daemon's backup pauses after each step for as long as the step took, times this, so it takes half of one core.
_PAUSE_SHARE = 1.0

_NAME = re.compile(r"(.+)-(\d{8}T\d{6}Z)(?:-before-(\w+))?\.db\.zst", re.DOTALL)

TIME = "%Y%m%dT%H%M%SZ"


class Backup(FrozenStruct):
    """A backup in the folder of backups. `before` is the revision of the upgrade before which it was made."""

    path: Path
    made_at: datetime
    size_bytes: int
    before: str | None = None


def backup_folder(config: Config) -> Path:
    """Return the folder of backups: as configured, else next to the SQLite file or in the state directory."""
    base = Path(os.environ.get("STATE_DIRECTORY") or config.base)
    if config.backup.folder is not None:
        with at_key("backup.folder"):
            return (base / expand_path(config.backup.folder)).absolute()
    file = Database(config.database_url).file
    return (base if file is None else file.parent).absolute() / "backups"


def backups(config: Config) -> list[Backup]:
    """Return the backups of this database, the newest first; [] if the folder cannot be read."""
    try:
        paths = list(backup_folder(config).iterdir())
    except OSError:
        return []
    name = database_name(config.database_url)
    kept = []
    for path in paths:
        match = _NAME.fullmatch(path.name)
        if match is None or match[1] != name:
            continue
        try:
            made_at = datetime.strptime(match[2], TIME).replace(tzinfo=UTC)
            size = path.stat().st_size
        except (ValueError, OSError):  # not a time, or deleted meanwhile
            continue
        kept.append(
            Backup(path=path, made_at=made_at, size_bytes=size, before=match[3])
        )
    return sorted(kept, key=lambda backup: (backup.made_at, backup.path), reverse=True)


def backup_state(config: Config, database: Database, now: datetime) -> BackupState:
    """Return the state of the daemon's backups, for which at most one row of the database is read.

    No backup is due if the daemon makes none, or if nothing is stored yet.
    """
    if not database.is_sqlite:
        return BackupState()
    # A backup with a future time was made while the clock was wrong; it must not delay the next one.
    last = next((backup for backup in backups(config) if backup.made_at <= now), None)
    every = config.backup.every
    due, words = None, None
    if every is not None:
        if last is None:
            # The first backup is due one interval after the oldest entry was accepted.
            with database.read() as connection:
                since = row_stream.first_accepted_at(connection)
            why = "there is none yet"
        else:
            since = last.made_at
            why = f"the last one is from {since:%Y-%m-%d}"
        if since is not None:
            due = since + timedelta(seconds=every)
            if now > due + timedelta(seconds=_LATE_SHARE * every):
                words = f"a backup is overdue: {why}"
    return BackupState(
        every_seconds=every,
        last=last.made_at if last else None,
        next=due,
        size_bytes=last.size_bytes if last else None,
        words=words,
    )


class _StoppedError(Exception):
    """The daemon stops, so the unfinished backup is deleted."""


def back_up_gently(
    config: Config, database: Database, now: datetime, stop: Callable[[], bool]
) -> None:
    """Make the daemon's backup, with a pause after each step. Delete the unfinished backup if `stop()` is true."""

    @contextmanager
    def progress(_unit: str, _total: int | None) -> Iterator[Advance]:
        started = time.monotonic()

        def advance(_count: int) -> None:
            nonlocal started
            if stop():
                raise _StoppedError
            time.sleep(_PAUSE_SHARE * (time.monotonic() - started))
            started = time.monotonic()

        yield advance

    try:
        file = back_up_as_configured(config, database, now, progress)
    except _StoppedError:
        return
    log.info(
        "wrote the backup %s",
        describe_backup(file),
        extra={"event": "backup_written", "job": "backup"},
    )


def keep_before_upgrade(
    config: Config,
    database: Database,
    revision: str,
    now: datetime,
    progress: Progress,
) -> tuple[Path | None, str]:
    """Back up a SQLite database before an upgrade to `revision`, if possible; return the file and a message.

    The upgrade continues without a backup, because all of it is one transaction.
    """
    if not database.is_sqlite:
        return None, "no backup before the upgrade: use `pg_dump` for PostgreSQL"
    if config.backup.every is None:
        return (
            None,
            "no backup before the upgrade: config.yaml has `backup: every: never`",
        )
    try:
        file = back_up_as_configured(config, database, now, progress, before=revision)
    except AggregatorError as error:
        return None, f"no backup before the upgrade: {error}"
    return file, f"backed up the database before the upgrade to {file}"


def back_up_as_configured(
    config: Config,
    database: Database,
    now: datetime,
    progress: Progress,
    *,
    before: str | None = None,
) -> Path:
    """Make a backup in the folder of backups, delete the oldest, and return the new file. Raises AggregatorError.

    `before` is the revision of the upgrade that follows. Backups before upgrades are counted separately.
    """
    file = backup_folder(config) / backup_name(config, now, before)
    back_up(database, file, progress)
    keep = config.backup.keep if before is None else _KEPT_BEFORE_UPGRADES
    same_kind = [
        backup
        for backup in backups(config)
        if (backup.before is None) == (before is None)
    ]
    for old in same_kind[keep:]:
        # If the clock was set back, the new backup may be the oldest by its name.
        if old.path != file:
            try:
                old.path.unlink(missing_ok=True)
            except OSError as error:
                raise NotWritableError(
                    f"the old backup {old.path} cannot be deleted: {error.strerror}"
                ) from error
    return file


def describe_backup(file: Path) -> str:
    """Return the path and the size of a new backup, which a later backup of another process may have deleted."""
    try:
        return f"{file}, {file.stat().st_size / 2**20:,.1f} MiB"
    except FileNotFoundError:
        return f"{file}, which a newer backup has replaced"


def backup_name(config: Config, now: datetime, before: str | None = None) -> str:
    """Return the file name of a backup. For `before`, see `back_up_as_configured`."""
    suffix = "" if before is None else f"-before-{before}"
    return f"{database_name(config.database_url)}-{in_utc(now):{TIME}}{suffix}{PACKED}"
