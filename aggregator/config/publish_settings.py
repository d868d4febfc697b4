"""The settings of the server, its pages and feeds."""

import re
from typing import Annotated, Literal

from pydantic import Field

from aggregator.config.values import NAME, Duration, Networks, Part, matching

# Browsers leave out the usual port, so an origin with :80 or :443 would never match.
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
    """Return whether a query may have this name, which appears in URLs and file names."""
    return bool(re.fullmatch(NAME, name)) and name.lower() not in RESERVED_NAMES


class FeedsConfig(Part):
    """The section `feeds`. `bump` lists the changes that move a story to the top.

    A story that is older than `bump_age` and has a single report is not moved by a new headline.
    """

    link: Literal["story", "article"] = "story"
    items: int = Field(default=100, ge=1, le=1000)
    bump: tuple[Bump, ...] = ("report", "correction")
    bump_age: Duration = 3 * 86_400
