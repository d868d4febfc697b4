"""config.yaml → Config: what users choose.

Reading reports every mistake at once, each as `config.yaml:LINE: KEY: what is wrong`. Unknown keys are
refused. YAML is read by the rules of YAML 1.2's core schema: `no`, `on` and `1:30` stay the words they look
like. Secrets and the database may come from the environment (AGGREGATOR_DATABASE).
"""

import datetime as dt
import hashlib
import os
import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal
from zoneinfo import available_timezones

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from aggregator.errors import ConfigError, UsageError
from aggregator.queries import RESERVED_NAMES, SavedQuery, is_query_name, parse_moment
from aggregator.rules import RuleBook, rule_book
from aggregator.signatures import signing_key

_DURATION = re.compile(r"(\d+)\s*(s|m|h|d)")
_Path = tuple[str | int, ...]
_DEEPEST = 4  # keys below each other in config.yaml
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


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LogConfig(_Part):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class ServerConfig(_Part):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    allowed_hosts: tuple[str, ...] = ()


class PublishConfig(_Part):
    title: str = "Stories"
    excerpt_words: int = Field(default=60, ge=0)
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
            return seconds(value)
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
    interval: int = 3600
    host_gap: int = 1
    threads: int = Field(default=8, ge=1, le=64)
    pages: Literal["auto", "always", "never"] = "auto"
    robots: bool = True
    allow_private: tuple[str, ...] = ()

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


class FoldersConfig(_Timed):
    interval: int = 10

    @field_validator("interval", mode="before")
    @classmethod
    def _durations(cls, value: object) -> int:
        return cls._as_seconds(value)


class WorkConfig(_Part):
    executor: Literal["processes", "inline"] = "processes"
    workers: int = Field(default=0, ge=0, le=64)

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
    folder: str | None = None
    name: str | None = None
    outlet: str | None = None
    group: str | None = None
    language: str | None = None
    timezone: str | None = None
    interval: int | None = None
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
        if self.feed is not None and not re.match(r"https?://[^/\s]", self.feed):
            raise ValueError(f"feed: {self.feed!r} is no http or https address")
        return self


_HOOK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_HOOK_ADDRESS = re.compile(r"https?://[^/\s?#@]+([/?#]\S*)?")


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
        if not _HOOK_NAME.fullmatch(value):
            raise ValueError("use letters, digits, - and _, at most 40")
        return value

    @field_validator("url")
    @classmethod
    def _address(cls, value: SecretStr) -> SecretStr:
        if not _HOOK_ADDRESS.fullmatch(value.get_secret_value()):
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
    work: WorkConfig = WorkConfig()
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
    def _hooks(cls, value: tuple[WebhookConfig, ...], info: ValidationInfo) -> tuple[WebhookConfig, ...]:
        names = [hook.name for hook in value]
        queries = info.data.get("queries")  # absent where it has mistakes of its own
        for hook in value:
            if names.count(hook.name) > 1:
                raise ValueError(f"two are called {hook.name!r}")
            if hook.query is not None and queries is not None and hook.query not in queries:
                raise ValueError(
                    f"{hook.name!r} asks for the query {hook.query!r}; `queries:` has none so called"
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

    @property
    def database_url(self) -> str:
        """An SQLAlchemy address. A relative SQLite file is meant from the configuration's folder."""
        given = os.environ.get("AGGREGATOR_DATABASE") or self.database
        if given is None:
            folder = Path(os.environ.get("STATE_DIRECTORY") or self._base)
            return f"sqlite:///{(folder / 'aggregator.db').absolute()}"
        return absolute_database_url(given, self._base)

    @property
    def rule_book(self) -> RuleBook:
        """The rules in force, with what `grouping` chooses. Raises ConfigError for what cannot be."""
        chosen = sorted({"mode", "model", "folder"} & set(self.rules.get("across", {})))
        if chosen:
            raise ConfigError(f"rules.across.{chosen[0]}: this is chosen by `grouping:`")
        return rule_book(_laid_over(self._across_languages(), self.rules))

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
                "type: pip install 'aggregator[vectors]'"
            )
        folder = self.path(given)
        model, size = _model_of(folder)
        work: dict[str, Any] = rule_book().values("work")
        return {
            "across": {"mode": mode, "model": model, "folder": str(folder)},
            "work": {
                "memory_extra_bytes": work["memory_extra_bytes"] + _LOADING * size,
                "parse_deadline_seconds": work["parse_deadline_seconds"] + _LOADING_SECONDS,
            },
        }

    def path(self, given: str) -> Path:
        """A path of the file, meant from the file's own folder."""
        return (self._base / Path(given).expanduser()).absolute()


def _laid_over(
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


def absolute_database_url(given: str, base: Path) -> str:
    """`given` with a relative SQLite path made absolute and a Postgres address sent to psycopg 3.

    Raises ConfigError for an address of another kind.
    """
    if "://" not in given:
        return f"sqlite:///{(base / Path(given).expanduser()).absolute()}"
    scheme, rest = given.split("://", 1)
    if scheme == "sqlite":
        path = rest.removeprefix("/")
        return f"sqlite:///{(base / path).absolute()}"
    if scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        return f"postgresql+psycopg://{rest}"
    raise ConfigError(
        f"database: {scheme}:// is not supported; give sqlite:///FILE or postgresql://USER@HOST/NAME"
    )


def shipped_config_text() -> str:
    """The config.yaml that comes with the program, for a checkout and for an installed wheel."""
    installed = files("aggregator").joinpath("_shipped", "config.yaml")
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    return (Path(__file__).parent.parent / "config.yaml").read_text(encoding="utf-8")


def load(path: Path | None, *, database: str | None = None) -> Config:
    """The configuration of `path`; of ./config.yaml if that is there; else the shipped one without sources.

    `database` (from the command line) goes before file and environment, relative to the current folder.
    Raises ConfigError with one line for every mistake.
    """
    if path is None and Path("config.yaml").is_file():
        path = Path("config.yaml")
    lines: dict[_Path, int] = {}
    if path is None:
        config = Config()
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from error
        values, lines = _parse(text, path.name)
        config = _checked(values, lines, path.name)
        config._base = path.absolute().parent
        config._file = path.absolute()
    if database is not None:
        config = config.model_copy(update={"database": absolute_database_url(database, Path.cwd())})
        os.environ.pop("AGGREGATOR_DATABASE", None)
    try:
        _ = config.database_url, config.rule_book
    except ConfigError as error:
        raise _located(error, lines, path.name if path else "") from error
    return config


def line_of_source(config: Config, number: int) -> int | None:
    """The line of the file in which the source of that number (from 0) begins; None without a file."""
    if config.file is None:
        return None
    try:
        lines = _parse(config.file.read_text(encoding="utf-8"), config.file.name)[1]
    except (OSError, UnicodeDecodeError, ConfigError):
        return None
    return lines.get(("sources", number))


def _located(error: ConfigError, lines: Mapping[_Path, int], name: str) -> ConfigError:
    """Each line of `error`, which begins with a dotted key, with the file's line where that key stands."""
    found = []
    for words in str(error).splitlines():
        path = tuple(words.split(":")[0].split("."))
        line = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)
        found.append(words if line is None else f"{name}:{line}: {words}")
    return ConfigError("\n".join(found))


class _CoreLoader(yaml.SafeLoader):
    """YAML 1.2's core schema: true/false, decimal numbers and null; everything else is text."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - none of SafeLoader's; typed as there


def _whole_number(loader: _CoreLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))  # SafeLoader's own reads 010 as 8


_RESOLVED = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    "int": (r"[-+]?[0-9]{1,300}", "-+0123456789"),
    "float": (r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
}
for _kind, (_pattern, _first) in _RESOLVED.items():
    _CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )
_CoreLoader.add_constructor("tag:yaml.org,2002:int", _whole_number)


def _parse(text: str, name: str) -> tuple[dict[str, Any], dict[_Path, int]]:
    loader = None
    try:
        loader = _CoreLoader(text)
        node = loader.get_single_node()
        values = {} if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{name}:{line}: {error.problem or 'cannot be read as YAML'}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: cannot be read as YAML: {' '.join(str(error).split())}") from error
    finally:
        if loader is not None:
            loader.dispose()
    if not isinstance(values, dict):
        raise ConfigError(f"{name}:1: expected `key: value` lines, found {type(values).__name__}")
    lines: dict[_Path, int] = {}
    if node is not None:
        twice: list[str] = []
        _note_lines(node, (), lines, twice)
        if twice:
            raise ConfigError("\n".join(f"{name}:{mistake}" for mistake in twice))
    return {key: value for key, value in values.items() if value is not None}, lines


def _note_lines(node: yaml.Node, path: _Path, lines: dict[_Path, int], twice: list[str]) -> None:
    """Where every key stands; YAML itself lets the last of two equal keys win in silence."""
    lines.setdefault(path, node.start_mark.line + 1)
    if len(path) > _DEEPEST:
        return  # nothing of ours is so deep; an alias may hold itself
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*path, key.value)
            if place in lines:
                twice.append(
                    f"{key.start_mark.line + 1}: {key.value}: stands twice, first in line {lines[place]}"
                )
            lines[place] = key.start_mark.line + 1
            _note_lines(value, place, lines, twice)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _note_lines(item, (*path, number), lines, twice)


def _checked(values: dict[str, Any], lines: dict[_Path, int], name: str) -> Config:
    try:
        return Config.model_validate(_tuples(values))
    except RecursionError as error:
        raise ConfigError(
            f"{name}:1: nested without end; does an alias (*) stand inside what it names?"
        ) from error
    except ValidationError as error:
        problems = []
        for detail in error.errors():
            path = tuple(part for part in detail["loc"] if isinstance(part, str | int))
            known = next(path[:end] for end in range(len(path), -1, -1) if path[:end] in lines)
            dotted = ".".join(str(part) for part in path)
            words = f"{name}:{lines[known]}: {dotted}: {_in_words(detail['type'], detail['msg'])}"
            problems.append((lines[known], words))
        raise ConfigError("\n".join(words for _, words in sorted(problems))) from error


def _in_words(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such key"
    if kind == "tuple_type":
        return "give a list: a line with a dash for each, or [a, b]"
    if kind in ("model_type", "dict_type"):
        return "give `key: value` lines below it"
    return message.removeprefix("Value error, ").removeprefix("Input should be ")


def _tuples(value: Any) -> Any:
    """Lists as tuples: the models are frozen and strict."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    return value
