"""The mistakes in config.yaml, each as `config.yaml:LINE: KEY: message`."""

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from aggregator.config.messages import meant
from aggregator.config.settings import Config
from aggregator.config.values import KeyPath, Lines, error_words
from aggregator.model.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_OTHER_WORDS = {
    "url": "feed",
    "address": "feed",
    "path": "folder",
    "directory": "folder",
    "category": "group",
}
# Advice for the mistakes that pydantic states in terms of Python
_ADVICE = {
    "missing": "this key is required",
    "model_type": "give `key: value` lines below it",
    "dict_type": "give `key: value` lines below it",
    "tuple_type": "give a list: a line with a dash for each, or [a, b]",
    "string_type": "give text: put it in quotes",
}


def locate_mistakes(error: ConfigError, config: Config) -> ConfigError:
    """Return `error` with the line number of its key before each message, sorted by these numbers.

    Each line of `error` begins with a dotted key.
    """
    name = config.file.name if config.file else ""
    mistakes = []
    for message in str(error).splitlines():
        path = tuple(
            int(part) if part.isdecimal() else part
            for part in message.split(":")[0].split(".")
        )
        line = _line_of(path, config.lines)
        mistakes.append((line, f"{name}:{line}: {message}" if line else message))
    return _in_order(mistakes)


def validate_values(values: dict[str, Any], lines: Lines, name: str) -> Config:
    """Return the values of the file `name` as the configuration. Raises ConfigError with all mistakes."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        mistakes = []
        for detail in error.errors():
            path = tuple(part for part in detail["loc"] if part != "[key]")
            # The key is a number or boolean; `lines` has it as it was typed.
            if "[key]" in detail["loc"]:
                path = (*path[:-1], str(path[-1]))
            line = _line_of(path, lines) or lines[()]
            dotted = ".".join(map(str, path))
            mistakes.append(
                (line, f"{name}:{line}: {dotted}: {_error_text(path, detail)}")
            )
        raise _in_order(mistakes) from error


def _line_of(path: KeyPath, lines: Lines) -> int:
    """Return the line of a key, or else of the nearest key that contains it; 0 if the file has neither."""
    for end in range(len(path), 0, -1):
        if path[:end] in lines:
            return lines[path[:end]]
    return 0


def _in_order(mistakes: list[tuple[int, str]]) -> ConfigError:
    return ConfigError("\n".join(message for _, message in sorted(mistakes)))


def _error_text(path: KeyPath, detail: "ErrorDetails") -> str:
    """Return a short sentence about a mistake, in pydantic's words where they make sense for a file."""
    if detail["type"] == "invalid_key" or "[key]" in detail["loc"]:
        return "put the key in quotes"
    if detail["type"] in _ADVICE:
        return _ADVICE[detail["type"]]
    if detail["input"] is None and detail["type"] != "value_error":
        return "it has no value: give one, or remove the key"
    if detail["type"] != "extra_forbidden":
        return error_words(detail)
    key = str(path[-1])
    # The type of the section that the key stands in
    section: Any = Config
    for part in path[:-1]:
        if isinstance(section, type) and issubclass(section, BaseModel):
            section = section.model_fields[str(part)].annotation
            if type(None) in get_args(section):  # it may be left out
                section = get_args(section)[0]
        else:  # a list or a mapping of sections
            section = next(
                inner
                for inner in get_args(section)
                if isinstance(inner, type) and issubclass(inner, BaseModel)
            )
    known = list(section.model_fields)
    other = _OTHER_WORDS.get(key, "")
    return f"there is no such key{meant(other if other in known else key, known)}"
