"""`aggregator export` and `import`: all that a database holds, as JSON lines.

The first line says what it is, the last one how many rows came before it, so that a file that was cut off is
not taken for a whole one. Between them a line is a row: `{"table": "story", "row": {...}}`. Rows come in the
order of their keys, so the same content gives the same bytes, from whichever kind of database.
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
from aggregator.store.migrate import newest_revision
from aggregator.store.search import index
from aggregator.store.stories import outbox

VERSION = 1
_ROWS_AT_ONCE = 500
_PAIRS = "lsh_band"  # 42 short rows an article: so many of them share a line
_ZSTD_LEVEL = 6

Progress = Callable[[int], object]  # hears how many rows more are done


class Writable(Protocol):
    """What lines are written to."""

    def write(self, data: bytes, /) -> object: ...


class _Head(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    export: str
    version: int
    revision: str  # of the tables, as migrations count them
    incomplete: bool = False  # of a damaged file: what refers to lost rows is no mistake


class _Line(FrozenStruct, frozen=True, kw_only=True):
    table: str = ""
    row: dict[str, Any] | None = None
    pairs: tuple[tuple[int, int], ...] = ()
    rows: int | None = None  # only in the last line


# --- out ---------------------------------------------------------------------------------------------------


def row_count(database: Database) -> int:
    """How many rows an export has."""
    with database.read() as connection:
        return dump_rows.count(connection)


def exported(database: Database, progress: Progress) -> Iterator[bytes]:
    """The lines of an export, of one state of the database."""
    yield _first_line()
    yield from _lines_of(database, dump_rows.read, progress)


def salvaged(database: Database, progress: Progress, lost: Counter[str]) -> Iterator[bytes]:
    """As `exported`, of a damaged SQLite file; `lost` counts by table what cannot be read, at the least."""

    def read(connection: Connection, name: str) -> Iterator[dump_rows.Values]:
        for row in dump_rows.read_what_is_left(connection, name):
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
    """A file that is there when all of it is, packed as its name says: .gz, .zst. Raises UsageError.

    It is for this user alone: it holds full texts, and hashes of tokens.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb", opener=partial(os.open, mode=0o600)) as file:
            with ExitStack() as packing:
                yield _packed(path, file, packing)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)


def _packed(path: Path, file: IO[bytes], packing: ExitStack) -> Writable:
    if path.suffix == ".gz":
        # Without its name and its time, so that the same content is the same file.
        return packing.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
    if path.suffix == ".zst":
        writer = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).stream_writer(file, closefd=False)
        return packing.enter_context(writer)
    return file


# --- in ----------------------------------------------------------------------------------------------------


@contextmanager
def opened(name: str) -> Iterator[Iterable[bytes]]:
    """The lines of a file, unpacked as its name says; `-` is standard input.

    Raises UsageError where it cannot be read, or is of another version, ReadError where it is no export.
    """
    if name == "-":
        yield _begun(sys.stdin.buffer)
        return
    path = Path(name)
    try:
        with ExitStack() as open_files:
            file = open_files.enter_context(path.open("rb"))
            if path.suffix == ".gz":
                yield _begun(open_files.enter_context(gzip.GzipFile(fileobj=file)))
            elif path.suffix == ".zst":
                stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
                yield _begun(_lines(open_files.enter_context(stream)))
            else:
                yield _begun(file)
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise UsageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _begun(lines: Iterable[bytes]) -> Iterable[bytes]:
    """The same lines, of which the first one has been looked at."""
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
    """Put all rows of an export into a database that is empty; returns how many. All of them, or none.

    Of an incomplete one what fits the tables and does not refer to a lost row; `left_out` counts the others
    by table. Raises UsageError where the database is not empty
    or the export is of another version, ReadError for a line that is no part of an export, AnotherDaemonError
    where a daemon runs.
    """
    incoming = iter(lines)
    first = next(incoming, b"")
    put = dump_rows.put_what_fits if _head(first).incomplete else _put
    lock = open_process_lock(database)
    if not lock.acquire():
        raise AnotherDaemonError("another process writes to this database; stop it, then import")
    try:
        with database.write(durable=True, unhurried=True) as connection:
            if not dump_rows.is_empty(connection):
                raise UsageError("this database is not empty; name a new one: --database sqlite:///new.db")
            total = 0
            lost = Counter[str]() if left_out is None else left_out
            for name, chunk in _chunks(chain([first], incoming), lost):
                done = put(connection, name, chunk)
                total += done
                if done < len(chunk):
                    lost[name] += len(chunk) - done
                progress(len(chunk))
            dump_rows.continue_numbers(connection)
            outbox.skip_backlog(connection)  # what came with the import is no news
        _index(database)
    finally:
        lock.release()
    return total


def _put(connection: Connection, name: str, chunk: Sequence[dump_rows.Values]) -> int:
    dump_rows.put(connection, name, chunk)
    return len(chunk)


def _index(database: Database) -> None:
    """The full-text index, made anew."""
    more = True
    while more:
        with database.write() as connection:
            more = bool(index.index_next(connection, _ROWS_AT_ONCE))


def _chunks(lines: Iterable[bytes], lost: Counter[str]) -> Iterator[tuple[str, list[dump_rows.Values]]]:
    """Rows of one table after the other, so many at once."""
    for name, parts in groupby(_rows(lines, lost), key=lambda part: part[0]):
        while chunk := [row for _, row in islice(parts, _ROWS_AT_ONCE)]:
            yield name, chunk


def _rows(lines: Iterable[bytes], lost: Counter[str]) -> Iterator[tuple[str, dump_rows.Values]]:
    """Each row with its table, checked. Raises ReadError for what is no whole export.

    A row of an incomplete one that does not fit its table is left out, and counted in `lost`.
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
            if line.table not in names:
                raise ReadError(f"there is no table {line.table!r}")
            given = [line.row] if line.row is not None else [{"band": b, "article": n} for b, n in line.pairs]
            for row in given:
                try:
                    values = dump_rows.checked(line.table, row)
                except ReadError:
                    if not head.incomplete:
                        raise
                    lost[line.table] += 1
                    continue
                yield line.table, values
        except (msgspec.DecodeError, ReadError) as error:
            raise ReadError(f"line {number}: {error}; nothing was imported") from error
        count += len(given)
    raise ReadError(f"the export ends after {counted(count, 'row')} without its last line: it was cut off")


def _head(raw: bytes) -> _Head:
    """Raises ReadError for what is no export, UsageError for one of another version."""
    try:
        head = msgspec.json.decode(raw, type=_Head)
    except msgspec.DecodeError as error:
        raise ReadError("line 1: this is no export; `aggregator ingest` reads articles") from error
    if head.export != "aggregator" or head.version > VERSION or head.revision != newest_revision():
        raise UsageError(
            f"the export was made at revision {head.revision}, this program is at {newest_revision()}: "
            "import it with the version that made it, then type `aggregator db upgrade` with this one"
        )
    return head


def _check_end(said: int, count: int, after: object) -> None:
    if said != count:
        raise ReadError(f"the export says that it has {counted(said, 'row')}, and has {count:,}")
    if after is not None:
        raise ReadError("there is more after the last line of the export")
