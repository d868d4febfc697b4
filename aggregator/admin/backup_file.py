"""Writing one backup: to a temporary file that is synced and read back, and then renamed.

A backup of SQLite or PostgreSQL is a compressed SQLite file with all tables. `restore.py` restores it into
either kind of database.
"""

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import IO

import zstandard

from aggregator.model.errors import NotWritableError, ReadError, UsageError
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import copy_database, row_stream
from aggregator.store.maintenance.row_stream import PASSING, Advance
from aggregator.store.migrate import upgrade

PACKED, PLAIN = ".db.zst", ".db"
SPARE_BYTES = 100 << 20  # that stay free on the disk: with less the daemon does not start
_LEVEL = 3  # of zstd: its default
_PACKED_SHARE = 0.8  # the compressed size per plain size, at most; measured: 0.55
_PIECE = 1 << 20
_CHECKED_AT_ONCE = 500_000  # SQLite instructions between two calls of `advance`: some milliseconds
_SCRATCH = ".aggregator-"
_ABANDONED_SECONDS = 86_400  # age after which a scratch folder without a lock file is deleted

Progress = Callable[[str, int | None], AbstractContextManager[Advance]]  # called with unit and total


def back_up(database: Database, file: Path, progress: Progress) -> None:
    """Write a consistent backup of a database to `file`, compressed unless its name ends in .db.

    A daemon may run meanwhile. The file appears after it was read back from the disk. Raises UsageError for
    another suffix or a database in use, NotWritableError without enough space, and ReadError if the database
    or the copy is damaged.
    """
    packed = file.name.endswith(PACKED)
    if not packed and not file.name.endswith(PLAIN):
        raise UsageError(f"{file}: the name of a backup ends in {PACKED}, or in {PLAIN} without compression")
    with file_errors(f"{file} cannot be written", "the database cannot be read, run `aggregator db check`"):
        if file.with_name(f"{file.name}-wal").exists() or _is_file_of(database, file):
            raise UsageError(f"{file} is a database in use; give another file")
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        check_free_disk(file.parent, bytes_needed(database, packed=packed))
        with scratch_in(file.parent) as scratch:
            plain = scratch / "plain.db"
            _copy(database, plain, progress)
            ready = plain
            if packed:
                ready = scratch / "packed"
                _pack(plain, ready, progress)
            ready.chmod(0o600)
            ready.replace(file)
            _sync_folder(file.parent)


@contextmanager
def file_errors(unwritable: str, damaged: str) -> Iterator[None]:
    """Convert errors of files: to NotWritableError, or to ReadError if one is damaged."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:  # the latter: a full disk, among others
        raise NotWritableError(f"{unwritable}: {getattr(error, 'strerror', None) or error}") from error
    except (sqlite3.DatabaseError, zstandard.ZstdError) as error:
        raise ReadError(f"{damaged}: {error}") from error


def _is_file_of(database: Database, file: Path) -> bool:
    return database.file is not None and file.exists() and file.samefile(database.file)


def bytes_needed(database: Database, *, packed: bool) -> int:
    """Return the bytes of disk space that a backup needs, with its temporary files."""
    return int(copy_database.size_bytes(database) * (1 + _PACKED_SHARE if packed else 1))


def check_free_disk(folder: Path, needed: int) -> None:
    """Raise NotWritableError unless `needed` bytes and a reserve are free on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise NotWritableError(
            f"{folder} has {_mib(free)} free, and {_mib(needed + SPARE_BYTES)} are needed: free some space, "
            "or use another folder (for backups: `--to FOLDER`, or `backup: folder:` in config.yaml)"
        )


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"


def _copy(database: Database, plain: Path, progress: Progress) -> None:
    """Copy a database into one SQLite file, check it and sync it."""
    if database.is_sqlite:
        with (
            progress("pages", copy_database.page_count(database)) as advance,
            closing(sqlite3.connect(plain)) as target,
        ):
            copy_database.copy_pages(database, target, advance)
    else:
        _copy_server(database, plain, progress)
    with closing(sqlite3.connect(plain)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")  # one file without a -wal file
    with progress("checks", None) as advance:
        check_file(plain, advance)
    _sync(plain)


def _copy_server(database: Database, plain: Path, progress: Progress) -> None:
    copy = Database(f"sqlite:///{plain}")
    try:
        upgrade(copy)
        with database.read() as source, copy.engine.connect() as target:
            with progress("rows", row_stream.count(source, PASSING)) as advance:

                def commit(count: int) -> None:
                    target.commit()  # one commit at the end would need a log as large as the database
                    advance(count)

                row_stream.write_all(target, row_stream.batches(source, PASSING), commit)
            target.commit()
    finally:
        copy.close()


def check_file(file: Path, advance: Advance) -> None:
    """Raise ReadError unless SQLite's integrity check passes; an exception of `advance` stops the check."""
    stopped: list[BaseException] = []

    def call_advance() -> int:
        try:
            advance(1)
        except BaseException as error:  # noqa: BLE001 - SQLite would ignore it; raised below
            stopped.append(error)
        return len(stopped)

    with closing(sqlite3.connect(file)) as connection:
        connection.set_progress_handler(call_advance, _CHECKED_AT_ONCE)
        try:
            result = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            result = str(error)
    if stopped:
        raise stopped[0]
    if result != "ok":
        raise ReadError(
            f"the copy is damaged ({' '.join(result.split())}); check the database with `aggregator db check`"
        )


def _pack(plain: Path, packed: Path, progress: Progress) -> None:
    """Compress a file, sync the result and read it back from the disk."""
    size = plain.stat().st_size
    with progress("MiB", 2 * size // _PIECE) as advance:
        with plain.open("rb") as source, packed.open("wb") as target:
            packing = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
            with packing.stream_writer(target, size=size, closefd=False) as writer:
                for piece in pieces(source):
                    writer.write(piece)
                    advance(1)
        _sync(packed)
        with plain.open("rb") as source, packed.open("rb") as target:
            reading = zstandard.ZstdDecompressor().stream_reader(target)
            for piece in pieces(source):
                if reading.read(len(piece)) != piece:
                    raise ReadError(f"the disk of {packed.parent.parent} returns other data than written")
                advance(1)
            if reading.read(1):
                raise ReadError(f"the disk of {packed.parent.parent} returns more data than written")


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Read a file in pieces of 1 MiB."""
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
def scratch_in(folder: Path) -> Iterator[Path]:
    """Yield a hidden temporary folder in `folder`; first deletes those that killed processes left."""
    for old in folder.glob(f"{_SCRATCH}*"):
        with _locked(old) as is_locked:
            if is_locked:
                shutil.rmtree(old, ignore_errors=True)  # the next call tries again
    scratch = Path(mkdtemp(prefix=_SCRATCH, dir=folder))
    with _locked(scratch, new=True):
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch)


@contextmanager
def _locked(scratch: Path, *, new: bool = False) -> Iterator[bool]:
    """Lock a scratch folder; yields whether this process has the lock, which ends with the process."""
    try:
        descriptor = os.open(scratch / "lock", os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if new else 0), 0o600)
    except FileNotFoundError:  # not locked yet, or partly deleted
        yield scratch.is_dir() and time.time() - scratch.stat().st_mtime > _ABANDONED_SECONDS
        return
    except OSError:  # not a folder, or of another user in a shared temporary folder
        if new:
            raise
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_locked = True
    except BlockingIOError:
        is_locked = False
    try:
        yield is_locked
    finally:
        os.close(descriptor)
