"""A feed and its items, independent of the format."""

import datetime as dt
from typing import Literal

from aggregator.model.core import Enclosure, FrozenStruct

Format = Literal["rss", "atom", "jsonfeed"]


class Item(FrozenStruct, frozen=True, kw_only=True):
    """One item. Texts are plain text, except `html`, a valid fragment; all addresses are absolute URIs."""

    id: str  # a permanent URI
    url: str
    title: str  # never empty
    html: str
    summary: str  # one line
    updated: dt.datetime  # different for every item of a feed
    published: dt.datetime | None = None
    language: str | None = None  # two letters of ISO 639-1
    authors: tuple[str, ...] = ()
    external_url: str | None = None  # the best article, if `url` is the story
    media: tuple[Enclosure, ...] = ()  # `type` is a MIME type, or one of "image", "audio", "video"


class Channel(FrozenStruct, frozen=True, kw_only=True):
    """A feed and its items, the newest first."""

    id: str
    title: str
    about: str
    home_url: str  # the page that shows the same stories
    self_url: str
    css_url: str
    language: str
    items: tuple[Item, ...] = ()

    @property
    def updated(self) -> dt.datetime | None:
        """The time of the newest item; None for an empty feed."""
        return max((item.updated for item in self.items), default=None)
