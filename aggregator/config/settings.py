"""The settings of config.yaml, which config/loader.py reads.

AGGREGATOR_DATABASE and AGGREGATOR_DATABASE_FILE in the environment take precedence over `database`.
"""

import base64
import binascii
import datetime as dt
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from aggregator.config.hosts import OWN_FEED, is_loopback, is_own_feed
from aggregator.config.messages import parse_end, parse_moment
from aggregator.config.tuning import Tuning
from aggregator.model.core import Kind
from aggregator.model.errors import ConfigError, UsageError
from aggregator.model.read_model import StoryFilter

# The keys that lead to a key of the file; a number, from 0, is an index of a list.
KeyPath = tuple[str | int, ...]
# It would look for plugins in all installed packages, which takes a tenth of the CPU of a short command.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
DATABASE_VARIABLE = "AGGREGATOR_DATABASE"
DATABASE_FILE_VARIABLE = "AGGREGATOR_DATABASE_FILE"
_DURATION = re.compile(r"([0-9]{1,12})\s*(s|m|h|d)")
# Of a duration: a hundred years, so that it can be subtracted from today
_MAX_DAYS = 36_500
LONGEST_INTERVAL_DAYS = 365
_LONGEST_INTERVAL = LONGEST_INTERVAL_DAYS * 86_400  # seconds
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}"  # of a query or a webhook
_EXECUTOR = r"processes|inline|dask(?:\+tls)?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}"
# For a syntax check, which does not depend on the time
_ANY_TIME = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> int:
    """Parse `90s`, `15m`, `6h` or `2d` to seconds. Raises ValueError for anything else."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("give a number with its unit: 90s, 15m, 6h or 2d")
    return int(match[1]) * _SECONDS[match[2]]


def bounded_seconds(text: str, most_days: int = _MAX_DAYS) -> int:
    """Parse like `seconds`. Raises ValueError for more than `most_days`, too."""
    value = seconds(text)
    if value > most_days * _SECONDS["d"]:
        raise ValueError(f"give at most {most_days}d")
    return value


@contextmanager
def at_key(key: str) -> Iterator[None]:
    """Put the key before the message of a ConfigError that is raised in the block."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from error


def expanded(text: str) -> Path:
    """Return a path with `~` expanded. Raises ConfigError for the home folder of an unknown user."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{text}: there is no such home folder") from error


def text_of(file: Path, most_chars: int = -1) -> str:
    """Return the beginning of a file, by default all of it. Raises ConfigError if it cannot be read."""
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.read(most_chars)
    except (OSError, ValueError) as error:  # ValueError: also a NUL in the path
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{file} cannot be read: {why}") from error


def _checked_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return `value`. Raises ValueError if one is not an IP network."""
    for network in value:
        try:
            ip_network(network)
        except ValueError as error:
            raise ValueError(
                f"{error}; give a network such as 192.168.1.0/24"
            ) from error
    return value


def _duration(value: object) -> int:
    return bounded_seconds(value if isinstance(value, str) else "")


def _age(value: object) -> int | None:
    return None if value == "never" else _duration(value)


def _backup_interval(value: object) -> int | None:
    every = _age(value)
    if every is not None and every < _SECONDS["h"]:
        raise ValueError("give an hour at least (1h, 1d, 7d), or never")
    return every


def duration_as_typed(value: int, units: str = "dhms") -> str:
    """Return a duration in the syntax of the file, in the first of `units` that divides it."""
    unit = next(unit for unit in units if value % _SECONDS[unit] == 0)
    return f"{value // _SECONDS[unit]}{unit if value else 's'}"


def _accepted_by(parse: Callable[[str], object]) -> AfterValidator:
    """Return a validator of texts and secrets. `parse` raises ConfigError or UsageError for a mistake."""

    def check(value: str | SecretStr) -> str | SecretStr:
        try:
            parse(value.get_secret_value() if isinstance(value, SecretStr) else value)
        except (ConfigError, UsageError) as error:
            raise ValueError(str(error)) from error
        return value

    return AfterValidator(check)


def _matching(pattern: str, words: str) -> AfterValidator:
    """Return a validator of texts and secrets that match `pattern` as a whole; `words` may have `{value}`."""

    def check(text: str) -> None:
        if not re.fullmatch(pattern, text):
            raise ConfigError(words.format(value=repr(text[:60])))

    return _accepted_by(check)


def _list_of(example: str) -> BeforeValidator:
    def check(value: object) -> object:
        if isinstance(value, tuple):
            return value
        raise ValueError(f"give a list of {example}")

    return BeforeValidator(check)


# Durations: text like `15m` in the file, seconds in the program. None: never, or as another section says.
_TYPED = PlainSerializer(duration_as_typed, when_used="json-unless-none")
_TYPED_OR_NEVER = PlainSerializer(
    lambda value: "never" if value is None else duration_as_typed(value),
    when_used="json",
)
Duration = Annotated[int, BeforeValidator(_duration), _TYPED]
OwnDuration = Annotated[int | None, BeforeValidator(_duration), _TYPED]
Age = Annotated[int | None, BeforeValidator(_age), _TYPED_OR_NEVER]
Networks = Annotated[tuple[str, ...], AfterValidator(_checked_networks)]


class _Part(BaseModel):
    # Deferred: validators of parts are built only where one is used without the whole.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, defer_build=True
    )


class LogConfig(_Part):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


_ORIGIN = r"\*|http://(?!\S*:80$)[^\s/?#@*]+|https://(?!\S*:443$)[^\s/?#@*]+"
_ORIGIN_WORDS = "give * or an origin as browsers send it, like https://app.example.org, without / at the end"


class ServerConfig(_Part):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    allowed_hosts: tuple[str, ...] = ()
    owner_on_loopback: bool | None = None
    trusted_proxies: Networks = ()
    cors: tuple[Annotated[str, _matching(_ORIGIN, _ORIGIN_WORDS)], ...] = ()
    max_sources: int = Field(default=20_000, ge=1)


class PublishConfig(_Part):
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
    return bool(re.fullmatch(_NAME, name)) and name.lower() not in RESERVED_NAMES


_FilterTime = Annotated[
    str, _accepted_by(lambda value: value and parse_moment(value, _ANY_TIME))
]


class SavedQuery(_Part):
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


class FeedsConfig(_Part):
    """The section `feeds`. `bump`: which changes move a story to the top.

    `bump_age`: the headline of a story of one report that is older moves nothing.
    """

    link: Literal["story", "article"] = "story"
    items: int = Field(default=100, ge=1, le=1000)
    bump: tuple[Bump, ...] = ("report", "correction")
    bump_age: Duration = 3 * 86_400


class FetchConfig(_Part):
    contact: str = ""
    interval: Duration = Field(default=3600, le=_LONGEST_INTERVAL)
    host_gap: Duration = Field(default=1, le=86_400)
    pages: Literal["auto", "always", "never"] = "auto"
    robots: bool = True
    proxy: SecretStr | None = None
    proxy_file: str | None = None
    proxy_env: str | None = None
    allow_private: Annotated[Networks, _list_of("networks, e.g. [192.168.1.0/24]")] = ()


class BackupConfig(_Part):
    """The section `backup`. `every` is in seconds, None for no backups."""

    every: Annotated[int | None, BeforeValidator(_backup_interval), _TYPED_OR_NEVER] = (
        86_400
    )
    keep: int = Field(default=7, ge=1, le=1000)
    folder: str | None = None


_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(MB|GB|TB)")
_BYTES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}


def _size(value: object) -> int:
    """Read a size with its unit as bytes."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("give a size with its unit, like 600 MB")
    return int(float(match[1]) * _BYTES[match[2]])


_TYPED_SIZE = PlainSerializer(
    lambda value: f"{value / 10**6:.15g} MB", when_used="json"
)


class RetentionConfig(_Part):
    """The section `retention`. Ages in seconds, None for no limit."""

    text_after: Age = None
    stories_after: Age = None

    @model_validator(mode="after")
    def _in_their_order(self) -> "RetentionConfig":
        texts, stories = self.text_after, self.stories_after
        if texts is not None and stories is not None and stories < texts:
            raise ValueError(
                "stories_after: texts are deleted before stories, so give an age above text_after"
            )
        return self


class WorkConfig(_Part):
    executor: Annotated[
        str,
        _matching(
            _EXECUTOR,
            "choose processes, inline, or a scheduler of Dask as dask://HOST:PORT",
        ),
    ] = "processes"
    workers: int = Field(default=0, ge=0, le=64)

    @property
    def is_in_the_clear(self) -> bool:
        """Whether jobs are sent without TLS to a Dask scheduler on another machine."""
        parts = urlsplit(self.executor)
        return parts.scheme == "dask" and not is_loopback(parts.hostname or "")

    def worker_count(self, *, spared: int = 0) -> int:
        """Return the number of workers; for `workers: 0` that of the processors, at most four.

        `spared`: processors that are left to others. The daemon leaves one to its writer: on two processors
        a second worker takes 84 MB, and a first reading ends no sooner.
        """
        return self.workers or max(1, min(4, (os.cpu_count() or 1) - spared))


class GroupingConfig(_Part):
    """The section `grouping`: the memory for live stories."""

    memory: Annotated[int, BeforeValidator(_size), _TYPED_SIZE] = 600_000_000


MailboxAddress = Annotated[
    str,
    _matching(
        r"(?is)imaps?://[^/\s].*",
        "this is not an address such as imaps://mail.example.org/INBOX",
    ),
    _matching(
        r"(?is)imaps?://[^/@]*(/.*)?", "the user and the password belong in `auth:`"
    ),
]


_USERINFO = re.compile(r"(https?://)([^/?#\\\s]*)@", re.IGNORECASE)


def split_address(url: str) -> tuple[str, str]:
    """Return an address without `user:password@`, and that part; "" where there is none."""
    match = _USERINFO.match(url)
    return (url, "") if match is None else (match[1] + url[match.end() :], match[2])


# `config show` omits the password.
WebAddress = Annotated[
    str,
    _matching(r"(?is)https?://[^/\s].*", "this is not an http or https address"),
    PlainSerializer(lambda url: split_address(url)[0], when_used="json"),
]

_LOGIN = re.compile(r"(?:[a-z:\s]*[/\\]{2})?[^/?#\\]*@", re.IGNORECASE)
LOGIN_ADVICE = "in a user or password write %2F for / and %40 for @, and in a path %40"


def has_login(typed: str) -> bool:
    """Return whether an address has a user or password, even with an unescaped slash.

    What stands behind a port, as in `u:5/x@host`, is a password, too; as in `nas:8080/@user` it is none.
    """
    server, _, rest = (typed.partition("://")[2] or typed).partition("/")
    port = server.rpartition("]")[2].partition(":")[2]
    behind = re.split("[/?#]", rest, maxsplit=1)[0][1:] if port.isdecimal() else rest
    return bool(_LOGIN.match(typed)) or "@" in server or (port != "" and "@" in behind)


def _known_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("not the name of a time zone, like Europe/Berlin")
    return value


TimeZone = Annotated[str, AfterValidator(_known_zone)]


def _mutable(value: str) -> str:
    if not any(map(str.isalnum, value)) or len(value) > 200:
        raise ValueError(
            f"{value[:40]!r}: give at least one letter or digit, at most 200 characters"
        )
    return value


MutedNames = Annotated[
    tuple[Annotated[str, AfterValidator(_mutable)], ...], _list_of("names, e.g. [ads]")
]


class MuteConfig(_Part):
    """The section `mute`, and that of a source: new entries that do not become articles."""

    words: MutedNames = ()
    outlets: MutedNames = ()
    folders: MutedNames = ()
    categories: MutedNames = ()
    kinds: tuple[Kind, ...] = ()


_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,60}")
_HEADER_VALUE = re.compile(r"[!-~]([ -~]{0,3998}[!-~])?")
# Of the connection, of limits, or of the signature.
_OWN_HEADER = re.compile(
    r"(host|connection|content-length|transfer-encoding|upgrade|te|trailer|expect|accept-encoding|if-.*"
    r"|webhook-.*)$",
    re.IGNORECASE,
)


def checked_headers(value: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Return headers that a request may have. Raises ValueError, whose message omits the values."""
    for name, text in value.items():
        if not _HEADER_NAME.fullmatch(name) or _OWN_HEADER.match(name):
            raise ValueError(
                f"{name[:40]!r} cannot be set: give a header such as Authorization"
            )
        if not _HEADER_VALUE.fullmatch(text.get_secret_value()):
            raise ValueError(f"{name}: give one line of at most 4000 ASCII characters")
    return value


HeaderLines = Annotated[dict[str, SecretStr], AfterValidator(checked_headers)]


def _ways(part: BaseModel, key: str) -> int:
    """Return how many of `key`, `key_file` and `key_env` are given."""
    return sum(
        getattr(part, name) is not None for name in (key, f"{key}_file", f"{key}_env")
    )


class SourceAuth(_Part):
    """What a source asks for: `user` and a password (Basic), or a token (Bearer)."""

    user: str | None = None
    password: SecretStr | None = None
    password_file: str | None = None
    password_env: str | None = None
    token: SecretStr | None = None
    token_file: str | None = None
    token_env: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "SourceAuth":
        given = (self.user is not None, _ways(self, "password"), _ways(self, "token"))
        if given not in ((True, 1, 0), (False, 0, 1)):
            raise ValueError(
                "give `user:` and one of `password:`, `password_file:` and `password_env:`, or one of "
                "`token:`, `token_file:` and `token_env:`"
            )
        return self


class SourceAddress(_Part):
    """The kinds of sources: a key for each, with an address. `intake/kinds/NAME_kind.py` reads it."""

    feed: WebAddress | None = Field(default=None, description="an address")
    folder: str | None = Field(default=None, min_length=1, description="a path")
    page: WebAddress | None = Field(
        default=None, description="an address, with `list:`"
    )
    imap: MailboxAddress | None = Field(
        default=None, description="an address, with `auth:`"
    )


SOURCE_KINDS = tuple(SourceAddress.model_fields)


class SourceConfig(SourceAddress):
    """One source, of one kind."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    outlet: str | None = Field(default=None, max_length=200)
    group: str | None = Field(default=None, max_length=200)
    language: str | None = None
    timezone: TimeZone | None = None
    interval: OwnDuration = Field(default=None, le=_LONGEST_INTERVAL)
    pages: Literal["auto", "always", "never"] | None = None
    mute: MuteConfig = MuteConfig()
    headers: HeaderLines = {}
    cookie: SecretStr | None = None
    cookie_file: str | None = None
    cookie_env: str | None = None
    auth: SourceAuth | None = None
    ca_file: str | None = None
    insecure: bool = False
    list: str | None = None
    link: str = "a"
    title: str | None = None
    date: str = "time"

    @model_validator(mode="after")
    def _for_its_kind(self) -> "SourceConfig":
        if (self.page is None) != (self.list is None):
            raise ValueError(
                "`page:` and `list:` (a CSS selector of the list's items) belong together"
            )
        if self.imap is not None and (self.auth is None or self.auth.user is None):
            raise ValueError("`imap:` needs `auth:` with `user:` and a password")
        if _ways(self, "cookie") > 1:
            raise ValueError("give one of `cookie:`, `cookie_file:` and `cookie_env:`")
        return self

    @model_validator(mode="after")
    def _one_kind(self) -> "SourceConfig":
        if sum(getattr(self, name) is not None for name in SOURCE_KINDS) != 1:
            fields = SourceAddress.model_fields.items()
            keys = " and ".join(
                f"`{name}:` ({field.description})" for name, field in fields
            )
            raise ValueError(f"give exactly one of {keys}")
        return self

    @property
    def kind(self) -> str:
        """The key of its kind, whose value is the address as typed."""
        return next(name for name in SOURCE_KINDS if getattr(self, name) is not None)


_KEY_PREFIX = "whsec_"
_MIN_KEY_BYTES, _MAX_KEY_BYTES = 24, 64  # of a key, by the standard
_WEBHOOK_ADDRESS = r"https?://[^/\s?#@]+([/?#]\S*)?"


MCP_LIBRARY = "mcp", "MCP needs", ">=2.3,<3"


def require_library(name: str, needed_by: str, versions: str) -> None:
    """Raise ConfigError if a library of an extra is not installed; one installed since the start is found."""
    importlib.invalidate_caches()
    if find_spec(name) is None:
        advice = f"type: {sys.executable} -m pip install '{name}{versions}'"
        raise ConfigError(f"{needed_by} a library that is not installed; {advice}")


def signing_key(secret: str) -> bytes:
    """Decode a key given as `whsec_` and base64. Raises ConfigError, whose message omits the secret."""
    text = secret.strip()
    try:
        key = base64.b64decode(text.removeprefix(_KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
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
    str, _matching(_NAME, "use letters, digits, - and _, at most 40")
]


def _host_only(url: SecretStr) -> str:
    scheme, _, rest = url.get_secret_value().partition("://")
    return f"{scheme}://{re.split('[/?#]', rest, maxsplit=1)[0]}/..."


SecretAddress = Annotated[
    SecretStr,
    _matching(
        _WEBHOOK_ADDRESS,
        "give an http or https address, without a name or password in it",
    ),
    PlainSerializer(_host_only, when_used="json"),
]


class WebhookConfig(_Part):
    """Where changes of stories are sent. Of the URL only the host is shown, of what is secret nothing."""

    name: RecipientName
    url: SecretAddress
    query: str | None = None
    secret: Annotated[SecretStr, _accepted_by(signing_key)] | None = None
    secret_file: str | None = None
    headers: HeaderLines = {}

    @model_validator(mode="after")
    def _one_secret(self) -> "WebhookConfig":
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError(
                "give exactly one of `secret:` (whsec_...) and `secret_file:` (a path)"
            )
        return self


_NOTIFY_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://\S{1,2000}")
# What Apprise would do on this machine itself.
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


class NotifyConfig(_Part):
    """Where people are notified. Of the address only the scheme is shown."""

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
        if _ways(self, "address") != 1:
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


MailSecurity = Literal["starttls", "tls", "none"]
# By scheme and `mode=`, with the usual port.
_MAIL_WAYS: dict[tuple[str, str], tuple[MailSecurity, int]] = {
    ("mailto", ""): ("none", 25),
    ("mailtos", ""): ("starttls", 587),
    ("mailtos", "starttls"): ("starttls", 587),
    ("mailtos", "ssl"): ("tls", 465),
}


class MailServer(NamedTuple):
    """A mail server, and who sends by it. Without a `user` nobody logs in."""

    host: str
    port: int
    security: MailSecurity
    sender: str
    user: str | None = None
    password: str = ""

    def __repr__(self) -> str:
        return f"MailServer({self.host!r}, {self.port})"


def mail_server(text: str) -> MailServer:
    """Read an address of Apprise for mail: `mailtos://USER:PASSWORD@SERVER:PORT?from=SENDER`.

    `mailto` is without encryption, `mailtos` with STARTTLS, and with `mode=ssl` with TLS from the beginning.
    Raises ConfigError, whose message omits the address.
    """
    try:
        parts = urlsplit(text.strip())
        query = parts.query.replace("+", "%2B")  # a plus in a mail address is no space
        options = dict(
            parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        )
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, options, host, port = urlsplit(""), {}, "", None
    if parts.scheme not in ("mailto", "mailtos") or not re.fullmatch(
        r"[A-Za-z0-9.:-]{1,253}", host
    ):
        raise ConfigError(
            "give an address like mailtos://USER:PASSWORD@SERVER?from=SENDER (docs/sending.md)"
        )
    if (
        parts.path not in ("", "/")
        or parts.fragment
        or options.keys() - {"from", "mode"}
    ):
        raise ConfigError(
            f"only `from=` and `mode=` can follow the server; {LOGIN_ADVICE}"
        )
    way = _MAIL_WAYS.get((parts.scheme, options.get("mode", "")))
    if way is None:
        raise ConfigError("mode: give mailtos:// with mode=starttls or mode=ssl")
    if (parts.username is None) != (parts.password is None):
        raise ConfigError("give a user with a password, or neither")
    if parts.username is not None and parts.scheme == "mailto":
        raise ConfigError("a password is not sent without encryption; give mailtos://")
    user = None if parts.username is None else unquote(parts.username)
    sender = options.get("from") or (
        user if user and "@" in user else f"{user or ''}@{host}"
    )
    if not re.fullmatch(_MAIL_ADDRESS, sender):
        raise ConfigError(
            "from: give the mail address of the sender, like from=news@example.org"
        )
    security, usual_port = way
    return MailServer(
        host, port or usual_port, security, sender, user, unquote(parts.password or "")
    )


class DigestConfig(_Part):
    """The section `digest`. Without `to` it is a page and a feed only."""

    every: Literal["never", "daily", "weekly"] = "never"
    at: Annotated[
        str, _matching(_TIME_OF_DAY, "give a time of day, like 07:00 or 18:30")
    ] = "07:00"
    day: Weekday = "monday"
    timezone: TimeZone | None = None
    query: str | None = None
    stories: int = Field(default=20, ge=1, le=100)
    to: Annotated[
        tuple[
            Annotated[
                str,
                _matching(
                    _MAIL_ADDRESS,
                    "{value} is not a mail address, like anna@example.org",
                ),
            ],
            ...,
        ],
        _list_of("addresses, e.g. [anna@example.org]"),
    ] = Field(default=(), max_length=20)
    address: (
        Annotated[
            SecretStr,
            _accepted_by(mail_server),
            PlainSerializer(_scheme_only, when_used="json"),
        ]
        | None
    ) = None
    address_file: str | None = None
    address_env: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> "DigestConfig":
        ways = _ways(self, "address")
        if ways > 1 or (self.to and not ways):
            raise ValueError(
                "to: mail needs one of `address:` (a mail server), `address_file:` and `address_env:`"
            )
        if len({one.lower() for one in self.to}) < len(self.to):
            raise ValueError("to: one address is there twice")
        return self

    def last_due(self, now: dt.datetime) -> dt.datetime | None:
        """Return the latest time at or before `now` at which a digest is due; None without digests.

        A local time that the clocks skip is due an hour later; of one that they repeat, the first is meant.
        """
        if self.every == "never":
            return None
        zone = None if self.timezone is None else ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        for days_ago in range(9):
            date = today - dt.timedelta(days=days_ago)
            if self.every == "weekly" and _DAYS[date.weekday()] != self.day:
                continue
            local = dt.datetime.combine(date, dt.time.fromisoformat(self.at), zone)
            if (due := local.astimezone(dt.UTC)) <= now:
                return due
        return None


class SummariseConfig(_Part):
    """The section `summarise`: a language model that writes a text for stories. Off by default.

    `timeout` is in seconds.
    """

    url: SecretAddress | None = None
    model: str | None = Field(default=None, min_length=1, max_length=200)
    api_key: SecretStr | None = None
    api_key_file: str | None = None
    api_key_env: str | None = None
    stories_an_hour: int = Field(default=20, ge=1, le=3600)
    timeout: Duration = Field(default=120, ge=1, le=3600)

    @model_validator(mode="after")
    def _one_way(self) -> "SummariseConfig":
        keys = _ways(self, "api_key")
        if (self.model is None) != (self.url is None):
            raise ValueError("give `url:` with `model:`")
        if keys > 1 or (keys and self.url is None):
            raise ValueError(
                "give one of `api_key:`, `api_key_file:` and `api_key_env:`, with `url:`"
            )
        return self


class Config(_Part):
    """The whole configuration. Relative paths refer to the folder `base`."""

    database: str | None = None
    public_url: str | None = None
    log: LogConfig = LogConfig()
    server: ServerConfig = ServerConfig()
    publish: PublishConfig = PublishConfig()
    feeds: FeedsConfig = FeedsConfig()
    fetch: FetchConfig = FetchConfig()
    backup: BackupConfig = BackupConfig()
    work: WorkConfig = WorkConfig()
    retention: RetentionConfig = RetentionConfig()
    grouping: GroupingConfig = GroupingConfig()
    sources: tuple[SourceConfig, ...] = ()
    queries: dict[str, SavedQuery] = {}
    webhooks: tuple[WebhookConfig, ...] = ()
    notify: tuple[NotifyConfig, ...] = ()
    digest: DigestConfig = DigestConfig()
    mute: MuteConfig = MuteConfig()
    summarise: SummariseConfig = SummariseConfig()
    families: dict[str, tuple[str, ...]] = {}

    _base: Path = PrivateAttr(default_factory=Path.cwd)
    _file: Path | None = PrivateAttr(default=None)
    _lines: Mapping[KeyPath, int] = PrivateAttr(default={})
    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @field_validator("queries")
    @classmethod
    def _names(cls, value: dict[str, SavedQuery]) -> dict[str, SavedQuery]:
        for name in value:
            if not is_query_name(name):
                raise ValueError(
                    f"{name!r} cannot name a query: use letters, digits, - and _, at most 40, "
                    f"and not {' or '.join(sorted(RESERVED_NAMES))}"
                )
        return {name: query.named(name) for name, query in value.items()}

    @field_validator("sources")
    @classmethod
    def _no_own_feed(
        cls, value: tuple[SourceConfig, ...], info: ValidationInfo
    ) -> tuple[SourceConfig, ...]:
        server, public_url = info.data.get("server"), info.data.get("public_url")
        for one in value:
            if (
                one.feed
                and server
                and is_own_feed(one.feed, server.host, server.port, public_url)
            ):
                raise ValueError(f"{one.feed}: {OWN_FEED}")
        return value

    @field_validator("webhooks", "notify")
    @classmethod
    def _check_recipients(
        cls, value: tuple[WebhookConfig | NotifyConfig, ...], info: ValidationInfo
    ) -> tuple[WebhookConfig | NotifyConfig, ...]:
        names = [one.name for one in value]
        for one in value:
            if names.count(one.name) > 1:
                raise ValueError(f"two have the name {one.name!r}")
            _check_query(repr(one.name), one.query, info)
        return value

    @field_validator("digest")
    @classmethod
    def _check_digest(cls, value: DigestConfig, info: ValidationInfo) -> DigestConfig:
        _check_query("it", value.query, info)
        return value

    def is_own_feed(self, address: str) -> bool:
        """Whether this program itself serves the feed at an address."""
        return is_own_feed(address, self.server.host, self.server.port, self.public_url)

    @property
    def base(self) -> Path:
        return self._base

    def saved_query(self, name: str) -> SavedQuery:
        """Return the query of that name. Raises UsageError where there is none."""
        if name not in self.queries:
            known = ", ".join(sorted(self.queries)) or "none"
            raise UsageError(
                f"there is no saved query {name[:40]!r}; config.yaml has: {known}"
            )
        return self.queries[name]

    @property
    def file(self) -> Path | None:
        """The file this was read from; None for the built-in defaults."""
        return self._file

    @property
    def lines(self) -> Mapping[KeyPath, int]:
        """The line of each key in the file; {} without a file."""
        return self._lines

    @property
    def warnings(self) -> tuple[str, ...]:
        """What in the file has no effect: keys of earlier versions, each with its line."""
        return self._warnings

    def read_from(
        self, path: Path, lines: Mapping[KeyPath, int], warnings: tuple[str, ...]
    ) -> "Config":
        """Return this configuration as read from the file at `path`."""
        config = self.model_copy()
        config._warnings = warnings
        # Without "..", so that a folder has one name from wherever the program is started.
        file = Path(os.path.normpath(path.absolute()))
        config._base, config._file, config._lines = file.parent, file, lines
        return config

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the database. A relative SQLite path refers to the folder `base`.

        Raises ConfigError for an unsupported URL, and where AGGREGATOR_DATABASE_FILE cannot be read.
        """
        given = (
            os.environ.get(DATABASE_VARIABLE) or _database_in_a_file() or self.database
        )
        if given is None:
            folder = Path(os.environ.get("STATE_DIRECTORY") or self._base)
            return f"sqlite:///{(folder / 'aggregator.db').absolute()}"
        return absolute_database_url(given, self._base)

    @property
    def effective_tuning(self) -> Tuning:
        """The tuning in force, with `grouping` applied. Raises ConfigError for invalid values."""
        all_tuning = Tuning(self._reach())
        least = float(all_tuning.values("retention")["steady_days"]) * _SECONDS["d"]
        for name in ("text_after", "stories_after"):
            age = getattr(self.retention, name)
            if age is not None and age < least:
                raise ConfigError(
                    f"retention.{name}: articles younger than a day would be deleted permanently; "
                    "give a day or more, such as 180d"
                )
        return all_tuning

    def _reach(self) -> dict[str, dict[str, Any]]:
        """Return the overrides that follow from `grouping.memory`; {} where it is not given."""
        if "memory" not in self.grouping.model_fields_set:
            return {}
        events: dict[str, Any] = Tuning().values("events")
        reach = (self.grouping.memory - events["memory_fixed"]) // events[
            "memory_an_article"
        ]
        if reach < events["undated_reach"]:
            least = (
                events["memory_fixed"]
                + events["undated_reach"] * events["memory_an_article"]
            )
            raise ConfigError(f"grouping.memory: give at least {-(-least // 10**6)} MB")
        # A copy is found as long as the story of its original may be live.
        return {"events": {"live_reach": reach}, "copies": {"passage_reach": reach}}

    def secret_path(self, given: str) -> Path:
        """Return the path of a secret: a systemd credential (LoadCredential=), else `path(given)`."""
        credential = Path(os.environ.get("CREDENTIALS_DIRECTORY", "")) / given
        is_there = credential.is_absolute() and os.path.isfile(credential)  # noqa: PTH113 - a Path raises
        return credential if is_there else self.path(given)

    def path(self, given: str) -> Path:
        """Resolve a path from the configuration file."""
        return (self._base / expanded(given)).absolute()


def _check_query(user: str, name: str | None, info: ValidationInfo) -> None:
    queries = info.data.get("queries")  # absent where it is invalid itself
    if name is not None and queries is not None and name not in queries:
        raise ValueError(
            f"{user} uses the query {name!r}, which `queries:` does not have"
        )


def _database_in_a_file() -> str | None:
    """Read the URL from the file AGGREGATOR_DATABASE_FILE, which keeps its password out of process lists."""
    name = os.environ.get(DATABASE_FILE_VARIABLE)
    if not name:
        return None
    with at_key(f"database: {DATABASE_FILE_VARIABLE}"):
        address = text_of(Path(name)).strip()
    if not address or len(address.splitlines()) > 1:
        raise ConfigError(
            f"database: {DATABASE_FILE_VARIABLE}: {name} should hold one line, the address"
        )
    return address


def absolute_database_url(given: str, base: Path) -> str:
    """Return the SQLAlchemy URL of `given`: SQLite with an absolute path, or PostgreSQL with psycopg 3.

    Raises ConfigError for anything else.
    """
    if given.strip() in ("", "sqlite://", "sqlite:///"):
        raise ConfigError(
            "database: give the name of a file, or postgresql://USER@HOST/NAME"
        )
    if "://" not in given:
        with at_key("database"):
            return f"sqlite:///{(base / expanded(given)).absolute()}"
    scheme, rest = given.split("://", 1)
    if scheme == "sqlite":
        path = rest.removeprefix("/")
        return f"sqlite:///{(base / path).absolute()}"
    if scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        try:
            _ = urlsplit(f"//{rest}").port
        except ValueError as error:
            raise ConfigError(
                "database: give its port as a number: postgresql://HOST:5432/NAME"
            ) from error
        return f"postgresql+psycopg://{rest}"
    raise ConfigError(
        f"database: {scheme}:// is not supported; give sqlite:///FILE or postgresql://USER@HOST/NAME"
    )
