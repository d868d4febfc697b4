"""`aggregator export` and `import`: the content of a database as JSON lines.

The first line has the format and revision, the last one the number of rows, by which a truncated file is
recognised. Each line between them is a row: `{"table": "story", "row": {...}}`. Rows are ordered by their
keys, so the same content gives the same bytes on SQLite and PostgreSQL.
"""

import gzip
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain, groupby, islice
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec
import zstandard

from aggregator.config.messages import counted
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import AnotherDaemonError, ReadError, UsageError
from aggregator.store.engine.database import Connection, Database
from aggregator.store.engine.process_lock import open_process_lock
from aggregator.store.maintenance import dump_rows
from aggregator.store.migrate import is_known, newest_revision, revision_of
from aggregator.store.search import index
from aggregator.store.stories import outbox
from aggregator.store.upgrade_0018 import REVISION_BEFORE_0_1, renamed_rows

VERSION = 1
_ROWS_AT_ONCE = 500
_PAIRS = "lsh_band"  # the table with 42 short rows per article: several rows share a line
_ZSTD_LEVEL = 6

Progress = Callable[[int], object]  # called with the number of further rows that are done


class Writable(Protocol):
    """A target for the lines of an export."""

    def write(self, data: bytes, /) -> object: ...


class _Head(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    export: str
    version: int
    revision: str  # of the tables, as migrations count them
    incomplete: bool = False  # salvaged from a damaged file: rows may refer to lost rows


class _Line(FrozenStruct, frozen=True, kw_only=True):
    table: str = ""
    row: dict[str, Any] | None = None
    pairs: tuple[tuple[int, int], ...] = ()
    rows: int | None = None  # only in the last line


# --- export ------------------------------------------------------------------------------------------------


def row_count(database: Database) -> int:
    """Return the number of rows of an export."""
    with database.read() as connection:
        return dump_rows.count(connection)


def exported(database: Database, progress: Progress) -> Iterator[bytes]:
    """Yield the lines of a consistent export."""
    yield _first_line()
    yield from _lines_of(database, dump_rows.read, progress)


def salvaged(database: Database, progress: Progress, lost: Counter[str]) -> Iterator[bytes]:
    """Yield the lines of an export of a damaged SQLite file, which may be at an earlier revision.

    `lost` counts unreadable rows by table. It is a lower bound.
    """
    is_0018 = revision_of(database) == REVISION_BEFORE_0_1

    def read(connection: Connection, name: str) -> Iterator[dump_rows.Values]:
        for row in dump_rows.read_what_is_left(connection, name, is_0018=is_0018):
            if row is None:
                lost[name] += 1
            else:
                yield row

    yield _first_line(incomplete=True)
    yield from _lines_of(database.lossy_text(), read, progress)


def _first_line(**more: bool) -> bytes:
    return _as_line({"export": "aggregator", "version": VERSION, "revision": newest_revision(), **more})


def _lines_of(
    database: Database, read: Callable[[Connection, str], Iterator[dump_rows.Values]], progress: Progress
) -> Iterator[bytes]:
    total = 0
    with database.read() as connection:
        for name in dump_rows.tables():
            found = read(connection, name)
            while chunk := list(islice(found, _ROWS_AT_ONCE)):
                if name == _PAIRS:
                    yield _as_line({"table": name, "pairs": [[row["band"], row["article"]] for row in chunk]})
                else:
                    yield b"".join(_as_line({"table": name, "row": row}) for row in chunk)
                total += len(chunk)
                progress(len(chunk))
    yield _as_line({"rows": total})


def _as_line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"


@contextmanager
def written(path: Path) -> Iterator[Writable]:
    """Write a file that appears when it is complete, compressed if its name ends in .gz or .zst.

    Only this user can read it: it contains full texts. Raises UsageError if it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb", opener=partial(os.open, mode=0o600)) as file:
            with ExitStack() as packing:
                yield _packed(path, file, packing)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _packed(path: Path, file: IO[bytes], packing: ExitStack) -> Writable:
    if path.suffix == ".gz":
        # Without a name and a time in the header, so that the same content gives the same file.
        return packing.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
    if path.suffix == ".zst":
        writer = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).stream_writer(file, closefd=False)
        return packing.enter_context(writer)
    return file


# --- import ------------------------------------------------------------------------------------------------


@contextmanager
def opened(name: str) -> Iterator[Iterable[bytes]]:
    """Yield the lines of a file, decompressed by its suffix; `-` is standard input.

    Raises UsageError if it cannot be read or is of another version, ReadError if it is not an export.
    """
    if name == "-":
        yield _head_checked(sys.stdin.buffer)
        return
    path = Path(name)
    try:
        with ExitStack() as open_files:
            file = open_files.enter_context(path.open("rb"))
            if path.suffix == ".gz":
                yield _head_checked(open_files.enter_context(gzip.GzipFile(fileobj=file)))
            elif path.suffix == ".zst":
                stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
                yield _head_checked(_lines(open_files.enter_context(stream)))
            else:
                yield _head_checked(file)
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise UsageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _head_checked(lines: Iterable[bytes]) -> Iterable[bytes]:
    """Check the first line; returns all lines."""
    incoming = iter(lines)
    first = next(incoming, b"")
    _head(first)
    return chain([first], incoming)


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while part := stream.read(1 << 20):
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest


def import_into(
    database: Database, lines: Iterable[bytes], progress: Progress, left_out: Counter[str] | None = None
) -> int:
    """Import an export into an empty database, in one transaction; returns the number of rows.

    Of an incomplete export, rows that are damaged or refer to lost rows are skipped; `left_out` counts them
    by table. Raises UsageError if the database is not empty or the export is of another version, ReadError
    for an invalid line, AnotherDaemonError if a daemon runs.
    """
    incoming = iter(lines)
    first = next(incoming, b"")
    head = _head(first)
    put = dump_rows.put_what_fits if head.incomplete else _put
    lock = open_process_lock(database)
    if not lock.acquire():
        raise AnotherDaemonError("another process uses this database; stop it, then import again")
    try:
        with database.write(durable=True, unhurried=True) as connection:
            if not dump_rows.is_empty(connection):
                raise UsageError("this database is not empty; use a new one: --database sqlite:///new.db")
            total = 0
            lost = Counter[str]() if left_out is None else left_out
            for name, chunk in _chunks(chain([first], incoming), lost):
                done = put(connection, name, chunk)
                total += done
                if done < len(chunk):
                    lost[name] += len(chunk) - done
                progress(len(chunk))
            if head.revision < "0022":
                dump_rows.count_unknown_outlets(connection)
            if head.revision < "0024":
                dump_rows.restate_dates(connection)
            dump_rows.continue_numbers(connection)
            outbox.skip_backlog(connection)  # webhooks do not report imported stories
        _index(database)
    finally:
        lock.release()
    return total


def _put(connection: Connection, name: str, chunk: Sequence[dump_rows.Values]) -> int:
    dump_rows.put(connection, name, chunk)
    return len(chunk)


def _index(database: Database) -> None:
    """Rebuild the full-text index."""
    more = True
    while more:
        with database.write() as connection:
            more = bool(index.index_next(connection, _ROWS_AT_ONCE))


def _chunks(lines: Iterable[bytes], lost: Counter[str]) -> Iterator[tuple[str, list[dump_rows.Values]]]:
    """Yield (table, rows), at most `_ROWS_AT_ONCE` rows at a time."""
    for name, parts in groupby(_rows(lines, lost), key=lambda part: part[0]):
        while chunk := [row for _, row in islice(parts, _ROWS_AT_ONCE)]:
            yield name, chunk


def _rows(lines: Iterable[bytes], lost: Counter[str]) -> Iterator[tuple[str, dump_rows.Values]]:
    """Yield (table, row) after a check of each row. Raises ReadError for an invalid or truncated export.

    Invalid rows of an incomplete export are skipped and counted in `lost`.
    """
    numbered = enumerate(lines, 1)
    head = _head(next(numbered, (1, b""))[1])
    names = frozenset(dump_rows.tables())
    count = 0
    for number, raw in numbered:
        try:
            line = msgspec.json.decode(raw, type=_Line)
            if line.rows is not None:
                _check_end(line.rows, count, next(numbered, None))
                return
            table = line.table
            rows = [line.row] if line.row is not None else [{"band": b, "article": n} for b, n in line.pairs]
            if head.revision == REVISION_BEFORE_0_1:
                table, rows = renamed_rows(table, rows)
            if table not in names:
                raise ReadError(f"there is no table {table!r}")
            for row in rows:
                try:
                    values = dump_rows.checked(table, row)
                except ReadError:
                    if not head.incomplete:
                        raise
                    lost[table] += 1
                    continue
                yield table, values
        except (msgspec.DecodeError, ReadError) as error:
            raise ReadError(f"line {number}: {error}; nothing was imported") from error
        count += len(rows)
    raise ReadError(f"the export is truncated: it ends after {counted(count, 'row')} without its last line")


def _head(raw: bytes) -> _Head:
    """Parse the first line. Raises ReadError if it is not of an export, UsageError for another version."""
    try:
        head = msgspec.json.decode(raw, type=_Head)
    except msgspec.DecodeError as error:
        raise ReadError("line 1: this is not an export; read articles with `aggregator ingest`") from error
    if head.export != "aggregator" or head.version > VERSION or not is_known(head.revision):
        raise UsageError(
            f"the export has revision {head.revision}, this version has {newest_revision()}: "
            "import it with the version that made it, then run `aggregator db upgrade` with this version"
        )
    return head


def _check_end(declared: int, count: int, after: object) -> None:
    if declared != count:
        raise ReadError(
            f"the last line of the export declares {counted(declared, 'row')}, but it has {count:,}"
        )
    if after is not None:
        raise ReadError("there are more lines after the last line of the export")
