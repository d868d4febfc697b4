"""A placed article, as its story counts it, as grouping compares it, and as output shows it."""

from datetime import datetime, time
from typing import Literal

from aggregator.model.entry import Enclosure, Precision, PublishedOrigin
from aggregator.model.evidence import Evidence
from aggregator.model.prepared import OPINION_KINDS, ArticleHtml, Kind
from aggregator.model.structs import FrozenStruct

Role = Literal["report", "copy", "excerpt", "container"]
# The states of a text that is not the current version in its story: "earlier" is an earlier version, "other" a later
# version that did not take its place (stories/counting/originals.py)
VersionState = Literal["earlier", "other"]


class CountedArticle(FrozenStruct):
    """The properties of an article that the counts of its story need."""

    id: str
    # The number of its entry; at equal times, the article with the lower number came first
    inbox_no: int
    outlet_key: str | None
    effective_at: datetime
    copy_of: str | None
    wire: str | None
    role: Role
    kind: Kind = "report"
    # The article of another outlet with many of the same words
    reuses: str | None = None
    # The article that this article is another version of
    version_of: str | None = None
    counts_as_report: bool = True  # false: too little of its text agrees with the story
    # Its source had no standing (store/stories/stream_history.py)
    is_little_known: bool = False
    # The outlet that only the sender names as the publisher; None: the outlet is confirmed
    claimed_outlet: str | None = None
    source: str = ""
    is_polled: bool = False


class Article(CountedArticle):
    """A placed article as grouping knows it, in memory and in its row: everything but its text."""

    story: str  # "" before it is placed
    title: str
    # Whether later articles are compared with this one; of the copies of a text, only the first is compared
    is_compared: bool
    published: datetime | None
    date_counts: bool  # see store/tables/article_tables.py
    terms: bytes  # see grouping/pairs/term_codec.py; b"" where the story is closed
    body_words: int
    nearest: bytes | None = None  # see grouping/pairs/pair_features.py
    published_origin: PublishedOrigin | None = None
    published_precision: Precision | None = None
    timezone_assumed: bool = False

    @property
    def is_opinion(self) -> bool:
        """Whether the article is an opinion or an explainer, not a report."""
        return self.kind in OPINION_KINDS

    @property
    def is_container(self) -> bool:
        """Whether the article is a live blog or a roundup."""
        return self.role == "container"

    @property
    def stated_minutes(self) -> int | None:
        """Return the article's date, whether declared or read in its text, in minutes since 1970."""
        return None if self.published is None else int(self.published.timestamp() // 60)

    @property
    def minutes(self) -> int | None:
        """Return the declared date in minutes since 1970; a date read in the text may be the date of an event."""
        return self.stated_minutes if self.date_counts else None

    @property
    def clock_minutes(self) -> int | None:
        """Return the declared date in minutes since 1970 if its clock time is known; None if only its day is known.

        Midnight in UTC usually stands for a day. The time of a poll is not that of publication, and a time without a
        zone may be half a day off.
        """
        if (
            self.published is None
            or self.published.time() == time.min
            or self.published_precision != "minute"
            or self.published_origin == "poll"
            or self.timezone_assumed
        ):
            return None
        return self.minutes


class ComparedText(FrozenStruct):
    """An article in the copy check: the new article, or a candidate for its original."""

    id: str
    # Only the likeliest candidates are read with their text
    text: str = ""
    title: str = ""
    outlet: str | None = None  # None: unknown, which does not equal any other outlet
    signature: bytes = b""
    order: int = 0  # inbox number; the lower number wins among equal candidates
    language: str | None = None
    copy_of: str | None = None
    url: str | None = None
    source: str = ""
    published: datetime | None = None


class ArticleView(CountedArticle, omit_defaults=False, cache_hash=True):
    """One article of a story, as output packages need it."""

    outlet: str | None  # its name
    url: str | None
    title: str
    published: datetime | None
    seen: datetime
    language: str | None
    kind_evidence: str | None = None
    style: float | None = None  # see model/prepared.py
    lead: str = ""
    author: str | None = None
    record_id: str | None = None
    published_origin: PublishedOrigin | None = None
    published_precision: Precision | None = None
    text: str = ""  # only for one story, never in lists
    html: ArticleHtml | None = None  # likewise
    evidence: Evidence | None = None
    nosnippet: bool = False
    noarchive: bool = False
    tdm_reserved: bool = False  # text mining is reserved: treated like noarchive
    media: tuple[Enclosure, ...] = ()  # each with a type
    # The sections of its page, then the categories that the entry declares
    categories: tuple[str, ...] = ()
    # None: the text is current; otherwise `copy_of` is the original of the current version
    version: VersionState | None = None

    @property
    def is_dated(self) -> bool:
        """Whether the date is declared or stated in the text, and is not merely the time of a poll."""
        return self.published is not None and self.published_origin != "poll"

    @property
    def picture(self) -> Enclosure | None:
        """The image that was selected for the article (extract/media.py)."""
        return next((reference for reference in self.media if reference.is_image), None)

    @property
    def enclosures(self) -> tuple[Enclosure, ...]:
        """The article's audio, video and documents."""
        return tuple(reference for reference in self.media if not reference.is_image)
