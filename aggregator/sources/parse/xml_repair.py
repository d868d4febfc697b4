"""A stranger's XML made fit for a parser: decoded, cleaned, without a DTD, not longer than we read.

Parsers stop at the first NUL, the first reference to a surrogate, the first entity they do not know; and a
DTD is where the bombs are (hardening I1, I12-I14). All of it is linear in the size of the document.
"""

import html.entities
import re
from collections.abc import Iterator
from typing import NamedTuple

from aggregator.extract.language import unicode

_DECLARATION = "<?xml version='1.0' encoding='utf-8'?>\n"
_PROLOG_CHARS = 65_536  # a DOCTYPE is looked for in this much; no feed seen has it later

# What "<?xm" looks like where `characters.decode` has no mark to go by (XML 1.0, appendix F).
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
_ENTRY = re.compile(r"<!\[CDATA\[|<!--|<(?:[\w.-]{1,40}:)?(?:item|entry)(?=[\s/>])", re.IGNORECASE)
_DATE = re.compile(
    r"<(?:[\w.-]{1,40}:)?(?:pubDate|published|updated|date|issued|modified)(?:\s[^<>]{0,200})?>([^<]{4,64})<",
    re.IGNORECASE,
)
# A tag this long is a flood of attributes, quadratic in every parser (hardening I10), or an inlined image.
_HUGE_TAG = re.compile(r"<([A-Za-z_][\w.:-]{0,90})[^<>]{8192,}>")
# feedparser looks for an address in a name: in one this long for minutes (200,000 characters took it 90 s).
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
_ROOT = re.compile(r"<(?:[\w.-]{1,40}:)?(?:rss|feed|rdf|channel)\b[^<>]{0,8192}>", re.IGNORECASE)
_ROOT_ATTRIBUTE = re.compile(
    r"\s(?:xmlns(?::[\w.-]{1,40})?|xml:base|xml:lang)=(?:\"[^\"<>]{0,500}\"|'[^'<>]{0,500}')"
)
_CHANNEL = re.compile(r"</?(?:channel|items?)\b[^<>]{0,500}>", re.IGNORECASE)
_TAIL = re.compile(
    r"(?:\s{0,100}</(?:[\w.-]{1,40}:)?(?:channel|rss|feed|rdf)\s{0,10}>){1,3}\s*\Z", re.IGNORECASE
)
_MAX_PREFIXES = 100  # of 117 real feeds the one with most has 10
_PREFIX = re.compile(r"\sxmlns:([\w.-]{1,60})\s?=\s?(?:\"[^\"<>]{0,500}\"|'[^'<>]{0,500}')")
_CLOSING = {"<![CDATA[": "]]>", "<!--": "-->"}


def decode_markup(data: bytes, content_type: str | None = None) -> str:
    """The text of an XML document: a byte order mark wins over the header, that over the declaration."""
    for signature, codec in _WIDE_SIGNATURES:
        if data.startswith(signature):
            return data.decode(codec, "replace")
    return unicode.decode(data, charset_of(content_type))


def charset_of(content_type: str | None) -> str | None:
    """The charset that a Content-Type header names."""
    found = _CHARSET.search((content_type or "")[:1024])
    return found.group(1) if found else None


def well_prepared(text: str) -> str:
    """`text` with one declaration (UTF-8), no DOCTYPE, and only characters and references XML allows."""
    text = unicode.clean(text).lstrip()
    text = _without_doctype(_without_declaration(text))
    text = _with_few_namespaces(_HUGE_TAG.sub(_without_attributes, text))
    text = _LONG_NAME.sub(r"\1", text)
    if "&#" in text:
        text = unicode.clean(_NUMBER_REFERENCE.sub(_character, text))  # pairs of surrogates join here
    if "&" in text:
        text = _NAME_REFERENCE.sub(_named_character, text)
    return _DECLARATION + text.lstrip()


def _without_declaration(text: str) -> str:
    found = _XML_DECLARATION.search(text, 0, 4096)
    return text if found is None else text[: found.start()] + text[found.end() :]


def _without_doctype(text: str) -> str:
    """Without the DOCTYPE and its internal subset: the home of every entity bomb and of external files."""
    found = _DOCTYPE.search(text, 0, _PROLOG_CHARS)
    if found is None:
        return text
    close = text.find(">", found.end())
    subset = text.find("[", found.end(), close if close >= 0 else len(text))
    if subset >= 0:
        subset_end = _SUBSET_END.search(text, subset)
        close = subset_end.end() - 1 if subset_end else close
    return text[: found.start()] + text[close + 1 :] if close >= 0 else text[: found.start()]


def _without_attributes(found: re.Match[str]) -> str:
    return f"<{found.group(1)}{'/' if found.group().endswith('/>') else ''}>"


def _with_few_namespaces(text: str) -> str:
    """Without the declarations of prefixes past the first hundred: each makes feedparser slower for all that
    follow (20,000 of them in 0.7 MB took it 7.8 s)."""
    if text.count("xmlns:") <= _MAX_PREFIXES:
        return text
    known: set[str] = set()

    def kept(found: re.Match[str]) -> str:
        if len(known) < _MAX_PREFIXES:
            known.add(found.group(1))
        return found.group() if found.group(1) in known else ""

    return _PREFIX.sub(kept, text)


def _character(found: re.Match[str]) -> str:
    """What a numeric reference stands for; markup's own ASCII stays a reference, nonsense goes."""
    digits = found.group(1).lower()
    if len(digits) > 9:
        return ""
    code = int(digits[1:], 16) if digits[0] == "x" else int(digits)
    if code in {9, 10, 13} or 0x20 <= code < 0x80:
        return found.group()
    return chr(code) if code <= 0x10FFFF else ""


def _named_character(found: re.Match[str]) -> str:
    return _NAMED.get(found.group(1), found.group())


# --- how many entries, and which of them -------------------------------------------------------------------


class CutFeed(NamedTuple):
    """A feed's markup with at most so many entries in it; `entries` counts those it had before."""

    text: str
    entries: int
    newest_last: bool


def entry_starts(text: str) -> Iterator[int]:
    """Where `<item` and `<entry` elements begin, outside comments and CDATA. Linear, whatever is unclosed."""
    resume = 0
    unclosed: set[str] = set()
    for found in _ENTRY.finditer(text):
        if found.start() < resume:
            continue
        closing = _CLOSING.get(found.group().upper())
        if closing is None:
            yield found.start()
        elif closing not in unclosed:
            end = text.find(closing, found.end())
            if end < 0:
                unclosed.add(closing)
            resume = max(resume, end)


def cut_entries(text: str, limit: int, *, newest_last: bool = False) -> CutFeed:
    """`text` with its first `limit` entries, or its last ones; what stands around them stays well-formed."""
    starts = list(entry_starts(text))
    if len(starts) <= limit:
        return CutFeed(text, len(starts), newest_last)
    if newest_last:
        return CutFeed(text[: starts[0]] + text[starts[-limit] :], len(starts), newest_last)
    last_end = text.rfind("</" + _tag_name(text, starts[-1]))
    tail = text[text.find(">", last_end) + 1 :] if last_end > starts[-1] else ""
    return CutFeed(text[: starts[limit]] + tail, len(starts), newest_last)


def _tag_name(text: str, start: int) -> str:
    found = re.match(r"[\w.:-]{1,90}", text[start + 1 : start + 91])
    return found.group() if found else ""


def entries_alone(text: str) -> Iterator[str]:
    """A feed's head as a document, then each of its entries as one, closed by us and without its prefix.

    The documents declare what the feed's own root does, and the usual namespaces where that forgot them.
    """
    starts = list(entry_starts(text))
    if not starts:
        return
    ends = [*starts[1:], len(text)]
    prefix = _tag_name(text, starts[0]).rpartition(":")[0]
    root = _ROOT.search(text, 0, starts[0])
    declared = "".join(_ROOT_ATTRIBUTE.findall(root.group())) if root else ""
    declared += "".join(f' xmlns:{name}="{uri}"' for name, uri in _USUAL if f"xmlns:{name}=" not in declared)
    is_atom = _tag_name(text, starts[0]).rpartition(":")[2].lower() == "entry"
    if is_atom and "xmlns=" not in declared:
        declared += f' xmlns="{_ATOM}"'
    opened, closed = (
        (f"<feed{declared}>", "</feed>")
        if is_atom
        else (f'<rss version="2.0"{declared}><channel>', "</channel></rss>")
    )
    inner = text[root.end() if root else 0 : starts[0]]
    yield _DECLARATION + opened + _CHANNEL.sub("", _without_prefix(inner, prefix)) + closed
    for start, end in zip(starts, ends, strict=True):
        name = _tag_name(text, start)
        prefix, _, local = name.rpartition(":")
        close = text.find("</" + name, start, end)
        body = text[start : close if close >= 0 else end]
        alone = _without_prefix(body if close >= 0 else _TAIL.sub("", body), prefix)
        is_empty = text.startswith("/>", text.find(">", start, end) - 1)
        yield _DECLARATION + opened + alone + ("" if is_empty else f"</{local}>") + closed


def _without_prefix(markup: str, prefix: str) -> str:
    return re.sub(rf"(</?){re.escape(prefix)}:", r"\1", markup) if prefix else markup


def outer_dates(text: str) -> tuple[str, str] | None:
    """The first date of the first entry and of the last one, as written; None where there are not two."""
    starts = list(entry_starts(text))
    if len(starts) < 2:
        return None
    first = _DATE.search(text, starts[0], starts[1])
    last = _DATE.search(text, starts[-1])
    return (first.group(1), last.group(1)) if first and last else None
