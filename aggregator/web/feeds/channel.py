"""Feeds and their items, independent of the format and of the subject: stories or digests."""

import re
from collections import Counter
from datetime import datetime
from typing import Literal

from aggregator.config.story_query import SavedQuery
from aggregator.model.entry import Enclosure
from aggregator.model.structs import FrozenStruct
from aggregator.publish.output_settings import PublishSettings
from aggregator.web.feeds.feed_texts import feed_title, mime_type
from aggregator.web.list_query import Selection, filter_words

_DOTTED_HOST = re.compile(r"https?://[A-Za-z0-9-]+\.[A-Za-z0-9.-]+(:\d+)?/")
Format = Literal["rss", "atom", "jsonfeed"]
STORIES = "stories"
STORYLINES = "/storylines"
ENDINGS: dict[str, Format] = {"rss": "rss", "atom": "atom", "json": "jsonfeed"}
MEDIA_TYPES: dict[Format, str] = {
    "rss": "application/rss+xml",
    "atom": "application/atom+xml",
    "jsonfeed": "application/feed+json",
}
ABOUT = "One item for each story: what several outlets report about one event."


class Item(FrozenStruct):
    """One item. Texts are plain text, except `html`, a valid fragment; all addresses are absolute URIs."""

    id: str  # a permanent URI
    url: str
    title: str  # never empty
    html: str
    summary: str  # one line
    updated: datetime  # different for every item of a feed
    published: datetime | None = None
    language: str | None = None  # two letters of ISO 639-1
    authors: tuple[str, ...] = ()
    # The address of the best article, if `url` is the address of the story
    external_url: str | None = None
    # `type` is a MIME type, or one of "image", "audio", "video"
    media: tuple[Enclosure, ...] = ()
    # The id of the storyline of the story
    storyline: str | None = None
    # The ids of the streams of the Google Reader API that contain the item
    states: tuple[str, ...] = ()

    @property
    def enclosed(self) -> Enclosure | None:
        """The first medium that is not a picture, because feed readers offer enclosures for download or playing."""
        for medium in self.media:
            is_enclosed = not medium.is_image and mime_type(medium.type)
            if is_enclosed and _DOTTED_HOST.match(medium.url):
                return medium
        return None


class Channel(FrozenStruct):
    """A feed and its items, the newest first."""

    id: str
    title: str
    about: str = ABOUT
    base_url: str
    page: str  # the path of the web page that shows the same stories
    self_url: str
    items: tuple[Item, ...] = ()

    @property
    def home_url(self) -> str:
        """The page that shows the same stories."""
        return self.base_url + self.page

    @property
    def storylines_url(self) -> str:
        """The address that, followed by the id of a storyline, is the address of its page."""
        return self.base_url + STORYLINES

    @property
    def language(self) -> str:
        """The most frequent language of the items, the first in the alphabet on a tie; "en" if none is known."""
        counts = Counter(i.language for i in self.items if i.language)
        return min(counts, key=lambda tag: (-counts[tag], tag), default="en")

    @property
    def updated(self) -> datetime | None:
        """The time of the newest item; None for an empty feed."""
        return max((i.updated for i in self.items), default=None)


def feed_path(saved: SavedQuery | None) -> str:
    """Return the path, without the ending, of the feed of a saved query; None means the feed of all stories."""
    return f"/feeds/{saved.key if saved else STORIES}"


def address(saved: SavedQuery | None, form: Format) -> str:
    """Return the path of a feed with its ending."""
    ending = next(ending for ending, other in ENDINGS.items() if other == form)
    return f"{feed_path(saved)}.{ending}"


def channel(
    named: SavedQuery | None,
    selected: Selection,
    items: tuple[Item, ...],
    settings: PublishSettings,
    *,
    self_url: str,
) -> Channel:
    """Return the feed of all stories, or of the saved query that its path names.

    `self_url` is the address of the feed, with filters and without a token. `named` is the saved query of the path, or
    None. The address may also select a saved query by `?saved=`, which is `selected.saved`.
    """
    typed = selected.typed
    query = f"?{typed.query_string}" if typed.query_string else ""
    page_query = query
    if named is not None:
        page_query = f"?saved={named.key}&{typed.query_string}".rstrip("&")
    saved = named or selected.saved
    title = settings.title
    words = filter_words(typed)
    if saved and saved.title:
        title = saved.title
    elif saved:
        words.insert(0, saved.key)
    if words:
        title += f": {', '.join(words)}"
    return Channel(
        id=f"tag:aggregator,2026:{feed_path(named).lstrip('/')}{query}",
        title=feed_title(title) or "Stories",
        base_url=settings.base_url,
        page=f"/{page_query}",
        self_url=self_url,
        items=newest_first(items),
    )


def newest_first(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Return the items in the order of a feed, by `updated`."""
    return tuple(sorted(items, key=lambda item: item.updated, reverse=True))
