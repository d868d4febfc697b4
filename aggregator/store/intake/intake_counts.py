"""Counts of all received entries, written by the transaction that accepts them.

Each received entry takes a number of the counter "entry", whatever its outcome. So the sum of these rows must
be that number, and the outcomes that are stored must have as many rows in `entry` as were counted and not
deleted since (store/maintenance/checks/conservation.py).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from sqlalchemy import Connection, bindparam, update

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


def count_deleted(connection: Connection, rows: Mapping[tuple[str, bool], int]) -> None:
    """Count rows of `entry` that this transaction deletes, by source and `is_revision`."""
    values = [
        {"of_source": at, "of_outcome": "revision" if is_revision else "new", "many": many}
        for (at, is_revision), many in sorted(rows.items())
    ]
    if values:
        connection.execute(_COUNT_DELETED, values)


_COUNT_DELETED = (
    update(intake_count)
    .where(intake_count.c.source == bindparam("of_source"), intake_count.c.outcome == bindparam("of_outcome"))
    .values(deleted=intake_count.c.deleted + bindparam("many"))
)
