"""Repairs findings of `db check` from other rows.

The writer executes each part in one transaction: the command itself, or the daemon between two batches.
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

PIECE: Final = 20  # stories or articles per transaction; small, because other writers wait
AT_ONCE: Final = 500  # keys per transaction of fast repairs
_EXPENSIVE: Final = frozenset({"stories", "bands", "copies"})
# Each may need the results of those before it.
ORDER: Final[tuple[Remedy, ...]] = (
    "index",
    "counters",
    "orphans",
    "redirects",
    "identity keys",
    "observations",
    "stray bands",
    "copies",
    "stories",
    "bands",
    "search",
    "search rebuild",
    "merged texts",
    "quarantine",
)


class RepairCommand(FrozenStruct, frozen=True, kw_only=True):
    """One part of a repair."""

    remedy: Remedy
    keys: tuple[str, ...] = ()


class RepairResult(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The number of repaired rows."""

    rows: int


def pieces(faults: Sequence[Fault]) -> Iterator[RepairCommand]:
    """Yield the parts of a repair of these faults, in a valid order."""
    for remedy in ORDER:
        named = dict.fromkeys(key for fault in faults if fault.remedy == remedy for key in fault.keys)
        keys = tuple(named)
        step = PIECE if remedy in _EXPENSIVE else AT_ONCE
        if remedy in ("search rebuild", "orphans"):  # always of all rows
            keys, step = keys[:1], 1
        for start in range(0, len(keys), step):
            yield RepairCommand(remedy=remedy, keys=keys[start : start + step])


class RepairHandler:
    """Executes the parts of a repair, in placing transactions."""

    def __init__(self, story_writer: StoryWriter, copy_finder: CopyFinder) -> None:
        self._story_writer = story_writer
        self._copy_finder = copy_finder

    def carry_out(self, unit_of_work: UnitOfWork, command: RepairCommand) -> int:
        """Execute a part and return the number of repaired rows. Raises UsageError for an unknown repair."""
        connection = unit_of_work.connection
        simple: dict[Remedy, Callable[[Connection, Sequence[str]], int]] = {
            "counters": repair.raise_counters,
            "orphans": repair.delete_orphans,
            "redirects": repair.shorten_redirects,
            "identity keys": repair.delete_identity_keys,
            "observations": repair.delete_observations,
            "search": repair.index_articles,
            "merged texts": repair.clear_merged_texts,
            "index": repair.reindex,
            "quarantine": rejected.requeue,
        }
        if command.remedy in simple:
            return simple[command.remedy](connection, command.keys)
        if command.remedy == "stories":
            return sum(self._mended(unit_of_work, one) for one in command.keys)
        if command.remedy == "copies":
            torn = repair.clear_lost_copies(connection, command.keys)
            return sum(self._mended(unit_of_work, one) for one in torn)
        if command.remedy == "bands":
            return sum(self._found_again(connection, int(one)) for one in command.keys)
        if command.remedy == "stray bands":
            return repair.delete_stray_bands(connection, command.keys, self._copy_finder.keys)
        if command.remedy == "search rebuild":
            repair.empty_index(connection)
            return 1
        raise UsageError(f"unknown repair {command.remedy!r}")

    def _mended(self, unit_of_work: UnitOfWork, story: str) -> bool:
        """Recompute a story; return False if the terms of an article cannot be read."""
        try:
            return self._story_writer.mend(unit_of_work.connection, story)
        except ValueError:
            return False

    def _found_again(self, connection: Connection, n: int) -> bool:
        """Recompute the LSH keys and sampled shingles of an article."""
        stored = articles.by_number(connection, n)
        if stored is None or stored.is_gone or not stored.signature:
            return False
        copied, is_whole = _copied(connection, stored)
        held = self._copy_finder.restored(connection, stored, copied, is_whole=is_whole)
        erase.set_copy_keys(connection, n, self._copy_finder.keys(stored.signature), held.bands, held.sketch)
        return True


def _copied(connection: Connection, stored: StoredArticle) -> tuple[str | None, bool]:
    """Return the original of a copy, and whether the whole text is copied.

    Falls back to the row if the evidence is damaged or was replaced by a correction.
    """
    try:
        evidence = articles.evidence_of(connection, stored.id)
    except msgspec.MsgspecError:
        return stored.copy_of, stored.role != "excerpt"
    if evidence.copy is not None:
        return evidence.copy.other, evidence.copy.kind == "copy"
    return stored.copy_of, stored.role != "excerpt"
