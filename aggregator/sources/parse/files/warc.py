"""Reads web archives (WARC 1.0 and 1.1): their HTML pages and texts, one at a time.

A record is a line "WARC/1.0", headers, an empty line, and a block of Content-Length bytes. Records of three types are
read:

* `response`: an HTTP response, if it is HTML with status 200
* `resource`: a page without the response, as warcit and browsertrix write it
* `conversion`: the text of a page, as in the WET files of Common Crawl

Compressed archives have one gzip member per record; the caller opens them as one stream (sources/parse/streams).
"""

import io
import re
from collections.abc import Iterable, Iterator

from aggregator.extract.html.robots_meta import header_rules
from aggregator.extract.language import unicode
from aggregator.extract.language.charsets import decode
from aggregator.extract.language.declared_dates import parse_declared
from aggregator.extract.urls import absolute_url
from aggregator.model.entry import Entry
from aggregator.model.errors import FetchError, ReadError
from aggregator.sources.parse.feeds.xml_repair import charset_of
from aggregator.sources.parse.files.input_items import (
    FileIdentity,
    InputEntry,
    InputItems,
    InputProblem,
    ReadOptions,
    empty_input,
)
from aggregator.sources.parse.streams.content_coding import decompress_body
from aggregator.sources.parse.streams.file_stream import (
    MOST_EMPTY,
    Stream,
    pass_empty_lines,
)

_MAX_HEADER_LINES = 300
_MAX_HEADER_BYTES = 65_536
_HTTP_HEADER_BYTES = 131_072  # allowed in addition to the page
_CHUNK_BYTES = 1_048_576
_HTML = re.compile(r"\s*(?:text/html|application/xhtml\+xml)\b", re.IGNORECASE)
_PLAIN = re.compile(r"\s*text/plain\b", re.IGNORECASE)
# The line that begins a record: "WARC/1.0"
_RECORD_LINE = re.compile(rb"WARC/[01]\.[0-9]{1,2}\r?\n\Z")
# The beginning of the next record inside a block that is shorter than its Content-Length
_RECORD = re.compile(rb"WARC/[01]\.[0-9]{1,2}\r?\n(?:WARC-|Content-)", re.IGNORECASE)
_STATUS_OK = re.compile(rb"HTTP/[0-9.]{1,4}\s+200\b")


def read_archive(
    stream: Stream, place: FileIdentity, reading: ReadOptions
) -> InputItems:
    """Yield the pages of an archive in order; after a broken record, continue at the next record.

    Messages count records of all types from 1. Raise ReadError if it is not an archive.
    """
    archive = _PushbackStream(stream)
    limit = reading.tuning.max_article_bytes
    number = 0
    empty = 0
    while line := archive.readline(_MAX_HEADER_BYTES):
        if line in {b"\r\n", b"\n"}:  # between records
            empty += 1
            while empty >= MOST_EMPTY and archive.pass_empty_lines():
                pass
            continue
        empty = 0
        number += 1
        is_record = line.startswith(b"WARC/")
        if number == 1 and not is_record:
            raise ReadError("this is not a WARC archive: it does not begin with WARC/")
        try:
            if not is_record:
                _skip_to_next_record(archive)
                raise ReadError("it does not begin with WARC/")
            item = _read_record(archive, place, limit)
        except ReadError as error:
            item = InputProblem(
                where=f"{place.where}, record {number}", reason=str(error)
            )
        if item is not None:
            yield item


class _PushbackStream:
    """A stream that takes back bytes that were read too early, and returns them before all others."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream = stream
        self._back = io.BytesIO()

    def readline(self, limit: int) -> bytes:
        part = self._back.readline(limit)
        if part.endswith(b"\n") or len(part) == limit:
            return part
        return part + self._stream.readline(limit - len(part))

    def read(self, length: int) -> bytes:
        part = self._back.read(length)
        return part + self._stream.read(length - len(part))

    def pass_empty_lines(self) -> bool:
        """Skip the empty lines in the buffer of the stream; return whether there were any."""
        is_at_end = self._back.tell() == len(self._back.getbuffer())
        return is_at_end and pass_empty_lines(self._stream) > 0

    def put_back(self, data: bytes) -> None:
        self._back = io.BytesIO(data + self._back.read())


def _skip_to_next_record(archive: _PushbackStream) -> None:
    """Read up to the beginning of the next record, which may follow the rest of a damaged line in the same line."""
    empty = 0
    while line := archive.readline(_MAX_HEADER_BYTES):
        empty = 0 if line.strip() else empty + 1
        while empty >= MOST_EMPTY and archive.pass_empty_lines():
            pass
        beginning = _RECORD_LINE.search(line)
        if beginning is not None:
            archive.put_back(line[beginning.start() :])
            return


def _read_record(
    archive: _PushbackStream, place: FileIdentity, limit: int
) -> InputEntry | InputProblem | None:
    """Return the page of the record whose first line was read, or a problem with it; None if it has no page.

    Raise ReadError if the record is broken; the archive then stands at the next record.
    """
    headers = dict(reversed(_split_headers(_header_lines(archive))))
    if not re.fullmatch(r"[0-9]{1,15}", headers.get("content-length", "")):
        _skip_to_next_record(archive)
        raise ReadError("it has no valid Content-Length")
    length = int(headers["content-length"])
    record_type = headers.get("warc-type", "").lower()
    content_type = headers.get("content-type", "")
    is_page = record_type == "response"
    if record_type in ("resource", "conversion"):
        is_text = record_type == "conversion" and bool(_PLAIN.match(content_type))
        is_page = is_text or bool(_HTML.match(content_type))
    if length > limit + _HTTP_HEADER_BYTES:
        while length > 0:
            skipped = len(archive.read(min(length, _CHUNK_BYTES)))
            if not skipped:
                raise ReadError("it is cut short")
            length -= skipped
        return _page_item(headers, place, "", None) if is_page else None
    block = archive.read(length)
    _check_length(archive, block, length)
    if not is_page:
        return None
    if record_type == "response":
        return _read_response(headers, place, block, limit)
    return _page_item(headers, place, content_type, block)


def _header_lines(archive: _PushbackStream) -> Iterator[bytes]:
    """Yield all lines up to the next record, or to the end; the caller stops at the end of the headers."""
    while line := archive.readline(_MAX_HEADER_BYTES):
        if _RECORD_LINE.match(line):
            archive.put_back(line)
            return
        yield line


def _split_headers(lines: Iterable[bytes]) -> list[tuple[str, str]]:
    """Return the name, in lower case, and the value of each header, up to the empty line.

    The first of several values counts, so callers write `dict(reversed(headers))`.
    """
    headers: list[tuple[str, str]] = []
    for line in lines:
        if not line.strip() or len(headers) >= _MAX_HEADER_LINES:
            break
        name, _, value = line.decode("utf-8", "replace").partition(":")
        headers.append((name.strip().lower(), value.strip()))
    return headers


def _check_length(archive: _PushbackStream, block: bytes, length: int) -> None:
    """Raise ReadError, and go on to the next record, unless the record ends after its `block`."""
    following = archive.read(4)
    archive.put_back(following)
    if len(block) == length and (not following.strip(b"\r\n") or following == b"WARC"):
        return
    next_record = _RECORD.search(block)
    if next_record is not None:
        archive.put_back(block[next_record.start() :])
    else:
        _skip_to_next_record(archive)
        if len(block) < length:
            raise ReadError("it is cut short")
    raise ReadError("its length differs from its Content-Length")


def _read_response(
    record: dict[str, str], place: FileIdentity, block: bytes, limit: int
) -> InputEntry | InputProblem | None:
    """Return the page in an HTTP response; None unless the response is HTML with status 200."""
    head, separator, body = block.partition(b"\r\n\r\n")
    if not separator or not _STATUS_OK.match(head):
        return None
    all_headers = _split_headers(head.split(b"\r\n")[1:])
    headers = dict(reversed(all_headers))
    content_type = headers.get("content-type", "")
    if not _HTML.match(content_type):
        return None
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _join_chunks(body)
    page: bytes | None = body
    try:
        page = decompress_body(body, headers.get("content-encoding", ""), limit)
    except FetchError as error:
        # Crawlers also store a page decompressed with the original header.
        if error.cause != "encoding" or b"<" not in body[:1024]:
            page = None
    return _page_item(record, place, content_type, page, header_rules(all_headers))


def _page_item(
    record: dict[str, str],
    place: FileIdentity,
    content_type: str,
    body: bytes | None,
    robots: str = "",
) -> InputEntry | InputProblem:
    """Return a page, or the text of a page, as an entry; `content_type` tells which of them `body` is.

    `body` is None if it was too large or cannot be decompressed. `robots` has the directives in its HTTP headers.
    """
    url = record.get("warc-target-uri", "").strip("<>")
    where = f"{place.where}, {url}"
    if body is None:
        return InputProblem(
            where=where,
            reason="the page is too long or cannot be unpacked",
            verdict="too_long",
        )
    content = unicode.clean(decode(body, charset_of(content_type))).strip()
    if not content:
        return empty_input(where)
    is_text = _PLAIN.match(content_type) is not None
    entry = Entry(
        source=place.name.rpartition("/")[2],
        guid=record.get("warc-record-id", "").strip("<>") or url or None,
        url=absolute_url(url, None),
        html=None if is_text else content,
        text=content if is_text else None,
        is_page=not is_text,
        is_saved_text=is_text,
        robots=robots,
    )
    archived = parse_declared(record.get("warc-date", ""), None)
    return InputEntry(
        entry=entry, where=where, archived_at=archived.time if archived else None
    )


def _join_chunks(body: bytes) -> bytes:
    """Return the body without its HTTP chunks; a body without chunks is returned unchanged.

    Crawlers often store the joined body with the original header, which still declares chunks.
    """
    stream = io.BytesIO(body)
    chunks: list[bytes] = []
    while size := re.fullmatch(
        rb"\s*([0-9a-fA-F]{1,8})\s*(?:;[^\r\n]*)?\r?\n", stream.readline(1024)
    ):
        length = int(size.group(1), 16)
        if length == 0:
            return b"".join(chunks)
        chunks.append(stream.read(length))
        stream.readline(16)
    return b"".join(chunks) if chunks else body
