"""The value types that packages exchange.

All are frozen and hold plain values, so that they can be compared in a test, sent to a worker process and
replayed. Times are aware datetimes in UTC. Texts contain no NUL, no lone surrogate and no control character
except newline and tab; `extract.language.unicode.clean` ensures this where bytes are read.

    Source ──► Entry ──► Prepared (CleanArticle + Fingerprint) ──► Article ──► StoryView
"""

import datetime as dt
from collections.abc import Callable
from typing import Any, Literal, dataclass_transform, get_args

import msgspec

Clock = Callable[[], dt.datetime]  # returns the time, in UTC
Precision = Literal["minute", "day"]
PublishedOrigin = Literal["feed", "page", "text", "poll"]
Verdict = Literal[
    "ok", "stub", "consent", "paywall", "list", "block", "not_article", "too_long", "too_short", "empty",
    "binary", "timeout", "memory",
]  # fmt: skip
ACCEPTED_VERDICTS: frozenset[str] = frozenset({"ok", "stub"})
Role = Literal["report", "copy", "excerpt", "container"]
Kind = Literal[
    "report", "opinion", "explainer", "list", "live_blog", "roundup", "newsletter", "release", "episode",
    "fact_check", "preview", "status",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(Kind)
# Not counted as reports
OPINION_KINDS: frozenset[str] = frozenset({"opinion", "explainer"})
Authority = Literal["own", "page", "handed", "foreign"]


class _FrozenMeta(msgspec.StructMeta):
    """Makes every subclass of FrozenStruct frozen, with fields by keyword; msgspec inherits neither."""

    def __new__(
        cls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        **config: Any,
    ) -> Any:
        return super().__new__(
            cls, name, bases, namespace, **{"frozen": True, "kw_only": True} | config
        )


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,)
)
class FrozenStruct(
    msgspec.Struct, metaclass=_FrozenMeta, frozen=True, omit_defaults=True
):
    """Base of values that pass between packages and processes, and into JSON columns.

    msgspec checks the result of a worker against its type when it is decoded, so a compromised parser can
    send wrong values but never code.
    """


# --- input --------------------------------------------------------------------------------------------------


class Published(FrozenStruct):
    """The time of publication that an article states; "poll": that of the poll which found it, undated."""

    time: dt.datetime
    precision: Precision = "minute"
    # "feed": declared with the entry, by a feed or a record
    origin: PublishedOrigin = "feed"
    # The text has no zone: the source's zone, or UTC, was used
    timezone_assumed: bool = False

    @property
    def counts(self) -> bool:
        """Whether grouping uses it like a declared time: a date in the text may be that of an event."""
        return self.origin != "text"


class Outlet(FrozenStruct):
    """The publisher of an article: a stable key and a name."""

    key: str
    name: str
    is_own: bool = False  # the name is that of the feed of its own site


class Enclosure(FrozenStruct):
    """A link to an image, audio or video, which is never fetched."""

    url: str
    # MIME type, or "image", "audio", "video" without a subtype; "" where not given
    type: str = ""
    length_bytes: int | None = None
    title: str = ""

    @property
    def is_image(self) -> bool:
        """Whether the media type is that of an image."""
        return self.type.split("/")[0] == "image"


ArchiveSuffix = Literal[".warc", ".jsonl"]


class ArchivedRecord(FrozenStruct):
    """Where the page of an entry stands: a record of a file, which a worker reads there.

    `offset`: of the record, or of the gzip member or zstd frame that begins with it. `content_hash`: that of
    the entry's identity, with its page.
    """

    path: str  # absolute
    format: ArchiveSuffix
    number: int  # of the record or line in its file, from 1
    offset: int
    content_hash: bytes


class Entry(FrozenStruct):
    """One item of a feed, a folder, a file or a request, before any decision about it.

    `source` is the id of its source, never an absolute path or an address of ours. Values are as declared;
    only invalid characters are removed.
    """

    source: str
    guid: str | None = None
    record_id: str | None = None  # the `id` that a record had in its file or push
    url: str | None = None
    title: str = ""
    html: str | None = None  # the longest HTML that it has (content, else summary)
    text: str | None = None  # plain text, for records and .txt files
    # Html is a whole web page with its boilerplate, not a fragment
    is_page: bool = False
    # Text is an article saved by a person, with headline and boilerplate
    is_saved_text: bool = False
    published: Published | None = None
    # Effective time if no date is found; None: when it was accepted
    assumed_at: dt.datetime | None = None
    # Of its feed, in which it was not; an earlier date gives no credit
    last_poll: dt.datetime | None = None
    updated: dt.datetime | None = None
    # Of the source, the record, the entry's <source> or the folder
    outlet: str | None = None
    # Of an entry of a feed, unless the outlet is configured for its source (extract/outlets.py).
    resolved_outlet: Outlet | None = None
    # That of its feed, where the entry speaks for another one
    feed_outlet: Outlet | None = None
    author: str | None = None
    language: str | None = None  # a hint: BCP 47 primary tag as declared
    # As the user set it for the source: no hint, but so
    source_language: str | None = None
    categories: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    # Directives in the headers of its page, see extract/html/robots_meta.py
    robots: str = ""
    authority: Authority = "handed"
    zone: str | None = None  # IANA name for times without one
    record: ArchivedRecord | None = None  # has its page, so that `html` is None
    # A link of a story feed: `url` was seen there; never an article of its own
    is_observation: bool = False


class ParsedFeed(FrozenStruct):
    """A parsed feed. `problem` is a message for users, None where there is none."""

    # "rss20", "atom10", "rdf", "jsonfeed", "sitemap", ...; "" where it is no feed
    format: str = ""
    title: str = ""
    language: str | None = None  # as declared, else as detected in its entries together
    site_url: str | None = None
    entries: tuple[Entry, ...] = ()
    entry_count: int = 0  # in the feed, before limits
    problem: str | None = None
    # The polling interval that it requests (ttl, sy:updatePeriod)
    ttl_seconds: float | None = None
    # Of an index of sitemaps: the newest ones, which have the entries
    sitemaps: tuple[str, ...] = ()
    # Of each entry, where each item is well-formed and one entry: whether its bytes alone say what it is.
    are_settled: tuple[bool, ...] = ()
    # Hash of the item of each entry (sources/parse/feeds/known_items.py), b"": none
    items: tuple[bytes, ...] = ()
    left_out: tuple[bytes, ...] = ()  # hashes of known items, which were not read
    frame: bytes = b""  # hash of what is around the items; b"": the feed cannot be cut
    states_days: bool = False  # the entries have days, and no times


# --- after extraction --------------------------------------------------------------------------------------


class Wire(FrozenStruct):
    """The news agency behind a text, and the evidence for it."""

    # Canonical name ("AFP"); None: agencies were used, none is named
    agency: str | None
    evidence: str  # the wording that names it
    kind: Literal["dateline", "byline", "credit", "metadata", "copy"]
    confidence: float = 1.0


class BoilerplateLine(FrozenStruct):
    """A line hidden from a text because its outlet repeats it; `line` is its index there, from 0."""

    line: int
    text: str


class CleanArticle(FrozenStruct):
    """An article without boilerplate; paragraphs are separated by one newline."""

    verdict: Verdict
    # Why it is not "ok", or why its page was not used, for users
    reason: str | None = None
    title: str = ""
    text: str = ""
    lead: str = ""
    language: str | None = None
    # As `Entry.source_language`, of an article that is read again
    source_language: str | None = None
    author: str | None = None
    # Named in the text; the outlet of the entry takes precedence
    outlet: str | None = None
    # As its page names the site; once placed, as its outlet's own site does
    site_name: str | None = None
    published: Published | None = None
    modified: dt.datetime | None = None
    wire: Wire | None = None
    is_container: bool = False  # live blog or roundup
    kind: Kind = "report"
    kind_evidence: str | None = None  # of the kind, for users; None for a report
    canonical_url: str | None = None  # rel=canonical: a hint
    noarchive: bool = False
    nosnippet: bool = False
    tdm_reserved: bool = False
    # Of the entry and its page, see extract/article.py
    media: tuple[Enclosure, ...] = ()
    truncated: bool = False
    categories: tuple[str, ...] = ()  # of the entry and the sections of its page
    # Hidden from `text`, see extract/learned_boilerplate.py
    repeated: tuple[BoilerplateLine, ...] = ()
    # Of its page, where that failed and the text of the entry was used
    page_verdict: Verdict | None = None


class ArticleHtml(FrozenStruct):
    """The sanitised HTML of an article, for people; no decision reads it."""

    html: str
    # The version of the rules that it was sanitised by (extract/html/article_html.py)
    rules: int
    is_cut: bool = False  # what was beyond the limit is missing


class LineHashes(FrozenStruct):
    """Lines at the ends and in the middle of one text, as keys, or those that an outlet repeats."""

    edges: tuple[int, ...] = ()
    middles: tuple[int, ...] = ()


class Fingerprint(FrozenStruct):
    """Everything that is computed from one text for comparison.

    grouping/copies and grouping/pairs describe the layouts.

    The text is the whole one, with the lines that its outlet repeats.
    """

    # MinHash, see grouping/copies/minhash.py; empty for a text without shingles
    signature: bytes
    sketch: bytes = b""  # sampled shingles, see grouping/copies/sampled_shingles.py
    terms: bytes  # packed field-weighted terms, see grouping/pairs/terms.py
    body_words: int
    text_hash: bytes  # 16 bytes over the clean title and the whole text


class Prepared(FrozenStruct):
    """Everything that placing needs of one entry; a pure function of the entry and its page."""

    article: CleanArticle
    fingerprint: Fingerprint | None = None  # None where the verdict rejects the article
    # None where no boilerplate is learned: a live blog, a stored text
    lines: LineHashes | None = None
    # Without the text of its page: of a revision, or if that may be a notice
    own: "Prepared | None" = None
    html: ArticleHtml | None = None  # None where it has only paragraphs


# --- decisions ---------------------------------------------------------------------------------------------


class Reason(FrozenStruct):
    """One share of a score, in logits; `value` is the feature: a similarity, a number of days."""

    name: str
    value: float
    share: float


class CopyEvidence(FrozenStruct):
    """Why two texts are copies: shares of word 3-shingles."""

    other: str  # article id
    resemblance: float
    containment: float
    estimate: float  # of the resemblance, by MinHash
    kind: Literal["copy", "excerpt"] = "copy"


class TextReuse(FrozenStruct):
    """A text of another outlet that has many of the same words; both are one origin, and no copies."""

    other: str  # article id
    share: float  # of the runs of six words outside quotations, of the shorter text


class Agreement(FrozenStruct):
    """How much an article shares with the reports of others in its story."""

    # Inverse document frequencies of shared words that are not in its title, see pair_model.py
    shared: float
    need: float  # with less it does not count as a report
    # The report of which it repeats sentences; `shared` is then of the others
    copied: str | None = None

    @property
    def is_enough(self) -> bool:
        return self.shared >= self.need


class RunnerUp(FrozenStruct):
    """A story that was scored but not chosen; `need` is the score that it required."""

    story: str
    score: float
    need: float
    # With the bias of the evidence they sum up to the score
    reasons: tuple[Reason, ...] = ()


Stage = Literal[
    "founded",
    "copy",
    "version",
    "event",
    "second look",
    "series",
    "correction",
    "revision",
]


# An article joined by its score
SCORED_STAGES: frozenset[Stage] = frozenset({"event", "second look"})


class Evidence(FrozenStruct):
    """The reasons of a decision. `score` is None where none was needed: a copy, or no similar story."""

    stage: Stage
    score: float | None = None
    need: float | None = None
    bias: float = 0.0
    reasons: tuple[Reason, ...] = ()
    # Ids of the terms with the largest shares; explaining resolves them
    shared: tuple[int, ...] = ()
    copy: CopyEvidence | None = None
    # Stored articles whose text is part of this one
    excerpts: tuple[CopyEvidence, ...] = ()
    reuse: TextReuse | None = None
    # None where it is not asked for; of a copy that of its original
    agreement: Agreement | None = None
    runner_up: RunnerUp | None = None
    rules_version: str = ""

    @property
    def counts_as_report(self) -> bool:
        """Whether the text agrees enough with its story to be counted as a report of its own there."""
        return self.agreement is None or self.agreement.is_enough

    @property
    def copied(self) -> str | None:
        """The article that it copies, or of which it repeats sentences beside what nobody else tells."""
        if self.copy is not None:
            return self.copy.other
        return (
            None
            if self.agreement is None or self.agreement.is_enough
            else self.agreement.copied
        )


# --- output ------------------------------------------------------------------------------------------------


# Of a text beside the current one of its story: an earlier one, or a later one that anybody could print.
VersionState = Literal["earlier", "other"]


class CountedArticle(FrozenStruct):
    """What the counts of a story need of one article."""

    id: str
    inbox_no: int  # the number of its entry: of equal times the lower one came first
    outlet_key: str | None
    effective_at: dt.datetime
    copy_of: str | None
    wire: str | None
    role: Role
    kind: Kind = "report"
    # The article of another outlet with many of the same words
    reuses: str | None = None
    # The article that tells a sentence of this text differently
    version_of: str | None = None
    counts_as_report: bool = True  # false: too little of its text agrees with the story
    # Its source had no standing (store/stories/standing.py)
    is_little_known: bool = False
    # Of which only its sender says that it is; None: confirmed
    claimed_outlet: str | None = None


class Article(CountedArticle):
    """A placed article as grouping knows it, in memory and in its row: everything but its text."""

    story: str  # "" before it is placed
    title: str
    source: str
    # Whether later articles are compared with it: of the copies of a text only the first
    is_compared: bool
    is_polled: bool
    published: dt.datetime | None
    date_counts: bool  # see store/tables/articles.py
    terms: bytes  # see grouping/pairs/term_codec.py; b"" where the story is closed
    body_words: int
    nearest: bytes | None = None  # see grouping/pairs/pair_features.py

    @property
    def is_opinion(self) -> bool:
        """Whether it is an opinion or an explainer, no report."""
        return self.kind in OPINION_KINDS

    @property
    def is_container(self) -> bool:
        """Whether it is a live blog or a roundup."""
        return self.role == "container"

    @property
    def stated_minutes(self) -> int | None:
        """Return its date, declared or read in its text, in minutes since 1970."""
        return None if self.published is None else int(self.published.timestamp() // 60)

    @property
    def minutes(self) -> int | None:
        """Return its declared date in minutes since 1970; a date in the text may be that of an event."""
        return self.stated_minutes if self.date_counts else None


class ComparedText(FrozenStruct):
    """An article in the copy check: the one in question, or a candidate for its original."""

    id: str
    text: str = ""  # of stored articles it is read only for the likeliest candidates
    title: str = ""
    outlet: str | None = None  # None: unknown, never equal to another outlet
    signature: bytes = b""
    order: int = 0  # inbox number; of equally good candidates the lower one is chosen
    language: str | None = None
    copy_of: str | None = None
    url: str | None = None
    source: str = ""
    published: dt.datetime | None = None


class ArticleView(CountedArticle, omit_defaults=False, cache_hash=True):
    """One article of a story, as output packages need it."""

    outlet: str | None  # its name
    url: str | None
    title: str
    published: dt.datetime | None
    seen: dt.datetime
    language: str | None
    kind_evidence: str | None = None
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
    categories: tuple[str, ...] = ()  # as declared, sections first
    # None: it has the current text; `copy_of` names who has that
    version: VersionState | None = None

    @property
    def is_dated(self) -> bool:
        """Whether its date is declared or stated in its text, and not the time of a poll."""
        return self.published is not None and self.published_origin != "poll"

    @property
    def picture(self) -> Enclosure | None:
        """The image that was selected of it (extract/article.py)."""
        return next((reference for reference in self.media if reference.is_image), None)

    @property
    def enclosures(self) -> tuple[Enclosure, ...]:
        """Its audio, video and documents."""
        return tuple(reference for reference in self.media if not reference.is_image)


class LinkedStory(FrozenStruct, omit_defaults=False):
    """Another story, to which a story has a link."""

    id: str
    title: str
    first_published: dt.datetime
    report_count: int


class StoryName(FrozenStruct, omit_defaults=False):
    """A name of a person, place or body in a story, and how many outlets use it."""

    name: str
    outlets: int


class StoryFacts(FrozenStruct, omit_defaults=False):
    """A story without its articles."""

    id: str
    title: str
    summary: str
    language: str | None
    first_published: dt.datetime
    last_published: dt.datetime
    updated: dt.datetime  # the last bump; unique among stories
    article_count: int
    outlet_count: int
    unknown_outlet_count: int
    report_count: int


class StoryView(StoryFacts, omit_defaults=False):
    """A story and its articles, oldest first by effective time."""

    names: tuple[StoryName, ...] = ()  # the most important first
    topics: tuple[str, ...] = ()  # likewise
    articles: tuple[ArticleView, ...] = ()
    title_article: str | None = None  # the id of the article whose title it has
    # Only for one story and for items of feeds; the newest first.
    earlier: tuple[LinkedStory, ...] = ()  # stories that it continues
    later: tuple[LinkedStory, ...] = ()  # stories that continue it
    # Others about the same people, places and bodies
    related: tuple[LinkedStory, ...] = ()
    texts_gone: bool = False  # only for one story: retention deleted texts of it

    @property
    def undated_seen(self) -> dt.datetime | None:
        """When the first article of a story without any date was seen; else None."""
        is_dated = any(one.is_dated for one in self.articles)
        return (
            None if is_dated else min((one.seen for one in self.articles), default=None)
        )

    @property
    def picture(self) -> Enclosure | None:
        """The picture of the report whose title it has; without one, of its first article."""
        for article in self.articles:
            if article.id == self.title_article:
                return article.picture
        return self.articles[0].picture if self.articles else None


class Passage(FrozenStruct, omit_defaults=False):
    """Words that stand in an article exactly so: a paragraph, or a sentence."""

    text: str
    article_id: str


class Quotation(FrozenStruct, omit_defaults=False):
    """A sentence that is mostly the words of a named speaker, and the articles in which it stands."""

    speaker: str
    text: str
    article_ids: tuple[str, ...]


class StoryText(FrozenStruct, omit_defaults=False, cache_hash=True):
    """What a story tells: every text in it is in the article that it is attributed to, word for word."""

    title: str
    lead: tuple[Passage, ...] = ()  # paragraphs of one report
    # The first sentence of each other report that has one to show
    openings: tuple[Passage, ...] = ()
    quotations: tuple[Quotation, ...] = ()
    # Sentences that the current text tells differently, of other versions
    versions: tuple[Passage, ...] = ()
    version: int = 0  # of the code that rendered it (stories/rendering.py)

    def opening_of(self, article_id: str) -> str:
        """Return the first sentence to show of an article; "" where it has none."""
        for opening in self.openings:
            if opening.article_id == article_id:
                return opening.text
        return ""


def utc_now() -> dt.datetime:
    """Return the current time in UTC."""
    return dt.datetime.now(dt.UTC)


def in_utc(time: dt.datetime) -> dt.datetime:
    """Return the time in UTC."""
    return time if time.tzinfo is dt.UTC else time.astimezone(dt.UTC)
