"""The page of one story, with its reports in groups, and the page of a storyline, with its stories by day."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aggregator.model.article import ArticleView
from aggregator.model.clock import in_utc
from aggregator.model.prepared import OPINION_KINDS
from aggregator.model.read_model import StoryListItem, StoryRedirect
from aggregator.model.story import LinkedStory, StorylineView, StoryText, StoryView
from aggregator.stories.counting.copy_groups import is_unconfirmed
from aggregator.stories.counting.originals import originals_with_copies
from aggregator.stories.plain_text import shown_order
from aggregator.web.dependencies import conditional
from aggregator.web.feeds.channel import ENDINGS
from aggregator.web.pages.front_layout import by_day
from aggregator.web.pages.pages import Pages
from aggregator.web.pages.visitor import remember, visitor_of
from aggregator.web.responses import GONE
from aggregator.web.security.visit import may_edit

# A group shows this many of its newest lines and folds the others, because nobody reads more than two screens.
LINES_SHOWN = 24
_NEAR_SHOWN = 5  # stories to merge with
LITTLE_KNOWN = "Sources without standing"
_REPORTS, _OPINION, _LIVE = "", "Opinion and background", "Live blogs and roundups"
_HEADINGS = (_REPORTS, _OPINION, _LIVE, LITTLE_KNOWN)


class ReportLine(msgspec.Struct, frozen=True):
    """One article of a story, with the other articles that have its text."""

    article: ArticleView
    copies: tuple[ArticleView, ...]  # with excerpts, the oldest first
    versions: tuple[ArticleView, ...]  # other versions of its text, the newest first
    is_first: bool  # the earliest of several reports
    is_new: bool  # the article, or one with its text, came since the last visit


class ReportGroup(msgspec.Struct, frozen=True):
    """Lines of one sort in the order of the page; `heading` is "" for the reports."""

    heading: str
    lines: tuple[ReportLine, ...]

    @property
    def is_folded(self) -> bool:
        """Whether the page shows the group only when a reader unfolds it."""
        return self.heading == LITTLE_KNOWN


def report_groups(
    articles: Sequence[ArticleView], text: StoryText, since: datetime | None
) -> list[ReportGroup]:
    """Return the reports, then opinion, then live blogs and roundups, without empty groups.

    If a source with standing reports, the sources without standing form a last group. Among their articles that nobody
    confirms, or that do not count as reports, only the newest is shown.
    """
    has_standing = any(not article.is_little_known for article in articles)
    of_heading: dict[str, list[tuple[ArticleView, list[ArticleView]]]] = {
        heading: [] for heading in _HEADINGS
    }
    unconfirmed = []
    for article, same in originals_with_copies(articles):
        heading = _REPORTS
        if has_standing and article.is_little_known:
            heading = LITTLE_KNOWN
            if is_unconfirmed(article) or not article.counts_as_report:
                unconfirmed.append((article, same))
                continue
        elif article.role == "container":
            heading = _LIVE
        elif article.kind in OPINION_KINDS:
            heading = _OPINION
        of_heading[heading].append((article, same))
    of_heading[LITTLE_KNOWN] += unconfirmed[-1:]
    first = _first([article for article, _ in of_heading[_REPORTS]])
    groups = []
    for heading, pairs in of_heading.items():
        lines = [
            ReportLine(
                article,
                copies=tuple(a for a in same if a.version is None),
                versions=tuple(a for a in reversed(same) if a.version),
                is_first=article is first,
                is_new=since is not None
                and any(a.seen > since for a in (article, *same)),
            )
            for article, same in shown_order(pairs, text)
        ]
        if lines:
            groups.append(ReportGroup(heading, tuple(lines)))
    return groups


def _first(reports: Sequence[ArticleView]) -> ArticleView | None:
    """Return the earliest report; None without two dated reports, or if their dates leave open which was first."""
    dated = [article for article in reports if article.is_dated]
    dated.sort(key=lambda article: article.effective_at)
    if len(dated) < 2:
        return None
    first, second = dated[:2]
    is_first = first.effective_at < second.effective_at
    if "day" in (first.published_precision, second.published_precision):
        is_first = first.effective_at.date() < second.effective_at.date()
    return first if is_first else None


def show_story(site: Pages, request: Request) -> Response:
    """Answer with one story; the address of a merged story redirects to its successor."""
    last_visit = visitor_of(request)
    visitor = last_visit.at(site.clock()) if last_visit.seen else last_visit
    story_id = request.path_params["id"]
    key = f"{request.url.query}\n{visitor.since}\n{site.mutes(request)}"
    # The tag is computed before the story is read, so that it is never newer than the page.
    tag = site.page_tag(request, key, story_id)
    story = site.story(story_id)
    if story is None:
        if site.gone(story_id):
            return site.problem(request, 410, "This story was removed", GONE)
        return site.not_found(request)
    if isinstance(story, StoryRedirect):
        return RedirectResponse(f"/stories/{story.to}", 301)

    def render() -> Response:
        shown, text = site.bounded_with_text(request, story)
        text = text or StoryText(title=shown.title)
        near: tuple[StoryListItem, ...] = ()
        if may_edit(request):
            # The runners-up of the articles are the likely stories to merge with.
            ids: dict[str, None] = {}
            for article in story.articles:
                if article.evidence and article.evidence.runner_up:
                    ids[article.evidence.runner_up.story] = None
            ids.pop(story.id, None)
            near = site.reader.list_stories(tuple(ids)[:_NEAR_SHOWN])
        originals = [article for article, _ in originals_with_copies(shown.articles)]
        # If the text of the only original may be read, the page is that article.
        is_single = len(originals) == 1 and (originals[0].text or originals[0].html)
        return site.page(
            request,
            "story.html",
            here="/stories",
            story=shown,
            text=text,
            newest=_newest(shown, text),
            articles={article.id: article for article in shown.articles},
            with_pictures=site.shows_pictures(request),
            picture=site.picture(request, shown.picture),
            reports=report_groups(shown.articles, text, visitor.since),
            lines_shown=LINES_SHOWN,
            single=originals[0] if is_single else None,
            source_links=site.reader.story_sources((story.id,)).by_outlet,
            marks=site.marks_of(request, (story.id,)),
            is_muted=site.is_muted(request, [shown.id]),
            near=near,
        )

    response = conditional(request, tag, render)
    remember(request, response, last_visit, visitor, site)
    return response


def show_storyline(site: Pages, request: Request) -> Response:
    """Answer with a storyline; the id may be the id of any story that belongs to it now."""
    id_ = request.path_params["id"]
    line = site.storyline(id_)
    if line is None:
        if site.gone(id_):
            return site.problem(request, 410, "This story was removed", GONE)
        return site.not_found(request)
    ids = tuple(one.id for one in line.stories)
    # Below the heading of a day, the stories are in the order of the times that the page shows, and guests come last.
    newest_first = sorted(
        site.reader.list_stories(ids),
        key=lambda item: (
            in_utc(item.updated).date(),
            item.id not in line.guests,
            item.last_published,
        ),
        reverse=True,
    )
    since = visitor_of(request).since
    return site.page(
        request,
        "storyline.html",
        here="/storylines",
        line=site.bounded_storyline(request, line),
        days=by_day(site.list_items(request, newest_first)),
        new_reports=site.reader.new_reports(ids, since) if since else {},
        source_links=site.reader.story_sources(ids).by_outlet,
        marks=site.marks_of(request, ids),
        endings=ENDINGS,
        unions=_unions(site, line),
        is_muted=site.is_muted(request, ids),
    )


class _ShownUnion(NamedTuple):
    """A union that can be undone: when it was, a story that came with it, and how many others came."""

    at: datetime
    story: LinkedStory
    others: int


def _unions(site: Pages, line: StorylineView) -> list[_ShownUnion]:
    shown = []
    for union in site.reader.unions(line.id):
        ids = union.stories.split(",")
        came = [story for story in line.stories if story.id in ids]
        if came:
            shown.append(_ShownUnion(union.at, came[0], len(came) - 1))
    return shown


def _newest(story: StoryView, text: StoryText) -> str | None:
    """Return the id of the report of the first opening; None if the report of the lead is newer."""
    times = {article.id: article.effective_at for article in story.articles}
    shown = [*text.openings[:1], *text.lead[:1]]
    # A correction may have moved an article away since the text was chosen.
    ids = [passage.article_id for passage in shown if passage.article_id in times]
    newest = max(ids, key=times.__getitem__, default=None)
    return newest if text.openings and newest == text.openings[0].article_id else None
