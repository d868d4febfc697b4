"""Sorts the articles of an archive by time, whatever its size and order.

Grouping compares an article with recent articles, so a year in random order would be split into too many stories. A
file is read once, into a temporary table of SQLite.
"""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import msgspec
import zstandard
from msgspec.structs import replace

from aggregator.model.errors import NotWritableError
from aggregator.sources.parse.files.input_items import InputEntry, InputProblem
from aggregator.sources.parse.streams.file_stream import Progress

# At this level, zstd is as fast as a disk
_LEVEL = 1
Sortable = InputEntry | InputProblem


def sort_by_time(
    items: Iterator[Sortable], progress: Progress, *, as_one_file: bool = False
) -> Iterator[Sortable]:
    """Yield the items of each file, or of all files as if they were one, the oldest first.

    A problem, or an item without a time, stays after the item before it. `progress` is set to the share of a file
    that was yielded, not read. Raise NotWritableError if the temporary table cannot be written; SQLite writes it to
    a file if it is large.
    """
    before = progress.read_bytes
    for _, items_of_file in itertools.groupby(
        items, key=lambda item: "" if as_one_file else item.file
    ):
        with closing(sqlite3.connect("", isolation_level=None)) as table:
            count = _fill(table, items_of_file)
            file_bytes = progress.read_bytes - before
            if as_one_file:
                progress.total_bytes = progress.read_bytes
            rows = table.execute("SELECT data FROM item ORDER BY time, number")
            for number, (data,) in enumerate(rows, start=1):
                progress.read_bytes = before + file_bytes * number // count
                yield msgspec.msgpack.decode(zstandard.decompress(data), type=Sortable)
        before += file_bytes


def _fill(table: sqlite3.Connection, items: Iterator[Sortable]) -> int:
    """Write the items, numbered, into a new table with an index by time; return their number."""
    number = 0
    seconds = None
    packer = zstandard.ZstdCompressor(level=_LEVEL)
    try:
        table.execute("PRAGMA journal_mode = OFF")
        table.execute(
            "CREATE TABLE item (number INTEGER PRIMARY KEY, time REAL, data BLOB)"
        )
        for number, item in enumerate(items, start=1):
            if isinstance(item, InputEntry):
                published = item.entry.published
                time = published.time if published else item.archived_at
                seconds = time.timestamp() if time else seconds
            try:
                data = msgspec.msgpack.encode(item)
            except UnicodeEncodeError:  # the file name is not valid Unicode
                where = item.where.encode("utf-8", "replace").decode()
                file = item.file.encode("utf-8", "replace").decode()
                data = msgspec.msgpack.encode(replace(item, where=where, file=file))
            table.execute(
                "INSERT INTO item VALUES (?, ?, ?)",
                (number, seconds, packer.compress(data)),
            )
        table.execute("CREATE INDEX by_time ON item (time)")
    except sqlite3.Error as error:
        raise NotWritableError(
            f"an archive is sorted in a temporary file, which cannot be written: {error}; set TMPDIR to a "
            "folder with more space"
        ) from error
    return number
