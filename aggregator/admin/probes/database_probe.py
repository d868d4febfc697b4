"""The checks of `doctor` for the database and its files: place, permissions, version, damage."""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from aggregator.admin import backup, backup_folder, config_check
from aggregator.admin.probes.doctor_context import DoctorContext
from aggregator.config.messages import pluralise
from aggregator.model.errors import (
    AggregatorError,
    DatabaseOutdatedError,
    DatabaseTooNewError,
)
from aggregator.model.health_report import Finding
from aggregator.store import migrate
from aggregator.store.engine.database import shown_url
from aggregator.store.engine.open_file import files_of
from aggregator.store.read.health.health_probes import (
    of_database,
    of_file,
    ok,
    problem,
    warning,
)
from aggregator.text.lines import word_list, word_set

# File systems without working locks or shared memory, on which SQLite's WAL does not work.
_NETWORK = word_set("nfs nfs4 cifs smb3 smbfs 9p afs ceph glusterfs lustre")

_NETWORK_FUSE = word_list("fuse.sshfs fuse.glusterfs fuse.s3fs fuse.rclone fuse.davfs")

_MOUNTS = Path("/proc/self/mountinfo")


def disk_findings(context: DoctorContext) -> Iterator[Finding]:
    """Check permissions, free space, file system and WAL of the SQLite file."""
    file = context.file
    if file is None:
        return
    folder = file.parent
    existing = next(path for path in (folder, *folder.parents) if path.is_dir())
    if os.statvfs(existing).f_flag & os.ST_RDONLY:
        mount = next(path for path in (existing, *existing.parents) if path.is_mount())
        yield problem(
            f"the file system of {existing} is read-only; Linux remounts it so when a disk fails",
            f"dmesg | tail; then: mount -o remount,rw {mount}",
        )
        return
    user = os.environ.get("USER") or str(os.geteuid())
    if not _may(existing, os.W_OK | os.X_OK):
        yield problem(
            f"this user may not write to {file.parent}",
            f"chown {user} {existing}, or set `database:` in {context.config_name}",
        )
    for path in files_of(file):
        if path.exists() and not _may(path, os.R_OK | os.W_OK):
            yield problem(
                f"this user may not write to {path}",
                f"chown {user} {path}; chmod u+rw {path}",
            )
    log = Path(f"{file}-wal")
    yield from of_file(
        context.config.effective_tuning,
        existing / file.name,
        free_disk_bytes=shutil.disk_usage(existing).free,
        log_bytes=log.stat().st_size if log.exists() else None,
    )
    kind = file_system(existing, _MOUNTS.read_text(encoding="utf-8", errors="replace"))
    if kind in _NETWORK or kind.startswith(_NETWORK_FUSE):
        yield problem(
            f"{folder} is on a network file system ({kind}), on which SQLite's locks do not work",
            f"set `database:` in {context.config_name} to a file on a local disk, or to a Postgres database",
        )


def file_system(folder: Path, mounts: str) -> str:
    """Return the type of the file system of `folder`. `mounts` is the text of /proc/self/mountinfo."""
    path = folder.resolve()
    longest = (0, "")
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        # A later mount hides an earlier one
        if path.is_relative_to(point) and len(point) >= longest[0]:
            longest = (len(point), after.split()[0])
    return longest[1]


def mode_findings(context: DoctorContext) -> Iterator[Finding]:
    """Check whether other users may read the database or its backups."""
    files = [path.path for path in backup_folder.backups(context.config)]
    if context.file is not None:
        files = [*files_of(context.file)[:-1], *files]  # the lock is empty
    wide = [str(path) for path in files if config_check.is_for_others(path)]
    if not wide:
        return
    words = "is readable by other users and contains full texts"
    if len(wide) > 1:
        words = f"and {pluralise(len(wide) - 1, 'more file')} are readable by other users and contain full texts"
    yield warning(f"{wide[0]} {words}", f"chmod 600 {' '.join(wide)}")


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


# The search for damage may take this share of the time limit of a check.
_CHECKED_SHARE = 0.5

# Some errors end with this advice, which `doctor` itself leaves out.
_RUN_DOCTOR = "; run `aggregator doctor`"

# Parts of messages of servers, drivers and this program, with the advice for each
_ADVICE = (
    (
        "password authentication failed",
        "put the password into ~/.pgpass (chmod 600), or into PGPASSWORD",
    ),
    (
        "no password supplied",
        "put the password into ~/.pgpass (chmod 600), or into PGPASSWORD",
    ),
    (
        "does not exist",
        "as its owner: createuser USER; createdb --owner USER --encoding UTF8 NAME",
    ),
    ("the role ", "type it in psql as a superuser, then: aggregator doctor"),
    ("createdb --encoding", "set `database:` to the new one, then: aggregator doctor"),
    ("pip install", "pip install 'psycopg[binary]'"),
    ("no tables yet", "aggregator db upgrade"),
    (
        "of an unreleased aggregator",
        "with that program: aggregator export --output all.jsonl.zst; see docs/install.md",
    ),
)


def database_findings(context: DoctorContext) -> Iterator[Finding]:
    """Check whether the database can be used. After a problem here, no other check reads the database."""
    try:
        database = context.database
        damage = _damage(context)
        if damage:
            yield damage  # other errors follow from the damage
        elif not context.has_database:
            if not database.is_sqlite:
                with database.read() as connection:
                    migrate.refuse_unfit_server(database, connection)
            shown = shown_url(context.config.database_url)
            file = context.file
            if file is not None and not file.parent.is_dir():
                yield problem(
                    f"the folder of the database {shown} does not exist",
                    f"mkdir -p {file.parent}",
                )
            elif (
                file is not None and not file.exists() and Path(f"{file}.lock").exists()
            ):
                yield problem(
                    f"the database {shown} is missing, and it was there before",
                    f"put it back, or: aggregator db restore {context.newest_backup}; to start with "
                    "an empty one: aggregator db upgrade",
                )
            else:
                yield ok(f"database: {shown} will be created at the first use")
        else:
            migrate.check(database)
            with database.read() as connection:
                why = database.why_not_writable(connection)
            # `disk_findings` reports a full disk and a file of another user.
            if why is not None and not database.is_sqlite:
                yield from of_database(why_not_writable=why)
    except AggregatorError as error:
        yield _error_finding(context, error)


def _error_finding(context: DoctorContext, error: AggregatorError) -> Finding:
    message = str(error)
    if isinstance(error, DatabaseTooNewError):
        return problem(
            message,
            "install that version of aggregator again, or: "
            f"aggregator db restore {context.newest_backup} --replace",
        )
    if isinstance(error, DatabaseOutdatedError):
        return problem(message, "aggregator db upgrade")
    message = message.removesuffix(_RUN_DOCTOR)
    for part, advice in _ADVICE:
        if part in message:
            return problem(message, advice)
    if context.config.database_url.startswith("sqlite"):
        return problem(message, "aggregator db check")
    return problem(
        message,
        f"systemctl status postgresql; pg_isready; see `database:` in {context.config_name}",
    )


def _damage(context: DoctorContext) -> Finding | None:
    """Return a problem if the part of an SQLite file that can be read within the time limit is damaged."""
    file = context.file
    if file is None or not file.exists():
        return None
    deadline = time.monotonic() + context.check_seconds * _CHECKED_SHARE

    def stop_late(_count: int) -> None:
        if time.monotonic() > deadline:
            raise TimeoutError

    try:
        result = backup.damage_in(file, stop_late)
    except (TimeoutError, sqlite3.Error):
        # `db check` reads the whole file. Other errors are reported more clearly when the database is opened.
        return None
    if result is None:
        return None
    advice = f"stop the daemon; aggregator db restore {context.newest_backup} --replace"
    if context.newest_backup == "BACKUP":
        new = file.with_name("new.db")
        advice += (
            f"; or without one: sqlite3 {file} .recover | sqlite3 {new}; "
            f"aggregator db check --repair --database sqlite:///{new}"
        )
    return problem(f"the database {file} is damaged: {result}", advice)
