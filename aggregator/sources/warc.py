"""Web archives (WARC 1.0 and 1.1): the HTML pages in them, one at a time.

Reads `response` records with an HTML answer of status 200 and passes over all others. Compressed archives
are one gzip member a record; whoever opens the file has joined them again.
"""

import gzip
import io
import re
import zlib
from collections.abc import Iterator

from aggregator.errors import ReadError
from aggregator.model import Noun

_MAX_HEADER_LINES = 300
_MAX_HEADER_BYTES = 65_536
_HTTP_HEADER_BYTES = 131_072  # allowed on top of the page itself
_CHUNK_BYTES = 1_048_576
_HTML = re.compile(r"\s*(?:text/html|application/xhtml\+xml)\b", re.IGNORECASE)
_STATUS_OK = re.compile(rb"HTTP/[0-9.]{1,4}\s+200\b")


class ArchivedPage(Noun, frozen=True, kw_only=True):
    """One page of an archive. `body` is None where it was larger than allowed or cannot be unpacked."""

    url: str
    record_id: str
    content_type: str
    body: bytes | None


def read_pages(stream: io.BufferedReader, *, max_page_bytes: int) -> Iterator[ArchivedPage]:
    """The pages of an unzipped archive in order. Raises ReadError where the archive is broken."""
    while (headers := _record_headers(stream)) is not None:
        length = _length(headers)
        is_page = headers.get("warc-type", "").lower() == "response"
        if not is_page or length > max_page_bytes + _HTTP_HEADER_BYTES:
            _skip(stream, length)
            if is_page:
                yield _page(headers, "", None)
            continue
        block = stream.read(length)
        if len(block) < length:
            raise ReadError("the archive is cut short")
        page = _page_of(headers, block, max_page_bytes)
        if page is not None:
            yield page


def _record_headers(stream: io.BufferedReader) -> dict[str, str] | None:
    line = stream.readline(_MAX_HEADER_BYTES)
    while line in {b"\r\n", b"\n"}:
        line = stream.readline(_MAX_HEADER_BYTES)
    if not line:
        return None
    if not line.startswith(b"WARC/"):
        raise ReadError("this is no WARC archive, or it is damaged: a record does not begin with WARC/")
    return _headers(iter(lambda: stream.readline(_MAX_HEADER_BYTES), b""))


def _headers(lines: Iterator[bytes]) -> dict[str, str]:
    """Names in small letters; the first of a repeated one; ends at the empty line."""
    found: dict[str, str] = {}
    for count, line in enumerate(lines):
        if not line.strip() or count >= _MAX_HEADER_LINES:
            break
        name, _, value = line.decode("utf-8", "replace").partition(":")
        found.setdefault(name.strip().lower(), value.strip())
    return found


def _length(headers: dict[str, str]) -> int:
    length = headers.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,15}", length):
        raise ReadError("the archive is damaged: a record does not say how long it is")
    return int(length)


def _skip(stream: io.BufferedReader, length: int) -> None:
    while length > 0:
        skipped = len(stream.read(min(length, _CHUNK_BYTES)))
        if not skipped:
            raise ReadError("the archive is cut short")
        length -= skipped


def _page_of(record: dict[str, str], block: bytes, limit: int) -> ArchivedPage | None:
    head, separator, body = block.partition(b"\r\n\r\n")
    if not separator or not _STATUS_OK.match(head):
        return None
    headers = _headers(iter(head.split(b"\r\n")[1:]))
    content_type = headers.get("content-type", "")
    if not _HTML.match(content_type):
        return None
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _unchunked(body)
    return _page(record, content_type, _decompressed(body, headers.get("content-encoding", ""), limit))


def _page(record: dict[str, str], content_type: str, body: bytes | None) -> ArchivedPage:
    url = record.get("warc-target-uri", "").strip("<>")
    record_id = record.get("warc-record-id", "").strip("<>")
    return ArchivedPage(url=url, record_id=record_id, content_type=content_type, body=body)


def _unchunked(body: bytes) -> bytes:
    """HTTP chunks joined. Crawlers often store the body joined but keep the header: then as it is."""
    stream = io.BytesIO(body)
    kept: list[bytes] = []
    while size := re.fullmatch(rb"\s*([0-9a-fA-F]{1,8})\s*(?:;[^\r\n]*)?\r?\n", stream.readline(1024)):
        length = int(size.group(1), 16)
        if length == 0:
            return b"".join(kept)
        kept.append(stream.read(length))
        stream.readline(16)
    return b"".join(kept) if kept else body


def _decompressed(body: bytes, coding: str, limit: int) -> bytes | None:
    """The body unpacked, at most `limit` bytes; as it is where the header was left from before unpacking."""
    coding = coding.strip().lower()
    try:
        if coding in {"gzip", "x-gzip"} and body.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=io.BytesIO(body)) as stream:
                body = stream.read(limit + 1)
        elif coding == "deflate":
            body = zlib.decompressobj(zlib.MAX_WBITS).decompress(body, limit + 1)
        elif coding in {"br", "zstd"}:
            return body if b"<" in body[:1024] else None
    except (OSError, EOFError, zlib.error):
        return body if b"<" in body[:1024] else None
    return body if len(body) <= limit else None
