"""Prepares untrusted XML for a parser: decoded, cleaned, without a DTD, huge tags and overlong names.

Parsers stop at the first NUL, the first reference to a surrogate and the first unknown entity, and a DTD can
define entities that expand without limit. All steps take time linear in the size of the document.
"""

import html.entities
import re
from typing import TYPE_CHECKING

from aggregator.extract.language import unicode
from aggregator.extract.language.charsets import decode

if TYPE_CHECKING:
    from lxml.etree import _Element


DECLARATION = "<?xml version='1.0' encoding='utf-8'?>\n"
# A DOCTYPE is searched for in this many characters; no feed seen has one later
_PROLOG_CHARS = 65_536
# "<" in UTF-32 without a byte order mark, and "<?xm" in EBCDIC (XML 1.0, appendix F)
_WIDE_SIGNATURES = (
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"\x4c\x6f\xa7\x94", "cp037"),
)
_CHARSET = re.compile(r"charset\s*=\s*+(?:[\"']\s*+)?([\w.:-]{1,40})", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"<\?xml\b[^<>]{0,400}>", re.IGNORECASE)
_DOCTYPE = re.compile(r"<!DOCTYPE\b", re.IGNORECASE)
_SUBSET_END = re.compile(r"\]\s*>")
# HTML's named references, except the four that XML shares: a feed with escaped HTML has thousands of these four.
_NAME_REFERENCE = re.compile(r"&(?!(?:amp|lt|gt|quot);)([A-Za-z][A-Za-z0-9]{1,7});")
# An ampersand that begins no reference; CDATA sections and comments, which may contain one, are matched as group 1.
_BARE_AMPERSAND = re.compile(
    r"(<!\[CDATA\[(?:[^\]]++|\](?!\]>))*+(?:\]\]>)?+|<!--(?:[^-]++|-(?!->))*+(?:-->)?+)|&(?!#?\w{1,32};)"
)
_NAMED = {name: chr(code) for name, code in html.entities.name2codepoint.items()}
# A tag of this length has too many attributes (quadratic time in every parser) or an inlined image. They are removed.
_HUGE_TAG = re.compile(r"<([A-Za-z_][\w.:-]{0,90})[^<>]{8192,}?(/?)>")
# A name is cut, because feedparser searches it for an e-mail address in quadratic time (200,000 characters took 90 s).
_LONG_NAME = re.compile(
    r"(<(?:[\w.-]{1,40}:)?(?:author|contributor|creator|managingeditor|name|publisher|webmaster)\b[^<>]{0,400}>"
    r"\s{0,100}(?:<!\[CDATA\[)?[^<\]]{2000})[^<\]]++",
    re.IGNORECASE,
)
_MAX_PREFIXES = 100  # the largest number in 117 real feeds is 10
_PREFIX = re.compile(
    r"\sxmlns:([\w.-]{1,60})\s?=\s?(?:\"[^\"<>]{0,500}\"|'[^'<>]{0,500}')"
)


def decode_markup(data: bytes, charset: str | None = None) -> str:
    """Decode an XML document by its byte order mark, else the charset, else its declaration."""
    for signature, codec in _WIDE_SIGNATURES:
        if data.startswith(signature):
            return data.decode(codec, "replace")
    return decode(data, charset)


def charset_of(content_type: str | None) -> str | None:
    """Return the charset in a Content-Type header."""
    match = _CHARSET.search((content_type or "")[:1024])
    return match.group(1) if match else None


def well_prepared(text: str) -> str:
    """Return `text` with one declaration (UTF-8), no DOCTYPE, and only valid characters and references."""
    text = unicode.clean_markup(text).lstrip()
    match = _XML_DECLARATION.search(text, 0, 4096)
    if match is not None:
        text = text[: match.start()] + text[match.end() :]
    text = _HUGE_TAG.sub(r"<\1\2>", _without_doctype(text))
    if text.count("xmlns:") > _MAX_PREFIXES:
        # Each prefix makes feedparser slower for everything that follows: 20,000 of them in 0.7 MB took 7.8 s.
        prefixes: set[str] = set()

        def limit_prefix(match: re.Match[str]) -> str:
            if len(prefixes) < _MAX_PREFIXES:
                prefixes.add(match.group(1))
            return match.group() if match.group(1) in prefixes else ""

        text = _PREFIX.sub(limit_prefix, text)
    text = _LONG_NAME.sub(r"\1", text)
    if "&" in text:
        text = _NAME_REFERENCE.sub(lambda found: _NAMED.get(found[1], found[0]), text)
        text = _BARE_AMPERSAND.sub(lambda found: found[1] or "&amp;", text)
    return DECLARATION + text.lstrip()


def root_of(text: str) -> "_Element | None":
    """Parse the result of `well_prepared` as far as it can be read; return None if it has no element."""
    from lxml import etree

    return etree.fromstring(
        text.encode(),
        etree.XMLParser(
            resolve_entities=False, no_network=True, recover=True, load_dtd=False
        ),
    )


def _without_doctype(text: str) -> str:
    """Return `text` without a DOCTYPE and its internal subset, which may define entity bombs and external files."""
    match = _DOCTYPE.search(text, 0, _PROLOG_CHARS)
    if match is None:
        return text
    before = text[: match.start()]
    after = text[match.end() :]
    close = after.find(">")
    subset = after.find("[", 0, close if close >= 0 else None)
    if subset >= 0 and (subset_end := _SUBSET_END.search(after, subset)):
        close = subset_end.end() - 1
    return before + after[close + 1 :] if close >= 0 else before
