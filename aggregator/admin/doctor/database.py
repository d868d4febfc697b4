"""Checks of the database: whether it exists, is undamaged, and has the schema of this version."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

from aggregator.admin.backup import backups
from aggregator.admin.doctor.context import DoctorContext
from aggregator.model.errors import AggregatorError, DatabaseOutdatedError, DatabaseTooNewError
from aggregator.model.health_report import Finding
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.migrate import check
from aggregator.store.read import health_probes
from aggregator.store.read.health_probes import of_database, ok, problem

_STEPS = 10_000  # instructions of SQLite's virtual machine between two readings of the clock
_CHECKED_SHARE = 0.5  # of the time of a check; reading the whole file may take that long

_RUN_DOCTOR = "; run `aggregator doctor`"  # the end of errors that other commands print

# Parts of the messages of servers, drivers and this program, with advice.
_ADVICE = (
    ("password authentication failed", "put the password into ~/.pgpass (chmod 600), or into PGPASSWORD"),
    ("no password supplied", "put the password into ~/.pgpass (chmod 600), or into PGPASSWORD"),
    (
        "no pg_hba.conf entry",
        "allow this machine: add a line to the server's pg_hba.conf, then: pg_ctl reload",
    ),
    ("does not exist", "as its owner: createuser USER; createdb --owner USER --encoding UTF8 NAME"),
    ("pip install", "pip install 'psycopg[binary]'"),
    ("could not translate host name", "getent hosts HOST shows whether its name resolves; see `database:`"),
    ("failed to resolve host", "getent hosts HOST shows whether its name resolves; see `database:`"),
    ("permission denied", "as its owner: GRANT ALL ON SCHEMA public TO USER"),
    ("no tables yet", "aggregator db upgrade"),
    ("nothing says by which version", "aggregator db restore BACKUP --replace"),
)


def inspect(context: DoctorContext) -> Iterator[Finding]:
    """Check whether the database can be used; after a problem here no further check reads it."""
    shown = shown_url(context.config.database_url)
    try:
        database = context.database
        if not context.has_database:
            yield _first_use(context, shown)
            return
        damage = [] if database.file is None else list(_damage(context))
        if damage:
            yield from damage  # other errors follow from the damage
            return
        if not database.is_sqlite:
            yield from _server(database)
        check(database)
        with database.read() as connection:
            why = database.why_not_writable(connection)
    except DatabaseTooNewError as error:
        back = f"aggregator db restore {_newest_backup(context)} --replace"
        yield problem(str(error), f"install that version of aggregator again, or: {back}")
    except DatabaseOutdatedError as error:
        yield problem(str(error), "aggregator db upgrade")
    except AggregatorError as error:
        message = str(error).removesuffix(_RUN_DOCTOR)
        advice = next((advice for part, advice in _ADVICE if part in message), _otherwise(context))
        if "BACKUP" in advice:
            advice = advice.replace("BACKUP", _newest_backup(context))
        yield problem(message, advice)
    else:
        # `files.place` reports a full disk and a file of another user.
        if why is not None and not database.is_sqlite:
            yield from of_database(context.tuning, why_not_writable=why)


def _first_use(context: DoctorContext, shown: str) -> Finding:
    folder = None if context.file is None else context.file.parent
    if folder is not None and not folder.is_dir():
        return problem(f"the folder of the database {shown} does not exist", f"mkdir -p {folder}")
    if context.file is not None and context.file.with_name(context.file.name + ".lock").exists():
        return problem(
            f"the database {shown} is missing, and it was there before",
            f"put it back, or: aggregator db restore {_newest_backup(context)}; to start with "
            "an empty one: aggregator db upgrade",
        )
    return ok(f"database: {shown} will be created at the first use")


def _newest_backup(context: DoctorContext) -> str:
    return next((str(one.path) for one in backups(context.config)), "BACKUP")


def _otherwise(context: DoctorContext) -> str:
    if context.config.database_url.startswith("sqlite"):
        return "aggregator db check"
    return f"systemctl status postgresql; pg_isready; see `database:` in {context.file_name}"


def _damage(context: DoctorContext) -> Iterator[Finding]:
    """Report damage of the SQLite file, as far as it can be read within the time limit."""
    file = context.database.file
    assert file is not None
    deadline = time.monotonic() + context.tuning.doctor_seconds * _CHECKED_SHARE
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        if error.sqlite_errorname == "SQLITE_INTERRUPT":
            return  # `db check` reads all of it
        if error.sqlite_errorname not in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
            return  # opening the database reports it with a clearer message
        result = str(error)
    if result != "ok":
        away = f"mkdir damaged; mv {file}* damaged/"
        backup = _newest_backup(context)
        export = "salvaged.jsonl.zst"
        if backup != "BACKUP":
            advice = f"stop the daemon; {away}; aggregator db restore {backup}"
        else:
            salvage = f"aggregator export --salvage --output {export}; {away}; aggregator import {export}"
            advice = f"stop the daemon; `aggregator db restore` a backup, or without one: {salvage}"
        yield problem(f"the database {file} is damaged: {result}", advice)


def _server(database: Database) -> Iterator[Finding]:
    with database.read() as connection:
        encoding = health_probes.server_encoding(connection)
    if encoding != "UTF8":
        yield problem(
            f"the database {shown_url(database.url)} is encoded as {encoding}, which cannot store all texts",
            "createdb --encoding UTF8 --template template0 NAME, then: aggregator db copy OLD NEW",
        )
