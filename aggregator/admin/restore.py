"""Restoring a backup, either completely or not at all."""

from contextlib import closing
from pathlib import Path

from aggregator.admin.backup import (
    Progress,
    file_errors,
    scratch_in,
)
from aggregator.admin.unpack_backup import busy, check_and_upgrade, move_damaged, unpack
from aggregator.model.errors import UsageError
from aggregator.model.structs import FrozenStruct
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.engines import address_to_type
from aggregator.store.engine.process_lock import exclusively
from aggregator.store.maintenance import page_copy, row_stream
from aggregator.store.migrate import make_file
from aggregator.store.tables import article, count_rows


class RestoreResult(FrozenStruct, omit_defaults=False):
    """The revision of a restored backup, the number of articles, and the folder with the damaged database."""

    revision: str
    articles: int
    moved_to: str | None = None


def restore(
    file: Path, database: Database, progress: Progress, *, replace: bool = False
) -> RestoreResult:
    """Restore a backup into a SQLite database; an older backup is upgraded.

    The backup is unpacked and checked before the database is changed. A damaged SQLite file is moved into a
    folder beside it, where more may be recovered from it. Raises ReadError for a damaged file,
    DatabaseTooNewError for a backup of a newer version, UsageError for a server, and if the database has
    content and `replace` is not set, AnotherDaemonError if a process uses it.
    """
    if database.file is None:
        raise UsageError(
            "PostgreSQL restores its own backups; type: pg_restore --clean --if-exists --single-transaction "
            f"--dbname={address_to_type(database.url)} FILE (a file of `aggregator db backup`: restore it to a new "
            "SQLite file, --database sqlite:///new.db, then aggregator export and aggregator import)"
        )
    folder = database.file.parent
    with file_errors(f"{folder} cannot be written", "the unpacked backup is damaged"):
        folder.mkdir(parents=True, exist_ok=True)
        with scratch_in(folder) as scratch:
            unpack(file, scratch / "restored.db", progress)
            with closing(Database(f"sqlite:///{scratch / 'restored.db'}")) as source:
                revision = check_and_upgrade(file, source, progress)
                moved_to = move_damaged(database, progress) if replace else None
                make_file(database, allow_new=True)
                with exclusively(database, busy(database)):
                    with database.read() as connection:
                        if not replace and row_stream.has_content(connection):
                            raise UsageError(
                                f"the database {shown_url(database.url)} is not empty; use a new one "
                                "(--database sqlite:///new.db), or --replace to delete its content"
                            )
                    space = source.space()
                    with progress("pages", space.total // space.page) as advance:
                        page_copy.take_pages(database, source, advance)
                    database.checkpoint_log()
    with database.read() as connection:
        count = count_rows(connection, article)
    return RestoreResult(revision=revision, articles=count, moved_to=moved_to)
