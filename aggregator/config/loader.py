"""Read config.yaml and report its mistakes with their lines.

All mistakes are reported together, each as `config.yaml:LINE: KEY: message`. Unknown keys are mistakes. The
file is read with the core schema of YAML 1.2, in which `no`, `on` and `1:30` are strings.
"""

import os
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from aggregator.config.messages import meant
from aggregator.config.settings import (
    DATABASE_FILE_VARIABLE,
    DATABASE_VARIABLE,
    Config,
    absolute_database_url,
)
from aggregator.config.shipped import shipped
from aggregator.config.values import KeyPath
from aggregator.model.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MAX_DEPTH = 4  # nested keys in config.yaml
# Databases cannot store them
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_OTHER_WORDS = {
    "url": "feed",
    "address": "feed",
    "path": "folder",
    "directory": "folder",
    "category": "group",
}
# By the kind of mistake that pydantic names; the first ones whatever the value is.
_ADVICE = {
    "missing": "this key is required",
    "string_too_short": "give at least one character",
    "model_type": "give `key: value` lines below it",
    "dict_type": "give `key: value` lines below it",
    "tuple_type": "give a list: a line with a dash for each, or [a, b]",
}
_LIMITS = {
    "greater_than_equal": "give at least {ge}",
    "less_than_equal": "give at most {le}",
    "string_too_long": "give at most {max_length} characters",
}
_EXPECTED = {
    "string_type": "give text",
    "int_type": "give a whole number",
    "bool_type": "give true or false",
}

_SYNTAX_ADVICE = (
    "begin all keys of a section in one column, indented with spaces, and put a value with `: `, a quotation "
    "mark or a backslash in single quotes"
)


def shipped_config_text() -> str:
    """Return the shipped config.yaml."""
    return shipped("config.yaml").read_text(encoding="utf-8")


def starting_config_text() -> str:
    """Return the shipped config.yaml without the sample articles, which only a checkout has."""
    before, _, samples = shipped_config_text().partition("  # The samples ")
    return before + samples.partition("\n\n")[2]


def load(path: Path | None, *, database: str | None = None) -> Config:
    """Read the configuration at `path`, else at ./config.yaml where it exists, else use the defaults.

    `database` (from the command line) takes precedence over the file and the environment; a relative path in
    it refers to the current folder. Raises ConfigError with one line for every mistake.
    """
    if path is None and Path("config.yaml").is_file():
        path = Path("config.yaml")
    if path is None:
        config = Config()
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: this is not UTF-8 text") from error
        values, lines = _parse(text, path.name)
        former = _without_former_defaults(values, lines, path.name)
        config = _checked(values, lines, path.name).read_from(path, lines, former)
    if database is not None:
        config = config.model_copy(
            update={"database": absolute_database_url(database, Path.cwd())}
        )
        for name in (DATABASE_VARIABLE, DATABASE_FILE_VARIABLE):
            os.environ.pop(name, None)
    try:
        _ = config.database_url, config.effective_tuning
    except ConfigError as error:
        raise located(error, config) from error
    return config


def located(error: ConfigError, config: Config) -> ConfigError:
    """Prefix each line of `error`, which begins with a dotted key, with the line of that key; sort them."""
    lines, name = config.lines, config.file.name if config.file else ""
    messages = []
    for message in str(error).splitlines():
        parts = message.split(":")[0].split(".")
        path = tuple(int(part) if part.isdecimal() else part for part in parts)
        line = next(
            (
                lines[path[:end]]
                for end in range(len(path), 0, -1)
                if path[:end] in lines
            ),
            None,
        )
        messages.append(
            (line or 0, message if line is None else f"{name}:{line}: {message}")
        )
    return ConfigError("\n".join(message for _, message in sorted(messages)))


class _CoreLoader(yaml.SafeLoader):
    """The core schema of YAML 1.2: true, false, null and decimal numbers; everything else is a string."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - replaces the class attribute of SafeLoader


_RESOLVED = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    "int": (r"[-+]?[0-9]{1,300}", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?",
        "-+.0123456789",
    ),
}
for _kind, (_pattern, _first) in _RESOLVED.items():
    _CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )
# SafeLoader reads 010 as octal. Lists and mappings are read whole at once, so that an alias inside of what it
# names is a mistake; tuples, as the frozen models require.
for _kind, _construct in (
    ("int", lambda loader, node: int(loader.construct_scalar(node))),
    ("map", lambda loader, node: loader.construct_mapping(node, deep=True)),
    ("seq", lambda loader, node: tuple(loader.construct_sequence(node, deep=True))),
):
    _CoreLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _construct)


def _parse(text: str, name: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    loader = None
    try:
        loader = _CoreLoader(text)
        node = loader.get_single_node()
        values = {} if node is None else loader.construct_document(node)
    except RecursionError as error:
        raise ConfigError(f"{name}: lists or keys are nested too deeply") from error
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{name}:{_syntax_text(error)}") from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{name}: cannot be read as YAML: {' '.join(str(error).split())}"
        ) from error
    finally:
        if loader is not None:
            loader.dispose()
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, tuple) else "a single value"
        raise ConfigError(f"{name}:1: expected `key: value` lines, found {kind}")
    lines: dict[KeyPath, int] = {}
    if node is not None:
        mistakes: list[str] = []
        _note_lines(node, (), lines, mistakes)
        if mistakes:
            raise ConfigError("\n".join(f"{name}:{mistake}" for mistake in mistakes))
    return {key: value for key, value in values.items() if value is not None}, lines


def _syntax_text(error: yaml.MarkedYAMLError) -> str:
    """Return line, column and description of a mistake in the syntax of YAML."""
    mark, begun = error.problem_mark, error.context_mark
    place = "1" if mark is None else f"{mark.line + 1}: column {mark.column + 1}"
    inside = (
        ""
        if begun is None
        else f"{error.context} that begins in line {begun.line + 1}: "
    )
    return f"{place}: not valid YAML: {inside}{error.problem}; {_SYNTAX_ADVICE}"


def _note_lines(
    node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], mistakes: list[str]
) -> None:
    """Collect the line of every key, and the mistakes that YAML permits.

    These are a repeated key, of which YAML silently uses the last, and a control character in a text.
    """
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode) and _CONTROL.search(node.value):
        dotted = _CONTROL.sub("?", ".".join(map(str, path)))
        mistakes.append(
            f"{node.start_mark.line + 1}: {dotted}: there is a control character in it"
        )
    if len(path) > _MAX_DEPTH:
        return  # no key of ours is so deep; an alias may contain itself
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, key.value if isinstance(key, yaml.ScalarNode) else "?")
            _note_lines(key, below, {}, mistakes)
            if below in lines:
                mistakes.append(
                    f"{key.start_mark.line + 1}: {below[-1]}: repeated; it is first in line {lines[below]}"
                )
            lines[below] = key.start_mark.line + 1
            _note_lines(value, below, lines, mistakes)
    elif isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            _note_lines(child, (*path, number), lines, mistakes)


def _without_former_defaults(
    values: dict[str, Any], lines: Mapping[KeyPath, int], name: str
) -> tuple[str, ...]:
    """Remove keys of earlier versions that have their default of then; return a warning for each."""
    table = (
        files("aggregator.config")
        .joinpath("former_defaults.yaml")
        .read_text(encoding="utf-8")
    )
    warnings: list[str] = []
    for dotted, default in _CoreLoader(table).get_data().items():
        section, _, key = dotted.rpartition(".")
        keys = values.get(section) if section else values
        if isinstance(keys, dict) and keys.get(key, ...) == default:
            del keys[key]
            line = lines[tuple(dotted.split("."))]
            warnings.append(
                f"{name}:{line}: {dotted}: this key is gone, and its value was the default"
            )
    return tuple(warnings)


def _checked(values: dict[str, Any], lines: dict[KeyPath, int], name: str) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = []
        for detail in error.errors():
            path = tuple(
                part
                for part in detail["loc"]
                if isinstance(part, str | int) and part != "[key]"
            )
            # Of a number or boolean, which `lines` has as it is typed
            if "[key]" in detail["loc"]:
                path = (*path[:-1], str(path[-1]))
            line = next(
                lines[path[:end]]
                for end in range(len(path), -1, -1)
                if path[:end] in lines
            )
            dotted = ".".join(str(part) for part in path)
            problems.append(
                (line, f"{name}:{line}: {dotted}: {_error_text(path, detail)}")
            )
        raise ConfigError(
            "\n".join(message for _, message in sorted(problems))
        ) from error


def _error_text(path: KeyPath, detail: "ErrorDetails") -> str:  # noqa: PLR0911
    """Describe a mistake that pydantic found in one short sentence."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return _unknown_key_text(path)
    if kind == "literal_error" or kind in _LIMITS:
        return _limit_text(path, kind, context)
    if kind == "invalid_key" or "[key]" in detail["loc"]:
        return "put the key in quotes"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "give text: put the value in quotes"
    if kind in _ADVICE:
        return _ADVICE[kind]
    if value is None:
        return "it has no value: give one, or remove the key"
    return _EXPECTED.get(kind, detail["msg"].removeprefix("Input should be "))


def _limit_text(path: KeyPath, kind: str, context: Mapping[str, Any]) -> str:
    if kind == "literal_error":
        return "choose " + str(context["expected"]).replace("'", "")
    # durations, in seconds
    if kind == "less_than_equal" and path[-1] in ("interval", "host_gap"):
        return f"give at most {context['le'] // 86_400}d"
    return _LIMITS[kind].format(**context)


def _unknown_key_text(path: KeyPath) -> str:
    key = str(path[-1])
    known = _known_keys(path[:-1])
    other = _OTHER_WORDS.get(key, "")
    return f"there is no such key{meant(other if other in known else key, known)}"


def _known_keys(path: KeyPath) -> list[str]:
    """Return the keys of the section at `path`."""
    kind: Any = Config
    for part in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = kind.model_fields[str(part)].annotation
        else:  # a list or a mapping of sections
            kind = next(
                inner
                for inner in get_args(kind)
                if isinstance(inner, type) and issubclass(inner, BaseModel)
            )
    return list(kind.model_fields)
