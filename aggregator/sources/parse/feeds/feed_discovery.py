"""Finds the feed of a site from its page or at a usual address; fetches nothing.

If there are several feeds, the page's own feed is preferred: the feed of its section if it is the page of a section,
else the feed of the whole site. Feeds of comments, audio and video come last.
"""

import re
from typing import Literal
from urllib.parse import urljoin, urlsplit

import msgspec

from aggregator.extract.urls import absolute_url
from aggregator.model.structs import FrozenStruct
from aggregator.sources.parse.feeds import xml_repair
from aggregator.sources.parse.feeds.entry_builder import plain_title
from aggregator.text.lines import word_list, word_set

_SNIFFED_CHARS = 1_048_576
_MAX_LINKS = 50
_TYPES = word_set("""
    application/rss+xml application/atom+xml application/rdf+xml application/feed+json application/json text/xml
    application/xml text/rss+xml
""")
# JSON and plain XML have many other uses, so the title or URL of a link with these types must mention a feed.
_OTHER_USES = ("application/json", "text/xml", "application/xml")
_FEEDLIKE = re.compile(
    r"(?:^|[/._-])(?:rss|atom|feeds?|rdf)(?:[/._-]|\.xml|\.json|$)", re.IGNORECASE
)
_SECONDARY = re.compile(
    r"comment|kommentar|comentario|comentári|reacties|комментар|replies|podcast|audio|videos?\b",
    re.IGNORECASE,
)
_FEED_WORD = re.compile(  # words of a path that are not names of sections
    r"(?:feeds?|rss2?0?|atom|rdf|index|xml|json|php|all|home|main|latest|news|top|default|full|articles?|posts?|"
    r"blog)\Z"
)
_USUAL_PATHS = word_list("""
    /feed /rss /rss.xml /feed.xml /atom.xml /index.xml /feeds/all.atom.xml /feed.json /index.rdf /news/rss.xml
    /news-sitemap.xml
""")


class FeedCandidate(FrozenStruct):
    """A URL that may be a feed: declared or linked by the page, or a usual address."""

    url: str
    title: str = ""
    origin: Literal["declared", "linked", "usual"] = "declared"


class PageJob(FrozenStruct):
    """A page to be searched for feeds."""

    page: bytes
    url: str
    charset: str | None = None


def discover(job: bytes) -> bytes:
    """Decode a PageJob and return its feeds, for a worker."""
    page_job = msgspec.msgpack.decode(job, type=PageJob)
    return msgspec.msgpack.encode(
        feed_links(
            xml_repair.decode_markup(page_job.page, page_job.charset), page_job.url
        )
    )


def feed_links(page: str, base_url: str) -> list[FeedCandidate]:
    """Return the feeds in the first million characters of a page, the likeliest first, each once."""
    # Imported here, because only worker processes read pages.
    from aggregator.extract.html.dom import bound_html, tree_of

    root = tree_of(bound_html(page, max_chars=_SNIFFED_CHARS).html)
    base = base_url
    declared: dict[str, FeedCandidate] = {}
    linked: dict[str, FeedCandidate] = {}
    for tag in () if root is None else root.iter("base", "link", "a"):
        href = tag.get("href", "")
        url = absolute_url(href, base)
        if url is None:
            continue
        title = plain_title(tag.get("title", ""))
        if tag.tag == "base":
            base = absolute_url(href, base_url) or base
        elif tag.tag == "link" and len(declared) < _MAX_LINKS:
            rels = tag.get("rel", "").lower().split()
            stated = tag.get("type", "").lower()
            is_feed = stated.split(";")[0].strip() in _TYPES
            if stated.startswith(_OTHER_USES):
                is_feed = _FEEDLIKE.search(f"{href}/{title}") is not None
            if "feed" in rels or ("alternate" in rels and is_feed):
                declared.setdefault(url, FeedCandidate(url=url, title=title))
        # Only the path as written counts, because the folder of the page says nothing about its links.
        elif (
            tag.tag == "a"
            and len(linked) < _MAX_LINKS
            and _FEEDLIKE.search(urlsplit(href.strip()).path)
        ):
            linked.setdefault(url, FeedCandidate(url=url, title=title, origin="linked"))
    links = {**declared, **linked, **declared}
    return sorted(links.values(), key=lambda link: _unlikeliness(link, base_url))


def _unlikeliness(link: FeedCandidate, page_url: str) -> tuple[bool, bool, bool, int]:
    """Return a sort key, lower for likelier feeds; ties keep the order of the page."""
    parts = urlsplit(link.url)
    section = urlsplit(page_url).path.strip("/").lower()
    is_elsewhere = bool(section) and not f"{parts.path.lower()}/".startswith(
        f"/{section}/"
    )
    words = [word for word in re.split(r"[/._-]+", parts.path.lower()) if word]
    named = 0 if section else sum(_FEED_WORD.match(word) is None for word in words)
    return (
        bool(_SECONDARY.search(f"{link.title} {parts.path} {parts.query}")),
        link.origin != "declared",
        is_elsewhere,
        named,
    )


def usual_places(base_url: str) -> list[FeedCandidate]:
    """Return the usual addresses of feeds for a page that declares none: below the page, then at the root."""
    page = absolute_url(base_url, None)
    if page is None:
        return []
    parts = urlsplit(page)
    folder = parts._replace(query="", fragment="").geturl().rstrip("/") + "/"
    urls = []
    if parts.path.strip("/"):
        urls += [urljoin(folder, path.lstrip("/")) for path in _USUAL_PATHS[:2]]
        if "." not in parts.path.rpartition("/")[2]:
            urls.append(folder.rstrip("/") + ".rss")
    urls += [f"{parts.scheme}://{parts.netloc}{path}" for path in _USUAL_PATHS]
    return [FeedCandidate(url=url, origin="usual") for url in dict.fromkeys(urls)]
