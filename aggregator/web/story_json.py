"""The JSON of stories, exactly as product.md's readers were promised it.

Times are RFC 3339 in UTC with a Z, ids are strings, a key is never left out: what is unknown is null. Every
function takes what the reader may see (rights.for_reader) and shows all of it.

Evidence in one sentence: why an article is where it is.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from aggregator.model.core import (
    AgreedFigure,
    ArticleView,
    AttributedSentence,
    CopyEvidence,
    CopyTrail,
    Disagreement,
    Evidence,
    LiveBlogLink,
    MergedStory,
    Precision,
    PublishedOrigin,
    Reprint,
    Role,
    Stage,
    StoryView,
    TimelineItem,
)
from aggregator.stories.text.merged_text import lead_and_facts
from aggregator.web.sanitise import without_bidi

SHOWN_REASONS = 3  # the strongest likenesses; `aggregator explain` has all of them


def reason_in_words(article: ArticleView) -> str | None:
    """Why `article` is in its story, for a person; None where no evidence is stored."""
    evidence = article.evidence
    if evidence is None:
        return None
    if evidence.copy is not None:
        return _copy_in_words(evidence.copy)
    return _STAGES[evidence.stage] + _score_in_words(evidence) + _likenesses(evidence)


_STAGES: dict[Stage, str] = {
    "founded": "founded this story: no live story was alike enough",
    "copy": "the same text as another article of this story",
    "event": "reports the same event",
    "second look": "moved here when more was known: it reports the same event",
    "correction": "put here by a person",
    "revision": "a later version of an article of this story",
}


_SCORED: frozenset[Stage] = frozenset({"event", "second look"})


def _copy_in_words(copy: CopyEvidence) -> str:
    if copy.kind == "excerpt":
        return f"an excerpt: {copy.containment:.0%} of it stands in {copy.other}"
    return f"the same text as {copy.other}: {copy.resemblance:.0%} of all three-word runs are shared"


def _score_in_words(evidence: Evidence) -> str:
    if evidence.stage not in _SCORED or evidence.score is None:
        return ""
    need = f" against {evidence.need:.2f} needed" if evidence.need is not None else ""
    return f", score {evidence.score:.2f}{need}"


def _likenesses(evidence: Evidence) -> str:
    """The names of what spoke most for it."""
    speaking = [reason for reason in evidence.reasons if reason.share > 0]
    strongest = sorted(speaking, key=lambda reason: (-reason.share, reason.name))[:SHOWN_REASONS]
    if evidence.stage not in _SCORED or not strongest:
        return ""
    return "; most alike in " + ", ".join(
        reason.name.removeprefix("across:").replace("_", " ") for reason in strongest
    )


class ArticleJson(msgspec.Struct, frozen=True, kw_only=True):
    """An article in a list of stories."""

    id: str
    outlet: str | None
    url: str | None
    title: str
    published: dt.datetime | None
    seen: dt.datetime
    language: str | None
    copy_of: str | None
    wire: str | None
    role: Role


class StoryJson(msgspec.Struct, frozen=True, kw_only=True):
    """A story in a list."""

    id: str
    title: str
    summary: str
    language: str | None
    first_published: dt.datetime
    last_published: dt.datetime
    updated: dt.datetime
    article_count: int
    outlet_count: int
    report_count: int
    articles: tuple[ArticleJson, ...]


class PageJson(msgspec.Struct, frozen=True, kw_only=True):
    """Stories and where to go on."""

    stories: tuple[StoryJson, ...]
    next: str | None


class WholeArticleJson(ArticleJson, frozen=True, kw_only=True):
    """An article of one story."""

    lead: str
    author: str | None
    published_origin: PublishedOrigin | None
    published_precision: Precision | None
    reason: str | None


class SaidJson(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence of an article, word for word."""

    text: str
    article: str
    outlet: str | None


class DisagreementJson(msgspec.Struct, frozen=True, kw_only=True):
    """Statements that differ, side by side.

    `rose`: the later report has the higher figure; then `times` says when each side was published.
    """

    kind: str
    values: tuple[str, ...]
    sides: tuple[SaidJson, ...]
    rose: bool
    times: tuple[dt.datetime | None, ...]


class AgreedJson(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that several outlets give, as the first of them writes it."""

    words: str
    outlets: int
    of: int
    said: tuple[SaidJson, ...]


class ReprintJson(msgspec.Struct, frozen=True, kw_only=True):
    """Who printed another one's text, and how many minutes later where both times are known."""

    article: str
    outlet: str | None
    url: str | None
    time: dt.datetime | None
    minutes_later: int | None
    is_whole: bool


class CopyTrailJson(msgspec.Struct, frozen=True, kw_only=True):
    """An original and who copied it, in the order of time."""

    article: str
    outlet: str | None
    url: str | None
    time: dt.datetime | None
    reprints: tuple[ReprintJson, ...]


class MomentJson(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of the story; `day` and `clock` ("21:43") hold what is known when `time` is null.

    `copies` are the first of those that printed the text, `copy_count` is all of them.
    """

    time: dt.datetime | None
    day: dt.date | None
    clock: str | None
    precision: Precision
    day_inferred: bool
    kind: str
    text: str
    article: str
    outlet: str | None
    copies: tuple[ReprintJson, ...]
    copy_count: int


class LinkJson(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a live blog that is in another story (`story`) and tells of this one.

    `clock` ("21:43") is as the live blog shows it; `day` and `time` only where they are known.
    """

    article: str
    outlet: str | None
    title: str
    url: str | None
    story: str
    time: dt.datetime | None
    day: dt.date | None
    clock: str | None
    text: str


class WholeStoryJson(StoryJson, frozen=True, kw_only=True):
    """One story: `text` is what the reports say together, a paragraph a sentence, each with its outlets.

    `no_shared_fact`: three outlets or more, and no two say the same: they may not tell of one event.
    """

    articles: tuple[WholeArticleJson, ...]
    text: str
    timeline: tuple[MomentJson, ...]
    disagreements: tuple[DisagreementJson, ...]
    agreed: tuple[AgreedJson, ...]
    no_shared_fact: bool
    trails: tuple[CopyTrailJson, ...]
    links: tuple[LinkJson, ...]


def page_json(stories: Iterable[StoryView], next_cursor: str | None) -> bytes:
    """`{"stories": [...], "next": cursor|null}` and a newline."""
    page = PageJson(stories=tuple(story_in_list(story) for story in stories), next=next_cursor)
    return without_bidi(msgspec.json.encode(page)) + b"\n"


def jsonl(stories: Iterable[StoryView]) -> bytes:
    """A story a line."""
    return b"".join(without_bidi(msgspec.json.encode(story_in_list(one))) + b"\n" for one in stories)


def whole_story_json(story: StoryView, merged: MergedStory | None) -> bytes:
    """One story with its merged text; without `merged` its text is the summary."""
    return without_bidi(msgspec.json.encode(whole_story(story, merged))) + b"\n"


def story_in_list(story: StoryView) -> StoryJson:
    """A story as it stands in `page_json` and `jsonl`."""
    return StoryJson(
        articles=tuple(article_in_list(article) for article in story.articles), **_story_values(story)
    )


def whole_story(story: StoryView, merged: MergedStory | None) -> WholeStoryJson:
    """A story as it stands alone."""
    addresses = {article.id: article.url for article in story.articles}
    return WholeStoryJson(
        articles=tuple(whole_article(article) for article in story.articles),
        text=_merged_text(merged) if merged else story.summary,
        timeline=tuple(_moment(item, addresses) for item in merged.timeline) if merged else (),
        disagreements=tuple(_disagreement(each) for each in merged.disagreements) if merged else (),
        agreed=tuple(_agreed(each) for each in merged.agreed) if merged else (),
        no_shared_fact=merged.no_shared_fact if merged else False,
        trails=tuple(_copy_trail(trail) for trail in story.trails),
        links=tuple(_link(link) for link in story.links),
        **_story_values(story),
    )


def _story_values(story: StoryView) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(story, name) for name in _SHARED}
    return values | {
        name: _utc_or_none(values[name]) for name in ("first_published", "last_published", "updated")
    }


_SHARED = (
    "id",
    "title",
    "summary",
    "language",
    "first_published",
    "last_published",
    "updated",
    "article_count",
    "outlet_count",
    "report_count",
)


def article_in_list(article: ArticleView) -> ArticleJson:
    """An article as it stands in a list."""
    return ArticleJson(**_article_values(article))


def _article_values(article: ArticleView) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(article, name) for name in ArticleJson.__struct_fields__}
    return values | {"published": _utc_or_none(article.published), "seen": _utc_or_none(article.seen)}


def whole_article(article: ArticleView) -> WholeArticleJson:
    """An article as it stands in one story."""
    return WholeArticleJson(
        lead=article.lead,
        author=article.author,
        published_origin=article.published_origin,
        published_precision=article.published_precision,
        reason=reason_in_words(article),
        **_article_values(article),
    )


def _merged_text(merged: MergedStory) -> str:
    first, others = lead_and_facts(merged)
    lead = [_with_outlets(first.said)] if first else []
    facts = [_with_outlets(fact.said) for fact in others]
    single = [said for block in merged.beside for said in block] + list(merged.only)
    return "\n".join(lead + facts + [_with_outlets((said,)) for said in single])


def _with_outlets(said: tuple[AttributedSentence, ...]) -> str:
    """The shown sentence, the first one, with every outlet that says so."""
    outlets = dict.fromkeys(each.outlet for each in said if each.outlet)
    return f"{said[0].text} ({', '.join(outlets)})" if outlets else said[0].text


def _said(said: AttributedSentence) -> SaidJson:
    return SaidJson(text=said.text, article=said.article, outlet=said.outlet)


def _disagreement(disagreement: Disagreement) -> DisagreementJson:
    sides = tuple(_said(side) for side in disagreement.sides)
    return DisagreementJson(
        kind=disagreement.kind,
        values=disagreement.values,
        sides=sides,
        rose=disagreement.rose,
        times=tuple(_utc_or_none(time) for time in disagreement.times),
    )


def _agreed(agreed: AgreedFigure) -> AgreedJson:
    said = tuple(_said(one) for one in agreed.said)
    return AgreedJson(words=agreed.words, outlets=agreed.outlets, of=agreed.of, said=said)


def _copy_trail(trail: CopyTrail) -> CopyTrailJson:
    return CopyTrailJson(
        article=trail.article,
        outlet=trail.outlet,
        url=trail.url,
        time=_utc_or_none(trail.time),
        reprints=tuple(_reprint(one, one.url) for one in trail.reprints),
    )


def _reprint(one: Reprint, url: str | None) -> ReprintJson:
    return ReprintJson(
        article=one.article,
        outlet=one.outlet,
        url=url,
        time=_utc_or_none(one.time),
        minutes_later=one.minutes_later,
        is_whole=one.is_whole,
    )


def _moment(item: TimelineItem, addresses: Mapping[str, str | None]) -> MomentJson:
    return MomentJson(
        time=_utc_or_none(item.time),
        day=item.day,
        clock=clock(item.clock_minutes),
        precision=item.precision,
        day_inferred=item.day_inferred,
        kind=item.kind,
        text=item.text,
        article=item.article,
        outlet=item.outlet,
        copies=tuple(_reprint(one, addresses.get(one.article)) for one in item.copies),
        copy_count=item.copy_count,
    )


def _link(link: LiveBlogLink) -> LinkJson:
    return LinkJson(
        article=link.article,
        outlet=link.outlet,
        title=link.title,
        url=link.url,
        story=link.home,
        time=_utc_or_none(link.time),
        day=link.day,
        clock=clock(link.clock_minutes),
        text=link.text,
    )


def clock(minutes: int | None) -> str | None:
    """Minutes after midnight as "21:43"."""
    return None if minutes is None else f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def in_utc(time: dt.datetime) -> dt.datetime:
    """The same moment, written with a Z."""
    return time.astimezone(dt.UTC)


def _utc_or_none(time: dt.datetime | None) -> dt.datetime | None:
    return in_utc(time) if time else None
