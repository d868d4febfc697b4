"""The mutes that the owner sets in the browser: words, outlets, storylines, sources and kinds of articles."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from aggregator.config.messages import redact_address
from aggregator.model.errors import UsageError
from aggregator.model.prepared import KINDS
from aggregator.model.read_model import Mute
from aggregator.store.engine.database import Database
from aggregator.store.read.story_filter import outlets_named
from aggregator.store.read.storyline_views import storyline_of
from aggregator.store.stories.storyline_rows import ANSWERING
from aggregator.store.tables import (
    count_rows,
    mute,
    read_map,
    read_rows,
    read_values,
    write_sql,
)

MOST_MUTES = 500  # (limit) each mute is compared with each article of a list
# The most characters of a muted word, as in config.yaml
_MOST_CHARS = 200


class BrowserMutes:
    """The mutes of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all_mutes(self) -> list[Any]:
        """Return the rows of all mutes, ordered by kind and name."""
        with self._database.read() as connection:
            return read_rows(connection, "SELECT * FROM mute ORDER BY kind, name")

    def add(self, kind: str, typed: str) -> None:
        """Add the mute that the owner typed or clicked. Raises UsageError.

        `typed` is a word, the name or key of an outlet, the id of a storyline or source, or a kind of articles. It is
        cut to the length of a muted word.
        """
        typed = " ".join(typed.split())[:_MOST_CHARS]
        with self._database.write() as connection:
            names = _find_names(connection, kind, typed)
            if count_rows(connection, mute) + len(names) > MOST_MUTES:
                raise UsageError(
                    f"there are {MOST_MUTES} mutes already; remove some first"
                )
            added = """
                INSERT INTO mute (kind, muted, name) VALUES (:kind, :muted, :name) ON CONFLICT DO NOTHING
                """
            for muted, name in names.items():
                write_sql(connection, added, kind=kind, muted=muted, name=name)

    def remove(self, kind: str, muted: str) -> None:
        """Remove a mute, if it exists. For a storyline, also remove the mutes of its former ids."""
        with self._database.write() as connection:
            ids = [muted]
            if kind == "storylines":
                lines = muted_storylines(connection)
                line = lines.get(muted, muted)
                ids = [id_ for id_ in lines if lines[id_] == line]
            write_sql(
                connection,
                "DELETE FROM mute WHERE kind = :kind AND muted IN :ids",
                kind=kind,
                ids=ids,
            )


def _find_names(connection: Connection, kind: str, typed: str) -> dict[str, str]:
    """Return the name to show for each word, key or id that is to be muted. Raises UsageError."""
    # These modules are slow to import, and commands that list stories import this one without muting anything.
    from aggregator.store.intake.source_rows import source_with_id
    from aggregator.store.search.query import muted_term

    match kind:
        case "words" if muted_term(typed) is None:
            raise UsageError("give a word with at least one letter or digit")
        case "words":
            return {typed: typed}
        case "outlets":
            # Pages show "via" before an outlet that only a feed of another site names.
            keys = outlets_named(connection, typed.removeprefix("via "))
            if not keys:
                raise UsageError(
                    f"no article is of an outlet {typed[:40]!r}; copy its name from a story"
                )
            return read_map(
                connection,
                """
                SELECT outlet, max(coalesce(outlet_name, outlet)) FROM article
                WHERE outlet IN :keys GROUP BY outlet
                """,
                keys=keys,
            )
        case "storylines":
            line = storyline_of(connection, typed)
            if line is None:
                raise UsageError("there is no such story any more")
            return {line.id: line.title}
        case "sources":
            source = source_with_id(connection, typed)
            if source is None:
                raise UsageError("there is no such source any more")
            return {source.entry_source: redact_address(source.shown_name)}
        case "kinds" if typed in KINDS:
            return {typed: typed}
    raise UsageError("the form is invalid; open the page again")


def muted_storylines(connection: Connection) -> dict[str, str]:
    """Return the present id of each muted storyline, by the id that was muted."""
    ids = read_values(connection, "SELECT muted FROM mute WHERE kind = 'storylines'")
    return read_map(connection, f"SELECT gone.id, {ANSWERING}", ids=ids)


def end_rested(connection: Connection, since: datetime) -> None:
    """Remove the mutes of storylines without a bump at `since` or later.

    If `since` is before the window of events, only a correction can still add a report to such a storyline, so that its
    mute has no use.
    """
    newer_story = "SELECT 1 FROM story WHERE (storyline = :line OR id = :line) AND bumped_at >= :since LIMIT 1"
    for id_, line in muted_storylines(connection).items():
        if not read_rows(connection, newer_story, line=line, since=since):
            write_sql(
                connection,
                "DELETE FROM mute WHERE kind = 'storylines' AND muted = :id",
                id=id_,
            )


def in_force(connection: Connection) -> tuple[Mute, ...]:
    """Return all mutes, for the filter of a list."""
    rows = read_rows(connection, "SELECT kind, muted FROM mute ORDER BY kind, muted")
    return tuple(map(tuple, rows))
