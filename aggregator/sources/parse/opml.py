"""OPML: lists of feeds with folders, the import and export format of feed readers."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec.structs import replace

from aggregator.extract.language import unicode
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import ReadError
from aggregator.sources.limits import NAME_CHARS
from aggregator.sources.parse import xml_repair
from aggregator.sources.parse.entry_builder import absolute_url, plain_title

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_MAX_OUTLINES = 50_000  # feeds read from one OPML file

_MAX_DEPTH = 20
_TYPES = frozenset({"rss", "atom", "rdf", "feed", "jsonfeed"})
# An unescaped "&" as in "?a=1&b=2", after which a parser would drop the rest of the URL.
_BARE_SIGN = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});)")


class OpmlFeed(FrozenStruct):
    """One feed of a list; `folder` has the names of the folders around it, outermost first."""

    url: str
    title: str = ""
    site_url: str | None = None
    folder: tuple[str, ...] = ()


def read_opml(data: bytes) -> tuple[OpmlFeed, ...]:
    """Return the feeds of a list in order, each URL once, at most `_MAX_OUTLINES`.

    Tolerates any case of attribute names, missing types, broken XML and `feed:` URLs. For a feed that occurs
    several times the first folder counts. Raise ReadError without any outline.
    """
    text = _BARE_SIGN.sub("&amp;", xml_repair.well_prepared(xml_repair.decode_markup(data)))
    root = xml_repair.root_of(text)
    if root is None or next(root.iter("outline", "{*}outline", "OUTLINE"), None) is None:
        raise ReadError("this is not OPML: there is no <outline>")
    feeds: dict[str, OpmlFeed] = {}
    waiting: list[tuple[Element, tuple[str, ...]]] = [(root, ())]
    while waiting and len(feeds) < _MAX_OUTLINES:
        node, folder = waiting.pop()
        attributes = {str(name).lower(): str(value) for name, value in node.attrib.items()}
        feed = _feed(attributes, folder)
        if feed is not None:
            listed_feed = feeds.setdefault(feed.url, feed)
            if not listed_feed.folder and feed.folder:
                feeds[feed.url] = replace(listed_feed, folder=feed.folder)
        elif str(node.tag).rpartition("}")[2].lower() == "outline":
            folder = (*folder, _name(attributes))[:_MAX_DEPTH] if _name(attributes) else folder
        waiting.extend((child, folder) for child in reversed(node) if isinstance(child.tag, str))
    return tuple(feeds.values())


def write_opml(feeds: Iterable[OpmlFeed], *, title: str) -> bytes:
    """Return an OPML 2.0 document in UTF-8 with folders as nested outlines, readable by `read_opml`."""
    from lxml import etree

    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = unicode.clean(title)
    folders: dict[tuple[str, ...], Element] = {(): etree.SubElement(root, "body")}
    for feed in feeds:
        for depth in range(1, len(feed.folder) + 1):
            path = feed.folder[:depth]
            if path not in folders:
                name = unicode.clean(path[-1])
                folders[path] = etree.SubElement(folders[path[:-1]], "outline", text=name, title=name)
        name = unicode.clean(feed.title or feed.url)
        attributes = {"type": "rss", "text": name, "title": name, "xmlUrl": unicode.clean(feed.url)}
        attributes |= {"htmlUrl": unicode.clean(feed.site_url)} if feed.site_url else {}
        etree.SubElement(folders[feed.folder], "outline", attributes)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)


def web_address(raw: str) -> str | None:
    """Return the http(s) URL of a feed as written by a person, including `feed://` and `feed:https://`."""
    written = raw.strip()
    if written[:5].lower() == "feed:":
        rest = written[5:]
        written = f"http:{rest}" if rest.startswith("//") else rest
    return absolute_url(written, None)


def _feed(attributes: dict[str, str], folder: tuple[str, ...]) -> OpmlFeed | None:
    is_feed = attributes.get("type", "").strip().lower() in _TYPES
    url = web_address(attributes.get("xmlurl", "") or (attributes.get("url", "") if is_feed else ""))
    if url is None:
        return None
    site_url = absolute_url(attributes.get("htmlurl", ""), None)
    if site_url and "@" in urlsplit(site_url).netloc:  # a password; pages show this address
        site_url = None
    return OpmlFeed(url=url, title=_name(attributes), site_url=site_url, folder=folder)


def _name(attributes: dict[str, str]) -> str:
    """Return the name that the reader sees: `text`; in some lists `title` is the feed's own."""
    return plain_title(attributes.get("text", "") or attributes.get("title", ""))[:NAME_CHARS]
