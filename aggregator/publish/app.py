"""The web application: pages, feeds and the API over one shelf."""

from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from aggregator import __version__
from aggregator.errors import AggregatorError, UsageError
from aggregator.publish import api, pages, push
from aggregator.publish.answers import problem
from aggregator.publish.described import TOKENS_BY
from aggregator.publish.filters import Wanted
from aggregator.publish.guard import Guard
from aggregator.publish.rss import rss
from aggregator.publish.settings import PublishSettings
from aggregator.publish.site import Clock, Site, conditional, utc_now
from aggregator.shelf import Shelf

COMPRESSED_FROM_BYTES = 1024  # below, the headers cost more than is saved
IN_WORDS = {400: "That address has a mistake", 503: "The database does not answer"}  # headings of pages
# An environment variable could otherwise send addresses and errors elsewhere.
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


class _App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        described = super().openapi()
        described.setdefault("components", {})["securitySchemes"] = TOKENS_BY
        return described


def create_app(
    shelf: Shelf,
    settings: PublishSettings,
    clock: Clock = utc_now,
    letterbox: push.Letterbox | None = None,
) -> FastAPI:
    """All routes over `shelf`. `clock` is asked only for filters that are relative to now ("24h").

    Without a `letterbox` nothing can be pushed, and no token opens anything.
    """
    site = Site(shelf, settings, clock)
    app = _App(
        title="aggregator",
        version=__version__,
        docs_url=None,  # both viewers load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    app.include_router(api.router(site))
    if letterbox is not None:
        app.include_router(push.router(letterbox))
    app.router.routes.extend(pages.routes(site))
    app.router.routes.append(Route("/feeds/stories.rss", lambda request: _feed(site, request)))
    static = Path(str(files("aggregator.publish").joinpath("static")))
    app.mount("/static", StaticFiles(directory=static), name="static")
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=5)
    errors = _Errors(pages.Pages(site))
    app.add_exception_handler(HTTPException, errors.http)
    app.add_exception_handler(AggregatorError, errors.ours)
    app.add_middleware(Guard, settings=settings, say_fault=errors.fault, tokens=letterbox)
    return app


def _feed(site: Site, request: Request) -> Response:
    wanted = site.wanted(request, site.settings.items)
    tag = None if wanted.moves_with_clock else site.tag(request, wanted.query_string)
    return conditional(request, tag, lambda: _rss(site, wanted))


def _rss(site: Site, wanted: Wanted) -> Response:
    query = f"?{wanted.query_string}" if wanted.query_string else ""
    self_url = f"{site.settings.base_url}/feeds/stories.rss{query}"
    body = rss(site.shelf.stories(wanted.filter).stories, site.settings, site.jinja, self_url)
    return Response(body, media_type="application/rss+xml; charset=utf-8")


class _Errors:
    """Errors in the form of what was asked for: problem+json below /api/, a page elsewhere."""

    def __init__(self, page: pages.Pages) -> None:
        self._page = page

    def http(self, request: Request, error: Exception) -> Response:
        """No such address, no such method."""
        assert isinstance(error, HTTPException)
        response = self._say(request, error.status_code, error.detail)
        response.headers.update(error.headers or {})
        return response

    def ours(self, request: Request, error: Exception) -> Response:
        """What was asked for cannot be, or the database does not answer: in the words of the error."""
        return self._say(request, 400 if isinstance(error, UsageError) else 503, str(error))

    def fault(self, request: Request) -> Response:
        """A fault of the program, without its insides."""
        return self._say(request, 500, "This is a fault of the program; its log says more.")

    def _say(self, request: Request, status: int, detail: str) -> Response:
        title = HTTPStatus(status).phrase
        if request.url.path.startswith(("/api/", "/healthz")):
            return problem(status, title, detail)
        heading = IN_WORDS.get(status, title)
        return self._page.not_found() if status == 404 else self._page.problem(status, heading, detail)
