"""The kind of an article (opinion, explainer, list ...), and its evidence.

Evidence is tried in this order: the first words of the text, the type of the page, a label of the headline, the
address, a section or category, a label in the outlet's name, the byline, the form of the headline, and a long audio
file. Without any of them the style of the text decides (language/style.py). A report wrongly called an opinion is not
counted, so a word must stand where a label or a section stands: "Opinion polls show a lead" and "Court issues opinion"
are reports. plain/live_text.py finds live blogs and roundups; this module only names their kinds.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, pairwise
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from aggregator.config.shipped import ShippedTable
from aggregator.extract.language.style import kind_by_style
from aggregator.extract.plain.live_text import announces_live
from aggregator.model.entry import Enclosure
from aggregator.model.prepared import Kind
from aggregator.text.lines import one_line
from aggregator.text.reading import Reading, read


class FoundKind(NamedTuple):
    """A kind and its evidence; a report needs no evidence (None).

    `style` is the logit of the style minus the limit for reports; None if it was not measured.
    """

    kind: Kind = "report"
    evidence: str | None = None
    style: float | None = None


class KindWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The words of one kind in kinds.yaml; sections and labels by language."""

    type: str = ""
    host: str = ""
    path: str = ""
    section: dict[str, list[str]] = {}
    label: dict[str, list[str]] = {}
    title: list[str] = []
    text: list[str] = []


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
    """Return the kind of an article by the first evidence that it is not a report; "report" if there is none.

    `language` is the language of the text; the style decides only about English texts.
    `is_container` is true for live blogs and roundups, `is_live` for live blogs alone. `types` are the types that the
    page declares, in lower case, and `sections` are the page's sections. `categories` are the entry's categories.
    These often name its topics, so only the categories of opinions count. `media` are the files that the feed names;
    an audio file of `episode_audio_bytes` or more makes an episode. `reading` has the words of title and text.
    """
    if is_container:
        return _container_kind(title, is_live=is_live)
    is_ruling = any(_RULINGS.search(url) for url in urls if url)
    topics = _by_section(categories, "category")
    byline = author or ""
    kinds_by_type = _kinds_by("type")
    evidence = (
        _by_form("text", text[:_BEGINNING_CHARS], "text"),
        (
            FoundKind(kinds_by_type[name], f"type: {name}")
            for name in types
            if name in kinds_by_type
        ),
        _by_label(title, "label"),
        _by_address(urls),
        _by_section(sections),
        (evident for evident in topics if evident.kind == "opinion"),
        # "Tribune" is also the name of papers.
        (
            labelled
            for labelled in _by_label(outlet or "", "outlet")
            if "tribun" not in _fold(labelled.evidence or "")
        ),
        [FoundKind("opinion", f"byline: {byline[:60]}")]
        if _BYLINE.search(byline)
        else [],
        _by_form("title", title[:_TITLE_CHARS], "headline"),
        (
            FoundKind("episode", f"audio: {audio.type}, {audio.length_bytes} bytes")
            for audio in media
            if audio.type.startswith("audio")
            and (audio.length_bytes or 0) >= episode_audio_bytes
        ),
    )
    for evident in chain.from_iterable(evidence):
        if not (is_ruling and evident.kind == "opinion"):
            return evident
    if language != "en" or is_ruling:
        return FoundKind()
    kind, above = kind_by_style(title, text, reading or read(title, text, "en"))
    if kind == "report" or above is None:
        return FoundKind(style=above)
    if kind == "post":
        return FoundKind(kind, f"{STYLE_EVIDENCE}, not that of news", above)
    return FoundKind(kind, f"{STYLE_EVIDENCE}, {above:.2f} above the limit", above)


# The forms of a text are searched in this many characters at its beginning (chosen)
_BEGINNING_CHARS = 300
# The forms of a title are searched in this many characters; no title of the dev data is as long
_TITLE_CHARS = 1_000


def is_withdrawal(text: str) -> bool:
    """Return whether a text begins by saying that its outlet takes this article back."""
    found = (evident.kind for evident in _by_form("text", text[:_BEGINNING_CHARS], ""))
    return "withdrawal" in found


def _by_form(
    field: Literal["title", "text"], words: str, where: str
) -> Iterator[FoundKind]:
    for kind, form in _forms(field).items():
        if match := form.search(words):
            yield FoundKind(kind, f"{where}: {match[0].strip(' :,;.–—-')[:60]}")


def _container_kind(title: str, *, is_live: bool) -> FoundKind:
    if is_live or announces_live(title):
        return FoundKind("live_blog", "structure or headline of a live blog")
    if "newsletter" in title.casefold():
        return FoundKind("newsletter", "headline of a newsletter")
    return FoundKind("roundup", "headline of a roundup")


# Evidence begins with these words if only the style tells the kind
STYLE_EVIDENCE = "style of the text"


def is_by_style(kind_evidence: str | None) -> bool:
    """Return whether this evidence is the style alone, and not a statement of the outlet."""
    return kind_evidence is not None and kind_evidence.startswith(STYLE_EVIDENCE)


# A label is searched in this many characters at each end of a title
_LABEL_CHARS = 120

_BEFORE = re.compile(
    r"\W{0,4}(?P<label>[^:：|｜–—]{2,40}?)\s*(?:[:：|｜]|\s[–—-])\s?(?=\S)"
)

_BRACKETED = re.compile(
    r"\W{0,4}[\[(【（「〈](?P<label>[^\])】）」〉]{2,30})[\])】）」〉]"
)

_AFTER = re.compile(r".*\S\s?(?P<mark>[|｜>]|\s[–—-])\s(?P<label>[^|｜>]{2,30}?)\W*")


def _by_label(title: str, where: str) -> Iterator[FoundKind]:
    """Yield the kind of a label at the beginning or end of `title`.

    "- Analysis" after a headline often means "according to an analysis", so after a dash it is not a label.
    """
    head = title[:_LABEL_CHARS]
    kinds = _kinds_by("label")
    for match in filter(None, (_BEFORE.match(head), _BRACKETED.match(head))):
        if kind := kinds.get(_fold(match["label"])):
            yield FoundKind(kind, f"{where}: {match.group().strip()}")
    after = _AFTER.fullmatch(title[-_LABEL_CHARS:])
    if after is None:
        return
    kind = kinds.get(_fold(after["label"]))
    if kind is not None and (kind != "explainer" or after["mark"] in "|｜>"):
        yield FoundKind(kind, f"{where}: {after['mark'].strip()} {after['label']}")


def _fold(words: str) -> str:
    return one_line(words.casefold().replace("’", "'"))


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


# Addresses of the opinions of a court, an attorney general or a committee. These are rulings and advice, not columns.
# The host belongs to a court or a public body, or the folder above the opinions belongs to courts.
_RULINGS = re.compile(
    r"^https?://[^/]*?(?:(?:court|scotus)(?!house|ney|yard)|judiciary|\.(?:gov|mil|int|europa\.eu)\b)"
    r"|/(?:[\w-]{0,40}courts?|[\w-]{0,40}court-of-[\w-]{1,40}|appeals|appellate|scotus)/(?:slip-?)?opinions?/",
    re.IGNORECASE,
)


def _by_section(sections: Iterable[str], where: str = "section") -> Iterator[FoundKind]:
    for section in sections:
        for part in re.split(r"(?:(?<!\s)\s++)?[/>|»]\s*", section):
            if kind := _kinds_by("section").get(_fold(part)):
                yield FoundKind(kind, f"{where}: {section.strip()[:60]}")


_BYLINE = re.compile(
    r"\b(?:(?:the )?editorial board|opinion (?:contributor|columnist|writer|editor)|guest columnist|"
    r"contributing columnist)\b",
    re.IGNORECASE,
)


_KINDS = ShippedTable("aggregator.extract", "kinds.yaml", dict[Kind, KindWords])


@cache
def _kinds_by(
    field: Literal["type", "host", "path", "label", "section"],
) -> dict[str, Kind]:
    """Return kinds by the folded words of one field."""
    kinds: dict[str, Kind] = {}
    for kind, words in _KINDS.content.items():
        listed = getattr(words, field)
        if isinstance(listed, str):
            names = listed.split()
        else:
            names = list(chain.from_iterable(listed.values()))
        kinds |= dict.fromkeys(map(_fold, names), kind)
    return kinds


@cache
def _forms(field: Literal["title", "text"]) -> dict[Kind, re.Pattern[str]]:
    forms = {
        kind: "|".join(getattr(words, field)) for kind, words in _KINDS.content.items()
    }
    return {kind: re.compile(form, re.I) for kind, form in forms.items() if form}
