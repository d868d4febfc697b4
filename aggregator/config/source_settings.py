"""The settings of one source, and the mutes."""

import re
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    PlainSerializer,
    SecretStr,
    model_validator,
)

from aggregator.config.values import (
    Interval,
    Part,
    matching,
)
from aggregator.model.entry import FetchPages
from aggregator.model.prepared import Kind

MailboxAddress = Annotated[
    str,
    matching(
        r"(?is)imaps?://[^/\s].*",
        "this is not an address such as imaps://mail.example.org/INBOX",
    ),
    matching(
        r"(?is)imaps?://[^/@]*(/.*)?", "the user and the password belong in `auth:`"
    ),
]

_USERINFO = re.compile(r"(https?://)([^/?#\\\s]*)@", re.IGNORECASE)


def split_address(url: str) -> tuple[str, str]:
    """Return an address without `user:password@`, and `user:password`, which is "" if there is none."""
    match = _USERINFO.match(url)
    return (url, "") if match is None else (match[1] + url[match.end() :], match[2])


# `config show` omits the password.
WebAddress = Annotated[
    str,
    matching(r"(?is)https?://[^/\s].*", "this is not an http or https address"),
    PlainSerializer(lambda url: split_address(url)[0], when_used="json"),
]

_LOGIN = re.compile(r"(?:[a-z:\s]*[/\\]{2})?[^/?#\\]*@", re.IGNORECASE)

LOGIN_ADVICE = "in a user or password write %2F for / and %40 for @, and in a path %40"


def has_login(typed: str) -> bool:
    """Return whether an address has a user or password, even with an unescaped slash.

    In `u:5/x@host`, the text after what looks like a port is the rest of a password. In `nas:8080/@user`, a path
    begins with @, and there is no login.
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


MutedNames = tuple[Annotated[str, AfterValidator(_mutable)], ...]


class MuteConfig(Part):
    """The section `mute` at the top or of a source: which new entries do not become articles."""

    words: MutedNames = ()
    outlets: MutedNames = ()
    folders: MutedNames = ()
    categories: MutedNames = ()
    kinds: tuple[Kind, ...] = ()


_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,60}")

_HEADER_VALUE = re.compile(r"[!-~]([ -~]{0,3998}[!-~])?")

# The program itself sets these headers: they belong to the connection, to its limits, or to the signature.
_OWN_HEADER = re.compile(
    r"(host|connection|content-length|transfer-encoding|upgrade|te|trailer|expect|accept-encoding|if-.*"
    r"|webhook-.*)$",
    re.IGNORECASE,
)


def checked_headers(value: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Return `value` if a request may have these headers. Raises ValueError, whose message omits the values."""
    for name, text in value.items():
        if not _HEADER_NAME.fullmatch(name) or _OWN_HEADER.match(name):
            raise ValueError(
                f"{name[:40]!r} cannot be set: give a header such as Authorization"
            )
        if not _HEADER_VALUE.fullmatch(text.get_secret_value()):
            raise ValueError(f"{name}: give one line of at most 4000 ASCII characters")
    return value


HeaderLines = Annotated[dict[str, SecretStr], AfterValidator(checked_headers)]


def ways_given(part: BaseModel, key: str) -> int:
    """Return how many of `key`, `key_file` and `key_env` are given."""
    return sum(
        getattr(part, name) is not None for name in (key, f"{key}_file", f"{key}_env")
    )


class SourceAuth(Part):
    """The login of a source: `user` and a password (Basic, or a mailbox), or a token (Bearer)."""

    user: str | None = None
    password: SecretStr | None = None
    password_file: str | None = None
    password_env: str | None = None
    token: SecretStr | None = None
    token_file: str | None = None
    token_env: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "SourceAuth":
        given = (
            self.user is not None,
            ways_given(self, "password"),
            ways_given(self, "token"),
        )
        if given not in ((True, 1, 0), (False, 0, 1)):
            raise ValueError(
                "give `user:` and one of `password:`, `password_file:` and `password_env:`, or one of "
                "`token:`, `token_file:` and `token_env:`"
            )
        return self


class SourceAddress(Part):
    """A key for each kind of source, with its address. `intake/kinds/NAME_kind.py` reads sources of this kind."""

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
    interval: Interval | None = None
    pages: FetchPages | None = None
    mute: MuteConfig = MuteConfig()
    headers: HeaderLines = Field(default={})
    cookie: SecretStr | None = None
    cookie_file: str | None = None
    cookie_env: str | None = None
    proxy: SecretStr | None = None
    proxy_file: str | None = None
    proxy_env: str | None = None
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
        for key in ("cookie", "proxy"):
            if ways_given(self, key) > 1:
                raise ValueError(
                    f"give one of `{key}:`, `{key}_file:` and `{key}_env:`"
                )
        if sum(getattr(self, name) is not None for name in SOURCE_KINDS) != 1:
            keys = " and ".join(
                f"`{name}:` ({field.description})"
                for name, field in SourceAddress.model_fields.items()
            )
            raise ValueError(f"give exactly one of {keys}")
        return self

    @property
    def kind(self) -> str:
        """The key that names the kind of the source. Its value is the address as typed."""
        return next(name for name in SOURCE_KINDS if getattr(self, name) is not None)
