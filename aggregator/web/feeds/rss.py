"""RSS 2.0 (https://www.rssboard.org/rss-specification) with elements of Atom, Dublin Core and Media RSS.

Atom's `updated` has fractions of a second, which dates of RFC 822 have not. An item may have one enclosure;
Media RSS has the other media.
"""

import datetime as dt
import re
from email.utils import format_datetime

from lxml import etree

from aggregator.model.core import Enclosure
from aggregator.web.feeds.model import Channel, Item
from aggregator.web.feeds.xml import ATOM, add, document, mime_type, rfc3339

MEDIA_TYPE = "application/rss+xml"

_DC = "http://purl.org/dc/elements/1.1/"
_MEDIA = "http://search.yahoo.com/mrss/"
_SPACES = {"atom": ATOM, "dc": _DC, "media": _MEDIA}
_DOTTED_HOST = re.compile(r"https?://[A-Za-z0-9-]+\.[A-Za-z0-9.-]+(:\d+)?/")
_MEDIUMS = ("image", "audio", "video")


def rss(channel: Channel) -> bytes:
    """Encode a feed as UTF-8 bytes."""
    root = etree.Element("rss", nsmap=_SPACES, version="2.0")
    head = etree.SubElement(root, "channel")
    add(head, "title", channel.title)
    add(head, "link", channel.home_url)
    add(head, "description", channel.about)
    add(head, "language", channel.language)
    if channel.updated is not None:
        add(head, "lastBuildDate", _rfc822(channel.updated))
    add(head, "docs", "https://www.rssboard.org/rss-specification")
    add(head, "generator", "aggregator")
    etree.SubElement(head, f"{{{ATOM}}}link", href=channel.self_url, rel="self", type=MEDIA_TYPE)
    for item in channel.items:
        _add_item(head, item)
    return document(root, channel.css_url)


def _add_item(channel: etree._Element, item: Item) -> None:
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
            _add_media(element, one)


def _can_be_enclosed(one: Enclosure) -> bool:
    """Return False for pictures, because feed readers offer enclosures for download or playing."""
    is_picture = one.type.startswith("image")
    return not is_picture and mime_type(one.type) is not None and bool(_DOTTED_HOST.match(one.url))


def _add_media(item: etree._Element, one: Enclosure) -> None:
    element = etree.SubElement(item, f"{{{_MEDIA}}}content", url=one.url)
    kind = one.type.split("/")[0]
    if kind in _MEDIUMS:
        element.set("medium", kind)
    if mime_type(one.type):
        element.set("type", one.type)
    if one.length_bytes:
        element.set("fileSize", str(one.length_bytes))


def _rfc822(time: dt.datetime) -> str:
    return format_datetime(time.astimezone(dt.UTC), usegmt=True)
