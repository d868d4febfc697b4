"""Bringing the tables to what this program needs, and refusing a database that is newer.

Alembic is imported only when there is something to migrate: every command looks at the revision first.
"""

import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from importlib.resources import files
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from aggregator.model.core import FrozenStruct
from aggregator.model.errors import (
    AggregatorError,
    AnotherDaemonError,
    ConfigError,
    DatabaseBusyError,
    DatabaseOutdatedError,
    DatabaseReplacedError,
    DatabaseTooNewError,
    NotWritableError,
)
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.process_lock import open_process_lock
from aggregator.store.tables import metadata

log = logging.getLogger(__name__)

_ADVISORY_KEY = 0x6D696772  # "migr"
_WAITS = 20  # for another process, each as long as the database waits for a lock: ten minutes


def migrations_folder() -> Path:
    """Where the migrations are: inside an installed wheel, or beside the package in a checkout."""
    shipped = Path(str(files("aggregator").joinpath("_shipped", "migrations")))
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "migrations"


@cache
def _revisions() -> tuple[str, ...]:
    """All revisions, oldest first: files are called by them (0001_the_first_tables.py)."""
    files_of = (migrations_folder() / "versions").glob("[0-9]*.py")
    return tuple(sorted(path.name.split("_")[0] for path in files_of))


def is_known(revision: str) -> bool:
    """Whether this program knows the revision; it does not know those of newer ones."""
    return revision in _revisions()


def newest_revision() -> str:
    """The revision that this program was written for."""
    return _revisions()[-1]


def revision_of(database: Database) -> str | None:
    """The revision that the database is at; None for an empty one.

    Raises ConfigError for the database of another program, AggregatorError where its revision is lost.
    """
    with database.read() as connection:
        return _revision_in(connection, database)


def _revision_in(connection: Connection, database: Database) -> str | None:
    names = set(inspect(connection).get_table_names())
    known = _noted(connection, names)
    if known is not None:
        return known
    ours = names & set(metadata.tables)
    if _are_most(ours):
        raise AggregatorError(
            f"the database {shown_url(database.url)} is damaged: nothing says by which version of this "
            "program it was written; restore a backup: aggregator db restore FILE --replace"
        )
    # A server's database may be shared with others, as long as no two tables have one name.
    foreign = sorted(names - {"alembic_version"} if database.is_sqlite else ours)
    if foreign:
        raise ConfigError(
            f"database: {shown_url(database.url)} holds tables of another program "
            f"({', '.join(foreign[:3])}{', ...' if len(foreign) > 3 else ''}); give this one a database "
            "of its own"
        )
    return None


def _noted(connection: Connection, names: set[str]) -> str | None:
    """The revision that is written down, where there is one."""
    if "alembic_version" not in names:
        return None
    known = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if known is None else str(known)


def _are_most(ours: set[str]) -> bool:
    """Whether these are so many of our tables that no other program has them by chance."""
    return len(ours) > len(metadata.tables) // 2


class MigrationStep(FrozenStruct, frozen=True, kw_only=True):
    """One migration that is done; all of them are one transaction."""

    revision: str
    title: str  # what it is for
    number: int  # 1 is the first of this upgrade
    total: int


def upgrade(
    database: Database,
    tell: Callable[[MigrationStep], object] | None = None,
    keep: Callable[[str], object] | None = None,
    *,
    anew: bool = False,
) -> tuple[str | None, str]:
    """Migrate to the newest revision in one transaction; returns the revisions before and after.

    A file that is not there is made; `anew`: as of `make_file`.
    `tell` hears of each step of an upgrade, not of the making of a new database. `keep` is called before the
    first step of one, with the revision to come; nobody else writes meanwhile. Raises DatabaseTooNewError
    where the database knows a revision that this program does not, AnotherDaemonError where a process of an
    older program works on it.
    """
    make_file(database, anew=anew)
    before = revision_of(database)
    _refuse_newer(database, before)
    if before != newest_revision():
        _until_free(lambda: _migrate(database, tell, keep))
    return before, newest_revision()


def make_file(database: Database, *, anew: bool = False) -> None:
    """Make the file of an SQLite database where there is none: empty, and for this user alone.

    Where there was one before, which the lock beside it tells, that is done only if asked for (`anew`) and
    if no process has it open. Raises DatabaseReplacedError or AnotherDaemonError otherwise, and
    NotWritableError where it cannot be made.
    """
    file = database.file
    if file is None or file.exists():
        return
    lost = f"the database {file} is missing, and it was there before"
    lock, log_file = (file.with_name(file.name + ending) for ending in (".lock", "-wal"))
    if log_file.exists() and log_file.stat().st_size:
        raise DatabaseReplacedError(
            f"{lost}: {log_file} holds changes that belong to it. Put the database back; to begin with an "
            f"empty one all the same, move {log_file} away first"
        )
    if lock.exists():
        if not anew:
            raise DatabaseReplacedError(
                f"{lost} ({lock} tells that). Put it back, or restore a backup: aggregator db restore FILE; "
                "to begin with an empty one, type: aggregator db upgrade"
            )
        held = open_process_lock(database)
        if not held.acquire():
            raise AnotherDaemonError(f"{lost}; a process still has it open: stop that one first")
        held.release()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o600)  # SQLite gives its log the mode of the file
    except OSError as error:
        raise NotWritableError(f"{file} cannot be made: {error.strerror}") from error


def is_of_newer(database: Database) -> bool:
    """Whether our tables are there, of a newer program or of nobody knows which: they are of no use."""
    with database.read() as connection:
        names = set(inspect(connection).get_table_names())
        revision = _noted(connection, names)
        return _are_most(names & set(metadata.tables)) if revision is None else not is_known(revision)


def clear(database: Database) -> None:
    """Drop our tables on a server, for who puts others there; what only a newer program has is named."""
    with database.write(unhurried=True) as connection:
        for name in (*metadata.tables, "article_search", "alembic_version"):
            connection.execute(text(f'DROP TABLE IF EXISTS "{name}" CASCADE'))  # with the views on it
        connection.execute(text("DROP VIEW IF EXISTS v_now"))  # which is on none
        if left := inspect(connection).get_table_names():
            log.warning("these tables are not of this version and stay: %s", ", ".join(sorted(left)))


def _until_free(migrate: Callable[[], None]) -> None:
    """Do it when nobody else holds what it needs: another process that upgrades may take minutes."""
    for waited in range(_WAITS):
        try:
            return migrate()
        except DatabaseBusyError:
            if waited == _WAITS - 1:
                raise
            log.info("the database has to be brought up to date; another process holds it: waiting")
    return None


def _migrate(
    database: Database, tell: Callable[[MigrationStep], object] | None, keep: Callable[[str], object] | None
) -> None:
    # Mako, which alembic brings, would load pygments to colour its own mistakes: 4 MB that would stay.
    sys.modules.setdefault("mako.ext.pygmentplugin", None)  # type: ignore[arg-type]
    from alembic import command
    from alembic.config import Config as AlembicConfig

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(migrations_folder()))
    with ExitStack() as held, database.write(unhurried=True) as connection:
        if not database.is_sqlite:  # one at a time; on SQLite a writing transaction is alone anyway
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})
        before = _revision_in(connection, database)
        _refuse_newer(database, before)
        if before == newest_revision():  # another process did it while we waited
            return
        if before is not None:
            held.callback(_locked(database))
            if keep is not None:
                keep(newest_revision())
            settings.attributes["applied"] = _counted(before, tell)
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")


def _locked(database: Database) -> Callable[[], None]:
    """Take the writer's lock, so that no older program writes meanwhile; what is given releases it."""
    lock = open_process_lock(database)
    if not lock.acquire():
        raise AnotherDaemonError(
            f"the database {shown_url(database.url)} has to be brought up to date, and a program of the "
            "version before works on it: stop that one first (systemctl stop aggregator)"
        )
    return lock.release


def _counted(
    before: str, tell: Callable[[MigrationStep], object] | None
) -> Callable[[str, str], None] | None:
    """What hears of a revision that is done, as what hears how far that is."""
    if tell is None:
        return None
    incoming = _revisions()[_revisions().index(before) + 1 :]

    def applied(revision: str, title: str) -> None:
        number = incoming.index(revision) + 1
        tell(
            MigrationStep(
                revision=revision, title=title.strip().rstrip("."), number=number, total=len(incoming)
            )
        )

    return applied


def check(database: Database) -> None:
    """Raise unless the database is exactly at the revision of this program."""
    revision = revision_of(database)
    _refuse_newer(database, revision)
    if revision != newest_revision():
        raise DatabaseOutdatedError(
            f"the database {shown_url(database.url)} is older than this program; type: aggregator db upgrade"
        )


def _refuse_newer(database: Database, revision: str | None) -> None:
    if revision is not None and revision not in _revisions():
        raise DatabaseTooNewError(
            f"the database {shown_url(database.url)} was written by a newer aggregator "
            f"(revision {revision}); install that version, or go back to a backup from before its upgrade: "
            "aggregator db restore BACKUP --replace"
        )
