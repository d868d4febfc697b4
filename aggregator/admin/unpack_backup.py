"""Unpacks a backup beside a database, checks and upgrades it, and moves the replaced files out of the way."""

from pathlib import Path

import zstandard

from aggregator.admin.backup import (
    Progress,
    check_free_disk,
    content_size,
    damage_in,
    file_errors,
    unpacked,
)
from aggregator.admin.backup_folder import TIME
from aggregator.model.clock import utc_now
from aggregator.model.errors import ReadError, UsageError
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.open_file import files_of
from aggregator.store.engine.process_lock import exclusively
from aggregator.store.migrate import (
    refuse_unknown,
    revision_of,
    upgrade,
)

_SQLITE_HEADER = b"SQLite format 3\0"

_NOT_A_BACKUP = "is not a backup of `aggregator db backup`; an export is read by `aggregator import`"


def unpack(file: Path, plain: Path, progress: Progress) -> None:
    """Unpack a backup into a plain SQLite file; the backup is not changed."""
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
            for piece in unpacked(file):
                opened.write(piece)
                advance(1)


def check_and_upgrade(file: Path, source: Database, progress: Progress) -> str:
    """Check the unpacked backup and upgrade it; returns the revision that it had."""
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
    return revision


def move_damaged(database: Database, progress: Progress) -> str | None:
    """Move a damaged SQLite file and its companions into a new folder beside it, which is returned."""
    file = database.file
    if file is None or not file.exists():
        return None
    with exclusively(database, busy(database)):
        with progress("checks", None) as advance:
            if damage_in(file, advance) is None:
                return None
        folder = file.with_name(f"damaged-{utc_now():{TIME}}")
        folder.mkdir(0o700)
        # The file last: its log and its lock must not outlive it
        for path in reversed(files_of(file)):
            if path.exists():
                path.rename(folder / path.name)
    return str(folder)


def busy(database: Database) -> str:
    return f"another process uses {shown_url(database.url)}; stop it, then repeat this command"
