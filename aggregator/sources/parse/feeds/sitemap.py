"""Parses news sitemaps (sitemaps.org 0.9 with the news and image extensions): URLs, headlines and times."""

import re
from urllib.parse import urlsplit

from msgspec.structs import replace

from aggregator.model.entry import Enclosure, ParsedFeed
from aggregator.sources.parse.feeds import xml_repair
from aggregator.sources.parse.feeds.entry_builder import (
    DeclaredEntry,
    FeedContext,
    absolute_url,
    declared_time,
    entry_of,
    plain_title,
)
from aggregator.sources.parse.feeds.feed_discovery import Attributes

# Of an index, read at each poll: the newest ones have what is new (chosen)
_MAX_SITEMAPS = 3
_ROOT = re.compile(r"<(?:[\w.-]{1,40}:)?(urlset|sitemapindex)[\s>]", re.IGNORECASE)
_SNIFFED_ROOT_CHARS = 8192


def is_sitemap(text: str) -> bool:
    """Return whether the root element is that of a sitemap or a sitemap index."""
    root = _ROOT.search(text, 0, _SNIFFED_ROOT_CHARS)
    return (
        root is not None
        and re.search(r"<(?:\w+:)?(?:rss|feed)[\s>]", text[: root.start()]) is None
    )


def read_sitemap(text: str, context: FeedContext) -> ParsedFeed:
    """Parse the pages of a sitemap. `text` is the result of `xml_repair.well_prepared`, without a DTD.

    Pages with a news title or time become entries; in a sitemap without any of these, all pages do, by URL
    alone. Of an index `sitemaps` are the first ones that are on its host.
    """
    root = xml_repair.root_of(text)
    if root is None:
        return ParsedFeed(problem="this looks like a sitemap but cannot be read")
    places = sitemaps_of_index(root, context.url or "")
    if places is not None:
        # The protocol wants them on the host of the index
        host = urlsplit(context.url or "").netloc
        urls = tuple(url for url in places if host in ("", urlsplit(url).netloc))[
            :_MAX_SITEMAPS
        ]
        problem = (
            None
            if urls
            else "this is an index of sitemaps, and none of them is on its host"
        )
        return ParsedFeed(
            format="sitemap index" if urls else "", sitemaps=urls, problem=problem
        )
    pages = [
        _declared_page(node)
        for node in root.iter("*")
        if _kind_and_name(node.tag) == ("", "url")
    ]
    dated = sorted(pages, key=lambda page: _newness(page, context), reverse=True)
    named = plain_title(next((page.outlet for page in pages if page.outlet), ""))
    context = replace(context, title=named)
    entries = [entry_of(page, context) for page in dated[: context.tuning.max_entries]]
    valid_entries = tuple(entry for entry in entries if entry is not None)
    return ParsedFeed(
        format="sitemap", title=named, entries=valid_entries, entry_count=len(pages)
    )


def sitemaps_of_index(root: "etree._Element", base_url: str) -> list[str] | None:  # type: ignore[name-defined] # noqa: F821
    """Return the sitemaps of an index: news sitemaps first, then the last changed; None if it is no index."""
    if _kind_and_name(root.tag)[1] != "sitemapindex":
        return None
    nodes = (
        node for node in root.iter("*") if _kind_and_name(node.tag)[1] == "sitemap"
    )
    listed = [
        {_kind_and_name(child.tag)[1]: _text(child) for child in node.iterchildren("*")}
        for node in nodes
    ]
    # Those without a time keep their order
    listed.sort(key=lambda fields: fields.get("lastmod", ""), reverse=True)
    places = (absolute_url(fields.get("loc", ""), base_url) for fields in listed)
    urls = dict.fromkeys(place for place in places if place is not None)
    return sorted(urls, key=lambda place: "news" not in place.lower())


def _newness(page: DeclaredEntry, context: FeedContext) -> float:
    """Return when a page was published or changed, in seconds since 1970; 0 if unknown."""
    dates = (declared_time(time, context) for time in (*page.published, page.updated))
    return next((time.time.timestamp() for time in dates if time is not None), 0.0)


def _declared_page(node: "etree._Element") -> DeclaredEntry:  # type: ignore[name-defined] # noqa: F821
    """Return one page. Values of the news extension are preferred to those of images and videos."""
    texts: Attributes = {}
    images: list[str] = []
    for child in node.iterdescendants("*"):
        kind, name = _kind_and_name(child.tag)
        if kind == "image":
            images += [_text(child)] if name == "loc" else []
        elif kind != "video":
            texts.setdefault(name, _text(child))
    return DeclaredEntry(
        guid=texts.get("loc", ""),
        url=texts.get("loc", ""),
        title=texts.get("title", ""),
        published=(texts.get("publication_date", ""),),
        updated=texts.get("lastmod", ""),
        outlet=texts.get("name", ""),
        language=texts.get("language", ""),
        categories=tuple(word.strip() for word in texts.get("keywords", "").split(",")),
        enclosures=tuple(Enclosure(url=url, type="image") for url in images if url),
    )


def _kind_and_name(tag: str) -> tuple[str, str]:
    """Return the extension of an element, by namespace or by an undeclared prefix, and its name."""
    space, _, local = tag.rpartition("}")
    prefix, _, name = local.rpartition(":")
    kinds = (
        kind
        for kind in ("image", "video")
        if kind in space.lower() or prefix.lower() == kind
    )
    return next(kinds, ""), name.lower()


def _text(node: "etree._Element") -> str:  # type: ignore[name-defined] # noqa: F821
    return (node.text or "").strip()
