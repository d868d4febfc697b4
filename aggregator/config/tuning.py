"""The tuning: the constants that affect decisions, from `config/tuning.yaml`, which has their units and origins.

`Tuning.version` is a hash of everything that can change a decision. It is stored with every decision, so that
decisions made with different constants can be distinguished. Settings that users choose are in config.yaml instead.
"""

import hashlib
import json
from typing import Any, TypeVar

import msgspec

from aggregator.config.shipped import ShippedTable

# Raise this number when changed code (not a constant) decides the same input differently.
DECIDING_CODE_VERSION = 20

Section = TypeVar("Section", bound=msgspec.Struct)


_SHIPPED = ShippedTable("aggregator.config", "tuning.yaml", dict[str, dict[str, Any]])


class Tuning(msgspec.Struct, frozen=True):
    """The constants in force: the shipped ones, with `overrides` by section and key."""

    overrides: dict[str, dict[str, Any]] = {}

    def __post_init__(self) -> None:
        """Raise ValueError for an override of a constant that does not exist."""
        for name, values in self.overrides.items():
            if unknown := values.keys() - _SHIPPED.content.get(name, {}).keys():
                raise ValueError(f"config/tuning.yaml has no {name}.{min(unknown)}")

    def section(self, name: str, shape: type[Section]) -> Section:
        """Return the section `name` as the struct `shape`."""
        return msgspec.convert(self.values(name), shape)

    def values(self, name: str) -> dict[str, Any]:
        """Return the constants of the section `name` by key."""
        return {**_SHIPPED.content[name], **self.overrides.get(name, {})}

    def to_json(self) -> str:
        """Return the overrides as JSON; `from_json` builds an equal Tuning from it."""
        return json.dumps(self.overrides, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Tuning":
        """Read what `to_json` wrote."""
        return cls(overrides=json.loads(text))

    @property
    def version(self) -> str:
        """12 hex digits: a hash of every constant in force and of DECIDING_CODE_VERSION."""
        values = {name: self.values(name) for name in _SHIPPED.content}
        text = f"{DECIDING_CODE_VERSION}\n{json.dumps(values, sort_keys=True)}"
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
