"""What the output rooms ask of the store, in nouns: the shelf that readers take stories from.

The store's reading side has these methods; `publish` and the command line know only this protocol, so that a
page or a feed can be tested with an in-memory stand-in. Nothing here knows SQL or HTTP.
"""

import datetime as dt
from typing import Literal, Protocol

from aggregator.model import MergedStory, Noun, StoryView

SourceState = Literal["new", "ok", "failing", "paused"]


class StoryFilter(Noun, frozen=True, kw_only=True):
    """Which stories are wanted. What is not given does not restrict.

    `since` and `until` look at a story's `last_published` (effective), both ends included. `outlet` and
    `language` ask for a story that has such an article; `folder` for one with an article of a source in that
    folder. Stories come in the order of their last bump, newest first; `after` is the `next` of the page
    before.
    """

    query: str = ""  # words that must stand in the story's title or in one of its articles
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    min_outlets: int = 1
    min_reports: int = 1
    outlet: str | None = None
    folder: str | None = None
    language: str | None = None
    limit: int = 50
    after: str | None = None


class StoryPage(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """Stories with their articles (without the articles' texts); `next` is None on the last page."""

    stories: tuple[StoryView, ...] = ()
    next: str | None = None


class Moved(Noun, frozen=True, kw_only=True):
    """The story was merged into another one; `to` is the story's id today, never again a moved one."""

    to: str


class EntryHit(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """An entry of a live blog that holds all the words; `day` only where known, `marks` as in SearchHit."""

    clock_minutes: int  # after midnight
    day: dt.date | None
    snippet: str
    marks: tuple[tuple[int, int], ...] = ()


class SearchHit(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """One article that holds the words.

    `snippet` is plain text; `marks` are half-open ranges of code points in it, in order, that hold the words.
    """

    article: str
    story: str
    story_title: str
    title: str
    outlet: str | None
    url: str | None
    effective: dt.datetime
    language: str | None = None
    snippet: str = ""
    marks: tuple[tuple[int, int], ...] = ()
    nosnippet: bool = False
    entries: tuple[EntryHit, ...] = ()  # of a live blog, the newest first


class SearchResults(Noun, frozen=True, kw_only=True):
    """Best hits first. `problem` says in the user's words why a text cannot be searched for."""

    hits: tuple[SearchHit, ...] = ()
    more: bool = False  # there are more hits than were asked for
    problem: str | None = None


class SourceView(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """Where articles come from, and how it does. `url` may hold a secret: for the owner's eyes only."""

    id: str
    name: str
    url: str | None = None
    home: str | None = None
    folder: str | None = None
    kind: Literal["feed", "folder"] = "feed"
    state: SourceState = "new"
    problem: str | None = None  # the cause, when it fails or was paused, in the user's words
    article_count: int = 0
    last_success: dt.datetime | None = None
    next_due: dt.datetime | None = None


class Health(Noun, frozen=True, kw_only=True):
    """How the daemon does. `waiting` counts accepted articles that have no place yet."""

    writable: bool = True
    waiting: int = 0
    last_placed: dt.datetime | None = None
    problems: tuple[str, ...] = ()


class Shelf(Protocol):
    """Reading, from any thread; every method may raise AggregatorError when the database does not answer."""

    def stories(self, wanted: StoryFilter) -> StoryPage:
        """The stories asked for, newest bump first. Raises UsageError for an `after` that is no cursor."""
        ...

    def story(self, story_id: str, /) -> StoryView | Moved | None:
        """One story, its articles with text, timed entries and evidence; None when there never was one."""
        ...

    def merged(self, story_id: str, /) -> MergedStory | None:
        """What the story's reports say together; None while that is not worked out, or for no story."""
        ...

    def search(self, text: str, limit: int) -> SearchResults:
        """Articles that hold the words, best first, at most `limit`."""
        ...

    def sources(self) -> tuple[SourceView, ...]:
        """All sources, by folder and name."""
        ...

    def state(self) -> Health:
        """How the daemon does, now."""
        ...

    def last_change(self) -> str:
        """An opaque word that is another one whenever a story, article or correction is; cheap to ask."""
        ...
