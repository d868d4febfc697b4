"""The JSON of one article, of search results and of sources.

As in `story_json`: times are in UTC, ids are strings, no key is omitted, and nothing is limited here.
"""

import datetime as dt
from collections.abc import Iterable

import msgspec

from aggregator.model.read_model import (
    ArticleDetail,
    EntryHit,
    SearchHit,
    SearchResults,
    SourceState,
    SourceView,
    StoryHit,
)
from aggregator.web.sanitise import visible_marked
from aggregator.web.story_json import (
    ArticleJson,
    WholeArticleJson,
    article_in_list,
    clock,
    in_utc,
    like,
    whole_article,
)

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


class FoundEntryJson(msgspec.Struct, frozen=True, kw_only=True):
    """A found entry of a live blog; `clock` ("21:43") is the time as the live blog shows it."""

    clock: str
    day: dt.date | None
    snippet: str
    marks: tuple[tuple[int, int], ...]


class FoundArticleJson(msgspec.Struct, frozen=True, kw_only=True):
    """A found article. `marks` are ranges of code points of `snippet`; the end is exclusive."""

    id: str
    story: str
    story_title: str
    title: str
    outlet: str | None
    url: str | None
    effective: dt.datetime
    language: str | None
    snippet: str
    marks: tuple[tuple[int, int], ...]
    entries: tuple[FoundEntryJson, ...]


class FoundStoryJson(msgspec.Struct, frozen=True, kw_only=True):
    """A story with found articles; `articles` are the best matches, `found` is the count of all."""

    id: str
    title: str
    language: str | None
    first_published: dt.datetime
    last_published: dt.datetime
    updated: dt.datetime
    article_count: int
    outlet_count: int
    unknown_outlet_count: int
    report_count: int
    found: int
    articles: tuple[FoundArticleJson, ...]


class SearchJson(msgspec.Struct, frozen=True, kw_only=True):
    """Search results, the best match first; `more`: there are more articles than `limit`.

    `problem` states why the query is invalid; then there are no results.
    """

    stories: tuple[FoundStoryJson, ...]
    articles: tuple[FoundArticleJson, ...]
    more: bool
    problem: str | None


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


class SourcesJson(msgspec.Struct, frozen=True, kw_only=True):
    """All sources, by folder and name."""

    sources: tuple[SourceJson, ...]


def one_article(one: ArticleDetail) -> OneArticleJson:
    """Return one article; an empty `text` is null."""
    return like(
        OneArticleJson,
        one,
        **msgspec.structs.asdict(whole_article(one.article)),
        text=one.article.text or None,
        copy_count=len(one.copies),
        copies=tuple(article_in_list(copy) for copy in one.copies[:COPIES_SHOWN]),
    )


def search_results(results: SearchResults) -> SearchJson:
    """Return search results."""
    return like(
        SearchJson,
        results,
        stories=tuple(_story(story) for story in results.stories),
        articles=tuple(_found(hit) for hit in results.hits),
    )


def all_sources(sources: Iterable[SourceView]) -> SourcesJson:
    """Return all sources."""
    return SourcesJson(sources=tuple(like(SourceJson, source, home=source.site_url) for source in sources))


def _found(hit: SearchHit) -> FoundArticleJson:
    snippet, marks = visible_marked(hit.snippet, hit.marks)
    entries = tuple(_entry(entry) for entry in hit.entries)
    effective = in_utc(hit.effective_at)
    return like(
        FoundArticleJson,
        hit,
        id=hit.article,
        effective=effective,
        snippet=snippet,
        marks=marks,
        entries=entries,
    )


def _entry(entry: EntryHit) -> FoundEntryJson:
    snippet, marks = visible_marked(entry.snippet, entry.marks)
    return FoundEntryJson(clock=clock(entry.clock_minutes) or "", day=entry.day, snippet=snippet, marks=marks)


def _story(story: StoryHit) -> FoundStoryJson:
    return like(FoundStoryJson, story, id=story.story, articles=tuple(_found(hit) for hit in story.hits))
