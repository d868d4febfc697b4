"""What placing, second look, corrections, forget, retention and recluster decide: changes of stories.

A decider returns changes, and one writer carries them out (write/story_writer.py): it writes rows, log and
change stream, and brings the window up to date.
"""

import datetime as dt

from aggregator.model.structs import FrozenStruct
from aggregator.store.intake.inbox import Outcome
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.stories.stories import StoryRow


class Place(FrozenStruct):
    """A new article joins a story, or begins one of its own."""

    article: StoredArticle
    story: StoryRow | None = None  # None: its own
    founding: int = 0  # how many stories it has founded before

    @property
    def outcome(self) -> Outcome:
        """What became of its entry."""
        if self.story is None:
            return "founded"
        return "copy" if self.article.role == "copy" else "joined"


class Revise(FrozenStruct):
    """An article of a story has another text. Its role, and so what is compared, may have changed, too."""

    article: StoredArticle  # as it is now
    at_no: int  # inbox number of the revision
    # Whether a new headline may bump the story: not one of a page that came late
    is_news: bool
    # Whether it bumps the story: the first whole text of its article, or one that replaces all of it
    is_whole: bool = False


class Move(FrozenStruct):
    """Articles of one story go to another one; a story that is left without articles is merged into it."""

    articles: tuple[str, ...]
    target: str | None  # a live story; None: a new one, founded by `founder`
    at_no: int  # inbox number at which the articles change their story
    # Of both stories, by a correction; None: the later of theirs
    bump: dt.datetime | None = None
    founder: str | None = None  # None: the article that was placed first
    revived: str | None = None  # the id of a merged story, used again for the new one
    silent: frozenset[str] = frozenset()  # see Merge; if a whole story moves


class Merge(FrozenStruct):
    """Stories become one.

    `keeps` keeps its id, else: the id of a story that is only a live blog or roundup is dropped; then the
    story with more reports keeps its id, in a tie the older one. The other ids redirect permanently.
    """

    stories: tuple[str, ...]
    at_no: int
    reason: str  # for the log
    bump: dt.datetime | None = None  # by a correction; None: the last of their bumps
    keeps: str | None = None
    # Stories whose own bump does not bump the merged one
    silent: frozenset[str] = frozenset()
    score: float | None = None
    need: float | None = None


class Remove(FrozenStruct):
    """Articles of a story are gone from the database; a story without articles is closed."""

    story: str
    articles: frozenset[str] = frozenset()


Change = Place | Revise | Move | Merge | Remove
