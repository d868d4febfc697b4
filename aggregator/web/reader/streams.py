"""Streams, labels and items of the Google Reader API: what its clients name them, and their JSON.

A client files an item under the one subscription that `origin` names. So each folder of sources is a
subscription, with the stories that one of its sources founded, and STORIES has all others: a story is in one
subscription for life. The label of a folder has every story with an article of that folder.
"""

import datetime as dt
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException

from aggregator.config.settings import SavedQuery
from aggregator.model.read_model import StoryFilter
from aggregator.store.read.read_marks import Reader, ReaderItem, ReadMarks, StoryStream
from aggregator.web.dependencies import Site
from aggregator.web.feeds.load_items import story_items

STORIES = "feed/stories"
READING_LIST = "user/-/state/com.google/reading-list"
READ = "user/-/state/com.google/read"
STARRED = "user/-/state/com.google/starred"
_LABEL = "user/-/label/"
_LONG_ID = "tag:google.com,2005:reader/item/"
MOST_COUNTED = 1000  # unread stories; clients show "1000+"
_USER = re.compile(r"^user/[^/]+/")
_SHORT_ID = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_HEX_DIGITS = 16  # of a long id
_HEX = re.compile(rf"[0-9a-fA-F]{{1,{_HEX_DIGITS}}}", re.ASCII)

Json = dict[str, Any]


def item_number(text: str) -> int | None:
    """Return the number in an id: decimal, or hexadecimal after `tag:google.com,2005:reader/item/`.

    16 digits are hexadecimal without it, too: FeedFlow sends them so.
    """
    last = text.removeprefix(_LONG_ID)
    if (last != text or len(text) == _HEX_DIGITS) and _HEX.fullmatch(last):
        number = int(last, 16)
    elif _SHORT_ID.fullmatch(text):
        number = int(text)
    else:
        return None
    return number if 0 < number < 2**63 else None


def subscription(folder: str) -> str:
    """Return the id of the subscription of a folder; "" is that of all other stories."""
    return f"feed/{hashlib.blake2b(folder.encode(), digest_size=6).hexdigest()}" if folder else STORIES


class Streams:
    """The streams of one server, as one reader has them."""

    def __init__(self, site: Site, marks: ReadMarks, who: Reader) -> None:
        self._site = site
        self._marks = marks
        self._who = who
        self._folders = site.reader.folders()

    def named(self, name: str) -> StoryStream:
        """Return the stream with this id. Raises HTTPException (404)."""
        name = _USER.sub("user/-/", name)
        states = {
            READING_LIST: StoryStream(),
            READ: StoryStream(is_read=True),
            STARRED: StoryStream(is_starred=True),
            STORIES: StoryStream(founded_in=""),
        }
        if name in states:
            return states[name]
        for folder in self._folders:
            if name in (subscription(folder), _LABEL + folder):
                founded_in = None if name.startswith(_LABEL) else folder
                return StoryStream(wanted=StoryFilter(folder=folder), founded_in=founded_in)
        for query in self._queries():
            if name == _LABEL + query.name:
                return StoryStream(wanted=self._filter(query))
        raise HTTPException(404, "there is no such stream")

    def _queries(self) -> list[SavedQuery]:
        """Return the saved queries that are labels: those that are not called as a folder."""
        return [one for one in self._site.settings.queries if one.name not in self._folders]

    def _filter(self, query: SavedQuery) -> StoryFilter:
        return query.story_filter(self._site.clock(), 1)

    # --- lists ---------------------------------------------------------------------------------------------

    def tags(self) -> Json:
        """Return the labels: folders, and saved queries as tags."""
        folders = [{"id": _LABEL + one, "type": "folder"} for one in self._folders]
        queries = [{"id": _LABEL + one.name, "type": "tag"} for one in self._queries()]
        return {"tags": [{"id": STARRED}, *folders, *queries]}

    def subscriptions(self) -> Json:
        """Return the subscriptions, that of stories without folder last."""
        return {"subscriptions": [self._subscription(folder) for folder in (*self._folders, "")]}

    def _subscription(self, folder: str) -> Json:
        base, chosen = self._site.settings.base_url, f"?folder={quote(folder)}" if folder else ""
        label = {"id": _LABEL + folder, "label": folder, "type": "folder"}
        return {
            "id": subscription(folder),
            "title": self._title(folder),
            "categories": [label] if folder else [],
            "url": f"{base}/feeds/stories.rss{chosen}",
            "htmlUrl": f"{base}/{chosen}",
            "iconUrl": "",
        }

    def _title(self, folder: str) -> str:
        return folder or self._site.settings.title

    def unread_counts(self) -> Json:
        """Return the numbers of unread stories by stream, among the newest MOST_COUNTED ones."""
        items, _ = self._marks.items(self._who, StoryStream(is_read=False), MOST_COUNTED)
        counts: Counter[str] = Counter()
        newest: dict[str, int] = {}
        named = self._streams_of(items)
        for item in items:
            for stream in (READING_LIST, *named[item.story]):
                counts[stream] += 1
                newest.setdefault(stream, microseconds(item.updated))
        return {
            "max": MOST_COUNTED,
            "unreadcounts": [
                {"id": stream, "count": count, "newestItemTimestampUsec": str(newest[stream])}
                for stream, count in counts.items()
            ],
        }

    def _streams_of(self, items: Sequence[ReaderItem]) -> dict[str, list[str]]:
        """Return the subscription of each story, then its labels."""
        ids = {one.story for one in items}
        founded, folders = self._marks.folders(ids)
        streams = {
            id_: [subscription(founded[id_]), *(_LABEL + one for one in sorted(folders[id_]))] for id_ in ids
        }
        for query in self._queries() if ids else ():
            for id_ in self._marks.matching(self._filter(query), ids):
                streams[id_].append(_LABEL + query.name)
        return streams

    # --- items ---------------------------------------------------------------------------------------------

    def references(self, items: Sequence[ReaderItem]) -> list[Json]:
        """Return the ids of items."""
        return [{"id": str(one.number), "timestampUsec": str(microseconds(one.updated))} for one in items]

    def contents(self, items: Sequence[ReaderItem]) -> list[Json]:
        """Return items with their texts, which are those of the feeds: they keep to the excerpt limit."""
        reader = self._site.reader
        stories = reader.with_links(reader.stories_by_id(tuple(one.story for one in items)))
        rendered = reader.rendered(tuple(one.id for one in stories))
        by_story = {one.story: one for one in items}
        named = self._streams_of(items)
        titles = {subscription(folder): self._title(folder) for folder in (*self._folders, "")}
        answers = []
        for story, entry in zip(stories, story_items(stories, rendered, self._site.settings), strict=True):
            item, (origin, *labels) = by_story[story.id], named[story.id]
            states = [READING_LIST, *[READ] * item.is_read, *[STARRED] * item.is_starred]
            stamp = microseconds(item.updated)
            answers.append(
                {
                    "id": f"{_LONG_ID}{item.number:016x}",
                    "crawlTimeMsec": str(stamp // 1000),
                    "timestampUsec": str(stamp),
                    "published": stamp // 1_000_000,  # of the bump, by which clients sort
                    "updated": stamp // 1_000_000,
                    "title": entry.title,
                    "author": ", ".join(entry.authors),
                    "canonical": [{"href": entry.url}],
                    "alternate": [{"href": entry.url, "type": "text/html"}],
                    "summary": {"direction": "ltr", "content": entry.html},
                    "categories": [*states, *labels],
                    "origin": {
                        "streamId": origin,
                        "title": titles.get(origin, ""),
                        "htmlUrl": f"{self._site.settings.base_url}/",
                    },
                }
            )
        return answers


_BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LATEST = dt.datetime(3000, 1, 1, tzinfo=dt.UTC)  # cursors have no digits for later ones


def microseconds(time: dt.datetime) -> int:
    """Return a time as microseconds since 1970."""
    return (time - _BEGINNING) // dt.timedelta(microseconds=1)


def moment(text: str) -> dt.datetime | None:
    """Return a time in seconds, or with 16 digits in microseconds, before 3000; None for anything else."""
    if not re.fullmatch("[0-9]{1,11}|[0-9]{16}", text, re.ASCII):
        return None
    time = _BEGINNING + int(text) * dt.timedelta(**{"microseconds" if len(text) == 16 else "seconds": 1})
    return min(time, _LATEST)
