"""The page of a storyline: the stories of one affair by day, the newest first."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aggregator.web.dependencies import Site
from aggregator.web.feeds.channel import ENDINGS
from aggregator.web.pages.front_layout import by_day
from aggregator.web.pages.pages import Pages
from aggregator.web.pages.visitor import visitor_of
from aggregator.web.responses import GONE


def routes(site: Site) -> list[Route]:
    """Return the route of the pages of storylines."""
    return [Route("/storylines/{id}", partial(show_storyline, site, Pages(site)))]


def show_storyline(site: Site, pages: Pages, request: Request) -> Response:
    """Answer with a storyline, by its id or that of a story that belongs to it now."""
    id_ = request.path_params["id"]
    line = site.storyline(id_)
    if line is None:
        if site.gone(id_):
            return pages.problem(request, 410, "This story was removed", GONE)
        return pages.not_found(request)
    ids = tuple(one.id for one in line.stories)
    since = visitor_of(request).since
    return pages.page(
        request,
        "storyline.html",
        here="/storylines",
        line=site.bounded_storyline(request, line),
        days=by_day(pages.list_items(request, site.reader.list_stories(ids))),
        new_reports=site.reader.new_reports(ids, since) if since else {},
        source_links=site.reader.story_sources(ids).by_outlet,
        marks=pages.marks_of(request, ids),
        endings=tuple(ENDINGS),
        is_muted=site.is_muted(request, line.id),
    )
