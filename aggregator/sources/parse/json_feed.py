"""JSON Feed 1.0 and 1.1 (jsonfeed.org), parsed by its specification and tolerant of wrong types."""

import json
from typing import Any

import msgspec

from aggregator.model.core import Enclosure, ParsedFeed
from aggregator.sources.parse.entry_builder import (
    DeclaredEntry,
    FeedContext,
    absolute_url,
    declared_time,
    entry_of,
    html_of_text,
    plain_title,
    primary_language,
)


def read_json_feed(text: str, context: FeedContext) -> ParsedFeed:
    """Parse the feed in `text`, which may be any JSON or none; then `problem` has the reason."""
    try:
        feed = json.loads(text.lstrip("\ufeff"), strict=False)  # unescaped line breaks in strings are common
    except (ValueError, RecursionError):
        return ParsedFeed(problem="this looks like JSON but is not well-formed")
    if not is_json_feed(feed):
        return ParsedFeed(problem="this is JSON but not a JSON Feed (`version` does not name jsonfeed.org)")
    context = msgspec.structs.replace(
        context,
        site_url=absolute_url(_string(feed, "home_page_url"), context.url),
        title=plain_title(_string(feed, "title")),
        language=primary_language(_string(feed, "language")),
    )
    items = _list(feed, "items")
    chosen = _newest_items(items, context)
    entries = (entry_of(_declared(item), context) for item in chosen if isinstance(item, dict))
    return ParsedFeed(
        format="jsonfeed",
        title=context.title,
        language=context.language,
        site_url=context.site_url,
        entries=tuple(entry for entry in entries if entry is not None),
        entry_count=len(items),
    )


def is_json_feed(value: object) -> bool:
    """Return whether a JSON value declares JSON Feed, or has its structure with a wrong `version`."""
    if not isinstance(value, dict):
        return False
    return "jsonfeed.org" in _string(value, "version") or (
        "version" in value and any(_has_shape(item) for item in _list(value, "items"))
    )


def _has_shape(item: object) -> bool:
    return isinstance(item, dict) and "id" in item and ("content_html" in item or "content_text" in item)


def _newest_items(items: list[Any], context: FeedContext) -> list[Any]:
    limit = context.tuning.max_entries
    if len(items) <= limit:
        return items
    ends = [item for item in (items[0], items[-1]) if isinstance(item, dict)]
    times = [declared_time(_string(item, "date_published"), context) for item in ends]
    if len(times) == 2 and times[0] and times[1] and times[0].time < times[1].time:
        return items[: -limit - 1 : -1]
    return items[:limit]


def _declared(item: dict[str, Any]) -> DeclaredEntry:
    html = _string(item, "content_html")
    text = _string(item, "content_text") or _string(item, "summary")
    images = (_string(item, "image"), _string(item, "banner_image"))
    return DeclaredEntry(
        guid=_string(item, "id"),
        url=_string(item, "url") or _string(item, "external_url"),
        title=_string(item, "title"),
        html=html or html_of_text(text),
        published=_string(item, "date_published") or _string(item, "date_modified"),
        updated=_string(item, "date_modified"),
        author=_author(item),
        language=_string(item, "language"),
        categories=tuple(tag for tag in _list(item, "tags") if isinstance(tag, str)),
        enclosures=(*_attachments(item), *(Enclosure(url=url, type="image") for url in images if url)),
    )


def _author(item: dict[str, Any]) -> str:
    people = [*_list(item, "authors"), item.get("author")]
    names = [_string(one, "name") for one in people if isinstance(one, dict)]
    names += [one for one in people if isinstance(one, str)]
    return ", ".join(dict.fromkeys(name for name in names if name))


def _attachments(item: dict[str, Any]) -> tuple[Enclosure, ...]:
    return tuple(
        Enclosure(
            url=_string(one, "url"),
            type=_string(one, "mime_type"),
            length_bytes=_size(one),
            title=_string(one, "title"),
        )
        for one in _list(item, "attachments")
        if isinstance(one, dict) and _string(one, "url")
    )


def _size(attachment: dict[str, Any]) -> int | None:
    size = attachment.get("size_in_bytes")
    return size if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**53 else None


def _string(values: dict[str, Any], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""


def _list(values: dict[str, Any], key: str) -> list[Any]:
    value = values.get(key)
    return value if isinstance(value, list) else []
