"""`aggregator export` and `import`: the content of a database as JSON lines.

The first line has the format and revision, and the last line the number of rows, which shows that nothing is
missing. The lines between them are rows, `{"table": "story", "row": {...}}`, ordered by their keys, so that the same
content gives the same bytes on SQLite and PostgreSQL. After up to 500 rows of one table follows a checksum,
`{"crc32": 3632233996}`, of all lines since the last checksum.
"""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any
from zlib import crc32

import msgspec
import zstandard

from aggregator.admin.backup import replacing
from aggregator.model.structs import FrozenStruct
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import row_json, row_stream
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.migrate import newest_revision

VERSION = 1

_ZSTD_LEVEL = 6


class Head(FrozenStruct, omit_defaults=False):
    export: str
    version: int
    revision: str  # the newest migration of the tables


class Line(FrozenStruct):
    table: str = ""
    row: dict[str, Any] | None = None
    crc32: int | None = None
    rows: int | None = None  # only in the last line


def row_count(database: Database) -> int:
    """Return the number of rows of an export."""
    with database.read() as connection:
        return row_stream.count(connection)


def export_lines(database: Database, progress: Advance) -> Iterator[bytes]:
    """Yield the lines of a consistent export."""
    total = 0
    with database.read() as connection:
        lines = _as_line(
            {"export": "aggregator", "version": VERSION, "revision": newest_revision()}
        )
        yield lines
        before = crc32(lines)
        for table, rows in row_stream.batches(connection):
            name = str(table.name)
            lines = b"".join(
                _as_line({"table": name, "row": row_json.as_json(table, row)})
                for row in rows
            )
            yield lines + _as_line({"crc32": crc32(lines, before)})
            before = 0
            total += len(rows)
            progress(len(rows))
    yield _as_line({"rows": total})


def _as_line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"


@contextmanager
def create_file(
    path: Path,
) -> Iterator[gzip.GzipFile | IO[bytes] | zstandard.ZstdCompressionWriter]:
    """Yield a file that appears at `path` when it is complete, compressed if its name ends in .gz or .zst.

    Only this user can read it, because it contains full texts. Raises UsageError if it cannot be written.
    """
    with replacing(path, mode=0o600) as file, ExitStack() as packing:
        if path.suffix == ".gz":
            # Without a name and a time in the header, so that the same content gives the same file.
            yield packing.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0))
        elif path.suffix == ".zst":
            packer = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
            yield packing.enter_context(packer.stream_writer(file, closefd=False))
        else:
            yield file
