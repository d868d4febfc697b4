"""The web application: pages, feeds and the API of one story reader."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.staticfiles import StaticFiles

from aggregator import __version__
from aggregator.config.story_query import invalid_words
from aggregator.model.clock import Clock, utc_now
from aggregator.model.errors import AggregatorError, UsageError
from aggregator.publish.output_settings import PublishSettings
from aggregator.store.read.reader import StoryReader
from aggregator.web import probes
from aggregator.web.api import (
    article_routes,
    correction_routes,
    openapi,
    push_endpoint,
    source_routes,
    story_routes,
)
from aggregator.web.dependencies import Services
from aggregator.web.feeds import feed_routes
from aggregator.web.forms.form_routes import form_routes
from aggregator.web.pages.front_page import show_front
from aggregator.web.pages.other_pages import (
    explain,
    list_routes,
    robots,
    search,
    show_digest,
)
from aggregator.web.pages.pages import Pages
from aggregator.web.pages.sources_page import list_sources, show_source
from aggregator.web.pages.story_page import show_story, show_storyline
from aggregator.web.reader_api import reader_routes
from aggregator.web.responses import RETRY_AFTER_SECONDS, RefusedError, problem
from aggregator.web.security.guard import RequestGuard
from aggregator.web.security.paths import API, PROBES, READER_API
from aggregator.web.security.request_tokens import first_name
from aggregator.web.security.visit import is_owner

# Compressing a smaller body costs more in headers than it saves.
COMPRESSED_FROM_BYTES = 1024
# The headings of error pages by status; other statuses have the phrase of HTTP as heading.
_HEADINGS = {400: "Invalid address", 503: "The database does not answer"}
# Without this, an environment variable could make FastAPI send addresses and errors to another server.
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


# The pages that a server always has
_PAGES: dict[str, Callable[[Pages, Request], Response]] = {
    "/": show_front,
    "/stories/{id}": show_story,
    "/search": search,
    "/digest": show_digest,
    "/sources": list_sources,
    "/sources/{id}": show_source,
    "/storylines/{id}": show_storyline,
    "/api": list_routes,
    "/docs": list_routes,  # where FastAPI has its viewer
    "/robots.txt": robots,
}


def create_app(
    reader: StoryReader,
    settings: PublishSettings,
    services: Services,
    clock: Clock = utc_now,
) -> FastAPI:
    """Return the application. `clock` returns the current time, for instance for relative filters ("24h")."""
    app = openapi.DescribedApp(
        **openapi.DESCRIPTIONS["about"],
        servers=[{"url": settings.base_path or "/"}],
        version=__version__,
        docs_url=None,  # both viewers load scripts from other servers
        redoc_url=None,
        openapi_url=None,  # story_routes.py serves it with an ETag
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    site = app.state.site = Pages(reader, settings, clock, services)
    app.state.probes = probes.Probes(site, services.watch)
    app.state.pushes = services.push
    # `include_router` would add a step to every request.
    app.router.routes.extend(_routes(site))
    app.mount(
        "/static", StaticFiles(packages=[("aggregator.web", "static")]), name="static"
    )
    app.add_middleware(
        GZipMiddleware, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=5
    )

    # This function is async because Starlette would call any other in a thread.
    async def answer(request: Request, error: Exception) -> Response:
        return error_response(site, request, error)

    for kind in (HTTPException, AggregatorError, RequestValidationError):
        app.add_exception_handler(kind, answer)
    app.add_middleware(
        RequestGuard,
        settings=settings,
        error_response=partial(error_response, site),
        tokens=services.push,
        first_names={
            first_name(getattr(route, "path", "")) for route in app.router.routes
        },
    )
    return app


def _routes(site: Pages) -> list[BaseRoute]:
    """Return the routes of the API, probes, pages, feeds and the Google Reader API."""
    routes: list[BaseRoute] = []
    # The order is that of the page `/api`: most of the routes that need a token come after the others.
    for router in (
        story_routes.router,
        article_routes.router,
        source_routes.router,
        probes.router,
        push_endpoint.router,
        article_routes.editing,
        correction_routes.router,
        source_routes.editing,
        story_routes.muting,
        probes.watched,
    ):
        routes += router.routes
    routes.append(Route("/explain/{article}", partial(explain, site)))
    routes += form_routes(site)
    # Feeds come before pages, because the page of a storyline would also match the path of its feed.
    routes += feed_routes.routes(site)
    for path, show in _PAGES.items():
        routes.append(Route(path, partial(show, site)))
    return routes + reader_routes.routes(site)


def error_response(site: Pages, request: Request, error: Exception) -> Response:
    """Return the response to an error in the format of the address: problem+json, one line, or a page.

    The response has the message of the error, except for unknown errors. Only the owner sees messages of the database.
    """
    status, detail = _status_and_detail(request, error)
    path = request.url.path
    response: Response
    if status == 405 and request.method == "OPTIONS":
        response = Response(status_code=204)
    elif path.startswith((API, probes.METRICS)) or path in PROBES:
        more = error.more if isinstance(error, RefusedError) else {}
        response = problem(status, detail, **more)
    elif path.startswith(READER_API) or status == 421:
        response = PlainTextResponse(f"{detail}\n", status)
    elif status == 404:
        response = site.not_found(request)
    else:
        response = site.problem(
            request, status, _HEADINGS.get(status, HTTPStatus(status).phrase), detail
        )
    if status == 503:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    response.headers.update(getattr(error, "headers", None) or {})
    if status == 405:
        # Allow lists the methods of all routes of the address, because Starlette looks only at the first route. A
        # mounted folder has set `root_path`, which must be empty to match the whole path.
        scope = {**request.scope, "root_path": ""}
        matching = [
            r for r in request.app.router.routes if r.matches(scope)[0] != Match.NONE
        ]
        # The route of sources by id matches `/sources/opml` too; the exact path wins.
        exact = [r for r in matching if getattr(r, "path", "") == scope["path"]]
        methods = {"OPTIONS"}
        for route in exact or matching:
            methods |= getattr(route, "methods", None) or {"GET"}
        if "GET" in methods:
            methods.add("HEAD")
        response.headers["Allow"] = ", ".join(sorted(methods))
    return response


def _status_and_detail(request: Request, error: Exception) -> tuple[int, str]:
    match error:
        case RefusedError():
            return error.status, str(error)
        case HTTPException():  # an unknown address or method
            return error.status_code, error.detail
        case UsageError():
            return 400, str(error)
        case RequestValidationError():
            # Each route has one model for all of its parameters.
            (parameters,) = request.scope["route"].dependant.query_params
            return 400, invalid_words(
                error.errors()[0], parameters.field_info.annotation
            )
        case AggregatorError():
            # The message may contain names of files, hosts and users.
            words = "The database does not answer."
            return 503, str(error) if is_owner(request) else words
    return 500, "An internal error occurred; see the log of the program."
