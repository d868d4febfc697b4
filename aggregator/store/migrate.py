"""Bringing the tables to what this program needs, and refusing a database that is newer."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from aggregator.errors import DatabaseOutdatedError, DatabaseTooNewError, NotWritableError
from aggregator.store.database import Database, shown_url


def migrations_folder() -> Path:
    """Where the migrations are: inside an installed wheel, or beside the package in a checkout."""
    shipped = Path(str(files("aggregator").joinpath("_shipped", "migrations")))
    return shipped if shipped.is_dir() else Path(__file__).parents[2] / "migrations"


@cache
def _script() -> ScriptDirectory:
    return ScriptDirectory(str(migrations_folder()))


def newest_revision() -> str:
    """The revision that this program was written for."""
    head = _script().get_current_head()
    assert head is not None, "the migrations have exactly one head"
    return head


def revision_of(database: Database) -> str | None:
    """The revision that the database is at; None for an empty one."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database) -> tuple[str | None, str]:
    """Migrate to the newest revision in one transaction; returns the revisions before and after.

    Raises DatabaseTooNewError where the database knows a revision that this program does not.
    """
    if database.file is not None:
        try:
            database.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NotWritableError(f"{database.file.parent} cannot be made: {error.strerror}") from error
    before = revision_of(database)
    _refuse_newer(database, before)
    if before != newest_revision():
        settings = AlembicConfig()
        settings.set_main_option("script_location", str(migrations_folder()))
        with database.write() as connection:
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")
    return before, newest_revision()


def check(database: Database) -> None:
    """Raise unless the database is exactly at the revision of this program."""
    revision = revision_of(database)
    _refuse_newer(database, revision)
    if revision != newest_revision():
        raise DatabaseOutdatedError(
            f"the database {shown_url(database.url)} is older than this program; type: aggregator db upgrade"
        )


def _refuse_newer(database: Database, revision: str | None) -> None:
    known = {script.revision for script in _script().walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseTooNewError(
            f"the database {shown_url(database.url)} was written by a newer aggregator "
            f"(revision {revision}); install that version, or restore a backup from before its upgrade"
        )
