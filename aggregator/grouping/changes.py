"""Changes of stories, the decisions of placing, second look, corrections, forget, retention and recluster.

A decider returns changes, and one writer carries them out (write/story_writer.py): it writes rows, log and
change stream, and brings the window up to date.
"""

import datetime as dt

from aggregator.model.structs import FrozenStruct
from aggregator.store.intake.inbox import Outcome
from aggregator.store.stories.stored_articles import StoredArticle
from aggregator.store.stories.story_rows import StoryRow


class Place(FrozenStruct):
    """Put a new article into a story, or begin a story with it."""

    article: StoredArticle
    # None: the article founds its own story
    story: StoryRow | None = None
    founding: int = 0  # how many stories it has founded before


class Revise(FrozenStruct):
    """Give an article of a story another text; its role, and so its comparisons, may change, too."""

    # The article with its new text
    article: StoredArticle
    at_no: int  # inbox number of the revision
    # Whether a new headline may bump the story; the headline of a page that came late may not
    is_news: bool
    # Whether this bumps the story: it is the first whole text of the article, or replaces all of its text
    is_whole: bool = False


class Move(FrozenStruct):
    """Move articles to another story; a story that is left without articles is merged into it."""

    articles: tuple[str, ...]
    target: str | None  # None: a new story, founded by `founder`
    # The inbox number of the move
    at_no: int
    # The new bump of both stories, if a correction sets it; None: the later of their bumps
    bump: dt.datetime | None = None
    founder: str | None = None  # None: the article that was placed first
    is_revived: bool = False  # `target` is a merged story that lives again
    silent: frozenset[str] = frozenset()  # see Merge; if a whole story moves


class Merge(FrozenStruct):
    """Merge stories into one.

    The story `keeps` keeps its id. Without `keeps`, a story that is only a live blog or roundup loses its id;
    among the rest, the story with more reports keeps its id, and in a tie the older story. The other ids
    redirect permanently.
    """

    stories: tuple[str, ...]
    at_no: int
    # The reason that the log gives
    reason: str
    # The new bump, if a correction sets it; None: the last of their bumps
    bump: dt.datetime | None = None
    keeps: str | None = None
    # Stories whose own bump does not bump the merged story
    silent: frozenset[str] = frozenset()
    score: float | None = None
    need: float | None = None


class Remove(FrozenStruct):
    """Update a story after its articles were deleted; a story without articles is closed."""

    story: str
    articles: frozenset[str] = frozenset()


Change = Revise | Move | Merge | Remove


class PlacementResult(FrozenStruct):
    """The outcome of one waiting entry."""

    entry_no: int
    outcome: Outcome
    article: str
    story: str | None = None
    reason: str | None = None
