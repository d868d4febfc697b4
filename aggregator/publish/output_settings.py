"""The settings of pages, feeds, the API and webhooks, from the configuration."""

from datetime import datetime
from urllib.parse import quote, unquote, urlsplit

from aggregator.config.hosts import is_loopback, with_port
from aggregator.config.publish_settings import FeedsConfig, PublishConfig, ServerConfig
from aggregator.config.settings import Config
from aggregator.config.story_query import SavedQuery, StoryFilter
from aggregator.model.errors import UsageError
from aggregator.model.read_model import Mute


class PublishSettings(ServerConfig, PublishConfig, FeedsConfig):
    """The settings of the web server and of all output: three sections of config.yaml, and a few other keys.

    `excerpt_words` is the maximum number of words of one article, including its title, for clients that may not read
    whole articles. `full_text` states who may read them. "owner": requests with a token of scope read, and requests
    from loopback if `is_owner_on_loopback`. "all": every client, except for restricted articles. "never": nobody.
    """

    # "" means the bound address; used in links and cookies only, never in identifiers
    public_url: str = ""
    queries: tuple[SavedQuery, ...] = ()
    # The most stories in a digest; 0 turns digests off.
    digest_stories: int = 0
    digest_query: SavedQuery = SavedQuery()
    # None means the time zone of the machine.
    digest_timezone: str | None = None

    def digest_filter(self, now: datetime, mutes: tuple[Mute, ...] = ()) -> StoryFilter:
        """Return the filter of the stories of a digest that is due `now`, without stories that its reader muted."""
        wanted = self.digest_query.story_filter(now, self.digest_stories)
        return wanted.model_copy(update={"mutes": mutes})

    def saved_query(self, key: str) -> SavedQuery | None:
        """Return a saved query by its key; None for the key "". Raises UsageError for an unknown key."""
        if not key:
            return None
        for query in self.queries:
            if query.key == key:
                return query
        known = ", ".join(query.key for query in self.queries) or "none"
        raise UsageError(
            f"saved: there is no saved query {key[:40]!r}; config.yaml has: {known}"
        )

    @property
    def is_owner_on_loopback(self) -> bool:
        """Whether a request from loopback without signs of a proxy is from the owner.

        `owner_on_loopback` decides. If it is not set, such a request is from the owner only if no other setting names a
        proxy or another machine, because behind a proxy that adds no header every request seems to come from loopback.
        """
        if self.owner_on_loopback is not None:
            return self.owner_on_loopback
        names = [self.host, *self.allowed_hosts]
        if self.public_url:
            names.append(urlsplit(self.public_url).hostname or "")
        return not self.trusted_proxies and all(map(is_loopback, names))

    @property
    def base_url(self) -> str:
        """`public_url`, or the bound address, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        return f"http://{with_port(self.host, self.port)}"

    @property
    def base_path(self) -> str:
        """The path of `public_url`, such as `/news`, before the path of every link; may be empty."""
        path = urlsplit(self.public_url).path.rstrip("/")
        return quote(unquote(path)) if path.startswith("/") else ""


def publish_settings(config: Config) -> PublishSettings:
    """Return the settings of all output: pages, feeds, API and deliveries."""
    digest = config.digest
    # The values are already checked and converted, so they are not validated again.
    return PublishSettings.model_construct(
        **dict(config.server),
        **dict(config.publish),
        **dict(config.feeds),
        public_url=config.public_url or "",
        queries=tuple(config.queries.values()),
        digest_stories=0 if digest.every == "never" else digest.stories,
        digest_query=config.saved_query(digest.query) or SavedQuery(),
        digest_timezone=digest.timezone,
    )
