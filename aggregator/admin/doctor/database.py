"""Checks of the database: whether it exists, is undamaged, and has the schema of this version; its contents.

Contents: sources, webhooks, tokens, backlog, size, backups.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

from aggregator.admin.backup import backups
from aggregator.admin.doctor import files
from aggregator.admin.doctor.context import DoctorContext
from aggregator.config.hosts import is_loopback
from aggregator.config.messages import counted, redact
from aggregator.model.errors import AggregatorError, DatabaseOutdatedError, DatabaseTooNewError
from aggregator.model.health_report import DatabaseStatus, Finding
from aggregator.model.read_model import SourceView
from aggregator.pipeline.kinds.source_kind import source_kind
from aggregator.store.engine.database import Connection, Database, shown_url
from aggregator.store.intake import rejected
from aggregator.store.migrate import check
from aggregator.store.read import health_probes
from aggregator.store.read.health_probes import of_database, ok, problem, waiting_words, warning
from aggregator.store.read.statistics import listed
from aggregator.store.stories import api_tokens

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
    (
        "of an unreleased aggregator",
        "with the program that wrote it: aggregator export --output all.jsonl.zst",
    ),
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
        if backup != "BACKUP":
            advice = f"stop the daemon; {away}; aggregator db restore {backup}"
        else:
            recovered = f"sqlite3 damaged/{file.name} .recover | sqlite3 {file}; aggregator db check --repair"
            advice = f"stop the daemon; {away}; `aggregator db restore` a backup, or without one: {recovered}"
        yield problem(f"the database {file} is damaged: {result}", advice)


def _server(database: Database) -> Iterator[Finding]:
    with database.read() as connection:
        encoding = health_probes.server_encoding(connection)
    if encoding != "UTF8":
        yield problem(
            f"the database {shown_url(database.url)} is encoded as {encoding}, which cannot store all texts",
            "createdb --encoding UTF8 --template template0 NAME, then: aggregator db copy OLD NEW",
        )


# Articles that search does not find; at most a minute of full load waits (chosen).
_UNINDEXED_ARTICLES = 20_000
_FUTURE_SECONDS = 300.0  # by which stored times may be ahead of the clock (chosen)

_REJECTED_SHOWN = 5
_OF_THE_NETWORK = frozenset({"dns", "connect", "timeout"})  # causes that a broken network has
_SOURCES_SHOWN = 20


def inspect_contents(context: DoctorContext) -> Iterator[Finding]:
    """Run all checks in one read transaction."""
    with context.database.read() as connection:
        stored = health_probes.stored(connection, context.now, context.all_tuning)
        sources = listed(connection, context.now, context.all_tuning)
        yield ok(f"database: {shown_url(context.database.url)}, {waiting_words(stored)}")
        yield from _clock(context, connection)
        yield from _open_to_others(context, api_tokens.all_tokens(connection))
        for finding in of_database(context.tuning, stored=stored):
            is_all = finding.what == stored.all_fail
            yield _with_first_error(finding, sources) if is_all else finding
        yield from _behind(stored)
        yield from _sources(sources, context)
        for one in rejected.latest(connection, _REJECTED_SHOWN):
            yield warning(
                f"{one.item}: {one.reason}", "correct it and ingest it again; the warning then disappears"
            )
    yield from files.backups(context)


def check_future_contents(context: DoctorContext) -> Iterator[Finding]:
    """Check what would be wrong with a database that does not exist yet."""
    yield from _open_to_others(context, ())
    yield from files.backups_to_come(context)


def _clock(context: DoctorContext, connection: Connection) -> Iterator[Finding]:
    last = health_probes.last_accepted_at(connection)
    if last is not None and (last - context.now).total_seconds() > _FUTURE_SECONDS:
        yield problem(
            f"the clock shows {context.now:%Y-%m-%d %H:%M} UTC, but an entry was stored at "
            f"{last:%Y-%m-%d %H:%M}",
            "timedatectl; timedatectl set-ntp true",
        )


def _open_to_others(context: DoctorContext, tokens: Iterable[api_tokens.ApiToken]) -> Iterator[Finding]:
    if is_loopback(context.config.server.host):
        return
    if not any(one.may("read") and one.revoked_at is None for one in tokens):
        yield problem(
            f"server.host {context.config.server.host} is reachable from other machines, and no "
            "token has the scope read: the daemon does not start",
            "aggregator token create NAME --scope read, or set server.host: 127.0.0.1",
        )


def _behind(stored: DatabaseStatus) -> Iterator[Finding]:
    if stored.unindexed > _UNINDEXED_ARTICLES:
        yield warning(
            f"{counted(stored.unindexed, 'article is', 'articles are')} not in the search index yet",
            "let the daemon run: it indexes them while no article waits",
        )


def _with_first_error(all_fail: Finding, sources: Sequence[SourceView]) -> Finding:
    """Return the finding that all feeds fail, with the first error and how to find its cause."""
    failing = (one for one in sources if one.state in ("failing", "gone"))
    first = next(one for one in failing if not source_kind(one.kind).is_local)
    test = "ping -c1 1.1.1.1; getent hosts example.org; then: " if first.cause in _OF_THE_NETWORK else ""
    return problem(f"{all_fail.what}; the first error: {first.problem}", f"{test}{_check(first)}")


def _sources(sources: Sequence[SourceView], context: DoctorContext) -> Iterator[Finding]:
    """Sources with a problem, except folders that `files.folders` has reported as missing."""
    missing = {str(path) for path in files.watched(context) if files.is_missing(path)}
    if not sources:
        yield ok("sources: none yet", "aggregator sources add URL, or list them in config.yaml")
    failing = [one for one in sources if one.is_in_trouble and one.url not in missing]
    for one in failing[:_SOURCES_SHOWN]:
        yield warning(f"source {one.name}: {one.problem or one.state}", _advice(one))
    if len(failing) > _SOURCES_SHOWN:
        more = counted(len(failing) - _SOURCES_SHOWN, "more source has", "more sources have")
        yield warning(f"{more} a problem", "aggregator sources list --failing")


def _advice(one: SourceView) -> str:
    if source_kind(one.kind).is_local:
        return f"ls -ld {one.url}"
    if one.state == "gone":
        return f"aggregator sources remove {one.id}, or if it is back: aggregator sources resume {one.id}"
    if one.state == "flood":
        return "nothing: the entries are stored, and not announced"
    return _check(one)


def _check(one: SourceView) -> str:
    """Return the command that checks the source, without a secret from its address."""
    has_secret = redact(one.polled_url) != one.polled_url
    return f"aggregator sources show {one.id}" if has_secret else f"aggregator sources check {one.polled_url}"
