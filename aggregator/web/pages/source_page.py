"""The page of one source: its health, its articles, and for those who may change sources the form."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aggregator.config.values import duration_as_typed
from aggregator.model.read_model import ArticleDetail
from aggregator.publish.excerpts.single_articles import bounded_article
from aggregator.publish.excerpts.source_excerpts import bounded_source
from aggregator.store.intake.source_access_rows import typed_access
from aggregator.store.intake.source_rows import Source
from aggregator.store.read.marks.read_marks import View
from aggregator.store.read.source_entries import EntryPage
from aggregator.web.api.edit_sources import found_source
from aggregator.web.dependencies import ID, Site, whole_number
from aggregator.web.pages.pages import Pages
from aggregator.web.security.visit import may_edit

ENTRIES_A_PAGE = 50


def routes(site: Site) -> list[Route]:
    """Return the route of the pages of sources."""
    return [
        Route("/sources/{id}", partial(show_source, site, Pages(site)), methods=["GET"])
    ]


def show_source(site: Site, pages: Pages, request: Request) -> Response:
    """Answer with a source and its articles, the newest first."""
    source_id = request.path_params["id"]
    source = site.reader.source(source_id) if ID.fullmatch(source_id) else None
    if source is None:
        return pages.not_found(request)
    view = pages.view_of(request)
    number = whole_number(request.query_params.get("page", "")) or 1
    entries = _read_entries(site, request, source.id, number, view)
    limits = site.limits(request)
    shown = [bounded_article(entry, *limits) for entry in entries[:ENTRIES_A_PAGE]]
    return pages.page(
        request,
        "source.html",
        here="/sources",
        source=bounded_source(source, site.access(request)),
        saved=request.query_params.get("saved") == "1",
        entries=shown,
        number=number,
        has_older=len(entries) > ENTRIES_A_PAGE,
        now=site.clock(),
        view=view or "",
        marks=pages.marks_of(request, {entry.story for entry in shown}),
        **_form_values(site, request, source.id),
    )


def _form_values(site: Site, request: Request, source_id: str) -> dict[str, object]:
    """Return the values of the form that changes a source; `stored` is None for those who may not."""
    if site.sources is None or not may_edit(request):
        return {"stored": None}
    stored = found_source(site, source_id)
    with site.source_services.database.read() as connection:
        access = typed_access(connection, source_id)
    return {
        "stored": stored,
        "headers": sorted(access.headers),
        "has_proxy": access.proxy != "",
        "interval": interval_as_typed(stored),
        "folders": site.reader.folders(),
    }


def _read_entries(
    site: Site, request: Request, source_id: str, number: int, view: View | None
) -> list[ArticleDetail]:
    """Return the articles of a page, and one more if there is a next page."""
    wanted = EntryPage(ENTRIES_A_PAGE + 1, (number - 1) * ENTRIES_A_PAGE)
    seen_by = site.reader_of_pages(request)
    if seen_by is not None and view is not None:
        wanted = wanted._replace(marked_by=(seen_by[1], view))
    return site.reader.source_entries(source_id, wanted)


def interval_as_typed(source: Source) -> str:
    """Return the interval as it is typed; "" for the configured one."""
    return duration_as_typed(source.interval_seconds) if source.has_own_interval else ""
