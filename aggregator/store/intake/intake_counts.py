"""What ever came to the door, counted: the same transaction that stores an entry, or does not, counts it.

The counter "entry" takes a number for each entry before anybody looks at it. So the sum of these rows must be
that number, and of those outcomes that leave a row in `entry` as many rows must be there as were counted and
not let go since (`checking`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from sqlalchemy import Connection, bindparam, update

from aggregator.store.tables import insert_or, intake

# "earlier": what came before it was counted by source, and left no row; its source is "".
Outcome = Literal["new", "revision", "known", "forgotten", "earlier"]
STORED: Final[tuple[Outcome, ...]] = ("new", "revision")  # those that leave a row in `entry`


def count(connection: Connection, came: Iterable[tuple[str, Outcome]]) -> None:
    """Count entries that came: the source of each, and what became of it at the door."""
    tally = Counter(came)
    if not tally:
        return
    statement = insert_or(connection, intake)
    statement = statement.on_conflict_do_update(
        index_elements=["source", "outcome"], set_={"count": intake.c.count + statement.excluded.count}
    )
    rows = [{"source": at, "outcome": what, "count": many} for (at, what), many in sorted(tally.items())]
    connection.execute(statement, rows)


def let_go(connection: Connection, rows: Mapping[tuple[str, bool], int]) -> None:
    """Say that rows of `entry` are deleted in this transaction: by source and `revises`, how many."""
    values = [
        {"of_source": at, "of_outcome": "revision" if revises else "new", "many": many}
        for (at, revises), many in sorted(rows.items())
    ]
    if values:
        connection.execute(_LET_GO, values)


_LET_GO = (
    update(intake)
    .where(intake.c.source == bindparam("of_source"), intake.c.outcome == bindparam("of_outcome"))
    .values(gone=intake.c.gone + bindparam("many"))
)
