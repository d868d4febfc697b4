"""News sitemaps (sitemaps.org 0.9 with the news and image extensions): URLs, headlines and times."""

import re

import msgspec

from aggregator.model.core import Enclosure, ParsedFeed
from aggregator.sources.parse.entry_builder import (
    DeclaredEntry,
    FeedContext,
    absolute_url,
    declared_time,
    entry_of,
    plain_title,
)

_ROOT = re.compile(r"<(?:[\w.-]{1,40}:)?(urlset|sitemapindex)[\s>]", re.IGNORECASE)
_NEWS = re.compile(r"news", re.IGNORECASE)
_SNIFFED_CHARS = 8192


def is_sitemap(text: str) -> bool:
    """Return whether the root element is that of a sitemap or a sitemap index."""
    root = _ROOT.search(text, 0, _SNIFFED_CHARS)
    return root is not None and re.search(r"<(?:\w+:)?(?:rss|feed)[\s>]", text[: root.start()]) is None


def read_sitemap(text: str, context: FeedContext) -> ParsedFeed:
    """Parse the pages of a sitemap. `text` is the result of `xml_repair.well_prepared`, without a DTD.

    Pages with a news title or time become entries; in a sitemap without any of these, all pages do, by URL
    alone. For an index of sitemaps `problem` names the first ones.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, load_dtd=False)
    root = etree.fromstring(text.encode(), parser)
    if root is None:
        return ParsedFeed(problem="this looks like a sitemap but cannot be read")
    if _kind_and_name(root.tag)[1] == "sitemapindex":
        named = ", ".join(place[:200] for place in _places(root)[:3])
        return ParsedFeed(problem=f"this is an index of sitemaps; add one of them instead: {named}")
    pages = [_declared(node) for node in root.iter("*") if _kind_and_name(node.tag) == ("", "url")]
    dated = sorted(pages, key=lambda page: _newness(page, context), reverse=True)
    named = plain_title(next((page.outlet for page in pages if page.outlet), ""))
    context = msgspec.structs.replace(context, title=named)
    entries = [entry_of(page, context) for page in dated[: context.tuning.max_entries]]
    valid_entries = tuple(entry for entry in entries if entry is not None)
    return ParsedFeed(format="sitemap", title=named, entries=valid_entries, entry_count=len(pages))


def sitemaps_of_index(text: str, base_url: str) -> list[str]:
    """Return the sitemaps of an index: news sitemaps first, then the last changed; empty if it is no index.

    `text` is prepared as for `read_sitemap`.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, load_dtd=False)
    root = etree.fromstring(text.encode(), parser)
    if root is None or _kind_and_name(root.tag)[1] != "sitemapindex":
        return []
    places = (absolute_url(place, base_url) for place in _places(root))
    urls = [place for place in places if place is not None]
    return sorted(dict.fromkeys(urls), key=lambda place: _NEWS.search(place) is None)


def _places(root: "etree._Element") -> list[str]:  # type: ignore[name-defined] # noqa: F821
    """Return the URLs in an index, the last changed first; those without a time keep their order."""
    dated_urls: list[tuple[str, str]] = []
    for node in root.iter("*"):
        if _kind_and_name(node.tag)[1] == "sitemap":
            texts = {_kind_and_name(child.tag)[1]: _text(child) for child in node.iterchildren("*")}
            dated_urls.append((texts.get("lastmod", ""), texts.get("loc", "")))
    return [place for _, place in sorted(dated_urls, key=lambda one: one[0], reverse=True) if place]


def _newness(page: DeclaredEntry, context: FeedContext) -> float:
    """Return when a page was published or changed, in seconds since 1970; 0 if unknown."""
    declared = declared_time(page.published, context) or declared_time(page.updated, context)
    return declared.time.timestamp() if declared else 0.0


def _declared(node: "etree._Element") -> DeclaredEntry:  # type: ignore[name-defined] # noqa: F821
    """Return one page. Values of the news extension are preferred to those of images and videos."""
    texts: dict[str, str] = {}
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
        published=texts.get("publication_date", ""),
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
    kinds = (kind for kind in ("image", "video") if kind in space.lower() or prefix.lower() == kind)
    return next(kinds, ""), name.lower()


def _text(node: "etree._Element") -> str:  # type: ignore[name-defined] # noqa: F821
    return (node.text or "").strip()
