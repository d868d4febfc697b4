"""`aggregator` with its transaction rule broken on purpose: entries are done before stories are written.

The kill tests must find it out; it is how they prove that they could fail.
"""

from collections.abc import Sequence

from sqlalchemy import update

from aggregator.cli.application import main
from aggregator.grouping.place import Placer
from aggregator.grouping.placing.placement_result import PlacementResult
from aggregator.intake import pipeline
from aggregator.model.prepared import Prepared
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.tables import entry


class CarelessPlacing(Placer):
    """Commits that a batch is done, and only then places it."""

    def place(
        self, batch: Sequence[tuple[InboxEntry, Prepared]]
    ) -> list[PlacementResult]:
        with self.database.write() as connection:
            numbers = [waiting.entry_no for waiting, _ in batch]
            connection.execute(
                update(entry).where(entry.c.entry_no.in_(numbers)).values(state="done")
            )
        return super().place(batch)


if __name__ == "__main__":
    pipeline.Placer = CarelessPlacing  # type: ignore[misc]
    main()
