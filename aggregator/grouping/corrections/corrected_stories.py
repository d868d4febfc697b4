"""The stories and articles that a correction names."""

from aggregator.grouping.write.story_writer import ChangesStories
from aggregator.model.errors import UsageError
from aggregator.store.stories import stored_articles, story_rows


class CorrectsStories(ChangesStories):
    """Base of the classes that carry out corrections and undo them."""

    def _live_id(self, story: str) -> str:
        """Return the id of the story, or of its successor if it was merged. Raises UsageError."""
        target = story_rows.target_of(self._connection, story)
        if target is None:
            raise UsageError(
                f"there is no story {story}; `aggregator stories` lists them"
            )
        return target

    def _member_ids(self, story: str) -> list[str]:
        """Return the ids of the articles of a story, in the order of placing."""
        return [each.id for each in stored_articles.members(self._connection, story)]
