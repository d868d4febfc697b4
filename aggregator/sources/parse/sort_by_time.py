"""Sorts the articles of an archive by time, for archives of any length and order.

Grouping compares with recent articles, so a year in random order would be split into too many stories. The
file is read once; data that does not fit into memory is sorted and compressed into temporary files, which are
merged.
"""

import datetime as dt
import heapq
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import IO, BinaryIO, cast

import msgspec
import zstandard

from aggregator.model.errors import NotWritableError
from aggregator.sources.parse.files import InputEntry, InputFeed, InputItem
from aggregator.sources.parse.streams import Progress

_HEAD_BYTES = 4
# Characters sorted in memory at once: 16 to 64 MB of memory; a million articles make 200 temporary files.
_RUN_CHARS = 16_000_000
_OPEN_RUNS = 200  # files; then they become one: a process may have 1024 open
_ITEM_CHARS = 500  # that each item counts besides its text: some take no more, as pages stay in archives
_LEVEL = 1  # of zstd: reduces to a third, as fast as a disk
_LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)


class _Item(msgspec.Struct, frozen=True, array_like=True):
    """An input item with its sort key, time and number: items with equal times keep their order."""

    time: dt.datetime
    number: int
    item: InputItem


def in_order_of_time(
    input_items: Iterator[InputItem],
    progress: Progress,
    *,
    as_one_file: bool = False,
    run_chars: int = _RUN_CHARS,
) -> Iterator[InputItem]:
    """Yield the items of each file, or of all as one file, the oldest first; memory holds about `run_chars`.

    An item without a time, as well as a problem, stays after the item before it. `progress` reports how much
    of a file was yielded, not how much was read. Temporary files need about a third of the uncompressed size
    of the archive. Raises NotWritableError where these cannot be written.
    """
    before = progress.read_bytes
    for _, of_file in itertools.groupby(input_items, key=lambda one: "" if as_one_file else one.file):
        with ExitStack() as open_files:
            runs, count = _runs(of_file, run_chars, open_files)
            file_bytes = progress.read_bytes - before
            if as_one_file:
                progress.total_bytes = progress.read_bytes
            for number, item in enumerate(heapq.merge(*runs, key=_key), start=1):
                progress.read_bytes = before + file_bytes * number // count
                yield item.item
        before += file_bytes


def _runs(
    input_items: Iterator[InputItem], run_chars: int, open_files: ExitStack
) -> tuple[list[Iterator[_Item]], int]:
    """Return sorted runs and the number of items; all but the last run are in files kept by `open_files`."""
    runs: list[Iterator[_Item]] = []
    of_runs = open_files.enter_context(ExitStack())
    items: list[_Item] = []
    time, chars, count = _LONG_AGO, 0, 0
    for count, one in enumerate(input_items, start=1):
        time = _time_of(one) or time
        items.append(_Item(time, count, one))
        chars += _ITEM_CHARS + _chars_of(one)
        if chars >= run_chars:
            runs.append(_stored(sorted(items, key=_key), of_runs))
            items, chars = [], 0
            if len(runs) == _OPEN_RUNS:
                merged = open_files.enter_context(ExitStack())
                runs = [_stored(heapq.merge(*runs, key=_key), merged)]
                of_runs.close()
                of_runs = merged
    return [*runs, iter(sorted(items, key=_key))], count


def _time_of(one: InputItem) -> dt.datetime | None:
    if not isinstance(one, InputEntry):
        return None
    return one.entry.published.time if one.entry.published else one.archived_at


def _chars_of(one: InputItem) -> int:
    if isinstance(one, InputFeed):
        return len(one.data)
    return len(one.entry.html or "") + len(one.entry.text or "") if isinstance(one, InputEntry) else 0


def _key(item: _Item) -> tuple[dt.datetime, int]:
    return item.time, item.number


def _stored(items: Iterable[_Item], open_files: ExitStack) -> Iterator[_Item]:
    """Write sorted items to a temporary file, and return them as read from it. Raises NotWritableError."""
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `open_files`
        open_files.callback(_closed, file)
        with zstandard.ZstdCompressor(level=_LEVEL).stream_writer(file, closefd=False) as packed:
            for item in items:
                data = _encoded(item)
                packed.write(len(data).to_bytes(_HEAD_BYTES, "big") + data)
        file.seek(0)
    except OSError as error:
        raise NotWritableError(
            f"an archive is sorted in temporary files, which cannot be written: {error.strerror}; set TMPDIR "
            "to a folder with more space"
        ) from error
    return _read(file)


def _closed(file: IO[bytes]) -> None:
    with suppress(OSError):  # on a full disk, of bytes that nobody needs any more
        file.close()


def _encoded(item: _Item) -> bytes:
    try:
        return msgspec.msgpack.encode(item)
    except UnicodeEncodeError:  # the file name is not valid Unicode
        shown = {
            name: getattr(item.item, name).encode("utf-8", "replace").decode() for name in ("where", "file")
        }
        one = msgspec.structs.replace(item.item, **shown)
        return msgspec.msgpack.encode(msgspec.structs.replace(item, item=one))


def _read(file: IO[bytes]) -> Iterator[_Item]:
    with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as stream:
        unpacked = cast("BinaryIO", stream)
        while head := unpacked.read(_HEAD_BYTES):
            yield msgspec.msgpack.decode(unpacked.read(int.from_bytes(head, "big")), type=_Item)
