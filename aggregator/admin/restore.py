"""Restoring a backup, either completely or not at all."""

import tempfile
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
from aggregator.store.engine.process_lock import exclusively
from aggregator.store.maintenance import page_copy, row_stream
from aggregator.store.maintenance.row_stream import PASSING
from aggregator.store.migrate import (
    clear,
    is_of_unknown_revision,
    make_file,
    upgrade,
)
from aggregator.store.search import index
from aggregator.store.tables import article, count_rows


class RestoreResult(FrozenStruct, omit_defaults=False):
    """The revision of a restored backup, the number of articles, and the folder with the damaged database."""

    revision: str
    articles: int
    moved_to: str | None = None


def restore(
    file: Path, database: Database, progress: Progress, *, replace: bool = False
) -> RestoreResult:
    """Restore a backup into a SQLite or PostgreSQL database; an older backup is upgraded.

    The backup is unpacked and checked before the database is changed. A damaged SQLite file that is replaced
    is moved into a folder beside it, from which more may be recovered. Raises ReadError for a damaged file,
    DatabaseTooNewError for a backup of a newer version, UsageError if the database has content and `replace`
    is not set, AnotherDaemonError if a process uses it.
    """
    folder = (
        Path(tempfile.gettempdir()) if database.file is None else database.file.parent
    )
    with file_errors(f"{folder} cannot be written", "the unpacked backup is damaged"):
        folder.mkdir(parents=True, exist_ok=True)
        with scratch_in(folder) as scratch:
            unpack(file, scratch / "restored.db", progress)
            with closing(Database(f"sqlite:///{scratch / 'restored.db'}")) as source:
                revision = check_and_upgrade(file, source, progress)
                moved_to = move_damaged(database, progress) if replace else None
                _fill(
                    database,
                    source,
                    progress,
                    replace=replace,
                    advice="use a new one (--database sqlite:///new.db), or --replace to delete its content",
                )
    with database.read() as connection:
        count = count_rows(connection, article)
    return RestoreResult(revision=revision, articles=count, moved_to=moved_to)


def _fill(
    target: Database,
    source: Database,
    progress: Progress,
    *,
    replace: bool = False,
    advice: str,
) -> None:
    """Copy all of `source` into `target`, with the lock of `target`.

    `advice` ends the message of the UsageError that is raised if `target` has content.
    """
    replaces_pages = target.is_sqlite and source.is_sqlite
    make_file(target, allow_new=True)
    is_cleared = not replaces_pages and replace and is_of_unknown_revision(target)
    if not (replaces_pages or is_cleared):
        upgrade(target)
    with exclusively(target, busy(target)):
        if is_cleared:
            clear(target)
            upgrade(target)
        if not replace:
            with target.read() as connection:
                if row_stream.has_content(connection):
                    raise UsageError(
                        f"the database {shown_url(target.url)} is not empty; {advice}"
                    )
        if replaces_pages:
            space = source.space()
            with progress("pages", space.total // space.page) as advance:
                page_copy.take_pages(target, source, advance)
            target.checkpoint_log()
        else:
            _copy_rows(target, source, progress, replace=replace)


def _copy_rows(
    target: Database, source: Database, progress: Progress, *, replace: bool
) -> None:
    """Copy all rows in one transaction, and index the articles afterwards."""
    with source.read() as read, target.write(durable=True, unhurried=True) as written:
        if replace:
            row_stream.clear(written)
        with progress("rows", row_stream.count(read, PASSING)) as advance:
            row_stream.write_all(written, row_stream.batches(read, PASSING), advance)
    with target.read() as connection:
        total = index.unindexed_count(connection)
    with progress("articles indexed", total) as advance:
        index.index_until(target, index.index_older, advance=advance)
