"""Finds the source that the user names by its name, id or address."""

from typing import TYPE_CHECKING, Annotated

from aggregator.cli.output import argument
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.store.engine.database import Database
    from aggregator.store.intake.source_rows import Source


SourceName = Annotated[
    str, argument("SOURCE", "Use the source with this name, id or address.")
]


def named_source(database: "Database", typed: str) -> "Source":
    """Return the source with this name, id or address. Raises UsageError if there is none or several."""
    from aggregator.store.intake.source_rows import sources_named

    with database.read() as connection:
        sources = sources_named(connection, typed)
    if not sources:
        raise UsageError(
            f"there is no source {typed}; `aggregator sources list` lists all"
        )
    if len(sources) > 1:
        which = "; ".join(f"{source.id} {source.address}" for source in sources[:5])
        raise UsageError(
            f"{typed} matches {len(sources)} sources; give the id of one: {which}"
        )
    return sources[0]
