"""Reads RSS and Atom with feedparser, of which no other module knows.

It gets bytes in a BytesIO only: it would open a string that looks like a path or a URL. Its sanitizer is off,
since it takes minutes on hostile input and lets scripts through; HTML is cleaned where it is shown.
"""

import io
import re
from collections.abc import Callable
from xml.sax import SAXParseException

from msgspec.structs import replace

from aggregator.model.core import Enclosure, Entry, ParsedFeed
from aggregator.sources.parse.feeds import xml_entries
from aggregator.sources.parse.feeds.entry_builder import (
    DeclaredEntry,
    FeedContext,
    absolute_url,
    entries_of,
    html_of_text,
    plain_title,
    primary_language,
)
from aggregator.sources.parse.feeds.raw_values import (
    Raw,
    dicts_at,
    parsed_feed,
    string_at,
    unescaped_markup,
)

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


def for_feedparser(text: str) -> str:
    """Return a feed without what feedparser misreads."""
    return _LINK_URI.sub(r"\1", _CAPTION.sub(r"<\1media:caption>", text))


def read_with_feedparser(text: str, context: FeedContext) -> ParsedFeed:
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
        site_url=absolute_url(string_at(head, "link"), context.url) or context.site_url,
        title=plain_title(string_at(head, "title")) or context.title,
        language=primary_language(string_at(head, "language")) or context.language,
    )
    declared = [_declared(raw) for raw in parsed["entries"]]
    entries = [entries_of(one, context) for one in declared]
    is_cut_short = not entries and isinstance(
        dict.get(parsed, "bozo_exception"), SAXParseException
    )
    version = (
        "" if is_cut_short else string_at(parsed, "version")
    )  # only a complete feed counts as one without entries
    feed = parsed_feed(version, string_at(head, "title"), context, entries)
    requested = (
        string_at(head, name)
        for name in ("ttl", "sy_updateperiod", "sy_updatefrequency")
    )
    are_settled: tuple[bool, ...] = ()
    if not parsed["bozo"] and all(len(one) == 1 for one in entries):
        are_settled = tuple(map(_is_settled, declared, feed.entries))
    return replace(feed, ttl_seconds=ttl_seconds(*requested), are_settled=are_settled)


def _is_settled(declared: DeclaredEntry, entry: Entry) -> bool:
    """Return whether the entry will be the same when the item is read later: a future date is ignored now."""
    return entry.published is not None or not any(declared.published)


def read_one_by_one(text: str, context: FeedContext) -> ParsedFeed:
    """Parse each entry as a feed of its own, so that a malformed entry does not affect the others."""
    head, *alone = xml_entries.entries_alone(text)
    feed = read_with_feedparser(head, context)
    context = replace(
        context, site_url=feed.site_url, title=feed.title, language=feed.language
    )
    feeds = [attempted(read_with_feedparser, document, context) for document in alone]
    entries = [one.entries if one else () for one in feeds]
    read = parsed_feed(feed.format, feed.title, context, entries)
    return replace(read, ttl_seconds=feed.ttl_seconds)


def _declared(raw: Raw) -> DeclaredEntry:
    source, guid, link = raw.get("source"), string_at(raw, "id"), string_at(raw, "link")
    if link == guid and "/" not in link:
        # Feedparser takes each guid for a link that is not declared to be none
        link = ""
    contents = (string_at(content, "src") for content in dicts_at(raw, "content"))
    return DeclaredEntry(
        guid=guid,
        # The text of an Atom entry may be elsewhere (RFC 4287, section 4.1.3.2).
        url=string_at(raw, "feedburner_origlink")
        or link
        or next(filter(None, contents), ""),
        title=string_at(raw, "title"),
        html=_fullest(raw),
        published=tuple(
            string_at(raw, name) for name in ("published", "created", "updated")
        ),
        updated=string_at(raw, "updated"),
        author=_author(raw),
        outlet=string_at(source, "title") if isinstance(source, dict) else "",
        outlet_url=string_at(source, "href") or string_at(source, "link")
        if isinstance(source, dict)
        else "",
        language=string_at(raw, "language") or _content_language(raw),
        categories=tuple(
            string_at(tag, "label") or string_at(tag, "term")
            for tag in dicts_at(raw, "tags")
        ),
        enclosures=_enclosures(raw),
    )


def _fullest(raw: Raw) -> str:
    """Return the longest of content:encoded, content and summary, as HTML."""
    candidates = [*dicts_at(raw, "content")]
    detail = raw.get("summary_detail")
    if isinstance(detail, dict):
        candidates.append(detail)
    elif string_at(raw, "summary"):
        candidates.append({"value": string_at(raw, "summary"), "type": "text/html"})
    fullest = max((_as_html(one) for one in candidates), key=len, default="")
    return fullest or html_of_text(string_at(raw, "media_caption"))


def _as_html(content: Raw) -> str:
    value = string_at(content, "value")
    return (
        html_of_text(value)
        if string_at(content, "type") == "text/plain"
        else unescaped_markup(value)
    )


def _content_language(raw: Raw) -> str:
    details = [
        raw.get("title_detail"),
        *dicts_at(raw, "content"),
        raw.get("summary_detail"),
    ]
    return next(
        (string_at(one, "language") for one in details if isinstance(one, dict)), ""
    )


def _author(raw: Raw) -> str:
    people = dicts_at(raw, "authors")
    if len(people) < 2:
        return string_at(raw, "author") or (
            string_at(people[0], "name") if people else ""
        )
    names = [_whole_name(string_at(one, "name")) for one in people]
    return ", ".join(dict.fromkeys(name for name in names if name))


def _whole_name(name: str) -> str:
    torn = _TORN_NAME.fullmatch(name)
    return torn.group(1) if torn else name


def _enclosures(raw: Raw) -> tuple[Enclosure, ...]:
    enclosures = [
        _enclosure(string_at(one, "href") or string_at(one, "url"), one)
        for key in ("enclosures", "media_content")
        for one in dicts_at(raw, key)
    ]
    pictures = [*dicts_at(raw, "media_thumbnail"), raw.get("image")]
    enclosures += [
        Enclosure(url=string_at(one, "url") or string_at(one, "href"), type="image")
        for one in pictures
        if isinstance(one, dict)
    ]
    return tuple(one for one in enclosures if one.url)


def _enclosure(url: str, attributes: Raw) -> Enclosure:
    length = string_at(attributes, "length") or string_at(attributes, "filesize")
    digits = re.fullmatch(r"[0-9]{1,15}", length)
    kind = string_at(attributes, "type") or string_at(attributes, "medium")
    return Enclosure(url=url, type=kind, length_bytes=int(length) if digits else None)


def attempted(
    parse: Callable[[str, FeedContext], ParsedFeed], text: str, context: FeedContext
) -> ParsedFeed | None:
    try:
        return parse(text, context)
    except Exception:  # noqa: BLE001 - feedparser may raise anything on untrusted markup
        return None
