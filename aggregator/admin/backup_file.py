"""One backup as a file: made beside its place, synced, read back from the disk, and only then named.

Whatever kind of database it was made of, it is an SQLite file with all tables in it, packed: `restore.py`
puts it into either kind, and anybody can look into it.
"""

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import IO

import zstandard

from aggregator.model.errors import NotWritableError, ReadError, UsageError
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import copy_database
from aggregator.store.migrate import upgrade

PACKED, PLAIN = ".db.zst", ".db"
SPARE_BYTES = 100 << 20  # stay free whatever is written: below that the daemon does not start (hardening P3)
_LEVEL = 3  # of zstd: its own default (chosen)
_PACKED_SHARE = 0.8  # of the plain size that a packed one takes at most; measured: .55
_PIECE = 1 << 20
_CHECKED_AT_ONCE = 500_000  # of SQLite's own steps, some milliseconds
_SCRATCH = ".aggregator-"
_LEFT_SECONDS = 86_400  # a scratch folder without its lock is nobody's after that

Advance = Callable[[int], object]  # hears how many are done; what it raises ends the work and leaves nothing
Progress = Callable[[str, int | None], AbstractContextManager[Advance]]  # of what, and how many


def back_up(database: Database, file: Path, progress: Progress) -> None:
    """One state of a database as `file`, packed unless it ends in .db; a daemon may go on meanwhile.

    The file is there when all of it was read back from the disk. Raises UsageError for another ending,
    NotWritableError where there is no room, AggregatorError where the copy is not sound.
    """
    packed = file.name.endswith(PACKED)
    if not packed and not file.name.endswith(PLAIN):
        raise UsageError(f"{file}: a backup's name ends in {PACKED}, or in {PLAIN} to leave it unpacked")
    try:
        if file.with_name(f"{file.name}-wal").exists() or _is_file_of(database, file):
            raise UsageError(f"{file} is a database that is in use; name another file")
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
    except OSError as error:
        raise NotWritableError(f"{file} cannot be written: {error.strerror or error}") from error
    except sqlite3.OperationalError as error:  # no room, among others
        raise NotWritableError(f"{file} cannot be written: {error}") from error
    except sqlite3.DatabaseError as error:
        raise ReadError(f"the database cannot be read: {error}; `aggregator db check` looks at it") from error


def _is_file_of(database: Database, file: Path) -> bool:
    return database.file is not None and file.exists() and file.samefile(database.file)


def bytes_needed(database: Database, *, packed: bool) -> int:
    """What has to be free for a backup to be made."""
    return int(copy_database.size_bytes(database) * (1 + _PACKED_SHARE if packed else 1))


def check_free_disk(folder: Path, needed: int) -> None:
    """Raise NotWritableError unless so many bytes have room there, with some to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise NotWritableError(
            f"{folder} has {_mib(free)} free, and {_mib(needed + SPARE_BYTES)} are needed: make room there, "
            "or name another place (a backup's is `--to FOLDER`, or `backup: folder:` in config.yaml)"
        )


def _mib(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"


def _copy(database: Database, plain: Path, progress: Progress) -> None:
    """All of a database as one SQLite file, synced and checked."""
    if database.is_sqlite:
        with progress("pages", copy_database.page_count(database)) as advance, _raw(plain) as target:
            copy_database.copy_pages(database, target, advance)
    else:
        _copy_server(database, plain, progress)
    with _raw(plain) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
    with progress("checks", None) as advance:
        check_file(plain, advance)
    _sync(plain)


def _copy_server(database: Database, plain: Path, progress: Progress) -> None:
    copy = Database(f"sqlite:///{plain}")
    try:
        upgrade(copy)
        with database.read() as source, copy.engine.connect() as target:
            with progress("rows", copy_database.row_count(source)) as advance:

                def kept(count: int) -> None:
                    target.commit()  # it has no name yet; in one piece the log would grow as large
                    advance(count)

                copy_database.copy_rows(source, target, kept)
            target.commit()
    finally:
        copy.close()


def check_file(file: Path, advance: Advance) -> None:
    """Raise ReadError unless SQLite finds its file sound. `advance` hears that it goes on, or stops it."""
    stopped: list[BaseException] = []

    def goes_on() -> int:
        try:
            advance(1)
        except BaseException as error:  # noqa: BLE001 - SQLite would swallow it: raised below
            stopped.append(error)
        return len(stopped)

    with _raw(file) as connection:
        connection.set_progress_handler(goes_on, _CHECKED_AT_ONCE)
        try:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            found = str(error)
    if stopped:
        raise stopped[0]
    if found != "ok":
        raise ReadError(f"the copy is damaged: {found}; `aggregator db check` looks at the database itself")


def _pack(plain: Path, packed: Path, progress: Progress) -> None:
    """The file packed, and read back from the disk."""
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
                    raise ReadError(f"the disk does not give back what was written to {packed.parent.parent}")
                advance(1)
            if reading.read(1):
                raise ReadError(f"the disk gives back more than was written to {packed.parent.parent}")


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file, 1 MiB at a time."""
    while piece := file.read(_PIECE):
        yield piece


@contextmanager
def _raw(file: Path) -> Iterator[sqlite3.Connection]:
    """SQLite's own connection to a file of ours."""
    connection = sqlite3.connect(file)
    try:
        yield connection
    finally:
        connection.close()


def _sync(file: Path) -> None:
    """On the disk, and no more in the system's memory: who reads it now reads the disk."""
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
    """A hidden folder that goes at the end; what killed processes left there goes at the beginning."""
    for left in folder.glob(f"{_SCRATCH}*"):
        with _held(left) as mine:
            if mine:
                shutil.rmtree(left, ignore_errors=True)  # what cannot go now may go the next time
    scratch = Path(mkdtemp(prefix=_SCRATCH, dir=folder))
    with _held(scratch, new=True):
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch)


@contextmanager
def _held(scratch: Path, *, new: bool = False) -> Iterator[bool]:
    """Whether a folder of scratch files is ours; that dies with its process."""
    try:
        descriptor = os.open(scratch / "lock", os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if new else 0), 0o600)
    except FileNotFoundError:  # it was not locked yet, or is half removed
        yield scratch.is_dir() and time.time() - scratch.stat().st_mtime > _LEFT_SECONDS
        return
    except OSError:  # no folder, or another user's: many share the system's one for scratch
        if new:
            raise
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine = True
    except BlockingIOError:
        mine = False
    try:
        yield mine
    finally:
        os.close(descriptor)
