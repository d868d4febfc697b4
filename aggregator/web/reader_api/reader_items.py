"""The items of streams: their ids, and their texts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from unicodedata import bidirectional
from urllib.parse import quote

from msgspec.structs import replace
from starlette.responses import Response

from aggregator.model.story import StoryView
from aggregator.store.read.marks.mark_rows import ReaderItem
from aggregator.web.dependencies import whole_number
from aggregator.web.feeds.channel import MEDIA_TYPES, Channel, Item
from aggregator.web.feeds.feed_items import items_of
from aggregator.web.feeds.feed_texts import mime_type
from aggregator.web.feeds.formats import encode_feed
from aggregator.web.reader_api.fields import MOST_IDS, Fields, item_numbers
from aggregator.web.reader_api.ids import (
    FEED,
    LONG_ID,
    READ,
    READING_LIST,
    STARRED,
    STORIES,
    microseconds,
    moment,
    subscription_id,
)
from aggregator.web.reader_api.lists import Json
from aggregator.web.reader_api.session import Session

MOST_CONTENTS = 250  # items with texts in one response of a stream
_MOST_NAMED = 1000  # items with texts that a client may name at once
_USUAL_ITEMS = 20  # without `n`, as Google Reader


def item_ids(session: Session, fields: Fields) -> Json:
    """Return the ids of the items of a stream."""
    page, rows = _page(session, fields, MOST_IDS)
    page["itemRefs"] = [
        {"id": str(row.number), "timestampUsec": str(microseconds(row.updated))}
        for row in rows
    ]
    return page


def contents(session: Session, fields: Fields) -> Json:
    """Return the items of a stream."""
    page, rows = _page(session, fields, MOST_CONTENTS)
    return page | {"items": _with_texts(session, rows)}


def atom(session: Session, fields: Fields) -> Response:
    """Return the items of a stream as Atom, each with the states that the reader gave it."""
    page, rows = _page(session, fields, MOST_CONTENTS)
    settings = session.site.settings
    entries = [
        replace(entry, id=_long_id(row), updated=row.updated, states=_states(row))
        for row, _, entry in _entries(session, rows)
    ]
    feed = Channel(
        id=f"tag:google.com,2005:reader/{page['id']}",
        title=settings.title,
        base_url=settings.base_url,
        page="/",
        self_url=f"{settings.base_url}/reader/atom/{quote(page['id'])}",
        items=tuple(entries),
    )
    return Response(encode_feed(feed, "atom"), media_type=MEDIA_TYPES["atom"])


def item_contents(session: Session, fields: Fields) -> Json:
    """Return the items that the client names."""
    numbers = item_numbers(fields)[:_MOST_NAMED]
    items = _with_texts(session, session.marks.items_with(session.reader, numbers))
    return {"id": READING_LIST, "updated": session.seconds, "items": items}


def _page(session: Session, fields: Fields, most: int) -> tuple[Json, list[ReaderItem]]:
    """Return the common part of a response, and the items of a page."""
    name = fields.get("s", READING_LIST)
    limit = min(most, whole_number(fields.get("n", "")) or _USUAL_ITEMS)
    chosen: dict[str, Any] = {"after": fields.get("c") or None}
    for state in fields.getlist("it"):
        if state.endswith("/read"):
            chosen["is_read"] = True
        elif state.endswith("/starred"):
            chosen["is_starred"] = True
    if any(state.endswith("/read") for state in fields.getlist("xt")):
        chosen["is_read"] = False
    if since := moment(fields.get("ot", "")):
        chosen["since"] = since
    if until := moment(fields.get("nt", "")):
        chosen["until"] = until
    stream = replace(session.stream(name), **chosen)
    stream = session.without_muted(stream)
    items, after = session.marks.items(session.reader, stream, limit)
    page = {"id": name, "updated": session.seconds}
    if after:
        page["continuation"] = after
    return page, items


def _entries(
    session: Session, rows: Sequence[ReaderItem]
) -> Iterator[tuple[ReaderItem, StoryView, Item]]:
    """Yield items with their texts: whole, or as in feeds, which keep to the excerpt limit."""
    reader = session.site.reader
    is_owner = session.access == "owner"
    stories = reader.stories_by_id(tuple(row.story for row in rows))
    loaded = items_of(reader, stories, session.site.settings, are_whole=is_owner)
    by_story = {row.story: row for row in rows}
    for story, entry in zip(stories, loaded.items, strict=True):
        yield by_story[story.id], story, entry


def _with_texts(session: Session, rows: Sequence[ReaderItem]) -> list[Json]:
    settings = session.site.settings
    streams = session.streams_of(rows)
    titles = {STORIES: settings.title}
    origins = {origin.removeprefix(FEED) for origin, *_ in streams.values()}
    for source in session.sources(origins):
        titles[subscription_id(source.id)] = source.name
    answers = []
    for row, story, entry in _entries(session, rows):
        origin, *labels = streams[story.id]
        stamp = microseconds(row.updated)
        # As browsers choose it for `dir="auto"`, but by most letters: a Hebrew title may begin with a Latin name.
        sides = Counter(map(bidirectional, entry.title))
        direction = "rtl" if sides["R"] + sides["AL"] > sides["L"] else "ltr"
        enclosures: list[Json] = []
        for media in entry.media if story.report_count == 1 else ():
            # Its type tells clients how to show it.
            if mime_type(media.type):
                enclosure: Json = {"href": media.url, "type": media.type}
                if media.length_bytes is not None:
                    enclosure["length"] = media.length_bytes
                enclosures.append(enclosure)
        answers.append(
            {
                "id": _long_id(row),
                "crawlTimeMsec": str(stamp // 1000),
                "timestampUsec": str(stamp),
                # Clients sort by it, so it is the time of the bump.
                "published": stamp // 1_000_000,
                "updated": stamp // 1_000_000,
                "title": entry.title,
                "author": ", ".join(entry.authors),
                "canonical": [{"href": entry.url}],
                "alternate": [{"href": entry.url, "type": "text/html"}],
                "summary": {"direction": direction, "content": entry.html},
                "categories": [*_states(row), *labels],
                "enclosure": enclosures,
                "origin": {
                    "streamId": origin,
                    "title": titles.get(origin, ""),
                    "htmlUrl": f"{settings.base_url}/",
                },
            }
        )
    return answers


def _long_id(item: ReaderItem) -> str:
    return f"{LONG_ID}{item.number:016x}"


def _states(item: ReaderItem) -> tuple[str, ...]:
    states = [READING_LIST]
    if item.is_read:
        states.append(READ)
    if item.is_starred:
        states.append(STARRED)
    return tuple(states)
