"""Places batches, and puts entries that cannot be placed into quarantine."""

import logging
from collections.abc import Sequence

from aggregator.grouping.place import Placer
from aggregator.grouping.placing.placement_result import PlacementResult
from aggregator.model.errors import AggregatorError, DamagedError, UnreadableEntryError
from aggregator.model.prepared import Prepared
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.intake.rejected import REASON

log = logging.getLogger(__name__)
Batch = Sequence[tuple[InboxEntry, Prepared]]
Failure = tuple[InboxEntry, Exception]
# If entries of this many sources fail, the cause is assumed to be the program or the database (chosen).
_SOURCES = 5
# If this process has placed no entry yet, failing entries go into quarantine after this many tries (chosen: one
# minute).
_TRIES = 20


class QuarantiningPlacer:
    """Places batches and puts entries that fail into quarantine, so that others can be placed.

    An entry that fails meets a bug of the program, or a damaged row. The entry is assumed to be the cause, and not
    the program or the database as a whole, if an entry after it can be placed. If none can, it is still assumed to be
    the cause if the failing entries are of few sources, because entries of one feed are neighbours in the inbox. But
    then this process must have placed an entry before, or have tried `_TRIES` times. Otherwise nothing is put into
    quarantine, and placing is paused. An entry in quarantine keeps its text; `db check --repair` puts it back into
    the inbox.
    """

    def __init__(self, placer: Placer) -> None:
        self._placer = placer
        # Whether this process has placed an entry
        self._has_placed = False
        # Consecutive calls that placed nothing
        self._tries = 0

    def place(self, batch: Batch) -> list[PlacementResult]:
        """Place a batch like `Placer.place`; a failing batch is halved until each culprit is alone.

        Raises DamagedError if nothing can be placed.
        """
        done: list[PlacementResult] = []
        failed: list[Failure] = []
        parts = [batch]  # a stack: the part to place next is the last
        while parts:
            part = parts.pop()
            try:
                placed = self._placer.place(part)
            except (AggregatorError, MemoryError, OSError):
                raise  # no entry is the cause
            except Exception as error:  # noqa: BLE001 - whatever it is, other entries may be placed
                if len(part) == 1:
                    failed.append((part[0][0], error))
                else:
                    parts += [part[len(part) // 2 :], part[: len(part) // 2]]
                continue
            self._has_placed = True
            self._tries = 0
            done += [*self._quarantine(failed), *placed]
            failed = []
        # If few sources fail, the cause is their entries, not the program or the database.
        sources = {waiting.entry.source for waiting, _ in failed}
        if len(sources) < _SOURCES and (self._has_placed or self._tries >= _TRIES):
            done += self._quarantine(failed)
        elif not done:
            self._tries += 1
            waiting, cause = failed[0]
            raise DamagedError(
                f"entry {waiting.entry_no} and those after it cannot be placed ({_name_cause(cause)}): the "
                "database is damaged, or the program has a bug; type `aggregator db check`"
            ) from cause
        return done

    def reject_unreadable(self, error: UnreadableEntryError) -> None:
        """Put an entry into quarantine whose row cannot be decoded."""
        log.error(
            "entry %d is in quarantine: %s",
            error.n,
            error,
            extra={"event": "entry_quarantined"},
        )
        self._placer.quarantine(error.n, str(error))

    def _quarantine(self, failed: Sequence[Failure]) -> list[PlacementResult]:
        placed = []
        for waiting, cause in failed:
            ids = {"entry": waiting.entry_no, "source": waiting.entry.source}
            log.error(
                "entry %d is in quarantine",
                waiting.entry_no,
                exc_info=cause,
                extra={"event": "entry_quarantined", **ids},
            )
            reason = f"{REASON} ({_name_cause(cause)})"
            self._placer.quarantine(waiting.entry_no, reason)
            placed.append(
                PlacementResult(
                    entry_no=waiting.entry_no,
                    outcome="refused",
                    article=waiting.article,
                    reason=reason,
                )
            )
        return placed


def _name_cause(cause: Exception) -> str:
    return f"{type(cause).__name__}: {cause}"[:300]
