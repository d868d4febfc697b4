"""The JSON of stories, articles, search results and sources (docs/querying.md), and reasons of placements.

Times are RFC 3339 in UTC with a Z, ids are strings, no key is omitted, and an unknown value is null. The
stories are already limited by `excerpts.for_reader`; nothing is limited here.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from aggregator.model.core import (
    AgreedFigure,
    ArticleView,
    AttributedSentence,
    CopyTrail,
    Kind,
    LinkedStory,
    MergedStory,
    Precision,
    PublishedOrigin,
    Reprint,
    Role,
    Stage,
    StoryName,
    StoryView,
    TimelineItem,
)
from aggregator.model.read_model import (
    ArticleDetail,
    MachineSummary,
    SearchHit,
    SearchResults,
    SourcePage,
    SourceState,
    SourceView,
)
from aggregator.stories.text.newest_state import lead_and_facts
from aggregator.stories.text.plain_text import NO_OUTLET, names_behind
from aggregator.web.sanitise import visible_marked

Body = TypeVar("Body", bound=msgspec.Struct)

SHOWN_REASONS = 3  # the strongest similarities; `aggregator explain` has all


_STAGES: dict[Stage, str] = {
    "founded": "founded this story: no live story was similar enough",
    "copy": "the same text as another article of this story",
    "event": "reports the same event",
    "second look": "moved here by a second look: it reports the same event",
    "correction": "moved here by a correction",
    "revision": "a later version of an article of this story",
}
_SCORED: frozenset[Stage] = frozenset({"event", "second look"})


def reason_in_words(article: ArticleView) -> str | None:
    """Return a sentence that states why `article` is in its story; None if no evidence is stored.

    It names the reasons with the largest positive shares of the score.
    """
    evidence = article.evidence
    if evidence is None:
        return None
    if evidence.copy is not None:
        copy = evidence.copy
        if copy.kind == "excerpt":
            return f"an excerpt: {copy.containment:.0%} of it is in {copy.other}"
        return f"the same text as {copy.other}: {copy.resemblance:.0%} of all three-word runs are shared"
    words = _STAGES[evidence.stage]
    if evidence.stage not in _SCORED:
        return words
    if evidence.score is not None:
        words += f", score {evidence.score:.2f}"
        words += f", threshold {evidence.need:.2f}" if evidence.need is not None else ""
    positive = (reason for reason in evidence.reasons if reason.share > 0)
    strongest = sorted(positive, key=lambda reason: (-reason.share, reason.name))[:SHOWN_REASONS]
    named = ", ".join(reason.name.replace("_", " ") for reason in strongest)
    return f"{words}; most similar in {named}" if named else words


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
    names: tuple[StoryName, ...]
    topics: tuple[str, ...]
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


class MomentJson(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of the timeline; if `time` is null, `day` and `clock` ("21:43") have what is known.

    `also` are the ids of other articles that tell the same of this day, in their own words.
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
    also: tuple[str, ...]
    copies: tuple[Reprint, ...]
    copy_count: int


class SectionSentenceJson(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence of a section, the articles in which it stands word for word, and the time of the first."""

    text: str
    article_ids: tuple[str, ...]
    time: dt.datetime | None


class SectionJson(msgspec.Struct, frozen=True, kw_only=True):
    """A section of the merged text.

    `kind`: "lead"; "fact" (one statement in the words of each report); "quotation" (the same for the words of
    `speaker`); "figure" (sentences with one figure); "only" (one report's statements). Facts and quotations
    are in order of time, the newest first.
    """

    kind: str
    sentences: tuple[SectionSentenceJson, ...]
    speaker: str | None = None


class SummarisedJson(MachineSummary, frozen=True, kw_only=True):
    """A text that a program or a language model wrote of the sections; nobody has checked it.

    `written_by` is the configured `model:`; "a program" without one. Each sentence has the articles that it
    rests on.
    """

    machine_written: bool


class WholeStoryJson(StoryJson, frozen=True, kw_only=True):
    """One story: `text` is the merged text, one sentence per paragraph, each with the outlets that have it.

    `earlier` are the stories that it continues, `later` those that continue it, `related` others about the
    same people, places and bodies; the nearest in time first. `summarised` is null without a machine-written
    text.
    """

    articles: tuple[WholeArticleJson, ...]
    text: str
    sections: tuple[SectionJson, ...]
    timeline: tuple[MomentJson, ...]
    agreed: tuple[AgreedFigure, ...]  # the wording of the first outlet, and the outlets that have the figure
    merge_version: int
    trails: tuple[CopyTrail, ...]
    earlier: tuple[LinkedStory, ...]
    later: tuple[LinkedStory, ...]
    related: tuple[LinkedStory, ...]
    summarised: SummarisedJson | None


def page_of(stories: Iterable[StoryView], next_cursor: str | None) -> PageJson:
    """Return a page of stories."""
    return PageJson(stories=tuple(story_in_list(story) for story in stories), next=next_cursor)


def story_in_list(story: StoryView) -> StoryJson:
    """Return a story as in lists."""
    return like(StoryJson, story, articles=tuple(like(ArticleJson, article) for article in story.articles))


def whole_story(
    story: StoryView, merged: MergedStory | None, summarised: MachineSummary | None = None
) -> WholeStoryJson:
    """Return one story with its merged text; without `merged` its text is the summary."""
    addresses = {article.id: article.url for article in story.articles}
    return like(
        WholeStoryJson,
        story,
        articles=tuple(whole_article(article) for article in story.articles),
        text=_merged_text(merged, story.articles) if merged else story.summary,
        sections=sections_of(merged) if merged else (),
        timeline=tuple(_moment(item, addresses) for item in merged.timeline) if merged else (),
        agreed=merged.agreed if merged else (),
        merge_version=merged.merge_version if merged else 0,
        summarised=summarised and like(SummarisedJson, summarised, machine_written=True),
    )


def like(kind: type[Body], source: object, /, **different: object) -> Body:
    """Return a `kind` of the attributes of `source` with its names, times in UTC; and of `different`."""
    for name in kind.__struct_fields__:
        if name not in different:
            value = getattr(source, name)
            different[name] = in_utc(value) if type(value) is dt.datetime else value
    return kind(**different)


def whole_article(article: ArticleView) -> WholeArticleJson:
    """Return an article as in one story."""
    reason = reason_in_words(article)
    return like(WholeArticleJson, article, reason=reason, kind_reason=article.kind_evidence)


def _merged_text(merged: MergedStory, articles: Sequence[ArticleView]) -> str:
    by_id = {article.id: article for article in articles}
    first, others = lead_and_facts(merged)
    lead = merged.summary or (first.said[:1] if first else ())
    said = [*lead, *(fact.said[0] for fact in (*others, *merged.quotations)), *merged.only]
    return "\n".join(f"{one.text} ({', '.join(names_behind(one, by_id, NO_OUTLET))})" for one in said)


def sections_of(merged: MergedStory) -> tuple[SectionJson, ...]:
    """Return the sections of a merged text, with what each sentence rests on."""
    lead = merged.summary or ((merged.lead,) if merged.lead else ())
    only: dict[str, list[AttributedSentence]] = {}
    for one in merged.only:
        only.setdefault(one.article, []).append(one)
    sections: list[tuple[str, Sequence[AttributedSentence], str | None]] = [
        ("lead", lead, None),
        *(("fact", fact.said, None) for fact in merged.facts),
        *(("quotation", fact.said, fact.speaker) for fact in merged.quotations),
        *(("figure", same.said, None) for same in merged.agreed),
        *(("only", said, None) for said in only.values()),
    ]
    return tuple(
        SectionJson(kind=kind, sentences=_section_sentences(said), speaker=speaker)
        for kind, said, speaker in sections
        if said
    )


def _section_sentences(said: Sequence[AttributedSentence]) -> tuple[SectionSentenceJson, ...]:
    """Return each sentence once, with all articles in which it stands and the earliest time."""
    by_text: dict[str, list[AttributedSentence]] = {}
    for one in said:
        by_text.setdefault(one.text, []).append(one)
    return tuple(
        SectionSentenceJson(
            text=text,
            article_ids=tuple(dict.fromkeys(id_ for one in same for id_ in (one.article, *one.also))),
            time=min((in_utc(one.time) for one in same if one.time is not None), default=None),
        )
        for text, same in by_text.items()
    )


def _moment(item: TimelineItem, addresses: Mapping[str, str | None]) -> MomentJson:
    copies = tuple(replace(one, url=addresses.get(one.article)) for one in item.copies)
    return like(MomentJson, item, clock=clock(item.clock_minutes), copies=copies)


def clock(minutes: int | None) -> str | None:
    """Format minutes after midnight as "21:43"."""
    return None if minutes is None else f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def in_utc(time: dt.datetime) -> dt.datetime:
    """Return the time in UTC."""
    return time if time.tzinfo is dt.UTC else time.astimezone(dt.UTC)


COPIES_SHOWN = 100  # of one article; `copy_count` has all of them


class OneArticleJson(WholeArticleJson, frozen=True, kw_only=True):
    """One article. `text` is for the owner; else, and after its retention, it is null.

    `reason` states why the article is in its story.
    """

    text: str | None
    story: str
    story_title: str
    revisions: int
    copy_count: int
    copies: tuple[ArticleJson, ...]


class SourceJson(msgspec.Struct, frozen=True, kw_only=True):
    """A source. `url` and `problem` are for the owner, else null."""

    id: str
    name: str
    kind: str
    url: str | None
    home: str | None
    folder: str | None
    state: SourceState
    problem: str | None
    article_count: int
    last_success: dt.datetime | None
    next_due: dt.datetime | None
    interval_seconds: int


class SourcesJson(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sources, by folder and name; `next` is the cursor of the next page, null at the end."""

    sources: tuple[SourceJson, ...]
    next: str | None


def one_article(one: ArticleDetail) -> OneArticleJson:
    """Return one article; an empty `text` is null."""
    return like(
        OneArticleJson,
        one,
        **msgspec.structs.asdict(whole_article(one.article)),
        text=one.article.text or None,
        copy_count=len(one.copies),
        copies=tuple(like(ArticleJson, copy) for copy in one.copies[:COPIES_SHOWN]),
    )


def search_results(results: SearchResults) -> SearchResults:
    """Return the results without the characters that the encoder removes, with the marks of what is left."""
    stories = (replace(one, hits=tuple(map(_with_visible, one.hits))) for one in results.stories)
    return replace(results, hits=tuple(map(_with_visible, results.hits)), stories=tuple(stories))


def one_source(source: SourceView) -> SourceJson:
    """Return one source."""
    return like(SourceJson, source, home=source.site_url)


def sources_page(page: SourcePage) -> SourcesJson:
    """Return a page of sources."""
    return SourcesJson(sources=tuple(map(one_source, page.sources)), next=page.next)


def _with_visible(hit: SearchHit) -> SearchHit:
    snippet, marks = visible_marked(hit.snippet, hit.marks)
    return replace(hit, snippet=snippet, marks=marks)
