"""The settings of the server, its pages and feeds, and saved queries."""

import datetime as dt
import re
from typing import Annotated, Literal

from pydantic import (
    Field,
    PrivateAttr,
)

from aggregator.config.messages import parse_end, parse_moment
from aggregator.config.values import (
    ANY_TIME,
    NAME,
    Duration,
    Networks,
    Part,
    accepted_by,
    matching,
)
from aggregator.model.prepared import Kind
from aggregator.model.read_model import StoryFilter

_ORIGIN = r"\*|http://(?!\S*:80$)[^\s/?#@*]+|https://(?!\S*:443$)[^\s/?#@*]+"

_ORIGIN_WORDS = "give * or an origin as browsers send it, like https://app.example.org, without / at the end"


class ServerConfig(Part):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    allowed_hosts: tuple[str, ...] = ()
    owner_on_loopback: bool | None = None
    trusted_proxies: Networks = ()
    cors: tuple[Annotated[str, matching(_ORIGIN, _ORIGIN_WORDS)], ...] = ()
    max_sources: int = Field(default=20_000, ge=1)


class PublishConfig(Part):
    title: str = "Stories"
    excerpt_words: int = Field(default=60, ge=0, le=100_000)
    full_text: Literal["owner", "never", "all"] = "owner"
    images: Literal["direct", "off"] = "direct"
    prefer: tuple[str, ...] = ()
    index: bool = False


Bump = Literal["report", "headline", "correction"]

RESERVED_NAMES = frozenset({"digest", "stories"})  # names of built-in feeds


def is_query_name(name: str) -> bool:
    """Whether `name` can name a query: names are used in URLs and file names."""
    return bool(re.fullmatch(NAME, name)) and name.lower() not in RESERVED_NAMES


_FilterTime = Annotated[
    str, accepted_by(lambda value: value and parse_moment(value, ANY_TIME))
]


class SavedQuery(Part):
    """A saved query: the filters of the command line, and three settings of its feeds.

    `since` and `until` stay as written, since "24h" is relative to each request. `title`, `items` and `link`
    are for its feeds; None uses the settings of `publish` and `feeds`.
    """

    _name: str = PrivateAttr("")

    title: str | None = None
    query: str = ""
    since: _FilterTime = ""
    until: _FilterTime = ""
    min_outlets: int = Field(default=1, ge=1, le=1000)
    min_reports: int = Field(default=1, ge=1, le=1000)
    outlet: str = ""
    folder: str = ""
    language: str = ""
    # The filter `name`; the property `name` is the key
    about: str = Field(default="", alias="name")
    topic: str = ""
    kind: Literal["", Kind] = ""
    items: int | None = Field(default=None, ge=1, le=1000)
    link: Literal["story", "article"] | None = None

    @property
    def name(self) -> str:
        """Its key in `queries`."""
        return self._name

    def named(self, name: str) -> "SavedQuery":
        """Return the same query with this name."""
        query = self.model_copy()
        query._name = name
        return query

    def story_filter(self, now: dt.datetime, limit: int) -> StoryFilter:
        """Return the filter at the time `now`."""
        return StoryFilter(
            query=self.query,
            since=parse_moment(self.since, now) if self.since else None,
            until=parse_end(self.until, now) if self.until else None,
            min_outlets=self.min_outlets,
            min_reports=self.min_reports,
            outlet=self.outlet or None,
            folder=self.folder or None,
            language=self.language or None,
            name=self.about or None,
            topic=self.topic or None,
            kind=self.kind or None,
            limit=limit,
        )


class FeedsConfig(Part):
    """The section `feeds`. `bump`: which changes move a story to the top.

    `bump_age`: the headline of a story of one report that is older moves nothing.
    """

    link: Literal["story", "article"] = "story"
    items: int = Field(default=100, ge=1, le=1000)
    bump: tuple[Bump, ...] = ("report", "correction")
    bump_age: Duration = 3 * 86_400
