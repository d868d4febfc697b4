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

# The states that `aggregator sources list` shows. A source is "silent" if it has had no news for unusually long, and
# "flood" if many old entries came at once.
SourceState = Literal[
    "new", "ok", "failing", "gone", "merged", "paused", "silent", "flood"
]
IN_TROUBLE: frozenset[SourceState] = frozenset({"failing", "gone", "silent", "flood"})


# The kind of a mute (words, outlets, kinds, ...) and the muted word or key
Mute = tuple[str, str]


class StoryPage(FrozenStruct, omit_defaults=False):
    """A page of stories with their articles, without texts; `next` is None on the last page.

    A page may have fewer stories than requested, or none, and yet a `next`: if few stories match, the search is
    split into steps.
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
    """A half-open range of code points. Client generators refuse the description of a plain `tuple`."""

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
    """A story with matching articles; `hits` has the best of them, at most three.

    `found` counts the story's articles among the ranked articles, whose number is bounded (config/tuning.yaml, search).
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
    """Matching articles and their stories, best first; at most the requested number of each.

    `problem` is a message for users if the text cannot be searched.
    """

    hits: tuple[SearchHit, ...] = msgspec.field(default=(), name="articles")
    stories: tuple[StoryHit, ...] = ()
    more: bool = False  # there are more hits than requested
    partial: bool = False  # the index is being rebuilt: older articles are missing
    problem: str | None = None
    # If nothing is found: the same search with known words in place of unknown words
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
    """A page of sources. `total` and `failing` count the sources of all pages; `next` is None on the last page."""

    sources: tuple[SourceView, ...]
    next: str | None
    total: int
    failing: int


class FrontPageStory(FrozenStruct):
    """The values that order a story on the front page, without its articles."""

    id: str
    updated: datetime
    report_count: int
    # The outlets with standing that tell the story in words of their own, whether counted as reports or not
    own_outlets: frozenset[str] = frozenset()
    language: str | None = None
    preferred: bool = False  # has an article of an outlet in publish.prefer
    # No article has a date, not even the time of a poll, so nothing says when the story was news
    is_undated: bool = False
    # Only feeds without standing tell the story, in the name of several outlets
    is_claimed: bool = False

    @property
    def outlets(self) -> int:
        """The number of outlets that tell the story in words of their own, as its rank counts them."""
        return max(1, self.report_count, len(self.own_outlets))


# At most this many titles are listed below the title of a story; more lines would hide the next story
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

    # The known outlets, each once, in the order of their first articles
    outlets: tuple[str, ...]
    # When the story was first seen, if none of its articles has a date
    undated_seen: datetime | None = None
    # The newest titles of a few outlets, without titles that repeat the headline
    titles: tuple[ListedTitle, ...] = ()
    # Set for a story that has one article
    url: str | None = None
    # The picture of the report that provides the title
    picture: Enclosure | None = None


ChangeKind = Literal["created", "report", "headline", "corrected", "merged", "split"]


class Change(FrozenStruct, omit_defaults=False):
    """A change of a story, which was created, bumped, merged or split. A copy causes no change.

    An article causes at most one change, of the most important `kind`; `title_before` is set whenever the headline
    changed, too. `others` has the ids of the stories that were merged into the story ("merged", sometimes
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
    """A story that changed, as it is now. A merged story has `into`; a live story has `updated`, its last bump."""

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
    """A story of a digest as it is now, with the number of independent reports that were new in the digest."""

    story: StoryView
    new_reports: int


class Digest(FrozenStruct):
    """The stories that gained the most independent reports between two times, in descending order."""

    since: datetime
    until: datetime
    stories: tuple[DigestStory, ...]


class DatabaseHealth(FrozenStruct):
    """The part of the daemon's health that the database tells; HealthReport adds what only the process knows.

    `waiting` counts accepted entries that are not placed yet; None: not known.
    """

    writable: bool = True
    waiting: int | None = 0
    last_placed: datetime | None = None
    problems: tuple[str, ...] = ()
