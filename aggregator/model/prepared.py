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
# Neither opinions nor withdrawals are counted as reports
OPINION_KINDS: frozenset[str] = frozenset({"opinion", "explainer"})
UNCOUNTED_KINDS = OPINION_KINDS | {"withdrawal"}
# Articles of these kinds belong to no affair: a digest is near to everything that it reports, and a post reports
# nothing.
AFFAIRLESS_KINDS: frozenset[str] = frozenset({"roundup", "newsletter", "post"})


class Wire(FrozenStruct):
    """The news agency behind a text, and the evidence for it."""

    # Canonical name ("AFP"); None: the text says only that agencies were used
    agency: str | None
    evidence: str  # the wording that names it
    kind: Literal["dateline", "byline", "credit", "metadata", "copy"]
    confidence: float = 1.0


class BoilerplateLine(FrozenStruct):
    """A line hidden from a text because its outlet repeats it; `line` is its index in the whole text, from 0."""

    line: int
    text: str


class CleanArticle(FrozenStruct):
    """An article without boilerplate; paragraphs are separated by one newline."""

    verdict: Verdict
    # A message for users: why the verdict is not "ok", or why the page was not used
    reason: str | None = None
    title: str = ""
    text: str = ""
    lead: str = ""
    language: str | None = None
    # See `Entry.source_language`; set when a stored article is read again
    source_language: str | None = None
    author: str | None = None
    # The outlet named in the text; the outlet of the entry takes precedence
    outlet: str | None = None
    # The name of the site that the page states; after placing, the name that the outlet's own site states
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
    # The media of the entry and of its page (extract/media.py)
    media: tuple[Enclosure, ...] = ()
    truncated: bool = False
    # Categories of the entry and sections of its page
    categories: tuple[str, ...] = ()
    # The lines that are hidden from `text`, because their outlet repeats them (extract/learned_boilerplate.py)
    repeated: tuple[BoilerplateLine, ...] = ()
    # Why the page gave no article, if the text of the entry was used instead
    page_verdict: Verdict | None = None


class ArticleHtml(FrozenStruct):
    """The sanitised HTML of an article, for people; no decision reads it."""

    html: str
    # Version of the rules that sanitised it (extract/html/article_html.py)
    rules: int
    # Whether the content beyond the size limit is missing
    is_cut: bool = False


class LineHashes(FrozenStruct):
    """Hashes of lines at the ends and in the middle: of the lines of one text, or of lines that an outlet repeats."""

    edges: tuple[int, ...] = ()
    middles: tuple[int, ...] = ()


class Fingerprint(FrozenStruct):
    """Everything that is computed from one text for comparison.

    grouping/copies and grouping/pairs describe the layouts. The text is complete: it includes the lines that its
    outlet repeats.
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
    # None for rejected texts, containers and stored texts, because no boilerplate is learned from them
    lines: LineHashes | None = None
    # The entry without the text of its page, for a revision, or if the page may only show a notice
    own: "Prepared | None" = None
    html: ArticleHtml | None = None  # None if it has only paragraphs
