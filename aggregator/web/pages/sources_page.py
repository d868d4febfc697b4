"""The page of all sources."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aggregator.publish.excerpts.source_excerpts import bounded_source, bounded_sources
from aggregator.web.dependencies import Site, whole_number
from aggregator.web.pages.pages import Pages, typed_text

SOURCES_A_PAGE = 100
_DONE = ("imported", "known", "private", "removed")


def routes(site: Site) -> list[Route]:
    """Return the route of the page of sources."""
    return [Route("/sources", partial(list_sources, site, Pages(site)))]


def list_sources(site: Site, pages: Pages, request: Request) -> Response:
    """Answer with the sources and their health; addresses are for the owner only."""
    access = site.access(request)
    asked = request.query_params
    text = typed_text(request, "q")
    after = asked.get("after", "")
    page = bounded_sources(
        site.reader, access, SOURCES_A_PAGE, after=after, text=text, failing_first=True
    )
    added = site.reader.source(asked.get("added", ""))
    return pages.page(
        request,
        "sources.html",
        here="/sources",
        listed=page,
        owner=access == "owner",
        text=text,
        done={name: whole_number(asked.get(name, "")) for name in _DONE},
        added=bounded_source(added, access).name if added else None,
    )
