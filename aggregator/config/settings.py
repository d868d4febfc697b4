"""What users choose: the sections of config.yaml, which config/loader.py reads.

The database may come from the environment (AGGREGATOR_DATABASE, AGGREGATOR_DATABASE_FILE).
"""

import datetime as dt
import hashlib
import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from aggregator.config.saved_queries import RESERVED_NAMES, SavedQuery, is_query_name, parse_moment
from aggregator.config.tuning import Tuning, effective_tuning
from aggregator.config.webhook_signature import signing_key
from aggregator.model.errors import ConfigError, UsageError

DATABASE_VARIABLE = "AGGREGATOR_DATABASE"
DATABASE_FILE_VARIABLE = "AGGREGATOR_DATABASE_FILE"
_DURATION = re.compile(r"([0-9]{1,12})\s*(s|m|h|d)")
_LONGEST_DAYS = 36_500  # of a duration: a hundred years, so that any can be taken from today
LONGEST_INTERVAL_DAYS = 365
_LONGEST_INTERVAL = LONGEST_INTERVAL_DAYS * 86_400  # seconds
_SERVER_ADDRESS = re.compile(r"https?://[^/\s?#@\\]+/?")
_CLUSTER = re.compile(r"dask(?:\+tls)?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
# A folder in the format of model2vec, and the bytes at both ends of a file that tell models apart.
_MODEL_FILES = ("config.json", "tokenizer.json", "model.safetensors")
_ENDS = 1 << 20
_LOADING = 4  # times a model's size that a worker may take more, and seconds more that its jobs may take
_LOADING_SECONDS = 30.0
_ANY_TIME = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # whether a text is a time does not depend on the clock
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> int:
    """`90s`, `15m`, `6h` or `2d` in seconds. Raises ValueError for anything else."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError("give a number with its unit: 90s, 15m, 6h or 2d")
    return int(match[1]) * _SECONDS[match[2]]


def bounded_seconds(text: str, most_days: int = _LONGEST_DAYS) -> int:
    """As `seconds`, of what is configured. Raises ValueError past `most_days`, too."""
    found = seconds(text)
    if found > most_days * _SECONDS["d"]:
        raise ValueError(f"give at most {most_days}d")
    return found


def expanded(text: str) -> Path:
    """A path as typed, `~` replaced. Raises ConfigError for the home folder of a user who does not exist."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{text}: there is no such home folder") from error


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LogConfig(_Part):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class ServerConfig(_Part):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    allowed_hosts: tuple[str, ...] = ()
    owner_on_loopback: bool = False
    trusted_proxies: tuple[str, ...] = ()
    requests_a_minute: int = Field(default=600, ge=0, le=1_000_000)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value


class PublishConfig(_Part):
    title: str = "Stories"
    excerpt_words: int = Field(default=60, ge=0, le=100_000)
    full_text: Literal["owner", "never", "all"] = "owner"
    prefer: tuple[str, ...] = ()
    index: bool = False


Bump = Literal["report", "headline", "correction"]


class FeedsConfig(_Part):
    """`bump`: what puts a story first again."""

    link: Literal["story", "article"] = "story"
    items: int = Field(default=100, ge=1, le=1000)
    bump: tuple[Bump, ...] = ("report", "headline", "correction")


class QueryConfig(_Part):
    """A query with a name; its keys are the filters of the command line, and three for its feeds."""

    title: str | None = None
    query: str = ""
    since: str = ""
    until: str = ""
    min_outlets: int = Field(default=1, ge=1, le=1000)
    min_reports: int = Field(default=1, ge=1, le=1000)
    outlet: str = ""
    folder: str = ""
    language: str = ""
    items: int | None = Field(default=None, ge=1, le=1000)
    link: Literal["story", "article"] | None = None

    @field_validator("since", "until")
    @classmethod
    def _moment(cls, value: str) -> str:
        if value:
            try:
                parse_moment(value, _ANY_TIME)
            except UsageError as error:
                raise ValueError(str(error)) from error
        return value


class _Timed(_Part):
    """Parts with durations: text like `15m` in the file, seconds in the program."""

    @staticmethod
    def _as_seconds(value: object) -> int:
        if isinstance(value, str):
            return bounded_seconds(value)
        raise ValueError("give a number with its unit: 90s, 15m, 6h or 2d")

    @field_serializer("interval", "host_gap", when_used="json", check_fields=False)
    def _as_typed(self, value: int | None) -> str | None:
        """`config show` prints what the file may hold."""
        if value is None:
            return None
        unit = next(unit for unit in "dhms" if value % _SECONDS[unit] == 0)
        return f"{value // _SECONDS[unit]}{unit if value else 's'}"


class FetchConfig(_Timed):
    contact: str = ""
    interval: int = Field(default=3600, le=_LONGEST_INTERVAL)
    host_gap: int = Field(default=1, le=86_400)
    threads: int = Field(default=8, ge=1, le=64)
    pages: Literal["auto", "always", "never"] = "auto"
    robots: bool = True
    allow_private: tuple[str, ...] = ()
    allow_private_links: tuple[str, ...] = ()

    @field_validator("interval", "host_gap", mode="before")
    @classmethod
    def _durations(cls, value: object) -> int:
        return cls._as_seconds(value)

    @field_validator("allow_private", mode="before")
    @classmethod
    def _is_a_list(cls, value: object) -> object:
        if isinstance(value, tuple):
            return value
        raise ValueError("give a list of networks, e.g. [192.168.1.0/24]")

    @field_validator("allow_private")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value

    @field_validator("allow_private_links", mode="before")
    @classmethod
    def _is_a_list_of_servers(cls, value: object) -> object:
        if isinstance(value, tuple):
            return value
        raise ValueError('give a list of addresses, e.g. ["http://192.168.1.9:8080"]')

    @field_validator("allow_private_links")
    @classmethod
    def _servers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            if not _SERVER_ADDRESS.fullmatch(address):
                raise ValueError(
                    f"{address}: give http:// or https://, a host, and its port where it has one"
                )
        return value


class FoldersConfig(_Timed):
    interval: int = Field(default=10, le=_LONGEST_INTERVAL)

    @field_validator("interval", mode="before")
    @classmethod
    def _durations(cls, value: object) -> int:
        return cls._as_seconds(value)


class BackupConfig(_Timed):
    """`every` is None where none are made."""

    every: int | None = 86_400
    keep: int = Field(default=7, ge=1, le=1000)
    folder: str | None = None

    @field_validator("every", mode="before")
    @classmethod
    def _durations(cls, value: object) -> int | None:
        if value == "never":
            return None
        if value is None or cls._as_seconds(value) < _SECONDS["h"]:
            raise ValueError("give an hour at least (1h, 1d, 7d), or never")
        return cls._as_seconds(value)

    @field_serializer("every", when_used="json")
    def _or_never(self, value: int | None) -> str | None:
        return "never" if value is None else self._as_typed(value)


_AGES = ("compress_after", "text_after", "stories_after")
_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(MB|GB|TB)")
_BYTES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}


class RetentionConfig(_Part):
    """How long what is kept; ages in seconds, None for ever."""

    compress_after: int | None = 30 * 86_400
    text_after: int | None = None
    stories_after: int | None = None
    size: int | None = None

    @field_validator(*_AGES, mode="before")
    @classmethod
    def _age(cls, value: object) -> int | None:
        if value == "never":
            return None
        if isinstance(value, str):
            return bounded_seconds(value)
        raise ValueError("give a number with its unit, like 30d, or never")

    @field_validator("size", mode="before")
    @classmethod
    def _size(cls, value: object) -> int | None:
        match = _SIZE.fullmatch(value) if isinstance(value, str) else None
        if value is None or match is not None:
            return None if match is None else int(float(match[1]) * _BYTES[match[2]])
        raise ValueError("give a size with its unit, like 20 GB")

    @field_serializer(*_AGES, when_used="json")
    def _age_as_typed(self, value: int | None) -> str:
        """`config show` prints what the file may hold."""
        if value is None:
            return "never"
        unit = next(unit for unit in "dhms" if value % _SECONDS[unit] == 0)
        return f"{value // _SECONDS[unit]}{unit}"

    @field_serializer("size", when_used="json")
    def _size_as_typed(self, value: int | None) -> str | None:
        return None if value is None else f"{value / 10**6:.15g} MB"

    @model_validator(mode="after")
    def _in_their_order(self) -> "RetentionConfig":
        never = float("inf")
        ages = [never if age is None else age for age in (self.text_after, self.stories_after)]
        if ages[1] < ages[0] and self.text_after is not None:
            raise ValueError("stories_after: texts go before stories, so give an age above text_after")
        return self


class WorkConfig(_Part):
    executor: str = "processes"
    workers: int = Field(default=0, ge=0, le=64)

    @field_validator("executor")
    @classmethod
    def _executor(cls, value: str) -> str:
        if value not in ("processes", "inline") and not _CLUSTER.fullmatch(value):
            raise ValueError("choose processes, inline, or a scheduler of Dask as dask://HOST:PORT")
        return value

    @property
    def is_in_the_clear(self) -> bool:
        """Whether jobs go without TLS to a Dask scheduler that others than this machine may reach."""
        parts = urlsplit(self.executor)
        if parts.scheme != "dask":
            return False
        try:
            return not ip_address(parts.hostname or "").is_loopback
        except ValueError:
            return parts.hostname != "localhost"

    @property
    def worker_count(self) -> int:
        """As chosen; 0 means one for each processor, at most four."""
        return self.workers or min(4, os.cpu_count() or 1)


class GroupingConfig(_Part):
    """Whether stories are told across languages, and by what."""

    across_languages: Literal["off", "names", "vectors"] = "off"
    vectors: str | None = None


class SourceConfig(_Timed):
    """One source: exactly one of `feed` (an address) and `folder` (a path)."""

    feed: str | None = None
    folder: str | None = Field(default=None, min_length=1)
    name: str | None = Field(default=None, min_length=1, max_length=200)
    outlet: str | None = Field(default=None, max_length=200)
    group: str | None = Field(default=None, max_length=200)
    language: str | None = None
    timezone: str | None = None
    interval: int | None = Field(default=None, le=_LONGEST_INTERVAL)
    pages: Literal["auto", "always", "never"] | None = None

    @field_validator("interval", mode="before")
    @classmethod
    def _durations(cls, value: object) -> int:
        return cls._as_seconds(value)

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        if value is not None and value not in available_timezones():
            raise ValueError("not a time zone's name; they look like Europe/Berlin")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> "SourceConfig":
        if (self.feed is None) == (self.folder is None):
            raise ValueError("give exactly one of `feed:` (an address) and `folder:` (a path)")
        if self.feed is not None and not re.match(r"https?://[^/\s]", self.feed, re.IGNORECASE):
            raise ValueError("feed: this is no http or https address")
        return self


_WEBHOOK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_WEBHOOK_ADDRESS = re.compile(r"https?://[^/\s?#@]+([/?#]\S*)?")


class WebhookConfig(_Part):
    """Where changes of stories are sent. Neither the secret nor the address beyond its host is ever shown."""

    name: str
    url: SecretStr
    query: str | None = None
    secret: SecretStr | None = None
    secret_file: str | None = None

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not _WEBHOOK_NAME.fullmatch(value):
            raise ValueError("use letters, digits, - and _, at most 40")
        return value

    @field_validator("url")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr:
        if not _WEBHOOK_ADDRESS.fullmatch(value.get_secret_value()):
            raise ValueError("give an http or https address, without a name or password in it")
        return value

    @model_validator(mode="after")
    def _one_secret(self) -> "WebhookConfig":
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("give exactly one of `secret:` (whsec_...) and `secret_file:` (a path)")
        return self

    @field_validator("secret")
    @classmethod
    def _key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                signing_key(value.get_secret_value())
            except ConfigError as error:
                raise ValueError(str(error)) from error
        return value

    @field_serializer("url", when_used="json")
    def _host_alone(self, value: SecretStr) -> str:
        scheme, _, rest = value.get_secret_value().partition("://")
        return f"{scheme}://{re.split('[/?#]', rest, maxsplit=1)[0]}/..."


class Config(_Part):
    """All that users choose. `base` is the folder that relative paths refer to."""

    database: str | None = None
    public_url: str | None = None
    log: LogConfig = LogConfig()
    server: ServerConfig = ServerConfig()
    publish: PublishConfig = PublishConfig()
    feeds: FeedsConfig = FeedsConfig()
    fetch: FetchConfig = FetchConfig()
    folders: FoldersConfig = FoldersConfig()
    backup: BackupConfig = BackupConfig()
    work: WorkConfig = WorkConfig()
    retention: RetentionConfig = RetentionConfig()
    grouping: GroupingConfig = GroupingConfig()
    sources: tuple[SourceConfig, ...] = ()
    queries: dict[str, QueryConfig] = {}
    webhooks: tuple[WebhookConfig, ...] = ()
    families: dict[str, tuple[str, ...]] = {}
    rules: dict[str, dict[str, Any]] = {}

    _base: Path = PrivateAttr(default_factory=Path.cwd)
    _file: Path | None = PrivateAttr(default=None)

    @field_validator("queries")
    @classmethod
    def _names(cls, value: dict[str, QueryConfig]) -> dict[str, QueryConfig]:
        for name in value:
            if not is_query_name(name):
                raise ValueError(
                    f"{name!r} cannot name a query: use letters, digits, - and _, at most 40, "
                    f"and not {' or '.join(sorted(RESERVED_NAMES))}"
                )
        return value

    @field_validator("webhooks")
    @classmethod
    def _check_webhooks(
        cls, value: tuple[WebhookConfig, ...], info: ValidationInfo
    ) -> tuple[WebhookConfig, ...]:
        names = [webhook.name for webhook in value]
        queries = info.data.get("queries")  # absent where it has mistakes of its own
        for webhook in value:
            if names.count(webhook.name) > 1:
                raise ValueError(f"two are called {webhook.name!r}")
            if webhook.query is not None and queries is not None and webhook.query not in queries:
                raise ValueError(
                    f"{webhook.name!r} asks for the query {webhook.query!r}; `queries:` has none so called"
                )
        return value

    @property
    def base(self) -> Path:
        return self._base

    def saved_query(self, name: str) -> SavedQuery:
        """The query of that name. Raises UsageError where there is none."""
        if name not in self.queries:
            known = ", ".join(sorted(self.queries)) or "none"
            raise UsageError(f"there is no saved query {name[:40]!r}; config.yaml has: {known}")
        return SavedQuery(name=name, **self.queries[name].model_dump())

    @property
    def saved_queries(self) -> tuple[SavedQuery, ...]:
        """All of them, in the order of the file."""
        return tuple(self.saved_query(name) for name in self.queries)

    @property
    def file(self) -> Path | None:
        """The file this was read from; None for the built-in defaults."""
        return self._file

    def read_from(self, path: Path) -> "Config":
        """The same, as what the file at `path` says."""
        config = self.model_copy()
        config._base, config._file = path.absolute().parent, path.absolute()
        return config

    @property
    def database_url(self) -> str:
        """An SQLAlchemy address. A relative SQLite file is meant from the configuration's folder.

        Raises ConfigError for an address of another kind, and where the file that should hold it holds none.
        """
        given = os.environ.get(DATABASE_VARIABLE) or _database_in_a_file() or self.database
        if given is None:
            folder = Path(os.environ.get("STATE_DIRECTORY") or self._base)
            return f"sqlite:///{(folder / 'aggregator.db').absolute()}"
        return absolute_database_url(given, self._base)

    @property
    def effective_tuning(self) -> Tuning:
        """The rules in force, with what `grouping` chooses. Raises ConfigError for what cannot be."""
        chosen = sorted({"mode", "model", "folder"} & set(self.rules.get("across", {})))
        if chosen:
            raise ConfigError(f"rules.across.{chosen[0]}: this is chosen by `grouping:`")
        all_tuning = effective_tuning(_merge_overrides(self._across_languages(), self.rules))
        least = float(all_tuning.values("retention")["least_days"]) * _SECONDS["d"]
        for name in ("text_after", "stories_after"):
            age = getattr(self.retention, name)
            if age is not None and age < least:
                raise ConfigError(
                    f"retention.{name}: what is younger than a day would be deleted for good; "
                    "give a day or more, such as 180d"
                )
        return all_tuning

    def _across_languages(self) -> dict[str, dict[str, Any]]:
        """The rules that follow from `grouping`; {} where it is off."""
        mode, given = self.grouping.across_languages, self.grouping.vectors
        if mode == "off":
            return {}
        if mode == "names":
            return {"across": {"mode": mode}}
        if given is None:
            raise ConfigError("grouping.vectors: give the folder of a model (docs/operations.md)")
        if find_spec("model2vec") is None:
            raise ConfigError(
                "grouping.across_languages: vectors need a library that is not installed; "
                "type: pip install 'model2vec>=0.10,<1'"
            )
        folder = self.path(given)
        model, size = _model_of(folder)
        work: dict[str, Any] = effective_tuning().values("work")
        return {
            "across": {"mode": mode, "model": model, "folder": str(folder)},
            "work": {
                "memory_extra_bytes": work["memory_extra_bytes"] + _LOADING * size,
                "parse_deadline_seconds": work["parse_deadline_seconds"] + _LOADING_SECONDS,
            },
        }

    def secret_path(self, given: str) -> Path:
        """Where a secret lies: among what systemd handed over (LoadCredential=), else as `path` says."""
        credential = Path(os.environ.get("CREDENTIALS_DIRECTORY", "")) / given
        is_there = credential.is_absolute() and os.path.isfile(credential)  # noqa: PTH113 - a Path raises
        return credential if is_there else self.path(given)

    def path(self, given: str) -> Path:
        """A path of the file, meant from the file's own folder."""
        return (self._base / expanded(given)).absolute()


def _merge_overrides(
    below: Mapping[str, Mapping[str, Any]], above: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    return {name: {**below.get(name, {}), **above.get(name, {})} for name in {**below, **above}}


def _model_of(folder: Path) -> tuple[str, int]:
    """A hash that tells the model in `folder` from others, and its size in bytes.

    Reads the ends of the files only. Raises ConfigError where the folder holds no model: articles that wait
    for a model which cannot be loaded would be refused one by one.
    """
    digest, size = hashlib.blake2b(digest_size=6), 0
    for name in _MODEL_FILES:
        file = folder / name
        try:
            with file.open("rb") as opened:
                beginning = opened.read(_ENDS)
                length = opened.seek(0, os.SEEK_END)
                opened.seek(max(0, length - _ENDS))
                digest.update(f"{name} {length}\n".encode() + beginning + opened.read())
        except OSError as error:
            raise ConfigError(
                f"grouping.vectors: {folder} is no model: {name} cannot be read: {error.strerror}"
            ) from error
        if not _begins_like(name, beginning, length):
            raise ConfigError(f"grouping.vectors: {folder} is no model: {name} is not what it is called")
        size += length
    return digest.hexdigest(), size


def _begins_like(name: str, beginning: bytes, length: int) -> bool:
    if name.endswith(".json"):
        return beginning.lstrip()[:1] == b"{"
    header = int.from_bytes(beginning[:8], "little")  # safetensors: bytes of the JSON that follows
    return 8 + header <= length and beginning[8:9] == b"{" and b'"embeddings"' in beginning[: 8 + header]


def _database_in_a_file() -> str | None:
    """The address in the file that AGGREGATOR_DATABASE_FILE names, so that its password is in no list."""
    name = os.environ.get(DATABASE_FILE_VARIABLE)
    if not name:
        return None
    try:
        address = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"database: {DATABASE_FILE_VARIABLE}: {name} cannot be read: {why}") from error
    if not address or len(address.splitlines()) > 1:
        raise ConfigError(f"database: {DATABASE_FILE_VARIABLE}: {name} should hold one line, the address")
    return address


def absolute_database_url(given: str, base: Path) -> str:
    """`given` with a relative SQLite path made absolute and a Postgres address sent to psycopg 3.

    Raises ConfigError for an address of another kind.
    """
    if "://" not in given:
        try:
            return f"sqlite:///{(base / expanded(given)).absolute()}"
        except ConfigError as error:
            raise ConfigError(f"database: {error}") from error
    scheme, rest = given.split("://", 1)
    if scheme == "sqlite":
        path = rest.removeprefix("/")
        return f"sqlite:///{(base / path).absolute()}"
    if scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        try:
            _ = urlsplit(f"//{rest}").port
        except ValueError as error:
            raise ConfigError("database: give its port as a number: postgresql://HOST:5432/NAME") from error
        return f"postgresql+psycopg://{rest}"
    raise ConfigError(
        f"database: {scheme}:// is not supported; give sqlite:///FILE or postgresql://USER@HOST/NAME"
    )
