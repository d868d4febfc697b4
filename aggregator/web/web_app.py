"""The web application: pages, feeds and the API of one story reader."""

from collections.abc import Iterator
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.staticfiles import StaticFiles

from aggregator import __version__
from aggregator.config.story_query import invalid_words
from aggregator.model.clock import Clock, utc_now
from aggregator.model.errors import AggregatorError, UsageError
from aggregator.publish.output_settings import PublishSettings
from aggregator.store.read.reader import StoryReader
from aggregator.web import forms, probes
from aggregator.web.api import (
    article_routes,
    correction_routes,
    edit_sources,
    openapi,
    push,
    source_routes,
    story_routes,
)
from aggregator.web.dependencies import NO_SERVICES, Services, Site
from aggregator.web.feeds import feed_routes as feeds
from aggregator.web.pages import (
    digest_page,
    explanation_page,
    front_page,
    program_pages,
    search_page,
    source_page,
    sources_page,
    story_page,
    storyline_page,
)
from aggregator.web.pages.pages import Pages
from aggregator.web.reader_api import reader_routes as reader_api
from aggregator.web.responses import RETRY_AFTER_SECONDS, RefusedError, problem
from aggregator.web.security.guard import RequestGuard
from aggregator.web.security.paths import API, PROBES, READER_API
from aggregator.web.security.request_tokens import first_name
from aggregator.web.security.visit import is_owner

# Compressing a smaller body costs more in headers than it saves.
COMPRESSED_FROM_BYTES = 1024
# Other pages of errors have HTTP's phrase as heading.
_HEADINGS = {400: "Invalid address", 503: "The database does not answer"}
# Otherwise an environment variable could send addresses and errors to another server.
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def create_app(
    reader: StoryReader,
    settings: PublishSettings,
    clock: Clock = utc_now,
    services: Services = NO_SERVICES,
) -> FastAPI:
    """Return the application. `clock` is the current time for relative filters ("24h")."""
    app = openapi.DescribedApp(
        **openapi.DESCRIPTIONS["about"],
        servers=[{"url": settings.base_path or "/"}],
        version=__version__,
        docs_url=None,  # both viewers load scripts from other servers
        redoc_url=None,
        openapi_url=None,  # `api` serves it with an ETag
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    site = app.state.site = Site(reader, settings, clock, services)
    app.state.probes = probes.Probes(site, services.watch)
    app.state.pushes = services.push
    # `include_router` would add a step to every request
    app.router.routes.extend([*_api_routes(services), *_site_routes(site)])
    app.mount(
        "/static", StaticFiles(packages=[("aggregator.web", "static")]), name="static"
    )
    app.add_middleware(
        GZipMiddleware, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=5
    )
    errors = _Errors(Pages(site))

    # Starlette would call a function that is not async in a thread.
    async def answer(request: Request, error: Exception) -> Response:
        return errors.answer(request, error)

    for kind in (HTTPException, AggregatorError, RequestValidationError):
        app.add_exception_handler(kind, answer)
    app.add_middleware(
        RequestGuard,
        settings=settings,
        error_response=errors.answer,
        tokens=services.push,
        first_names={
            first_name(getattr(route, "path", "")) for route in app.router.routes
        },
    )
    return app


def _api_routes(services: Services) -> Iterator[BaseRoute]:
    """Yield the routes of the API and of probes, those of services that the server has."""
    for router in (
        story_routes.router,
        article_routes.router,
        source_routes.router,
        probes.router,
    ):
        yield from router.routes
    if services.push is not None:
        yield from push.router.routes
    if services.editor is not None:
        yield from article_routes.editing.routes
        yield from correction_routes.router.routes
    if services.sources is not None:
        yield from edit_sources.router.routes
        yield from story_routes.muting.routes
    if services.watch is not None:
        yield from probes.watched.routes


def _site_routes(site: Site) -> Iterator[BaseRoute]:
    """Yield the routes of pages, feeds and the Google Reader API."""
    for module in (
        front_page,
        story_page,
        search_page,
        digest_page,
        sources_page,
        program_pages,
        explanation_page,
        forms.source_forms,
        forms.sign_in,
        forms.correction_forms,
        feeds,  # before the pages of storylines, whose addresses have no ending
        storyline_page,
        source_page,
        forms.mark_forms,
        forms.mute_forms,
    ):
        yield from module.routes(site)
    if site.marks is not None:
        yield from reader_api.routes(site, site.marks)


class _Errors:
    """Error responses in the format of the requested address: problem+json, one line, or a page."""

    def __init__(self, page: Pages) -> None:
        self._page = page

    def answer(self, request: Request, error: Exception) -> Response:
        """Return the response to an error, with its message unless that is of the database or unknown."""
        status, detail = _status_and_detail(request, error)
        response = self._response(request, error, status, detail)
        if status == 503:
            response.headers["Retry-After"] = RETRY_AFTER_SECONDS
        response.headers.update(getattr(error, "headers", None) or {})
        if status == 405:
            response.headers["Allow"] = ", ".join(sorted(_methods_of(request)))
        return response

    def _response(
        self, request: Request, error: Exception, status: int, detail: str
    ) -> Response:
        path = request.url.path
        if status == 405 and request.method == "OPTIONS":
            return Response(status_code=204)
        if path.startswith((API, probes.METRICS)) or path in PROBES:
            more = error.more if isinstance(error, RefusedError) else {}
            return problem(status, detail, **more)
        if path.startswith(READER_API) or status == 421:
            return PlainTextResponse(f"{detail}\n", status)
        if status == 404:
            return self._page.not_found(request)
        heading = _HEADINGS.get(status, HTTPStatus(status).phrase)
        return self._page.problem(request, status, heading, detail)


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
            # The message may contain names of files, hosts and users
            words = "The database does not answer."
            return 503, str(error) if is_owner(request) else words
    return 500, "An internal error occurred; see the log of the program."


def _methods_of(request: Request) -> set[str]:
    """Return the methods of an address, of all its routes; Starlette looks at the first one only."""
    scope = {**request.scope, "root_path": ""}  # a folder of files sets it to its own
    matching: set[str] = set()
    # The route of sources by id matches `/sources/opml` too; the exact path wins.
    exact: set[str] = set()
    for route in request.app.router.routes:
        if route.matches(scope)[0] != Match.NONE:
            methods = getattr(route, "methods", None) or {"GET"}
            matching |= methods
            if getattr(route, "path", "") == scope["path"]:
                exact |= methods
    methods = (exact or matching) | {"OPTIONS"}
    if "GET" in methods:
        methods.add("HEAD")
    return methods
