"""A finding of the integrity check: what is wrong, in which rows, and the remedy."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, Select

from aggregator.model.core import FrozenStruct

# How a finding is repaired (pipeline/placement/repair.py), in the order of the repair: each may need the
# results of those before it. The names are shown in the JSON of `db check` and stored in the payload of a
# `repair` command.
Remedy = Literal[
    "index",
    "counters",
    "orphans",
    "redirects",
    "stray bands",
    "stories",
    "bands",
    "search",
    "merged texts",
    "quarantine",
]

NOTED: Final = 10_000  # keys of rows that a finding lists; the next check finds the others
RESTORE: Final = "restore a backup: aggregator db restore FILE --replace"


class Fault(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """One finding.

    `keys` are the keys of its rows, at most NOTED; their meaning depends on the remedy, see
    pipeline/placement/repair.py. `advice` is what to do if there is no remedy. `is_note`: it is no damage.
    """

    what: str
    rows: int
    remedy: Remedy | None = None
    keys: tuple[str, ...] = ()
    advice: str = RESTORE
    is_note: bool = False

    @property
    def can_repair(self) -> bool:
        """Whether the rows can be derived from other rows."""
        return self.remedy is not None


def of_row(what: str, key: object, remedy: Remedy | None) -> Fault:
    """Return the finding of one row, with its key."""
    return Fault(what=what, rows=1, keys=(str(key),), remedy=remedy)


class CheckScope(FrozenStruct, frozen=True, kw_only=True):
    """Which chunks of rows an expensive check reads: one of `every`, chosen by `seed`."""

    every: int = 1
    seed: int = 0

    def has(self, chunk: int) -> bool:
        """Whether the chunk of this number is checked."""
        return chunk % self.every == self.seed % self.every


CheckStep = Callable[[int], object]  # called with the number of rows that were checked since the last call


def pairs(connection: Connection, chosen: Select[Any]) -> dict[Any, Any]:
    """Return the second column of a query by the first one."""
    return {row[0]: row[1] for row in connection.execute(chosen)}


def merge_faults(found: Iterable[Fault]) -> Iterator[Fault]:
    """Merge findings with the same message and remedy."""
    merged: dict[tuple[str, str | None], Fault] = {}
    for one in found:
        known = merged.setdefault((one.what, one.remedy), one)
        if known is not one:
            is_noted = len(known.keys) >= NOTED or known.keys[-1:] == one.keys
            keys = known.keys if is_noted else (*known.keys, *one.keys)[:NOTED]
            merged[one.what, one.remedy] = msgspec.structs.replace(
                known, rows=known.rows + one.rows, keys=keys
            )
    yield from merged.values()
