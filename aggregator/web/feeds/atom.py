"""Atom 1.0 (RFC 4287)."""

import datetime as dt

from lxml import etree

from aggregator.web.feeds.model import Channel, Item
from aggregator.web.feeds.xml import ATOM, add, document, mime_type, rfc3339

MEDIA_TYPE = "application/atom+xml"

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_NEVER = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # `updated` of an empty feed, which must not change


def atom(channel: Channel) -> bytes:
    """Encode a feed as UTF-8 bytes."""
    root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})  # type: ignore[dict-item]
    root.set(_LANG, channel.language)
    _add(root, "id", channel.id)
    _add(root, "title", channel.title)
    _add(root, "subtitle", channel.about)
    _add(root, "updated", rfc3339(channel.updated or _NEVER))
    _link(root, rel="self", href=channel.self_url, type=MEDIA_TYPE)
    _link(root, rel="alternate", href=channel.home_url, type="text/html")
    _author(root, channel.title)  # for entries without an author
    _add(root, "generator", "aggregator")
    for item in channel.items:
        _add_entry(root, item)
    return document(root, channel.css_url)


def _add_entry(feed: etree._Element, item: Item) -> None:
    entry = etree.SubElement(feed, f"{{{ATOM}}}entry")
    if item.language:
        entry.set(_LANG, item.language)
    _add(entry, "id", item.id)
    _add(entry, "title", item.title)
    _add(entry, "updated", rfc3339(item.updated))
    if item.published is not None:
        _add(entry, "published", rfc3339(item.published))
    for name in item.authors:
        _author(entry, name)
    _link(entry, rel="alternate", href=item.url, type="text/html")
    if item.external_url:
        _link(entry, rel="related", href=item.external_url, type="text/html")
    for one in item.media:
        type_ = {"type": one.type} if mime_type(one.type) else {}
        length = {"length": str(one.length_bytes)} if one.length_bytes else {}
        _link(entry, rel="enclosure", href=one.url, **type_, **length)
    if item.summary:
        _add(entry, "summary", item.summary)
    _add(entry, "content", item.html).set("type", "html")


def _add(parent: etree._Element, name: str, text: str) -> etree._Element:
    return add(parent, f"{{{ATOM}}}{name}", text)


def _link(parent: etree._Element, **attributes: str) -> None:
    etree.SubElement(parent, f"{{{ATOM}}}link", attributes)


def _author(parent: etree._Element, name: str) -> None:
    add(etree.SubElement(parent, f"{{{ATOM}}}author"), f"{{{ATOM}}}name", name)
