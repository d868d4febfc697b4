"""config.yaml as a file: its text, its lines, and the words for what is wrong in it.

Reading reports every mistake at once, each as `config.yaml:LINE: KEY: what is wrong`. Unknown keys are
refused. YAML is read by the rules of YAML 1.2's core schema: `no`, `on` and `1:30` stay the words they look
like.
"""

import os
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from aggregator.config import DATABASE_FILE_VARIABLE, DATABASE_VARIABLE, Config, absolute_database_url
from aggregator.errors import ConfigError

_Path = tuple[str | int, ...]
_DEEPEST = 4  # keys below each other in config.yaml


def shipped_config_text() -> str:
    """The config.yaml that comes with the program, for a checkout and for an installed wheel."""
    installed = files("aggregator").joinpath("_shipped", "config.yaml")
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    return (Path(__file__).parent.parent / "config.yaml").read_text(encoding="utf-8")


def starting_config_text() -> str:
    """The shipped config.yaml for an installation elsewhere: without the samples, which lie in a checkout."""
    return re.sub(r"  # The samples .*?\n\n", "", shipped_config_text(), flags=re.DOTALL)


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
        config = config.read_from(path)
    if database is not None:
        config = config.model_copy(update={"database": absolute_database_url(database, Path.cwd())})
        for name in (DATABASE_VARIABLE, DATABASE_FILE_VARIABLE):
            os.environ.pop(name, None)
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
