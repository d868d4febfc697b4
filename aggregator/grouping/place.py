"""Placing: each incoming article gets its place, and the decision is stored in one transaction.

This is the only writer of stories. The data in memory (the window, sampled shingles) is derived from rows;
after a failed transaction it is dropped and read again.
"""

from collections.abc import Sequence

import msgspec

from aggregator.grouping.corrections.correction_command import (
    CorrectionCommand,
    CorrectionResult,
)
from aggregator.grouping.deletion.forget_articles import erase_named
from aggregator.grouping.placing.placement_result import PlacementResult
from aggregator.grouping.transactions import Transactions
from aggregator.model.prepared import Prepared
from aggregator.store import commands
from aggregator.store.intake import rejected
from aggregator.store.intake.inbox import InboxEntry


class Placer(Transactions):
    """Places prepared entries, and changes placed articles and stories. For one thread of the writer."""

    _swept = -1  # the period of inbox numbers when the window was swept last

    def place(
        self, batch: Sequence[tuple[InboxEntry, Prepared]]
    ) -> list[PlacementResult]:
        """Place a batch, in the order of its inbox numbers, in one transaction."""
        from aggregator.grouping.placing.place_entry import EntryPlacer

        def unit() -> list[PlacementResult]:
            with self.unit_of_work(keeps_caches=True) as unit_of_work:
                entry_placer = EntryPlacer(self.services, unit_of_work, batch)
                try:
                    placed = [
                        entry_placer.place(waiting, prepared)
                        for waiting, prepared in batch
                    ]
                finally:
                    # A traceback keeps this frame, and would keep the window in memory.
                    del entry_placer
                self.services.stream.write_counts(unit_of_work.connection)
            return placed

        placed = self.database.again(unit)
        every = self.services.placing.sweep_every
        period = batch[-1][0].inbox_no // every
        if period != self._swept:
            self._swept = period
            self.services.window.sweep(period * every)
        return placed

    def correct(
        self, command: CorrectionCommand, request: int | None = None
    ) -> CorrectionResult:
        """Execute a correction and answer its row `request`, in one transaction.

        Raises UsageError if it is not possible; then nothing is changed.
        """
        from aggregator.grouping.corrections.apply_corrections import CorrectionHandler

        def unit() -> CorrectionResult:
            with self.unit_of_work() as unit_of_work:
                result = CorrectionHandler(self.services, unit_of_work).carry_out(
                    command
                )
                if request is not None:
                    commands.answer(
                        unit_of_work.connection,
                        request,
                        unit_of_work.now,
                        "done",
                        msgspec.json.encode(result).decode(),
                    )
            return result

        return self.database.again(unit)

    erase = erase_named

    def quarantine(self, n: int, reason: str) -> None:
        """Remove an entry that cannot be placed from the inbox."""
        self.database.transact(
            lambda connection: rejected.quarantine(
                connection, n, at=self.now(), reason=reason
            )
        )
