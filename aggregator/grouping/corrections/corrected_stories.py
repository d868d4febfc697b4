"""The stories and articles that a correction names."""

from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Connection
from aggregator.store.stories import stored_articles, story_rows


def live_id(connection: Connection, story: str) -> str:
    """Return the id of the story, or of its successor if it was merged. Raises UsageError."""
    target = story_rows.target_of(connection, story)
    if target is None:
        raise UsageError(f"there is no story {story}; `aggregator stories` lists them")
    return target


def member_ids(connection: Connection, story: str) -> list[str]:
    """Return the ids of the articles of a story, in the order of placing."""
    return [member.id for member in stored_articles.members(connection, story)]
