"""Lists the pages of an archive in parts, each by a worker."""

from collections.abc import Generator

from msgspec.structs import replace

from aggregator.model.entry import ArchiveSuffix
from aggregator.model.errors import ReadError
from aggregator.sources.parse.files.format_readers import READERS
from aggregator.sources.parse.files.input_items import (
    ArchiveSpan,
    FileIdentity,
    InputEntry,
    InputFeed,
    InputItem,
    InputProblem,
    PageList,
    ReadOptions,
)
from aggregator.sources.parse.streams.file_stream import unzipped
from aggregator.sources.parse.streams.remote_files import open_file, size_of

# A worker lists this much decompressed data at once: it takes some 0.3 s, far from its deadline
_SPAN_BYTES = 16 * 2**20
# An archive is read here if no page begins within this length, where the next span could begin
_LONGEST_SPAN_BYTES = 4 * _SPAN_BYTES


def listed_items(
    path: str,
    size: int,
    suffix: ArchiveSuffix,
    place: FileIdentity,
    reading: ReadOptions,
) -> Generator[InputItem, None, int | None]:
    """Yield the items that workers list; return how many if the others must be read here, None at the end."""
    assert reading.list_pages is not None
    span: ArchiveSpan | None = ArchiveSpan(
        path=path,
        size=size,
        suffix=suffix,
        place=place,
        tuning=reading.tuning,
        seen=reading.seen,
    )
    count = 0
    before = reading.progress.read_bytes
    while span is not None:
        pages = reading.list_pages(span)
        reading.progress.read_bytes += pages.read_bytes
        for input_item in pages.items:
            count += 1
            yield replace(input_item, file=place.where)
        if not pages.is_whole:
            reading.progress.read_bytes = before
            return count
        span = pages.following
    return None


def list_pages(span: ArchiveSpan) -> PageList:
    """Return the next items of an archive, whose pages stay in the file. For workers."""
    reading = ReadOptions(
        tuning=span.tuning, seen=span.seen, leaves_in=span.path, first=span.number
    )
    items: list[InputEntry | InputProblem] = []
    try:
        with open_file(span.path) as file:
            if size_of(file) != span.size:
                return PageList(is_whole=False)
            file.seek(span.offset)
            with unzipped(file, reading.progress, span.offset) as stream:
                following = None
                for listed in READERS[span.suffix](stream, span.place, reading):
                    record = None
                    if isinstance(listed, InputEntry):
                        record = listed.entry.record
                        if record is None:
                            raise ReadError("there is something else in it than pages")
                    if record and items and stream.tell() > _SPAN_BYTES:
                        number, offset = record.number, record.offset
                        following = replace(span, number=number, offset=offset)
                        break
                    if stream.tell() > _LONGEST_SPAN_BYTES:
                        raise ReadError("there are no pages in a long part of it")
                    if not isinstance(listed, InputFeed):
                        items.append(listed)
    except (OSError, ReadError):
        return PageList(items=tuple(items), is_whole=False)
    read_bytes = reading.progress.read_bytes
    if following is not None:
        read_bytes = following.offset - span.offset
    return PageList(items=tuple(items), read_bytes=read_bytes, following=following)
