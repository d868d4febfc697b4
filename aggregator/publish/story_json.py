"""Build the JSON of stories and articles (docs/querying.md), and explain placements in words.

First come the structs, which have the keys of the JSON, then the functions that fill them. Times are RFC 3339 in UTC
with a Z, ids are strings, no key is omitted, and an unknown value is null. Callers limit the texts first
(`publish/excerpts`).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from aggregator.model.article import ArticleView, Role, VersionState
from aggregator.model.clock import in_utc
from aggregator.model.entry import Precision, PublishedOrigin
from aggregator.model.evidence import SCORED_STAGES, Stage
from aggregator.model.prepared import Kind
from aggregator.model.read_model import (
    ArticleDetail,
    Mark,
    SearchHit,
    SearchResults,
)
from aggregator.model.story import (
    LinkedStory,
    Passage,
    Quotation,
    StoryFacts,
    StorylineFacts,
    StorylineView,
    StoryName,
    StoryText,
    StoryView,
)
from aggregator.model.structs import FrozenStruct
from aggregator.publish.sanitise import visible
from aggregator.stories.plain_text import as_text

Body = TypeVar("Body", bound=msgspec.Struct)

SHOWN_REASONS = 3  # the strongest similarities; `aggregator explain` has all
# The most copies listed for one article; `copy_count` counts all of them
COPIES_SHOWN = 100
# The most stories of a storyline before one of its stories, and after it
_STORIES_BESIDE = 5
# Why an article is in its story, by the stage of the decision that placed it
_WORDS_OF_STAGE: dict[Stage, str] = {
    "founded": "founded this story: no live story was similar enough",
    "version": "another state of a text of its outlet in this story",
    "copy": "the same text as another article of this story",
    "event": "reports the same event",
    "second look": "moved here by a second look: it reports the same event",
    "series": "began this story: three entries of its source fill one form with other names",
    "correction": "moved here by a correction",
    "revision": "a later version of an article of this story",
}


class ArticleJson(FrozenStruct):
    """An article in a list of stories. `record_id` is the id that its record had in a file or a push."""

    id: str
    record_id: str | None
    outlet: str | None
    url: str | None
    title: str
    published: datetime | None
    seen: datetime
    language: str | None
    copy_of: str | None
    wire: str | None
    kind: Kind
    role: Role
    version: VersionState | None


class ListedArticleJson(ArticleJson):
    """An article in a list of articles, with its story; `aggregator stories --articles`."""

    story: str
    story_title: str


class StoryJson(StoryFacts):
    """A story in a list. `picture` is the address of the picture of the report whose title it has."""

    names: tuple[StoryName, ...]
    topics: tuple[str, ...]
    picture: str | None
    storyline: StorylineFacts | None
    articles: tuple[ArticleJson, ...]


class StorylineJson(StorylineFacts):
    """A storyline in a list; `updated` is the last bump of any of its stories."""

    updated: datetime


class StorylinesJson(FrozenStruct):
    """A page of storylines; `next` is the cursor of the next page, null at the end."""

    storylines: tuple[StorylineJson, ...]
    next: str | None


class WholeStorylineJson(StorylineJson):
    """One storyline with its stories, the newest first."""

    stories: tuple[StoryJson, ...]


class PageJson(FrozenStruct):
    """A page of stories; `next` is the cursor of the next page, null at the end."""

    stories: tuple[StoryJson, ...]
    next: str | None


class EnclosureJson(FrozenStruct):
    """Audio, video or a document of an article; `type` is a media type, or only `audio` or `video`."""

    url: str
    type: str
    length_bytes: int | None
    title: str


class WholeArticleJson(ArticleJson):
    """An article of one story. `html` is for the owner, else null, as after its retention."""

    lead: str
    html: str | None
    enclosures: tuple[EnclosureJson, ...]
    author: str | None
    published_origin: PublishedOrigin | None
    published_precision: Precision | None
    reason: str | None
    kind_reason: str | None


class StoryArticleJson(WholeArticleJson):
    """An article of one story; `opening` is the first sentence that it adds to the lead, "" without one."""

    opening: str


class WholeStoryJson(StoryJson):
    """One story: `text` is the lead and the openings of the other reports, as plain text.

    `lead` are paragraphs of one report, `versions` sentences of former versions of a text that its current
    version tells differently. `storyline_stories` are the stories of its storyline, itself included, the newest
    first. `earlier` and `later` are at most five of them, the nearest in time first, and `related` is empty:
    these three leave with the next version.
    """

    articles: tuple[StoryArticleJson, ...]
    text: str
    lead: tuple[Passage, ...]
    versions: tuple[Passage, ...]
    quotations: tuple[Quotation, ...]
    storyline_stories: tuple[LinkedStory, ...]
    earlier: tuple[LinkedStory, ...]
    later: tuple[LinkedStory, ...]
    related: tuple[LinkedStory, ...]


class OneArticleJson(WholeArticleJson):
    """One article. `text` is for the owner; else, and after its retention, it is null.

    `reason` states why the article is in its story.
    """

    text: str | None
    story: str
    story_title: str
    revisions: int
    copy_count: int
    copies: tuple[ArticleJson, ...]


class FoldersJson(FrozenStruct):
    """The folders of sources."""

    folders: tuple[str, ...]


class TopicsJson(FrozenStruct):
    """The topics that stories of several outlets have."""

    topics: tuple[str, ...]


class SavedQueryJson(FrozenStruct):
    """A saved query; `parameters` are those of a list of stories, as config.yaml has them."""

    name: str
    title: str
    parameters: dict[str, str | int]


class SavedQueriesJson(FrozenStruct):
    """The saved queries."""

    queries: tuple[SavedQueryJson, ...]


def fill_struct(kind: type[Body], source: object, /, **more: object) -> Body:
    """Build a struct from the attributes of `source` that have the names of its fields, and from `more`.

    Times are converted to UTC. For example, `fill_struct(ArticleJson, article)` returns the JSON of an article.
    """
    for name in kind.__struct_fields__:
        if name not in more:
            value = getattr(source, name)
            more[name] = in_utc(value) if type(value) is datetime else value
    return kind(**more)


def page_of(stories: Iterable[StoryView], next_cursor: str | None) -> PageJson:
    """Return a page of stories."""
    return PageJson(stories=tuple(map(story_in_list, stories)), next=next_cursor)


def story_in_list(story: StoryView) -> StoryJson:
    """Return the JSON that a story has in a list."""
    return fill_struct(
        StoryJson,
        story,
        articles=tuple(fill_struct(ArticleJson, article) for article in story.articles),
        picture=story.picture and story.picture.url,
        storyline=story.storyline and fill_struct(StorylineFacts, story.storyline),
    )


def whole_storyline(
    line: StorylineView, stories: Iterable[StoryView]
) -> WholeStorylineJson:
    """Return one storyline with its stories."""
    return fill_struct(
        WholeStorylineJson, line, stories=tuple(map(story_in_list, stories))
    )


def articles_in_list(story: StoryView) -> Iterator[ListedArticleJson]:
    """Yield the JSON that the articles of a story have in a list of articles."""
    for article in story.articles:
        yield fill_struct(
            ListedArticleJson, article, story=story.id, story_title=story.title
        )


def whole_story(story: StoryView, text: StoryText | None) -> WholeStoryJson:
    """Return one story with its text, or with its summary as the text if `text` is None."""
    shown = text or StoryText(title=story.title)
    openings = {opening.article_id: opening.text for opening in shown.openings}
    articles = (
        fill_struct(StoryArticleJson, whole_article(a), opening=openings.get(a.id, ""))
        for a in story.articles
    )
    return fill_struct(
        WholeStoryJson,
        story,
        articles=tuple(articles),
        picture=story.picture and story.picture.url,
        text=as_text(shown, story.articles) if text else story.summary,
        lead=shown.lead,
        versions=shown.versions,
        quotations=shown.quotations,
        storyline=story.storyline and fill_struct(StorylineFacts, story.storyline),
        storyline_stories=story.storyline.stories if story.storyline else (),
        earlier=story.earlier[:_STORIES_BESIDE],
        later=story.later[:_STORIES_BESIDE],
        related=(),
    )


def whole_article(article: ArticleView) -> WholeArticleJson:
    """Return an article of one story; without stored HTML, `html` has the paragraphs of its text, or is null."""
    if article.html is None:
        lines = [line for line in article.text.split("\n") if line]
        html = "".join(f"<p>{escape(line)}</p>" for line in lines) or None
    else:
        from aggregator.extract.html.article_html import shown_html

        html = shown_html(article.html, with_pictures=True)
    return fill_struct(
        WholeArticleJson,
        article,
        html=html,
        enclosures=tuple(fill_struct(EnclosureJson, e) for e in article.enclosures),
        reason=reason_in_words(article),
        kind_reason=article.kind_evidence,
    )


def one_article(detail: ArticleDetail) -> OneArticleJson:
    """Return one article with its copies; an empty text becomes null."""
    return fill_struct(
        OneArticleJson,
        detail,
        **msgspec.structs.asdict(whole_article(detail.article)),
        text=detail.article.text or None,
        copy_count=len(detail.copies),
        copies=tuple(
            fill_struct(ArticleJson, copy) for copy in detail.copies[:COPIES_SHOWN]
        ),
    )


def remove_invisible(results: SearchResults) -> SearchResults:
    """Return search results whose snippets have no invisible characters, because the encoder would remove some.

    The marks of found words are positions in the snippets, so they move with the characters before them.
    """
    stories = tuple(replace(s, hits=_clean_hits(s.hits)) for s in results.stories)
    return replace(results, hits=_clean_hits(results.hits), stories=stories)


def _clean_hits(hits: Iterable[SearchHit]) -> tuple[SearchHit, ...]:
    shown = []
    for hit in hits:
        text = hit.snippet
        marks = tuple(
            Mark(len(visible(text[:start])), len(visible(text[:end])))
            for start, end in hit.marks
        )
        shown.append(replace(hit, snippet=visible(text), marks=marks))
    return tuple(shown)


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
    words = _WORDS_OF_STAGE[evidence.stage]
    if evidence.stage not in SCORED_STAGES:
        return words
    if evidence.score is not None:
        words += f", score {evidence.score:.2f}"
    if evidence.need is not None:
        words += f", threshold {evidence.need:.2f}"
    positive = [reason for reason in evidence.reasons if reason.share > 0]
    positive.sort(key=lambda reason: (-reason.share, reason.name))
    names = [reason.name.replace("_", " ") for reason in positive[:SHOWN_REASONS]]
    return f"{words}; most similar in {', '.join(names)}" if names else words
