"""Counts of rows, and the size of the database, for `db stats`."""

from collections.abc import Iterator

from aggregator.store.engine.database import Database
from aggregator.store.read.health import database_status
from aggregator.store.tables import read_rows


def statistics(database: Database) -> Iterator[tuple[str, int]]:
    """Yield (name, count) pairs of `db stats`; sizes are in bytes."""
    with database.read() as connection:
        yield from read_rows(
            connection,
            """
            SELECT name, number FROM (
              SELECT 1 AS place, 'sources' AS name, count(*) AS number FROM source
              UNION ALL SELECT 2, 'articles', count(*) FROM article
              UNION ALL SELECT 3, 'rejected inputs', count(*) FROM rejected_input
              UNION ALL SELECT 4, 'corrections', count(*) FROM correction
              UNION ALL SELECT 5, 'changes', count(*) FROM change
              UNION ALL SELECT 6, 'tombstones', count(*) FROM tombstone
              UNION ALL SELECT 7, 'stories', count(*) FROM story WHERE redirect_to IS NULL
              UNION ALL SELECT 8, 'merged stories', count(*) FROM story WHERE redirect_to IS NOT NULL
              UNION ALL SELECT 9, 'entries ' || state, count(*) FROM entry GROUP BY state
              UNION ALL SELECT 10, 'deliveries ' || state, count(*) FROM outbox GROUP BY state
              UNION ALL SELECT 11, 'commands ' || state, count(*) FROM command GROUP BY state
            ) AS counted ORDER BY place, name
            """,
        )
    place = database_status.place(database)
    yield "bytes", place.size_bytes
    if place.log_bytes is not None:
        yield "bytes of the WAL", place.log_bytes
