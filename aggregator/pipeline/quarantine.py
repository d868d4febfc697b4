"""Quarantine: entries that cannot be placed are skipped, so that others can be placed.

Such an entry meets a bug of the program, or a damaged row. The cause is assumed to be the entry, and not the
program or database as a whole, if another entry can be placed, or if others were placed and the failing ones
are of few sources: entries of one feed are neighbours in the inbox. Otherwise nothing is put in quarantine,
and placing is paused. An entry in quarantine keeps its text; `db check --repair` puts it back into the inbox.
"""

import logging
from collections.abc import Sequence

from aggregator.model.core import Prepared
from aggregator.model.errors import AggregatorError, DamagedError, UnreadableEntryError
from aggregator.pipeline.placement.place import PlacementResult, Placer
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.intake.rejected import REASON

log = logging.getLogger(__name__)

_SOURCES = 5  # if entries of this many sources fail, the cause is not the entries (chosen)
_TRIES = 20  # before entries go into quarantine if none was placed yet (chosen: one minute)

_NOT_OF_AN_ENTRY = (AggregatorError, MemoryError, OSError)

Batch = Sequence[tuple[InboxEntry, Prepared]]


class QuarantiningPlacer:
    """Places batches and puts entries that fail into quarantine."""

    def __init__(self, placer: Placer) -> None:
        self._placer = placer
        self._has_placed = False  # this process has placed an entry
        self._tries = 0  # consecutive calls in which nothing was placed

    def place(self, batch: Batch, *, is_final: bool = False) -> list[PlacementResult]:
        """Like `Placer.place`. Raises DamagedError if nothing can be placed."""
        try:
            placed = self._placer.place(batch, is_final=is_final)
        except _NOT_OF_AN_ENTRY:
            raise
        except Exception:  # noqa: BLE001 - `_one_by_one` meets it again
            return self._one_by_one(batch, is_final=is_final)
        self._note(placed)
        return placed

    def unreadable(self, error: UnreadableEntryError) -> None:
        """Put an entry into quarantine whose row cannot be decoded."""
        log.error("entry %d is in quarantine: %s", error.n, error, extra={"event": "entry_quarantined"})
        self._placer.quarantine(error.n, str(error))

    def _note(self, placed: Sequence[PlacementResult]) -> None:
        if placed:
            self._has_placed, self._tries = True, 0

    def _one_by_one(self, batch: Batch, *, is_final: bool) -> list[PlacementResult]:
        """Place entries alone, up to the first that must be prepared with other options."""
        done: list[PlacementResult] = []
        failed: list[tuple[InboxEntry, Exception]] = []
        for at, (waiting, _) in enumerate(batch):
            try:
                placed = self._placer.place(batch[at : at + 1], is_final=is_final and at == 0)
            except _NOT_OF_AN_ENTRY:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, other entries may be placed
                failed.append((waiting, error))
                continue
            if not placed:
                break
            self._note(placed)
            done += [*self._quarantine(failed), *placed]
            failed = []
        are_few = len({waiting.entry.source for waiting, _ in failed}) < _SOURCES
        if are_few and (self._has_placed or self._tries >= _TRIES):
            done += self._quarantine(failed)
        elif failed and not done:
            self._tries += 1
            waiting, cause = failed[0]
            raise DamagedError(
                f"entry {waiting.entry_no} and those after it cannot be placed ({_named(cause)}): the "
                "database is damaged, or the program has a bug; type `aggregator db check`"
            ) from cause
        return done

    def _quarantine(self, failed: Sequence[tuple[InboxEntry, Exception]]) -> list[PlacementResult]:
        placed = []
        for waiting, cause in failed:
            ids = {"entry": waiting.entry_no, "source": waiting.entry.source}
            log.error(
                "entry %d is in quarantine",
                waiting.entry_no,
                exc_info=cause,
                extra={"event": "entry_quarantined", **ids},
            )
            reason = f"{REASON} ({_named(cause)})"
            self._placer.quarantine(waiting.entry_no, reason)
            placed.append(
                PlacementResult(
                    entry_no=waiting.entry_no, outcome="refused", article=waiting.article, reason=reason
                )
            )
        return placed


def _named(cause: Exception) -> str:
    return f"{type(cause).__name__}: {cause}"[:300]
