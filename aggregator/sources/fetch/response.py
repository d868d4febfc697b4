"""The result of a fetch, and parsing of response headers."""

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from aggregator.extract.html.robots_meta import header_rules

_PRINTABLE = re.compile(r"[ -~]+\Z")
_CHARSET = re.compile(r"charset\s*=\s*+(?:[\"']\s*+)?([A-Za-z0-9][A-Za-z0-9_.:-]{0,39})", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,80})")
_HEADER_CHARS = 400
_UNCACHED = re.compile(r"(?:^|[\s,])no-(?:cache|store)(?:$|[\s,])")
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?([0-9]{1,12})")
_NUMBER = re.compile(r"[0-9]{1,12}\Z")
_HTTP_DATE = re.compile(r"[A-Za-z]{3,9},? [0-9A-Za-z:, -]{5,40}\Z")


class FetchResult(msgspec.Struct, frozen=True, kw_only=True):
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
    elapsed_seconds: float = 0.0


class Route(msgspec.Struct, frozen=True):
    """The redirects of a fetch so far: the requested URL, the current one, and the permanent target."""

    asked: str
    final: str
    permanent: str | None = None


def to_fetch_result(
    route: Route,
    status: int,
    headers: httpx.Headers,
    body: bytes,
    *,
    elapsed_seconds: float,
    validator_cap_chars: int,
) -> FetchResult:
    """Convert an httpx response."""
    declared = headers.get("content-type", "")[:_HEADER_CHARS]
    media_type, charset = _MEDIA_TYPE.match(declared), _CHARSET.search(declared)
    return FetchResult(
        url=route.asked,
        url_final=route.final,
        permanent_url=route.permanent,
        status=status,
        not_modified=status == 304,
        body=body,
        content_type=media_type[1].lower() if media_type else "",
        charset=charset[1].lower() if charset else None,
        etag=validator(headers.get("etag"), validator_cap_chars),
        last_modified=validator(headers.get("last-modified"), validator_cap_chars),
        robots=header_rules(headers.multi_items()),
        fresh_seconds=fresh_seconds(headers),
        elapsed_seconds=elapsed_seconds,
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
        return max(0.0, float(age[1]) - _digits(headers.get("age", "")))
    expires, date = _http_time(headers.get("expires", "")), _http_time(headers.get("date", ""))
    if expires is None or date is None:
        return None
    return max(0.0, (expires - date).total_seconds())


def _digits(text: str) -> float:
    return float(text) if _NUMBER.match(text.strip()) else 0.0


def _http_time(text: str) -> dt.datetime | None:
    if not _HTTP_DATE.match(text.strip()):
        return None
    try:
        moment = parsedate_to_datetime(text.strip())
        return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def validator(value: str | None, cap_chars: int) -> str | None:
    """Return the value if it can be sent back unchanged; None for an invalid one."""
    stripped = (value or "").strip()
    return stripped if is_printable(stripped) and len(stripped) <= cap_chars else None


def is_printable(text: str) -> bool:
    """Return whether the text may be in a header: printable ASCII, not empty."""
    return _PRINTABLE.match(text) is not None
