"""An article after extraction: its clean text, kind and verdict, and values computed for comparison."""

from datetime import datetime
from typing import Literal, get_args

from aggregator.model.entry import Enclosure, Published
from aggregator.model.structs import FrozenStruct

Verdict = Literal[
    "ok", "stub", "consent", "paywall", "list", "block", "not_article", "too_long", "too_short", "empty",
    "binary", "timeout", "memory",
]  # fmt: skip
ACCEPTED_VERDICTS: frozenset[str] = frozenset({"ok", "stub"})
Kind = Literal[
    "report", "opinion", "explainer", "list", "live_blog", "roundup", "newsletter", "release", "episode",
    "fact_check", "preview", "status", "withdrawal", "post",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(Kind)
# Neither these nor a withdrawal are counted as reports
OPINION_KINDS: frozenset[str] = frozenset({"opinion", "explainer"})
UNCOUNTED_KINDS = OPINION_KINDS | {"withdrawal"}
# They are in no affair: a digest is near to everything that it reports, a post reports nothing.
AFFAIRLESS_KINDS: frozenset[str] = frozenset({"roundup", "newsletter", "post"})


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
    # See `Entry.source_language`; set when a stored article is read again
    source_language: str | None = None
    author: str | None = None
    # Named in the text; the outlet of the entry takes precedence
    outlet: str | None = None
    # The name of the site as the page states it; after placing, as the outlet's own site states it
    site_name: str | None = None
    published: Published | None = None
    modified: datetime | None = None
    wire: Wire | None = None
    is_container: bool = False  # live blog or roundup
    kind: Kind = "report"
    # The reason for the kind, as users read it; None for a report
    kind_evidence: str | None = None
    # The logit of its style minus the limit above which a text does not count as a report; None: not measured
    style: float | None = None
    canonical_url: str | None = None  # rel=canonical: a hint
    noarchive: bool = False
    nosnippet: bool = False
    tdm_reserved: bool = False
    # The media of the entry and of its page (extract/clean_article.py)
    media: tuple[Enclosure, ...] = ()
    truncated: bool = False
    # Categories of the entry and sections of its page
    categories: tuple[str, ...] = ()
    # The lines that are hidden from `text`, since their outlet repeats them (extract/learned_boilerplate.py)
    repeated: tuple[BoilerplateLine, ...] = ()
    # Why the page gave no article, if the text of the entry was used instead
    page_verdict: Verdict | None = None


class ArticleHtml(FrozenStruct):
    """The sanitised HTML of an article, for people; no decision reads it."""

    html: str
    # Version of the rules that sanitised it (extract/html/article_html.py)
    rules: int
    # The content beyond the size limit is missing
    is_cut: bool = False


class LineHashes(FrozenStruct):
    """Lines at the ends and in the middle of one text, as keys, or those that an outlet repeats."""

    edges: tuple[int, ...] = ()
    middles: tuple[int, ...] = ()


class Fingerprint(FrozenStruct):
    """Everything that is computed from one text for comparison.

    grouping/copies and grouping/pairs describe the layouts.

    The text is complete: it includes the lines that its outlet repeats.
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
    fingerprint: Fingerprint | None = None  # None if the verdict rejects the article
    # None for a live blog and for a stored text, because no boilerplate is learned from them
    lines: LineHashes | None = None
    # The same entry without the text of its page: used for a revision, or if the page may only show a notice
    own: "Prepared | None" = None
    html: ArticleHtml | None = None  # None if it has only paragraphs
