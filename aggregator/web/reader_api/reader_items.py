"""The items of streams in the Google Reader API: their ids, and their texts.

A stream is a list of items, such as those of one feed or all starred ones, and each item is a story.
Requests have the short field names of Google Reader:

* `s`: the id of the stream
* `n`: the most items of one page
* `c`: the continuation, which the page before returned
* `it`: include only the items that have this state (read or starred)
* `xt`: exclude the items that are read; other states are ignored
* `ot`, `nt`: the oldest and the newest time
* `i`: the id of an item
"""

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

MOST_CONTENTS = 250  # items with texts on one page of a stream
_MOST_NAMED = 1000  # items with texts that a client may name at once
_USUAL_ITEMS = 20  # on a page without `n`, as in Google Reader


def list_item_ids(session: Session, fields: Fields) -> Json:
    """Return the ids and times of the items on a page of a stream."""
    page, rows = _load_page(session, fields, MOST_IDS)
    page["itemRefs"] = [
        {"id": str(row.number), "timestampUsec": str(microseconds(row.updated))}
        for row in rows
    ]
    return page


def list_items(session: Session, fields: Fields) -> Json:
    """Return the items on a page of a stream, with their texts."""
    page, rows = _load_page(session, fields, MOST_CONTENTS)
    return page | {"items": _items_as_json(session, rows)}


def list_items_as_atom(session: Session, fields: Fields) -> Response:
    """Return a page of a stream as Atom; each item has its states, as in JSON."""
    page, rows = _load_page(session, fields, MOST_CONTENTS)
    settings = session.site.settings
    feed = Channel(
        id=f"tag:google.com,2005:reader/{page['id']}",
        title=settings.title,
        base_url=settings.base_url,
        page="/",
        self_url=f"{settings.base_url}/reader/atom/{quote(page['id'])}",
        items=tuple(
            replace(text, id=_long_id(row), updated=row.updated, states=_states(row))
            for row, _, text in _load_texts(session, rows)
        ),
    )
    return Response(encode_feed(feed, "atom"), media_type=MEDIA_TYPES["atom"])


def list_named_items(session: Session, fields: Fields) -> Json:
    """Return the items whose ids the client sends (`i`), with their texts."""
    numbers = item_numbers(fields)[:_MOST_NAMED]
    items = _items_as_json(session, session.marks.items_with(session.reader, numbers))
    return {"id": READING_LIST, "updated": session.seconds, "items": items}


def _load_page(
    session: Session, fields: Fields, most_items: int
) -> tuple[Json, list[ReaderItem]]:
    """Return the keys that every page of a stream has in JSON, and the items of the page."""
    stream_id = fields.get("s", READING_LIST)
    limit = min(most_items, whole_number(fields.get("n", "")) or _USUAL_ITEMS)
    filters: dict[str, Any] = {
        "after": fields.get("c") or None,
        "since": moment(fields.get("ot", "")),
        "until": moment(fields.get("nt", "")),
    }
    for state in fields.getlist("it"):
        if state.endswith("/read"):
            filters["is_read"] = True
        elif state.endswith("/starred"):
            filters["is_starred"] = True
    if any(state.endswith("/read") for state in fields.getlist("xt")):
        filters["is_read"] = False
    stream = session.without_muted(replace(session.stream(stream_id), **filters))
    items, continuation = session.marks.items(session.reader, stream, limit)
    page = {"id": stream_id, "updated": session.seconds}
    if continuation:
        page["continuation"] = continuation
    return page, items


def _load_texts(
    session: Session, rows: Sequence[ReaderItem]
) -> Iterator[tuple[ReaderItem, StoryView, Item]]:
    """Yield each item with its story and its text: whole for the owner, else as short as in feeds."""
    reader = session.site.reader
    is_owner = session.access == "owner"
    stories = reader.stories_by_id(tuple(row.story for row in rows))
    texts = items_of(reader, stories, session.site.settings, are_whole=is_owner).items
    row_of_story = {row.story: row for row in rows}
    for story, text in zip(stories, texts, strict=True):
        yield row_of_story[story.id], story, text


def _items_as_json(session: Session, rows: Sequence[ReaderItem]) -> list[Json]:
    """Return items with their texts, under the keys of Google Reader."""
    settings = session.site.settings
    # The subscription of each story, then its labels
    streams = session.streams_of(rows)
    titles = {STORIES: settings.title}
    source_ids = {feed.removeprefix(FEED) for feed, *_ in streams.values()}
    for source in session.sources(source_ids):
        titles[subscription_id(source.id)] = source.name
    items = []
    for row, story, text in _load_texts(session, rows):
        subscription, *labels = streams[story.id]
        stamp = microseconds(row.updated)
        # Browsers look at the first letter if the direction is "auto". Here, the majority of letters decides, because a
        # Hebrew title may begin with a Latin name.
        letters = Counter(map(bidirectional, text.title))
        is_right_to_left = letters["R"] + letters["AL"] > letters["L"]
        items.append(
            {
                "id": _long_id(row),
                "crawlTimeMsec": str(stamp // 1000),
                "timestampUsec": str(stamp),
                # Clients sort by it, so it is the time of the bump.
                "published": stamp // 1_000_000,
                "updated": stamp // 1_000_000,
                "title": text.title,
                "author": ", ".join(text.authors),
                "canonical": [{"href": text.url}],
                "alternate": [{"href": text.url, "type": "text/html"}],
                "summary": {
                    "direction": "rtl" if is_right_to_left else "ltr",
                    "content": text.html,
                },
                "categories": [*_states(row), *labels],
                "enclosure": _list_enclosures(text) if story.report_count == 1 else [],
                "origin": {
                    "streamId": subscription,
                    "title": titles.get(subscription, ""),
                    "htmlUrl": f"{settings.base_url}/",
                },
            }
        )
    return items


def _list_enclosures(item: Item) -> list[Json]:
    """Return the media of an item whose type is known, because the type tells clients how to show them."""
    enclosures = []
    for media in item.media:
        if mime_type(media.type):
            enclosure: Json = {"href": media.url, "type": media.type}
            if media.length_bytes is not None:
                enclosure["length"] = media.length_bytes
            enclosures.append(enclosure)
    return enclosures


def _long_id(item: ReaderItem) -> str:
    return f"{LONG_ID}{item.number:016x}"


def _states(item: ReaderItem) -> tuple[str, ...]:
    """Return the states of an item, which are the ids of streams that have it."""
    states = [READING_LIST]
    if item.is_read:
        states.append(READ)
    if item.is_starred:
        states.append(STARRED)
    return tuple(states)
