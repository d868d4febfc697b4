"""XML functions of RSS and Atom, and texts and addresses that are valid in feeds.

The rules follow the warnings of feed validators: no control or replacement characters, titles that cannot be
mistaken for HTML, and addresses that are URIs (RFC 3986).
"""

import datetime as dt
import re
from html import unescape
from html.entities import name2codepoint
from urllib.parse import quote, urlsplit, urlunsplit

from lxml import etree

from aggregator.web.sanitise import one_line, plain_title, safe_url

TITLE_CHARS = 500  # feed readers show titles on one line

_DAMAGED = re.compile("[\x80-\x9f\ufffd]")
_AMPERSAND = re.compile(r"&(?=(#?\w+)(;?))")
# Most addresses match it, and `feed_url` returns them unchanged.
_PLAIN = re.compile(r"https?://[a-z0-9][a-z0-9.-]{0,200}\.[a-z]{2,20}/[0-9A-Za-z/:?&=+,.;~_-]{0,1500}")
_MIME = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_UNQUOTED = "/:?@&=+$,;.!~*'()%-_"  # in addresses, in addition to letters and digits
# The codes of ISO 639-1; other languages of a feed are invalid.
_LANGUAGES = frozenset(
    re.findall(
        r"\w+",
        "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da "
        "de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz "
        "ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln "
        "lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi "
        "pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti "
        "tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu",
    )
)


def feed_text(text: str) -> str:
    """Return `text` on one line, without characters that are invalid in feeds."""
    if text.isprintable() and "\ufffd" not in text:  # true of most texts, and five times faster
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
    name, reference = match[1], f"&{match[1]}{match[2]}"
    is_entity = name in name2codepoint or not name.isalpha() or unescape(reference) != reference
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
    except (UnicodeError, ValueError):
        return None
    if not re.fullmatch(r"[A-Za-z0-9._-]+", host):
        return None  # an IPv6 address
    path, query, fragment = (
        _valid_escapes(quote(part, safe=_UNQUOTED)) for part in (parts.path, parts.query, parts.fragment)
    )
    return urlunsplit((parts.scheme.lower(), host + port, path or "/", query, fragment))


def _valid_escapes(part: str) -> str:
    return re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", part)


def mime_type(text: str) -> str | None:
    """Return `text` if it has the form of a MIME type, else None."""
    return text if _MIME.fullmatch(text) else None


def feed_language(tag: str | None) -> str | None:
    """Return the first part of a language tag if it is a code of ISO 639-1, else None."""
    first = re.split("[-_]", tag.lower(), maxsplit=1)[0] if tag else ""
    return first if first in _LANGUAGES else None


ATOM = "http://www.w3.org/2005/Atom"


def add(parent: etree._Element, name: str, text: str) -> etree._Element:
    """Append a child with the given text, and return it."""
    element = etree.SubElement(parent, name)
    element.text = text
    return element


def document(root: etree._Element, css_url: str) -> bytes:
    """Encode the document, with a processing instruction for the style sheet that browsers apply."""
    root.addprevious(etree.ProcessingInstruction("xml-stylesheet", f'type="text/css" href="{css_url}"'))
    return etree.tostring(root.getroottree(), encoding="utf-8", xml_declaration=True, pretty_print=True)


def rfc3339(time: dt.datetime) -> str:
    """Format a time in UTC with fractions of a second, which distinguish items of the same second."""
    return f"{time.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
