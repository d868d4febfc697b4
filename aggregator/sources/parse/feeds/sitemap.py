"""Parses news sitemaps (sitemaps.org 0.9 with the news and image extensions): URLs, headlines and times."""

import re
from itertools import repeat
from urllib.parse import urlsplit

from msgspec.structs import replace

from aggregator.extract.urls import absolute_url
from aggregator.model.entry import Enclosure, ParsedFeed
from aggregator.sources.parse.feeds import xml_repair
from aggregator.sources.parse.feeds.entry_builder import (
    DeclaredEntry,
    FeedContext,
    entry_of,
    first_time,
    plain_title,
)

# Each poll reads this many sitemaps of an index, because the newest have the new pages (chosen)
_MAX_SITEMAPS = 3
_ROOT = re.compile(r"<(?:[\w.-]{1,40}:)?(urlset|sitemapindex)[\s>]", re.IGNORECASE)
_SNIFFED_ROOT_CHARS = 8192


def is_sitemap(text: str) -> bool:
    """Return whether the text is a sitemap or a sitemap index: no root of another feed comes before its root."""
    root = _ROOT.search(text, 0, _SNIFFED_ROOT_CHARS)
    return (
        root is not None
        and re.search(r"<(?:\w+:)?(?:rss|feed)[\s>]", text[: root.start()]) is None
    )


def read_sitemap(text: str, context: FeedContext) -> ParsedFeed:
    """Parse the pages of a sitemap. `text` is the result of `xml_repair.well_prepared`, without a DTD.

    The newest pages become entries, also those that have only a URL. For an index of sitemaps, return no entries, but
    the addresses to read in `sitemaps`.
    """
    root = xml_repair.root_of(text)
    if root is None:
        return ParsedFeed(problem="this looks like a sitemap but cannot be read")
    if _kind_and_name(root.tag)[1] == "sitemapindex":
        return _read_index(root, context.url or "")
    pages = [
        _declared_page(node)
        for node in root.iter("*")
        if _kind_and_name(node.tag) == ("", "url")
    ]
    dated = sorted(pages, key=lambda page: _newness(page, context), reverse=True)
    named = plain_title(next((page.outlet for page in pages if page.outlet), ""))
    context = replace(context, title=named)
    entries = map(entry_of, dated[: context.tuning.max_entries], repeat(context))
    return ParsedFeed(
        format="sitemap",
        title=named,
        entries=tuple(filter(None, entries)),
        entry_count=len(pages),
    )


def _read_index(root: "etree._Element", base_url: str) -> ParsedFeed:  # type: ignore[name-defined] # noqa: F821
    """Return the first `_MAX_SITEMAPS` sitemaps of an index: news sitemaps first, then those changed last.

    Sitemaps on other hosts are left out, because the protocol wants all of them on the host of the index.
    """
    listed = []
    for node in root.iter("*"):
        if _kind_and_name(node.tag)[1] == "sitemap":
            children = node.iterchildren("*")
            listed.append(
                {_kind_and_name(child.tag)[1]: _text(child) for child in children}
            )
    host = urlsplit(base_url).netloc
    urls: dict[str, None] = {}
    # The sort is stable, so sitemaps without a time come last in their order.
    for fields in sorted(
        listed, key=lambda fields: fields.get("lastmod", ""), reverse=True
    ):
        url = absolute_url(fields.get("loc", ""), base_url)
        if url is not None and host in ("", urlsplit(url).netloc):
            urls[url] = None
    if not urls:
        return ParsedFeed(
            problem="this is an index of sitemaps, and none of them is on its host"
        )
    return ParsedFeed(
        format="sitemap index",
        sitemaps=tuple(
            sorted(urls, key=lambda url: "news" not in url.lower())[:_MAX_SITEMAPS]
        ),
    )


def _newness(page: DeclaredEntry, context: FeedContext) -> float:
    """Return when a page was published or changed, in seconds since 1970; 0 if unknown."""
    published = first_time((*page.published, page.updated), context)
    return 0.0 if published is None else published.time.timestamp()


def _declared_page(node: "etree._Element") -> DeclaredEntry:  # type: ignore[name-defined] # noqa: F821
    """Return one page. Titles and times of its images and videos are left out, because they are not the page's."""
    texts: dict[str, str] = {}
    images = []
    for child in node.iterdescendants("*"):
        kind, name = _kind_and_name(child.tag)
        if kind == "image":
            if name == "loc":
                images.append(_text(child))
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
        categories=tuple(texts.get("keywords", "").split(",")),
        enclosures=tuple(Enclosure(url=url, type="image") for url in images),
    )


def _kind_and_name(tag: str) -> tuple[str, str]:
    """Return "image", "video" or "" for the extension that an element belongs to, and its name in lower case.

    The namespace tells the extension, or the prefix if it is not declared.
    """
    space, _, local = tag.rpartition("}")
    prefix, _, name = local.rpartition(":")
    for kind in ("image", "video"):
        if kind in space.lower() or prefix.lower() == kind:
            return kind, name.lower()
    return "", name.lower()


def _text(node: "etree._Element") -> str:  # type: ignore[name-defined] # noqa: F821
    return (node.text or "").strip()
