"""The webhooks of config.yaml, with decoded keys."""

import datetime as dt
import hashlib
from dataclasses import dataclass, field

from aggregator.config.settings import Config, SavedQuery, WebhookConfig, signing_key
from aggregator.model.errors import ConfigError
from aggregator.model.read_model import StoryFilter

_NO_LIMIT = 2**31 - 2  # the `items` of a query applies to lists only


@dataclass(frozen=True)
class Webhook:
    """A webhook. Its repr contains neither the URL nor the key."""

    name: str
    url: str = field(repr=False)
    key: bytes = field(repr=False)
    query: SavedQuery | None = None  # None: all stories

    @property
    def place(self) -> bytes:
        """A hash of the URL, which shows whether the URL changed."""
        return hashlib.sha256(self.url.encode()).digest()

    def story_filter(self, now: dt.datetime) -> StoryFilter | None:
        """Return the filter of its stories; None for all stories."""
        return None if self.query is None else self.query.story_filter(now, _NO_LIMIT)


_MAX_SECRET_CHARS = 1000  # read from a file


def webhooks_from(config: Config) -> tuple[Webhook, ...]:
    """Return the webhooks in the order of the file.

    Raises ConfigError for a secret file that cannot be read or has no valid secret.
    """
    return tuple(_webhook(config, index, webhook) for index, webhook in enumerate(config.webhooks))


def _webhook(config: Config, index: int, webhook: WebhookConfig) -> Webhook:
    query = None if webhook.query is None else config.saved_query(webhook.query)
    try:
        key = signing_key(_secret(config, webhook))
    except ConfigError as error:
        raise ConfigError(f"webhooks.{index}: {webhook.name}: {error}") from error
    return Webhook(name=webhook.name, url=webhook.url.get_secret_value(), key=key, query=query)


def _secret(config: Config, webhook: WebhookConfig) -> str:
    if webhook.secret is not None:
        return webhook.secret.get_secret_value()
    path = config.secret_path(webhook.secret_file or "")
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_MAX_SECRET_CHARS)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"secret_file: {path} cannot be read: {why}") from error
