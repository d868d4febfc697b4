"""Migrates a database to the revision of this program, and refuses databases of unknown revisions.

Every command checks the revision first, so Alembic is imported only when there is something to migrate.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

from aggregator.config.shipped import shipped_path
from aggregator.model.errors import (
    ConfigError,
    DamagedFileError,
    DatabaseOutdatedError,
    DatabaseReplacedError,
    DatabaseTooNewError,
    NotWritableError,
)
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.db_errors import is_damage, not_allowed
from aggregator.store.engine.open_file import files_of, hand_over, make_folder
from aggregator.store.engine.process_lock import exclusively
from aggregator.store.tables import VIEWS, metadata, read_value

_ADVISORY_KEY = 0x6D696772  # "migr"


def migrations_folder() -> Path:
    """Return the folder of the migrations."""
    return shipped_path("migrations")


@cache  # `/status` needs them even when no further file can be opened
def _revisions_in(folder: Path) -> Sequence[str]:
    return sorted(
        path.name.split("_")[0] for path in (folder / "versions").glob("[0-9]*.py")
    )


def _revisions() -> Sequence[str]:
    """Return all revisions, oldest first: the prefixes of the file names (0033_baseline.py)."""
    return _revisions_in(migrations_folder())


def is_newer(revision: str) -> bool:
    """Return whether this revision is of a newer program."""
    return revision.isdigit() and revision > newest_revision()


def newest_revision() -> str:
    """Return the revision of this program."""
    return _revisions()[-1]


def revision_of(database: Database) -> str | None:
    """Return the revision of the database; None for an empty one.

    Raises ConfigError for the database of another program.
    """
    with database.read() as connection:
        return _revision_in(connection, database)


def _revision_in(connection: Connection, database: Database) -> str | None:
    names = set(inspect(connection).get_table_names())
    if "alembic_version" in names:
        revision = read_value(connection, "SELECT version_num FROM alembic_version")
        if revision is not None:
            return str(revision)
    # Other programs may use the same database of a server, as long as no two tables or views have the same name.
    shared = {*names, *inspect(connection).get_view_names()} & {
        *metadata.tables,
        *VIEWS,
        "article_search",
    }
    foreign = sorted(names - {"alembic_version"} if database.is_sqlite else shared)
    if foreign:
        raise ConfigError(
            f"database: {shown_url(database.url)} holds tables of another program "
            f"({', '.join(foreign[:3])}{', ...' if len(foreign) > 3 else ''}); give this one a database "
            "of its own"
        )
    return None


def upgrade(
    database: Database,
    keep: Callable[[str], object] | None = None,
    *,
    allow_new: bool = False,
) -> tuple[str | None, str]:
    """Migrate to the newest revision in one transaction. Return the revisions before and after.

    A missing file is created; `allow_new`: see `make_file`. `keep` is called once before the first migration
    of an upgrade, with the new revision, to take a backup; no other process writes meanwhile. Raises
    DatabaseTooNewError for the revision of a newer program, ConfigError for another unknown one,
    AnotherDaemonError if a process of an older program uses the database.
    """
    make_file(database, allow_new=allow_new)
    before = revision_of(database)
    refuse_unknown(_name_of(database), before)
    if before == newest_revision():
        return before, before
    with ExitStack() as cleanup, database.write(unhurried=True) as connection:
        # Processes migrate one after the other; SQLite has one writing transaction anyway
        if not database.is_sqlite:
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY}
            )
        present = _revision_in(connection, database)
        refuse_unknown(_name_of(database), present)
        # Another process upgraded the database while this process waited for the lock
        if present == newest_revision():
            return before, present
        if present is None and not database.is_sqlite:
            refuse_unfit_server(database, connection)
        if present is not None:
            older_program = (
                f"{_name_of(database)} must be upgraded, and an older program is using it: "
                "stop that program first (systemctl stop aggregator)"
            )
            cleanup.enter_context(exclusively(database, older_program))
            if keep is not None:
                keep(newest_revision())
        # Mako, a dependency of Alembic, would load pygments to colour its errors: 4 MB that would stay in memory.
        sys.modules.setdefault("mako.ext.pygmentplugin", None)  # type: ignore[arg-type]
        from alembic import command
        from alembic.config import Config as AlembicConfig

        settings = AlembicConfig()
        settings.set_main_option("script_location", str(migrations_folder()))
        settings.attributes["connection"] = connection
        try:
            command.upgrade(settings, "head")
        except DatabaseError as error:
            if not is_damage(error.orig):
                raise
            raise DamagedFileError(
                f"{_name_of(database)} is damaged and cannot be upgraded ({error.orig})",
                "restore a backup, or recover what is left: sqlite3 FILE .recover | sqlite3 NEW",
            ) from error
    return before, newest_revision()


def make_file(database: Database, *, allow_new: bool = False) -> None:
    """Create the file of an SQLite database if it is missing: empty, readable by this user only.

    A lock file beside it shows that there was a database before. Then a new database is created only with
    `allow_new`, and only if no process has the old file open; otherwise this raises DatabaseReplacedError or
    AnotherDaemonError. A WAL with changes always raises DatabaseReplacedError. Raises NotWritableError if the file
    cannot be created.
    """
    file = database.file
    if file is None or file.exists():
        return
    lost = f"the database {file} is missing, and it was there before"
    _, log_file, _, lock = files_of(file)
    if log_file.exists() and log_file.stat().st_size:
        raise DatabaseReplacedError(
            f"{lost}: {log_file} holds changes of it. Put the database back; to begin with an empty one, "
            f"move {log_file} away first"
        )
    if lock.exists():
        if not allow_new:
            raise DatabaseReplacedError(
                f"{lost} (its lock file {lock} exists). Put it back, or restore a backup: aggregator db "
                "restore FILE; to begin with an empty one, type: aggregator db upgrade"
            )
        with exclusively(
            database, f"{lost}; a process still has it open: stop that process first"
        ):
            pass
    try:
        make_folder(file.parent)
        file.touch(0o600)  # SQLite creates its log with the mode of the file
        hand_over(file)
    except OSError as error:
        raise NotWritableError(f"{file} cannot be created: {error.strerror}") from error


def refuse_unfit_server(database: Database, connection: Connection) -> None:
    """Raise NotWritableError if this role may not create tables, ConfigError if some texts cannot be stored."""
    schema = text(
        "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
    )
    if not connection.execute(schema).scalar_one():
        raise not_allowed(database.url)
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding not in ("UTF8", "SQL_ASCII"):  # these can store any text
        raise ConfigError(
            f"{_name_of(database)} has the encoding {encoding}, which has no signs for most languages; make "
            "another one: createdb --encoding UTF8 --template template0 NAME"
        )


def check(database: Database) -> None:
    """Raise DatabaseTooNewError, DatabaseOutdatedError or ConfigError if the database has another revision."""
    revision = revision_of(database)
    refuse_unknown(_name_of(database), revision)
    if revision is None:
        raise DatabaseOutdatedError(
            f"{_name_of(database)} has no tables yet; type: aggregator db upgrade"
        )
    if revision != newest_revision():
        raise DatabaseOutdatedError(
            f"{_name_of(database)} is older than this program; type: aggregator db upgrade"
        )


def refuse_unknown(what: str, revision: str | None) -> None:
    """Raise DatabaseTooNewError or ConfigError for a database or backup that this program cannot upgrade."""
    if revision is None or revision in _revisions():
        return
    if is_newer(revision):
        raise DatabaseTooNewError(
            f"{what} was written by a newer aggregator (revision {revision}); install that version, or go "
            "back to a backup from before its upgrade: aggregator db restore BACKUP --replace"
        )
    raise ConfigError(
        f"{what} is at revision {revision} of an unreleased aggregator, this one upgrades {_revisions()[0]} "
        "and later: export it with the program that wrote it, and import that with 0.1.0 (docs/install.md)"
    )


def _name_of(database: Database) -> str:
    return f"the database {shown_url(database.url)}"
