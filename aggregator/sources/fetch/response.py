"""The result of a fetch, and parsing of response headers.

Decompression of gzip in limited steps, since a few hundred bytes can expand to gigabytes.
"""

import datetime as dt
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from itertools import chain

import httpx

from aggregator.extract.html.robots_meta import header_rules
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import FetchError
from aggregator.sources.limits import URL_CHARS

_PRINTABLE = re.compile(r"[ -~]+\Z")
_CHARSET = re.compile(r"charset\s*=\s*+(?:[\"']\s*+)?([A-Za-z0-9][A-Za-z0-9_.:-]{0,39})", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,80})")
_HEADER_CHARS = 400
_UNCACHED = re.compile(r"(?:^|[\s,])no-(?:cache|store)(?:$|[\s,])")
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?([0-9]{1,12})")
_NUMBER = re.compile(r"[0-9]{1,12}\Z")
_HTTP_DATE = re.compile(r"[A-Za-z]{3,9},? [0-9A-Za-z:, -]{5,40}\Z")


class FetchResult(FrozenStruct):
    """A response. `body` is decoded from its Content-Encoding; empty when `not_modified`."""

    url: str  # as requested, without a fragment
    url_final: str  # after redirects
    permanent_url: str | None = (
        None  # target of permanent redirects only (301, 308); never from https to http
    )
    status: int
    not_modified: bool = False
    body: bytes = b""
    content_type: str = ""  # media type, lower case, without parameters
    charset: str | None = None  # from the header, lower case; may be wrong or unknown
    etag: str | None = None  # printable ASCII, safe to store and to send back
    last_modified: str | None = None
    robots: str = ""  # permissions in the headers, see extract/html/robots_meta.py
    fresh_seconds: float | None = None  # freshness lifetime (Cache-Control, Expires)


def to_fetch_result(
    response: httpx.Response, body: bytes, *, asked: str, final: str, permanent: str | None
) -> FetchResult:
    """Convert a response to the request for `asked`, at the end of the redirects to `final`."""
    headers = response.headers
    declared = headers.get("content-type", "")[:_HEADER_CHARS]
    media_type, charset = _MEDIA_TYPE.match(declared), _CHARSET.search(declared)
    return FetchResult(
        url=asked,
        url_final=final,
        permanent_url=permanent,
        status=response.status_code,
        not_modified=response.status_code == 304,
        body=body,
        content_type=media_type[1].lower() if media_type else "",
        charset=charset[1].lower() if charset else None,
        etag=validator(headers.get("etag")),
        last_modified=validator(headers.get("last-modified")),
        robots=header_rules(headers.multi_items()),
        fresh_seconds=fresh_seconds(headers),
    )


def fresh_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the remaining freshness lifetime of a response in seconds, or None if it is not declared.

    max-age is preferred to Expires, `no-cache` and `no-store` to both, and the time in caches (Age) is
    subtracted (RFC 9111 4.2).
    """
    control = headers.get("cache-control", "")[:_HEADER_CHARS].lower()
    if _UNCACHED.search(control):
        return None
    if (age := _MAX_AGE.search(control)) is not None:
        elapsed = headers.get("age", "").strip()
        return max(0.0, float(age[1]) - (float(elapsed) if _NUMBER.match(elapsed) else 0.0))
    expires, date = http_time(headers.get("expires", "")), http_time(headers.get("date", ""))
    if expires is None or date is None:
        return None
    return max(0.0, (expires - date).total_seconds())


def http_time(text: str) -> dt.datetime | None:
    """Return the time of a header; None if it is not an HTTP date (RFC 9110 5.6.7)."""
    if not _HTTP_DATE.match(text.strip()):
        return None
    try:
        moment = parsedate_to_datetime(text.strip())
        return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def validator(value: str | None) -> str | None:
    """Return the value if it can be sent back unchanged; None for an invalid one."""
    stripped = (value or "").strip()
    return stripped if is_printable(stripped) and len(stripped) <= URL_CHARS else None


def is_printable(text: str) -> bool:
    """Return whether the text may be in a header: printable ASCII, not empty."""
    return _PRINTABLE.match(text) is not None


_STEP_BYTES = 1 << 16
_MOST_MEMBERS = 4096  # each needs a decompressor, so many empty members would take unlimited time
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_BITS = 16 + zlib.MAX_WBITS


def decompress_body(parts: Iterable[bytes], encoding: str, cap_bytes: int) -> bytes:
    """Return the decoded body of a Content-Encoding, at most `cap_bytes` long.

    Raise FetchError("encoding") for an encoding that was not requested, for several layers, and for broken or
    incomplete data, and FetchError("too_large") as soon as the limit is exceeded. A decoded body that is gzip
    itself (a compressed sitemap, a server that compresses twice) is decompressed again under the same limit.
    """
    body = _joined(_layer(parts, encoding.strip().lower()), cap_bytes)
    if body.startswith(_GZIP_MAGIC):
        steps = (body[start : start + _STEP_BYTES] for start in range(0, len(body), _STEP_BYTES))
        body = _joined(_gzip(steps), cap_bytes)
    return body


def _joined(parts: Iterable[bytes], cap_bytes: int) -> bytes:
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > cap_bytes:
            raise FetchError("too_large", f"the response is longer than {cap_bytes} bytes when decompressed")
    return bytes(body)


def _layer(parts: Iterable[bytes], encoding: str) -> Iterable[bytes]:
    if encoding in ("", "identity"):
        return parts
    if encoding in ("gzip", "x-gzip"):
        return _unless_plain(parts)
    raise FetchError("encoding", f"the server used the encoding {encoding[:40]!r}, which was not requested")


def _unless_plain(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Pass plain text through: some servers declare gzip and send plain text."""
    steps = iter(parts)
    start = b""
    for part in steps:
        start += part
        if len(start) >= len(_GZIP_MAGIC):
            break
    if start.startswith(_GZIP_MAGIC):
        return _gzip(chain((start,), steps))
    return chain((start,), steps)


def _gzip(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress consecutive gzip members; other bytes after the last one are padding."""
    inflater = zlib.decompressobj(_GZIP_BITS)
    members = 1
    for part in parts:
        rest = part
        while rest:
            if inflater.eof:
                if not rest.startswith(_GZIP_MAGIC[: len(rest)]):
                    return
                members += 1
                if members > _MOST_MEMBERS:
                    raise FetchError("encoding", f"more than {_MOST_MEMBERS} gzip members in one response")
                inflater = zlib.decompressobj(_GZIP_BITS)
            yield from _steps(inflater, rest)
            rest = inflater.unused_data
    if not inflater.eof:
        raise FetchError("encoding", "the compressed response is truncated")


def _steps(inflater: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    step = b""
    # After a full step there may be more output without input.
    while (data or len(step) == _STEP_BYTES) and not inflater.eof:
        try:
            step = inflater.decompress(data, _STEP_BYTES)
        except zlib.error as error:
            raise FetchError("encoding", "the compressed response is damaged") from error
        yield step
        data = inflater.unconsumed_tail
