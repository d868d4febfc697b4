"""Reads RSS and Atom with feedparser, which no other module uses.

feedparser gets bytes in a BytesIO only, because it would open a string that looks like a path or a URL. Its sanitizer
is off, because it takes minutes on hostile input and lets scripts through; HTML is cleaned where it is shown.
"""

import io
import re
from collections.abc import Callable
from itertools import count, pairwise
from xml.sax import SAXParseException

from msgspec.structs import replace

from aggregator.extract.urls import absolute_url
from aggregator.model.entry import Enclosure, ParsedFeed
from aggregator.sources.parse.feeds import buffering_parser, xml_entries
from aggregator.sources.parse.feeds.entry_builder import (
    DeclaredEntry,
    FeedContext,
    entries_of,
    html_of_text,
    plain_title,
)
from aggregator.sources.parse.feeds.raw_values import (
    Raw,
    dicts_at,
    parsed_feed,
    string_at,
    unescaped_markup,
)
from aggregator.text.language import primary_tag

_LENGTH = re.compile(r"[0-9]{1,15}")
_MINUTES = re.compile(r"\s*([0-9]{1,6})\s*\Z")
_TIMES = re.compile(r"\s*([0-9]{1,4})\s*\Z")
_PERIODS = {
    "hourly": 3600.0,
    "daily": 86400.0,
    "weekly": 604800.0,
    "monthly": 2592000.0,
    "yearly": 31536000.0,
}


def ttl_seconds(ttl: str, period: str, frequency: str) -> float | None:
    """Return the poll interval that the feed requests, in seconds; None if it requests none.

    `ttl` (RSS) is in minutes. `period` (syndication module) is a word from "hourly" to "yearly"; its length is divided
    by `frequency`. The longer of the two intervals is returned; the caller limits it.
    """
    intervals = []
    if (minutes := _MINUTES.match(ttl)) and int(minutes[1]) > 0:
        intervals.append(int(minutes[1]) * 60.0)
    if length := _PERIODS.get(period.strip().lower()):
        times = _TIMES.match(frequency)
        intervals.append(length / max(1, int(times[1] if times else 1)))
    return max(intervals, default=None)


# feedparser uses an image's caption as the summary of the entry, even if the entry has a summary.
_CAPTION = re.compile(
    r"<(/?)media:description(?:\s[^<>]{0,400}(?<!/))?>", re.IGNORECASE
)
# feedparser uses any `uri` attribute of a link as its URL and drops the text of the link, which is the real URL.
_LINK_URI = re.compile(
    r"(<link\b[^<>]{0,400}?)\suri=(?:\"[^\"<>]{0,400}\"|'[^'<>]{0,400}')", re.IGNORECASE
)
# feedparser takes an empty link for the address of the entry, and then ignores the GUID.
_EMPTY_LINK = re.compile(
    r"<link\s{0,10}(?:/>|>\s{0,100}(?:<!\[CDATA\[\s{0,100}\]\]>\s{0,100})?</link\s{0,10}>)",
    re.IGNORECASE,
)
# A blog may list a thousand categories of its own, which nothing here reads; parsing them took 90 of 100 ms of a poll.
_CATEGORY = re.compile(r"<category\s[^<>]{0,400}/>")
# feedparser compares each category of an entry with all others of the entry, and 100,000 took ten seconds.
_ENTRY_CATEGORY = re.compile(
    r"<((?:[\w.-]{1,20}:)?(?:category|subject))\b[^<>]{0,400}"
    r"(?:/>|>(?:[^<>]|<!\[CDATA\[|\]\]>){0,400}</\1\s{0,10}>)",
    re.IGNORECASE,
)
_MOST_CATEGORIES = 200  # of one entry; more are dropped when it is stored anyway
# feedparser cuts mail addresses with long top-level domains: "a@b.online (Jo Doe)" becomes the name "ne (Jo Doe".
_TORN_NAME = re.compile(r"\A[a-z]{0,20} ?\(([^()]+)\Z")


def for_feedparser(text: str) -> str:
    """Return a feed without the markup that feedparser misreads or reads to no purpose."""
    starts = [*xml_entries.entry_starts(text), len(text)]
    parts = [_CATEGORY.sub("", text[: starts[0]])]
    for start, end in pairwise(starts):
        parts.append(_with_few_categories(text[start:end]))
    text = "".join(parts)
    text = _LINK_URI.sub(r"\1", _CAPTION.sub(r"<\1media:caption>", text))
    return _EMPTY_LINK.sub("", text)


def _with_few_categories(entry: str) -> str:
    """Return the markup of an entry with its first categories."""
    number = count()
    return _ENTRY_CATEGORY.sub(
        lambda found: found[0] if next(number) < _MOST_CATEGORIES else "", entry
    )


def read_with_feedparser(markup: bytes, context: FeedContext) -> ParsedFeed:
    """Parse the markup of a feed, in UTF-8."""
    import feedparser

    feedparser.api.PREFERRED_XML_PARSERS = [buffering_parser.__name__]
    parsed: Raw = feedparser.parse(
        io.BytesIO(markup),
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    head: Raw = parsed["feed"]
    context = replace(
        context,
        site_url=absolute_url(string_at(head, "link"), context.url) or context.site_url,
        title=plain_title(string_at(head, "title")) or context.title,
        language=primary_tag(string_at(head, "language")) or context.language,
    )
    declared = [_read_declared(raw) for raw in parsed["entries"]]
    entries = [entries_of(entry, context) for entry in declared]
    version = string_at(parsed, "version")
    cause = dict.get(parsed, "bozo_exception")
    if not entries and isinstance(cause, SAXParseException):
        version = ""  # a broken document is not a feed that happens to have no entries
    feed = parsed_feed(version, string_at(head, "title"), context, entries)
    if not parsed["bozo"] and all(len(entry) == 1 for entry in entries):
        # An entry with a future date is read differently later, because the date is ignored only for now.
        settled = (
            read.published is not None or not any(stated.published)
            for stated, read in zip(declared, feed.entries, strict=False)
        )
        feed = replace(feed, are_settled=tuple(settled))
    own_links = [
        absolute_url(string_at(link, "href"), context.url)
        for link in dicts_at(head, "links")
        if string_at(link, "rel") == "self"
    ]
    return replace(
        feed,
        self_url=next(iter(own_links), None),
        ttl_seconds=ttl_seconds(
            string_at(head, "ttl"),
            string_at(head, "sy_updateperiod"),
            string_at(head, "sy_updatefrequency"),
        ),
    )


def read_one_by_one(markup: bytes, context: FeedContext) -> ParsedFeed:
    """Parse each entry as a feed of its own, so that a malformed entry does not affect the others."""
    head, *documents = map(str.encode, xml_entries.entries_alone(markup.decode()))
    feed = read_with_feedparser(head, context)
    context = replace(
        context, site_url=feed.site_url, title=feed.title, language=feed.language
    )
    entries = [
        try_parsing(read_with_feedparser, document, context).entries
        for document in documents
    ]
    return replace(
        parsed_feed(feed.format, feed.title, context, entries),
        self_url=feed.self_url,
        ttl_seconds=feed.ttl_seconds,
    )


def _read_declared(raw: Raw) -> DeclaredEntry:
    source = raw.get("source")
    if not isinstance(source, dict):
        source = {}
    link = string_at(raw, "link")
    # feedparser takes each GUID for a link unless the GUID is declared not to be a link.
    if link == string_at(raw, "id") and "/" not in link:
        link = ""
    for content in dicts_at(raw, "content"):
        # An Atom entry may give only the address of its content (RFC 4287, section 4.1.3.2).
        link = link or string_at(content, "src")
    enclosures = []
    for media in (*dicts_at(raw, "enclosures"), *dicts_at(raw, "media_content")):
        length = string_at(media, "length") or string_at(media, "filesize")
        enclosures.append(
            Enclosure(
                url=string_at(media, "href") or string_at(media, "url"),
                type=string_at(media, "type") or string_at(media, "medium"),
                length_bytes=int(length) if _LENGTH.fullmatch(length) else None,
            )
        )
    for picture in (*dicts_at(raw, "media_thumbnail"), raw.get("image")):
        if isinstance(picture, dict):
            url = string_at(picture, "url") or string_at(picture, "href")
            enclosures.append(Enclosure(url=url, type="image"))
    details = (
        raw.get("title_detail"),
        *dicts_at(raw, "content"),
        raw.get("summary_detail"),
    )
    languages = (
        string_at(part, "language") for part in details if isinstance(part, dict)
    )
    return DeclaredEntry(
        guid=string_at(raw, "id"),
        url=string_at(raw, "feedburner_origlink") or link,
        title=string_at(raw, "title"),
        html=_fullest(raw),
        published=(
            string_at(raw, "published"),
            string_at(raw, "created"),
            string_at(raw, "updated"),
        ),
        updated=string_at(raw, "updated"),
        author=_author(raw),
        outlet=string_at(source, "title"),
        outlet_url=string_at(source, "href") or string_at(source, "link"),
        language=string_at(raw, "language") or next(languages, ""),
        categories=tuple(
            string_at(tag, "label") or string_at(tag, "term")
            for tag in dicts_at(raw, "tags")
        ),
        enclosures=tuple(enclosures),
    )


def _fullest(raw: Raw) -> str:
    """Return the longest text among content:encoded, content and summary, else the image's caption, as HTML."""
    candidates = [*dicts_at(raw, "content")]
    detail = raw.get("summary_detail")
    if isinstance(detail, dict):
        candidates.append(detail)
    elif string_at(raw, "summary"):
        candidates.append({"value": string_at(raw, "summary"), "type": "text/html"})
    fullest = ""
    for content in candidates:
        is_plain = string_at(content, "type") == "text/plain"
        as_html = html_of_text if is_plain else unescaped_markup
        fullest = max(fullest, as_html(string_at(content, "value")), key=len)
    return fullest or html_of_text(string_at(raw, "media_caption"))


def _author(raw: Raw) -> str:
    people = [string_at(person, "name") for person in dicts_at(raw, "authors")]
    if len(people) < 2:
        return string_at(raw, "author") or "".join(people)
    whole = (_TORN_NAME.sub(r"\1", name) for name in people)
    return ", ".join(filter(None, dict.fromkeys(whole)))


def try_parsing(
    parse: Callable[[bytes, FeedContext], ParsedFeed],
    markup: bytes,
    context: FeedContext,
) -> ParsedFeed:
    """Return the feed that `parse` reads in the markup, or an empty feed if it fails."""
    try:
        return parse(markup, context)
    except Exception:  # noqa: BLE001 - feedparser may raise anything on untrusted markup
        return ParsedFeed()
