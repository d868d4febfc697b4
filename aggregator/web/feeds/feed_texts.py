"""Texts, addresses and times as feeds may have them.

The rules follow the warnings of feed validators: no control or replacement characters, titles that cannot be
mistaken for HTML, and addresses that are URIs (RFC 3986).
"""

import re
from datetime import datetime
from email.utils import format_datetime
from html import unescape
from html.entities import name2codepoint
from urllib.parse import quote, urlsplit, urlunsplit

from aggregator.model.clock import in_utc
from aggregator.publish.sanitise import one_line, plain_title, safe_url

TITLE_CHARS = 500  # feed readers show titles on one line
_DAMAGED = re.compile("[\x80-\x9f\ufffd]")
# Most addresses match it, and `feed_url` returns them unchanged.
_PLAIN = re.compile(
    r"https?://[a-z0-9][a-z0-9.-]{0,200}\.[a-z]{2,20}/[0-9A-Za-z/:?&=+,.;~_-]{0,1500}"
)
_AMPERSAND = re.compile(r"&(?=(#?\w+)(;?))")
_MIME = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Characters that stay as they are in addresses, besides letters and digits
_UNQUOTED = "/:?@&=+$,;.!~*'()%-_"


def feed_text(text: str) -> str:
    """Return `text` on one line, without characters that are invalid in feeds."""
    # Most texts are printable, and this check is five times faster.
    if text.isprintable() and "\ufffd" not in text:
        return " ".join(text.split())
    return _DAMAGED.sub("?", one_line(text))


def feed_title(text: str) -> str:
    """Return a title that reads the same as plain text and as HTML; "" if nothing is left.

    An ampersand that would begin an entity is replaced by "＆".
    """
    plain = _DAMAGED.sub("?", plain_title(text))
    if len(plain) > TITLE_CHARS:
        plain = plain[: TITLE_CHARS - 1].rstrip() + "…"
    return _AMPERSAND.sub(_ampersand, plain)


def _ampersand(match: re.Match[str]) -> str:
    name = match[1]
    reference = f"&{match[1]}{match[2]}"
    is_entity = (
        name in name2codepoint or not name.isalpha() or unescape(reference) != reference
    )
    return "＆" if is_entity or name == "apos" else "&"


def feed_url(url: str | None) -> str | None:
    """Return an untrusted address as a URI in ASCII; None if it is not safe or not a valid URI."""
    if url and _PLAIN.fullmatch(url):
        return url
    safe = safe_url(url)
    if safe is None:
        return None
    parts = urlsplit(safe)
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:  # UnicodeError, too
        return None
    if not re.fullmatch(r"[A-Za-z0-9._-]+", host):
        return None  # an IPv6 address
    path = _quote(parts.path) or "/"
    query = _quote(parts.query)
    fragment = _quote(parts.fragment)
    return urlunsplit((parts.scheme.lower(), host + port, path, query, fragment))


def _quote(part: str) -> str:
    return _BAD_ESCAPE.sub("%25", quote(part, safe=_UNQUOTED))


def mime_type(text: str) -> str | None:
    """Return `text` if it has the form of a MIME type, else None."""
    return text if _MIME.fullmatch(text) else None


def rfc3339(time: datetime) -> str:
    """Format a time in UTC with fractions of a second, which distinguish items of the same second."""
    return f"{in_utc(time):%Y-%m-%dT%H:%M:%S.%f}Z"


def rfc822(time: datetime) -> str:
    return format_datetime(in_utc(time), usegmt=True)
