"""Read a text with the core schema of YAML 1.2, and note the line of every key.

In this schema `no`, `on` and `1:30` are strings.
"""

import re
from typing import Any

import yaml

from aggregator.config.values import KeyPath, Lines
from aggregator.model.errors import ConfigError

_MAX_DEPTH = 4  # nested keys in config.yaml
# Control characters and surrogates, which databases cannot store
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SYNTAX_ADVICE = (
    "begin all keys of a section in one column, indented with spaces, and put a value with `: `, a quotation "
    "mark or a backslash in single quotes"
)


class CoreLoader(yaml.SafeLoader):
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
    CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )
# SafeLoader reads 010 as octal. Lists and mappings are read whole at once, so that an alias inside the value
# that it names raises an error. Lists become tuples, as the frozen models require.
for _kind, _construct in (
    ("int", lambda loader, node: int(loader.construct_scalar(node))),
    ("map", lambda loader, node: loader.construct_mapping(node, deep=True)),
    ("seq", lambda loader, node: tuple(loader.construct_sequence(node, deep=True))),
):
    CoreLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _construct)


def parse(text: str, name: str) -> tuple[dict[str, Any], Lines]:
    """Return the values by key, without keys at the top that are null, and the line of each key.

    Raises ConfigError, whose message begins with the name of the file, if the text is not a mapping, and for
    tags, repeated keys and control characters.
    """
    try:
        loader = CoreLoader(text)
        node = loader.get_single_node()
        for event in yaml.parse(text, Loader=CoreLoader):
            tag, start = getattr(event, "tag", None), event.start_mark
            if tag is not None and start is not None:
                shown = tag.replace("tag:yaml.org,2002:", "!!")
                raise ConfigError(
                    f"{name}:{start.line + 1}: {shown}: tags of YAML are not read; "
                    "write the value alone"
                )
        values = node and loader.construct_document(node)
    except RecursionError as error:
        raise ConfigError(f"{name}: lists or keys are nested too deeply") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        begun = error.context_mark
        place = "1"
        inside = ""
        if mark is not None:
            place = f"{mark.line + 1}: column {mark.column + 1}"
        if begun is not None:
            inside = f"{error.context} that begins in line {begun.line + 1}: "
        raise ConfigError(
            f"{name}:{place}: not valid YAML: {inside}{error.problem}; {_SYNTAX_ADVICE}"
        ) from error
    except yaml.YAMLError as error:
        raise ConfigError(
            f"{name}: cannot be read as YAML: {' '.join(str(error).split())}"
        ) from error
    if node is None:
        return {}, {}
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, tuple) else "a single value"
        raise ConfigError(f"{name}:1: expected `key: value` lines, found {kind}")
    lines: dict[KeyPath, int] = {}
    mistakes: list[str] = []
    _note_lines(node, (), lines, mistakes)
    if mistakes:
        raise ConfigError("\n".join(f"{name}:{mistake}" for mistake in mistakes))
    return {key: value for key, value in values.items() if value is not None}, lines


def _note_lines(
    node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], mistakes: list[str]
) -> None:
    """Add the line of each key to `lines`, and what YAML permits but is a mistake to `mistakes`.

    Mistakes are a repeated key (PyYAML silently uses the last) and a control character in a text.
    """
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if isinstance(node, yaml.ScalarNode) and _CONTROL.search(node.value):
        dotted = _CONTROL.sub("?", ".".join(map(str, path)))
        mistakes.append(f"{line}: {dotted}: there is a control character in it")
    if len(path) > _MAX_DEPTH:
        return  # no known key is so deep, and nested aliases would multiply the lines
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, key.value if isinstance(key, yaml.ScalarNode) else "?")
            _note_lines(key, below, {}, mistakes)
            line = key.start_mark.line + 1
            if below in lines:
                mistakes.append(
                    f"{line}: {below[-1]}: repeated; it is first in line {lines[below]}"
                )
            lines[below] = line
            _note_lines(value, below, lines, mistakes)
    elif isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            _note_lines(child, (*path, number), lines, mistakes)
