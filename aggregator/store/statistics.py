"""How much is in the database."""

from collections.abc import Iterator

from sqlalchemy import func, select

from aggregator.store.database import Database
from aggregator.store.tables import article, entry, refusal, revision, source, story


def statistics(database: Database) -> Iterator[tuple[str, int]]:
    """(name, count) pairs; entries by state prove that nothing got lost on the way."""
    with database.read() as connection:
        for table in (source, article, revision, refusal):
            yield f"{table.name}s", connection.execute(select(func.count()).select_from(table)).scalar_one()
        live = story.c.redirect_to.is_(None)
        yield "stories", connection.execute(select(func.count()).select_from(story).where(live)).scalar_one()
        states = select(entry.c.state, func.count().label("entries")).group_by(entry.c.state)
        for row in connection.execute(states.order_by(entry.c.state)):
            yield f"entries {row.state}", row.entries
    if database.file is not None:
        yield "bytes", database.file.stat().st_size
