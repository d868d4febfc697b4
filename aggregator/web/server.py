"""The web application (pages, feeds and the API of one story reader), and the server in its own thread."""

import asyncio
import errno
import logging
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import NamedTuple, cast

import msgspec
import uvicorn
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from aggregator import __version__
from aggregator.config.hosts import is_loopback, loopback_owner_notice
from aggregator.model.core import utc_now
from aggregator.model.errors import AggregatorError, ConfigError, UsageError
from aggregator.pipeline.manage_sources import SourceServices
from aggregator.store.read.read_marks import ReadMarks
from aggregator.store.read.reader import StoryReader
from aggregator.web import health
from aggregator.web.api import edit_sources, openapi, push
from aggregator.web.api import routes as api
from aggregator.web.api.push import PushEndpoint
from aggregator.web.dependencies import Clock, Site
from aggregator.web.editor import EditorService
from aggregator.web.feeds import routes as feeds
from aggregator.web.health import HealthSource
from aggregator.web.pages import editor_forms, pages, source_forms
from aggregator.web.reader import calls as google_reader
from aggregator.web.responses import RETRY_AFTER_SECONDS, RefusedError, problem, problem_of
from aggregator.web.security.connection_limits import (
    BACKLOG,
    ConnectionLimiter,
    TimeoutProtocol,
    close_unread,
    log_lack_of_files,
)
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
    sources: SourceServices | None = None,
    watch: health.HealthSource | None = None,
    marks: ReadMarks | None = None,
) -> FastAPI:
    """Return the application. `clock` is the current time for relative filters ("24h").

    Without `push_endpoint` there is no push and no token is valid; without `editor` there are no corrections
    and explanations; without `sources`, none can be changed; without `watch`, the health of the daemon,
    `/healthz` is the only health check; without `marks` there is no Google Reader API.
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
    site = app.state.site = Site(
        reader, settings, clock, editor, sources=sources, has_status=watch is not None
    )
    app.state.probes = health.Probes(site, watch)
    routers = [api.router, health.router]
    if push_endpoint is not None:
        app.state.pushes = push.Pushes(push_endpoint)
        routers.append(push.router)
    if editor is not None:
        routers += [api.editing, api.corrections_router]
    if sources is not None:
        routers.append(edit_sources.router)
        app.router.routes.extend(source_forms.routes(site))
        if settings.mcp:
            from aggregator.web import mcp_http  # of an extra

            app.router.routes.append(mcp_http.route(site, sources))
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
    routes = [one for one in routes if getattr(one, "path", "") == request.scope["path"]] or routes
    methods = [
        method
        for method in ("GET", "POST", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return methods or ["GET"]  # a static file


START_DEADLINE_SECONDS = 10.0
STOP_DEADLINE_SECONDS = (
    5.0  # for active requests; after it they are cancelled, because the daemon must exit within 10 s
)

_log = logging.getLogger(__name__)

NewLoop = Callable[[], asyncio.AbstractEventLoop]


class WebServices(NamedTuple):
    """What the web server of one configuration answers with."""

    reader: StoryReader
    settings: PublishSettings
    push_endpoint: PushEndpoint | None = None
    editor: EditorService | None = None
    watch: HealthSource | None = None
    marks: ReadMarks | None = None
    sources: SourceServices | None = None


class Server:
    """uvicorn without signal handlers, access log and forwarding headers.

    The access log would contain addresses with tokens. With uvicorn's X-Forwarded-For any client could claim
    to be this machine; `TrustedProxies` handles forwarding headers instead.
    """

    def __init__(  # noqa: PLR0917 - as WebServices
        self,
        reader: StoryReader,
        settings: PublishSettings,
        push_endpoint: PushEndpoint | None = None,
        editor: EditorService | None = None,
        watch: HealthSource | None = None,
        marks: ReadMarks | None = None,
        sources: SourceServices | None = None,
        *,
        new_loop: NewLoop = asyncio.new_event_loop,
    ) -> None:
        """See `create_app` for what is missing without the optional arguments.

        `new_loop` returns an event loop, whose time is that of all deadlines.
        """
        self._services = WebServices(reader, settings, push_endpoint, editor, watch, marks, sources)
        self._new_loop = new_loop
        self._listener: _Listener | None = None

    @property
    def _settings(self) -> PublishSettings:
        """The settings with the bound port."""
        return self._services.settings

    @property
    def url(self) -> str:
        """The bound address, such as `http://127.0.0.1:8080`; valid after `start`."""
        return msgspec.structs.replace(self._settings, public_url="").base_url

    def start(self) -> str:
        """Bind the address, start the thread that serves, and return `url`.

        Raises ConfigError if the address requires a token and none exists, AggregatorError if it cannot be
        bound.
        """
        self.refuse_open_address()
        bound = _bind(self._settings.host, self._settings.port)
        settings = msgspec.structs.replace(self._settings, port=bound.getsockname()[1])
        self._services = self._services._replace(settings=settings)
        listener = _Listener(create_app(**self._services._asdict()), bound, settings, self._new_loop)
        if not listener.start():
            listener.stop()
            raise AggregatorError(f"the web server did not start on {self.url}; see the log")
        self._listener = listener
        if settings.is_owner_on_loopback:
            _log.info(
                "%s",
                loopback_owner_notice(settings.host, settings.port),
                extra={"event": "loopback_owner_allowed"},
            )
        return self.url

    def refuse_open_address(self) -> None:
        """Raise ConfigError if other machines can reach the address and no token has the scope read."""
        host, tokens = self._settings.host, self._services.push_endpoint
        if is_loopback(host) or (tokens is not None and tokens.any_may_read()):
            return
        raise ConfigError(
            f"server.host {host!r} is reachable from other machines, which need a token, and no token "
            "has the scope read: run `aggregator token create NAME --scope read` and start again, or set "
            "server.host to 127.0.0.1"
        )

    def stop(self) -> None:
        """Accept no more requests, wait for active ones, and return when the thread has ended."""
        if self._listener:
            self._listener.stop()
        self._listener = None

    @property
    def is_serving(self) -> bool:
        """Whether the thread is alive; the watchdog of the daemon reads it."""
        return self._listener is not None and self._listener.is_alive


class _Listener:
    """One bound socket and its thread."""

    def __init__(
        self, app: ASGIApp, bound: socket.socket, settings: PublishSettings, new_loop: NewLoop
    ) -> None:
        limiter = ConnectionLimiter(settings.trusted_proxies)
        self._socket = bound
        # With `access_log=False` it would still write one if this logger had a handler.
        logging.getLogger("uvicorn.access").disabled = True
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                app,
                interface="asgi3",
                http=cast("type[asyncio.Protocol]", partial(TimeoutProtocol, limiter)),
                access_log=False,
                log_config=None,  # the daemon has set up logging
                proxy_headers=False,
                server_header=False,
                lifespan="off",
                ws="none",
                backlog=BACKLOG,
                timeout_graceful_shutdown=int(STOP_DEADLINE_SECONDS),
            )
        )
        self._thread = threading.Thread(target=self._serve, args=(new_loop,), name="web", daemon=True)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> bool:
        """Start the thread; return whether it serves within START_DEADLINE_SECONDS."""
        self._thread.start()
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while not self._uvicorn.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def stop(self) -> None:
        self._uvicorn.should_exit = True
        self._thread.join(STOP_DEADLINE_SECONDS + 1)
        self._socket.close()

    def _serve(self, new_loop: NewLoop) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(self._serve_connections())

    async def _serve_connections(self) -> None:
        log_lack_of_files(asyncio.get_running_loop())
        await self._uvicorn.serve(sockets=[self._socket])


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With an explicit protocol asyncio sets TCP_NODELAY; a response then takes 4 ms instead of 44 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    close_unread(listener)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError, UnicodeError) as error:  # UnicodeError: a label of the name is too long
        listener.close()
        raise AggregatorError(_why_not_bound(host, port, error)) from error
    return listener


def _why_not_bound(host: str, port: int, error: OSError | OverflowError | UnicodeError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return f"port {port} on {host} is in use by another program: stop it, or set another server.port"
    if number == errno.EACCES:
        return f"only root may use port {port}: set server.port to a port above 1023"
    if number == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: set server.host to one, such as 127.0.0.1"
    return f"cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}"
