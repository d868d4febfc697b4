"""News sitemaps (sitemaps.org 0.9 with the news and image extensions): addresses, headlines and times."""

import re

from aggregator.model import Enclosure, ParsedFeed
from aggregator.sources.entries import Declared, FeedContext, entry_of

_ROOT = re.compile(r"<(?:[\w.-]{1,40}:)?(urlset|sitemapindex)[\s>]", re.IGNORECASE)
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
    if etree.QName(root).localname.lower() == "sitemapindex":
        places = [_text(node) for node in root.iter("{*}loc")]
        named = ", ".join(place[:200] for place in places[:3])
        return ParsedFeed(problem=f"this is an index of sitemaps; add one of them instead: {named}")
    pages = [_declared(node) for node in root.iter("{*}url")]
    dated = sorted(pages, key=lambda page: page.published, reverse=True)
    entries = (entry_of(page, context) for page in dated[: context.rules.max_entries])
    kept = tuple(entry for entry in entries if entry is not None)
    return ParsedFeed(format="sitemap", entries=kept, entry_count=len(pages))


def _declared(node: "etree._Element") -> Declared:  # type: ignore[name-defined] # noqa: F821
    texts: dict[str, str] = {}
    images: list[str] = []
    for child in node.iter("*"):
        name = child.tag.rpartition("}")[2].lower()
        if "image" in child.tag.rpartition("}")[0]:
            images += [_text(child)] if name == "loc" else []
        else:
            texts.setdefault(name, _text(child))
    published = texts.get("publication_date", "")
    return Declared(
        guid=texts.get("loc", ""),
        url=texts.get("loc", ""),
        title=texts.get("title", ""),
        published=published,
        updated=texts.get("lastmod", ""),
        outlet=texts.get("name", ""),
        language=texts.get("language", ""),
        categories=tuple(word.strip() for word in texts.get("keywords", "").split(",")),
        enclosures=tuple(Enclosure(url=url, type="image") for url in images if url),
    )


def _text(node: "etree._Element") -> str:  # type: ignore[name-defined] # noqa: F821
    return (node.text or "").strip()
