"""Counts of rows, and sizes."""

from collections.abc import Iterator

from aggregator.store.engine.database import Database
from aggregator.store.read.health import database_status
from aggregator.store.tables import read_rows, read_value


def statistics(database: Database) -> Iterator[tuple[str, int]]:
    """Yield (name, count) pairs of `db stats`; sizes are in bytes."""
    with database.read() as connection:
        for name, rows in (
            ("sources", "source"),
            ("articles", "article"),
            ("rejected inputs", "rejected_input"),
            ("corrections", "correction"),
            ("changes", "change"),
            ("tombstones", "tombstone"),
            ("stories", "story WHERE redirect_to IS NULL"),
            ("merged stories", "story WHERE redirect_to IS NOT NULL"),
        ):
            yield name, read_value(connection, f"SELECT count(*) FROM {rows}")  # noqa: S608
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
