"""The recipients of deliveries in config.yaml, with their secrets: webhooks, notifications and digest readers.

The name of a recipient is unique among all of them: `desk` is a webhook, `notify:phone` a notification, and
`digest:anna@example.org` a reader of the digest. The recipient `digest:` receives nothing, but its deliveries are the
digests that the pages and the feed list.
"""

import hashlib
import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import urlencode

from aggregator.config.delivery_settings import (
    mail_address,
    notify_address,
    require_library,
    signing_key,
)
from aggregator.config.settings import Config
from aggregator.config.story_query import SavedQuery, StoryFilter
from aggregator.config.values import at_key, text_of
from aggregator.model.errors import ConfigError

_NO_LIMIT = 2**31 - 2  # deliveries are not limited by the `items` of a query
_MAX_SECRET_CHARS = 4000  # read from a file
_IN_HEADERS = ("api_key", "cookie", "token")
NOTIFY, DIGEST = "notify:", "digest:"  # prefixes of names of recipients


@dataclass(frozen=True)
class Recipient:
    """A recipient of deliveries. Its repr omits the URL, which may contain a secret."""

    name: str
    url: str = field(repr=False)
    query: SavedQuery | None = None  # None: all stories

    @property
    def place(self) -> bytes:
        """A hash of the URL, which shows whether the URL changed."""
        return hashlib.sha256(self.url.encode()).digest()

    def story_filter(self, now: datetime) -> StoryFilter | None:
        """Return the filter of the stories that are delivered; None for all stories."""
        return None if self.query is None else self.query.story_filter(now, _NO_LIMIT)


@dataclass(frozen=True, kw_only=True)
class Webhook(Recipient):
    """A webhook: a URL that gets signed requests, with the key that signs them."""

    key: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True)
class Notification(Recipient):
    """An address of Apprise. `each` chooses one notification per story, or one per independent report."""

    each: Literal["story", "report"]
    messages_an_hour: int


@dataclass(frozen=True, kw_only=True)
class DigestReader(Recipient):
    """A person who receives the digest by mail, or, if `address` is "", the recipient `digest:` itself."""

    address: str


def recipient_words(name: str) -> str:
    """Return the name of a recipient for people: `webhook desk`, `notify phone`."""
    kind, colon, rest = name.partition(":")
    return f"{kind} {rest}" if colon else f"webhook {name}"


def recipients_from(config: Config) -> tuple[Recipient, ...]:
    """Return the recipients in the order of the file.

    Raises ConfigError for a secret that cannot be read or is invalid, and where Apprise is missing.
    """
    return (*webhooks_from(config), *notifications(config), *digest_readers(config))


def webhooks_from(config: Config) -> tuple[Webhook, ...]:
    """Return the webhooks in the order of the file.

    Raises ConfigError for a secret file that cannot be read or has no valid secret.
    """
    webhooks = []
    for index, webhook in enumerate(config.webhooks):
        with at_key(f"webhooks.{index}: {webhook.name}"):
            key = signing_key(read_secret(config, webhook, "secret"))
        headers = (
            (name, text.get_secret_value()) for name, text in webhook.headers.items()
        )
        webhooks.append(
            Webhook(
                name=webhook.name,
                url=webhook.url.get_secret_value(),
                key=key,
                query=config.saved_query(webhook.query),
                headers=tuple(headers),
            )
        )
    return tuple(webhooks)


def notifications(config: Config) -> tuple[Notification, ...]:
    """Return the notifications. Raises ConfigError for an address that cannot be read, or without Apprise."""
    if config.notify:
        require_library("apprise", "notify: this needs", ">=1.9,<3")
    recipients = []
    for index, entry in enumerate(config.notify):
        with at_key(f"notify.{index}: {entry.name}"):
            url = notify_address(read_secret(config, entry, "address"))
        recipients.append(
            Notification(
                name=NOTIFY + entry.name,
                url=url,
                query=config.saved_query(entry.query),
                each=entry.each,
                messages_an_hour=entry.messages_an_hour,
            )
        )
    return tuple(recipients)


def digest_readers(
    config: Config, *, with_mail: bool = True
) -> tuple[DigestReader, ...]:
    """Return the recipient `digest:` and the readers of the digest; () if digests are off.

    Without `with_mail`, URLs have no mail server, and nothing is read or checked. Raises ConfigError for an address
    that cannot be read, or without Apprise.
    """
    digest = config.digest
    server = ""
    if digest.every == "never":
        return ()
    if digest.to and with_mail:
        require_library("apprise", "digest: mail needs", ">=1.9,<3")
        with at_key("digest"):
            server = mail_address(read_secret(config, digest, "address"))
    query = config.saved_query(digest.query)
    recipients = []
    for to in ("", *digest.to):
        more = urlencode({"to": to, "+Auto-Submitted": "auto-generated"})
        url = f"{server}{'&' if '?' in server else '?'}{more}"
        recipients.append(
            DigestReader(name=DIGEST + to, url=url, query=query, address=to)
        )
    return tuple(recipients)


def read_secret(config: Config, part: object, key: str, *, section: str = "") -> str:
    """Return a secret of a section: the value of `key`, or of the variable or file that `key_env` or `key_file` names.

    Return "" if none of the keys is given. Raises ConfigError if the secret cannot be read, has several lines, or
    belongs into a header and is not ASCII. The key in the message follows `section`.
    """
    value = getattr(part, key)
    variable = getattr(part, f"{key}_env", None)
    file = getattr(part, f"{key}_file")
    text = ""
    if value is not None:
        text = value.get_secret_value()
    elif variable is not None:
        text = os.environ.get(variable, "")
        if not text:
            raise ConfigError(
                f"{section}{key}_env: {variable} is not set in the environment"
            )
    elif file is not None:
        with at_key(f"{section}{key}_file"):
            text = text_of(config.secret_path(file), _MAX_SECRET_CHARS)
    text = text.strip()
    if not text.isprintable() or (key in _IN_HEADERS and not text.isascii()):
        raise ConfigError(
            f"{section}{key}: give one line, in headers of ASCII characters"
        )
    return text
