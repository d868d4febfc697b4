"""Counts of rows, and sizes."""

from collections.abc import Iterator

from sqlalchemy import func, select

from aggregator.store.engine.database import Database
from aggregator.store.read.health import database_status
from aggregator.store.tables import (
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
        live = story.c.redirect_to.is_(None)
        alive = count_rows(connection, story, live)
        yield "stories", alive
        yield "merged stories", count_rows(connection, story) - alive
        for table, name in (
            (entry, "entries"),
            (outbox, "deliveries"),
            (command, "commands"),
        ):
            states = select(table.c.state, func.count().label("rows")).group_by(
                table.c.state
            )
            for row in connection.execute(states.order_by(table.c.state)):
                yield f"{name} {row.state}", row.rows
    place = database_status.place(database)
    yield "bytes", place.size_bytes
    if place.log_bytes is not None:
        yield "bytes of the WAL", place.log_bytes
