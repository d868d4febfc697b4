"""The nouns: what one room hands to the next.

All are frozen and hold plain values, so that they can be compared in a test, sent to a worker process and
replayed. Times are aware datetimes in UTC. Texts hold no NUL, no lone surrogate and no control character but
newline and tab (`extract.language.unicode.clean` sees to it where bytes come in).

    Source ──► Entry ──► Prepared (CleanArticle + Fingerprint) ──► Placement ──► StoryView
"""

import datetime as dt
from typing import Literal

import msgspec

Precision = Literal["minute", "day"]
PublishedOrigin = Literal["feed", "page", "text", "poll"]
Verdict = Literal[
    "ok",
    "stub",
    "consent",
    "paywall",
    "list",
    "block",
    "not_article",
    "too_long",
    "too_short",
    "empty",
    "binary",
    "timeout",
    "memory",
]
ACCEPTED_VERDICTS: frozenset[str] = frozenset({"ok", "stub"})
Role = Literal["report", "copy", "excerpt", "container"]
Authority = Literal["own", "page", "handed", "foreign"]


class FrozenStruct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what travels between rooms, between processes and into JSON columns.

    msgspec's frozen Structs are dataclasses with typed encoding: what a worker sends back is checked against
    the type when it is decoded, so a parser that was taken over can send wrong values but never code.
    """


# --- what comes in -----------------------------------------------------------------------------------------


class Published(FrozenStruct, frozen=True, kw_only=True):
    """When an article says it was published; never a guess of ours."""

    time: dt.datetime
    precision: Precision = "minute"
    origin: PublishedOrigin = "feed"  # "feed" is: declared with the entry, by a feed or a record
    zone_assumed: bool = False  # the text gave no zone: the source's, or UTC, was taken


class Enclosure(FrozenStruct, frozen=True, kw_only=True):
    """An image, sound or film by reference: never fetched."""

    url: str
    type: str = ""  # MIME type; only "image", "audio" or "video" where the format is not known; "": not said
    length_bytes: int | None = None
    title: str = ""


class Entry(FrozenStruct, frozen=True, kw_only=True):
    """One thing a feed, a folder, a file or a person gave us, before anything is decided about it.

    `source` is the identity of where it came from (see identity.py), never an absolute path or our own
    address. Exactly as declared: nothing is cleaned but characters.
    """

    source: str
    guid: str | None = None
    url: str | None = None
    title: str = ""
    html: str | None = None  # the fullest HTML that came with it (content, else summary)
    text: str | None = None  # plain text, for records and .txt files
    is_page: bool = False  # html is a whole web page (furniture and all), not a feed's fragment
    is_saved_text: bool = False  # text is an article as a person saved it: headline and furniture inside
    published: Published | None = None
    updated: dt.datetime | None = None
    outlet: str | None = None  # of the source, the record, the entry's <source> or the folder's name
    author: str | None = None
    language: str | None = None  # a hint: BCP 47 primary tag as declared
    categories: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    robots: str = ""  # what the headers of its page forbid, see extract/html/robots_meta.py
    authority: Authority = "handed"
    zone: str | None = None  # IANA name for times without one


class ParsedFeed(FrozenStruct, frozen=True, kw_only=True):
    """What was read out of a feed's bytes. `problem` is in the user's words, None when all is well."""

    format: str = ""  # "rss20", "atom10", "rdf", "jsonfeed", "sitemap", ... ; "" when it is no feed
    title: str = ""
    language: str | None = None
    home: str | None = None
    entries: tuple[Entry, ...] = ()
    entry_count: int = 0  # as the feed has them, before limits
    problem: str | None = None
    asked_seconds: float | None = None  # how seldom it wants to be asked (ttl, sy:updatePeriod)


# --- what the text room makes of it ------------------------------------------------------------------------


class TimedEntry(FrozenStruct, frozen=True, kw_only=True):
    """One entry of a live blog: its clock as the page shows it, its day and its moment only where known."""

    clock_minutes: int  # after midnight
    text: str
    day: dt.date | None = None  # by the page's own clock
    time: dt.datetime | None = None  # known where the zone is


class Wire(FrozenStruct, frozen=True, kw_only=True):
    """The news agency behind a text, and how we know."""

    agency: str | None  # canonical name ("AFP"); None: agencies were used but none is named
    evidence: str  # the words that say so
    kind: Literal["dateline", "byline", "credit", "metadata", "copy"]
    confidence: float = 1.0


class BoilerplateLine(FrozenStruct, frozen=True, kw_only=True):
    """A line that was taken out of a text since its outlet repeats it; `line` is its place there, from 0."""

    line: int
    text: str


class CleanArticle(FrozenStruct, frozen=True, kw_only=True):
    """An article without furniture: paragraphs are separated by one newline."""

    verdict: Verdict
    reason: str | None = None  # why not "ok", or why not by its page, in the user's words
    title: str = ""
    text: str = ""
    lead: str = ""
    language: str | None = None
    author: str | None = None
    outlet: str | None = None  # what the text itself says; the entry's outlet goes before it
    published: Published | None = None
    modified: dt.datetime | None = None
    wire: Wire | None = None
    is_container: bool = False  # live blog, briefing, round-up
    timed: tuple[TimedEntry, ...] = ()
    canonical_url: str | None = None  # rel=canonical: a hint
    noarchive: bool = False
    nosnippet: bool = False
    tdm_reserved: bool = False
    media: tuple[Enclosure, ...] = ()  # of the entry and its page, see extract/article.py
    truncated: bool = False
    repeated: tuple[BoilerplateLine, ...] = ()  # taken out of `text`, see extract/learned_boilerplate.py
    page_verdict: Verdict | None = None  # of its page, where that failed and the entry's own text was taken


class LearnedBoilerplate(FrozenStruct, frozen=True, kw_only=True):
    """Which lines an outlet repeats, by their keys: at the ends of a text, and in its middle."""

    edges: tuple[int, ...] = ()
    middles: tuple[int, ...] = ()


class LineHashes(FrozenStruct, frozen=True, kw_only=True):
    """The lines of one text by their keys, before any was taken out (`removed`), see
    extract/learned_boilerplate.py.
    """

    edges: tuple[int, ...] = ()
    middles: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()


class TimedEntryFingerprint(FrozenStruct, frozen=True, kw_only=True):
    """What an entry of a live blog is weighed by, see cluster/events/terms.py."""

    position: int  # among the timed entries, from 0
    terms: bytes
    body_words: int


class Fingerprint(FrozenStruct, frozen=True, kw_only=True):
    """What the dedup room computes of one text, alone; layouts are described in dedup/."""

    signature: bytes  # MinHash, see cluster/copies/minhash.py; empty for a text with no shingle
    bands: tuple[int, ...]  # LSH keys (signed 64 bit), from the signature
    sketch: bytes = b""  # its sampled shingles, see cluster/copies/sampled_shingles.py
    shingle_count: int
    terms: bytes  # packed field-weighted terms, see cluster/events/terms.py
    body_words: int
    text_hash: bytes  # 16 bytes over the clean title and text
    # what other languages compare it by, see cluster/cross_language/features.py; b"" where that is off
    across: bytes = b""
    entries: tuple[TimedEntryFingerprint, ...] = ()  # of a live blog, the newest ones


class Prepared(FrozenStruct, frozen=True, kw_only=True):
    """All that placing needs of one entry; a pure function of the entry (and its page)."""

    article: CleanArticle
    fingerprint: Fingerprint | None = None  # None when the verdict refuses the article
    lines: LineHashes | None = None  # None where nothing is learnt from it: a live blog, a text stored before


# --- what is decided and kept ------------------------------------------------------------------------------


class Reason(FrozenStruct, frozen=True, kw_only=True):
    """One share of a score, in logits; `value` is what it comes from: a likeness, a number of days."""

    name: str
    value: float
    share: float


class CopyEvidence(FrozenStruct, frozen=True, kw_only=True):
    """Why two texts are one: shares of word 3-shingles, both ways."""

    other: str  # article id
    resemblance: float
    containment: float
    estimate: float  # MinHash's estimate of the resemblance
    kind: Literal["copy", "excerpt"] = "copy"


class RunnerUp(FrozenStruct, frozen=True, kw_only=True):
    """A story that was weighed, with its score and what it asked for."""

    story: str
    score: float
    need: float
    reasons: tuple[Reason, ...] = ()  # they sum up to the score together with the evidence's bias


Stage = Literal["founded", "copy", "event", "second look", "correction", "revision"]


class Evidence(FrozenStruct, frozen=True, kw_only=True):
    """Why an article is where it is. `score` is None when no score was needed (a copy, nothing alike)."""

    stage: Stage
    score: float | None = None
    need: float | None = None
    bias: float = 0.0
    reasons: tuple[Reason, ...] = ()
    shared: tuple[int, ...] = ()  # ids of the terms that say most; explaining gives them their words back
    copy: CopyEvidence | None = None
    excerpts: tuple[CopyEvidence, ...] = ()  # stored articles that are cut from this one
    runner_up: RunnerUp | None = None
    vetoes: tuple[str, ...] = ()
    rules_version: str = ""
    term_snapshot: int = 0


class Placement(FrozenStruct, frozen=True, kw_only=True):
    """The decision about one article."""

    story: str
    founded: bool
    role: Role
    evidence: Evidence
    copy_of: str | None = None  # the twin that was found; the group's original is derived when read
    absorbed_stories: tuple[str, ...] = ()  # stories that give way to `story` (a container's home)


# --- what people see ---------------------------------------------------------------------------------------


class ArticleView(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """One article of a story as the output rooms need it."""

    id: str
    outlet: str | None
    url: str | None
    title: str
    published: dt.datetime | None
    seen: dt.datetime
    effective: dt.datetime
    language: str | None
    copy_of: str | None
    wire: str | None
    role: Role
    lead: str = ""
    author: str | None = None
    published_origin: PublishedOrigin | None = None
    published_precision: Precision | None = None
    text: str = ""  # only for one story, never in lists
    timed: tuple[TimedEntry, ...] = ()
    evidence: Evidence | None = None
    nosnippet: bool = False
    noarchive: bool = False
    tdm_reserved: bool = False  # text mining is reserved: honoured as noarchive is
    media: tuple[Enclosure, ...] = ()  # each with a type; for feeds, never for pages


class Reprint(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """An article that prints another one's text, whole (a copy) or in part (an excerpt)."""

    article: str
    outlet: str | None
    url: str | None
    time: dt.datetime | None = None  # declared, to the minute; else None
    minutes_later: int | None = None  # than the original; below 0 where an agency's own text came out after
    is_whole: bool = True


class CopyTrail(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """An original and who copied it, in the order of time."""

    article: str
    outlet: str | None
    url: str | None
    time: dt.datetime | None = None  # declared, to the minute; else None
    reprints: tuple[Reprint, ...] = ()


class LiveBlogLink(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """An entry of a live blog that tells of a story which is not the live blog's home."""

    article: str  # the live blog
    title: str
    outlet: str | None
    url: str | None
    home: str  # the story that the live blog is in
    story: str  # the story that the entry tells of
    position: int  # among the timed entries, from 0
    clock_minutes: int
    text: str
    score: float  # logits, as of an article with its story
    day: dt.date | None = None
    time: dt.datetime | None = None
    nosnippet: bool = False


class StoryView(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A story and its articles, oldest first by effective time."""

    id: str
    title: str
    summary: str
    language: str | None
    first_published: dt.datetime
    last_published: dt.datetime
    updated: dt.datetime  # the last bump; unique among stories
    article_count: int
    outlet_count: int
    report_count: int
    articles: tuple[ArticleView, ...] = ()
    links: tuple[LiveBlogLink, ...] = ()  # only for one story: what live blogs of other stories tell of it
    trails: tuple[CopyTrail, ...] = ()  # only for one story: who copied whom
    texts_gone: bool = False  # only for one story: old texts of it are kept no more


class AttributedSentence(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A sentence that stands in an article, word for word."""

    text: str
    article: str
    outlet: str | None


class Fact(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What several reports say: the shown sentence first, then the others that say the same."""

    said: tuple[AttributedSentence, ...]
    outlets: int  # voices: outlets that print the same words count once
    of: int
    same_words: tuple[tuple[int, ...], ...] = ()  # places in `said` whose words are one text, each one voice


class Disagreement(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Statements that differ, side by side.

    `values`: the figure or clock of each side; of a denial its part ("claimed", "before", "denied").
    """

    kind: Literal["figures", "denial", "times"]
    sides: tuple[AttributedSentence, ...]
    values: tuple[str, ...] = ()
    rose: bool = False  # the later report gives the higher number: it grew, and nobody is wrong
    times: tuple[dt.datetime | None, ...] = ()  # where it rose: when the report of each side was published


class AgreedFigure(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A figure that several outlets give; the shown sentence first."""

    words: str  # as the shown sentence writes it
    said: tuple[AttributedSentence, ...]
    outlets: int
    of: int


class TimelineItem(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A moment. `time` is None where day or clock is unknown; `day` and `clock` as far as known."""

    kind: Literal["published", "live", "told"]
    text: str
    article: str
    outlet: str | None
    time: dt.datetime | None = None
    day: dt.date | None = None
    clock_minutes: int | None = None
    precision: Precision = "minute"
    day_inferred: bool = False
    copies: tuple[Reprint, ...] = ()  # of a publication: the first to print its text; stored without `url`
    copy_count: int = 0  # all of them


class MergedStory(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What the reports say together; every sentence stands in the article it is attributed to."""

    title: str
    lead: AttributedSentence | None
    facts: tuple[Fact, ...]
    only: tuple[AttributedSentence, ...]  # what only one outlet has, grouped by article in order
    disagreements: tuple[Disagreement, ...]
    timeline: tuple[TimelineItem, ...]
    beside: tuple[
        tuple[AttributedSentence, ...], ...
    ] = ()  # on the same point, but too unlike to be counted as one fact
    agreed: tuple[AgreedFigure, ...] = ()
    no_shared_fact: bool = False  # three outlets or more and nothing alike: they may not tell of one event


def utc_now() -> dt.datetime:
    """The clock of the program."""
    return dt.datetime.now(dt.UTC)
