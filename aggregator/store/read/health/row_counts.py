"""Counts of rows, and sizes."""

from collections.abc import Iterator

from sqlalchemy import func, select

from aggregator.store.engine.database import Database
from aggregator.store.read.health import database_status
from aggregator.store.tables import (
    IS_LIVE,
    article,
    change,
    command,
    correction,
    count_rows,
    entry,
    outbox,
    rejected_input,
    source,
    story,
    tombstone,
)


def statistics(database: Database) -> Iterator[tuple[str, int]]:
    """Yield (name, count) pairs of `db stats`; sizes are in bytes."""
    with database.read() as connection:
        for table in (source, article, rejected_input, correction, change, tombstone):
            yield f"{table.name}s".replace("_", " "), count_rows(connection, table)
        alive = count_rows(connection, story, IS_LIVE)
        yield "stories", alive
        yield "merged stories", count_rows(connection, story) - alive
        for name, state in (
            ("entries", entry.c.state),
            ("deliveries", outbox.c.state),
            ("commands", command.c.state),
        ):
            states = select(state, func.count()).group_by(state).order_by(state)
            for value, count in connection.execute(states):
                yield f"{name} {value}", count
    place = database_status.place(database)
    yield "bytes", place.size_bytes
    if place.log_bytes is not None:
        yield "bytes of the WAL", place.log_bytes
