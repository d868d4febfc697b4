"""One placing transaction."""

import datetime as dt
from typing import NamedTuple

from aggregator.store.engine.database import Connection
from aggregator.store.stories.placement_batch import Ledger, LogKind


class UnitOfWork(NamedTuple):
    """One placing transaction: its connection, its numbers and log, and when it began."""

    connection: Connection
    ledger: Ledger
    now: dt.datetime

    def log(
        self,
        story: str,
        kind: LogKind,
        *,
        article: str | None = None,
        **detail: str | float | None,
    ) -> None:
        """Add a line to the log of a story."""
        self.ledger.log(self.now, story, kind, article=article, **detail)
