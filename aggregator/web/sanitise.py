"""Strangers' text and addresses, made fit for a page, a feed and a header.

Templates and lxml escape markup; what they let through is handled here: characters that XML forbids (one of
them makes a whole feed unreadable), marks that reorder the text around them, and links that run code.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

URL_LIMIT_CHARS = 2048  # longer ones are no article's address; browsers and readers cut there too

# XML 1.0 allows tab, newline, return and U+0020 upwards without surrogates, U+FFFE and U+FFFF. C1 controls
# are allowed but never text. The rest are bidi marks, overrides and isolates: they reorder what stands
# beside a title.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
# The same bidi characters in UTF-8.
_BIDI_BYTES = re.compile(rb"\xe2(?:\x80[\x8e\x8f\xaa-\xae]|\x81[\xa6-\xa9])")
_ARABIC_MARK_BYTES = "\u061c".encode()
_PLANE_ENDS = re.compile(
    "[" + "".join(chr(p << 16 | e) for p in range(1, 17) for e in (0xFFFE, 0xFFFF)) + "]"
)
_TAG_OPENER = re.compile(r"<(?=[A-Za-z/!?])")
_SPACES = re.compile(r"\s+")


def visible(text: str) -> str:
    """`text` without characters that XML forbids or that change the order of the text around them."""
    if text.isascii() and text.isprintable():  # most of what is shown, and ten times faster to find out
        return text
    return _PLANE_ENDS.sub("", _UNPRINTABLE.sub("", text))


def visible_marked(text: str, marks: Iterable[tuple[int, int]]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """`visible` text, and the ranges of it that `marks` were in `text`."""
    moved = tuple((len(visible(text[:start])), len(visible(text[:end]))) for start, end in marks)
    return visible(text), moved


def without_bidi(encoded: bytes) -> bytes:
    """JSON without characters that change the order of the text around them, in whatever string of it."""
    return _BIDI_BYTES.sub(b"", encoded).replace(_ARABIC_MARK_BYTES, b"")


def one_line(text: str) -> str:
    """`visible` text on one line, for titles and names."""
    return _SPACES.sub(" ", visible(text)).strip()


def plain_title(text: str) -> str:
    """A title for a feed, where some readers take titles for HTML and others for plain text.

    Escaping cannot suit both, so an opening bracket that would start a tag becomes a look-alike.
    """
    return _TAG_OPENER.sub("‹", one_line(text))


def safe_url(url: str | None) -> str | None:
    """`url` if a page may link to it: http or https, a host, no user name, no spaces; else None."""
    if not url or len(url) > URL_LIMIT_CHARS or visible(url) != url or _SPACES.search(url) or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not has_host or "@" in parts.netloc:
        return None
    return url
