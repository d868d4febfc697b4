"""`aggregator doctor`: find problems and name the command that helps.

The checks run in this order: configuration, files, database, stored contents, daemon. Each check has
a time limit, changes nothing, and works whether or not a daemon runs. What the daemon reports, too, is in
store/read/health_probes.py.
"""

import http.client
import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

from aggregator.admin import backup, config_check
from aggregator.admin.systemd_unit import NAME as _UNIT
from aggregator.admin.systemd_unit import unit_folder
from aggregator.config.hosts import is_loopback
from aggregator.config.messages import NO_SOURCES, counted, redact
from aggregator.config.settings import Config
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.model.core import utc_now
from aggregator.model.errors import (
    AggregatorError,
    DatabaseOutdatedError,
    DatabaseTooNewError,
)
from aggregator.model.health_report import Finding
from aggregator.model.read_model import SourceView
from aggregator.store import migrate
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.engines import files_of
from aggregator.store.engine.writer_lease import open_process_lock
from aggregator.store.intake import rejected
from aggregator.store.read import health_probes
from aggregator.store.read.health_probes import (
    of_database,
    of_file,
    ok,
    problem,
    waiting_words,
    warning,
)
from aggregator.store.read.statistics import listed
from aggregator.store.stories import api_tokens


class DoctorContext:
    """A configuration with its database, which is opened at the first use."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.check_seconds: float = config.effective_tuning.values("database")[
            "read_seconds"
        ]
        self.now = utc_now()
        self.config_name = str(config.file or "config.yaml")

    @cached_property
    def database(self) -> Database:
        """The configured database. Raises AggregatorError if its driver is not installed."""
        return Database(self.config.database_url)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None for other databases."""
        return (
            self.database.file
            if self.config.database_url.startswith("sqlite")
            else None
        )

    @cached_property
    def has_database(self) -> bool:
        """Whether the database has tables; they are made at the first use."""
        if self.file is not None and not self.file.exists():
            return False
        return migrate.revision_of(self.database) is not None

    @property
    def newest_backup(self) -> str:
        """The path of the newest backup, else the word BACKUP."""
        return next((str(one.path) for one in backup.backups(self.config)), "BACKUP")


def examine(config: Config) -> Iterator[Finding]:
    """Run all checks and yield their findings, the fundamental ones first."""
    context = DoctorContext(config)
    try:
        yield from config_check.inspect(config)
        yield from _within(context, _place, "the disk of the database")
        findings = list(_within(context, _database, "the database"))
        yield from findings
        if any(one.level == "problem" for one in findings):
            # The contents and the daemon cannot be checked without a usable database
            return
        yield from _within(context, _modes, "the folder of backups")
        yield from _within(context, _contents, "the database")
        yield from _within(context, _daemon, "the daemon")
    except AggregatorError as error:
        yield problem(str(error), "if the message does not help: aggregator db check")
    finally:
        if "database" in context.__dict__:
            context.database.close()


def _within(
    context: DoctorContext,
    check: Callable[[DoctorContext], Iterable[Finding]],
    what: str,
) -> Iterator[Finding]:
    """Yield the findings of `check`; after the time of a check, a problem that names `what`.

    An OSError of `check` becomes a finding; every other exception is raised again.
    """
    findings: list[Finding] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            findings.extend(check(context))
        except BaseException as error:  # noqa: BLE001 - raised below
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(context.check_seconds)
    yield from list(findings)
    if thread.is_alive():
        yield problem(
            f"{what} did not answer within {context.check_seconds:g} s",
            "check its disk, network mount or server, then: aggregator doctor",
        )
    elif raised and isinstance(raised[0], OSError):
        yield problem(
            f"{what} cannot be read: {raised[0]}",
            "run as the user of the service: aggregator doctor",
        )
    elif raised:
        raise raised[0]


# --- files -------------------------------------------------------------------------------------------------

# File systems without working locks or shared memory, on which SQLite's WAL does not work.
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"}
)
_NETWORK_FUSE = (
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.rclone",
    "fuse.davfs",
)
_MOUNTS = Path("/proc/self/mountinfo")


def _place(context: DoctorContext) -> Iterator[Finding]:
    """Check permissions, free space, file system and WAL of the SQLite file."""
    file = context.file
    if file is None:
        return
    folder = file.parent
    existing = next(one for one in (folder, *folder.parents) if one.is_dir())
    if os.statvfs(existing).f_flag & os.ST_RDONLY:
        mount = next(one for one in (existing, *existing.parents) if one.is_mount())
        yield problem(
            f"the file system of {existing} is read-only; Linux remounts it so when a disk fails",
            f"dmesg | tail; then: mount -o remount,rw {mount}",
        )
        return
    user = os.environ.get("USER") or str(os.geteuid())
    if not _may(existing, os.W_OK | os.X_OK):
        yield problem(
            f"this user may not write to {folder}",
            f"chown {user} {existing}, or set `database:` in {context.config_name}",
        )
    log = Path(f"{file}-wal")
    for one in files_of(file):
        if one.exists() and not _may(one, os.R_OK | os.W_OK):
            yield problem(
                f"this user may not write to {one}",
                f"chown {user} {one}; chmod u+rw {one}",
            )
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
    """Return the file system type of `folder`; `mounts` is the text of /proc/self/mountinfo."""
    path, found = folder.resolve(), (0, "")
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        # A later mount hides an earlier one
        if path.is_relative_to(point) and len(point) >= found[0]:
            found = (len(point), after.split()[0])
    return found[1]


def _modes(context: DoctorContext) -> Iterator[Finding]:
    """Check whether other users may read the database or its backups."""
    file = context.file
    files = [] if file is None else [*files_of(file)[:-1]]  # the lock is empty
    files += [one.path for one in backup.backups(context.config)]
    wide = [str(one) for one in files if config_check.is_for_others(one)]
    if wide:
        more = (
            f" and {counted(len(wide) - 1, 'more file')} are"
            if len(wide) > 1
            else " is"
        )
        contain = "contain" if len(wide) > 1 else "contains"
        yield warning(
            f"{wide[0]}{more} readable by other users and {contain} full texts",
            f"chmod 600 {' '.join(wide)}",
        )


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


# --- the database ------------------------------------------------------------------------------------------

# Of the time of a check; reading the whole file may take that long
_CHECKED_SHARE = 0.5
_RUN_DOCTOR = "; run `aggregator doctor`"  # the end of errors that other commands print

# Parts of the messages of servers, drivers and this program, with advice.
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


def _database(context: DoctorContext) -> Iterator[Finding]:
    """Check whether the database can be used; after a problem here no further check reads it."""
    shown = shown_url(context.config.database_url)
    try:
        database = context.database
        damage = _damage(context)
        if damage:
            yield damage  # other errors follow from the damage
            return
        if not context.has_database:
            if not database.is_sqlite:
                with database.read() as connection:
                    migrate.refuse_unfit_server(database, connection)
            yield _first_use(context, shown)
            return
        migrate.check(database)
        with database.read() as connection:
            why = database.why_not_writable(connection)
    except DatabaseTooNewError as error:
        back = f"aggregator db restore {context.newest_backup} --replace"
        yield problem(
            str(error), f"install that version of aggregator again, or: {back}"
        )
    except DatabaseOutdatedError as error:
        yield problem(str(error), "aggregator db upgrade")
    except AggregatorError as error:
        message = str(error).removesuffix(_RUN_DOCTOR)
        otherwise = (
            "aggregator db check"
            if context.config.database_url.startswith("sqlite")
            else f"systemctl status postgresql; pg_isready; see `database:` in {context.config_name}"
        )
        advice = next(
            (advice for part, advice in _ADVICE if part in message), otherwise
        )
        yield problem(message, advice)
    else:
        # `_place` reports a full disk and a file of another user.
        if why is not None and not database.is_sqlite:
            yield from of_database(why_not_writable=why)


def _first_use(context: DoctorContext, shown: str) -> Finding:
    folder = None if context.file is None else context.file.parent
    if folder is not None and not folder.is_dir():
        return problem(
            f"the folder of the database {shown} does not exist", f"mkdir -p {folder}"
        )
    if (
        context.file is not None
        and not context.file.exists()
        and Path(f"{context.file}.lock").exists()
    ):
        return problem(
            f"the database {shown} is missing, and it was there before",
            f"put it back, or: aggregator db restore {context.newest_backup}; to start with "
            "an empty one: aggregator db upgrade",
        )
    return ok(f"database: {shown} will be created at the first use")


def _damage(context: DoctorContext) -> Finding | None:
    """Report damage of an SQLite file, as far as it can be read within the time limit."""
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
        # `db check` reads all of it; opening the database reports other errors more clearly
        return None
    if result is None:
        return None
    advice = f"stop the daemon; aggregator db restore {context.newest_backup} --replace"
    if context.newest_backup == "BACKUP":
        new = file.with_name("new.db")
        check = f"aggregator db check --repair --database sqlite:///{new}"
        advice += f"; or without one: sqlite3 {file} .recover | sqlite3 {new}; {check}"
    return problem(f"the database {file} is damaged: {result}", advice)


# --- its contents ------------------------------------------------------------------------------------------

_REJECTED_SHOWN = 5
_SOURCES_SHOWN = 20


def _contents(context: DoctorContext) -> Iterator[Finding]:
    """Run all checks in one read transaction; of a database to come those that need none."""
    if not context.has_database:
        yield from _open_to_others(context, ())
        return
    all_tuning = context.config.effective_tuning
    with context.database.read() as connection:
        stored = health_probes.stored(connection, context.now, all_tuning)
        failing = [one for one in listed(connection, context.now) if one.is_in_trouble]
        yield ok(
            f"database: {shown_url(context.database.url)}, {waiting_words(stored)}"
        )
        yield from _open_to_others(context, api_tokens.all_tokens(connection))
        yield from of_database(stored=stored)
        if not stored.sources:
            yield ok(NO_SOURCES)
        yield from _sources(failing)
        for one in rejected.latest(connection, _REJECTED_SHOWN):
            yield warning(
                f"{one.item}: {one.reason}",
                "correct it and ingest it again; the warning then disappears",
            )
    state = backup.backup_state(context.config, context.database, context.now)
    yield from of_database(backup=state)


def _open_to_others(
    context: DoctorContext, tokens: Iterable[api_tokens.ApiToken]
) -> Iterator[Finding]:
    host = context.config.server.host
    if is_loopback(host) or any(
        one.may("read") and one.revoked_at is None for one in tokens
    ):
        return
    yield problem(
        f"server.host {host} is reachable from other machines, and no token has the scope read: the daemon "
        "does not start",
        "aggregator token create NAME --scope read, or set server.host: 127.0.0.1",
    )


def _sources(failing: Sequence[SourceView]) -> Iterator[Finding]:
    """Yield the sources with a problem."""
    for one in failing[:_SOURCES_SHOWN]:
        yield warning(f"source {one.name}: {one.problem or one.state}", _advice(one))
    if len(failing) > _SOURCES_SHOWN:
        more = counted(
            len(failing) - _SOURCES_SHOWN, "more source has", "more sources have"
        )
        yield warning(f"{more} a problem", "aggregator sources list --failing")


def _advice(one: SourceView) -> str:
    if source_kind(one.kind).is_local:
        return f"ls -ld {one.url}"
    if one.state == "gone":
        return f"aggregator sources remove {one.id}, or if it is back: aggregator sources resume {one.id}"
    if one.state == "flood":
        return "nothing: the entries are stored, and not announced"
    return _check_of(one)


def _check_of(one: SourceView) -> str:
    """Return the command that checks the source, without a secret from its address."""
    has_secret = redact(one.polled_url) != one.polled_url
    return (
        f"aggregator sources show {one.id}"
        if has_secret
        else f"aggregator sources check {one.polled_url}"
    )


# --- the daemon --------------------------------------------------------------------------------------------

_REQUEST_SHARE = 0.3  # of the time of a check; the daemon has to answer within it
_MOST_BYTES = 1 << 20  # of a response body
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - requested on this machine


def _daemon(context: DoctorContext) -> Iterator[Finding]:
    """Check which process writes to the database, which one listens on the port, and what that reports."""
    port = context.config.server.port
    runs = _is_running(context.database)
    if runs:
        yield ok("daemon: running on this database")
    else:
        yield from _installed()
    answer = _request(context, "/readyz") if port else None
    if answer is None:
        return
    who = f"ss -ltnp 'sport = :{port}' shows the program"
    if "role" not in answer and runs:
        yield problem(
            f"port {port} does not answer like a daemon: it hangs, or another program uses the port",
            f"{who}; journalctl -u aggregator -n 100",
        )
    elif "role" not in answer:
        yield problem(
            f"port {port} is in use by another program",
            f"{who}; stop it, or set server.port in {context.config_name}",
        )
    elif runs:
        yield from _reported(
            _request(context, "/status") or {}, int(answer.get("problem_count") or 0)
        )


def _reported(status: dict[str, Any], problem_count: int) -> Iterator[Finding]:
    """Yield what the daemon reports of itself; `status` is {} where that is for tokens only."""
    for one in status.get("process_findings") or ():
        level = warning if one["level"] == "warning" else problem
        yield level(f"the daemon reports: {one['what']}", one["advice"])
    if "process_findings" not in status and problem_count:
        yield warning(
            f"the daemon reports {counted(problem_count, 'problem')}",
            "open /status with a token to see them, or: journalctl -u aggregator -n 100",
        )


def _is_running(database: Database) -> bool:
    """Return whether another process is the writer; False if the lock file cannot be opened."""
    if database.file is not None and not Path(f"{database.file}.lock").exists():
        # Opening the lock would create the file, maybe with the wrong owner
        return False
    lock = open_process_lock(database)
    try:
        taken = not lock.acquire()
    except AggregatorError:
        return False
    lock.release()
    return taken


def _installed() -> Iterator[Finding]:
    units = {
        how: unit_folder(user=" " in how) / _UNIT
        for how in ("systemctl", "systemctl --user")
    }
    installed = {how: unit for how, unit in units.items() if unit.is_file()}
    if not installed:
        yield ok(
            "daemon: not running on this database",
            "aggregator run, or: aggregator install-service",
        )
    for how, unit in installed.items():
        yield problem(
            f"the service {unit} is installed, and no daemon runs on this database",
            f"{how} status aggregator shows why it stopped; {how} enable --now aggregator starts it",
        )


def _request(context: DoctorContext, path: str) -> dict[str, Any] | None:
    """Return the daemon's JSON object at `path`, {} for any other answer, None if it is refused."""
    server, seconds = context.config.server, context.check_seconds * _REQUEST_SHARE
    host = _ANY.get(server.host, server.host)
    try:
        with closing(
            http.client.HTTPConnection(host, server.port, timeout=seconds)
        ) as connection:
            connection.request("GET", path, headers={"Accept": "application/json"})
            value = json.loads(connection.getresponse().read(_MOST_BYTES))
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
