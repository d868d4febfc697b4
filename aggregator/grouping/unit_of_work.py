"""One placing transaction."""

import datetime as dt
from typing import NamedTuple

from aggregator.store.engine.database import Connection
from aggregator.store.stories.placement_batch import Ledger


class UnitOfWork(NamedTuple):
    """One placing transaction: its connection, what waits to be written in it, and when it began."""

    connection: Connection
    ledger: Ledger
    now: dt.datetime
