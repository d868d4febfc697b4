"""News sitemaps (sitemaps.org 0.9 with the news and image extensions): addresses, headlines and times."""

import re

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
    """Whether the root element is one of the two that sitemaps have."""
    found = _ROOT.search(text, 0, _SNIFFED_CHARS)
    return found is not None and re.search(r"<(?:\w+:)?(?:rss|feed)[\s>]", text[: found.start()]) is None


def read_sitemap(text: str, context: FeedContext) -> ParsedFeed:
    """The pages of a sitemap. `text` is prepared (`markup.well_prepared`): no DTD is left in it.

    Only pages with a news title or time become entries of news; a sitemap without any has them by address
    alone. An index of sitemaps is refused with the first ones named.
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
    entries = [entry_of(page, context) for page in dated[: context.tuning.max_entries]]
    kept = tuple(entry for entry in entries if entry is not None)
    named = next((page.outlet for page in pages if page.outlet), "")
    return ParsedFeed(format="sitemap", title=plain_title(named), entries=kept, entry_count=len(pages))


def sitemaps_of_index(text: str, base_url: str) -> list[str]:
    """The sitemaps that an index names, those called news first, then those that changed last; else none.

    `text` is prepared as for `read_sitemap`.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True, load_dtd=False)
    root = etree.fromstring(text.encode(), parser)
    if root is None or _kind_and_name(root.tag)[1] != "sitemapindex":
        return []
    places = (absolute_url(place, base_url) for place in _places(root))
    known = [place for place in places if place is not None]
    return sorted(dict.fromkeys(known), key=lambda place: _NEWS.search(place) is None)


def _places(root: "etree._Element") -> list[str]:  # type: ignore[name-defined] # noqa: F821
    """The addresses in an index, the one that changed last first; those without a time keep their order."""
    found: list[tuple[str, str]] = []
    for node in root.iter("*"):
        if _kind_and_name(node.tag)[1] == "sitemap":
            texts = {_kind_and_name(child.tag)[1]: _text(child) for child in node.iterchildren("*")}
            found.append((texts.get("lastmod", ""), texts.get("loc", "")))
    return [place for _, place in sorted(found, key=lambda one: one[0], reverse=True) if place]


def _newness(page: DeclaredEntry, context: FeedContext) -> float:
    """Seconds since 1970 of when a page was published or changed; 0 where it does not say."""
    told = declared_time(page.published, context) or declared_time(page.updated, context)
    return told.time.timestamp() if told else 0.0


def _declared(node: "etree._Element") -> DeclaredEntry:  # type: ignore[name-defined] # noqa: F821
    """One page. What the news extension says goes before what images and films beside it are called."""
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
    """The extension that an element is of, by namespace or by an undeclared prefix, and its name."""
    space, _, local = tag.rpartition("}")
    prefix, _, name = local.rpartition(":")
    kinds = (kind for kind in ("image", "video") if kind in space.lower() or prefix.lower() == kind)
    return next(kinds, ""), name.lower()


def _text(node: "etree._Element") -> str:  # type: ignore[name-defined] # noqa: F821
    return (node.text or "").strip()
