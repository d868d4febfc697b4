"""Finding the feed of a site: what its page declares, and where feeds usually are. Others fetch."""

import html as html_entities
import re
from typing import Literal
from urllib.parse import urljoin, urlsplit

from aggregator.model import Noun
from aggregator.sources.entries import absolute_url, plain_title

_SNIFFED_CHARS = 1_048_576
_MAX_LINKS = 50
_TYPES = {
    "application/rss+xml": "rss",
    "application/atom+xml": "atom",
    "application/rdf+xml": "rdf",
    "application/feed+json": "jsonfeed",
    "application/json": "jsonfeed",
    "text/xml": "xml",
    "application/xml": "xml",
    "text/rss+xml": "rss",
}
_TAG = re.compile(r"<(link|a|base)\s([^<>]{1,4000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-zA-Z-]{1,30})\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]{1,2000}))")
_FEEDLIKE = re.compile(r"(?:^|[/._-])(?:rss|atom|feeds?|rdf)(?:[/._-]|\.xml|\.json|$)", re.IGNORECASE)
_COMMENTS = re.compile(r"comment|kommentar|commentaire|comentario", re.IGNORECASE)
_USUAL_PATHS = (
    "/feed", "/rss", "/rss.xml", "/feed.xml", "/atom.xml", "/index.xml", "/feeds/all.atom.xml", "/feed.json",
    "/index.rdf", "/news/rss.xml", "/news-sitemap.xml",
)  # fmt: skip


class FeedLink(Noun, frozen=True, kw_only=True):
    """An address that may be a feed; "declared" ones first, then links in the page, then usual places."""

    url: str
    title: str = ""
    kind: str = ""  # "rss", "atom", "rdf", "jsonfeed", "xml"; "" where nothing says
    origin: Literal["declared", "linked", "usual"] = "declared"


def feed_links(page: str, base_url: str) -> list[FeedLink]:
    """Feeds that a page names, the likeliest first, each once; feeds of comments come last.

    Reads the first 1 MiB of `page`. Pure, and linear for any input.
    """
    base = base_url
    declared: list[FeedLink] = []
    linked: list[FeedLink] = []
    for found in _TAG.finditer(_without_comments(page[:_SNIFFED_CHARS])):
        name, attributes = found.group(1).lower(), _attributes(found.group(2))
        if name == "base":
            base = absolute_url(attributes.get("href", ""), base_url) or base
        elif name == "link" and len(declared) < _MAX_LINKS:
            declared += _declared(attributes, base)
        elif name == "a" and len(linked) < _MAX_LINKS:
            linked += _linked(attributes, base)
    links = {link.url: link for link in reversed([*declared, *linked])}
    once = [links.pop(link.url) for link in [*declared, *linked] if link.url in links]
    return sorted(once, key=lambda link: bool(_COMMENTS.search(f"{link.title} {link.url}")))


def usual_places(base_url: str) -> list[FeedLink]:
    """Where sites have their feed when the page does not say: below the page's own folder, then the root."""
    page = absolute_url(base_url, None)
    if page is None:
        return []
    parts = urlsplit(page)
    folder = parts._replace(query="", fragment="").geturl().rstrip("/") + "/"
    own = [urljoin(folder, path.lstrip("/")) for path in _USUAL_PATHS[:3]] if parts.path.strip("/") else []
    root = [f"{parts.scheme}://{parts.netloc}{path}" for path in _USUAL_PATHS]
    return [FeedLink(url=url, origin="usual") for url in dict.fromkeys([*own, *root])]


def _declared(attributes: dict[str, str], base: str) -> list[FeedLink]:
    rels = attributes.get("rel", "").lower().split()
    kind = _TYPES.get(attributes.get("type", "").split(";")[0].strip().lower(), "")
    is_feed = ("alternate" in rels and _says_feed(kind, attributes)) or "feed" in rels
    url = absolute_url(attributes.get("href", ""), base) if is_feed else None
    return [FeedLink(url=url, title=plain_title(attributes.get("title", "")), kind=kind)] if url else []


def _says_feed(kind: str, attributes: dict[str, str]) -> bool:
    """JSON and bare XML types are used for much else: there, name or address must speak of a feed."""
    if attributes.get("type", "").lower().startswith(("application/json", "text/xml", "application/xml")):
        return bool(_FEEDLIKE.search(attributes.get("href", "") + "/" + attributes.get("title", "")))
    return bool(kind)


def _linked(attributes: dict[str, str], base: str) -> list[FeedLink]:
    href = attributes.get("href", "")
    url = absolute_url(href, base) if _FEEDLIKE.search(_path_of(href)) else None
    return [FeedLink(url=url, title=plain_title(attributes.get("title", "")), origin="linked")] if url else []


def _path_of(href: str) -> str:
    """The path of a link without raising for what is no address."""
    try:
        return urlsplit(href).path
    except ValueError:
        return ""


def _attributes(raw: str) -> dict[str, str]:
    found = (match.groups() for match in _ATTRIBUTE.finditer(raw))
    return {
        name.lower(): html_entities.unescape(double or single or bare or "")
        for name, double, single, bare in found
    }


def _without_comments(page: str) -> str:
    kept, position = [], 0
    while (start := page.find("<!--", position)) >= 0:
        kept.append(page[position:start])
        end = page.find("-->", start)
        if end < 0:
            return "".join(kept)
        position = end + 3
    return "".join([*kept, page[position:]])
