"""The kind of an article (opinion, explainer, list ...), and its evidence.

What an outlet states comes first: the type of the page, a label of the headline, a folder of the address, a
section, the byline, the form of the headline; else the style of the text. A report that is wrongly
called an opinion is not counted, so a word must stand as a label or a section does: "Opinion polls show a
lead" and "Court issues opinion" are reports. live_text.py finds live blogs and roundups,
which are only named here.

By style: reports say who told them what and on which day; opinions argue, ask and explain. Three logistic
regressions on the same figures, learned by training/fit_kind.py from the kinds of eight months of news and
from blogs: whether a text is no report, whether it is of the news at all, as posts of blogs and manuals are
not, and whether it is then an opinion or an analysis. In doubt it is a report: the limits in style.json mark
one of 37 reports of those months. Other languages have no labels yet and no kind by style.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain, pairwise
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
import numpy as np

from aggregator.extract.live_text import announces_live
from aggregator.model.core import Enclosure, Kind
from aggregator.text.calendar import weekday_words
from aggregator.text.reading import Column, Reading, read
from aggregator.text.tokens import word_tokens


class FoundKind(NamedTuple):
    """A kind and its evidence; None for a report, which needs none."""

    kind: Kind = "report"
    evidence: str | None = None


class KindWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The words of one kind in kinds.yaml; sections and labels by language."""

    type: str = ""
    host: str = ""
    path: str = ""
    section: dict[str, list[str]] = {}
    label: dict[str, list[str]] = {}
    title: list[str] = []


def find_kind(
    title: str,
    text: str = "",
    *,
    language: str | None = None,
    urls: Sequence[str | None] = (),
    categories: Sequence[str] = (),
    sections: Sequence[str] = (),
    types: Sequence[str] = (),
    author: str | None = None,
    outlet: str | None = None,
    media: Sequence[Enclosure] = (),
    episode_audio_bytes: int = 0,
    is_container: bool = False,
    is_live: bool = False,
    reading: Reading | None = None,
) -> FoundKind:
    """Return the kind of an article, by the first evidence of another one; else "report".

    `language`: of the text. `is_container`, `is_live`: whether it is a live blog or roundup, and of these a
    live blog. `types`: the types that the page declares, in lower case. `categories`: of the entry, which
    often name its topics, so that only those of opinions count. `sections`: of the page. `media`: the files
    that the feed names; audio of `episode_audio_bytes` or more is an episode. `reading`: of title and text.
    """
    if is_container:
        return _container_kind(title, is_live=is_live)
    is_ruling = any(_RULINGS.search(url) for url in urls if url)
    evidence = (
        (
            FoundKind(kind, f"type: {name}")
            for name in types
            if (kind := _kinds_by("type").get(name))
        ),
        _by_label(title, "label"),
        _by_address(urls),
        _by_section(sections),
        (
            found
            for found in _by_section(categories, "category")
            if found.kind == "opinion"
        ),
        # "Tribune" is also the name of papers.
        (
            one
            for one in _by_label(outlet or "", "outlet")
            if "tribun" not in _folded(one.evidence or "")
        ),
        (
            FoundKind("opinion", f"byline: {name[:60]}")
            for name in (author or "",)
            if _BYLINE.search(name)
        ),
        _by_title(title),
        (
            FoundKind("episode", f"audio: {one.type}, {one.length_bytes} bytes")
            for one in media
            if one.type.startswith("audio")
            and (one.length_bytes or 0) >= episode_audio_bytes
        ),
        _by_style(title, text, reading) if language == "en" and not is_ruling else (),
    )
    found_kinds = chain.from_iterable(evidence)
    return next(
        (found for found in found_kinds if not (is_ruling and found.kind == "opinion")),
        FoundKind(),
    )


def _container_kind(title: str, *, is_live: bool) -> FoundKind:
    if is_live or announces_live(title):
        return FoundKind("live_blog", "structure or headline of a live blog")
    if "newsletter" in title.casefold():
        return FoundKind("newsletter", "headline of a newsletter")
    return FoundKind("roundup", "headline of a roundup")


# How the evidence begins where nothing else tells the kind
STYLE_EVIDENCE = "style of the text"


def is_by_style(kind_evidence: str | None) -> bool:
    """Return whether only the style of its text tells that an article is no report."""
    return kind_evidence is not None and kind_evidence.startswith(STYLE_EVIDENCE)


# --- labels ------------------------------------------------------------------------------------------------

_LABEL_CHARS = 120  # of a title searched for a label, at each end
_BEFORE = re.compile(
    r"\W{0,4}(?P<label>[^:：|｜–—]{2,40}?)\s*(?:[:：|｜]|\s[–—-])\s?(?=\S)"
)
_BRACKETED = re.compile(
    r"\W{0,4}[\[(【（「〈](?P<label>[^\])】）」〉]{2,30})[\])】）」〉]"
)
_AFTER = re.compile(r".*\S\s?(?P<mark>[|｜>]|\s[–—-])\s(?P<label>[^|｜>]{2,30}?)\W*")


def _by_label(title: str, where: str) -> Iterator[FoundKind]:
    """Yield the kind of a label before or after `title`.

    "- Analysis" after a headline often means "according to an analysis", so it needs a bar there.
    """
    head = title[:_LABEL_CHARS]
    for match in (_BEFORE.match(head), _BRACKETED.match(head)):
        if match is not None and (
            kind := _kinds_by("label").get(_folded(match["label"]))
        ):
            yield FoundKind(kind, f"{where}: {match.group().strip()}")
    match = _AFTER.fullmatch(title[-_LABEL_CHARS:])
    kind = _kinds_by("label").get(_folded(match["label"])) if match else None
    if (
        match is not None
        and kind is not None
        and (kind != "explainer" or match["mark"] in "|｜>")
    ):
        yield FoundKind(kind, f"{where}: {match['mark'].strip()} {match['label']}")


def _folded(words: str) -> str:
    return " ".join(words.casefold().replace("’", "'").split())


# --- address, sections, byline -----------------------------------------------------------------------------


def _by_address(urls: Iterable[str | None]) -> Iterator[FoundKind]:
    for url in filter(None, urls):
        try:
            parts = urlsplit(url)
        except ValueError:
            continue
        if kind := _kinds_by("host").get((parts.hostname or "").partition(".")[0]):
            yield FoundKind(kind, f"address: {parts.hostname}")
        folders = unquote(parts.path).casefold().split("/")[:-1]
        for folder in (*folders, *map("/".join, pairwise(folders))):
            if kind := _kinds_by("path").get(folder):
                yield FoundKind(kind, f"address: /{folder}/")


# The opinions of a court, an attorney general or a committee are rulings and advice, not columns. The host is
# that of a court or a public body, or the folder before that of the opinions is one of courts.
_RULINGS = re.compile(
    r"^https?://[^/]*?(?:(?:court|scotus)(?!house|ney|yard)|judiciary|\.(?:gov|mil|int|europa\.eu)\b)"
    r"|/(?:[\w-]{0,40}courts?|[\w-]{0,40}court-of-[\w-]{1,40}|appeals|appellate|scotus)/(?:slip-?)?opinions?/",
    re.IGNORECASE,
)


def _by_section(sections: Iterable[str], where: str = "section") -> Iterator[FoundKind]:
    for section in sections:
        for part in re.split(r"\s*[/>|»]\s*", section):
            if kind := _kinds_by("section").get(_folded(part)):
                yield FoundKind(kind, f"{where}: {section.strip()[:60]}")


_BYLINE = re.compile(
    r"\b(?:(?:the )?editorial board|opinion (?:contributor|columnist|writer|editor)|guest columnist|"
    r"contributing columnist)\b",
    re.IGNORECASE,
)


_TITLE_CHARS = 1_000  # searched for a form; no title of the dev data has so many


def _by_title(title: str) -> Iterator[FoundKind]:
    for kind, form in _title_forms():
        match = form.search(title[:_TITLE_CHARS])
        if match is not None:
            yield FoundKind(kind, f"headline: {match.group().strip(' :,;.–—-')[:60]}")


def _by_style(title: str, text: str, reading: Reading | None) -> Iterator[FoundKind]:
    kind, above = kind_by_style(title, text, reading or read(title, text, "en"))
    if kind != "report":
        yield FoundKind(kind, f"{STYLE_EVIDENCE}, {above:.2f} above the limit")


# --- kinds.yaml --------------------------------------------------------------------------------------------


@cache
def _words() -> dict[Kind, KindWords]:
    raw = files("aggregator.extract").joinpath("kinds.yaml").read_bytes()
    return msgspec.yaml.decode(raw, type=dict[Kind, KindWords])


@cache
def _kinds_by(
    field: Literal["type", "host", "path", "label", "section"],
) -> dict[str, Kind]:
    """Return kinds by the words of one field, folded."""
    kinds: dict[str, Kind] = {}
    for kind, words in _words().items():
        listed = getattr(words, field)
        names = (
            listed.split()
            if isinstance(listed, str)
            else chain.from_iterable(listed.values())
        )
        kinds.update({_folded(name): kind for name in names})
    return kinds


@cache
def _title_forms() -> tuple[tuple[Kind, re.Pattern[str]], ...]:
    return tuple(
        (kind, re.compile("|".join(words.title), re.IGNORECASE))
        for kind, words in _words().items()
        if words.title
    )


# --- style --------------------------------------------------------------------------------------------------

# Of a text: a shorter one, such as a lead, has too few words to count
LEAST_WORDS = 100
_FIRST = 60  # words in which a report names its day
_OPENING = 100  # words in which it says by whom it was told
# Every form begins with a mark, which `re` skips to: twice as fast as with a line's start before it.
_QUOTED = re.compile(
    r"“(?:[^“”]{0,600}”|[^“”\n]{0,1500}$)|\"(?:[^\"\n]{0,600}\"|(?<=^\")[^\"\n]{0,1500}$)",
    re.MULTILINE,
)
_LISTED = {
    "said": "said says told according announced reported added",
    "why": "why how what if whether because",
    "be": "is are isn't aren't",
    "adverbs": "really truly very clearly obviously certainly utterly hardly exactly even just too so such",
    "I": "i my me i'm i've",
    "public": "president minister government police court percent million country state",
    "officials": "officials official spokesman spokeswoman spokesperson statement reporters sources",
    "turns": "but yet perhaps indeed maybe surely instead still rather simply merely actually course thus",
}
_COUNTED = (*_LISTED, "contractions", "weekdays", "capitals", "numbers")
_BITS = {name: 1 << place for place, name in enumerate(_COUNTED)}
_READ = 1 << len(_COUNTED)  # of every word: 0 is a word that was not looked at
# By mark and figure: whether the figure counts words of this mark.
_MARKED = (
    (np.arange(_READ)[:, np.newaxis] & list(_BITS.values())).astype(bool).astype(float)
)
# First words of titles
_EXPLAINING = "why how what when where who the is are can will should"
_VARIED = 300  # words of which the share of different ones is taken
# Titles of reports tell in verbs what was done, and leave out the small words of a spoken sentence.
_VERBS_OF_TITLES = """
    accuses admits agrees announces approves arrested arrests asks backs begins blames blasts blocks calls
    charged charges claims closes condemns confirms considers criticizes cuts dead defends demands denied
    denies died dies drops endorses ends faces fired fires hires hits killed kills launches leads leaves
    loses meets names nominates offers opens orders passes plans pledges predicts promises pushes raises
    rejects releases reports resigns reveals said say says seeks sends sentenced signs slams sued sues
    suspends taps tells testifies threatens unveils urges votes vows warns wins
"""
_SMALL_WORDS = "the a an is isn't are aren't was it it's and that we our their do don't does doesn't"
_NEWS_VERBS = frozenset(_VERBS_OF_TITLES.split())
_SPOKEN = frozenset(_SMALL_WORDS.split())
_REASONS = frozenset(("how", "why", "what"))


class Regression(msgspec.Struct, frozen=True):
    """Weights of figures, in their order, for a positive logit."""

    bias: float
    weights: tuple[float, ...]

    def logit(self, figures: list[float]) -> float:
        """Return the log odds of these figures."""
        return self.bias + sum(map(float.__mul__, self.weights, figures))


class StyleModel(msgspec.Struct, frozen=True):
    """The content of style.json."""

    figures: tuple[str, ...]
    limit: float  # a logit of `no_report` above it tells that a text is none
    no_report: Regression
    news_limit: float  # a logit of `news` below it tells that a text is of no news
    news: Regression
    opinion: Regression  # of what is no report: opinion, not analysis


def kind_by_style(title: str, text: str, reading: Reading) -> tuple[Kind, float]:
    """Return the kind of an English article, and by how much its logit is above the limit."""
    figures = list(style_figures(title, text, reading).values())
    if not figures:
        return "report", 0.0
    model = _shipped()
    above = model.no_report.logit(figures) - model.limit
    if above <= 0 or model.news.logit(figures) < model.news_limit:
        return "report", above
    return ("opinion" if model.opinion.logit(figures) > 0 else "explainer"), above


def style_figures(title: str, text: str, reading: Reading) -> dict[str, float]:
    """Return the figures of a title and a text by name; none for a text under 100 words.

    Counts are ln(1 + occurrences in 100 words) outside quotations.
    """
    lexicon, numbers = reading.lexicon, reading.numbers[reading.title_words :]
    quoted = " ".join(_QUOTED.findall(text))
    quoted_numbers = lexicon.numbers(word_tokens(quoted, lexicon.language))
    words = len(numbers) - len(quoted_numbers)
    if words < LEAST_WORDS:
        return {}
    marks = _marks().of(lexicon, numbers)
    quoted_marks = _marks().of(lexicon, quoted_numbers)
    times = np.bincount(marks - _READ, minlength=_READ) - np.bincount(
        quoted_marks - _READ, minlength=_READ
    )
    counts = dict(zip(_COUNTED, np.maximum(times @ _MARKED, 0.0).tolist(), strict=True))
    counts["questions"] = text.count("?") - quoted.count("?")
    ends = counts["questions"] + sum(
        text.count(end) - quoted.count(end) for end in (". ", ".\n", "!")
    )
    opening = re.match(r"\W*(\w*)", title)
    title_words = [
        word.casefold().replace("’", "'")
        for word in reading.words[: reading.title_words]
    ]
    small_words = sum(word in _SPOKEN for word in title_words)
    said = np.count_nonzero(marks[:_OPENING] & _BITS["said"])
    return {name: math.log1p(100 * count / words) for name, count in counts.items()} | {
        "words a sentence": math.log(words / (1 + ends)),
        "words": math.log(words),
        "weekday first": float(bool((marks[:_FIRST] & _BITS["weekdays"]).any())),
        "title asks": float("?" in title),
        "title explains": float(
            opening is not None and opening[1].casefold() in _EXPLAINING.split()
        ),
        "title gives reasons": float(not _REASONS.isdisjoint(title_words)),
        "title tells": float(not _NEWS_VERBS.isdisjoint(title_words)),
        "title speaks": small_words / max(1, len(title_words)),
        "title words": math.log1p(len(title_words)),
        "said first": math.log1p(said),
        "variety": len(set(numbers[:_VARIED].tolist())) / min(_VARIED, len(numbers)),
    }


def _mark(written: str) -> int:
    """Return a bit for each figure that counts the word."""
    word = written.casefold().replace("’", "'")
    mark = _READ | _listed().get(word, 0)
    if "'" in word and not word.endswith("'s"):
        mark |= _BITS["contractions"]
    if word in weekday_words():
        mark |= _BITS["weekdays"]
    if written[0].isupper():
        mark |= _BITS["capitals"]
    return mark | _BITS["numbers"] if written[0].isdigit() else mark


@cache
def _listed() -> dict[str, int]:
    return {
        word: _BITS[name] for name, listed in _LISTED.items() for word in listed.split()
    }


@cache
def _marks() -> Column:
    return Column(_mark)


@cache
def _shipped() -> StyleModel:
    raw = files("aggregator.extract").joinpath("style.json").read_bytes()
    return msgspec.json.decode(raw, type=StyleModel)
