"""OPML: lists of feeds with folders, the import and export format of feed readers."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec.structs import replace

from aggregator.extract.language import unicode
from aggregator.extract.urls import absolute_url
from aggregator.model.errors import ReadError
from aggregator.model.structs import FrozenStruct
from aggregator.sources.parse.feeds import xml_repair
from aggregator.sources.parse.feeds.entry_builder import plain_title
from aggregator.sources.source_limits import NAME_CHARS
from aggregator.text.lines import word_set

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

_MAX_OUTLINES = 50_000  # entries read from one OPML file
_MAX_DEPTH = 20
# A message shows this much of an address
_SHOWN_CHARS = 80
_TYPES = word_set("rss atom rdf feed jsonfeed podcast")
# Podcast programs and browsers use these schemes for feeds, which servers deliver by http(s) only.
_FEED_SCHEME = re.compile(
    r"(?:feed|itpcs?|pcast|podcasts?|rss|webcal):(?P<rest>.*)", re.IGNORECASE
)
# An address without a scheme: "example.org/feed"
_HOST_FIRST = re.compile(
    r"(?://)?(?P<rest>[\w-]+(?:\.[\w-]+)+(?::\d{1,5})?(?:[/?].*)?)"
)
# An unescaped "&", such as in "?a=1&b=2", at which a parser would drop the rest of the URL
_BARE_SIGN = re.compile(
    r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});)"
)


# The names of a folder and of the folders around it, outermost first
Folder = tuple[str, ...]


class OpmlFeed(FrozenStruct):
    """One feed of a list; `folder` has the names of the folders around it."""

    url: str
    title: str = ""
    site_url: str | None = None
    folder: Folder = ()


class SkippedOutline(FrozenStruct):
    """An entry of a list that cannot be added as a feed, and why; `name` is its title, else its address or type."""

    name: str
    reason: str


class OpmlList(FrozenStruct):
    """A list of feeds in order, each URL once; `repeated` counts further entries with the same URL."""

    feeds: tuple[OpmlFeed, ...]
    skipped: tuple[SkippedOutline, ...] = ()
    repeated: int = 0


def read_opml(data: bytes) -> OpmlList:
    """Return the feeds among the first `_MAX_OUTLINES` entries of a list, and those entries that are not feeds.

    Attribute names may have any case, and types may be missing. Broken XML, schemes of podcasts and addresses without
    a scheme are read, too. If a feed occurs several times, its first folder counts. Raise ReadError if there is no
    outline.
    """
    text = xml_repair.well_prepared(xml_repair.decode_markup(data))
    root = xml_repair.root_of(_BARE_SIGN.sub("&amp;", text))
    if (
        root is None
        or next(root.iter("outline", "{*}outline", "OUTLINE"), None) is None
    ):
        raise ReadError("this is not OPML: there is no <outline>")
    feeds: dict[str, OpmlFeed] = {}
    skipped = []
    repeated = 0
    for entry in islice(_entries(root), _MAX_OUTLINES):
        if isinstance(entry, SkippedOutline):
            skipped.append(entry)
            continue
        repeated += entry.url in feeds
        earlier = feeds.setdefault(entry.url, entry)
        feeds[entry.url] = replace(earlier, folder=earlier.folder or entry.folder)
    return OpmlList(
        feeds=tuple(feeds.values()), skipped=tuple(skipped), repeated=repeated
    )


def _entries(root: "Element") -> Iterator[OpmlFeed | SkippedOutline]:
    """Yield the entries of the outlines below `root`, in their order."""
    waiting: list[tuple[Element, Folder]] = [(root, ())]
    while waiting:
        node, folder = waiting.pop()
        attributes = {
            str(name).lower(): str(value) for name, value in node.attrib.items()
        }
        entry = _entry(attributes, folder)
        if entry is not None:
            yield entry
        elif str(node.tag).rpartition("}")[2].lower() == "outline":
            # xml_repair removes all attributes of a tag that is too long.
            if not (attributes or len(node)):
                yield SkippedOutline(
                    name="an entry", reason="it has no address, or a far too long one"
                )
            if name := _name(attributes):
                folder = (*folder, name)[:_MAX_DEPTH]
        waiting.extend(
            (child, folder) for child in reversed(node) if isinstance(child.tag, str)
        )


def write_opml(feeds: Iterable[OpmlFeed], *, title: str) -> bytes:
    """Return an OPML 2.0 document in UTF-8 with folders as nested outlines, which `read_opml` can read."""
    from lxml import etree

    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = unicode.clean(
        title
    )
    folders: dict[Folder, Element] = {(): etree.SubElement(root, "body")}
    for feed in feeds:
        name = unicode.clean(feed.title or feed.url)
        attributes = {
            "type": "rss",
            "text": name,
            "title": name,
            "xmlUrl": unicode.clean(feed.url),
        }
        if feed.site_url:
            attributes["htmlUrl"] = unicode.clean(feed.site_url)
        etree.SubElement(_outline(feed.folder, folders), "outline", attributes)
    return etree.tostring(
        root, encoding="utf-8", xml_declaration=True, pretty_print=True
    )


def _outline(folder: Folder, outlines: dict[Folder, "Element"]) -> "Element":
    """Return the outline of a folder; if there is none, add it and the outlines of the folders around it."""
    from lxml import etree

    if folder not in outlines:
        around = _outline(folder[:-1], outlines)
        name = unicode.clean(folder[-1])
        outlines[folder] = etree.SubElement(around, "outline", text=name, title=name)
    return outlines[folder]


def web_address(raw: str) -> str | None:
    """Return the http(s) URL of a feed as written by a person, including `feed://` and `feed:https://`."""
    written = raw.strip()
    if handed_on := _FEED_SCHEME.fullmatch(written):
        written = handed_on["rest"]
        if written.startswith("//"):
            written = f"http:{written}"
    return absolute_url(written, None)


def _entry(
    attributes: dict[str, str], folder: Folder
) -> OpmlFeed | SkippedOutline | None:
    """Return the feed of an outline, or the reason why it cannot be added; None for a folder or a remark."""
    kind = attributes.get("type", "").strip().lower()
    written = attributes.get("xmlurl", "").strip()
    if not written and kind in _TYPES:
        written = attributes.get("url", "").strip()
    url = absolute_url(attributes.get("htmlurl", ""), None)
    site_url = None if url and "@" in urlsplit(url).netloc else url
    name = _name(attributes)
    is_page = "+xpath" in kind or "+dot" in kind
    is_off = attributes.get("disabled") == "true"  # as Miniflux writes it
    if is_page or is_off or not written:
        if is_off:
            reason = "it is switched off in the reader that wrote this list"
        elif is_page:
            reason = (
                "it is a page that FreshRSS reads by rules of its own; add it as `page:` "
                "with selectors to config.yaml"
            )
        elif kind == "include":
            reason = "it is another list, which is not read; import it by itself"
        elif kind in _TYPES or "xmlurl" in attributes:
            reason = "it has no address of a feed"
            if site_url:
                reason += f"; its site may have one: aggregator sources add {site_url}"
        elif kind == "link" or attributes.get("url") or site_url:
            reason = "it is a link and no feed"
        else:
            return None
        return SkippedOutline(name=name or site_url or kind, reason=reason)
    url = web_address(written)
    if url is None and (host_first := _HOST_FIRST.fullmatch(written)):
        url = absolute_url(f"https://{host_first['rest']}", None)
    if url is None:
        line = " ".join(unicode.clean(written).split())
        before, _, shown = line.rpartition("@")
        if len(shown) > _SHOWN_CHARS:
            shown = f"{shown[:_SHOWN_CHARS]}..."
        shown = f"...@{shown}" if before else shown  # without a password
        reason = f"its address is no web address: {shown}"
        return SkippedOutline(name=name or shown, reason=reason)
    return OpmlFeed(url=url, title=name, site_url=site_url, folder=folder)


def _name(attributes: dict[str, str]) -> str:
    """Return the name that feed readers show: `text`, because `title` is the feed's own title in some lists."""
    return plain_title(attributes.get("text", "") or attributes.get("title", ""))[
        :NAME_CHARS
    ]
