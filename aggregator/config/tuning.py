"""The tuning: the constants that decide, in `config/tuning.yaml` with unit and origin.

config.yaml holds what users choose and may override single constants under `tuning:`. `Tuning.version` is a
hash of everything that can change a decision. It is stored with every decision, so that decisions made with
different constants can be distinguished.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import msgspec

from aggregator.config.messages import meant
from aggregator.model.errors import ConfigError

# Raise it by hand when code (not a constant) changes what is decided for the same input.
DECIDING_CODE_VERSION = 7


_LARGEST = 10**12  # of any number; the largest shipped one is 630 million

Section = TypeVar("Section", bound=msgspec.Struct)


@cache
def _shipped() -> dict[str, dict[str, Any]]:
    raw = files("aggregator.config").joinpath("tuning.yaml").read_bytes()
    return msgspec.yaml.decode(raw, type=dict[str, dict[str, Any]])


class Tuning(msgspec.Struct, frozen=True):
    """The constants in force: the shipped ones, replaced by the user's overrides."""

    overrides: dict[str, dict[str, Any]] = {}

    def section(self, name: str, shape: type[Section]) -> Section:
        """Return the section `name` as the struct `shape`.

        Raises ConfigError for an override of the wrong type; `effective_tuning` has checked that it exists.
        """
        try:
            return msgspec.convert(self.values(name), shape)
        except msgspec.ValidationError as error:
            raise ConfigError(f"tuning.{name}: {error}") from error

    def values(self, name: str) -> dict[str, Any]:
        """Return the constants of the section `name` by key."""
        return {**_shipped()[name], **self.overrides.get(name, {})}

    def to_json(self) -> str:
        """Return the overrides as JSON, from which `from_json` builds an equal Tuning."""
        return json.dumps(self.overrides, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Tuning":
        """Read what `to_json` wrote."""
        return cls(overrides=json.loads(text))

    @property
    def version(self) -> str:
        """12 hex digits: a hash of every constant in force and of DECIDING_CODE_VERSION."""
        return _version(self.to_json())


def effective_tuning(overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Tuning:
    """Return the shipped constants with `overrides` (`tuning:` of config.yaml) checked and applied.

    Raises ConfigError with one line for every override that does not exist or has the wrong type.
    """
    sections = {name: dict(values) for name, values in (overrides or {}).items()}
    mistakes = [mistake for name, values in sections.items() for mistake in _mistakes(name, values)]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    changed = {name: _changed(values, _shipped()[name]) for name, values in sections.items()}
    return Tuning(overrides={name: values for name, values in changed.items() if values})


def _changed(values: Mapping[str, Any], shipped: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overrides that differ, as the shipped type: equal constants must have equal versions."""
    typed = {key: type(shipped[key])(value) for key, value in values.items()}
    return {key: value for key, value in typed.items() if value != shipped[key]}


def _mistakes(name: str, values: Mapping[str, Any]) -> list[str]:
    if name not in _shipped():
        return [f"tuning.{name}: there is no such section in config/tuning.yaml{meant(name, _shipped())}"]
    shipped = _shipped()[name]
    mistakes = []
    for key, value in values.items():
        if key not in shipped:
            mistakes.append(
                f"tuning.{name}.{key}: there is no such constant in config/tuning.yaml{meant(key, shipped)}"
            )
        elif not _is_valid(value, shipped[key]):
            mistakes.append(f"tuning.{name}.{key}: give a value like the shipped {shipped[key]!r}")
    return mistakes


def _is_valid(value: object, shipped: object) -> bool:
    """Whether `value` has the type of the shipped one.

    An integer may replace a float. A number may be negative only where the shipped one is not positive.
    """
    if not isinstance(shipped, int | float) or isinstance(shipped, bool):
        return type(value) is type(shipped)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    is_type = isinstance(shipped, float) or isinstance(value, int)
    return is_type and abs(value) <= _LARGEST and (value >= 0 or shipped <= 0)


@cache
def _version(overrides_json: str) -> str:
    shipped = json.dumps(_shipped(), sort_keys=True)
    text = f"{DECIDING_CODE_VERSION}\n{shipped}\n{overrides_json}"
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
