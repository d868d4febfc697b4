"""What a feed is before it is written in one of the formats."""

import datetime as dt
from typing import Literal

from aggregator.model.core import Enclosure, FrozenStruct

Format = Literal["rss", "atom", "jsonfeed"]


class Item(FrozenStruct, frozen=True, kw_only=True):
    """One item. All texts are plain but `html`, a valid fragment; all addresses are absolute URIs."""

    id: str  # a URI, for life
    url: str
    title: str  # never empty
    html: str
    summary: str  # one line
    updated: dt.datetime  # no two items of a feed have the same
    published: dt.datetime | None = None
    language: str | None = None  # two letters of ISO 639-1
    authors: tuple[str, ...] = ()
    external_url: str | None = None  # the best article, where `url` is not that
    media: tuple[Enclosure, ...] = ()  # `type` is a MIME type, or one of "image", "audio", "video"


class Channel(FrozenStruct, frozen=True, kw_only=True):
    """A feed with its items, the newest first."""

    id: str
    title: str
    about: str
    home_url: str  # the page with the same stories
    self_url: str
    css_url: str
    language: str
    items: tuple[Item, ...] = ()

    @property
    def updated(self) -> dt.datetime | None:
        """When the newest item was updated; None in an empty feed."""
        return max((item.updated for item in self.items), default=None)
