"""How much is in the database."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Table, func, select, text

from aggregator.store.engine.database import Database
from aggregator.store.tables import (
    article,
    change,
    correction,
    entry,
    outbox,
    refusal,
    request,
    revision,
    source,
    story,
    tombstone,
)


def statistics(database: Database) -> Iterator[tuple[str, int]]:
    """(name, count) pairs; entries by state prove that nothing got lost on the way. Sizes are bytes."""
    with database.read() as connection:
        for table in (source, article, revision, refusal, correction, change, tombstone):
            yield f"{table.name}s", _count(connection, table)
        live = story.c.redirect_to.is_(None)
        alive = connection.execute(select(func.count()).select_from(story).where(live)).scalar_one()
        yield "stories", alive
        yield "stories given way", _count(connection, story) - alive
        for table, name in ((entry, "entries"), (outbox, "deliveries"), (request, "requests")):
            states = select(table.c.state, func.count().label("rows")).group_by(table.c.state)
            for row in connection.execute(states.order_by(table.c.state)):
                yield f"{name} {row.state}", row.rows
        if not database.is_sqlite:
            size = text("SELECT pg_database_size(current_database())")
            yield "bytes", connection.execute(size).scalar_one()
    if database.file is not None:
        yield "bytes", database.file.stat().st_size
        log = Path(f"{database.file}-wal")
        yield "bytes of the log", log.stat().st_size if log.exists() else 0


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()
