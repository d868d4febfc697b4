"""The page of one story."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from aggregator.model.read_model import StoryListItem, StoryRedirect
from aggregator.model.story import StoryText, StoryView
from aggregator.web.dependencies import Site, conditional
from aggregator.web.pages.pages import Pages
from aggregator.web.pages.report_groups import (
    LINES_SHOWN,
    report_groups,
    single_text,
    time_span,
)
from aggregator.web.pages.visitor import Visitor, remember, visitor_of
from aggregator.web.pictures import picture_for
from aggregator.web.responses import GONE

_NEAR_SHOWN = 5


def routes(site: Site) -> list[Route]:
    """Return the route of the pages of stories."""
    return [Route("/stories/{id}", StoryPages(site).answer)]


class StoryPages:
    """Answers with the stories of one site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pages = Pages(site)

    def answer(self, request: Request) -> Response:
        """Answer with one story; the address of a merged story redirects to its successor."""
        # The tag is computed before the story is read, so that it is never newer than the page.
        before = visitor_of(request)
        visitor = before.at(self._site.clock()) if before.seen else before
        story_id = request.path_params["id"]
        mutes = self._site.mutes(request)
        key = f"{request.url.query}\n{visitor.since}\n{mutes}"
        tag = self._pages.tag(request, key, story_id)
        story = self._site.story(story_id)
        if story is None:
            if self._site.gone(story_id):
                return self._pages.problem(request, 410, "This story was removed", GONE)
            return self._pages.not_found(request)
        if isinstance(story, StoryRedirect):
            return RedirectResponse(f"/stories/{story.to}", 301)
        response = conditional(
            request, tag, lambda: self._story(request, story, visitor)
        )
        remember(request, response, before, visitor, self._site)
        return response

    def _story(self, request: Request, story: StoryView, visitor: Visitor) -> Response:
        site = self._site
        pages = self._pages
        shown, text = site.bounded_with_text(request, story)
        text = text or StoryText(title=shown.title)
        return pages.page(
            request,
            "story.html",
            here="/stories",
            story=shown,
            span=time_span(shown),
            text=text,
            openings={opening.article_id: opening.text for opening in text.openings},
            articles={article.id: article for article in shown.articles},
            with_pictures=site.shows_pictures(request),
            picture=picture_for(site, request, shown.picture),
            reports=report_groups(shown.articles, text, visitor.since),
            lines_shown=LINES_SHOWN,
            single=single_text(shown.articles),
            explains=site.editor is not None,
            source_links=site.reader.story_sources((story.id,)).by_outlet,
            marks=pages.marks_of(request, (story.id,)),
            is_muted=site.is_muted(
                request, shown.storyline.id if shown.storyline else shown.id
            ),
            near=self._near(story) if pages.may_correct(request) else (),
        )

    def _near(self, story: StoryView) -> tuple[StoryListItem, ...]:
        """Return the runners-up of the articles, which are the likely stories to merge with."""
        ids: dict[str, None] = {}
        for article in story.articles:
            if article.evidence is not None and article.evidence.runner_up is not None:
                ids[article.evidence.runner_up.story] = None
        ids.pop(story.id, None)
        return self._site.reader.list_stories(tuple(ids)[:_NEAR_SHOWN])
