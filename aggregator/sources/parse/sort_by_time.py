"""The articles of an archive in the order of their time, however long it is and however it lies in the file.

Grouping looks back over what came lately, so a year in no order would be told in pieces. The file is read
once; what does not fit into memory goes, sorted and packed, into temporary files, and these are merged.
"""

import datetime as dt
import heapq
import itertools
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO, cast

import msgspec
import zstandard

from aggregator.sources.parse.files import InputEntry, InputFeed, InputItem, InputProblem
from aggregator.sources.parse.streams import Progress

_HEAD_BYTES = 4
_LEVEL = 1  # of zstd: a third of the bytes, at the speed of a disk
_LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)


class _Item(msgspec.Struct, frozen=True, array_like=True):
    """What was found, with the time and the number that it is sorted by: equal times stay as they lie."""

    time: dt.datetime
    number: int
    entry: InputEntry | None = None
    problem: InputProblem | None = None
    feed: InputFeed | None = None

    @property
    def key(self) -> tuple[dt.datetime, int]:
        return self.time, self.number


def in_order_of_time(
    found: Iterator[InputItem], progress: Progress, *, run_chars: int
) -> Iterator[InputItem]:
    """What was found, each file's by itself, the oldest first; memory holds about `run_chars` of text.

    What declares no time keeps its place behind what comes before it, and so do problems. `progress` tells
    how much of a file was handed on, not how much was read. Temporary files need about a third of what the
    archive unpacks to.
    """
    before = progress.read_bytes
    for _, of_file in itertools.groupby(found, key=lambda one: one.file):
        with ExitStack() as held:
            runs, count = _runs(of_file, run_chars, held)
            behind = progress.read_bytes - before
            for number, item in enumerate(heapq.merge(*runs, key=lambda one: one.key), start=1):
                progress.read_bytes = before + behind * number // count
                one = item.entry or item.problem or item.feed
                assert one is not None
                yield one
        before += behind


def _runs(found: Iterator[InputItem], run_chars: int, held: ExitStack) -> tuple[list[Iterator[_Item]], int]:
    """Sorted runs, all but the last in files that are open as long as `held` is; and how many items."""
    runs: list[Iterator[_Item]] = []
    items: list[_Item] = []
    time, chars, count = _LONG_AGO, 0, 0
    for count, one in enumerate(found, start=1):
        time = _time_of(one) or time
        items.append(_item(one, time, count))
        chars += _chars_of(one)
        if chars >= run_chars:
            file = held.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - closed there
            _write(file, items)
            runs.append(_read(file))
            items, chars = [], 0
    items.sort(key=lambda item: item.key)
    return [*runs, iter(items)], count


def _item(one: InputItem, time: dt.datetime, number: int) -> _Item:
    if isinstance(one, InputEntry):
        return _Item(time, number, entry=one)
    if isinstance(one, InputProblem):
        return _Item(time, number, problem=one)
    return _Item(time, number, feed=one)


def _time_of(one: InputItem) -> dt.datetime | None:
    if not isinstance(one, InputEntry):
        return None
    return one.entry.published.time if one.entry.published else one.archived_at


def _chars_of(one: InputItem) -> int:
    if isinstance(one, InputFeed):
        return len(one.data)
    return len(one.entry.html or "") + len(one.entry.text or "") if isinstance(one, InputEntry) else 0


def _write(file: BinaryIO, items: list[_Item]) -> None:
    items.sort(key=lambda item: item.key)
    with zstandard.ZstdCompressor(level=_LEVEL).stream_writer(file, closefd=False) as packed:
        for item in items:
            data = _encoded(item)
            packed.write(len(data).to_bytes(_HEAD_BYTES, "big") + data)
    file.seek(0)


def _encoded(item: _Item) -> bytes:
    try:
        return msgspec.msgpack.encode(item)
    except UnicodeEncodeError:  # the name of the file is no text
        one = item.entry or item.problem
        assert one is not None
        shown = {name: getattr(one, name).encode("utf-8", "replace").decode() for name in ("where", "file")}
        return msgspec.msgpack.encode(_item(msgspec.structs.replace(one, **shown), item.time, item.number))


def _read(file: BinaryIO) -> Iterator[_Item]:
    with zstandard.ZstdDecompressor().stream_reader(file, closefd=False) as stream:
        unpacked = cast("BinaryIO", stream)
        while head := unpacked.read(_HEAD_BYTES):
            yield msgspec.msgpack.decode(unpacked.read(int.from_bytes(head, "big")), type=_Item)
