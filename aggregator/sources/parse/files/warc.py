"""Web archives (WARC 1.0 and 1.1): their HTML pages and texts, one at a time.

`response` records with an HTML response of status 200 are read, `resource` records of HTML (warcit, browsertrix),
and `conversion` records, which are the texts of pages (WET of Common Crawl). Compressed archives have
one gzip member per record; the caller opens them as one stream (sources/parse/streams).
"""

import io
import re
from collections.abc import Iterable, Iterator

from aggregator.extract.html.robots_meta import header_rules
from aggregator.extract.language import unicode
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
_RECORD_LINE = re.compile(rb"WARC/[01]\.[0-9]{1,2}\r?\n\Z")
_RECORD = re.compile(
    rb"WARC/[01]\.[0-9]{1,2}\r?\n(?:WARC-|Content-)", re.IGNORECASE
)  # inside the block of another record
_STATUS_OK = re.compile(rb"HTTP/[0-9.]{1,4}\s+200\b")


def read_archive(
    stream: Stream, place: FileIdentity, reading: ReadOptions
) -> InputItems:
    """Read the pages of an archive in order; after a broken record, continue at the next one.

    Messages count records of all types from 1. Raise ReadError if it is not an archive.
    """
    tape = _PushbackStream(stream)
    limit = reading.tuning.max_article_bytes
    number = 0
    empty = 0
    while line := tape.readline(_MAX_HEADER_BYTES):
        if line in {b"\r\n", b"\n"}:  # between records
            empty += 1
            while empty >= MOST_EMPTY and tape.pass_empty_lines():
                pass
            continue
        empty = 0
        number += 1
        is_record = line.startswith(b"WARC/")
        if number == 1 and not is_record:
            raise ReadError("this is not a WARC archive: it does not begin with WARC/")
        try:
            if not is_record:
                _go_on(tape)
                raise ReadError("it does not begin with WARC/")
            item = _record(tape, place, limit)
        except ReadError as error:
            item = InputProblem(
                where=f"{place.where}, record {number}", reason=str(error)
            )
        if item is not None:
            yield item


class _PushbackStream:
    """A stream that takes bytes back."""

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
        """Skip empty lines in the buffer; return whether there were any."""
        is_at_end = self._back.tell() == len(self._back.getbuffer())
        return is_at_end and pass_empty_lines(self._stream) > 0

    def put_back(self, data: bytes) -> None:
        self._back = io.BytesIO(data + self._back.read())


def _header_lines(tape: _PushbackStream) -> Iterator[bytes]:
    """Yield header lines, up to the next record if the headers of this record are cut."""
    while line := tape.readline(_MAX_HEADER_BYTES):
        if _RECORD_LINE.match(line):
            tape.put_back(line)
            return
        yield line


def _record(
    tape: _PushbackStream, place: FileIdentity, limit: int
) -> InputEntry | InputProblem | None:
    """Return a record's page, or None for other records. Raise ReadError for a broken one."""
    headers = dict(reversed(_pairs(_header_lines(tape))))
    if not re.fullmatch(r"[0-9]{1,15}", headers.get("content-length", "")):
        _go_on(tape)
        raise ReadError("it has no valid Content-Length")
    length = int(headers["content-length"])
    kind = headers.get("warc-type", "").lower()
    stored = headers.get("content-type", "")
    is_page = kind == "response"
    if kind in ("resource", "conversion"):
        is_text = kind == "conversion" and bool(_PLAIN.match(stored))
        is_page = is_text or bool(_HTML.match(stored))
    if length > limit + _HTTP_HEADER_BYTES:
        while length > 0:
            skipped = len(tape.read(min(length, _CHUNK_BYTES)))
            if not skipped:
                raise ReadError("it is cut short")
            length -= skipped
        return _page(headers, place, "", None) if is_page else None
    block = tape.read(length)
    _check_length(tape, block, length)
    if not is_page:
        return None
    if kind != "response":
        return _page(headers, place, stored, block)
    return _page_of(headers, place, block, limit)


def _check_length(tape: _PushbackStream, block: bytes, length: int) -> None:
    """Go on to the next record. Raise ReadError for a record with a wrong length."""
    following = tape.read(4)
    tape.put_back(following)
    if len(block) == length and (not following.strip(b"\r\n") or following == b"WARC"):
        return
    inside = _RECORD.search(block)
    if inside is not None:
        tape.put_back(block[inside.start() :])
    else:
        _go_on(tape)
        if len(block) < length:
            raise ReadError("it is cut short")
    raise ReadError("its length differs from its Content-Length")


def _go_on(tape: _PushbackStream) -> None:
    """Skip to the next line that begins a record."""
    empty = 0
    while line := tape.readline(_MAX_HEADER_BYTES):
        empty = 0 if line.strip() else empty + 1
        while empty >= MOST_EMPTY and tape.pass_empty_lines():
            pass
        begins = _RECORD_LINE.search(line)  # possibly after the rest of a damaged one
        if begins is not None:
            tape.put_back(line[begins.start() :])
            return


def _pairs(lines: Iterable[bytes]) -> list[tuple[str, str]]:
    """Return name (in lower case) and value of each line before the empty line.

    The first of several values counts: `dict(reversed(pairs))`.
    """
    pairs: list[tuple[str, str]] = []
    for line in lines:
        if not line.strip() or len(pairs) >= _MAX_HEADER_LINES:
            break
        name, _, value = line.decode("utf-8", "replace").partition(":")
        pairs.append((name.strip().lower(), value.strip()))
    return pairs


def _page_of(
    record: dict[str, str], place: FileIdentity, block: bytes, limit: int
) -> InputEntry | InputProblem | None:
    head, separator, body = block.partition(b"\r\n\r\n")
    if not separator or not _STATUS_OK.match(head):
        return None
    stated = _pairs(head.split(b"\r\n")[1:])
    headers = dict(reversed(stated))
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
    return _page(record, place, content_type, page, header_rules(stated))


def _page(
    record: dict[str, str],
    place: FileIdentity,
    content_type: str,
    body: bytes | None,
    robots: str = "",
) -> InputEntry | InputProblem:
    """Return a page, or its text, as `content_type` says; `robots` are the permissions in its headers.

    `body` is None if it was too large or cannot be decompressed.
    """
    url = record.get("warc-target-uri", "").strip("<>")
    where = f"{place.where}, {url}"
    if body is None:
        return InputProblem(
            where=where,
            reason="the page is too long or cannot be unpacked",
            verdict="too_long",
        )
    content = unicode.clean(unicode.decode(body, charset_of(content_type))).strip()
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
    """Join HTTP chunks, and return a joined body unchanged.

    Crawlers often store the joined body with the original header.
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
