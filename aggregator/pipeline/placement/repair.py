"""Repairs findings of `db check` from other rows.

The writer executes each part in one transaction: the command itself, or the daemon between two batches.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, get_args

import msgspec

from aggregator.model.core import FrozenStruct
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
_AT_ONCE: Final[Mapping[Remedy, int]] = {"stories": PIECE, "bands": PIECE, "orphans": 1, "search": 1}


class RepairCommand(FrozenStruct, frozen=True, kw_only=True):
    """One part of a repair."""

    remedy: Remedy
    keys: tuple[str, ...] = ()


class RepairResult(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The number of repaired rows."""

    rows: int


def pieces(faults: Sequence[Fault]) -> Iterator[RepairCommand]:
    """Yield the parts of a repair of these faults, in a valid order."""
    for remedy in get_args(Remedy):
        keys = tuple(dict.fromkeys(key for fault in faults if fault.remedy == remedy for key in fault.keys))
        if remedy == "search":  # always of all rows
            keys = keys[:1]
        step = _AT_ONCE.get(remedy, AT_ONCE)
        for start in range(0, len(keys), step):
            yield RepairCommand(remedy=remedy, keys=keys[start : start + step])


class RepairHandler:
    """Executes the parts of a repair, in placing transactions."""

    def __init__(self, story_writer: StoryWriter, copy_finder: CopyFinder) -> None:
        self._story_writer = story_writer
        self._copy_finder = copy_finder

    def carry_out(self, unit_of_work: UnitOfWork, command: RepairCommand) -> int:
        """Execute a part and return the number of repaired rows."""
        repairs: dict[Remedy, Callable[[Connection, Sequence[str]], int]] = {
            "index": repair.reindex,
            "counters": repair.raise_counters,
            "orphans": repair.delete_orphans,
            "redirects": repair.shorten_redirects,
            "stray bands": partial(repair.delete_stray_bands, bands_of=self._copy_finder.keys),
            "stories": self._recompute_stories,
            "bands": self._restore_bands,
            "search": repair.rebuild_search,
            "merged texts": repair.clear_merged_texts,
            "quarantine": rejected.requeue,
        }
        return repairs[command.remedy](unit_of_work.connection, command.keys)

    def _recompute_stories(self, connection: Connection, ids: Sequence[str]) -> int:
        """Recompute stories, except those with articles whose terms cannot be read."""
        mended = 0
        for id_ in ids:
            repair.clear_lost_copies(connection, id_)
            with suppress(ValueError):
                mended += self._story_writer.mend(connection, id_)
        return mended

    def _restore_bands(self, connection: Connection, numbers: Sequence[str]) -> int:
        return sum(self._found_again(connection, int(one)) for one in numbers)

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
