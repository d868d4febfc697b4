"""What an operator chooses about the output; `config/settings.py` maps config.yaml onto this."""

from typing import Literal

import msgspec

from aggregator.config.saved_queries import SavedQuery
from aggregator.config.settings import Config


class PublishSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the output rooms need to know that is not a story.

    `excerpt_words` bounds what anyone but the owner gets of one article, its title included (promise 9).
    `full_text`: who may read whole articles: "owner" is a request with a token that may read, or one from
    loopback where `hosts.is_owner_on_loopback`; "all" is everyone, "never" is no one.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""  # "" means the bound address; in links only, never in anything that identifies
    allowed_hosts: tuple[str, ...] = ()  # further names a request may ask for, beside this machine's own
    owner_on_loopback: bool = False  # a request from loopback is the owner's whatever the two above name
    trusted_proxies: tuple[str, ...] = ()  # networks (CIDR) whose X-Forwarded-... headers are believed
    requests_a_minute: int = 0  # of one address without a token, from other machines; 0: no limit
    title: str = "Stories"
    excerpt_words: int = 60
    full_text: Literal["owner", "never", "all"] = "owner"
    index: bool = False  # True lets search engines list the pages
    link: Literal["story", "article"] = "story"  # what an item of a feed opens
    items: int = 100  # stories in a feed, where its address names no `limit`
    bump: tuple[str, ...] = ("report", "headline", "correction")  # what an updates feed tells
    queries: tuple[SavedQuery, ...] = ()
    prefer: tuple[str, ...] = ()  # outlets that the operator puts before others, the first first

    @property
    def base_url(self) -> str:
        """`public_url`, or the bound address, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def publish_settings(config: Config) -> PublishSettings:
    """What the output rooms need of the configuration."""
    return PublishSettings(
        host=config.server.host,
        port=config.server.port,
        public_url=config.public_url or "",
        allowed_hosts=config.server.allowed_hosts,
        owner_on_loopback=config.server.owner_on_loopback,
        trusted_proxies=config.server.trusted_proxies,
        requests_a_minute=config.server.requests_a_minute,
        title=config.publish.title,
        excerpt_words=config.publish.excerpt_words,
        full_text=config.publish.full_text,
        index=config.publish.index,
        link=config.feeds.link,
        items=config.feeds.items,
        bump=config.feeds.bump,
        queries=config.saved_queries,
        prefer=config.publish.prefer,
    )
