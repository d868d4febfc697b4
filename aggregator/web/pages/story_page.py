"""The pages of one story, and of a storyline: the stories of one affair by day, the newest first."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aggregator.model.read_model import StoryListItem, StoryRedirect
from aggregator.model.story import StoryText, StoryView
from aggregator.web.dependencies import conditional
from aggregator.web.feeds.channel import ENDINGS
from aggregator.web.pages.front_layout import by_day
from aggregator.web.pages.pages import Pages
from aggregator.web.pages.report_groups import (
    LINES_SHOWN,
    report_groups,
    single_text,
    time_span,
)
from aggregator.web.pages.visitor import remember, visitor_of
from aggregator.web.responses import GONE

_NEAR_SHOWN = 5


def show_story(site: Pages, request: Request) -> Response:
    """Answer with one story; the address of a merged story redirects to its successor."""
    # The tag is computed before the story is read, so that it is never newer than the page.
    before = visitor_of(request)
    visitor = before.at(site.clock()) if before.seen else before
    story_id = request.path_params["id"]
    mutes = site.mutes(request)
    key = f"{request.url.query}\n{visitor.since}\n{mutes}"
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
        if site.may_correct(request):
            # The runners-up of the articles are the likely stories to merge with.
            ids: dict[str, None] = {}
            for article in story.articles:
                evidence = article.evidence
                if evidence is not None and evidence.runner_up is not None:
                    ids[evidence.runner_up.story] = None
            ids.pop(story.id, None)
            near = site.reader.list_stories(tuple(ids)[:_NEAR_SHOWN])
        return site.page(
            request,
            "story.html",
            here="/stories",
            story=shown,
            span=time_span(shown),
            text=text,
            openings={opening.article_id: opening.text for opening in text.openings},
            newest=_newest(shown, text),
            articles={article.id: article for article in shown.articles},
            with_pictures=site.shows_pictures(request),
            picture=site.picture(request, shown.picture),
            reports=report_groups(shown.articles, text, visitor.since),
            lines_shown=LINES_SHOWN,
            single=single_text(shown.articles),
            explains=site.editor is not None,
            source_links=site.reader.story_sources((story.id,)).by_outlet,
            marks=site.marks_of(request, (story.id,)),
            is_muted=site.is_muted(
                request, shown.storyline.id if shown.storyline else shown.id
            ),
            near=near,
        )

    response = conditional(request, tag, render)
    remember(request, response, before, visitor, site)
    return response


def show_storyline(site: Pages, request: Request) -> Response:
    """Answer with a storyline, by its id or that of a story that belongs to it now."""
    id_ = request.path_params["id"]
    line = site.storyline(id_)
    if line is None:
        if site.gone(id_):
            return site.problem(request, 410, "This story was removed", GONE)
        return site.not_found(request)
    ids = tuple(one.id for one in line.stories)
    newest_first = sorted(
        site.reader.list_stories(ids), key=lambda item: item.updated, reverse=True
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
        endings=tuple(ENDINGS),
        is_muted=site.is_muted(request, line.id),
    )


def _newest(story: StoryView, text: StoryText) -> str | None:
    """Return the id of the report whose sentence comes first; None if the report of the lead is newer."""
    times = {article.id: article.effective_at for article in story.articles}
    shown = [*text.openings[:1], *text.lead[:1]]
    # A correction may have moved an article away since the text was chosen.
    ids = [passage.article_id for passage in shown if passage.article_id in times]
    newest = max(ids, key=times.__getitem__, default=None)
    return newest if text.openings and newest == text.openings[0].article_id else None
