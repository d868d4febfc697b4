"""Reads pages without a feed: CSS selectors find the articles in a list, and the link, title and date of each."""

from collections.abc import Sequence
from itertools import chain, islice
from typing import Any, NamedTuple
from urllib.parse import urldefrag

from msgspec.structs import replace

from aggregator.config.messages import pluralise
from aggregator.extract.html.dom import bound_html, tree_of
from aggregator.extract.urls import absolute_url
from aggregator.model.entry import ParsedFeed
from aggregator.model.errors import ConfigError
from aggregator.sources.parse.feeds import xml_repair
from aggregator.sources.parse.feeds.entry_builder import (
    DeclaredEntry,
    FeedContext,
    entry_of,
    plain_title,
)

# The most elements in all items together. Nested items are read again and again, so an element counts once for each
# item that it is in. The limit is ten times the most elements that a page has (chosen).
_MAX_BELOW_ITEMS = 200_000


def read_list(data: bytes, patterns: Sequence[str], context: FeedContext) -> ParsedFeed:
    """Return the articles that a page lists; `patterns`: the selectors of the list, link, title and date."""
    page = bound_html(
        xml_repair.decode_markup(data, xml_repair.charset_of(context.content_type))
    )
    root = tree_of(page.html)
    if root is None:
        return ParsedFeed(problem="this is not a page of HTML")
    selectors = _Selectors(
        *[compile_selector(selector) if selector else None for selector in patterns]
    )
    elements = selectors.items(root)[: context.tuning.max_entries]
    below = chain.from_iterable(element.iter() for element in elements)
    if any(islice((True for _ in below), _MAX_BELOW_ITEMS, None)):
        return ParsedFeed(
            problem="`list:` matches elements that are inside each other, too many to read"
        )
    if not elements:
        return ParsedFeed(problem="no element matches `list:`")
    listed = _articles(elements, selectors, root, context.url)
    if not listed:
        return ParsedFeed(
            problem=f"`list:` matches {pluralise(len(elements), 'element')}, none with a link and a title"
        )
    name = plain_title(_words(root.find(".//title")))
    titled = replace(context, title=name)
    entries = [entry_of(declared, titled) for declared in listed]
    problem = "the page is too large: its end is not read" if page.truncated else None
    return ParsedFeed(
        format="page",
        title=name,
        entries=tuple(filter(None, entries)),
        entry_count=len(listed),
        problem=problem,
    )


def _articles(
    elements: Sequence[Any], selectors: "_Selectors", root: Any, url: str | None
) -> list[DeclaredEntry]:
    """Return the articles of these elements, one for each address."""
    base = root.find(".//base[@href]")
    base_url = url
    if base is not None:
        base_url = absolute_url(base.get("href"), url) or url
    own_url = urldefrag(url or "").url
    by_url: dict[str, DeclaredEntry] = {}
    for element in elements:
        headline = None
        if selectors.title is not None:
            headline = _words(_first(element, selectors.title))
        for anchor in [element] if element.tag == "a" else selectors.link(element):
            address = absolute_url(anchor.get("href", ""), base_url)
            # A link around a picture has no text. The next link may be the headline.
            title = _words(anchor) if headline is None else headline
            if address is None or not title or urldefrag(address).url == own_url:
                continue
            published = ""
            if selectors.date is not None:
                dated = _first(element, selectors.date)
                if dated is not None:
                    published = dated.get("datetime") or _words(dated)
            by_url.setdefault(
                address,
                DeclaredEntry(url=address, title=title, published=(published,)),
            )
            break
    return list(by_url.values())


class _Selectors(NamedTuple):
    """The functions that find the articles of a page, and the parts of each (`compile_selector`)."""

    items: Any
    link: Any
    title: Any
    date: Any


def compile_selector(selector: str) -> Any:
    """Return a function that lists the elements that match, among an element and all below it. Raises ConfigError."""
    from cssselect import SelectorError
    from lxml.cssselect import CSSSelector

    try:
        return CSSSelector(selector, translator="html")
    except (SelectorError, RecursionError) as error:
        raise ConfigError(
            f"{selector[:60]!r} is not a CSS selector: {error}"
        ) from error


def _first(element: Any, selector: Any) -> Any:
    return next(iter(selector(element)), None)


def _words(element: Any) -> str:
    if element is None:
        return ""
    texts = element.xpath(".//text()[not(parent::script or parent::style)]")
    return " ".join("".join(texts).split())
