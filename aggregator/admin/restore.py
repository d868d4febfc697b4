"""Restores a backup, either completely or not at all. It is first unpacked and checked beside the database."""

from contextlib import closing
from pathlib import Path

import zstandard

from aggregator.admin.backup import (
    Progress,
    check_free_disk,
    content_size,
    damage_in,
    decompress_backup,
    file_errors,
    scratch_in,
)
from aggregator.admin.backup_folder import TIME
from aggregator.model.clock import utc_now
from aggregator.model.errors import ReadError, UsageError
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.engines import address_to_type
from aggregator.store.engine.open_file import files_of, hand_over, make_folder
from aggregator.store.engine.process_lock import exclusively
from aggregator.store.maintenance import page_copy, row_stream
from aggregator.store.migrate import (
    make_file,
    refuse_unknown,
    revision_of,
    upgrade,
)
from aggregator.store.tables import article, count_rows

_SQLITE_HEADER = b"SQLite format 3\0"

_NOT_A_BACKUP = "is not a backup of `aggregator db backup`; an export is read by `aggregator import`"


def unpack(file: Path, plain: Path, progress: Progress) -> None:
    """Unpack the backup `file` into a new SQLite file at `plain`."""
    try:
        size = content_size(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except zstandard.ZstdError as error:
        raise ReadError(f"{file} {_NOT_A_BACKUP}") from error
    with file_errors(
        f"{file} cannot be unpacked in {plain.parent}",
        f"{file} is damaged, or not a backup",
    ):
        check_free_disk(plain.parent, size or 0)
        with (
            progress("MiB", size and size >> 20) as advance,
            plain.open("xb") as opened,
        ):
            for piece in decompress_backup(file):
                opened.write(piece)
                advance(1)


def check_and_upgrade(file: Path, source: Database, progress: Progress) -> None:
    """Check and upgrade the unpacked backup `source`. Messages name `file`, the backup itself."""
    assert source.file is not None
    with source.file.open("rb") as opened:
        header = opened.read(len(_SQLITE_HEADER))
    if header != _SQLITE_HEADER:
        raise ReadError(f"{file} {_NOT_A_BACKUP}")
    with progress("checks", None) as advance:
        damage = damage_in(source.file, advance)
    if damage is not None:
        raise ReadError(f"{file} is damaged ({damage}); use another backup")
    revision = revision_of(source)
    if revision is None:
        raise ReadError(f"{file} is a database, but not of this program")
    refuse_unknown(str(file), revision)
    upgrade(source)


def move_damaged(database: Database, progress: Progress) -> str | None:
    """Move a damaged SQLite file, its log and its lock into a new folder beside it.

    Return this folder, or None if the file is missing or sound.
    """
    file = database.file
    if file is None or not file.exists():
        return None
    with exclusively(database, busy_message(database)):
        with progress("checks", None) as advance:
            if damage_in(file, advance) is None:
                return None
        folder = file.with_name(f"damaged-{utc_now():{TIME}}")
        folder.mkdir(0o700)
        hand_over(folder)
        # The file is moved last, because its log and its lock must not be left without it.
        for path in reversed(files_of(file)):
            if path.exists():
                path.rename(folder / path.name)
    return str(folder)


def busy_message(database: Database) -> str:
    """Return the message for a database that another process uses."""
    return f"another process uses {shown_url(database.url)}; stop it, then repeat this command"


def restore(
    file: Path, database: Database, progress: Progress, *, replace: bool = False
) -> tuple[int, str | None]:
    """Restore a backup into a SQLite database; an older backup is upgraded.

    Return the number of articles, and the folder of the damaged database, or None if it was sound.

    The backup is unpacked and checked before the database is changed. A damaged SQLite file is moved into a
    folder beside it, where more may be recovered from it.

    Raises ReadError for a damaged file, DatabaseTooNewError for a backup of a newer version, AnotherDaemonError if a
    process uses the database, and UsageError for PostgreSQL, or if the database has content and `replace` is not set.
    """
    if database.file is None:
        raise UsageError(
            "PostgreSQL restores its own backups; type: pg_restore --clean --if-exists --single-transaction "
            f"--dbname={address_to_type(database.url)} FILE (a file of `aggregator db backup`: restore it to a new "
            "SQLite file, --database sqlite:///new.db, then aggregator export and aggregator import)"
        )
    folder = database.file.parent
    with file_errors(f"{folder} cannot be written", "the unpacked backup is damaged"):
        make_folder(folder)
        with scratch_in(folder) as scratch:
            unpack(file, scratch / "restored.db", progress)
            with closing(Database(f"sqlite:///{scratch / 'restored.db'}")) as source:
                check_and_upgrade(file, source, progress)
                moved_to = move_damaged(database, progress) if replace else None
                make_file(database, allow_new=True)
                with exclusively(database, busy_message(database)):
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
        return count_rows(connection, article), moved_to
