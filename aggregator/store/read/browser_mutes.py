"""The mutes that the owner sets in the browser: words, outlets, storylines, sources and kinds of articles."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.config.messages import redact_address
from aggregator.model.errors import UsageError
from aggregator.model.prepared import KINDS
from aggregator.model.read_model import Mute
from aggregator.model.story import StorylineView
from aggregator.store.engine.database import Database
from aggregator.store.read.story_filter import outlets_named
from aggregator.store.read.storyline_views import storyline_of
from aggregator.store.stories.storyline_mutes import HIDDEN, hide_stories
from aggregator.store.tables import (
    count_rows,
    mute,
    read_map,
    read_rows,
    read_set,
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

        `typed` is a word, the name or key of an outlet, the id of a source or of a story, whose storyline is muted, or
        a kind of articles. It is cut to the length of a muted word.
        """
        typed = " ".join(typed.split())[:_MOST_CHARS]
        with self._database.write() as connection:
            hidden: Sequence[str] = ()
            is_guest = False
            if kind == "storylines":
                line = _find_storyline(connection, typed)
                names = {line.id: line.title}
                hidden = [story.id for story in line.stories]
                is_guest = line.stories[0].is_guest and len(hidden) == 1
            else:
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
                hide_stories(connection, muted, hidden, is_guest=is_guest)

    def remove(self, kind: str, muted: str) -> None:
        """Remove a mute, if it exists. For a story, remove all mutes of storylines that hide it."""
        with self._database.write() as connection:
            ids = {muted}
            if kind == "storylines":
                hiding = "SELECT storyline FROM muted_story WHERE story = :story"
                ids.update(read_values(connection, hiding, story=muted))
            _remove(connection, kind, ids)

    def visible_beside(self) -> dict[str, Any]:
        """Return the id of a storyline and the number of its visible stories, by the mute that hides others there."""
        with self._database.read() as connection:
            rows = read_rows(
                connection,
                f"""
                SELECT muted_story.storyline AS muted, min(other.storyline) AS line, count(DISTINCT other.id) AS stories
                FROM muted_story JOIN story ON story.id = muted_story.story
                JOIN story AS other ON other.storyline = story.storyline
                WHERE story.redirect_to IS NULL AND other.redirect_to IS NULL AND other.id NOT IN ({HIDDEN})
                GROUP BY muted_story.storyline
                """,  # noqa: S608
            )
        return {row.muted: row for row in rows}


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
        case "sources":
            source = source_with_id(connection, typed)
            if source is None:
                raise UsageError("there is no such source any more")
            return {source.entry_source: redact_address(source.shown_name)}
        case "kinds" if typed in KINDS:
            return {typed: typed}
    raise UsageError("the form is invalid; open the page again")


def _find_storyline(connection: Connection, typed: str) -> StorylineView:
    """Return what to mute with this story: its storyline, or a guest as a storyline of its own. Raises UsageError."""
    line = storyline_of(connection, typed)
    if line is None:
        raise UsageError("there is no such story any more")
    for story in line.stories:
        if story.id == typed and story.is_guest:
            return replace(line, id=story.id, title=story.title, stories=(story,))
    return line


def _remove(connection: Connection, kind: str, ids: Iterable[str]) -> None:
    ids = list(ids)
    removed = "DELETE FROM mute WHERE kind = :kind AND muted IN :ids"
    write_sql(connection, removed, kind=kind, ids=ids)
    if kind == "storylines":
        shown = "DELETE FROM muted_story WHERE storyline IN :ids"
        write_sql(connection, shown, ids=ids)


def hidden_stories(connection: Connection) -> set[str]:
    """Return the ids of the stories that mutes of storylines hide."""
    return read_set(connection, HIDDEN)


def end_rested(connection: Connection, since: datetime) -> None:
    """Remove the mutes of storylines if none of the hidden stories was bumped at `since` or later.

    If `since` is before the window of events, only a correction can still add a report to such a storyline, so that its
    mute has no use.
    """
    rested = """
        SELECT muted FROM mute WHERE kind = 'storylines' AND muted NOT IN (
          SELECT muted_story.storyline FROM muted_story JOIN story ON story.id = muted_story.story
          WHERE bumped_at >= :since)
        """
    _remove(connection, "storylines", read_values(connection, rested, since=since))


def in_force(connection: Connection) -> tuple[Mute, ...]:
    """Return all mutes, for the filter of a list."""
    rows = read_rows(connection, "SELECT kind, muted FROM mute ORDER BY kind, muted")
    return tuple(map(tuple, rows))
