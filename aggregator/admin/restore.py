"""Filling a database: from a backup, or from another database. All of it, or nothing."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard

from aggregator.admin.backup_file import Progress, check_file, check_free_disk, pieces, scratch_in
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import (
    AnotherDaemonError,
    DatabaseTooNewError,
    NotWritableError,
    ReadError,
    UsageError,
)
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.process_lock import open_process_lock
from aggregator.store.maintenance import copy_database
from aggregator.store.migrate import check, clear, is_known, is_of_newer, make_file, revision_of, upgrade
from aggregator.store.search import index

_SQLITE_HEADER = b"SQLite format 3\0"
_EXPORT_BEGINS = b'{"export"'
_HEADER_BYTES = 18  # of zstd, at most: what it says of the size of the content
_INDEXED_A_TRANSACTION = 500


class RestoreResult(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What was put back: of which revision the backup was, and how many articles are there now."""

    revision: str
    articles: int


def restore(file: Path, database: Database, progress: Progress, *, replace: bool = False) -> RestoreResult:
    """Put a backup into a database of either kind; an older one is brought up to date on the way.

    The backup is unpacked and proven sound before the database is touched. Raises ReadError for a file that
    is no sound backup, DatabaseTooNewError for one of a newer program, UsageError where the database has
    content and `replace` is not asked for, AnotherDaemonError where a process works on it.
    """
    with _refusals_in_words(place := _place_for_scratch(database)), scratch_in(place) as scratch:
        plain = scratch / "restored.db"
        _unpack(file, plain, progress)
        source = Database(f"sqlite:///{plain}")
        try:
            revision = _made_ready(file, source, progress)
            advice = "name a new one (--database sqlite:///new.db), or say --replace to lose what is in it"
            _fill(database, source, progress, replace=replace, advice=advice)
        finally:
            source.close()
    with database.read() as connection:
        return RestoreResult(revision=revision, articles=copy_database.article_count(connection))


def copy(source: Database, target: Database, progress: Progress) -> bool:
    """All of a database into another, empty one of either kind. False: a daemon works on the source.

    What comes into the source from then on is not in the copy. Raises UsageError where the target has
    content, DatabaseOutdatedError where the source is of another version, AnotherDaemonError where a process
    works on the target.
    """
    check(source)
    lock = open_process_lock(source)
    alone = lock.acquire()
    try:
        _fill(target, source, progress, advice="name a new one (on Postgres: createdb NAME)")
    finally:
        lock.release()
    return alone


# --- what is put back --------------------------------------------------------------------------------------


def _place_for_scratch(database: Database) -> Path:
    """Where there is to be room for all of it, unpacked."""
    if database.file is None:
        return Path(tempfile.gettempdir())
    with _refusals_in_words(database.file.parent):
        database.file.parent.mkdir(parents=True, exist_ok=True)
    return database.file.parent


@contextmanager
def _refusals_in_words(place: Path) -> Iterator[None]:
    """What the system refuses where the backup is unpacked."""
    try:
        yield
    except OSError as error:
        raise NotWritableError(f"{place} cannot be written: {error.strerror or error}") from error


def _unpack(file: Path, plain: Path, progress: Progress) -> None:
    """A backup as a plain SQLite file of our own; the backup stays as it is."""
    try:
        with file.open("rb") as opened:
            beginning = opened.read(len(_SQLITE_HEADER))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if beginning.startswith(_EXPORT_BEGINS):
        raise ReadError(f"{file} is no backup but an export: `aggregator import` reads it")
    if beginning == _SQLITE_HEADER:
        _take_over(file, plain, progress)
    else:
        _unzip(file, plain, progress)


def _take_over(file: Path, plain: Path, progress: Progress) -> None:
    """An unpacked one by SQLite itself: what stands in a log beside it belongs to it."""
    check_free_disk(plain.parent, file.stat().st_size)
    given = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    target = sqlite3.connect(plain)
    try:
        total = given.execute("PRAGMA page_count").fetchone()[0]
        with progress("pages", total) as advance:
            copy_database.step_through(given, target, advance)
    except sqlite3.OperationalError as error:  # no room, a log beside it that cannot be opened
        raise NotWritableError(f"{file} cannot be unpacked in {plain.parent}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise ReadError(f"{file} is no sound backup: {error}") from error
    finally:
        target.close()
        given.close()


def _unzip(file: Path, plain: Path, progress: Progress) -> None:
    done = 0
    try:
        with file.open("rb") as packed, plain.open("xb") as target:
            said = zstandard.get_frame_parameters(packed.read(_HEADER_BYTES)).content_size
            size = None if said == zstandard.CONTENTSIZE_UNKNOWN else said  # ours say it
            packed.seek(0)
            check_free_disk(plain.parent, size or 0)
            unpacking = zstandard.ZstdDecompressor().stream_reader(packed)
            with progress("MiB", size and size >> 20) as advance, unpacking:
                for piece in pieces(unpacking):
                    target.write(piece)
                    done += len(piece)
                    advance(1)
    except OSError as error:
        raise NotWritableError(f"{file} cannot be unpacked in {plain.parent}: {error.strerror}") from error
    except zstandard.ZstdError as error:
        raise ReadError(f"{file} is damaged, or no backup: {error}") from error
    if size is not None and done != size:
        raise ReadError(f"{file} is cut off: {done:,} of {size:,} bytes; take another backup")


def _made_ready(file: Path, source: Database, progress: Progress) -> str:
    """The unpacked backup, sound and at the revision of this program; its own revision."""
    assert source.file is not None
    with source.file.open("rb") as opened:
        beginning = opened.read(len(_SQLITE_HEADER))
    if beginning != _SQLITE_HEADER:
        also = " but an export: `aggregator import` reads it" if beginning.startswith(_EXPORT_BEGINS) else ""
        raise ReadError(f"{file} is no backup{also}")
    with progress("checks", None) as advance:
        check_file(source.file, advance)
    revision = revision_of(source)
    if revision is None:
        raise ReadError(f"{file} is a database, but none of this program")
    if not is_known(revision):
        raise DatabaseTooNewError(
            f"{file} was made by a newer aggregator (revision {revision}); install that one, then restore it"
        )
    upgrade(source)
    return revision


# --- how a database is filled ------------------------------------------------------------------------------


def _fill(
    target: Database, source: Database, progress: Progress, *, replace: bool = False, advice: str
) -> None:
    """All that `source` holds into `target`, whose lock is held meanwhile. `advice`: where that is filled."""
    replaces_pages = target.is_sqlite and source.is_sqlite
    make_file(target, anew=True)
    is_cleared = not replaces_pages and replace and is_of_newer(target)
    if not (replaces_pages or is_cleared):
        upgrade(target)
    with _alone(target):
        if is_cleared:
            clear(target)
            upgrade(target)
        if not replace:
            _refuse_content(target, advice)
        if replaces_pages:
            with progress("pages", copy_database.page_count(source)) as advance:
                copy_database.take_pages(target, source, advance)
            target.checkpoint_log()
            return
        with source.read() as read, target.write(durable=True, unhurried=True) as written:
            if replace:
                copy_database.empty(written)
            with progress("rows", copy_database.row_count(read)) as advance:
                copy_database.copy_rows(read, written, advance)
        _index(target, progress)


def _refuse_content(database: Database, advice: str) -> None:
    with database.read() as connection:
        if copy_database.has_content(connection):
            raise UsageError(f"the database {shown_url(database.url)} is not empty; {advice}")


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    lock = open_process_lock(database)
    if not lock.acquire():
        raise AnotherDaemonError(
            f"another process works on {shown_url(database.url)}; stop it, then type this again"
        )
    try:
        yield
    finally:
        lock.release()


def _index(database: Database, progress: Progress) -> None:
    """The full-text index anew; broken off, a daemon goes on with it."""
    with database.read() as connection:
        total = index.unindexed_count(connection)
    with progress("articles indexed", total) as advance:
        done = _INDEXED_A_TRANSACTION
        while done == _INDEXED_A_TRANSACTION:
            with database.write() as connection:
                done = index.index_older(connection, _INDEXED_A_TRANSACTION)
            advance(done)
