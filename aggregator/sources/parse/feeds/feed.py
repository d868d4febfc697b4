"""Parses feeds of any format to `ParsedFeed`. Runs in a worker process.

The only module that imports feedparser, which gets bytes in a BytesIO only: it would
open a string that looks like a path or a URL. Its sanitizer is off, since it takes minutes on hostile input
and lets scripts through; HTML is cleaned where it is shown.

JSON Feed 1.0 and 1.1 (jsonfeed.org) is parsed by its specification and tolerant of wrong types. Data that is
not a feed gets a message for `sources check` and `sources list`.
"""

import datetime as dt
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from html import unescape
from itertools import chain
from typing import Any
from xml.sax import SAXParseException

from msgspec.structs import replace

from aggregator.extract.language import unicode
from aggregator.model.core import Enclosure, Entry, ParsedFeed
from aggregator.sources.parse.feeds import feed_discovery, xml_repair
from aggregator.sources.parse.feeds import known_items as feed_items
from aggregator.sources.parse.feeds.entry_builder import (
    DeclaredEntry,
    FeedContext,
    absolute_url,
    declared_time,
    entries_of,
    html_of_text,
    plain_title,
    primary_language,
)
from aggregator.text.lines import word_set

Raw = dict[str, Any]  # what a parser returns of an element: any keys and types
_MINUTES = re.compile(r"\s*([0-9]{1,6})\s*\Z")
_TIMES = re.compile(r"\s*([0-9]{1,4})\s*\Z")
_PERIODS = {
    "hourly": 3600.0,
    "daily": 86400.0,
    "weekly": 604800.0,
    "monthly": 2592000.0,
    "yearly": 31536000.0,
}


def ttl_seconds(
    ttl: str | None, period: str | None, frequency: str | None
) -> float | None:
    """Return the poll interval that the feed requests, in seconds; None if it requests none.

    `ttl` (RSS) is in minutes; `period` (syndication module) is a word, hourly to yearly, divided by
    `frequency`. The longer of both is returned; the caller limits it.
    """
    intervals = []
    if (minutes := _MINUTES.match(ttl or "")) and int(minutes[1]) > 0:
        intervals.append(int(minutes[1]) * 60.0)
    if (length := _PERIODS.get((period or "").strip().lower())) is not None:
        times = _TIMES.match(frequency or "1")
        intervals.append(length / max(1, int(times[1])) if times else length)
    return max(intervals, default=None)


_UTF8_HEADER = {"content-type": "application/xml; charset=utf-8"}
# feedparser uses an image's caption as the summary of the entry, even if the entry has a summary.
_CAPTION = re.compile(
    r"<(/?)media:description(?:\s[^<>]{0,400}(?<!/))?>", re.IGNORECASE
)
# It also uses any `uri` attribute of a link as its URL and drops the link's text, which is the URL.
_LINK_URI = re.compile(
    r"(<link\b[^<>]{0,400}?)\suri=(?:\"[^\"<>]{0,400}\"|'[^'<>]{0,400}')", re.IGNORECASE
)
# It splits long top-level domains: "a@b.online (Jo Doe)" becomes the name "ne (Jo Doe".
_TORN_NAME = re.compile(r"[a-z]{0,20} ?\(([^()]+)")


def read_feed(data: bytes, context: FeedContext) -> ParsedFeed:
    """Parse a feed of any format; if it has more than `max_entries`, return the newest ones.

    Never raises because of the bytes: for anything that is not a feed, `problem` has a message for the user.
    `entry_count` above `len(entries)` means that entries were left out, as too many or empty, or as known.
    """
    try:
        return _read_unknown_items(
            _unzipped(data, context.tuning.max_feed_bytes), context
        )
    except Exception as error:  # noqa: BLE001 - parsers may raise anything on untrusted bytes
        return ParsedFeed(
            problem=f"this could not be read as a feed ({type(error).__name__})"
        )


def _read_unknown_items(data: bytes, context: FeedContext) -> ParsedFeed:
    """Parse the feed without its known items, if its other entries are the same then."""
    cut = feed_items.cut_feed(data, context)
    if cut is None:
        return _with_days(_read(data, context))
    if cut.left_out and not cut.items:
        return ParsedFeed(left_out=cut.left_out, frame=cut.frame)
    feed = _read(cut.data, context)
    # Whether a feed states days, all its entries say together.
    is_in_doubt = _states_days(feed) and not context.states_days
    if cut.left_out and (feed.problem is not None or is_in_doubt):
        return _read_unknown_items(data, replace(context, known_items=frozenset()))
    items: tuple[bytes, ...] = ()
    if len(feed.are_settled) == len(cut.items):
        settled = zip(cut.items, feed.are_settled, strict=True)
        items = tuple(item if is_settled else b"" for item, is_settled in settled)
    return replace(
        _with_days(feed), items=items, left_out=cut.left_out, frame=cut.frame
    )


def _states_days(feed: ParsedFeed) -> bool:
    """Return whether all entries with a time are of midnight UTC."""
    times = [
        entry.published.time for entry in feed.entries if entry.published is not None
    ]
    return bool(times) and all(time.time() == dt.time(0) for time in times)


def _with_days(feed: ParsedFeed) -> ParsedFeed:
    """Return the feed; if all its entries are of midnight UTC, it states days and no times."""
    if not _states_days(feed):
        return feed
    entries = []
    for one in feed.entries:
        day = one.published and replace(one.published, precision="day")
        entries.append(replace(one, published=day))
    return replace(feed, entries=tuple(entries), states_days=True)


def parser_versions() -> str:
    """Return the versions of the C libraries that parse untrusted XML; old ones expand entities."""
    import pyexpat

    from lxml import etree

    return f"{pyexpat.EXPAT_VERSION.replace('_', ' ')}, libxml2 {'.'.join(map(str, etree.LIBXML_VERSION))}"


def _unzipped(data: bytes, limit_bytes: int) -> bytes:
    """Decompress bytes that were served or saved as .gz, within the limit; return others unchanged."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as opened:
            return opened.read(limit_bytes)
    except (OSError, EOFError, zlib.error):
        return data


def _read(data: bytes, context: FeedContext) -> ParsedFeed:
    problem = of_bytes(data)
    if problem:
        return ParsedFeed(problem=problem)
    text = xml_repair.decode_markup(data, context.content_type)
    if text.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}:
        return read_json_feed(text, context)
    problem = of_markup(text)
    if problem:
        return ParsedFeed(problem=problem)
    if feed_discovery.is_sitemap(text):
        return feed_discovery.read_sitemap(xml_repair.well_prepared(text), context)
    return _read_xml(text, context)


def _read_xml(text: str, context: FeedContext) -> ParsedFeed:
    """Parse the repaired markup; if fewer entries are found than it has, parse each entry alone."""
    limit, is_earlier = (
        context.tuning.max_entries,
        partial(_is_earlier, context=context),
    )
    cut = xml_repair.cut_entries(xml_repair.well_prepared(text), limit, is_earlier)
    repaired = _LINK_URI.sub(r"\1", _CAPTION.sub(r"<\1media:caption>", cut.text))
    first = feed = _attempted(_with_feedparser, repaired, context)
    if min(cut.entries, limit) > (feed.entry_count if feed else 0):
        alone = _attempted(_one_by_one, repaired, context)
        feed = (
            alone
            if alone and alone.entry_count > (feed.entry_count if feed else 0)
            else feed
        )
    if feed and feed.entry_count:
        return _as_given(feed, cut, limit)
    if first and first.format:
        return first  # a feed without entries at the moment
    return ParsedFeed(problem="this begins like a feed but has no readable entries")


def _attempted(
    parse: Callable[[str, FeedContext], ParsedFeed], text: str, context: FeedContext
) -> ParsedFeed | None:
    try:
        return parse(text, context)
    except Exception:  # noqa: BLE001 - feedparser may raise anything on untrusted markup
        return None


def _as_given(feed: ParsedFeed, cut: xml_repair.CutFeed, limit: int) -> ParsedFeed:
    """Return the feed with its original number of entries, newest first."""
    named = feed.format or ("atom" if "entry>" in cut.text else "rss")
    entries = feed.entries[::-1] if cut.newest_last else feed.entries
    count = cut.entries if cut.entries > limit else feed.entry_count
    return replace(feed, format=named, entries=entries, entry_count=count)


def _is_earlier(one: str, other: str, context: FeedContext) -> bool:
    """Return whether both are times, the first of them before the other."""
    first, second = declared_time(one, context), declared_time(other, context)
    return first is not None and second is not None and first.time < second.time


# --- feedparser --------------------------------------------------------------------------------------------


def _with_feedparser(text: str, context: FeedContext) -> ParsedFeed:
    import feedparser

    parsed: Raw = feedparser.parse(
        io.BytesIO(text.encode()),
        response_headers=dict(_UTF8_HEADER),
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    head: Raw = parsed["feed"]
    context = replace(
        context,
        site_url=absolute_url(_string(head, "link"), context.url) or context.site_url,
        title=plain_title(_string(head, "title")) or context.title,
        language=primary_language(_string(head, "language")) or context.language,
    )
    declared = [_declared(raw) for raw in parsed["entries"]]
    entries = [entries_of(one, context) for one in declared]
    is_cut_short = not entries and isinstance(
        dict.get(parsed, "bozo_exception"), SAXParseException
    )
    version = (
        "" if is_cut_short else _string(parsed, "version")
    )  # only a complete feed counts as one without entries
    feed = _parsed(version, _string(head, "title"), context, entries)
    requested = (
        _string(head, name) for name in ("ttl", "sy_updateperiod", "sy_updatefrequency")
    )
    are_settled: tuple[bool, ...] = ()
    if not parsed["bozo"] and all(len(one) == 1 for one in entries):
        are_settled = tuple(map(_is_settled, declared, feed.entries))
    return replace(feed, ttl_seconds=ttl_seconds(*requested), are_settled=are_settled)


def _is_settled(declared: DeclaredEntry, entry: Entry) -> bool:
    """Return whether the entry will be the same when the item is read later: a future date is ignored now."""
    return entry.published is not None or not any(declared.published)


def _one_by_one(text: str, context: FeedContext) -> ParsedFeed:
    """Parse each entry as a feed of its own, so that a malformed entry does not affect the others."""
    head, *alone = xml_repair.entries_alone(text)
    feed = _with_feedparser(head, context)
    context = replace(
        context, site_url=feed.site_url, title=feed.title, language=feed.language
    )
    feeds = [_attempted(_with_feedparser, document, context) for document in alone]
    entries = [one.entries if one else () for one in feeds]
    read = _parsed(feed.format, feed.title, context, entries)
    return replace(read, ttl_seconds=feed.ttl_seconds)


def _parsed(
    version: str, title: str, context: FeedContext, entries: Sequence[Sequence[Entry]]
) -> ParsedFeed:
    """Return the feed; `entries`: of each item."""
    return ParsedFeed(
        format=version,
        title=plain_title(title),
        language=context.language,
        site_url=context.site_url,
        entries=tuple(chain.from_iterable(entries))[: context.tuning.max_entries],
        entry_count=len(entries),
    )


def _declared(raw: Raw) -> DeclaredEntry:
    source, guid, link = raw.get("source"), _string(raw, "id"), _string(raw, "link")
    if link == guid and "/" not in link:
        # Feedparser takes each guid for a link that is not declared to be none
        link = ""
    contents = (_string(content, "src") for content in _dicts(raw, "content"))
    return DeclaredEntry(
        guid=guid,
        # The text of an Atom entry may be elsewhere (RFC 4287, section 4.1.3.2).
        url=_string(raw, "feedburner_origlink")
        or link
        or next(filter(None, contents), ""),
        title=_string(raw, "title"),
        html=_fullest(raw),
        published=tuple(
            _string(raw, name) for name in ("published", "created", "updated")
        ),
        updated=_string(raw, "updated"),
        author=_author(raw),
        outlet=_string(source, "title") if isinstance(source, dict) else "",
        outlet_url=_string(source, "href") or _string(source, "link")
        if isinstance(source, dict)
        else "",
        language=_string(raw, "language") or _content_language(raw),
        categories=tuple(
            _string(tag, "label") or _string(tag, "term") for tag in _dicts(raw, "tags")
        ),
        enclosures=_enclosures(raw),
    )


def _fullest(raw: Raw) -> str:
    """Return the longest of content:encoded, content and summary, as HTML."""
    candidates = [*_dicts(raw, "content")]
    detail = raw.get("summary_detail")
    if isinstance(detail, dict):
        candidates.append(detail)
    elif _string(raw, "summary"):
        candidates.append({"value": _string(raw, "summary"), "type": "text/html"})
    fullest = max((_as_html(one) for one in candidates), key=len, default="")
    return fullest or html_of_text(_string(raw, "media_caption"))


def _as_html(content: Raw) -> str:
    value = _string(content, "value")
    return (
        html_of_text(value)
        if _string(content, "type") == "text/plain"
        else _markup(value)
    )


def _markup(html: str) -> str:
    """Return markup that is escaped once too often, as a whole, as what it is."""
    is_escaped = (
        "<" not in html and "&lt;/" in html and html.lstrip().startswith("&lt;")
    )
    return unescape(html) if is_escaped else html


def _content_language(raw: Raw) -> str:
    details = [
        raw.get("title_detail"),
        *_dicts(raw, "content"),
        raw.get("summary_detail"),
    ]
    return next(
        (_string(one, "language") for one in details if isinstance(one, dict)), ""
    )


def _author(raw: Raw) -> str:
    people = _dicts(raw, "authors")
    if len(people) < 2:
        return _string(raw, "author") or (_string(people[0], "name") if people else "")
    names = [_whole_name(_string(one, "name")) for one in people]
    return ", ".join(dict.fromkeys(name for name in names if name))


def _whole_name(name: str) -> str:
    torn = _TORN_NAME.fullmatch(name)
    return torn.group(1) if torn else name


def _enclosures(raw: Raw) -> tuple[Enclosure, ...]:
    enclosures = [
        _enclosure(_string(one, "href") or _string(one, "url"), one)
        for key in ("enclosures", "media_content")
        for one in _dicts(raw, key)
    ]
    pictures = [*_dicts(raw, "media_thumbnail"), raw.get("image")]
    enclosures += [
        Enclosure(url=_string(one, "url") or _string(one, "href"), type="image")
        for one in pictures
        if isinstance(one, dict)
    ]
    return tuple(one for one in enclosures if one.url)


def _enclosure(url: str, attributes: Raw) -> Enclosure:
    length = _string(attributes, "length") or _string(attributes, "filesize")
    digits = re.fullmatch(r"[0-9]{1,15}", length)
    kind = _string(attributes, "type") or _string(attributes, "medium")
    return Enclosure(url=url, type=kind, length_bytes=int(length) if digits else None)


# --- values of unknown type --------------------------------------------------------------------------------


def _string(values: Raw, key: str) -> str:
    """Use plain `dict.get`: feedparser's own `get` returns values of other keys with a warning."""
    value = dict.get(values, key)
    return (
        value
        if isinstance(value, str)
        else str(value)
        if isinstance(value, int | float)
        else ""
    )


def _dicts(values: Raw, key: str) -> list[Raw]:
    """Return `values[key]` if it is a list of mappings; feedparser computes some ("enclosures") on access."""
    return [one for one in _list(values, key) if isinstance(one, dict)]


_SNIFFED_CHARS = 65_536
_FEED_ROOTS = r"rss|feed|rdf|channel|item|entry|urlset|sitemapindex"
_FEED_ELEMENT = re.compile(
    rf"<(?:[\w.-]{{1,40}}:)?(?:{_FEED_ROOTS})[\s>/]", re.IGNORECASE
)
_PAGE = frozenset({"html", "head", "body"})
_PIECE_OF_PAGE = word_set("div p script style meta title link h1 center table b")
# Including UTF-32 and EBCDIC
_MARKUP_BYTES = re.compile(rb"<\0{0,3}[?!A-Za-z]|^\x4c\x6f\xa7\x94")
_ELEMENT = re.compile(r"<([A-Za-z_][\w.:-]{0,60})")


def of_bytes(data: bytes) -> str | None:
    """Return why these bytes cannot be a feed, or None."""
    if not data.strip():
        return (
            "the feed is empty (0 bytes)"
            if not data
            else "the feed is empty (nothing but spaces)"
        )
    # Some real feeds contain control characters: only data without any markup is refused as binary.
    is_binary = (
        unicode.looks_binary(data) and _MARKUP_BYTES.search(data, 0, 512) is None
    )
    return "this is binary data, not a feed" if is_binary else None


def of_markup(text: str) -> str | None:
    """Return what this XML, page or text is, if its beginning has no element of a feed; None for a feed."""
    head = text[:_SNIFFED_CHARS]
    root = _root(head)
    if root not in _PAGE and _FEED_ELEMENT.search(head):
        return None
    if root in _PAGE or root in _PIECE_OF_PAGE:
        return "this is a web page, not a feed"
    if root is None:
        return "this is plain text, not a feed"
    if root == "opml":
        return "this is a list of feeds (OPML), not a feed; read it with `aggregator sources import`"
    return f"this is XML but not a feed (it begins with <{root}>)"


def looks_like_page(text: str) -> bool:
    """Return whether the first element is an HTML element."""
    root = _root(text[:_SNIFFED_CHARS])
    return root in _PAGE or root in _PIECE_OF_PAGE


def _root(head: str) -> str | None:
    """Return the name of the first element in lower case; comments before it are skipped."""
    position = 0
    while (match := _ELEMENT.search(head, position)) is not None:
        comment = head.find("<!--", position, match.start())
        if comment < 0:
            return match.group(1).lower()
        end = head.find("-->", comment)
        if end < 0:
            return None
        position = end
    return None


def read_json_feed(text: str, context: FeedContext) -> ParsedFeed:
    """Parse the feed in `text`, which may be any JSON or none; then `problem` has the reason."""
    try:
        # Unescaped line breaks in strings are common
        feed = json.loads(text.lstrip("\ufeff"), strict=False)
    except (ValueError, RecursionError):
        return ParsedFeed(problem="this looks like JSON but is not well-formed")
    if not is_json_feed(feed):
        return ParsedFeed(
            problem="this is JSON but not a JSON Feed (`version` does not name jsonfeed.org)"
        )
    context = replace(
        context,
        site_url=absolute_url(_string(feed, "home_page_url"), context.url),
        title=plain_title(_string(feed, "title")),
        language=primary_language(_string(feed, "language")),
    )
    items = _list(feed, "items")
    chosen = (item for item in _newest_items(items, context) if isinstance(item, dict))
    entries = [entries_of(_json_entry(item), context) for item in chosen]
    read = _parsed("jsonfeed", context.title, context, entries)
    return replace(read, entry_count=len(items))


_JSON_BODIES = frozenset({"content_html", "content_text"})


def is_json_feed(value: object) -> bool:
    """Return whether a JSON value declares JSON Feed, or has its structure with a wrong `version`."""
    if not isinstance(value, dict):
        return False
    return "jsonfeed.org" in _string(value, "version") or (
        "version" in value
        and any(
            "id" in item and item.keys() & _JSON_BODIES
            for item in _dicts(value, "items")
        )
    )


def _newest_items(items: list[Any], context: FeedContext) -> list[Any]:
    limit = context.tuning.max_entries
    if len(items) <= limit:
        return items
    first, last = (
        _string(one, "date_published") if isinstance(one, dict) else ""
        for one in (items[0], items[-1])
    )
    if _is_earlier(first, last, context):
        return items[: -limit - 1 : -1]
    return items[:limit]


def _json_entry(item: Raw) -> DeclaredEntry:
    html = _markup(_string(item, "content_html"))
    guid = _string(item, "id")
    text = _string(item, "content_text") or _string(item, "summary")
    images = (_string(item, "image"), _string(item, "banner_image"))
    return DeclaredEntry(
        guid=guid,
        url=_string(item, "url")
        or _string(item, "external_url")
        or (guid if "://" in guid else ""),
        title=_string(item, "title"),
        html=html or html_of_text(text),
        published=(_string(item, "date_published"), _string(item, "date_modified")),
        updated=_string(item, "date_modified"),
        author=_json_author(item),
        language=_string(item, "language"),
        categories=tuple(tag for tag in _list(item, "tags") if isinstance(tag, str)),
        enclosures=(
            *_attachments(item),
            *(Enclosure(url=url, type="image") for url in images if url),
        ),
    )


def _json_author(item: Raw) -> str:
    people = [*_list(item, "authors"), item.get("author")]
    names = [_string(one, "name") for one in people if isinstance(one, dict)]
    names += [one for one in people if isinstance(one, str)]
    return ", ".join(dict.fromkeys(name for name in names if name))


def _attachments(item: Raw) -> tuple[Enclosure, ...]:
    return tuple(
        Enclosure(
            url=_string(one, "url"),
            type=_string(one, "mime_type"),
            length_bytes=_size(one),
            title=_string(one, "title"),
        )
        for one in _dicts(item, "attachments")
        if _string(one, "url")
    )


def _size(attachment: Raw) -> int | None:
    size = attachment.get("size_in_bytes")
    return (
        size
        if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**53
        else None
    )


def _list(values: Raw, key: str) -> list[Any]:
    value = values.get(key)
    return value if isinstance(value, list) else []
