"""The pages of sources: the list, and one source with its articles and the form that changes it."""

from starlette.requests import Request
from starlette.responses import Response

from aggregator.config.values import duration_as_typed
from aggregator.publish.excerpts.single_articles import (
    hide_source_secrets,
    limit_article,
    load_sources,
)
from aggregator.store.intake.source_access_rows import typed_access
from aggregator.store.intake.source_rows import Source
from aggregator.web.api.source_routes import found_source
from aggregator.web.dependencies import ID
from aggregator.web.pages.pages import Pages, typed_number, typed_text
from aggregator.web.security.visit import may_edit

SOURCES_A_PAGE = 100
_DONE = ("imported", "known", "private", "removed")


def list_sources(site: Pages, request: Request) -> Response:
    """Answer with the sources and their health; addresses are for the owner only."""
    access = site.access(request)
    asked = request.query_params
    text = typed_text(request, "q")
    page = load_sources(
        site.reader,
        access,
        SOURCES_A_PAGE,
        after=asked.get("after", ""),
        text=text,
        failing_first=True,
    )
    added = site.reader.source(asked.get("added", ""))
    return site.page(
        request,
        "sources.html",
        here="/sources",
        listed=page,
        owner=access == "owner",
        text=text,
        done={name: typed_number(request, name) for name in _DONE},
        added=hide_source_secrets(added, access).name if added else None,
    )


ENTRIES_A_PAGE = 50


def show_source(site: Pages, request: Request) -> Response:
    """Answer with a source and its articles, the newest first."""
    source_id = request.path_params["id"]
    source = site.reader.source(source_id) if ID.fullmatch(source_id) else None
    if source is None:
        return site.not_found(request)
    view = site.view_of(request)
    number = typed_number(request, "page") or 1
    seen_by = site.reader_of_pages(request)
    marked_by = (seen_by, view) if seen_by and view else None
    entries = site.reader.source_entries(
        source.id, ENTRIES_A_PAGE + 1, (number - 1) * ENTRIES_A_PAGE, marked_by
    )
    limits = site.limits(request)
    shown = [limit_article(entry, *limits) for entry in entries[:ENTRIES_A_PAGE]]
    # Those who may not change the source see no form.
    form: dict[str, object] = {"stored": None}
    if may_edit(request):
        stored = found_source(site, source_id)
        with site.sources.database.read() as connection:
            access = typed_access(connection, source_id)
        form = {
            "stored": stored,
            "headers": sorted(access.headers),
            "has_proxy": access.proxy != "",
            "interval": interval_as_typed(stored),
            "folders": site.reader.folders(),
        }
    return site.page(
        request,
        "source.html",
        here="/sources",
        source=hide_source_secrets(source, site.access(request)),
        saved=request.query_params.get("saved") == "1",
        entries=shown,
        number=number,
        has_older=len(entries) > ENTRIES_A_PAGE,
        now=site.clock(),
        view=view or "",
        marks=site.marks_of(request, {entry.story for entry in shown}),
        **form,
    )


def interval_as_typed(source: Source) -> str:
    """Return the interval of a source as a person types it; "" if the source has the configured interval."""
    return duration_as_typed(source.interval_seconds) if source.has_own_interval else ""
