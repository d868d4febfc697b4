"""A finding of the deep checks: what is wrong, and in which rows."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Select

from aggregator.model.structs import FrozenStruct

NOTED: Final = 10_000  # keys of rows that a finding lists


class Fault(FrozenStruct, frozen=True, kw_only=True):
    """One finding. `keys` are the keys of its rows, at most NOTED. `is_note`: it is no damage."""

    what: str
    rows: int = 1
    keys: tuple[str, ...] = ()
    is_note: bool = False


def of_row(what: str, key: object) -> Fault:
    """The finding of one row, with its key."""
    return Fault(what=what, keys=(str(key),))


def pairs(connection: Connection, chosen: Select[Any]) -> dict[Any, Any]:
    """The second column of a query by the first one."""
    return {row[0]: row[1] for row in connection.execute(chosen)}


def merge_faults(found: Iterable[Fault]) -> Iterator[Fault]:
    """Findings with the same message are one."""
    merged: dict[str, Fault] = {}
    for one in found:
        known = merged.setdefault(one.what, one)
        if known is not one:
            is_noted = len(known.keys) >= NOTED or known.keys[-1:] == one.keys
            keys = known.keys if is_noted else (*known.keys, *one.keys)[:NOTED]
            merged[one.what] = msgspec.structs.replace(
                known, rows=known.rows + one.rows, keys=keys
            )
    yield from merged.values()
