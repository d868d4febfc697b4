"""Bringing the tables to what this program needs, and refusing a database that is newer.

Alembic is imported only when there is something to migrate: every command looks at the revision first.
"""

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path

from sqlalchemy import inspect, text

from aggregator.errors import DatabaseOutdatedError, DatabaseTooNewError, NotWritableError
from aggregator.model import Noun
from aggregator.store.database import Database, shown_url

_ADVISORY_KEY = 0x6D696772  # "migr"


def migrations_folder() -> Path:
    """Where the migrations are: inside an installed wheel, or beside the package in a checkout."""
    shipped = Path(str(files("aggregator").joinpath("_shipped", "migrations")))
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "migrations"


@cache
def _revisions() -> tuple[str, ...]:
    """All revisions, oldest first: files are called by them (0001_the_first_tables.py)."""
    files_of = (migrations_folder() / "versions").glob("[0-9]*.py")
    return tuple(sorted(path.name.split("_")[0] for path in files_of))


def newest_revision() -> str:
    """The revision that this program was written for."""
    return _revisions()[-1]


def revision_of(database: Database) -> str | None:
    """The revision that the database is at; None for an empty one."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


class Step(Noun, frozen=True, kw_only=True):
    """One migration that is done; all of them are one transaction."""

    revision: str
    title: str  # what it is for
    number: int  # 1 is the first of this upgrade
    total: int


def upgrade(database: Database, tell: Callable[[Step], object] | None = None) -> tuple[str | None, str]:
    """Migrate to the newest revision in one transaction; returns the revisions before and after.

    `tell` hears of each step of an upgrade, not of the making of a new database. Raises DatabaseTooNewError
    where the database knows a revision that this program does not.
    """
    if database.file is not None:
        try:
            database.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NotWritableError(f"{database.file.parent} cannot be made: {error.strerror}") from error
    before = revision_of(database)
    _refuse_newer(database, before)
    if before != newest_revision():
        _migrate(database, None if before is None else _counted(before, tell))
    return before, newest_revision()


def _counted(before: str, tell: Callable[[Step], object] | None) -> Callable[[str, str], None] | None:
    """What hears of a revision that is done, as what hears how far that is."""
    if tell is None:
        return None
    coming = _revisions()[_revisions().index(before) + 1 :]

    def applied(revision: str, title: str) -> None:
        number = coming.index(revision) + 1
        tell(Step(revision=revision, title=title.strip().rstrip("."), number=number, total=len(coming)))

    return applied


def _migrate(database: Database, applied: Callable[[str, str], None] | None) -> None:
    from alembic import command
    from alembic.config import Config as AlembicConfig

    settings = AlembicConfig()
    settings.set_main_option("script_location", str(migrations_folder()))
    with database.write() as connection:
        if not database.is_sqlite:  # one at a time; on SQLite a writing transaction is alone anyway
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_KEY})
        settings.attributes["connection"] = connection
        settings.attributes["applied"] = applied
        command.upgrade(settings, "head")


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
            f"(revision {revision}); install that version, or restore a backup from before its upgrade"
        )
