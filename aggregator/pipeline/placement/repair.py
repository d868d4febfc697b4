"""Repairing: what `db check` found wrong, and follows from other rows, is worked out again.

A piece is a transaction. Only the writer of stories does it: the command where nobody else is that, else the
daemon between two batches.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from aggregator.model.core import Noun
from aggregator.model.errors import UsageError
from aggregator.pipeline.placement.copy_lookup import Twins
from aggregator.pipeline.placement.story_writer import Desk, Homes
from aggregator.store.engine.database import Connection
from aggregator.store.intake import rejected
from aggregator.store.maintenance import erase, repair
from aggregator.store.maintenance.checks.finding import Fault, Remedy
from aggregator.store.stories import articles
from aggregator.store.stories.articles import Stored

PIECE: Final = 20  # stories or articles a transaction: others that write wait for it
AT_ONCE: Final = 500  # of what is quicker
_DEAR: Final = frozenset({"stories", "bands", "links"})
# One after the other as each needs what the one before put right.
ORDER: Final[tuple[Remedy, ...]] = (
    "index",
    "counters",
    "orphans",
    "redirects",
    "keys",
    "sightings",
    "keys of copies",
    "links",
    "stories",
    "bands",
    "search",
    "search anew",
    "told",
    "set aside",
)


class RepairWish(Noun, frozen=True, kw_only=True):
    """One piece of a repair."""

    remedy: Remedy
    keys: tuple[str, ...] = ()


class Repaired(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """How many rows were put right."""

    rows: int


def pieces(faults: Sequence[Fault]) -> Iterator[RepairWish]:
    """What is to be done about these faults, in an order in which it can be."""
    for remedy in ORDER:
        named = dict.fromkeys(key for fault in faults if fault.remedy == remedy for key in fault.keys)
        keys = tuple(named)
        step = PIECE if remedy in _DEAR else AT_ONCE
        if remedy in ("search anew", "orphans"):  # of all, whatever is named
            keys, step = keys[:1], 1
        for start in range(0, len(keys), step):
            yield RepairWish(remedy=remedy, keys=keys[start : start + step])


class Repairing:
    """Carries a piece out, in a placing transaction."""

    def __init__(self, homes: Homes, twins: Twins) -> None:
        self._homes = homes
        self._twins = twins

    def carry_out(self, desk: Desk, wish: RepairWish) -> int:
        """How many rows were put right. Raises UsageError for what needs that nobody else writes."""
        connection = desk.connection
        simple: dict[Remedy, Callable[[Connection, Sequence[str]], int]] = {
            "counters": repair.counters,
            "orphans": repair.orphans,
            "redirects": repair.redirects,
            "keys": repair.keys,
            "sightings": repair.sightings,
            "search": repair.indexed,
            "told": repair.untell,
            "index": repair.reindex,
            "set aside": rejected.wait_again,
        }
        if wish.remedy in simple:
            return simple[wish.remedy](connection, wish.keys)
        if wish.remedy == "stories":
            return sum(self._mended(desk, one) for one in wish.keys)
        if wish.remedy == "links":
            torn = repair.links(connection, wish.keys)
            return sum(self._mended(desk, one) for one in torn)
        if wish.remedy == "bands":
            return sum(self._found_again(connection, int(one)) for one in wish.keys)
        if wish.remedy == "keys of copies":
            return repair.copy_keys(connection, wish.keys, self._twins.keys)
        if wish.remedy == "search anew":
            repair.index_emptied(connection)
            return 1
        raise UsageError(f"nothing is known of a repair called {wish.remedy}")

    def _mended(self, desk: Desk, story: str) -> bool:
        """False where the terms of an article cannot be read: then there is nothing to add up."""
        try:
            return self._homes.mend(desk.connection, story)
        except ValueError:
            return False

    def _found_again(self, connection: Connection, n: int) -> bool:
        """The LSH keys and sampled shingles of an article, as it was given them."""
        stored = articles.by_number(connection, n)
        if stored is None or stored.is_gone or not stored.signature:
            return False
        copied, is_whole = _copied(connection, stored)
        held = self._twins.restored(connection, stored, copied, is_whole=is_whole)
        erase.found_by(connection, n, self._twins.keys(stored.signature), held.bands, held.sketch)
        return True


def _copied(connection: Connection, stored: Stored) -> tuple[str | None, bool]:
    """What it was found to be a copy of, and whether of all of it.

    A correction's evidence does not say so any more, nor does one that cannot be read; its row does.
    """
    try:
        evidence = articles.evidence_of(connection, stored.id)
    except msgspec.MsgspecError:
        return stored.copy_of, stored.role != "excerpt"
    if evidence.copy is not None:
        return evidence.copy.other, evidence.copy.kind == "copy"
    return stored.copy_of, stored.role != "excerpt"
