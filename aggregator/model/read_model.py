"""The value types that are read from the store, for pages, feeds and commands.

Nothing here depends on SQL or HTTP.
"""

from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from aggregator.model.article import ArticleView
from aggregator.model.entry import Enclosure
from aggregator.model.story import StoryFacts, StoryView
from aggregator.model.structs import FrozenStruct

# States as `aggregator sources list` shows them: "silent" has had no news for unusually long, "flood" had many
# old entries at once.
SourceState = Literal[
    "new", "ok", "failing", "gone", "merged", "paused", "silent", "flood"
]
IN_TROUBLE: frozenset[SourceState] = frozenset({"failing", "gone", "silent", "flood"})


# The kind of a mute (words, outlets, kinds, ...) and the muted word or key
Mute = tuple[str, str]


class StoryPage(FrozenStruct, omit_defaults=False):
    """A page of stories with their articles, without texts; `next` is None on the last page.

    A page may have fewer stories than requested, or none, and still a `next`: where few stories match, the
    search is split into steps.
    """

    stories: tuple[StoryView, ...] = ()
    next: str | None = None


class StoryRedirect(FrozenStruct):
    """A story that was merged; `to` is the present id of the story it became part of, never a redirect itself."""

    to: str


class ArticleDetail(FrozenStruct, omit_defaults=False):
    """One article. `article` has its text and its evidence."""

    article: ArticleView
    story: str
    story_title: str
    revisions: int  # how often its text was replaced
    # Copies of it in its story; oldest first, without texts
    copies: tuple[ArticleView, ...] = ()


class Mark(NamedTuple):
    """A half-open range of code points; `tuple` would be described in a way that client generators refuse."""

    start: int
    end: int


class SearchHit(FrozenStruct, omit_defaults=False):
    """One article that matches a search.

    `snippet` is plain text; `marks` are the half-open ranges of code points in it that match, in order.
    """

    article: str = msgspec.field(name="id")
    story: str
    story_title: str
    title: str
    outlet: str | None
    url: str | None
    effective_at: datetime = msgspec.field(name="effective")
    language: str | None = None
    snippet: str = ""
    marks: tuple[Mark, ...] = ()
    nosnippet: bool = False


class StoryHit(FrozenStruct, omit_defaults=False):
    """A story with matching articles; `hits` are the best of them, at most three.

    `found` counts its articles among the ranked ones, whose number is bounded (config/tuning.yaml, search).
    """

    id: str
    title: str
    language: str | None
    first_published: datetime
    last_published: datetime
    updated: datetime
    article_count: int
    outlet_count: int
    unknown_outlet_count: int
    report_count: int
    found: int
    hits: tuple[SearchHit, ...] = msgspec.field(default=(), name="articles")


class SearchResults(FrozenStruct, omit_defaults=False):
    """Matching articles and their stories, best first, of each at most as many as requested.

    `problem` is a message for users where the text cannot be searched.
    """

    hits: tuple[SearchHit, ...] = msgspec.field(default=(), name="articles")
    stories: tuple[StoryHit, ...] = ()
    more: bool = False  # there are more hits than requested
    partial: bool = False  # the index is being rebuilt: older articles are missing
    problem: str | None = None
    # Where nothing is found: the search with known words for unknown ones
    nearest: str | None = None


class SourceView(FrozenStruct, omit_defaults=False):
    """A source and its health. `url` may contain a secret, so only the owner may see it."""

    id: str
    name: str
    kind: str = "feed"
    # The URL as typed; for a folder, its path
    url: str | None = None
    # The polled URL differs from `url` after a permanent redirect
    polled_url: str = ""
    site_url: str | None = msgspec.field(default=None, name="home")
    folder: str | None = None
    outlet: str | None = None
    language: str | None = None
    origin: Literal["config", "user", "import"] = "user"
    state: SourceState = "new"
    cause: str = ""  # a short word: dns, tls, http 429, silent, ...
    problem: str | None = None  # the cause as a sentence
    article_count: int = 0
    per_day: float | None = None  # new entries per day; None: not known yet
    last_success: datetime | None = None
    next_due: datetime | None = None  # None: it is not polled
    interval_seconds: int = 0

    @property
    def is_in_trouble(self) -> bool:
        """Whether `sources list --failing` lists it."""
        return self.state in IN_TROUBLE


class SourcePage(FrozenStruct, omit_defaults=False):
    """A page of sources; `total` and `failing` count all sources, `next` is None on the last page."""

    sources: tuple[SourceView, ...]
    next: str | None
    total: int
    failing: int


class FrontPageStory(FrozenStruct):
    """The values that order a story on the front page, without its articles."""

    id: str
    updated: datetime
    report_count: int
    # Outlets with standing that tell it in words of their own, counted as reports or not
    own_outlets: frozenset[str] = frozenset()
    language: str | None = None
    preferred: bool = False  # has an article of an outlet of publish.prefer
    # All articles come from files without a date, so nothing says when the story was news
    is_undated: bool = False
    # Feeds without standing alone claim it to be of several outlets
    is_claimed: bool = False

    @property
    def outlets(self) -> int:
        """How many outlets tell it in words of their own, as its rank counts them."""
        return max(1, self.report_count, len(self.own_outlets))


# Titles listed for a story besides its own; more lines would hide the next story
TITLES_LISTED = 3


class ListedTitle(FrozenStruct):
    """The newest title of one outlet in a story."""

    outlet: str
    title: str
    url: str | None = None


class StoryListItem(StoryFacts, omit_defaults=False):
    """A story in a list; its articles are not read.

    The summary comes from one article, never from an article with `nosnippet` (stories/lead.py).
    """

    # Without unnamed ones, each once, in the order of first articles
    outlets: tuple[str, ...]
    # Time when a story without any date was first seen
    undated_seen: datetime | None = None
    # A few titles of outlets other than the headline's outlet, newest first
    titles: tuple[ListedTitle, ...] = ()
    # Set for a story that has one article
    url: str | None = None
    # The picture of the report that provides the title
    picture: Enclosure | None = None


ChangeKind = Literal["created", "report", "headline", "corrected", "merged", "split"]


class Change(FrozenStruct, omit_defaults=False):
    """A change of a story: it was created, bumped, merged or split. A copy causes none.

    An article causes at most one change; `kind` is the most important one, and `title_before` is set whenever
    the headline changed, too. `others` are the ids that were merged into the story ("merged", sometimes
    "created"), or the id of the story that it was split off from ("split").
    """

    n: int  # serial number, never reused
    story: str  # the present id of the story
    was: str  # its id at the time of the change
    kind: ChangeKind
    at: datetime  # when the change was stored
    # The sort key, as `updated` of the story; unique among changes
    updated: datetime
    title: str  # the headline after the change
    title_before: str | None = None
    report_count: int  # after the change
    others: tuple[str, ...] = ()
    article: ArticleView | None = None  # the added article, without its text


class ChangedStory(FrozenStruct, omit_defaults=False):
    """A story that changed, as it is now: a merged one has `into`, a live one `updated`, its last bump."""

    # Serial number of the story's last change in the answer
    n: int
    story: str
    kind: Literal["created", "changed", "merged", "removed"]
    into: str | None = None
    updated: datetime | None = None


class ChangedStories(FrozenStruct, omit_defaults=False):
    """Stories that changed, in the order of their last changes; `next` is the `since` of the next request."""

    changes: tuple[ChangedStory, ...] = ()
    next: int = 0


class DigestStory(FrozenStruct):
    """A story of a digest, as it is now, with the number of independent reports that were new then."""

    story: StoryView
    new_reports: int


class Digest(FrozenStruct):
    """The stories with the most new independent reports of a time, most first."""

    since: datetime
    until: datetime
    stories: tuple[DigestStory, ...]


class DatabaseHealth(FrozenStruct):
    """The health of the daemon as far as the database tells it; HealthReport adds what only the process knows.

    `waiting` counts accepted entries that are not placed yet; None: not known.
    """

    writable: bool = True
    waiting: int | None = 0
    last_placed: datetime | None = None
    problems: tuple[str, ...] = ()
