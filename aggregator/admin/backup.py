"""Writes a backup, reads it back, and replaces files safely; the folder of backups is in backup_folder.py.

A backup is a compressed SQLite file with all tables. It is written to a temporary file that is synced and
read back, and then renamed. PostgreSQL has its own programs for this, which an error message names.
"""

import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import zstandard

from aggregator.model.errors import (
    NotWritableError,
    ReadError,
    UsageError,
)
from aggregator.sources.parse.streams import file_stream
from aggregator.store.engine.database import Database
from aggregator.store.engine.db_errors import is_damage
from aggregator.store.engine.engines import address_to_type
from aggregator.store.engine.open_file import hand_over, make_folder
from aggregator.store.maintenance import page_copy
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.maintenance.scratch import scratch_folder

PACKED = ".db.zst"

# A backup leaves this much of the disk free, because the daemon does not start with less.
SPARE_BYTES = 100 << 20

# The compression level, which is the default of zstd
_LEVEL = 3

# The largest share of the plain size that the compressed file may take (measured: 0.55)
_PACKED_SHARE = 0.8

_PIECE = 1 << 20

# SQLite instructions between two calls of `advance`, which take some milliseconds
_CHECKED_AT_ONCE = 500_000

_SCRATCH = ".aggregator-"

# The longest zstd frame header, which contains the size of the content
_HEADER_BYTES = 18

# A function of the unit and the total (None: unknown), such as `progress_bar`
Progress = Callable[[str, int | None], AbstractContextManager[Advance]]


def back_up(database: Database, file: Path, progress: Progress) -> None:
    """Write a consistent backup of a SQLite database to `file`, compressed.

    A daemon may run meanwhile. The file appears only after it was read back from the disk. Raises UsageError for
    another suffix or for PostgreSQL, NotWritableError if the disk has not enough space, and ReadError if the database
    or the copy is damaged.
    """
    if not database.is_sqlite:
        raise UsageError(
            f"PostgreSQL has its own backups; type: pg_dump --format=custom --file=aggregator.dump "
            f"{address_to_type(database.url)} (to move to SQLite: aggregator export, then aggregator import)"
        )
    if not file.name.endswith(PACKED):
        raise UsageError(f"{file}: the name of a backup ends in {PACKED}")
    with file_errors(
        f"{file} cannot be written",
        "the database cannot be read, run `aggregator db check`",
    ):
        make_folder(file.parent, 0o700)
        space = database.space()
        check_free_disk(file.parent, int(space.total * (1 + _PACKED_SHARE)))
        with scratch_in(file.parent) as scratch:
            plain = scratch / "plain.db"
            with (
                progress("pages", space.total // space.page) as advance,
                closing(sqlite3.connect(plain)) as target,
            ):
                page_copy.copy_pages(database, target, advance)
                # This makes the copy one file, without a -wal file.
                target.execute("PRAGMA journal_mode=DELETE")
            with progress("checks", None) as advance:
                damage = damage_in(plain, advance)
            if damage is not None:
                raise ReadError(
                    f"the copy is damaged ({damage}); check the database with `aggregator db check`"
                )
            _sync(plain)
            packed = scratch / "packed"
            # The result is synced and read back from the disk.
            size = plain.stat().st_size
            with progress("MiB", 2 * size // _PIECE) as advance:
                with plain.open("rb") as source, packed.open("wb") as target:
                    packing = zstandard.ZstdCompressor(
                        level=_LEVEL, write_checksum=True
                    )
                    with packing.stream_writer(
                        target, size=size, closefd=False
                    ) as writer:
                        for piece in pieces(source):
                            writer.write(piece)
                            advance(1)
                _sync(packed)
                for _ in decompress_backup(packed):
                    advance(1)
            packed.chmod(0o600)
            packed.replace(file)
            hand_over(file)
            _sync_folder(file.parent)


@contextmanager
def file_errors(unwritable: str, damaged: str) -> Iterator[None]:
    """Raise ReadError for damage that the block finds in a file, and NotWritableError for other file errors."""
    try:
        yield
    # SQLite reports a full disk, among other things, as OperationalError.
    except (OSError, sqlite3.OperationalError) as error:
        raise NotWritableError(
            f"{unwritable}: {getattr(error, 'strerror', None) or error}"
        ) from error
    except (sqlite3.DatabaseError, zstandard.ZstdError) as error:
        raise ReadError(f"{damaged}: {error}") from error


def check_free_disk(folder: Path, needed: int) -> None:
    """Raise NotWritableError unless `needed` bytes and a reserve are free on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    wanted = needed + SPARE_BYTES
    if free < wanted:
        raise NotWritableError(
            f"{folder} has {free >> 20:,} MiB free, and {wanted >> 20:,} MiB are needed: free some space, or "
            "use another folder (for backups: `--to FOLDER`, or `backup: folder:` in config.yaml)"
        )


def damage_in(file: Path, advance: Advance) -> str | None:
    """Return the first fault that SQLite's integrity check finds; None if the file is sound.

    Nothing is written into the file. An exception of `advance` stops the check and is raised.
    """
    stopped: list[BaseException] = []

    def call_advance() -> int:
        try:
            advance(1)
        except BaseException as error:  # noqa: BLE001 - SQLite would ignore it, so it is raised below
            stopped.append(error)
        return len(stopped)

    with closing(
        sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    ) as connection:
        connection.set_progress_handler(call_advance, _CHECKED_AT_ONCE)
        try:
            result = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if not stopped and not is_damage(error):
                raise
            result = str(error)
    if stopped:
        raise stopped[0]
    return None if result == "ok" else " ".join(result.split())


def content_size(packed: Path) -> int | None:
    """Return the size of the content of a compressed file; None if the header omits it (a backup has it)."""
    with packed.open("rb") as file:
        declared = zstandard.get_frame_parameters(file.read(_HEADER_BYTES)).content_size
    return None if declared == zstandard.CONTENTSIZE_UNKNOWN else declared


def decompress_backup(packed: Path) -> Iterator[bytes]:
    """Yield the content of a compressed backup in pieces. Raises ReadError if it is damaged or cut short."""
    try:
        with file_stream.open_decompressed(packed, file_stream.Progress()) as content:
            yield from pieces(content)
    except ReadError as error:
        raise ReadError(f"{packed}: {error}; use another backup") from error


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of a file in pieces of 1 MiB."""
    while piece := file.read(_PIECE):
        yield piece


def _sync(file: Path) -> None:
    """Write a file to the disk and drop it from the page cache, so that the next read is from the disk."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path, *, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Yield a temporary file that replaces the file at `path` when it is complete and on the disk.

    Readers see either the old or the new content, also after a power cut. Raises UsageError if `path` cannot be
    written.
    """
    # not `path.with_name`, which refuses "." and "/"
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    try:
        if path.is_dir():  # before anything is written
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with open(temporary, "wb", opener=partial(os.open, mode=mode)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        # An impossible path raises OSError, too.
        with suppress(OSError):
            temporary.unlink()


def scratch_in(folder: Path) -> AbstractContextManager[Path]:
    """Return a hidden temporary folder in `folder`."""
    return scratch_folder(folder, _SCRATCH)
