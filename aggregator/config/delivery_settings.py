"""The settings of webhooks, notifications and the digest."""

import base64
import importlib
import re
import sys
from datetime import UTC, datetime, time, timedelta
from importlib.util import find_spec
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    PlainSerializer,
    SecretStr,
    model_validator,
)

from aggregator.config.source_settings import (
    HeaderLines,
    TimeZone,
    ways_given,
)
from aggregator.config.values import (
    NAME,
    Part,
    accepted_by,
    matching,
)
from aggregator.model.errors import ConfigError

_KEY_PREFIX = "whsec_"

# The lengths that Standard Webhooks allows for a key
_MIN_KEY_BYTES, _MAX_KEY_BYTES = 24, 64

_WEBHOOK_ADDRESS = r"https?://[^/\s?#@]+([/?#]\S*)?"

MCP_LIBRARY = "mcp", "MCP needs", ">=2.3,<3"


def require_library(name: str, needed_by: str, versions: str) -> None:
    """Raise ConfigError if a library of an extra is not installed.

    A library that was installed after the start of the program is found, too.
    """
    importlib.invalidate_caches()
    if find_spec(name) is None:
        advice = f"type: {sys.executable} -m pip install '{name}{versions}'"
        raise ConfigError(f"{needed_by} a library that is not installed; {advice}")


def signing_key(secret: str) -> bytes:
    """Decode a key given as `whsec_` and base64. Raises ConfigError, whose message omits the secret."""
    text = secret.strip()
    try:
        key = base64.b64decode(text.removeprefix(_KEY_PREFIX), validate=True)
    except ValueError:
        key = b""
    if (
        not text.startswith(_KEY_PREFIX)
        or not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES
    ):
        raise ConfigError(
            f"give {_KEY_PREFIX} and {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} random bytes in base64; "
            "this makes some: echo whsec_$(openssl rand -base64 32)"
        )
    return key


RecipientName = Annotated[
    str, matching(NAME, "use letters, digits, - and _, at most 40")
]


def _host_only(url: SecretStr) -> str:
    scheme, _, rest = url.get_secret_value().partition("://")
    return f"{scheme}://{re.split('[/?#]', rest, maxsplit=1)[0]}/..."


SecretAddress = Annotated[
    SecretStr,
    matching(
        _WEBHOOK_ADDRESS,
        "give an http or https address, without a name or password in it",
    ),
    PlainSerializer(_host_only, when_used="json"),
]


class WebhookConfig(Part):
    """An address that receives changes of stories. Only the host of its URL is shown, and no secret."""

    name: RecipientName
    url: SecretAddress
    query: str | None = None
    secret: Annotated[SecretStr, accepted_by(signing_key)] | None = None
    secret_file: str | None = None
    headers: HeaderLines = Field(default={})

    @model_validator(mode="after")
    def _one_secret(self) -> "WebhookConfig":
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError(
                "give exactly one of `secret:` (whsec_...) and `secret_file:` (a path)"
            )
        return self


_NOTIFY_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://\S{1,2000}")

# Apprise would use these on the machine of the daemon itself.
_LOCAL_SCHEMES = frozenset(
    {"dbus", "file", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"}
)


def notify_address(text: str) -> str:
    """Return an address for Apprise. Raises ConfigError, whose message omits the address."""
    match = _NOTIFY_ADDRESS.fullmatch(text.strip())
    if match is None or match[1].lower() in _LOCAL_SCHEMES:
        raise ConfigError(
            "give an address of Apprise, such as ntfys://ntfy.sh/TOPIC (docs/sending.md)"
        )
    return text.strip()


def _scheme_only(address: SecretStr) -> str:
    return address.get_secret_value().partition("://")[0][:30] + "://***"


class NotifyConfig(Part):
    """An address of Apprise at which a person is notified. Only the scheme of the address is shown."""

    name: RecipientName
    address: (
        Annotated[SecretStr, PlainSerializer(_scheme_only, when_used="json")] | None
    ) = None
    address_file: str | None = None
    address_env: str | None = None
    query: str | None = None
    each: Literal["story", "report"] = "story"
    messages_an_hour: int = Field(default=30, ge=1, le=10_000)

    @model_validator(mode="after")
    def _one_address(self) -> "NotifyConfig":
        if ways_given(self, "address") != 1:
            raise ValueError(
                "give exactly one of `address:`, `address_file:` and `address_env:`"
            )
        return self


_TIME_OF_DAY = r"([01][0-9]|2[0-3]):([0-5][0-9])"

Weekday = Literal[
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"
]

_DAYS = get_args(Weekday)

_MAIL_ADDRESS = r"[!#-'*+/-9=?A-Z^-~.-]{1,64}@[A-Za-z0-9.-]{1,190}"


def mail_address(text: str) -> str:
    """Return an address of Apprise for mail: `mailtos://USER:PASSWORD@SERVER:PORT?from=SENDER`.

    `mailto` means no encryption, and `mailtos` STARTTLS, or TLS from the beginning with `mode=ssl`. Raises ConfigError,
    whose message omits the address.
    """
    match = _NOTIFY_ADDRESS.fullmatch(text.strip())
    if match is None or match[1].lower() not in ("mailto", "mailtos"):
        raise ConfigError(
            "give an address like mailtos://USER:PASSWORD@SERVER?from=SENDER (docs/sending.md)"
        )
    if match[1].lower() == "mailto" and re.search("//[^/?]*@", match[0]):
        raise ConfigError("a password is not sent without encryption; give mailtos://")
    return match[0]


class DigestConfig(Part):
    """The section `digest`. Without `to`, the digest is only a page and a feed."""

    every: Literal["never", "daily", "weekly"] = "never"
    at: Annotated[
        str, matching(_TIME_OF_DAY, "give a time of day, like 07:00 or 18:30")
    ] = "07:00"
    day: Weekday = "monday"
    timezone: TimeZone | None = None
    query: str | None = None
    stories: int = Field(default=20, ge=1, le=100)
    to: tuple[
        Annotated[
            str,
            matching(
                _MAIL_ADDRESS, "{value} is not a mail address, like anna@example.org"
            ),
        ],
        ...,
    ] = Field(default=(), max_length=20)
    address: (
        Annotated[
            SecretStr,
            accepted_by(mail_address),
            PlainSerializer(_scheme_only, when_used="json"),
        ]
        | None
    ) = None
    address_file: str | None = None
    address_env: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> "DigestConfig":
        ways = ways_given(self, "address")
        if ways > 1 or (self.to and not ways):
            raise ValueError(
                "to: mail needs one of `address:` (a mail server), `address_file:` and `address_env:`"
            )
        if len({address.lower() for address in self.to}) < len(self.to):
            raise ValueError("to: one address is there twice")
        return self

    def last_due(self, now: datetime) -> datetime | None:
        """Return the latest time, not after `now`, when a digest was due; None if digests are off.

        If the clocks skip the local time, the digest is due an hour later. If they repeat it, the first time counts.
        """
        if self.every == "never":
            return None
        zone = None if self.timezone is None else ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        for days_ago in range(9):
            date = today - timedelta(days=days_ago)
            if self.every == "weekly" and _DAYS[date.weekday()] != self.day:
                continue
            local = datetime.combine(date, time.fromisoformat(self.at), zone)
            if (due := local.astimezone(UTC)) <= now:
                return due
        return None
