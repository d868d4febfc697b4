"""Reads an export into an empty database."""

import logging
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, groupby, islice
from operator import itemgetter
from pathlib import Path
from zlib import crc32

import msgspec

from aggregator.admin.export_file import VERSION, Head, Line
from aggregator.config.messages import pluralise
from aggregator.model.errors import ReadError, UsageError
from aggregator.sources.parse.streams import file_stream
from aggregator.sources.parse.streams.file_stream import Progress, decompress_stream
from aggregator.store.deliveries import recipients
from aggregator.store.engine.database import Database
from aggregator.store.engine.process_lock import exclusively
from aggregator.store.maintenance import older_rows, row_json, row_stream
from aggregator.store.maintenance.row_stream import Advance, Batch
from aggregator.store.migrate import is_newer, newest_revision
from aggregator.store.read import change_stream
from aggregator.store.search import index
from aggregator.store.stories import (
    rendered_stories,
    storyline_mutes,
    storyline_rows,
)
from aggregator.store.tables import Values, metadata

log = logging.getLogger(__name__)

_FIRST_RELEASE = 46  # the revision of 0.1.0
_NamedRow = tuple[str, Values]  # the name of a table, and a row of it


@contextmanager
def open_lines(name: str) -> Iterator[Iterable[bytes]]:
    """Yield the lines of a file, decompressed; `-` is standard input.

    Raises UsageError if the file is missing or of a version that cannot be imported, and ReadError if it is damaged
    or not an export.
    """
    if name != "-" and not Path(name).is_file():
        raise UsageError(f"{name} cannot be read: there is no such file")
    with (
        decompress_stream(sys.stdin.buffer, Progress())
        if name == "-"
        else file_stream.open_decompressed(name, Progress()) as lines
    ):
        first = next(lines, b"")
        if lines.damage:
            raise UsageError(f"{name} cannot be read: {lines.damage[0]}")
        _revision_of(first)
        yield chain([first], lines)


def import_into(database: Database, lines: Iterable[bytes], progress: Advance) -> int:
    """Import an export into an empty database, in one transaction; return the number of rows.

    Raises UsageError if the database is not empty or the export is of a version that cannot be imported, ReadError
    for an invalid line, and AnotherDaemonError if a daemon runs.
    """
    numbered = enumerate(lines, 1)
    head = next(numbered, (1, b""))[1]
    revision = _revision_of(head)
    with exclusively(
        database, "another process uses this database; stop it, then import again"
    ):
        with database.write(durable=True, unhurried=True) as connection:
            if not row_stream.is_empty(connection):
                raise UsageError(
                    "this database is not empty; use a new one: --database sqlite:///new.db"
                )
            rows = _rows(numbered, revision, crc32(head))
            if revision < "0048":
                rows = _observed_once(rows)
            total = row_stream.write_all(connection, _batches(rows), progress)
            # The program of an older export rendered stories by other rules.
            if revision != newest_revision():
                rendered_stories.clear_rendered(connection)
            if revision < "0050":  # older programs had no storylines
                storyline_rows.compare_all(connection)
            if revision < "0056":  # older programs muted whatever a storyline had
                storyline_mutes.hide_present(connection)
            # Imported stories are not sent to webhooks.
            recipients.skip(connection, 0, change_stream.last_number(connection))
        index.index_until(database, index.index_older)
    return total


def _batches(rows: Iterable[_NamedRow]) -> Iterator[Batch]:
    for name, parts in groupby(rows, key=itemgetter(0)):
        while chunk := [row for _, row in islice(parts, row_stream.AT_ONCE)]:
            yield Batch(metadata.tables[name], chunk)


def _observed_once(rows: Iterable[_NamedRow]) -> Iterator[_NamedRow]:
    """Yield the rows with one observation for each article and source; older exports have one for each content."""
    for (name, _, _), parts in groupby(
        rows, key=lambda row: (row[0], row[1].get("article"), row[1].get("source"))
    ):
        values = [row for _, row in parts]
        if name == "observation":
            values = [dict(older_rows.observed_once(values))]
        yield from ((name, row) for row in values)


def _rows(
    numbered: Iterator[tuple[int, bytes]], revision: str, checksum: int
) -> Iterator[_NamedRow]:
    """Yield (table, row) after a check of each row. Raises ReadError for an invalid or damaged export.

    `revision` is the revision of the export, and `checksum` the CRC of its first line. Former tables are skipped with
    a warning, and former columns without one. A row may be yielded before the checksum that shows that it is damaged.
    """
    names = {table.name for table in row_stream.tables()}
    count = 0
    checked = 0  # the last line that a checksum confirmed
    former = Counter[str]()
    for number, raw in numbered:
        try:
            line = msgspec.json.decode(raw, type=Line)
            if line.rows is not None:
                if line.rows != count:
                    raise ReadError(
                        f"the last line of the export declares {pluralise(line.rows, 'row')}, but it has {count:,}"
                    )
                if next(numbered, None) is not None:
                    raise ReadError(
                        "there are more lines after the last line of the export"
                    )
                for table, rows in former.items():
                    log.warning(
                        "skipped %s of the table %s, which this version does not have",
                        pluralise(rows, "row"),
                        table,
                        extra={"event": "former_rows_skipped"},
                    )
                return
            if line.crc32 is not None:
                if line.crc32 != checksum:
                    raise ReadError(
                        f"one of the lines {checked + 1:,} to {number - 1:,} is damaged or missing"
                    )
                checksum, checked = 0, number
                continue
            checksum = crc32(raw, checksum)
            if line.row is not None:
                count += 1
                if line.table not in names:
                    former[line.table] += 1
                    continue
                if line.table == "known_items" and revision < "0048":
                    # Instead, each feed is read whole once, which computes the keys of its items.
                    continue
                yield line.table, row_json.check_row(line.table, line.row)
        except (msgspec.DecodeError, ReadError) as error:
            raise ReadError(f"line {number}: {error}; nothing was imported") from error
    raise ReadError(
        f"the export is truncated: it ends after {pluralise(count, 'row')} without its last line"
    )


def _revision_of(raw: bytes) -> str:
    """Return the revision that the first line names.

    Raises ReadError if it is not the first line of an export, and UsageError if the export is of a newer version or
    older than 0.1.0.
    """
    try:
        head = msgspec.json.decode(raw, type=Head)
    except msgspec.DecodeError as error:
        raise ReadError(
            "line 1: this is not an export; read articles with `aggregator ingest`"
        ) from error
    if head.export != "aggregator" or head.version > VERSION or is_newer(head.revision):
        raise UsageError(
            f"the export has revision {head.revision}, this version has {newest_revision()}: "
            "import it with the version that made it"
        )
    if head.revision.isdigit() and int(head.revision) < _FIRST_RELEASE:
        raise UsageError(
            f"the export has revision {head.revision}, of a program before 0.1.0: import it with 0.1.0 into a "
            "new database, and export that (docs/install.md)"
        )
    return head.revision
