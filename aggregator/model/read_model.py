"""What the output rooms ask of the store, in nouns: the shelf that readers take stories from.

The store's reading side has these methods; `publish` and the command line know only this protocol, so that a
page or a feed can be tested with an in-memory stand-in. Nothing here knows SQL or HTTP.
"""

import datetime as dt
from typing import Literal, Protocol

from aggregator.model.core import ArticleView, FrozenStruct, MergedStory, StoryView

# In the words of `aggregator sources list`: "silent" has less news than it used to, "flood" had old entries
# at once.
SourceState = Literal["new", "ok", "failing", "gone", "merged", "paused", "silent", "flood"]


class StoryFilter(FrozenStruct, frozen=True, kw_only=True):
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


class StoryPage(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Stories with their articles (without the articles' texts); `next` is None on the last page.

    A page may hold fewer stories than were asked for, or none, and still have a `next`: where hardly any fit,
    they are looked for in steps.
    """

    stories: tuple[StoryView, ...] = ()
    next: str | None = None


class StoryRedirect(FrozenStruct, frozen=True, kw_only=True):
    """The story was merged into another one; `to` is the story's id today, never again a moved one."""

    to: str


class ArticleDetail(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """One article by itself. `article` has its text, its timed entries and its evidence."""

    article: ArticleView
    story: str
    story_title: str
    revisions: int  # former texts that are kept
    copies: tuple[ArticleView, ...] = ()  # that print its text in its story; oldest first, without texts


class EntryHit(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """An entry of a live blog that holds all the words; `day` only where known, `marks` as in SearchHit."""

    clock_minutes: int  # after midnight
    day: dt.date | None
    snippet: str
    marks: tuple[tuple[int, int], ...] = ()


class SearchHit(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
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


class SearchBounds(FrozenStruct, frozen=True, kw_only=True):
    """Which articles are searched. What is not given does not restrict.

    Times are effective ones, both ends included; `outlet` is its name or some words of it in a row.
    """

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    outlet: str | None = None
    language: str | None = None


class StoryHit(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A story with articles that were found; `hits` are the best of them, at most three.

    `found` counts its articles among those that were ranked, which are bounded (config/tuning.yaml, search).
    """

    story: str
    title: str
    language: str | None
    first_published: dt.datetime
    last_published: dt.datetime
    updated: dt.datetime
    article_count: int
    outlet_count: int
    report_count: int
    found: int
    hits: tuple[SearchHit, ...] = ()


class SearchResults(FrozenStruct, frozen=True, kw_only=True):
    """Best first: articles, and the stories that they are in, at most as many as were asked for of each.

    `problem` says in the user's words why a text cannot be searched for.
    """

    hits: tuple[SearchHit, ...] = ()
    stories: tuple[StoryHit, ...] = ()
    more: bool = False  # there are more hits than were asked for
    partial: bool = False  # older articles cannot be found yet: the index is being made anew
    problem: str | None = None


class SourceView(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
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


class FrontPageStory(FrozenStruct, frozen=True, kw_only=True):
    """What the front page weighs of a story, without its articles."""

    id: str
    updated: dt.datetime
    report_count: int
    language: str | None = None
    preferred: bool = False  # holds an article of an outlet that the reader prefers


class StoryListItem(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What a list of stories shows of one; no article of it is read."""

    id: str
    title: str
    summary: str  # from one article, never from one with `nosnippet` (stories/text/summary.py)
    language: str | None
    updated: dt.datetime
    article_count: int
    outlet_count: int
    report_count: int
    outlets: tuple[str, ...]  # named ones, each once, by their first article


HistoryEventKind = Literal[
    "created", "joined", "headline", "merged", "moved", "revised", "corrected", "other"
]


class HistoryEvent(FrozenStruct, frozen=True, kw_only=True):
    """One step in the life of a story, by our clock.

    `article` is what came, where it still is in the story or elsewhere; `before` and `after` are headlines
    or, of "merged", the title of the story that gave way in `before`; `words` say why, where that is known.
    """

    at: dt.datetime
    kind: HistoryEventKind
    article: str | None = None
    before: str = ""
    after: str = ""
    words: str = ""


class Quality(FrozenStruct, frozen=True, kw_only=True):
    """How well grouping does, as far as the database itself can tell. Counts."""

    stories: int  # looked at: the newest ones
    by_reports: tuple[tuple[int, int], ...]  # (least number of independent reports, stories with so many)
    largest: tuple[tuple[str, str, int], ...]  # id, title, articles: the largest of them
    rendered: int  # of them: with three or more reports and a merged text
    without_fact_count: int  # of these: in which no two outlets say one thing alike
    without_fact: tuple[tuple[str, str, int], ...]  # id, title, reports: the first of those
    days: int  # whose corrections are counted
    merges: int  # corrections of those days that stand: stories that should have been one
    split_count: int  # splits and moves: articles that were in the wrong story
    undone: int  # corrections of those days that were taken back


ChangeKind = Literal["created", "report", "headline", "corrected", "merged", "split"]


class Change(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What is new about a story: it came to be, or was bumped, merged or split. Never a copy.

    One article is one change at most: `kind` is what matters most of it, and `title_before` is given whenever
    the headline changed with it. `others` are the ids that gave way to the story ("merged", sometimes
    "created"), or the one that it came out of ("split").
    """

    n: int  # running number, for life
    story: str  # the story's id today
    was: str  # its id then
    kind: ChangeKind
    at: dt.datetime  # our clock
    updated: dt.datetime  # where it sorts, as the story's own `updated`; no two changes have the same
    title: str  # the headline after it
    title_before: str | None = None
    report_count: int  # after it
    others: tuple[str, ...] = ()
    article: ArticleView | None = None  # what came, without its text


class Health(FrozenStruct, frozen=True, kw_only=True):
    """How the daemon does. `waiting` counts accepted articles that have no place yet."""

    writable: bool = True
    waiting: int = 0
    last_placed: dt.datetime | None = None
    problems: tuple[str, ...] = ()


class StoryReader(Protocol):
    """Reading, from any thread; every method may raise AggregatorError when the database does not answer."""

    def stories(self, wanted: StoryFilter) -> StoryPage:
        """The stories asked for, newest bump first. Raises UsageError for an `after` that is no cursor."""
        ...

    def story(self, story_id: str, /) -> StoryView | StoryRedirect | None:
        """One story, its articles with text, timed entries and evidence; None where there is none."""
        ...

    def gone(self, id: str, /) -> bool:  # noqa: A002 - the word that people type
        """Whether there was a story or an article with this id that was forgotten, or kept long enough."""
        ...

    def merged(self, story_id: str, /) -> MergedStory | None:
        """What the story's reports say together; None while that is not worked out, or for no story."""
        ...

    def rendered(self, ids: tuple[str, ...], /) -> dict[str, MergedStory]:
        """`merged` of many stories, of those where it is worked out already."""
        ...

    def rank_front_page(self, wanted: StoryFilter, prefer: tuple[str, ...]) -> tuple[FrontPageStory, ...]:
        """The heaviest first among the newest stories that fit (`limit` and `after` are not looked at).

        `prefer` are the outlets that the reader prefers. How many are weighed is bounded
        (store/read/reader.py).
        """
        ...

    def stories_by_id(self, ids: tuple[str, ...], /) -> tuple[StoryView, ...]:
        """The stories with these ids, in their order, as `stories` gives them; what is none is left out."""
        ...

    def list_stories(self, ids: tuple[str, ...], /) -> tuple[StoryListItem, ...]:
        """The same for a page that shows a list."""
        ...

    def story_history(self, story_id: str, limit: int) -> tuple[HistoryEvent, ...]:
        """What happened to a story, the oldest first; its beginning and its newest steps where it is long."""
        ...

    def quality(self, now: dt.datetime) -> Quality:
        """How well grouping does."""
        ...

    def article(self, article_id: str, /) -> ArticleDetail | None:
        """One article; None when there is none."""
        ...

    def search(self, text: str, limit: int, bounds: SearchBounds | None = None) -> SearchResults:
        """Articles that hold the words and their stories, best first, at most `limit` of each."""
        ...

    def changes(self, wanted: StoryFilter) -> tuple[Change, ...]:
        """What is new about stories that fit today, newest `updated` first, at most `wanted.limit`.

        How many changes are looked at is bounded (config/tuning.yaml); `wanted.after` is not asked.
        """
        ...

    def sources(self) -> tuple[SourceView, ...]:
        """All sources, by folder and name."""
        ...

    def folders(self) -> tuple[str, ...]:
        """The folders that sources are in, by name; cheap to ask."""
        ...

    def state(self) -> Health:
        """How the daemon does, now."""
        ...

    def last_change(self) -> str:
        """An opaque word that is another one whenever a story, article or correction is; cheap to ask."""
        ...

    def last_change_at(self) -> dt.datetime | None:
        """When that word became another one, by our clock; None while there is nothing. Cheap to ask."""
        ...
