"""Reads the values that a parser returns for a feed, which may have any keys and types."""

import re
from collections.abc import Sequence
from html import unescape
from itertools import chain
from typing import Any

from aggregator.model.entry import Entry, ParsedFeed
from aggregator.sources.parse.feeds.entry_builder import (
    FeedContext,
    declared_time,
    plain_title,
)

# An escaped CDATA section leaves its markup in a value; some programs lose the exclamation mark.
_WRITTEN_CDATA = re.compile(r"\s*<!?\[CDATA\[([\s\S]*)\]\]>\s*\Z", re.IGNORECASE)

# The values that a parser returns for an element, with any keys and types
Raw = dict[str, Any]


def is_before(earlier: str, later: str, context: FeedContext) -> bool:
    """Return whether both are times, and the first is before the other."""
    first = declared_time(earlier, context)
    second = declared_time(later, context)
    return first is not None and second is not None and first.time < second.time


def parsed_feed(
    version: str, title: str, context: FeedContext, entries: Sequence[Sequence[Entry]]
) -> ParsedFeed:
    """Return the feed; `entries` has the entries of each item."""
    return ParsedFeed(
        format=version,
        title=plain_title(title),
        language=context.language,
        site_url=context.site_url,
        entries=tuple(chain.from_iterable(entries))[: context.tuning.max_entries],
        entry_count=len(entries),
    )


def unescaped_markup(html: str) -> str:
    """Return the markup, unescaped if all of it is escaped once too often."""
    if "<" not in html and "&lt;/" in html and html.lstrip().startswith("&lt;"):
        return unescape(html)
    return html


def string_at(values: Raw, key: str) -> str:
    """Return a string without an escaped CDATA section around it, or a number as a string; else "".

    This uses plain `dict.get`, because feedparser's own `get` returns values of other keys with a warning.
    """
    value = dict.get(values, key)
    if isinstance(value, str):
        section = _WRITTEN_CDATA.match(value)
        return section[1] if section else value
    return str(value) if isinstance(value, int | float) else ""


def dicts_at(values: Raw, key: str) -> list[Raw]:
    """Return `values[key]` if it is a list of mappings; feedparser computes some ("enclosures") on access."""
    return [element for element in list_at(values, key) if isinstance(element, dict)]


def list_at(values: Raw, key: str) -> list[Any]:
    value = values.get(key)
    return value if isinstance(value, list) else []
