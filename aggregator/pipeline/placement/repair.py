"""Repairing: what `db check` found wrong, and follows from other rows, is worked out again.

A piece is a transaction. Only the writer of stories does it: the command where nobody else is that, else the
daemon between two batches.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from aggregator.model.core import FrozenStruct
from aggregator.model.errors import UsageError
from aggregator.pipeline.placement.copy_lookup import CopyFinder
from aggregator.pipeline.placement.story_writer import StoryWriter, UnitOfWork
from aggregator.store.engine.database import Connection
from aggregator.store.intake import rejected
from aggregator.store.maintenance import erase, repair
from aggregator.store.maintenance.checks.finding import Fault, Remedy
from aggregator.store.stories import articles
from aggregator.store.stories.articles import StoredArticle

PIECE: Final = 20  # stories or articles a transaction: others that write wait for it
AT_ONCE: Final = 500  # of what is quicker
_EXPENSIVE: Final = frozenset({"stories", "bands", "links"})
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


class RepairCommand(FrozenStruct, frozen=True, kw_only=True):
    """One piece of a repair."""

    remedy: Remedy
    keys: tuple[str, ...] = ()


class RepairResult(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """How many rows were put right."""

    rows: int


def pieces(faults: Sequence[Fault]) -> Iterator[RepairCommand]:
    """What is to be done about these faults, in an order in which it can be."""
    for remedy in ORDER:
        named = dict.fromkeys(key for fault in faults if fault.remedy == remedy for key in fault.keys)
        keys = tuple(named)
        step = PIECE if remedy in _EXPENSIVE else AT_ONCE
        if remedy in ("search anew", "orphans"):  # of all, whatever is named
            keys, step = keys[:1], 1
        for start in range(0, len(keys), step):
            yield RepairCommand(remedy=remedy, keys=keys[start : start + step])


class RepairHandler:
    """Carries a piece out, in a placing transaction."""

    def __init__(self, story_writer: StoryWriter, copy_finder: CopyFinder) -> None:
        self._story_writer = story_writer
        self._copy_finder = copy_finder

    def carry_out(self, unit_of_work: UnitOfWork, command: RepairCommand) -> int:
        """How many rows were put right. Raises UsageError for what needs that nobody else writes."""
        connection = unit_of_work.connection
        simple: dict[Remedy, Callable[[Connection, Sequence[str]], int]] = {
            "counters": repair.counters,
            "orphans": repair.orphans,
            "redirects": repair.redirects,
            "keys": repair.keys,
            "sightings": repair.delete_observations,
            "search": repair.indexed,
            "told": repair.clear_merged_texts,
            "index": repair.reindex,
            "set aside": rejected.requeue,
        }
        if command.remedy in simple:
            return simple[command.remedy](connection, command.keys)
        if command.remedy == "stories":
            return sum(self._mended(unit_of_work, one) for one in command.keys)
        if command.remedy == "links":
            torn = repair.links(connection, command.keys)
            return sum(self._mended(unit_of_work, one) for one in torn)
        if command.remedy == "bands":
            return sum(self._found_again(connection, int(one)) for one in command.keys)
        if command.remedy == "keys of copies":
            return repair.copy_keys(connection, command.keys, self._copy_finder.keys)
        if command.remedy == "search anew":
            repair.index_emptied(connection)
            return 1
        raise UsageError(f"nothing is known of a repair called {command.remedy}")

    def _mended(self, unit_of_work: UnitOfWork, story: str) -> bool:
        """False where the terms of an article cannot be read: then there is nothing to add up."""
        try:
            return self._story_writer.mend(unit_of_work.connection, story)
        except ValueError:
            return False

    def _found_again(self, connection: Connection, n: int) -> bool:
        """The LSH keys and sampled shingles of an article, as it was given them."""
        stored = articles.by_number(connection, n)
        if stored is None or stored.is_gone or not stored.signature:
            return False
        copied, is_whole = _copied(connection, stored)
        held = self._copy_finder.restored(connection, stored, copied, is_whole=is_whole)
        erase.set_copy_keys(connection, n, self._copy_finder.keys(stored.signature), held.bands, held.sketch)
        return True


def _copied(connection: Connection, stored: StoredArticle) -> tuple[str | None, bool]:
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
