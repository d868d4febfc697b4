"""Reads JSON Feed 1.0 and 1.1 (jsonfeed.org) by its specification, and tolerates wrong types."""

import json
from typing import Any

from msgspec.structs import replace

from aggregator.model.core import Enclosure, ParsedFeed
from aggregator.sources.parse.feeds.entry_builder import (
    DeclaredEntry,
    FeedContext,
    absolute_url,
    entries_of,
    html_of_text,
    plain_title,
    primary_language,
)
from aggregator.sources.parse.feeds.raw_values import (
    Raw,
    dicts_at,
    is_before,
    list_at,
    parsed_feed,
    string_at,
    unescaped_markup,
)


def read_json_feed(text: str, context: FeedContext) -> ParsedFeed:
    """Parse the feed in `text`, which may be any JSON or none; then `problem` has the reason."""
    try:
        # Unescaped line breaks in strings are common
        feed = json.loads(text.lstrip("\ufeff"), strict=False)
    except (ValueError, RecursionError):
        return ParsedFeed(problem="this looks like JSON but is not well-formed")
    if not is_json_feed(feed):
        return ParsedFeed(
            problem="this is JSON but not a JSON Feed (`version` does not name jsonfeed.org)"
        )
    context = replace(
        context,
        site_url=absolute_url(string_at(feed, "home_page_url"), context.url),
        title=plain_title(string_at(feed, "title")),
        language=primary_language(string_at(feed, "language")),
    )
    items = list_at(feed, "items")
    chosen = (item for item in _newest_items(items, context) if isinstance(item, dict))
    entries = [entries_of(_json_entry(item), context) for item in chosen]
    read = parsed_feed("jsonfeed", context.title, context, entries)
    return replace(read, entry_count=len(items))


_JSON_BODIES = frozenset({"content_html", "content_text"})


def is_json_feed(value: object) -> bool:
    """Return whether a JSON value declares JSON Feed, or has its structure with a wrong `version`."""
    if not isinstance(value, dict):
        return False
    return "jsonfeed.org" in string_at(value, "version") or (
        "version" in value
        and any(
            "id" in item and item.keys() & _JSON_BODIES
            for item in dicts_at(value, "items")
        )
    )


def _newest_items(items: list[Any], context: FeedContext) -> list[Any]:
    limit = context.tuning.max_entries
    if len(items) <= limit:
        return items
    first, last = (
        string_at(one, "date_published") if isinstance(one, dict) else ""
        for one in (items[0], items[-1])
    )
    if is_before(first, last, context):
        return items[: -limit - 1 : -1]
    return items[:limit]


def _json_entry(item: Raw) -> DeclaredEntry:
    html = unescaped_markup(string_at(item, "content_html"))
    guid = string_at(item, "id")
    text = string_at(item, "content_text") or string_at(item, "summary")
    images = (string_at(item, "image"), string_at(item, "banner_image"))
    return DeclaredEntry(
        guid=guid,
        url=string_at(item, "url")
        or string_at(item, "external_url")
        or (guid if "://" in guid else ""),
        title=string_at(item, "title"),
        html=html or html_of_text(text),
        published=(string_at(item, "date_published"), string_at(item, "date_modified")),
        updated=string_at(item, "date_modified"),
        author=_json_author(item),
        language=string_at(item, "language"),
        categories=tuple(tag for tag in list_at(item, "tags") if isinstance(tag, str)),
        enclosures=(
            *_attachments(item),
            *(Enclosure(url=url, type="image") for url in images if url),
        ),
    )


def _json_author(item: Raw) -> str:
    people = [*list_at(item, "authors"), item.get("author")]
    names = [string_at(one, "name") for one in people if isinstance(one, dict)]
    names += [one for one in people if isinstance(one, str)]
    return ", ".join(dict.fromkeys(name for name in names if name))


def _attachments(item: Raw) -> tuple[Enclosure, ...]:
    return tuple(
        Enclosure(
            url=string_at(one, "url"),
            type=string_at(one, "mime_type"),
            length_bytes=_size(one),
            title=string_at(one, "title"),
        )
        for one in dicts_at(item, "attachments")
        if string_at(one, "url")
    )


def _size(attachment: Raw) -> int | None:
    size = attachment.get("size_in_bytes")
    return (
        size
        if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**53
        else None
    )
