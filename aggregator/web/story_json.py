"""The JSON of stories, as docs/querying.md describes it, and the reason of a placement in one sentence.

Times are RFC 3339 in UTC with a Z, ids are strings, no key is omitted, and an unknown value is null. The
stories are already limited by `excerpts.for_reader`; nothing is limited here.
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
    Kind,
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
from aggregator.web.sanitise import encode_json

SHOWN_REASONS = 3  # the strongest similarities; `aggregator explain` has all


def reason_in_words(article: ArticleView) -> str | None:
    """Return a sentence that states why `article` is in its story; None if no evidence is stored."""
    evidence = article.evidence
    if evidence is None:
        return None
    if evidence.copy is not None:
        return _copy_reason(evidence.copy)
    return _STAGES[evidence.stage] + _score(evidence) + _similarities(evidence)


_STAGES: dict[Stage, str] = {
    "founded": "founded this story: no live story was similar enough",
    "copy": "the same text as another article of this story",
    "event": "reports the same event",
    "second look": "moved here by a second look: it reports the same event",
    "correction": "moved here by a correction",
    "revision": "a later version of an article of this story",
}


_SCORED: frozenset[Stage] = frozenset({"event", "second look"})


def _copy_reason(copy: CopyEvidence) -> str:
    if copy.kind == "excerpt":
        return f"an excerpt: {copy.containment:.0%} of it is in {copy.other}"
    return f"the same text as {copy.other}: {copy.resemblance:.0%} of all three-word runs are shared"


def _score(evidence: Evidence) -> str:
    if evidence.stage not in _SCORED or evidence.score is None:
        return ""
    need = f", threshold {evidence.need:.2f}" if evidence.need is not None else ""
    return f", score {evidence.score:.2f}{need}"


def _similarities(evidence: Evidence) -> str:
    """Name the reasons with the largest positive shares of the score."""
    positive = [reason for reason in evidence.reasons if reason.share > 0]
    strongest = sorted(positive, key=lambda reason: (-reason.share, reason.name))[:SHOWN_REASONS]
    if evidence.stage not in _SCORED or not strongest:
        return ""
    return "; most similar in " + ", ".join(
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
    kind: Kind
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
    unknown_outlet_count: int
    report_count: int
    articles: tuple[ArticleJson, ...]


class PageJson(msgspec.Struct, frozen=True, kw_only=True):
    """A page of stories; `next` is the cursor of the next page, null at the end."""

    stories: tuple[StoryJson, ...]
    next: str | None


class WholeArticleJson(ArticleJson, frozen=True, kw_only=True):
    """An article of one story."""

    lead: str
    author: str | None
    published_origin: PublishedOrigin | None
    published_precision: Precision | None
    reason: str | None
    kind_reason: str | None


class SaidJson(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence of an article, word for word."""

    text: str
    article: str
    outlet: str | None


class DisagreementJson(msgspec.Struct, frozen=True, kw_only=True):
    """Statements that differ.

    `rose`: the later report has the higher figure; then `times` has the time of publication of each side.
    """

    kind: str
    values: tuple[str, ...]
    sides: tuple[SaidJson, ...]
    rose: bool
    times: tuple[dt.datetime | None, ...]


class AgreedJson(msgspec.Struct, frozen=True, kw_only=True):
    """A figure in which several outlets agree; `words` is the wording of the first one."""

    words: str
    outlets: int
    of: int
    said: tuple[SaidJson, ...]


class ReprintJson(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of another article; `minutes_later` is null unless both times are known."""

    article: str
    outlet: str | None
    url: str | None
    time: dt.datetime | None
    minutes_later: int | None
    is_whole: bool


class CopyTrailJson(msgspec.Struct, frozen=True, kw_only=True):
    """An original and its copies in the order of time."""

    article: str
    outlet: str | None
    url: str | None
    time: dt.datetime | None
    reprints: tuple[ReprintJson, ...]


class MomentJson(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of the timeline; if `time` is null, `day` and `clock` ("21:43") have what is known.

    `copies` are the first copies of the article, `copy_count` counts all.
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
    """An entry about this story in a live blog of another story (`story`).

    `clock` ("21:43") is the time as the live blog shows it; `day` and `time` are null if unknown.
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
    """One story: `text` is the merged text, one sentence per paragraph, each with its outlets.

    `no_shared_fact`: there are three outlets or more and no shared fact; they may report different events.
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
    """Encode `{"stories": [...], "next": cursor|null}` and a newline."""
    page = PageJson(stories=tuple(story_in_list(story) for story in stories), next=next_cursor)
    return encode_json(page) + b"\n"


def jsonl(stories: Iterable[StoryView]) -> bytes:
    """Encode one story per line."""
    return b"".join(encode_json(story_in_list(one)) + b"\n" for one in stories)


def whole_story_json(story: StoryView, merged: MergedStory | None) -> bytes:
    """Encode one story with its merged text; without `merged` its text is the summary."""
    return encode_json(whole_story(story, merged)) + b"\n"


def story_in_list(story: StoryView) -> StoryJson:
    """Return a story as in `page_json` and `jsonl`."""
    return StoryJson(
        articles=tuple(article_in_list(article) for article in story.articles), **_story_values(story)
    )


def whole_story(story: StoryView, merged: MergedStory | None) -> WholeStoryJson:
    """Return one story with its merged text."""
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
    "unknown_outlet_count",
    "report_count",
)


def article_in_list(article: ArticleView) -> ArticleJson:
    """Return an article as in a list."""
    return ArticleJson(**_article_values(article))


def _article_values(article: ArticleView) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(article, name) for name in ArticleJson.__struct_fields__}
    return values | {"published": _utc_or_none(article.published), "seen": _utc_or_none(article.seen)}


def whole_article(article: ArticleView) -> WholeArticleJson:
    """Return an article as in one story."""
    return WholeArticleJson(
        lead=article.lead,
        author=article.author,
        published_origin=article.published_origin,
        published_precision=article.published_precision,
        reason=reason_in_words(article),
        kind_reason=article.kind_evidence,
        **_article_values(article),
    )


def _merged_text(merged: MergedStory) -> str:
    first, others = lead_and_facts(merged)
    lead = [_with_outlets(first.said)] if first else []
    facts = [_with_outlets(fact.said) for fact in others]
    single = [said for block in merged.beside for said in block] + list(merged.only)
    return "\n".join(lead + facts + [_with_outlets((said,)) for said in single])


def _with_outlets(said: tuple[AttributedSentence, ...]) -> str:
    """Return the first sentence with the outlets of all."""
    outlets = dict.fromkeys(each.outlet for each in said if each.outlet)
    return f"{said[0].text} ({', '.join(outlets)})" if outlets else said[0].text


def _said(sentence: AttributedSentence) -> SaidJson:
    return SaidJson(text=sentence.text, article=sentence.article, outlet=sentence.outlet)


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
        story=link.live_blog_story,
        time=_utc_or_none(link.time),
        day=link.day,
        clock=clock(link.clock_minutes),
        text=link.text,
    )


def clock(minutes: int | None) -> str | None:
    """Format minutes after midnight as "21:43"."""
    return None if minutes is None else f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def in_utc(time: dt.datetime) -> dt.datetime:
    """Return the time in UTC."""
    return time.astimezone(dt.UTC)


def _utc_or_none(time: dt.datetime | None) -> dt.datetime | None:
    return in_utc(time) if time else None
