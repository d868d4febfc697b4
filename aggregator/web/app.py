"""The web application: pages, feeds and the API of one story reader."""

from http import HTTPStatus

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles

from aggregator import __version__
from aggregator.model.core import utc_now
from aggregator.model.errors import AggregatorError, UsageError
from aggregator.model.read_model import StoryReader
from aggregator.store.read.read_marks import ReadMarks
from aggregator.web import health
from aggregator.web.api import corrections, openapi, push
from aggregator.web.api import routes as api
from aggregator.web.dependencies import Clock, Site
from aggregator.web.editor import EditorService
from aggregator.web.feeds import routes as feeds
from aggregator.web.pages import editor_forms, pages
from aggregator.web.reader import routes as google_reader
from aggregator.web.responses import RETRY_AFTER_SECONDS, RefusedError, problem, problem_of
from aggregator.web.security.middleware import (
    API,
    NO_DATABASE,
    PROBES,
    READER_API,
    RequestGuard,
    is_owner,
)
from aggregator.web.settings import PublishSettings

COMPRESSED_FROM_BYTES = 1024  # for smaller bodies the headers cost more than compression saves
_HEADINGS = {400: "Invalid address", 503: "The database does not answer"}  # of pages; else HTTP's phrase
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
    push_endpoint: push.PushEndpoint | None = None,
    editor: EditorService | None = None,
    *,
    watch: health.HealthSource | None = None,
    marks: ReadMarks | None = None,
) -> FastAPI:
    """Return the application. `clock` is the current time for relative filters ("24h").

    Without `push_endpoint` there is no push and no token is valid; without `editor` there are no corrections
    and explanations; without `watch`, the health of the daemon, `/healthz` is the only health check; without
    `marks` there is no Google Reader API.
    """
    app = openapi.DescribedApp(
        **openapi.ABOUT,
        version=__version__,
        docs_url=None,  # both viewers load scripts from other servers
        redoc_url=None,
        openapi_url=None,  # `api` serves it with an ETag
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    site = app.state.site = Site(reader, settings, clock, editor)
    app.state.probes = health.Probes(site, watch)
    routers = [api.router, health.router]
    if push_endpoint is not None:
        app.state.pushes = push.Pushes(push_endpoint)
        routers.append(push.router)
    if editor is not None:
        routers += [api.editing, corrections.router]
    if watch is not None:
        routers.append(health.watched)
    for router in routers:
        app.router.routes.extend(router.routes)  # `include_router` would add a step to every request
    app.router.routes.extend([*pages.routes(site), *editor_forms.routes(site), *feeds.routes(site)])
    if marks is not None:
        app.router.routes.extend(google_reader.routes(site, marks))
    app.mount("/static", StaticFiles(packages=[("aggregator.web", "static")]), name="static")
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=5)
    errors = _Errors(pages.Pages(site))
    app.add_exception_handler(HTTPException, errors.http)
    app.add_exception_handler(AggregatorError, errors.aggregator_error)
    app.add_middleware(RequestGuard, settings=settings, error_response=errors.respond, tokens=push_endpoint)
    return app


class _Errors:
    """Error responses in the format of the requested address: problem+json, one line, or a page."""

    def __init__(self, page: pages.Pages) -> None:
        self._page = page

    def http(self, request: Request, error: Exception) -> Response:
        """Answer an unknown address or method."""
        assert isinstance(error, HTTPException)
        response = self.respond(request, error.status_code, error.detail)
        response.headers.update(error.headers or {})
        if error.status_code == 405:
            response.headers["Allow"] = ", ".join(_methods_at(request))
        return response

    def aggregator_error(self, request: Request, error: Exception) -> Response:
        """Answer a refused or invalid request, or an error of the database, with the message of the error."""
        if isinstance(error, RefusedError):
            if request.url.path.startswith(API):
                return problem_of(error)
            response = self.respond(request, error.status, str(error))
            response.headers.update(error.headers)
            return response
        if isinstance(error, UsageError):
            return self.respond(request, 400, str(error))
        # The message may contain names of files, hosts and users.
        return self.respond(request, 503, str(error) if is_owner(request) else NO_DATABASE)

    def respond(self, request: Request, status: int, detail: str) -> Response:
        """Return the error in the format of the requested address."""
        response = self._formatted(request, status, detail)
        if status == 503:
            response.headers["Retry-After"] = RETRY_AFTER_SECONDS
        return response

    def _formatted(self, request: Request, status: int, detail: str) -> Response:
        title = HTTPStatus(status).phrase
        if request.url.path.startswith((API, health.METRICS)) or request.url.path in PROBES:
            return problem(status, detail)
        if request.url.path.startswith(READER_API):
            return PlainTextResponse(f"{detail}\n", status)
        heading = _HEADINGS.get(status, title)
        if status == 404:
            return self._page.not_found(request)
        return self._page.problem(request, status, heading, detail)


def _methods_at(request: Request) -> list[str]:
    """Return the methods of all routes of the address; one route has only some of them."""
    routes = [route for route in request.app.router.routes if not isinstance(route, Mount)]
    methods = [
        method
        for method in ("GET", "POST", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return methods or ["GET"]  # a static file
