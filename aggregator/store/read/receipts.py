"""Which stories were there before: for the summary of what an ingest did."""

from collections.abc import Collection

from sqlalchemy import Connection, select

from aggregator.store.sql import in_parts
from aggregator.store.tables import counter, story


def newest_story(connection: Connection) -> int:
    """The number of the story that was opened last."""
    number: int = connection.execute(select(counter.c.value).where(counter.c.name == "story")).scalar_one()
    return number


def of_before(connection: Connection, ids: Collection[str], newest: int) -> set[str]:
    """Those of the stories `ids` that are no younger than the number `newest`."""
    asked, found = sorted(ids), set[str]()
    for part in in_parts(asked):
        some = story.c.id.in_(part)
        found.update(connection.execute(select(story.c.id).where(some, story.c.n <= newest)).scalars())
    return found
