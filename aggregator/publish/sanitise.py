"""Make untrusted texts and addresses safe for pages, feeds and headers.

Templates and lxml escape markup. This module removes other dangers: characters that XML forbids (one of
them makes a whole feed unreadable), bidi marks that reorder the text around them, and links that run code.
"""

import re
from urllib.parse import urlsplit

import msgspec

URL_LIMIT_CHARS = 2048  # browsers and feed readers cut longer ones

# XML 1.0 allows tab, newline, return and U+0020 upwards except surrogates, U+FFFE and U+FFFF. The C1 controls (except
# U+0085) and the noncharacters U+FDD0 to U+FDEF are allowed but never text. U+FEFF is invisible. The others are bidi
# marks, overrides and isolates, which reorder the text beside a title.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
# These bidi characters in UTF-8, except the Arabic letter mark (U+061C), whose bytes follow
_BIDI_BYTES = re.compile(rb"\xe2(?:\x80[\x8e\x8f\xaa-\xae]|\x81[\xa6-\xa9])")
_ARABIC_MARK_BYTES = "\u061c".encode()
# The last two code points of each further plane, which are noncharacters
_PLANE_ENDS = re.compile(
    "["
    "\U0001fffe\U0001ffff\U0002fffe\U0002ffff\U0003fffe\U0003ffff\U0004fffe\U0004ffff\U0005fffe\U0005ffff"
    "\U0006fffe\U0006ffff\U0007fffe\U0007ffff\U0008fffe\U0008ffff\U0009fffe\U0009ffff\U000afffe\U000affff"
    "\U000bfffe\U000bffff\U000cfffe\U000cffff\U000dfffe\U000dffff\U000efffe\U000effff\U000ffffe\U000fffff"
    "\U0010fffe\U0010ffff"
    "]"
)
_TAG_OPENER = re.compile(r"<(?=[A-Za-z/!?])")
_SPACES = re.compile(r"\s+")


def visible(text: str) -> str:
    """Return `text` without characters that XML forbids or that reorder the text around them."""
    # Most texts are printable ASCII, and this check is ten times faster.
    if text.isascii() and text.isprintable():
        return text
    return _PLANE_ENDS.sub("", _UNPRINTABLE.sub("", text))


def encode_json(value: object) -> bytes:
    """Encode `value` as JSON without characters that reorder the text around them.

    All JSON output is encoded here, except that of `export`, which `import` must read back unchanged.
    """
    return _BIDI_BYTES.sub(b"", msgspec.json.encode(value)).replace(
        _ARABIC_MARK_BYTES, b""
    )


def one_line(text: str) -> str:
    """Return the `visible` text on one line, for titles and names."""
    return _SPACES.sub(" ", visible(text)).strip()


def plain_title(text: str) -> str:
    """Return a title for a feed, in which a "<" that would start a tag is replaced by "‹".

    Some feed readers treat titles as HTML and others as plain text, so escaping would be wrong for one kind.
    """
    return _TAG_OPENER.sub("‹", one_line(text))


def safe_url(url: str | None) -> str | None:
    """Return `url` if a page may link to it: http or https, a host, no user name, no spaces; else None."""
    if (
        not url
        or len(url) > URL_LIMIT_CHARS
        or visible(url) != url
        or _SPACES.search(url)
        or "\\" in url
    ):
        return None
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    if (
        parts.scheme.lower() not in ("http", "https")
        or not has_host
        or "@" in parts.netloc
    ):
        return None
    return url
