"""Reads the input of `ingest WHAT`: files, folders, archives, standard input.

An unreadable file gives one problem, and reading goes on. Memory use is constant: one article, one record or
one feed at a time. Identifiers (`source`, `guid`) never contain a path of this machine: a folder is
identified by its name, a file by its path below the folder. So `ingest dir` and `ingest dir/x.txt` give the
same identifiers.
"""

import datetime as dt
import os
import re
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeGuard

import msgspec
from msgspec.structs import replace

from aggregator.extract.entry_identity import identify
from aggregator.extract.language import unicode
from aggregator.extract.urls import canonical_url
from aggregator.model.core import (
    ArchivedRecord,
    ArchiveSuffix,
    Entry,
    FrozenStruct,
    Verdict,
)
from aggregator.model.errors import ReadError, UsageError
from aggregator.sources.limits import SourceTuning
from aggregator.sources.parse import mail
from aggregator.sources.parse.feeds import feed
from aggregator.sources.parse.feeds.entry_builder import absolute_url
from aggregator.sources.parse.feeds.xml_repair import charset_of
from aggregator.sources.parse.files import warc
from aggregator.sources.parse.records import table_file
from aggregator.sources.parse.records.jsonl import (
    as_record,
    decoded_json,
    decoded_record,
    values,
)
from aggregator.sources.parse.records.record_keys import Field, records_in
from aggregator.sources.parse.records.records import (
    KeysRead,
    entry_of_record,
    read_record,
)
from aggregator.sources.parse.streams import folder_scan
from aggregator.sources.parse.streams.streams import (
    BLANK,
    Progress,
    Stream,
    bounded_lines,
    is_remote,
    open_file,
    opened,
    pass_empty_lines,
    remote_name,
    require_readable,
    shown,
    size_of,
    unzipped,
)

_STDIN = "stdin"
_DATE = re.compile(r"[0-9][0-9._ -]*")
_SNIFFED_BYTES = 65_536
_SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{0,9}")  # and not the end of "Dam repairs No. 5"


class InputEntry(FrozenStruct, tag="entry"):
    """An article. `where` is for messages: the file, and the line or URL in it.

    `archived_at`: when a web archive fetched it; used for sorting only, not as a date of the article.
    """

    entry: Entry
    where: str
    file: str = ""
    archived_at: dt.datetime | None = None
    keys: KeysRead = KeysRead()  # of a record


class InputFeed(FrozenStruct, tag="feed"):
    """A whole feed that a worker must parse (`feed.read_feed`), with the identity of its source."""

    data: bytes
    source: str
    where: str
    file: str = ""


class InputProblem(FrozenStruct, tag="problem"):
    """Input that cannot be read, with a message for the user; `verdict` if one applies."""

    where: str
    reason: str
    verdict: Verdict | None = None
    file: str = ""


InputItem = InputEntry | InputFeed | InputProblem
Finding = Iterator[InputItem]


class FileIdentity(FrozenStruct):
    """The identity of a file: for messages (`where`) and for keys (`source`, `guid`, `outlet`, `name`)."""

    where: str
    source: str
    guid: str | None
    name: str
    outlet: str | None = None


class ReadOptions(FrozenStruct):
    """Options of every reader in this module. `seen` limits declared times, if known.

    The first `passed` items of a file are skipped: they were read before. `list_pages` has a worker list the
    pages of an archive; None: all are read here. `parse_mail` has a worker parse a message, or is what parses
    it. A worker leaves pages in the file `leaves_in` and begins with the record or line `first`. `chosen`:
    the keys of records that `--map` names, by field. `path`: of a file on this machine, to read it twice.
    """

    tuning: SourceTuning
    progress: Progress
    seen: dt.datetime | None = None
    passed: int = 0
    list_pages: "Callable[[ArchiveSpan], PageList] | None" = None
    parse_mail: Callable[..., Entry] = mail.entry_of_mail
    leaves_in: str | None = None
    first: int = 1
    chosen: Mapping[Field, str] = {}
    path: str | None = None


class ArchiveSpan(FrozenStruct):
    """A part of an archive, from the record `number` at `offset` on. `seen`: see ReadOptions."""

    path: str  # absolute
    size: int  # of the file; another machine may have another file there
    suffix: ArchiveSuffix
    place: FileIdentity
    tuning: SourceTuning
    seen: dt.datetime | None = None
    number: int = 1
    offset: int = 0


class PageList(FrozenStruct):
    """The items of a span. `following` begins the next one; None at the end of the file.

    `is_whole`: false if the rest has something else than pages in records that can be read alone: damage, a
    text, several records in one gzip member.
    """

    items: tuple[InputEntry | InputProblem, ...] = ()
    read_bytes: int = 0
    is_whole: bool = True
    following: ArchiveSpan | None = None


def open_source(
    what: Path | str,
    *,
    tuning: SourceTuning,
    progress: Progress | None = None,
    seen: dt.datetime | None = None,
    stdin: BinaryIO | None = None,
    list_pages: Callable[[ArchiveSpan], PageList] | None = None,
    parse_mail: Callable[..., Entry] = mail.entry_of_mail,
    chosen: Mapping[Field, str] | None = None,
) -> Iterator[InputItem]:
    """Read a file, a folder or "-" (standard input), in order of path and line.

    Raise UsageError if it does not exist, and ReadError if a folder cannot be listed, both before the first
    item. `progress` is updated while the result is read.
    """
    reading = ReadOptions(
        tuning=tuning,
        progress=progress or Progress(),
        seen=seen,
        list_pages=list_pages,
        parse_mail=parse_mail,
        chosen=chosen or {},
    )
    if str(what) == "-":
        place = FileIdentity(where=_STDIN, source=_STDIN, guid=None, name=_STDIN)
        return _read(
            unzipped(stdin or sys.stdin.buffer, reading.progress), "", place, reading
        )
    if is_remote(str(what)):
        require_readable(str(what))
        return _read_remote(str(what), reading)
    path = Path(what)
    if os.path.isdir(path):  # noqa: PTH112 - the method of Path raises for invalid names
        files = tuple(folder_scan.listed(path))
        reading.progress.total_bytes = sum(file.stamp.size for file in files)
        return chain.from_iterable(
            read_file(Path(file.path), identify_below(path, file.relative), reading)
            for file in files
        )
    if not os.path.exists(path):  # noqa: PTH110
        raise UsageError(f"{what}: there is no such file or folder")
    reading.progress.total_bytes = path.stat().st_size
    # A file given by itself is identified as below its folder, but without an outlet.
    place = replace(identify_below(_absolute(path).parent, path.name), where=str(path))
    return read_file(path, place, reading)


def identify_below(folder: Path, relative: str) -> FileIdentity:
    """Return the identity of the file at `relative` (parts joined by "/") below `folder`.

    The innermost folder gives the outlet, unless it is a date: Gazette/x.txt and Gazette/2026-10/x.txt have
    the outlet Gazette.
    """
    parts = folder_scan.plain_name(relative).split("/")
    return FileIdentity(
        where=str(folder / relative),
        source=_named(_absolute(folder).name or "files"),
        guid=_named("/".join(parts)),
        name=_named("/".join(parts)),
        outlet=_named(
            next((one for one in reversed(parts[:-1]) if not _DATE.fullmatch(one)), "")
        )
        or None,
    )


def read_file(path: Path, place: FileIdentity, reading: ReadOptions) -> Finding:
    """Read one file by its extension, or by its first bytes if the extension says nothing.

    Of a damaged archive everything readable is returned, and a problem at the end.
    """
    if not path.is_file():
        yield _problem(place, "this is not a regular file")
        return
    is_mail = folder_scan.is_maildir(str(path.parent))
    suffix = ".eml" if is_mail else folder_scan.suffix_of(path.name)
    yield from _read_listed(
        str(_absolute(path)), path.stat().st_size, suffix, place, reading
    )


def _read_remote(address: str, reading: ReadOptions) -> Finding:
    name = unicode.clean(remote_name(address))
    place = FileIdentity(where=shown(address), source=name, guid=name, name=name)
    try:
        with open_file(address) as file:
            reading.progress.total_bytes = size = size_of(file)
    except OSError as error:
        yield _problem(place, f"the file cannot be opened ({error.strerror})")
        return
    if size:
        yield from _read_listed(
            address, size, folder_scan.suffix_of(name), place, reading
        )
    else:
        yield _problem(place, "there is nothing at this address")


def _read_listed(
    path: str, size: int, suffix: str, place: FileIdentity, reading: ReadOptions
) -> Finding:
    # A worker would not know what --map says.
    may_list = reading.list_pages is not None and not reading.chosen
    if may_list and size and path.isprintable() and _may_be_listed(suffix, size):
        passed = yield from _listed(path, size, suffix, place, reading)
        if passed is None:
            return
        reading = replace(reading, passed=passed)
    reading = replace(reading, path=None if is_remote(path) else path)
    yield from _read(opened(path, reading.progress), suffix, place, reading)


def _read(
    opening: AbstractContextManager[Stream],
    suffix: str,
    place: FileIdentity,
    reading: ReadOptions,
) -> Finding:
    try:
        with opening as stream:
            sniffed = suffix if suffix in _READERS else _sniffed(stream)
            if sniffed == ".txt" and suffix != ".txt" and _SUFFIX.fullmatch(suffix):
                advice = f"if it is a text, name it .txt; others: {' '.join(_READERS)}"
                if suffix in _SPREADSHEETS:
                    advice = "save it as CSV"
                yield _problem(
                    place, f"files that end in {suffix} are not read; {advice}"
                )
                return
            is_table = sniffed == ".txt" and table_file.looks_like_table(
                stream.peek(_SNIFFED_BYTES)
            )
            reader = _READERS[".csv" if is_table else sniffed]
            for count, item in enumerate(reader(stream, place, reading), start=1):
                if count > reading.passed:
                    yield replace(item, file=place.where)
    except ReadError as error:
        yield _problem(place, str(error))


def _absolute(path: Path) -> Path:
    """Return the absolute path without resolving links: the name as given is the identifier."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve follows links


def _named(name: str) -> str:
    """Return a file name as text that every store can hold, in Unicode NFC."""
    return unicode.clean(os.fsencode(name).decode("utf-8", "replace"))


def _sniffed(stream: Stream) -> str:
    head = (
        stream.peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES]
        .removeprefix(b"\xef\xbb\xbf")
        .lstrip()
    )
    if head.startswith(b"WARC/"):
        return ".warc"
    if mail.looks_like_mbox(head):
        return ".mbox"
    if mail.looks_like_mail(head):
        return ".eml"
    if head.lstrip(b"\xff\xfe\0")[:1] in {b"{", b"["}:
        return ".json"
    if not unicode.looks_binary(head):
        text = unicode.decode(head)
        if text.lstrip().startswith("<"):
            return ".html" if feed.looks_like_page(text) else ".xml"
    return ".txt"


# --- readers by format -------------------------------------------------------------------------------------


def _one_article(stream: Stream, reading: ReadOptions) -> bytes:
    """Read a file that is one article. Raise ReadError if it is damaged, since half an article is another."""
    data = stream.read(reading.tuning.max_article_bytes + 1)
    if stream.damage:
        raise ReadError(stream.damage[0])
    return data


def _document(
    stream: Stream, place: FileIdentity, reading: ReadOptions, *, is_page: bool
) -> Finding:
    data = _one_article(stream, reading)
    if len(data) > reading.tuning.max_article_bytes:
        yield _too_long(place, reading.tuning.max_article_bytes)
        return
    if unicode.looks_binary(data):
        reason = "this is binary data and not text"
        yield InputProblem(where=place.where, reason=reason, verdict="binary")
        return
    content = unicode.clean(unicode.decode(data)).strip()
    if not content:
        yield _empty(place)
        return
    entry = Entry(
        source=place.source,
        guid=place.guid,
        html=content if is_page else None,
        text=None if is_page else content,
        is_page=is_page,
        is_saved_text=not is_page,
        outlet=place.outlet,
    )
    yield InputEntry(entry=entry, where=place.where)


def _feed(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    data = stream.read(reading.tuning.max_feed_bytes + 1)
    if not data.strip():
        yield _empty(place)
    elif len(data) > reading.tuning.max_feed_bytes:
        yield _too_long(place, reading.tuning.max_feed_bytes)
    else:
        yield InputFeed(data=data, source=place.name, where=place.where)


def _records(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    """Read one record per line, or a list if the file begins with one."""
    if _begins_list(stream):
        yield from _document_of_records(stream, place, reading)
        return
    has_items = False
    for one in _lines(stream, reading.first, place, reading):
        has_items = True
        yield one
    if not has_items:
        yield _empty(place)


def _begins_list(stream: Stream) -> bool:
    return stream.peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES].lstrip(BLANK)[:1] == b"["


def _lines(
    stream: Stream, first: int, place: FileIdentity, reading: ReadOptions
) -> Finding:
    """Read one record per line, beginning with line number `first`; empty lines are skipped."""
    limit = reading.tuning.max_article_bytes
    for number, line in bounded_lines(stream, limit, first):
        if line is None:
            yield _too_long(place, limit, f"{place.where}, line {number}")
        else:
            items = list(_records_of(line, f"line {number}", place, reading))
            item = items[0]
            if (
                len(items) == 1
                and isinstance(item, InputEntry)
                and item.entry.is_page
                and reading.leaves_in
            ):
                offset = stream.offset_of(stream.tell() - len(line))
                left = _in_file(item.entry, ".jsonl", number, offset, reading.leaves_in)
                items = [replace(item, entry=left)]
            yield from items


def _json(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    """Read a JSON Feed, a list of records, one record on many lines, or JSONL with a wrong extension."""
    if _begins_list(stream):
        yield from _document_of_records(stream, place, reading)
        return
    first, number = b"", 0
    while not first.strip(BLANK):
        while passed := pass_empty_lines(stream):
            number += passed
        line = stream.readline(reading.tuning.max_article_bytes + 1)
        if not line:
            break
        first, number = line, number + 1
    try:
        record = decoded_record(first)
    except ReadError:
        yield from _document_of_records(stream, place, reading, first)
        return
    if feed.is_json_feed(record):
        yield InputFeed(data=first, source=place.name, where=place.where)
        return
    yield from _records_of(record, f"line {number}", place, reading)
    yield from _lines(stream, number + 1, place, reading)


def _document_of_records(
    stream: Stream, place: FileIdentity, reading: ReadOptions, first: bytes = b""
) -> Finding:
    """Read records on many lines: elements of a list, or one after the other; or one JSON Feed.

    `first` was already read from `stream`.
    """
    limit = reading.tuning.max_feed_bytes
    data = first + stream.read(max(0, limit + 1 - len(first)))
    if len(data) > limit:
        advice = (
            "; write each record on a line of its own: such a file may have any length"
        )
        too_long = _too_long(place, limit)
        yield replace(too_long, reason=too_long.reason + advice)
        return
    count = 0
    try:
        for count, (value, chars) in enumerate(values(data), start=1):
            if count == 1 and isinstance(value, dict) and feed.is_json_feed(value):
                yield InputFeed(data=data, source=place.name, where=place.where)
                return
            yield from _records_of(value, f"record {count}", place, reading, chars)
    except ReadError as error:
        yield InputProblem(
            where=f"{place.where}, record {count + 1}", reason=str(error)
        )
        return
    if not count:
        yield _empty(place)


def _records_of(
    raw: object, spot: str, place: FileIdentity, reading: ReadOptions, chars: int = 0
) -> Iterator[InputEntry | InputProblem]:
    """Read one record, or several, in a line (undecoded bytes) or a JSON value of `chars` characters."""
    where, limit = f"{place.where}, {spot}", reading.tuning.max_article_bytes
    try:
        value = decoded_json(raw) if isinstance(raw, bytes) else raw
    except ReadError as error:
        yield InputProblem(where=where, reason=str(error))
        return
    records = records_in(value, reading.chosen)
    if len(records) == 1:
        is_long = chars > limit
        yield (
            _too_long(place, limit, where)
            if is_long
            else _record(records[0], where, place, reading)
        )
        return
    for number, record in enumerate(records, start=1):
        of_record = (
            f"{where}, record {number}"
            if spot.startswith("line")
            else f"{place.where}, record {number}"
        )
        if chars > limit and len(msgspec.json.encode(record)) > limit:
            yield _too_long(place, limit, of_record)
        else:
            yield _record(record, of_record, place, reading)


def _record(
    value: object,
    where: str,
    place: FileIdentity,
    reading: ReadOptions,
    *,
    is_row: bool = False,
) -> InputEntry | InputProblem:
    name = place.name.rpartition("/")[2]
    try:
        record = as_record(value)
        entry, keys = read_record(
            record,
            chosen=reading.chosen,
            file_name=name,
            seen=reading.seen,
            is_row=is_row,
        )
    except ReadError as error:
        return InputProblem(where=where, reason=str(error))
    return InputEntry(entry=entry, where=where, keys=keys)


def _table(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    """Read one record per row of a table with a header."""
    limit, chosen = reading.tuning.max_article_bytes, reading.chosen
    orders: dict[str, str] = {}
    if reading.path is not None:
        with opened(reading.path, Progress()) as first_look:
            orders = table_file.date_orders(first_look, limit, chosen)
    number = 0
    for number, row in table_file.read_rows(stream, limit, chosen, orders):
        where = f"{place.where}, line {number}"
        if isinstance(row, str):
            yield InputProblem(where=where, reason=row)
        else:
            yield _record(row, where, place, reading, is_row=True)
    if not number:
        yield replace(_empty(place), reason="there is no row below its header")


def _archive(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    limit = reading.tuning.max_article_bytes
    for page in warc.read_pages(stream, max_page_bytes=limit, first=reading.first):
        if isinstance(page, warc.BrokenRecord):
            yield InputProblem(
                where=f"{place.where}, record {page.number}", reason=page.reason
            )
            continue
        where = f"{place.where}, {page.url}"
        if page.body is None:
            yield InputProblem(
                where=where,
                reason="the page is too long or cannot be unpacked",
                verdict="too_long",
            )
            continue
        html = _html_of(page.body, page.content_type)
        entry = Entry(
            source=place.name.rpartition("/")[2],
            guid=page.record_id or page.url or None,
            url=absolute_url(page.url, None),
            html=html,
            is_page=True,
            robots=page.robots,
        )
        if html and reading.leaves_in:
            offset = stream.offset_of(page.position)
            entry = _in_file(entry, ".warc", page.number, offset, reading.leaves_in)
        if html:
            yield InputEntry(entry=entry, where=where, archived_at=page.archived_at)
        else:
            yield _empty(place, where)


def _message(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    yield _mail(_one_article(stream, reading), place, place.where, reading)


def _mailbox(stream: Stream, place: FileIdentity, reading: ReadOptions) -> Finding:
    number = 0
    for number, data in enumerate(
        mail.messages(stream, reading.tuning.max_article_bytes), start=1
    ):
        yield _mail(data, place, f"{place.where}, message {number}", reading)
    if not number:
        yield _empty(place)


def _mail(
    data: bytes, place: FileIdentity, where: str, reading: ReadOptions
) -> InputEntry | InputProblem:
    """Parse a message. Its identity is its own, as a mail program renames its file or moves it."""
    if len(data) > reading.tuning.max_article_bytes or not data.strip():
        limit = reading.tuning.max_article_bytes
        return _too_long(place, limit, where) if data.strip() else _empty(place, where)
    try:
        entry = reading.parse_mail(data, source=place.source, seen=reading.seen)
    except ReadError as error:
        return InputProblem(where=where, reason=str(error))
    return InputEntry(entry=entry, where=where)


_READERS: dict[str, Callable[[Stream, FileIdentity, ReadOptions], Finding]] = {
    ".txt": partial(_document, is_page=False),
    ".html": partial(_document, is_page=True),
    ".htm": partial(_document, is_page=True),
    ".xml": _feed,
    ".rss": _feed,
    ".atom": _feed,
    ".json": _json,
    ".jsonl": _records,
    ".ndjson": _records,
    ".jl": _records,
    ".csv": _table,
    ".tsv": _table,
    ".warc": _archive,
    ".eml": _message,
    ".mhtml": _message,
    ".mht": _message,
    ".mbox": _mailbox,
}


# --- pages that stay in their file --------------------------------------------------------------------------

# decompressed, that a worker lists at once: some 0.3 s, far from its deadline
_SPAN_BYTES = 16 * 2**20
# Without a page, at which the next span could begin
_LONGEST_SPAN_BYTES = 4 * _SPAN_BYTES
_LEAST_JSONL_BYTES = 2**20  # of a file that workers start for: it may have texts only


def _may_be_listed(suffix: str, size: int) -> TypeGuard[ArchiveSuffix]:
    return suffix == ".warc" or (suffix == ".jsonl" and size >= _LEAST_JSONL_BYTES)


def _listed(
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
    count, before = 0, reading.progress.read_bytes
    while span is not None:
        found = reading.list_pages(span)
        reading.progress.read_bytes += found.read_bytes
        for item in found.items:
            count += 1
            yield replace(item, file=place.where)
        if not found.is_whole:
            reading.progress.read_bytes = before
            return count
        span = found.following
    return None


def list_pages(span: ArchiveSpan) -> PageList:
    """Return the next items of an archive, whose pages stay in the file. For workers."""
    reading = ReadOptions(
        tuning=span.tuning,
        progress=Progress(),
        seen=span.seen,
        leaves_in=span.path,
        first=span.number,
    )
    items: list[InputEntry | InputProblem] = []
    try:
        with open_file(span.path) as file:
            if size_of(file) != span.size:
                return PageList(is_whole=False)
            file.seek(span.offset)
            with unzipped(file, reading.progress, span.offset) as stream:
                for item in _READERS[span.suffix](stream, span.place, reading):
                    if isinstance(item, InputEntry):
                        record = item.entry.record
                        if record is None:
                            return PageList(items=tuple(items), is_whole=False)
                        if stream.tell() > _SPAN_BYTES and items:
                            return PageList(
                                items=tuple(items),
                                read_bytes=record.offset - span.offset,
                                following=replace(
                                    span, number=record.number, offset=record.offset
                                ),
                            )
                    if stream.tell() > _LONGEST_SPAN_BYTES:
                        return PageList(items=tuple(items), is_whole=False)
                    if not isinstance(item, InputFeed):
                        items.append(item)
    except (OSError, ReadError):
        return PageList(items=tuple(items), is_whole=False)
    return PageList(items=tuple(items), read_bytes=reading.progress.read_bytes)


def _in_file(
    entry: Entry, suffix: ArchiveSuffix, number: int, offset: int | None, path: str
) -> Entry:
    """Leave the page of an entry in its file, if its record can be read alone.

    Without a GUID the page may be needed to identify the entry.
    """
    if offset is None or entry.guid is None:
        return entry
    content_hash = identify(
        entry, canonical_url(entry.url) if entry.url else None
    ).content_hash
    record = ArchivedRecord(
        path=path,
        format=suffix,
        number=number,
        offset=offset,
        content_hash=content_hash,
    )
    return replace(entry, html=None, record=record)


def with_page(entry: Entry, tuning: SourceTuning) -> Entry:
    """Return an entry with the page that is in its file.

    Raise ReadError if the file cannot be opened, or has changed.
    """
    record, html, damage = entry.record, None, None
    if record is None:
        return entry
    try:
        with open_file(record.path) as file:
            file.seek(record.offset)
            with unzipped(file, Progress()) as stream:
                html = _page_in(stream, record, tuning.max_article_bytes)
    except ReadError as error:  # of damage further on, too
        damage = error
    except OSError as error:
        raise ReadError(
            f"{shown(record.path)} cannot be opened ({error.strerror})"
        ) from error
    whole = replace(entry, html=html, record=None)
    found = identify(
        whole, canonical_url(entry.url) if entry.url else None
    ).content_hash
    if found != record.content_hash:
        more = "" if damage is None else f", or cannot be read: {damage}"
        raise ReadError(f"{shown(record.path)} has changed since it was read{more}")
    return whole


def _page_in(stream: Stream, record: ArchivedRecord, limit: int) -> str | None:
    """Return the page of the record at the beginning of `stream`; None if there is none."""
    if record.format == ".jsonl":
        (value,) = records_in(decoded_json(stream.readline(limit + 1)), {})
        return entry_of_record(as_record(value), file_name="").html
    page = next(warc.read_pages(stream, max_page_bytes=limit), None)
    if not isinstance(page, warc.ArchivedPage) or page.body is None:
        return None
    return _html_of(page.body, page.content_type)


def _html_of(body: bytes, content_type: str) -> str:
    return unicode.clean(unicode.decode(body, charset_of(content_type))).strip()


# --- problems ----------------------------------------------------------------------------------------------


def _problem(place: FileIdentity, reason: str) -> InputProblem:
    return InputProblem(where=place.where, reason=reason, file=place.where)


def _empty(place: FileIdentity, where: str | None = None) -> InputProblem:
    return InputProblem(
        where=where or place.where, reason="there is nothing in it", verdict="empty"
    )


def _too_long(
    place: FileIdentity, limit: int, where: str | None = None
) -> InputProblem:
    reason = f"longer than {limit / 2**20:.0f} MiB"
    return InputProblem(where=where or place.where, reason=reason, verdict="too_long")
