"""The backups of a database: where they are, when the next is due, how it stands with them; the oldest go."""

import datetime as dt
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aggregator.admin.backup_file import PACKED, Advance, Progress, back_up, bytes_needed, check_free_disk
from aggregator.config.settings import Config, expanded
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import AggregatorError, ConfigError, NotWritableError
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import copy_database
from aggregator.store.maintenance.copy_database import database_name

log = logging.getLogger(__name__)

_KEPT_BEFORE_UPGRADES = 2
_LATE_SHARE = 0.5  # of the interval by which a backup may be late before that is a problem
_REST_SHARE = 1.0  # of the time that a step of the daemon's backup took: half of one core at most
_NAME = re.compile(r"(.+)-(\d{8}T\d{6}Z)(?:-before-(\w+))?\.db\.zst", re.DOTALL)
_TIME = "%Y%m%dT%H%M%SZ"


class Backup(FrozenStruct, frozen=True, kw_only=True):
    """A backup in the folder of backups. `before`: made before an upgrade to that revision."""

    path: Path
    made_at: dt.datetime
    size_bytes: int
    before: str | None = None


class BackupStatus(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """How it stands with the backups that the daemon makes. `problem` says in words why none can be made."""

    every_seconds: int | None  # None: the daemon makes none
    folder: Path
    last: Backup | None
    due_at: dt.datetime | None
    is_late: bool
    problem: str | None


# --- where they are ----------------------------------------------------------------------------------------


def backup_folder(config: Config) -> Path:
    """Where backups are kept: as configured, else beside the database's file or in the service's folder."""
    base = Path(os.environ.get("STATE_DIRECTORY") or config.base)
    if config.backup.folder is not None:
        try:
            return (base / expanded(config.backup.folder)).absolute()
        except ConfigError as error:
            raise ConfigError(f"backup.folder: {error}") from error
    file = Database(config.database_url).file
    return (base if file is None else file.parent).absolute() / "backups"


def backups(config: Config) -> list[Backup]:
    """All of this database in the folder of backups, the newest first."""
    return _found(backup_folder(config), database_name(config.database_url))


def _found(folder: Path, name: str) -> list[Backup]:
    """The newest first; of a folder that is none, or closed to us, nothing: `why_not` says so."""
    try:
        there = list(folder.iterdir())
    except OSError:
        return []
    found = []
    for path in there:
        match = _NAME.fullmatch(path.name)
        if match is None or match[1] != name:
            continue
        try:
            made_at = dt.datetime.strptime(match[2], _TIME).replace(tzinfo=dt.UTC)
            size = path.stat().st_size
        except (ValueError, OSError):  # not a time; gone meanwhile
            continue
        found.append(Backup(path=path, made_at=made_at, size_bytes=size, before=match[3]))
    return sorted(found, key=lambda one: (one.made_at, one.path), reverse=True)


def backup_status(config: Config, database: Database, now: dt.datetime) -> BackupStatus:
    """How it stands with the daemon's backups; asks the database for one row at most."""
    every, folder = config.backup.every, backup_folder(config)
    due = due_at(config, database, now)
    late = due is not None and now > due + dt.timedelta(seconds=_LATE_SHARE * (every or 0))
    return BackupStatus(
        every_seconds=every,
        folder=folder,
        last=_last(config, now),
        due_at=due,
        is_late=late,
        problem=None if every is None else why_not(folder, bytes_needed(database, packed=True)),
    )


def due_at(config: Config, database: Database, now: dt.datetime) -> dt.datetime | None:
    """When the daemon makes the next one; None where it makes none, or nothing is stored yet.

    The first one when the oldest entry has been there for one interval.
    """
    if config.backup.every is None:
        return None
    last = _last(config, now)
    if last is not None:
        since: dt.datetime | None = last.made_at
    else:
        with database.read() as connection:
            since = copy_database.first_accepted_at(connection)
    return None if since is None else since + dt.timedelta(seconds=config.backup.every)


def _last(config: Config, now: dt.datetime) -> Backup | None:
    # One of the future, from before the clock was put right, says nothing about when the next one is due.
    return next((one for one in backups(config) if one.made_at <= now), None)


def why_not(folder: Path, needed: int) -> str | None:
    """Why no backup that takes so many bytes can be made there; None where one can."""
    there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    if not os.path.isdir(there):  # noqa: PTH112 - a Path raises where the name is too long, or a folder closed
        return f"{there} is no folder"
    if not os.access(
        there, os.R_OK | os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids
    ):
        return f"{there} cannot be written by this user"
    try:
        check_free_disk(there, needed)
    except NotWritableError as error:
        return str(error)
    return None


# --- making one --------------------------------------------------------------------------------------------


class _StoppedError(Exception):
    """The daemon ends; nothing of the backup is left."""


def back_up_gently(config: Config, database: Database, now: dt.datetime, stop: Callable[[], bool]) -> None:
    """The daemon's backup: it rests as long as it works, and leaves nothing where `stop()` is true."""

    @contextmanager
    def progress(_unit: str, _total: int | None) -> Iterator[Advance]:
        rested_at = time.monotonic()

        def advance(_count: int) -> None:
            nonlocal rested_at
            if stop():
                raise _StoppedError
            time.sleep(_REST_SHARE * (time.monotonic() - rested_at))
            rested_at = time.monotonic()

        yield advance

    try:
        file = back_up_as_configured(config, database, now, progress)
    except _StoppedError:
        return
    log.info("wrote the backup %s", told(file), extra={"job": "backup"})


def keep_before_upgrade(
    config: Config, database: Database, revision: str, now: dt.datetime, progress: Progress
) -> str:
    """A backup before an upgrade to `revision`, where one can be made; what was done, in words.

    That there is none holds up no upgrade: each is one transaction.
    """
    if not database.is_sqlite:
        return "no copy is kept before an upgrade on a server: `pg_dump` makes one"
    if config.backup.every is None:
        return "no copy is kept before the upgrade: config.yaml says `backup: every: never`"
    try:
        file = back_up_as_configured(config, database, now, progress, before=revision)
    except AggregatorError as error:
        return f"no copy is kept before the upgrade: {error}"
    return f"the database as it was before the upgrade is kept as {file}"


def back_up_as_configured(
    config: Config, database: Database, now: dt.datetime, progress: Progress, *, before: str | None = None
) -> Path:
    """A new backup in the folder of backups; then the oldest go. Raises AggregatorError.

    `before`: the revision to which the database is about to be brought; such backups are kept apart.
    """
    folder, name = backup_folder(config), database_name(config.database_url)
    file = folder / _file_name(config, now, before)
    back_up(database, file, progress)
    kept = config.backup.keep if before is None else _KEPT_BEFORE_UPGRADES
    alike = [one for one in _found(folder, name) if (one.before is None) == (before is None)]
    for old in alike[kept:]:
        if old.path != file:  # the clock may have gone back
            _remove(old.path)
    return file


def _remove(old: Path) -> None:
    try:
        old.unlink(missing_ok=True)
    except OSError as error:
        raise NotWritableError(f"{old} is too old, and cannot be removed: {error.strerror}") from error


def told(file: Path) -> str:
    """A backup that was just made, in words. Another process may have made one, too, and removed this one."""
    try:
        return f"{file}, {file.stat().st_size / 2**20:,.1f} MiB"
    except FileNotFoundError:
        return f"{file}, which has given way to a newer one"


def backup_file(given: Path, config: Config, now: dt.datetime) -> Path:
    """Where a backup goes that was asked for: a file as it is named, or one of our names in a folder."""
    if os.path.isdir(given) or not given.suffix:  # noqa: PTH112 - one below a closed folder is none
        return given / _file_name(config, now)
    return given


def _file_name(config: Config, now: dt.datetime, before: str | None = None) -> str:
    said = "" if before is None else f"-before-{before}"
    return f"{database_name(config.database_url)}-{now.astimezone(dt.UTC):{_TIME}}{said}{PACKED}"
