"""The webhooks of config.yaml, with their keys read."""

import datetime as dt
import hashlib
from dataclasses import dataclass, field

from aggregator.config.saved_queries import SavedQuery
from aggregator.config.settings import Config, WebhookConfig
from aggregator.config.webhook_signature import signing_key
from aggregator.model.errors import ConfigError
from aggregator.model.read_model import StoryFilter

_ANY_NUMBER = 2**31 - 2  # a query's own limit is for lists


@dataclass(frozen=True)
class Webhook:
    """Where to send what. Its printed form holds neither the address nor the key."""

    name: str
    url: str = field(repr=False)
    key: bytes = field(repr=False)
    query: SavedQuery | None = None  # None: all stories

    @property
    def place(self) -> bytes:
        """By what another address is noticed."""
        return hashlib.sha256(self.url.encode()).digest()

    def wanted(self, now: dt.datetime) -> StoryFilter | None:
        """Which stories it is told of; None for all."""
        return None if self.query is None else self.query.wanted(now, _ANY_NUMBER)


_LONGEST_SECRET = 1000  # characters read of a file


def webhooks_from(config: Config) -> tuple[Webhook, ...]:
    """All of them, in the order of the file.

    Raises ConfigError for a file of a secret that cannot be read or holds none.
    """
    return tuple(_webhook(config, number, one) for number, one in enumerate(config.webhooks))


def _webhook(config: Config, number: int, one: WebhookConfig) -> Webhook:
    query = None if one.query is None else config.saved_query(one.query)
    try:
        key = signing_key(_secret(config, one))
    except ConfigError as error:
        raise ConfigError(f"webhooks.{number}: {one.name}: {error}") from error
    return Webhook(name=one.name, url=one.url.get_secret_value(), key=key, query=query)


def _secret(config: Config, one: WebhookConfig) -> str:
    if one.secret is not None:
        return one.secret.get_secret_value()
    path = config.secret_path(one.secret_file or "")
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_LONGEST_SECRET)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"secret_file: {path} cannot be read: {why}") from error
