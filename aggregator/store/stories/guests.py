"""Guests: stories in a storyline that only sources without standing report, beside stories that others report.

Words alone put a story into a storyline, so anybody who publishes can have one there. A guest therefore never speaks
for the affair: it gives the storyline no title, hour, rank or picture, comes last on its day, and does not unite the
storyline with another. If no story of a storyline has an article of a source with standing, as on the first days,
nothing distinguishes a new feed, and no story is a guest.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from aggregator.store.stories.stream_history import SENDER, WITH_STANDING
from aggregator.store.tables import Row, read_rows

OF_STANDING = f"(NOT article.is_little_known OR {SENDER} IN ({WITH_STANDING}))"
"""SQL text: whether an article is of a source that has standing now, or had it when the article was placed."""

HAS_STANDING = (
    f"EXISTS (SELECT 1 FROM article WHERE article.story = story.id AND {OF_STANDING})"  # noqa: S608
)
"""SQL text: whether a source with standing reports `story`."""


def stories_with_standing(connection: Connection, stories: Iterable[str]) -> set[str]:
    """Return those of these stories that a source with standing reports."""
    found = f"SELECT id FROM story WHERE id IN :ids AND {HAS_STANDING}"  # noqa: S608
    return {row.id for row in read_rows(connection, found, ids=set(stories))}


def guests_among(stories: Iterable[Row]) -> set[str]:
    """Return the ids of the guests among all stories of some storylines.

    Each row has `id`, `storyline` and `has_standing`.
    """
    stories = list(stories)
    hosted = {story.storyline for story in stories if story.has_standing}
    return {
        story.id
        for story in stories
        if story.storyline and story.storyline in hosted and not story.has_standing
    }


def guests_of(connection: Connection, storylines: Iterable[str]) -> set[str]:
    """Return the ids of the guests in these storylines."""
    stories = f"""
        SELECT id, storyline, {HAS_STANDING} AS has_standing FROM story
        WHERE storyline IN :storylines AND redirect_to IS NULL
        """  # noqa: S608
    return guests_among(read_rows(connection, stories, storylines=set(storylines)))
