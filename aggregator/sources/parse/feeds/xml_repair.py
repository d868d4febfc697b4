"""Prepares untrusted XML for a parser: decoded, cleaned, without a DTD, with a limited length.

Parsers stop at the first NUL, the first reference to a surrogate and the first unknown entity, and a DTD can
define entities that expand without limit. All steps take time linear in the size of the document.
"""

import html.entities
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from aggregator.extract.language import unicode

if TYPE_CHECKING:
    from lxml.etree import _Element

_DECLARATION = "<?xml version='1.0' encoding='utf-8'?>\n"
# The beginning that is searched for a DOCTYPE; no feed seen has it later
_PROLOG_CHARS = 65_536

# "<?xm" in wide encodings without a byte order mark (XML 1.0, appendix F).
_WIDE_SIGNATURES = (
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"\x4c\x6f\xa7\x94", "cp037"),
)
_CHARSET = re.compile(r"charset\s*=\s*+(?:[\"']\s*+)?([\w.:-]{1,40})", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"<\?xml\b[^<>]{0,400}>", re.IGNORECASE)
_DOCTYPE = re.compile(r"<!DOCTYPE\b", re.IGNORECASE)
_SUBSET_END = re.compile(r"\]\s*>")
_NUMBER_REFERENCE = re.compile(r"&#(x[0-9a-f]+|[0-9]+);", re.IGNORECASE | re.ASCII)
_NAME_REFERENCE = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,7});")
_NAMED = {
    name: chr(code)
    for name, code in html.entities.name2codepoint.items()
    if name not in {"amp", "lt", "gt", "quot"}
}
_ENTRY = re.compile(
    r"<!\[CDATA\[|<!--|<(?:[\w.-]{1,40}:)?(?:item|entry)(?=[\s/>])", re.IGNORECASE
)
_DATE = re.compile(
    r"<(?:[\w.-]{1,40}:)?(?:pubDate|published|updated|date|issued|modified)(?:\s[^<>]{0,200})?>([^<]{4,64})<",
    re.IGNORECASE,
)
# A tag this long has too many attributes (quadratic time in every parser) or an inlined image.
_HUGE_TAG = re.compile(r"<([A-Za-z_][\w.:-]{0,90})[^<>]{8192,}?(/?)>")
# feedparser searches names for an e-mail address, in quadratic time (200,000 characters took 90 s).
_LONG_NAME = re.compile(
    r"(<(?:[\w.-]{1,40}:)?(?:author|contributor|creator|managingeditor|name|publisher|webmaster)\b[^<>]{0,400}>"
    r"\s{0,100}(?:<!\[CDATA\[)?[^<\]]{2000})[^<\]]++",
    re.IGNORECASE,
)
_ATOM = "http://www.w3.org/2005/Atom"
_USUAL = (
    ("atom", _ATOM),
    ("content", "http://purl.org/rss/1.0/modules/content/"),
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("itunes", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
    ("media", "http://search.yahoo.com/mrss/"),
    ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
)
_ROOT = re.compile(
    r"<(?:[\w.-]{1,40}:)?(?:rss|feed|rdf|channel)\b[^<>]{0,8192}>", re.IGNORECASE
)
_ROOT_ATTRIBUTE = re.compile(
    r"\s(?:xmlns(?::[\w.-]{1,40})?|xml:base|xml:lang)=(?:\"[^\"<>]{0,500}\"|'[^'<>]{0,500}')"
)
_CHANNEL = re.compile(r"</?(?:channel|items?)\b[^<>]{0,500}>", re.IGNORECASE)
_TAIL = re.compile(
    r"(?:\s{0,100}</(?:[\w.-]{1,40}:)?(?:channel|rss|feed|rdf)\s{0,10}>){1,3}\s*\Z",
    re.IGNORECASE,
)
# In an entry without </title>
_OPEN_TITLE = re.compile(r"(<title>[^<]{1,2000})(?=<|\Z)", re.IGNORECASE)
_MAX_PREFIXES = 100  # the largest number in 117 real feeds is 10
_PREFIX = re.compile(
    r"\sxmlns:([\w.-]{1,60})\s?=\s?(?:\"[^\"<>]{0,500}\"|'[^'<>]{0,500}')"
)
_CLOSING = {"<![CDATA[": "]]>", "<!--": "-->"}


def decode_markup(data: bytes, content_type: str | None = None) -> str:
    """Decode an XML document by its byte order mark, else the header, else its declaration."""
    for signature, codec in _WIDE_SIGNATURES:
        if data.startswith(signature):
            return data.decode(codec, "replace")
    return unicode.decode(data, charset_of(content_type))


def charset_of(content_type: str | None) -> str | None:
    """Return the charset in a Content-Type header."""
    match = _CHARSET.search((content_type or "")[:1024])
    return match.group(1) if match else None


def well_prepared(text: str) -> str:
    """Return `text` with one declaration (UTF-8), no DOCTYPE, and only characters and references valid in
    XML.
    """
    text = unicode.clean(text).lstrip()
    text = _without_doctype(_without_declaration(text))
    text = _with_few_namespaces(_HUGE_TAG.sub(r"<\1\2>", text))
    text = _LONG_NAME.sub(r"\1", text)
    if "&#" in text:
        # Also joins pairs of surrogates
        text = unicode.clean(_NUMBER_REFERENCE.sub(_character, text))
    if "&" in text:
        text = _NAME_REFERENCE.sub(lambda found: _NAMED.get(found[1], found[0]), text)
    return _DECLARATION + text.lstrip()


def root_of(text: str) -> "_Element | None":
    """Parse the result of `well_prepared` as far as it can be read; None if there is no element."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, recover=True, load_dtd=False
    )
    return etree.fromstring(text.encode(), parser)


def _without_declaration(text: str) -> str:
    match = _XML_DECLARATION.search(text, 0, 4096)
    return text if match is None else text[: match.start()] + text[match.end() :]


def _without_doctype(text: str) -> str:
    """Remove the DOCTYPE and its internal subset, which may define entity bombs and external files."""
    match = _DOCTYPE.search(text, 0, _PROLOG_CHARS)
    if match is None:
        return text
    close = text.find(">", match.end())
    subset = text.find("[", match.end(), close if close >= 0 else len(text))
    if subset >= 0:
        subset_end = _SUBSET_END.search(text, subset)
        close = subset_end.end() - 1 if subset_end else close
    return (
        text[: match.start()] + text[close + 1 :]
        if close >= 0
        else text[: match.start()]
    )


def _with_few_namespaces(text: str) -> str:
    """Remove declarations of prefixes after the first hundred.

    Each makes feedparser slower for all that follow: 20,000 of them in 0.7 MB took 7.8 s.
    """
    if text.count("xmlns:") <= _MAX_PREFIXES:
        return text
    prefixes: set[str] = set()

    def limit_prefix(match: re.Match[str]) -> str:
        if len(prefixes) < _MAX_PREFIXES:
            prefixes.add(match.group(1))
        return match.group() if match.group(1) in prefixes else ""

    return _PREFIX.sub(limit_prefix, text)


def _character(match: re.Match[str]) -> str:
    """Return the character of a numeric reference; markup's ASCII stays a reference, invalid ones are
    dropped.
    """
    digits = match.group(1).lower()
    if len(digits) > 9:
        return ""
    code = int(digits[1:], 16) if digits[0] == "x" else int(digits)
    if code in {9, 10, 13} or 0x20 <= code < 0x80:
        return match.group()
    return chr(code) if code <= 0x10FFFF else ""


# --- limiting the entries ----------------------------------------------------------------------------------


class CutFeed(NamedTuple):
    """A feed's markup with a limited number of entries; `entries` is the original number."""

    text: str
    entries: int
    newest_last: bool


def entry_starts(text: str) -> Iterator[int]:
    """Yield where `<item` and `<entry` elements begin, outside comments and CDATA; in linear time."""
    resume = 0
    unclosed: set[str] = set()
    for match in _ENTRY.finditer(text):
        if match.start() < resume:
            continue
        closing = _CLOSING.get(match.group().upper())
        if closing is None:
            yield match.start()
        elif closing not in unclosed:
            end = text.find(closing, match.end())
            if end < 0:
                unclosed.add(closing)
            resume = max(resume, end)


def cut_entries(
    text: str, limit: int, is_earlier: Callable[[str, str], bool]
) -> CutFeed:
    """Return `text` with at most `limit` entries; the surrounding markup stays well-formed.

    They are the first, or the last of a feed that is ordered from old to new: `is_earlier` compares the first
    dates of its first and its last entry, as written.
    """
    starts = list(entry_starts(text))
    if len(starts) <= limit:
        return CutFeed(text, len(starts), newest_last=False)
    first, last = (
        _DATE.search(text, starts[0], starts[1]),
        _DATE.search(text, starts[-1]),
    )
    if first and last and is_earlier(first[1], last[1]):
        return CutFeed(
            text[: starts[0]] + text[starts[-limit] :], len(starts), newest_last=True
        )
    last_end = text.rfind("</" + _tag_name(text, starts[-1]))
    tail = text[text.find(">", last_end) + 1 :] if last_end > starts[-1] else ""
    return CutFeed(text[: starts[limit]] + tail, len(starts), newest_last=False)


def _tag_name(text: str, start: int) -> str:
    match = re.match(r"[\w.:-]{1,90}", text[start + 1 : start + 91])
    return match.group() if match else ""


def entries_alone(text: str) -> Iterator[str]:
    """Yield a feed's head as a document, then each entry as one, closed and without its prefix.

    The documents have the namespace declarations of the feed's root, and the usual ones that it lacks.
    """
    starts = list(entry_starts(text))
    if not starts:
        return
    ends = [*starts[1:], len(text)]
    prefix = _tag_name(text, starts[0]).rpartition(":")[0]
    root = _ROOT.search(text, 0, starts[0])
    declared = "".join(_ROOT_ATTRIBUTE.findall(root.group())) if root else ""
    declared += "".join(
        f' xmlns:{name}="{uri}"'
        for name, uri in _USUAL
        if f"xmlns:{name}=" not in declared
    )
    is_atom = _tag_name(text, starts[0]).rpartition(":")[2].lower() == "entry"
    if is_atom and "xmlns=" not in declared:
        declared += f' xmlns="{_ATOM}"'
    opened, closed = (
        (f"<feed{declared}>", "</feed>")
        if is_atom
        else (f'<rss version="2.0"{declared}><channel>', "</channel></rss>")
    )
    inner = text[root.end() if root else 0 : starts[0]]
    yield (
        _DECLARATION
        + opened
        + _CHANNEL.sub("", _without_prefix(inner, prefix))
        + closed
    )
    for start, end in zip(starts, ends, strict=True):
        name = _tag_name(text, start)
        prefix, _, local = name.rpartition(":")
        close = text.find("</" + name, start, end)
        body = text[start : close if close >= 0 else end]
        alone = _without_prefix(body if close >= 0 else _TAIL.sub("", body), prefix)
        alone = alone if "</title" in alone else _OPEN_TITLE.sub(r"\1</title>", alone)
        is_empty = text.startswith("/>", text.find(">", start, end) - 1)
        yield (
            _DECLARATION + opened + alone + ("" if is_empty else f"</{local}>") + closed
        )


def _without_prefix(markup: str, prefix: str) -> str:
    return re.sub(rf"(</?){re.escape(prefix)}:", r"\1", markup) if prefix else markup
