"""Which stories the mute of a storyline hides: those that it had when it was muted, and those that join it singly.

A reader mutes what he has read about. A union with a storyline that is not muted therefore leaves that one visible,
and a muted guest never hides stories of others.
"""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection

from aggregator.store.stories.guests import OF_STANDING, guests_of
from aggregator.store.tables import read_set, read_values, write_each, write_sql

HIDDEN = f"""
    SELECT story FROM muted_story WHERE (NOT is_guest OR NOT EXISTS (
      SELECT 1 FROM article WHERE article.story = muted_story.story AND {OF_STANDING}))
    """  # noqa: S608
"""SQL text: the ids of the stories that mutes of storylines hide; a guest, until a source with standing reports it."""


def hide_stories(
    connection: Connection,
    muted: str,
    stories: Iterable[str],
    *,
    is_guest: bool = False,
) -> None:
    """Let the mute `muted` hide these stories, too; `is_guest`: it is the mute of a single guest."""
    write_each(
        connection,
        """
        INSERT INTO muted_story (storyline, story, is_guest) VALUES (:muted, :story, :is_guest) ON CONFLICT DO NOTHING
        """,
        [{"muted": muted, "story": story, "is_guest": is_guest} for story in stories],
    )


def hide_present(connection: Connection) -> None:
    """Let each mute of a storyline hide its present stories, after the import of an export without them."""
    write_sql(
        connection,
        """
        INSERT INTO muted_story (storyline, story, is_guest)
        SELECT mute.muted, story.id, false FROM mute JOIN story AS gone ON gone.id = mute.muted
        JOIN story AS present ON present.id = coalesce(gone.redirect_to, gone.id)
        JOIN story ON coalesce(story.storyline, story.id) = coalesce(gone.storyline, present.storyline, present.id)
        WHERE mute.kind = 'storylines' AND story.redirect_to IS NULL ON CONFLICT DO NOTHING
        """,
    )


def hide_joined(
    connection: Connection, line: str, joined: Collection[str], others: Collection[str]
) -> None:
    """Hide a single story that joined the storyline `line` if mutes hide all others there.

    Nothing is hidden if `joined` are several stories, or if the others are only guests.
    """
    hidden = read_set(
        connection, f"{HIDDEN} AND story IN :stories", stories=set(others)
    )
    if len(joined) != 1 or not hidden or hidden != set(others):
        return
    if hidden <= guests_of(connection, [line]):
        return
    muted_by = "SELECT DISTINCT storyline FROM muted_story WHERE story IN :stories"
    for muted in set(read_values(connection, muted_by, stories=hidden)):
        hide_stories(connection, muted, joined)
