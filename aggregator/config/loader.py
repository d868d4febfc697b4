"""config.yaml as a file: its text, its lines, and the words for what is wrong in it.

Reading reports every mistake at once, each as `config.yaml:LINE: KEY: what is wrong`. Unknown keys are
refused. YAML is read by the rules of YAML 1.2's core schema: `no`, `on` and `1:30` stay the words they look
like.
"""

import os
import re
from collections.abc import Mapping
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from aggregator.config.settings import (
    DATABASE_FILE_VARIABLE,
    DATABASE_VARIABLE,
    Config,
    absolute_database_url,
)
from aggregator.model.errors import ConfigError

KeyPath = tuple[str | int, ...]
_DEEPEST = 4  # keys below each other in config.yaml
_MOST_VALUES = 1_000_000  # what aliases stand for counted in; a file of 10,000 sources has 100,000
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # databases keep none of them


def shipped_config_text() -> str:
    """The config.yaml that comes with the program, for a checkout and for an installed wheel."""
    installed = files("aggregator").joinpath("_shipped", "config.yaml")
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "config.yaml").read_text(encoding="utf-8")


def starting_config_text() -> str:
    """The shipped config.yaml for an installation elsewhere: without the samples in the checkout."""
    before, _, samples = shipped_config_text().partition("  # The samples ")
    return before + samples.partition("\n\n")[2]


def load(path: Path | None, *, database: str | None = None) -> Config:
    """The configuration of `path`; of ./config.yaml if that is there; else the shipped one without sources.

    `database` (from the command line) goes before file and environment, relative to the current folder.
    Raises ConfigError with one line for every mistake.
    """
    if path is None and Path("config.yaml").is_file():
        path = Path("config.yaml")
    lines: dict[KeyPath, int] = {}
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
        _ = config.database_url, config.effective_tuning
    except ConfigError as error:
        raise located(error, lines, path.name if path else "") from error
    return config


def lines_of(config: Config) -> dict[KeyPath, int]:
    """The line of each key in the file of `config`, as it is now; {} where it cannot be read.

    A key is named with those above it; a number (from 0) is a place in a list.
    """
    if config.file is None:
        return {}
    try:
        return _parse(config.file.read_text(encoding="utf-8"), config.file.name)[1]
    except (OSError, UnicodeDecodeError, ConfigError):
        return {}


def located(error: ConfigError, lines: Mapping[KeyPath, int], name: str) -> ConfigError:
    """Each line of `error`, which begins with a dotted key, with the line where that key stands; sorted."""
    found = []
    for words in str(error).splitlines():
        parts = words.split(":")[0].split(".")
        path = tuple(int(part) if part.isdecimal() else part for part in parts)
        line = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)
        found.append((line or 0, words if line is None else f"{name}:{line}: {words}"))
    return ConfigError("\n".join(words for _, words in sorted(found)))


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


def _parse(text: str, name: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    loader = None
    try:
        loader = _CoreLoader(text)
        node = loader.get_single_node()
        if node is not None:
            _refuse_too_much(node, name)
        values = {} if node is None else loader.construct_document(node)
    except RecursionError as error:
        raise ConfigError(f"{name}: lists or keys are nested too deeply") from error
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
    lines: dict[KeyPath, int] = {}
    if node is not None:
        mistakes: list[str] = []
        _note_lines(node, (), lines, mistakes)
        if mistakes:
            raise ConfigError("\n".join(f"{name}:{mistake}" for mistake in mistakes))
    return {key: value for key, value in values.items() if value is not None}, lines


def _refuse_too_much(root: yaml.Node, name: str) -> None:
    """Raises ConfigError where aliases stand for so many values that they would fill the memory."""
    sizes: dict[int, int] = {}  # of nodes that are counted; one that is being counted holds itself: 0

    def size(node: yaml.Node) -> int:
        known = sizes.get(id(node))
        if known is None:
            sizes[id(node)] = 0
            below = () if isinstance(node, yaml.ScalarNode) else node.value
            if isinstance(node, yaml.MappingNode):
                below = chain.from_iterable(below)
            known = sizes[id(node)] = 1 + sum(map(size, below))
        return known

    if size(root) > _MOST_VALUES:
        raise ConfigError(f"{name}:1: there are more than {_MOST_VALUES:,} values, counting each alias (*)")


def _note_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], mistakes: list[str]) -> None:
    """Where every key stands, and what YAML itself lets pass.

    Of two equal keys the last would win in silence; a text with a control character cannot be stored.
    """
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode) and _NO_TEXT.search(node.value):
        dotted = _NO_TEXT.sub("?", ".".join(map(str, path)))
        mistakes.append(f"{node.start_mark.line + 1}: {dotted}: there is a control character in it")
    if len(path) > _DEEPEST:
        return  # nothing of ours is so deep; an alias may hold itself
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*path, key.value)
            _note_lines(key, place, {}, mistakes)
            if place in lines:
                mistakes.append(
                    f"{key.start_mark.line + 1}: {key.value}: stands twice, first in line {lines[place]}"
                )
            lines[place] = key.start_mark.line + 1
            _note_lines(value, place, lines, mistakes)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _note_lines(item, (*path, number), lines, mistakes)


def _checked(values: dict[str, Any], lines: dict[KeyPath, int], name: str) -> Config:
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
            words = f"{name}:{lines[known]}: {dotted}: {_error_text(detail['type'], detail['msg'])}"
            problems.append((lines[known], words))
        raise ConfigError("\n".join(words for _, words in sorted(problems))) from error


def _error_text(kind: str, message: str) -> str:
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
