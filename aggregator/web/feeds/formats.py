"""Feeds in their formats, independent of what their items are about.

To add a format: its names in `Format`, `ENDINGS` and `MEDIA_TYPES`, and a function in `written`.
"""

import datetime as dt
import re
from collections import Counter
from email.utils import format_datetime
from typing import Any, Literal

import msgspec
from lxml import etree

from aggregator.config.settings import SavedQuery
from aggregator.model.core import Enclosure, FrozenStruct
from aggregator.web.feeds.xml import ATOM, add, document, feed_text, feed_title, mime_type, rfc3339
from aggregator.web.filters import SAVED, ParsedFilter, filter_words
from aggregator.web.sanitise import encode_json
from aggregator.web.settings import PublishSettings

Format = Literal["rss", "atom", "jsonfeed"]
STORIES, UPDATES = "stories", "updates"
ENDINGS: dict[str, Format] = {"rss": "rss", "atom": "atom", "json": "jsonfeed"}
MEDIA_TYPES: dict[Format, str] = {
    "rss": "application/rss+xml",
    "atom": "application/atom+xml",
    "jsonfeed": "application/feed+json",
}
_ABOUT = "One item for each story: what several outlets report about one event."
_ABOUT_UPDATES = "One item for each change of a story: reports, headlines, corrections and merges."


class Item(FrozenStruct, frozen=True, kw_only=True):
    """One item. Texts are plain text, except `html`, a valid fragment; all addresses are absolute URIs."""

    id: str  # a permanent URI
    url: str
    title: str  # never empty
    html: str
    summary: str  # one line
    updated: dt.datetime  # different for every item of a feed
    published: dt.datetime | None = None
    language: str | None = None  # two letters of ISO 639-1
    authors: tuple[str, ...] = ()
    external_url: str | None = None  # the best article, if `url` is the story
    media: tuple[Enclosure, ...] = ()  # `type` is a MIME type, or one of "image", "audio", "video"


class Channel(FrozenStruct, frozen=True, kw_only=True):
    """A feed and its items, the newest first."""

    id: str
    title: str
    about: str
    home_url: str  # the page that shows the same stories
    self_url: str
    css_url: str
    language: str
    items: tuple[Item, ...] = ()

    @property
    def updated(self) -> dt.datetime | None:
        """The time of the newest item; None for an empty feed."""
        return max((item.updated for item in self.items), default=None)


class FeedSelection(msgspec.Struct, frozen=True):
    """One feed in any format: of stories or of their changes, of all stories or of a saved query."""

    updates: bool = False
    saved: SavedQuery | None = None

    @property
    def path(self) -> str:
        """The path of the feed without the ending."""
        if self.saved is None:
            return f"/feeds/{UPDATES if self.updates else STORIES}"
        return f"/feeds/{self.saved.name}" + (f"/{UPDATES}" if self.updates else "")


def address(which: FeedSelection, form: Format) -> str:
    """Return the path of a feed with its ending."""
    ending = next(ending for ending, other in ENDINGS.items() if other == form)
    return f"{which.path}.{ending}"


def channel(
    which: FeedSelection,
    parsed: ParsedFilter,
    items: tuple[Item, ...],
    settings: PublishSettings,
    *,
    self_url: str,
    css_url: str,
) -> Channel:
    """Return the feed. `self_url` is its address, with filters and without a token."""
    query = f"?{parsed.query_string}" if parsed.query_string else ""
    page_query = "&".join(
        part for part in (f"{SAVED}={which.saved.name}" if which.saved else "", parsed.query_string) if part
    )
    ordered = tuple(sorted(items, key=lambda item: item.updated, reverse=True))
    return Channel(
        id=f"tag:aggregator,2026:{which.path.lstrip('/')}{query}",
        title=_title(which, parsed, settings),
        about=_ABOUT_UPDATES if which.updates else _ABOUT,
        home_url=f"{settings.base_url}/" + (f"?{page_query}" if page_query else ""),
        self_url=self_url,
        css_url=css_url,
        language=_language(ordered),
        items=ordered,
    )


def _title(which: FeedSelection, parsed: ParsedFilter, settings: PublishSettings) -> str:
    saved = which.saved or parsed.saved
    title = (saved.title if saved else "") or settings.title
    words = (*((saved.name,) if saved and not saved.title else ()), *filter_words(parsed))
    title = feed_title(f"{title}: {', '.join(words)}" if words else title) or "Stories"
    return feed_text(f"{title} (updates)") if which.updates else title


def _language(items: tuple[Item, ...]) -> str:
    """Return the most frequent language of the items, of several the first by name; "en" if none is known."""
    counts = Counter(item.language for item in items if item.language)
    return min(counts, key=lambda language: (-counts[language], language)) if counts else "en"


def written(whole: Channel, form: Format) -> bytes:
    """Encode a feed as UTF-8 bytes."""
    return {"rss": rss, "atom": atom, "jsonfeed": jsonfeed}[form](whole)


# --- RSS ---------------------------------------------------------------------------------------------------

_DC = "http://purl.org/dc/elements/1.1/"
_MEDIA = "http://search.yahoo.com/mrss/"
_DOTTED_HOST = re.compile(r"https?://[A-Za-z0-9-]+\.[A-Za-z0-9.-]+(:\d+)?/")


def rss(channel: Channel) -> bytes:
    """Encode a feed as RSS 2.0 (https://www.rssboard.org/rss-specification), with other vocabularies.

    Atom's `updated` has fractions of a second, which dates of RFC 822 have not. An item may have one
    enclosure; Media RSS has the other media.
    """
    root = etree.Element("rss", nsmap={"atom": ATOM, "dc": _DC, "media": _MEDIA}, version="2.0")
    head = etree.SubElement(root, "channel")
    add(head, "title", channel.title)
    add(head, "link", channel.home_url)
    add(head, "description", channel.about)
    add(head, "language", channel.language)
    if channel.updated is not None:
        add(head, "lastBuildDate", _rfc822(channel.updated))
    add(head, "docs", "https://www.rssboard.org/rss-specification")
    add(head, "generator", "aggregator")
    etree.SubElement(head, f"{{{ATOM}}}link", href=channel.self_url, rel="self", type=MEDIA_TYPES["rss"])
    for item in channel.items:
        _add_rss_item(head, item)
    return document(root, channel.css_url)


def _add_rss_item(channel: etree._Element, item: Item) -> None:
    element = etree.SubElement(channel, "item")
    add(element, "title", item.title)
    add(element, "link", item.url)
    add(element, "guid", item.id).set("isPermaLink", "false")
    add(element, "pubDate", _rfc822(item.updated))
    add(element, f"{{{ATOM}}}updated", rfc3339(item.updated))
    if item.authors:
        add(element, f"{{{_DC}}}creator", ", ".join(item.authors))
    add(element, "description", item.html)
    enclosed = next((one for one in item.media if _can_be_enclosed(one)), None)
    if enclosed is not None:
        length = str(enclosed.length_bytes or 0)  # 0: unknown
        etree.SubElement(element, "enclosure", url=enclosed.url, length=length, type=enclosed.type)
    for one in item.media:
        if one is not enclosed:
            _add_rss_media(element, one)


def _can_be_enclosed(one: Enclosure) -> bool:
    """Return False for pictures, because feed readers offer enclosures for download or playing."""
    is_picture = one.type.startswith("image")
    return not is_picture and mime_type(one.type) is not None and bool(_DOTTED_HOST.match(one.url))


def _add_rss_media(item: etree._Element, one: Enclosure) -> None:
    element = etree.SubElement(item, f"{{{_MEDIA}}}content", url=one.url)
    kind = one.type.split("/")[0]
    if kind in ("image", "audio", "video"):
        element.set("medium", kind)
    if mime_type(one.type):
        element.set("type", one.type)
    if one.length_bytes:
        element.set("fileSize", str(one.length_bytes))


def _rfc822(time: dt.datetime) -> str:
    return format_datetime(time.astimezone(dt.UTC), usegmt=True)


# --- Atom --------------------------------------------------------------------------------------------------

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_NEVER = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # `updated` of an empty feed, which must not change


def atom(channel: Channel) -> bytes:
    """Encode a feed as Atom 1.0 (RFC 4287)."""
    root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})  # type: ignore[dict-item]
    root.set(_LANG, channel.language)
    _add_atom(root, "id", channel.id)
    _add_atom(root, "title", channel.title)
    _add_atom(root, "subtitle", channel.about)
    _add_atom(root, "updated", rfc3339(channel.updated or _NEVER))
    _add_atom_link(root, rel="self", href=channel.self_url, type=MEDIA_TYPES["atom"])
    _add_atom_link(root, rel="alternate", href=channel.home_url, type="text/html")
    _add_atom_author(root, channel.title)  # for entries without an author
    _add_atom(root, "generator", "aggregator")
    for item in channel.items:
        _add_atom_entry(root, item)
    return document(root, channel.css_url)


def _add_atom_entry(feed: etree._Element, item: Item) -> None:
    entry = etree.SubElement(feed, f"{{{ATOM}}}entry")
    if item.language:
        entry.set(_LANG, item.language)
    _add_atom(entry, "id", item.id)
    _add_atom(entry, "title", item.title)
    _add_atom(entry, "updated", rfc3339(item.updated))
    if item.published is not None:
        _add_atom(entry, "published", rfc3339(item.published))
    for name in item.authors:
        _add_atom_author(entry, name)
    _add_atom_link(entry, rel="alternate", href=item.url, type="text/html")
    if item.external_url:
        _add_atom_link(entry, rel="related", href=item.external_url, type="text/html")
    for one in item.media:
        type_ = {"type": one.type} if mime_type(one.type) else {}
        length = {"length": str(one.length_bytes)} if one.length_bytes else {}
        _add_atom_link(entry, rel="enclosure", href=one.url, **type_, **length)
    if item.summary:
        _add_atom(entry, "summary", item.summary)
    _add_atom(entry, "content", item.html).set("type", "html")


def _add_atom(parent: etree._Element, name: str, text: str) -> etree._Element:
    return add(parent, f"{{{ATOM}}}{name}", text)


def _add_atom_link(parent: etree._Element, **attributes: str) -> None:
    etree.SubElement(parent, f"{{{ATOM}}}link", attributes)


def _add_atom_author(parent: etree._Element, name: str) -> None:
    add(etree.SubElement(parent, f"{{{ATOM}}}author"), f"{{{ATOM}}}name", name)


# --- JSON Feed ---------------------------------------------------------------------------------------------


def jsonfeed(channel: Channel) -> bytes:
    """Encode a feed as JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""
    whole = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": channel.title,
        "home_page_url": channel.home_url,
        "feed_url": channel.self_url,
        "description": channel.about,
        "language": channel.language,
        "items": [_json_item(item) for item in channel.items],
    }
    return msgspec.json.format(encode_json(whole), indent=1) + b"\n"


def _json_item(item: Item) -> dict[str, Any]:
    pictures = [one.url for one in item.media if one.type.startswith("image")]
    attachments = [_json_attachment(one) for one in item.media if mime_type(one.type)]
    members: dict[str, Any] = {
        "id": item.id,
        "url": item.url,
        "external_url": item.external_url,
        "title": item.title,
        "content_html": item.html,
        "summary": item.summary or None,
        "image": pictures[0] if pictures else None,
        "date_published": rfc3339(item.published) if item.published else None,
        "date_modified": rfc3339(item.updated),
        "authors": [{"name": name} for name in item.authors],
        "language": item.language,
        "attachments": attachments,
    }
    return {key: value for key, value in members.items() if value not in (None, [])}


def _json_attachment(one: Enclosure) -> dict[str, Any]:
    members = {
        "url": one.url,
        "mime_type": one.type,
        "title": one.title or None,
        "size_in_bytes": one.length_bytes,
    }
    return {key: value for key, value in members.items() if value is not None}
