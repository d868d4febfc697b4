"""The result of a fetch. Reads the headers of a response, and a redirect in a page."""

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from aggregator.extract.html.robots_meta import header_rules
from aggregator.model.structs import FrozenStruct
from aggregator.sources.parse.feeds.xml_repair import charset_of
from aggregator.sources.source_limits import URL_CHARS

_PRINTABLE = re.compile(r"[ -~]+\Z")

_MEDIA_TYPE = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,80})")
_HEADER_CHARS = 400
_MOST_REFRESH_BYTES = 4096  # pages that only redirect have a few hundred (chosen)
_META = re.compile(r"<meta\b[^<>]*>", re.IGNORECASE)
_IS_REFRESH = re.compile(r"http-equiv\s*=\s*[\"']?refresh\b", re.IGNORECASE)
# A wait of more than five seconds is not a redirect: such a page reloads itself.
_REFRESH = re.compile(
    r"[\"'=]\s*0*[0-5](?:\.\d*)?\s*[;,]\s*url\s*=\s*[\"']?([^\"'>]+)", re.IGNORECASE
)
_UNCACHED = re.compile(r"(?:^|[\s,])no-(?:cache|store)(?:$|[\s,])")
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?([0-9]{1,12})")
_NUMBER = re.compile(r"[0-9]{1,12}\Z")
_HTTP_DATE = re.compile(r"[A-Za-z]{3,9},? [0-9A-Za-z:, -]{5,40}\Z")


class FetchResult(FrozenStruct):
    """A response. `body` is decoded from its Content-Encoding; empty when `not_modified`."""

    # The requested URL, without a fragment
    url: str
    url_final: str  # after redirects
    # Target of permanent redirects only (301, 308); never from https to http
    permanent_url: str | None = None
    status: int
    not_modified: bool = False
    body: bytes = b""
    content_type: str = ""  # media type, lower case, without parameters
    # The charset in the header, in lower case; it may be wrong or unknown
    charset: str | None = None
    etag: str | None = None  # printable ASCII, safe to store and to send back
    last_modified: str | None = None
    robots: str = ""  # directives in the headers, see extract/html/robots_meta.py
    fresh_seconds: float | None = None  # freshness lifetime (Cache-Control, Expires)
    # Whether a certificate on the way was not checked (`insecure: true`)
    is_unchecked: bool = False


def to_fetch_result(
    response: httpx.Response,
    body: bytes,
    *,
    asked: httpx.URL,
    final: httpx.URL,
    is_for_ever: bool,
    is_unchecked: bool,
) -> FetchResult:
    """Return the result of a request for `asked`, which redirects led to `final`.

    `is_for_ever` means that all redirects were permanent.
    """
    headers = response.headers
    declared = headers.get("content-type", "")[:_HEADER_CHARS]
    media_type = _MEDIA_TYPE.match(declared)
    charset = charset_of(declared)
    return FetchResult(
        url=str(asked),
        url_final=str(final),
        permanent_url=str(final) if is_for_ever and final is not asked else None,
        status=response.status_code,
        not_modified=response.status_code == 304,
        body=body,
        content_type=media_type[1].lower() if media_type else "",
        charset=charset.lower() if charset else None,
        etag=validator(headers.get("etag")),
        last_modified=validator(headers.get("last-modified")),
        robots=header_rules(headers.multi_items()),
        fresh_seconds=fresh_seconds(headers),
        is_unchecked=is_unchecked,
    )


def refresh_address(page: bytes) -> str:
    """Return the target of a page that redirects within seconds (<meta http-equiv="refresh">), else "".

    Only short pages count: a longer page is the wanted page itself, and may only lead browsers without scripts to a
    notice.
    """
    if len(page) > _MOST_REFRESH_BYTES or b"<" not in page:
        return ""
    for tag in _META.findall(page.decode("utf-8", "replace")):
        content = _REFRESH.search(html.unescape(tag))
        if content is not None and _IS_REFRESH.search(tag):
            return content[1].strip()
    return ""


def fresh_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the remaining freshness lifetime of a response in seconds; None if it declares none, or `no-cache`.

    `no-cache` and `no-store` take precedence over max-age, and max-age over Expires. The time that the response has
    spent in caches (Age) is subtracted from max-age (RFC 9111 4.2).
    """
    control = headers.get("cache-control", "")[:_HEADER_CHARS].lower()
    if _UNCACHED.search(control):
        return None
    if age := _MAX_AGE.search(control):
        elapsed = _NUMBER.match(headers.get("age", "").strip())
        return max(0.0, float(age[1]) - float(elapsed[0] if elapsed else 0))
    expires = http_time(headers.get("expires", ""))
    date = http_time(headers.get("date", ""))
    if expires is None or date is None:
        return None
    return max(0.0, (expires - date).total_seconds())


def http_time(text: str) -> datetime | None:
    """Return the time of a header; None if it is not an HTTP date (RFC 9110 5.6.7)."""
    if not _HTTP_DATE.match(text.strip()):
        return None
    try:
        moment = parsedate_to_datetime(text.strip())
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def validator(value: str | None) -> str | None:
    """Return an ETag or Last-Modified without spaces around it; None if it cannot be sent back."""
    stripped = (value or "").strip()
    return stripped if is_printable(stripped) and len(stripped) <= URL_CHARS else None


def is_printable(text: str) -> bool:
    """Return whether the text may be in a header: printable ASCII, not empty."""
    return _PRINTABLE.match(text) is not None
