"""The page of one source: its health, its articles, and for those who may change sources the form."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aggregator.web import excerpts
from aggregator.web.api.edit_sources import found
from aggregator.web.dependencies import ID, Site
from aggregator.web.filters import whole_number
from aggregator.web.pages.forms import interval_as_typed
from aggregator.web.pages.pages import Pages
from aggregator.web.security.middleware import may_edit

ENTRIES_A_PAGE = 50


def routes(site: Site) -> list[Route]:
    """Return the route of the pages of sources."""
    return [Route("/sources/{id}", partial(show_source, site, Pages(site)), methods=["GET"])]


def show_source(site: Site, pages: Pages, request: Request) -> Response:
    """Answer with a source and its articles, the newest first."""
    source_id = request.path_params["id"]
    source = site.reader.source(source_id) if ID.fullmatch(source_id) else None
    if source is None:
        return pages.not_found(request)
    access = site.access(request)
    number = max(1, whole_number(request.query_params.get("page", "")) or 1)
    view = pages.view_of(request)
    seen_by = site.reader_of_pages(request)
    entries = site.reader.source_entries(
        source.id,
        limit=ENTRIES_A_PAGE + 1,
        offset=(number - 1) * ENTRIES_A_PAGE,
        marked_by=(seen_by[1], view) if seen_by and view else None,
    )
    shown = [
        excerpts.bounded_article(entry, access, site.settings.excerpt_words)
        for entry in entries[:ENTRIES_A_PAGE]
    ]
    stored = None
    if site.sources is not None and may_edit(request):
        stored = found(site, source.id)
    return pages.page(
        request,
        "source.html",
        here="/sources",
        source=excerpts.bounded_source(source, access),
        stored=stored,
        interval=interval_as_typed(stored) if stored else "",
        folders=site.reader.folders(),
        saved=request.query_params.get("saved") == "1",
        entries=shown,
        number=number,
        has_older=len(entries) > ENTRIES_A_PAGE,
        now=site.clock(),
        view=view or "",
        marks=pages.marks_of(request, {entry.story for entry in shown}),
    )
