"""Finds the entries in the markup of a feed in linear time, to limit their number or to parse each alone."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from aggregator.sources.parse.feeds.xml_repair import DECLARATION

# The start of an entry, or of a section or comment, where "<item" is only text
_ENTRY = re.compile(
    r"<!\[CDATA\[|<!--|<(?:[\w.-]{1,40}:)?(?:item|entry)(?=[\s/>])", re.IGNORECASE
)
# A date of an entry: <pubDate>Mon, 9 Mar 2026 ...<
_DATE = re.compile(
    r"<(?:[\w.-]{1,40}:)?(?:pubDate|published|updated|date|issued|modified)(?:\s[^<>]{0,200})?>([^<]{4,64})<",
    re.IGNORECASE,
)
_ATOM = "http://www.w3.org/2005/Atom"
# Prefixes that feeds use, some without declaring them
_USUAL_PREFIXES = (
    ("atom", _ATOM),
    ("content", "http://purl.org/rss/1.0/modules/content/"),
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("itunes", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
    ("media", "http://search.yahoo.com/mrss/"),
    ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
)
# The root element of a feed, with its attributes
_ROOT = re.compile(
    r"<(?:[\w.-]{1,40}:)?(?:rss|feed|rdf|channel)\b[^<>]{0,8192}>", re.IGNORECASE
)
# The attributes of the root that apply to entries: namespaces, the base of addresses, the language
_ROOT_ATTRIBUTE = re.compile(
    r"\s(?:xmlns(?::[\w.-]{1,40})?|xml:base|xml:lang)=(?:\"[^\"<>]{0,500}\"|'[^'<>]{0,500}')"
)
# Elements around the metadata of a feed and around its entries
_CHANNEL = re.compile(r"</?(?:channel|items?)\b[^<>]{0,500}>", re.IGNORECASE)
# The end of a feed after its last entry: </channel></rss>
_TAIL = re.compile(
    r"(?:\s{0,100}</(?:[\w.-]{1,40}:)?(?:channel|rss|feed|rdf)\s{0,10}>){1,3}\s*\Z",
    re.IGNORECASE,
)
# The title of an entry without </title>
_OPEN_TITLE = re.compile(r"(<title>[^<]{1,2000})(?=<|\Z)", re.IGNORECASE)
# The end of a section and of a comment
_CLOSING = {"<![CDATA[": "]]>", "<!--": "-->"}


def entry_starts(text: str) -> Iterator[int]:
    """Yield the starts of `<item` and `<entry` elements outside comments and CDATA; in linear time."""
    resume = 0
    unclosed = (
        set()
    )  # the ends that do not occur any more, so that they are not searched for again
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
) -> tuple[str, int, bool]:
    """Return `text` with at most `limit` entries, their original number, and whether the newest entries are last.

    The surrounding markup stays well-formed. The first entries are kept, or the last if the feed is ordered from old to
    new. To find the order, `is_earlier` compares the first dates of the first and the last entry, as written.
    Without a cut, the order is not determined.
    """
    starts = list(entry_starts(text))
    if len(starts) <= limit:
        return text, len(starts), False
    first = _DATE.search(text, starts[0], starts[1])
    last = _DATE.search(text, starts[-1])
    if first and last and is_earlier(first[1], last[1]):
        return text[: starts[0]] + text[starts[-limit] :], len(starts), True
    end = text.rfind("</" + _tag_name(text, starts[-1]))
    rest = text[text.find(">", end) + 1 :] if end > starts[-1] else ""
    return text[: starts[limit]] + rest, len(starts), False


def _tag_name(text: str, start: int) -> str:
    """Return the name of the tag that begins at `start`, with its prefix: "atom:entry"."""
    match = re.match(r"[\w.:-]{1,90}", text[start + 1 : start + 91])
    return match.group() if match else ""


def entries_alone(text: str) -> Iterator[str]:
    """Yield a feed's head as a document, then each entry as a document, closed and without its prefix.

    The documents have the namespace declarations of the feed's root, and those of the usual prefixes that it lacks.
    """
    starts = list(entry_starts(text))
    if not starts:
        return
    prefix, _, name = _tag_name(text, starts[0]).rpartition(":")
    root = _ROOT.search(text, 0, starts[0])
    is_atom = name.lower() == "entry"
    attributes = "".join(_ROOT_ATTRIBUTE.findall(root.group() if root else ""))
    for usual_prefix, uri in _USUAL_PREFIXES:
        if f"xmlns:{usual_prefix}=" not in attributes:
            attributes += f' xmlns:{usual_prefix}="{uri}"'
    if is_atom and "xmlns=" not in attributes:
        attributes += f' xmlns="{_ATOM}"'
    before, after = f'<rss version="2.0"{attributes}><channel>', "</channel></rss>"
    if is_atom:
        before, after = f"<feed{attributes}>", "</feed>"
    before = DECLARATION + before
    head = text[root.end() if root else 0 : starts[0]]
    yield before + _CHANNEL.sub("", _without_prefix(head, prefix)) + after
    for start, end in pairwise([*starts, len(text)]):
        tag = _tag_name(text, start)
        prefix, _, local = tag.rpartition(":")
        close = text.find("</" + tag, start, end)
        body = text[start:close] if close >= 0 else _TAIL.sub("", text[start:end])
        entry = _without_prefix(body, prefix)
        if "</title" not in entry:
            entry = _OPEN_TITLE.sub(r"\1</title>", entry)
        if not text.startswith("/>", text.find(">", start, end) - 1):
            entry += f"</{local}>"
        yield before + entry + after


def _without_prefix(markup: str, prefix: str) -> str:
    return re.sub(rf"(</?){re.escape(prefix)}:", r"\1", markup) if prefix else markup
