"""The rule book: every constant that decides something, read from the one file `config/tuning.yaml`.

What users choose stands in config.yaml; what we measured stands here, each with its unit and its origin.
config.yaml may override single values under `rules:`. `Tuning.version` is a hash of all that can change a
decision and is stored beside every decision, so that a replay can be compared.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import msgspec
import yaml

from aggregator.model.errors import ConfigError

# Raised by hand when code (not a constant) changes what is decided for the same input.
DECIDING_CODE_VERSION = 5

# Where something lies decides nothing: what lies there has a hash of its own.
_PLACES = frozenset({("across", "folder")})

_LARGEST = 10**12  # of any number; the largest shipped one is 630 million

Section = TypeVar("Section", bound=msgspec.Struct)


@cache
def _shipped() -> dict[str, dict[str, Any]]:
    text = files("aggregator.config").joinpath("tuning.yaml").read_text(encoding="utf-8")
    all_tuning: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return all_tuning


class Tuning(msgspec.Struct, frozen=True):
    """The constants in force: the shipped ones with the user's overrides laid over them."""

    overrides: dict[str, dict[str, Any]] = {}

    def section(self, name: str, shape: type[Section]) -> Section:
        """The section `name` as the room's own frozen Struct.

        Raises ConfigError for an override that does not exist or has the wrong type.
        """
        values = dict(_shipped()[name])
        for key, value in self.overrides.get(name, {}).items():
            if key not in values:
                raise ConfigError(
                    f"rules.{name}.{key}: there is no such rule; see config/tuning.yaml for all of them"
                )
            values[key] = value
        try:
            return msgspec.convert(values, shape)
        except msgspec.ValidationError as error:
            raise ConfigError(f"rules.{name}: {error}") from error

    def values(self, name: str) -> dict[str, Any]:
        """The constants of the section `name`, by their names."""
        return {**_shipped()[name], **self.overrides.get(name, {})}

    def to_json(self) -> str:
        """The overrides as text; `from_json` gives an equal book."""
        return json.dumps(self.overrides, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Tuning":
        """The book that `to_json` wrote."""
        return cls(overrides=json.loads(text))

    @property
    def version(self) -> str:
        """12 hex digits over every constant in force and the version of the deciding code."""
        deciding = {
            name: {key: value for key, value in values.items() if (name, key) not in _PLACES}
            for name, values in self.overrides.items()
        }
        return _version(Tuning(overrides=deciding).to_json())


def effective_tuning(overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Tuning:
    """The shipped rules with `overrides` (the `rules:` of config.yaml) checked and laid over them.

    Raises ConfigError with a line for every override that does not exist or is of another type.
    """
    given = {name: dict(values) for name, values in (overrides or {}).items()}
    mistakes = [mistake for name, values in given.items() for mistake in _mistakes(name, values)]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    changed = {name: _changed(values, _shipped()[name]) for name, values in given.items()}
    return Tuning(overrides={name: values for name, values in changed.items() if values})


def _changed(values: Mapping[str, Any], shipped: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides that change something, in the shipped type: equal rules have equal versions."""
    typed = {key: type(shipped[key])(value) for key, value in values.items()}
    return {key: value for key, value in typed.items() if value != shipped[key]}


def _mistakes(name: str, values: Mapping[str, Any]) -> list[str]:
    if name not in _shipped():
        return [f"rules.{name}: there is no such section; there are {', '.join(_shipped())}"]
    shipped = _shipped()[name]
    mistakes = []
    for key, value in values.items():
        if key not in shipped:
            mistakes.append(
                f"rules.{name}.{key}: there is no such rule; see config/tuning.yaml for all of them"
            )
        elif not _is_alike(value, shipped[key]):
            mistakes.append(f"rules.{name}.{key}: give a value like the shipped {shipped[key]!r}")
    return mistakes


def _is_alike(value: object, shipped: object) -> bool:
    """Of the same type; a whole number may stand for a fraction, a negative one for 0 or less alone."""
    if not isinstance(shipped, int | float) or isinstance(shipped, bool):
        return type(value) is type(shipped)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    is_kind = isinstance(shipped, float) or isinstance(value, int)
    return is_kind and abs(value) <= _LARGEST and (value >= 0 or shipped <= 0)


@cache
def _version(overrides_json: str) -> str:
    shipped = json.dumps(_shipped(), sort_keys=True)
    text = f"{DECIDING_CODE_VERSION}\n{shipped}\n{overrides_json}"
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
