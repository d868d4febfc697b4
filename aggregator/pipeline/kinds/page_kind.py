"""Pages without a feed: CSS selectors name the list of articles, and of each its link, title and date."""

from functools import partial
from typing import Any

import msgspec

from aggregator.extract.html.dom import tree_of
from aggregator.model.core import ParsedFeed
from aggregator.model.errors import ConfigError
from aggregator.pipeline.jobs import FeedJob
from aggregator.pipeline.kinds.feed_kind import address_of
from aggregator.pipeline.kinds.source_kind import SourceKind
from aggregator.sources.parse import xml_repair
from aggregator.sources.parse.entry_builder import DeclaredEntry, absolute_url, entry_of, plain_title


def read_page(job: bytes) -> bytes:
    """Return a ParsedFeed for a FeedJob with selectors: the articles that the page lists, for a worker."""
    decoded = msgspec.msgpack.decode(job, type=FeedJob)
    return msgspec.msgpack.encode(_listed(decoded))


def _listed(job: FeedJob) -> ParsedFeed:
    root = tree_of(xml_repair.decode_markup(job.data, job.content_type))
    if root is None:
        return ParsedFeed(problem="this is not a page of HTML")
    items, link, title, date = (compiled(one) if one else None for one in job.selectors)
    assert items is not None
    assert link is not None
    found = items(root)[: job.tuning.max_entries]
    entries: dict[str, DeclaredEntry] = {}
    for item in found:
        anchors = [item] if item.tag == "a" else link(item)
        urls = ((absolute_url(one.get("href", ""), job.url), one) for one in anchors)
        url, anchor = next(((url, one) for url, one in urls if url), (None, None))
        named = anchor if title is None else _first(item, title)
        if url is not None and named is not None:
            dated = None if date is None else _first(item, date)
            published = "" if dated is None else dated.get("datetime") or _words(dated)
            entries.setdefault(url, DeclaredEntry(url=url, title=_words(named), published=published))
    if not entries:
        return ParsedFeed(
            problem=f"{len(found)} elements match `list:`, and none of them has a link and a title"
        )
    name = plain_title(_words(root.find(".//title")))
    context = msgspec.structs.replace(job, title=name)
    made = (entry_of(entry, context) for entry in entries.values())
    return ParsedFeed(
        format="page", title=name, entries=tuple(one for one in made if one), entry_count=len(entries)
    )


def compiled(selector: str) -> Any:
    """Return the function from an element to those below it that match. Raises ConfigError."""
    from cssselect import SelectorError
    from lxml.cssselect import CSSSelector

    try:
        return CSSSelector(selector, translator="html")
    except (SelectorError, RecursionError) as error:
        raise ConfigError(f"{selector[:60]!r} is not a CSS selector: {error}") from error


def _first(item: Any, selector: Any) -> Any:
    return next(iter(selector(item)), None)


def _words(element: Any) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


KIND = SourceKind(address=address_of, poller=lambda poller: partial(poller.poll, read=read_page))
