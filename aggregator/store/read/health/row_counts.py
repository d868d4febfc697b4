"""Counts of rows, and sizes."""

from collections.abc import Iterator

from aggregator.store.engine.database import Database
from aggregator.store.read.health import database_status
from aggregator.store.tables import (
    IS_LIVE,
    article,
    change,
    correction,
    count_rows,
    read_rows,
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
        for name, rows in (
            ("entries", "entry"),
            ("deliveries", "outbox"),
            ("commands", "command"),
        ):
            states = f"SELECT state, count(*) FROM {rows} GROUP BY state ORDER BY state"  # noqa: S608
            for value, count in read_rows(connection, states):
                yield f"{name} {value}", count
    place = database_status.place(database)
    yield "bytes", place.size_bytes
    if place.log_bytes is not None:
        yield "bytes of the WAL", place.log_bytes
