"""The settings of config.yaml, which config/loader.py reads.

AGGREGATOR_DATABASE and AGGREGATOR_DATABASE_FILE in the environment take precedence over `database`.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from aggregator.config.delivery_settings import (
    DigestConfig,
    NotifyConfig,
    WebhookConfig,
)
from aggregator.config.hosts import OWN_FEED, is_loopback, is_own_feed
from aggregator.config.publish_settings import (
    RESERVED_NAMES,
    FeedsConfig,
    PublishConfig,
    ServerConfig,
    is_query_name,
)
from aggregator.config.source_settings import MuteConfig, SourceConfig
from aggregator.config.story_query import SavedQuery
from aggregator.config.tuning import Tuning
from aggregator.config.values import (
    SECONDS,
    TYPED,
    TYPED_OR_NEVER,
    TYPED_SIZE,
    Age,
    Interval,
    Lines,
    Networks,
    Part,
    age_of,
    at_key,
    duration_up_to,
    expand_path,
    matching,
    size,
    text_of,
)
from aggregator.model.entry import FetchPages
from aggregator.model.errors import ConfigError, UsageError

DATABASE_VARIABLE = "AGGREGATOR_DATABASE"

DATABASE_FILE_VARIABLE = "AGGREGATOR_DATABASE_FILE"

_EXECUTOR = r"processes|inline|dask(?:\+tls)?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}"


def _backup_interval(value: object) -> int | None:
    every = age_of(value)
    if every is not None and every < SECONDS["h"]:
        raise ValueError("give an hour at least (1h, 1d, 7d), or never")
    return every


class LogConfig(Part):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class FetchConfig(Part):
    contact: str = ""
    interval: Interval = 3600
    host_gap: Annotated[int, duration_up_to(1), TYPED] = 1
    pages: FetchPages = "auto"
    robots: bool = True
    proxy: SecretStr | None = None
    proxy_file: str | None = None
    proxy_env: str | None = None
    allow_private: Networks = ()


class BackupConfig(Part):
    """The section `backup`. `every` is in seconds; None means no backups."""

    every: Annotated[int | None, BeforeValidator(_backup_interval), TYPED_OR_NEVER] = (
        86_400
    )
    keep: int = Field(default=7, ge=1, le=1000)
    folder: str | None = None


class RetentionConfig(Part):
    """The section `retention`. Ages are in seconds; None means no limit."""

    text_after: Age = None
    stories_after: Age = None

    @model_validator(mode="after")
    def _in_their_order(self) -> "RetentionConfig":
        texts, stories = self.text_after, self.stories_after
        if texts is not None and stories is not None and stories < texts:
            raise ValueError(
                "stories_after: texts are deleted before stories, so give an age of at least text_after"
            )
        return self


class WorkConfig(Part):
    executor: Annotated[
        str,
        matching(
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
        """Return the number of workers. `workers: 0` stands for one per processor, at most four.

        `spared` is the number of processors that get no worker. The daemon leaves one to its writer, because on two
        processors a second worker takes 84 MB, and a first reading ends no sooner.
        """
        return self.workers or max(1, min(4, (os.cpu_count() or 1) - spared))


class GroupingConfig(Part):
    """The section `grouping`: the memory for live stories."""

    memory: Annotated[int, BeforeValidator(size), TYPED_SIZE] = 600_000_000


class Config(Part):
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
    queries: dict[str, SavedQuery] = Field(default={})
    webhooks: tuple[WebhookConfig, ...] = ()
    notify: tuple[NotifyConfig, ...] = ()
    digest: DigestConfig = DigestConfig()
    mute: MuteConfig = MuteConfig()
    families: dict[str, tuple[str, ...]] = Field(default={})

    _base: Path = PrivateAttr(default_factory=Path.cwd)
    _file: Path | None = PrivateAttr(default=None)
    _lines: Lines = PrivateAttr(default={})
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
        server = info.data.get("server")
        public_url = info.data.get("public_url")
        for source in value:
            if (
                source.feed
                and server
                and is_own_feed(source.feed, server.host, server.port, public_url)
            ):
                raise ValueError(f"{source.feed}: {OWN_FEED}")
        return value

    @field_validator("webhooks", "notify")
    @classmethod
    def _check_recipients(
        cls, value: tuple[WebhookConfig | NotifyConfig, ...], info: ValidationInfo
    ) -> tuple[WebhookConfig | NotifyConfig, ...]:
        names = [recipient.name for recipient in value]
        for recipient in value:
            if names.count(recipient.name) > 1:
                raise ValueError(f"two have the name {recipient.name!r}")
            _check_query(repr(recipient.name), recipient.query, info)
        return value

    @field_validator("digest")
    @classmethod
    def _check_digest(cls, value: DigestConfig, info: ValidationInfo) -> DigestConfig:
        _check_query("it", value.query, info)
        return value

    def is_own_feed(self, address: str) -> bool:
        """Return whether this program itself serves the feed at an address."""
        return is_own_feed(address, self.server.host, self.server.port, self.public_url)

    @property
    def base(self) -> Path:
        return self._base

    def saved_query(self, name: str | None) -> SavedQuery | None:
        """Return the query with this name; None if `name` is empty. Raises UsageError for an unknown name."""
        if not name:
            return None
        if name not in self.queries:
            known = ", ".join(sorted(self.queries)) or "none"
            raise UsageError(
                f"there is no saved query {name[:40]!r}; config.yaml has: {known}"
            )
        return self.queries[name]

    @property
    def file(self) -> Path | None:
        """The file that the configuration was read from; None for the built-in defaults."""
        return self._file

    @property
    def lines(self) -> Lines:
        """The line of each key in the file; {} without a file."""
        return self._lines

    @property
    def warnings(self) -> tuple[str, ...]:
        """Messages about keys of earlier versions, which have no effect; each begins with the line of its key."""
        return self._warnings

    def read_from(
        self, path: Path, lines: Lines, warnings: tuple[str, ...]
    ) -> "Config":
        """Return this configuration as read from the file at `path`."""
        config = self.model_copy()
        config._warnings = warnings
        # ".." is resolved, so that paths are the same wherever the program is started.
        file = Path(os.path.normpath(path.absolute()))
        config._base, config._file, config._lines = file.parent, file, lines
        return config

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the database. A relative SQLite path refers to the folder `base`.

        Raises ConfigError for an unsupported URL, and where AGGREGATOR_DATABASE_FILE cannot be read.
        """
        given = os.environ.get(DATABASE_VARIABLE)
        name = os.environ.get(DATABASE_FILE_VARIABLE)
        if name and not given:
            # The file keeps its password out of process lists.
            with at_key(f"database: {DATABASE_FILE_VARIABLE}"):
                given = text_of(Path(name)).strip()
            if not given or len(given.splitlines()) > 1:
                raise ConfigError(
                    f"database: {DATABASE_FILE_VARIABLE}: {name} should hold one line, the address"
                )
        given = given or self.database
        if given is None:
            folder = Path(os.environ.get("STATE_DIRECTORY") or self._base)
            return f"sqlite:///{(folder / 'aggregator.db').absolute()}"
        return absolute_database_url(given, self._base)

    @property
    def effective_tuning(self) -> Tuning:
        """The tuning in force, with `grouping` applied. Raises ConfigError for invalid values."""
        reach: dict[str, dict[str, Any]] = {}
        if "memory" in self.grouping.model_fields_set:
            events = Tuning().values("events")
            fixed, each = events["memory_fixed"], events["memory_an_article"]
            articles = (self.grouping.memory - fixed) // each
            if articles < events["undated_reach"]:
                needed = fixed + events["undated_reach"] * each
                raise ConfigError(
                    f"grouping.memory: give at least {-(-needed // 10**6)} MB"
                )
            # Copies are searched for as far back as stories are live.
            reach = {
                "events": {"live_reach": articles},
                "copies": {"passage_reach": articles},
            }
        all_tuning = Tuning(reach)
        least = float(all_tuning.values("retention")["steady_days"]) * SECONDS["d"]
        for name in ("text_after", "stories_after"):
            age = getattr(self.retention, name)
            if age is not None and age < least:
                raise ConfigError(
                    f"retention.{name}: articles younger than a day would be deleted permanently; "
                    "give a day or more, such as 180d"
                )
        return all_tuning

    def secret_path(self, given: str) -> Path:
        """Return the path of a secret: a systemd credential (LoadCredential=) if there is one, else `path(given)`."""
        credential = Path(os.environ.get("CREDENTIALS_DIRECTORY", "")) / given
        if credential.is_absolute() and os.path.isfile(credential):  # noqa: PTH113 - a Path raises if access is denied
            return credential
        return self.path(given)

    def path(self, given: str) -> Path:
        """Return a path of the configuration as an absolute one; a relative path refers to the folder `base`."""
        return (self._base / expand_path(given)).absolute()


def _check_query(user: str, name: str | None, info: ValidationInfo) -> None:
    queries = info.data.get("queries")  # absent if that section is invalid
    if name is not None and queries is not None and name not in queries:
        raise ValueError(
            f"{user} uses the query {name!r}, which `queries:` does not have"
        )


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
            return f"sqlite:///{(base / expand_path(given)).absolute()}"
    scheme, rest = given.split("://", 1)
    if scheme == "sqlite":
        return f"sqlite:///{(base / rest.removeprefix('/')).absolute()}"
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
