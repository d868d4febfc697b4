"""Counts of all received entries, written by the transaction that accepts them.

Each received entry takes a number of the counter "entry", whatever its outcome. So the sum of these rows must
be that number, and the outcomes that are stored must have as many rows in `entry` as were counted and not
deleted since (store/maintenance/checks/conservation.py).
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal

from sqlalchemy import Connection

from aggregator.store.tables import insert_or, intake_count

# "earlier": received before outcomes were counted, and not stored; its source is "".
Outcome = Literal["new", "revision", "known", "forgotten", "earlier"]
STORED: Final[tuple[Outcome, ...]] = ("new", "revision")  # outcomes with a row in `entry`


def count(connection: Connection, received: Iterable[tuple[str, Outcome]]) -> None:
    """Count received entries by source and outcome."""
    counts = Counter(received)
    if not counts:
        return
    statement = insert_or(connection, intake_count)
    statement = statement.on_conflict_do_update(
        index_elements=["source", "outcome"], set_={"count": intake_count.c.count + statement.excluded.count}
    )
    rows = [{"source": at, "outcome": what, "count": many} for (at, what), many in sorted(counts.items())]
    connection.execute(statement, rows)
