"""The pages for programs: the list of the routes of the API, and robots.txt."""

from functools import partial

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aggregator.web.dependencies import Site
from aggregator.web.pages.pages import Pages


def routes(site: Site) -> list[Route]:
    """Return the routes for programs."""
    api = partial(list_routes, Pages(site))
    return [
        Route("/api", api),
        Route("/docs", api),  # where FastAPI has its viewer
        Route("/robots.txt", partial(robots, site)),
    ]


def list_routes(pages: Pages, request: Request) -> Response:
    """Answer with the routes of the API, from the description that programs read."""
    described = []
    for path, methods in request.app.openapi()["paths"].items():
        for method, about in methods.items():
            described.append((method.upper(), path, about.get("summary", "")))
    return pages.page(request, "api.html", here="/api", described=described)


def robots(site: Site, _request: Request) -> Response:
    """Answer with robots.txt, which excludes all pages unless `publish.index` is true."""
    path = site.settings.base_path + ("/search" if site.settings.index else "/")
    return PlainTextResponse(f"User-agent: *\nDisallow: {path}\n")
