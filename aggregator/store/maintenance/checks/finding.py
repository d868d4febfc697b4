"""A fault: what does not hold, of which rows, and what can be done about it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, Select

from aggregator.model.core import FrozenStruct

# What can be worked out again, one piece a transaction (store/maintenance/repair.py); None: nothing can.
Remedy = Literal[
    "bands",
    "counters",
    "index",
    "keys",
    "keys of copies",
    "links",
    "orphans",
    "redirects",
    "search",
    "search anew",
    "set aside",
    "sightings",
    "stories",
    "told",
]

NOTED: Final = 10_000  # rows of one fault that are named; the rest is found by the next check
SHOWN: Final = 3  # of them in words

RESTORE: Final = "restore a backup: aggregator db restore FILE --replace"


class Fault(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Something that does not hold.

    `keys`: the rows it is about, at most NOTED; what they are depends on the remedy, see
    store/maintenance/repair.py.
    `advice`: what to type where it cannot be repaired. `is_note`: it is not damage, only said.
    """

    what: str
    rows: int
    remedy: Remedy | None = None
    keys: tuple[str, ...] = ()
    advice: str = RESTORE
    is_note: bool = False

    @property
    def can_repair(self) -> bool:
        """Whether it is derived from what is there."""
        return self.remedy is not None


class CheckTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `checking` of config/tuning.yaml."""

    sample: int
    full_share: float


class CheckScope(FrozenStruct, frozen=True, kw_only=True):
    """How much is looked at of what is dear: each of so many, chosen by `seed`."""

    every: int = 1
    seed: int = 0

    def has(self, chunk: int) -> bool:
        """Whether the chunk of this number is looked at."""
        return chunk % self.every == self.seed % self.every


CheckStep = Callable[[int], object]  # hears how many rows more were looked at


def pairs(connection: Connection, chosen: Select[Any]) -> dict[Any, Any]:
    """What a question about two columns tells, the second by the first."""
    return {row[0]: row[1] for row in connection.execute(chosen)}


def merge_faults(found: Iterable[Fault | None]) -> Iterator[Fault]:
    """One fault for each thing that is wrong, of what was found piece by piece."""
    whole: dict[tuple[str, str | None], Fault] = {}
    for one in found:
        if one is None:
            continue
        known = whole.get((one.what, one.remedy))
        whole[one.what, one.remedy] = (
            one
            if known is None
            else msgspec.structs.replace(
                known, rows=known.rows + one.rows, keys=(*known.keys, *one.keys)[:NOTED]
            )
        )
    yield from whole.values()
