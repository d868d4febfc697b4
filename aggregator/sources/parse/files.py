"""What `ingest WHAT` reads from this machine: files, folders, archives, standard input → what was found.

One bad file gives one clear problem and the rest goes on. Memory is flat: one article, one record or one feed
is held at a time. Names that identify (`source`, `guid`) never hold a path of this machine: a folder is its
name, a file the path below the folder, so that `ingest dir` and `ingest dir/x.txt` know each other.
"""

import datetime as dt
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from aggregator.extract.language import unicode
from aggregator.model.core import Entry, FrozenStruct, Verdict
from aggregator.model.errors import ReadError, UsageError
from aggregator.sources.limits import SourceTuning
from aggregator.sources.parse import folder_scan, json_feed, not_a_feed, warc
from aggregator.sources.parse.entry_builder import absolute_url
from aggregator.sources.parse.jsonl import as_record, decoded_record, entry_of_record, pieces
from aggregator.sources.parse.streams import (
    BLANK,
    Progress,
    Stream,
    bounded_lines,
    chained,
    in_utf8,
    opened,
    pass_empty_lines,
    unzipped,
)
from aggregator.sources.parse.xml_repair import charset_of

_STDIN = "stdin"
_DATE = re.compile(r"[0-9][0-9._ -]*")
_SNIFFED_BYTES = 65_536


class InputEntry(FrozenStruct, frozen=True, kw_only=True):
    """An article. `where` is for people: `file`, and line or address in it.

    `archived_at`: when a web archive says that it was fetched; it sorts, and is no date of the article.
    """

    entry: Entry
    where: str
    file: str = ""
    archived_at: dt.datetime | None = None


class InputFeed(FrozenStruct, frozen=True, kw_only=True):
    """A whole feed that a worker must parse (`feeds.read_feed`), with the identity of its source."""

    kind: Literal["feed"] = "feed"
    data: bytes
    source: str
    where: str
    file: str = ""


class InputProblem(FrozenStruct, frozen=True, kw_only=True):
    """Something that cannot be taken, in the user's words; `verdict` where one fits."""

    where: str
    reason: str
    verdict: Verdict | None = None
    file: str = ""


InputItem = InputEntry | InputFeed | InputProblem
Finding = Iterator[
    InputItem | None
]  # None: nothing was found for a while, so who reads may do something else


class FileIdentity(FrozenStruct, frozen=True, kw_only=True):
    """Who a file is: for people (`where`) and as identity (`source`, `guid`, `outlet`, `name`)."""

    where: str
    source: str
    guid: str | None
    name: str
    outlet: str | None = None


class ReadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What every reader of this module is given. `seen` bounds declared times, where it is known.

    The first `passed` things of a file are passed over: they were found before.
    """

    tuning: SourceTuning
    progress: Progress
    seen: dt.datetime | None = None
    passed: int = 0


def open_source(
    what: Path | str,
    *,
    tuning: SourceTuning,
    progress: Progress | None = None,
    seen: dt.datetime | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[InputItem]:
    """All that a file, a folder or "-" (standard input) holds, in order of path and line.

    Raises UsageError where there is nothing of that name and ReadError where a folder cannot be listed, both
    before anything is found. `progress` is filled while the result is read.
    """
    reading = ReadOptions(tuning=tuning, progress=progress or Progress(), seen=seen)
    finding = _finding(what, reading, stdin)
    return (found for found in finding if found is not None)


def _finding(what: Path | str, reading: ReadOptions, stdin: BinaryIO | None) -> Finding:
    if str(what) == "-":
        return _standard_input(stdin or sys.stdin.buffer, reading)
    path = Path(what)
    if os.path.isdir(path):  # noqa: PTH112 - Path's own raises for names that cannot be
        files = tuple(folder_scan.listed(path, reading.tuning))
        reading.progress.total_bytes = sum(file.stamp.size for file in files)
        return _folder(path, files, reading)
    if not os.path.exists(path):  # noqa: PTH110
        raise UsageError(f"{what}: there is no such file or folder")
    reading.progress.total_bytes = path.stat().st_size
    return read_file(path, _identify_alone(path), reading)


def identify_below(folder: Path, relative: str) -> FileIdentity:
    """Identity of the file at `relative` (parts joined by "/") below `folder`; NAME/x.txt is by NAME.

    Of several folders the innermost names the outlet, unless it is a date: Gazette/2026-10/x.txt is by
    Gazette.
    """
    parts = folder_scan.plain_name(relative).split("/")
    return FileIdentity(
        where=str(folder / relative),
        source=_named(_absolute(folder).name or "files"),
        guid=_named("/".join(parts)),
        name=_named("/".join(parts)),
        outlet=_named(next((one for one in reversed(parts[:-1]) if not _DATE.fullmatch(one)), "")) or None,
    )


def read_file(path: Path, place: FileIdentity, reading: ReadOptions) -> Finding:
    """What one file holds, by the ending of its name; by its first bytes where that says nothing.

    Of a damaged archive that is what can be read of it, and a problem at the end.
    """
    if not path.is_file():
        yield _problem(place, "this is not a regular file")
        return
    suffix = Path(folder_scan.plain_name(path.name)).suffix.lower()
    yield from _read(opened(path, reading.progress), suffix, place, reading)


def _read(
    opening: AbstractContextManager[Stream], suffix: str, place: FileIdentity, reading: ReadOptions
) -> Finding:
    count = 0
    try:
        with opening as stream:
            reader = _READERS.get(suffix) or _READERS[_sniffed(stream)]
            for found in reader(stream, place, reading):
                count += found is not None
                is_new = found is not None and count > reading.passed
                yield msgspec.structs.replace(found, file=place.where) if found and is_new else None
    except ReadError as error:
        yield _problem(place, str(error))


def _folder(folder: Path, files: tuple[folder_scan.ListedFile, ...], reading: ReadOptions) -> Finding:
    for file in files:
        yield from read_file(Path(file.path), identify_below(folder, file.relative), reading)


def _identify_alone(path: Path) -> FileIdentity:
    """A file given by itself: as if its folder had been given, but no folder names its outlet."""
    return msgspec.structs.replace(identify_below(_absolute(path).parent, path.name), where=str(path))


def _standard_input(stdin: BinaryIO, reading: ReadOptions) -> Finding:
    place = FileIdentity(where=_STDIN, source=_STDIN, guid=None, name=_STDIN)
    yield from _read(unzipped(stdin, reading.progress), "", place, reading)


def _absolute(path: Path) -> Path:
    """Without following links: the name people gave is the name that identifies."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve follows links


def _named(name: str) -> str:
    """A file name as text that every store can hold, in one Unicode form."""
    return unicode.clean(os.fsencode(name).decode("utf-8", "replace"))


def _sniffed(stream: Stream) -> str:
    head = stream.peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"WARC/"):
        return ".warc"
    if head.lstrip(b"\xff\xfe\0")[:1] in {b"{", b"["}:
        return ".json"
    if not unicode.looks_binary(head):
        text = unicode.decode(head)
        if text.lstrip().startswith("<"):
            return ".html" if not_a_feed.looks_like_page(text) else ".xml"
    return ".txt"


# --- one reader a kind -------------------------------------------------------------------------------------


def _one_article(stream: Stream, reading: ReadOptions) -> bytes:
    """All of a file that is one article. ReadError where it is damaged: half an article is another one."""
    data = stream.read(reading.tuning.max_article_bytes + 1)
    if stream.damage.words is not None:
        raise ReadError(stream.damage.words)
    return data


def _text(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    data = _one_article(stream, reading)
    refused = _refused(data, place, reading.tuning.max_article_bytes)
    text = "" if refused else unicode.clean(unicode.decode(data)).strip()
    if refused or not text:
        yield refused or _empty(place)
        return
    yield InputEntry(
        entry=Entry(source=place.source, guid=place.guid, text=text, is_saved_text=True, outlet=place.outlet),
        where=place.where,
    )


def _page(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    data = _one_article(stream, reading)
    refused = _refused(data, place, reading.tuning.max_article_bytes)
    html = "" if refused else unicode.clean(unicode.decode(data)).strip()
    if refused or not html:
        yield refused or _empty(place)
        return
    yield InputEntry(
        entry=Entry(source=place.source, guid=place.guid, html=html, is_page=True, outlet=place.outlet),
        where=place.where,
    )


def _feed(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    data = stream.read(reading.tuning.max_feed_bytes + 1)
    if not data.strip():
        yield _empty(place)
    elif len(data) > reading.tuning.max_feed_bytes:
        yield _too_long(place, reading.tuning.max_feed_bytes)
    else:
        yield InputFeed(data=data, source=place.name, where=place.where)


def _records(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    """A record a line; a list all the same where the file begins with one."""
    stream = in_utf8(stream)
    if _begins_list(stream):
        yield from _pieces(stream, place, reading)
        return
    found = False
    for one in _lines(stream, 1, place, reading):
        found = found or one is not None
        yield one
    if not found:
        yield _empty(place)


def _begins_list(stream: Stream) -> bool:
    return stream.peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES].lstrip(BLANK)[:1] == b"["


def _lines(stream: io.BufferedReader, first: int, place: FileIdentity, reading: ReadOptions) -> Finding:
    """A record a line, the next of which has the number `first`; empty lines are passed over."""
    limit = reading.tuning.max_article_bytes
    for number, line in bounded_lines(stream, limit, first):
        if line is None:
            yield _too_long(place, limit, f"{place.where}, line {number}")
        elif line:
            yield _record(line, f"line {number}", place, reading)
        else:
            yield None


def _json(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    """A JSON Feed, a list of records, one record over many lines, or a record a line under a wrong name."""
    stream = in_utf8(stream)
    if _begins_list(stream):
        yield from _pieces(stream, place, reading)
        return
    first, number = b"", 0
    while not first.strip(BLANK):
        while passed := pass_empty_lines(stream):
            number += passed
            yield None
        line = stream.readline(reading.tuning.max_article_bytes + 1)
        if not line:
            break
        first, number = line, number + 1
    try:
        record = decoded_record(first)
    except ReadError:
        rest = chained(first, stream)
        yield from _pieces(rest, place, reading)
        return
    if json_feed.is_json_feed(record):
        yield InputFeed(data=first, source=place.name, where=place.where)
        return
    yield _record(record, f"line {number}", place, reading)
    yield from _lines(stream, number + 1, place, reading)


def _pieces(stream: io.BufferedReader, place: FileIdentity, reading: ReadOptions) -> Finding:
    """Records over many lines: the elements of a list, or one after the other; or one JSON Feed."""
    count = 0
    for piece in pieces(stream, reading.tuning.max_feed_bytes):
        if piece == b"":
            yield None
            continue
        count += 1
        if piece is None:
            yield _too_long(place, reading.tuning.max_feed_bytes, f"{place.where}, record {count}")
        elif count == 1 and _is_json_feed(piece):
            yield InputFeed(data=piece, source=place.name, where=place.where)
        elif len(piece) > reading.tuning.max_article_bytes:
            yield _too_long(place, reading.tuning.max_article_bytes, f"{place.where}, record {count}")
        else:
            yield _record(piece, f"record {count}", place, reading)
    if not count:
        yield _empty(place)


def _is_json_feed(piece: bytes) -> bool:
    try:
        return b"jsonfeed.org" in piece and json_feed.is_json_feed(decoded_record(piece))
    except ReadError:
        return False


def _record(raw: object, spot: str, place: FileIdentity, reading: ReadOptions) -> InputEntry | InputProblem:
    """The record in `raw`: bytes still to be decoded, or what JSON had in its place."""
    where = f"{place.where}, {spot}" if spot else place.where
    try:
        record = decoded_record(raw) if isinstance(raw, bytes) else as_record(raw)
        entry = entry_of_record(record, file_name=place.name.rpartition("/")[2], seen=reading.seen)
    except ReadError as error:
        return InputProblem(where=where, reason=str(error))
    return InputEntry(entry=entry, where=where)


def _archive(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    limit = reading.tuning.max_article_bytes
    for page in warc.read_pages(stream, max_page_bytes=limit):
        if page is None:
            yield None
            continue
        if isinstance(page, warc.BrokenRecord):
            yield InputProblem(where=f"{place.where}, record {page.number}", reason=page.reason)
            continue
        where = f"{place.where}, {page.url}"
        if page.body is None:
            yield InputProblem(
                where=where, reason="the page is too long or cannot be unpacked", verdict="too_long"
            )
            continue
        html = unicode.clean(unicode.decode(page.body, charset_of(page.content_type))).strip()
        entry = Entry(
            source=place.name.rpartition("/")[2],
            guid=page.record_id or page.url or None,
            url=absolute_url(page.url, None),
            html=html,
            is_page=True,
            robots=page.robots,
        )
        if html:
            yield InputEntry(entry=entry, where=where, archived_at=page.archived_at)
        else:
            yield _empty(place, where)


_READERS: dict[str, Callable[[Stream, FileIdentity, ReadOptions], Finding]] = {
    ".txt": _text,
    ".html": _page,
    ".htm": _page,
    ".xml": _feed,
    ".rss": _feed,
    ".atom": _feed,
    ".json": _json,
    ".jsonl": _records,
    ".warc": _archive,
}


# --- refusals ----------------------------------------------------------------------------------------------


def _refused(data: bytes, place: FileIdentity, limit: int) -> InputProblem | None:
    if len(data) > limit:
        return _too_long(place, limit)
    if not data.strip():
        return _empty(place)
    if unicode.looks_binary(data):
        return InputProblem(where=place.where, reason="these are binary data, not a text", verdict="binary")
    return None


def _problem(place: FileIdentity, reason: str) -> InputProblem:
    return InputProblem(where=place.where, reason=reason, file=place.where)


def _empty(place: FileIdentity, where: str | None = None) -> InputProblem:
    return InputProblem(where=where or place.where, reason="there is nothing in it", verdict="empty")


def _too_long(place: FileIdentity, limit: int, where: str | None = None) -> InputProblem:
    reason = f"longer than {limit / 2**20:.0f} MiB"
    return InputProblem(where=where or place.where, reason=reason, verdict="too_long")
