"""Entries that cannot be placed are set aside, so that the others go on.

Nobody knows of such an entry beforehand: it meets a mistake of the program, or a row that is damaged. That
something is wrong with the entry, and not with all of them, is believed where another one can be placed, or
where others were and those that fail are of a few sources: what one feed sends lies side by side. Else
nothing is set aside, and placing rests until a person has looked. What was set aside keeps its words, and
`db check --repair` lets it wait again.
"""

import logging
from collections.abc import Sequence

from aggregator.model.core import Prepared
from aggregator.model.errors import AggregatorError, DamagedError, UnreadableEntryError
from aggregator.pipeline.placement.place import PlacementResult, Placer
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.intake.rejected import REASON

log = logging.getLogger(__name__)

_SOURCES = 5  # of so many sources all fail: that is no matter of the entries (chosen)
_TRIES = (
    20  # after which entries of fewer sources are set aside where nothing was placed yet (chosen: a minute)
)

Batch = Sequence[tuple[InboxEntry, Prepared]]


class _FailedError(Exception):
    """What nobody thought of, from placing some entries."""

    def __init__(self, cause: Exception) -> None:
        super().__init__()
        self.cause = cause


class QuarantiningPlacer:
    """Places batches; see the module."""

    def __init__(self, placer: Placer) -> None:
        self._placer = placer
        self._went_well = False  # something was placed by this process
        self._tries = 0  # in which nothing could be placed, in a row

    def place(self, batch: Batch, *, as_it_is: bool = False) -> list[PlacementResult]:
        """As `Placer.place`. Raises DamagedError where nothing can be placed."""
        try:
            placed = self._tried(batch, as_it_is=as_it_is)
        except _FailedError:
            return self._one_by_one(batch, as_it_is=as_it_is)
        self._note(placed)
        return placed

    def unreadable(self, error: UnreadableEntryError) -> None:
        """What was stored of this entry says nothing any more."""
        log.error("entry %d is set aside: %s", error.n, error)
        self._placer.quarantine(error.n, str(error))

    def _tried(self, batch: Batch, *, as_it_is: bool) -> list[PlacementResult]:
        try:
            return self._placer.place(batch, as_it_is=as_it_is)
        except (AggregatorError, MemoryError, OSError):
            raise  # no entry can help that
        except Exception as error:
            raise _FailedError(error) from error

    def _note(self, placed: Sequence[PlacementResult]) -> None:
        if placed:
            self._went_well, self._tries = True, 0

    def _one_by_one(self, batch: Batch, *, as_it_is: bool) -> list[PlacementResult]:
        """Up to the first that is to be prepared in another way."""
        done: list[PlacementResult] = []
        failed: list[tuple[InboxEntry, Exception]] = []
        for at, (waiting, _) in enumerate(batch):
            try:
                placed = self._tried(batch[at : at + 1], as_it_is=as_it_is and at == 0)
            except _FailedError as error:
                failed.append((waiting, error.cause))
                continue
            if not placed:
                break
            self._note(placed)
            done += [*self._quarantine(failed), *placed]
            failed = []
        are_few = len({waiting.entry.source for waiting, _ in failed}) < _SOURCES
        if are_few and (self._went_well or self._tries >= _TRIES):
            done += self._quarantine(failed)
        elif failed and not done:
            self._tries += 1
            waiting, cause = failed[0]
            raise DamagedError(
                f"entry {waiting.n} and what comes after it cannot be placed ({_named(cause)}): something is "
                "damaged, or a mistake of the program; type `aggregator db check`"
            ) from cause
        return done

    def _quarantine(self, failed: Sequence[tuple[InboxEntry, Exception]]) -> list[PlacementResult]:
        placed = []
        for waiting, cause in failed:
            ids = {"entry": waiting.n, "source": waiting.entry.source}
            log.error("entry %d is set aside", waiting.n, exc_info=cause, extra=ids)
            reason = f"{REASON} ({_named(cause)})"
            self._placer.quarantine(waiting.n, reason)
            placed.append(
                PlacementResult(n=waiting.n, outcome="refused", article=waiting.article, reason=reason)
            )
        return placed


def _named(cause: Exception) -> str:
    return f"{type(cause).__name__}: {cause}"[:300]
