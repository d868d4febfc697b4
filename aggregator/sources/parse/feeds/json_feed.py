"""Reads JSON Feed 1.0 and 1.1 (jsonfeed.org) by its specification, and tolerates wrong types."""

import json

from msgspec.structs import replace

from aggregator.extract.urls import absolute_url
from aggregator.model.entry import Enclosure, ParsedFeed
from aggregator.sources.parse.feeds.entry_builder import (
    DeclaredEntry,
    FeedContext,
    entries_of,
    html_of_text,
    plain_title,
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
from aggregator.text.language import primary_tag


def read_json_feed(text: str, context: FeedContext) -> ParsedFeed:
    """Parse the JSON Feed in `text`. If it is other JSON, or not JSON, `problem` has the reason."""
    try:
        # This is not strict, because unescaped line breaks in strings are common.
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
        language=primary_tag(string_at(feed, "language")),
    )
    items = list_at(feed, "items")
    limit = context.tuning.max_entries
    newest = items[:limit]
    if len(items) > limit:
        first, last = items[0], items[-1]
        if isinstance(first, dict) and isinstance(last, dict):
            dates = (
                string_at(first, "date_published"),
                string_at(last, "date_published"),
            )
            if is_before(*dates, context):
                newest = items[: -limit - 1 : -1]
    read = parsed_feed(
        "jsonfeed",
        context.title,
        context,
        [
            entries_of(_json_entry(raw), context)
            for raw in newest
            if isinstance(raw, dict)
        ],
    )
    self_url = absolute_url(string_at(feed, "feed_url"), context.url)
    return replace(read, entry_count=len(items), self_url=self_url)


_JSON_BODIES = frozenset({"content_html", "content_text"})


def is_json_feed(value: object) -> bool:
    """Return whether a JSON value declares JSON Feed, or has its structure with a wrong `version`."""
    if not isinstance(value, dict) or "version" not in value:
        return False
    if "jsonfeed.org" in string_at(value, "version"):
        return True
    return any(
        "id" in entry and entry.keys() & _JSON_BODIES
        for entry in dicts_at(value, "items")
    )


def _json_entry(item: Raw) -> DeclaredEntry:
    html = unescaped_markup(string_at(item, "content_html"))
    guid = string_at(item, "id")
    text = string_at(item, "content_text") or string_at(item, "summary")
    url = string_at(item, "url") or string_at(item, "external_url")
    if not url and "://" in guid:
        url = guid
    enclosures = []
    for attachment in dicts_at(item, "attachments"):
        size = attachment.get("size_in_bytes")
        is_size = type(size) is int and 0 <= size < 2**53
        enclosures.append(
            Enclosure(
                url=string_at(attachment, "url"),
                type=string_at(attachment, "mime_type"),
                length_bytes=size if is_size else None,
                title=string_at(attachment, "title"),
            )
        )
    names = []
    plain_names = []
    for person in (*list_at(item, "authors"), item.get("author")):
        if isinstance(person, dict):
            names.append(string_at(person, "name"))
        elif isinstance(person, str):
            plain_names.append(person)
    enclosures += [
        Enclosure(url=string_at(item, key), type="image")
        for key in ("image", "banner_image")
    ]
    return DeclaredEntry(
        guid=guid,
        url=url,
        title=string_at(item, "title"),
        html=html or html_of_text(text),
        published=(
            string_at(item, "date_published"),
            string_at(item, "date_modified"),
        ),
        updated=string_at(item, "date_modified"),
        author=", ".join(filter(None, dict.fromkeys(names + plain_names))),
        language=string_at(item, "language"),
        categories=tuple(tag for tag in list_at(item, "tags") if isinstance(tag, str)),
        enclosures=tuple(enclosures),
    )
