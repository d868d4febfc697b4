"""The guard of the web server: it checks every request and adds headers to every response.

It is one ASGI middleware around all routes, so that it also covers errors and static files.
"""

import logging
from collections.abc import Callable, Collection
from urllib.parse import unquote, urlsplit

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aggregator.config.hosts import ip_address_of
from aggregator.model.errors import AggregatorError
from aggregator.publish.output_settings import PublishSettings
from aggregator.web.responses import RefusedError
from aggregator.web.security.admission import REQUESTS_A_MINUTE, Admission
from aggregator.web.security.origin import host_name
from aggregator.web.security.paths import (
    FOR_PROGRAMS,
    FRESHRSS_API,
    OPEN_FOLDER,
    PROBES,
    READER_API,
)
from aggregator.web.security.request_tokens import (
    COOKIE,
    TokenPath,
    TokenStore,
    first_name,
    split_prefix,
)
from aggregator.web.security.visit import VISIT, Visit, is_owner, visit_of

_log = logging.getLogger(__name__)

# Creates the response to a refused or failed request, in the format of the requested address.
ErrorResponse = Callable[[Request, Exception], Response]


# Scripts, styles, images and form targets of this server only; no frames, nothing inline.
_PICTURES = "img-src 'self'"
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; {_PICTURES}; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SECURITY_HEADERS: dict[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# A response depends on the client and changes with the next article, so only browsers may store it, and they
# revalidate it at each use.
REVALIDATE = "private, no-cache"
_OTHER_ORIGINS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Max-Age": "600",
}
_ANY_ORIGIN = {
    "Access-Control-Allow-Headers": "If-None-Match",
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Expose-Headers": "ETag, Location, Retry-After",
    "Access-Control-Max-Age": "600",
}
_NAMED_ORIGIN = _ANY_ORIGIN | {
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, DELETE",
}


class ResponseHeaders:
    """Adds the headers that every response of one server has."""

    def __init__(self, settings: PublishSettings) -> None:
        self._base = settings.base_path
        self._shows_pictures = settings.images == "direct"
        self._has_origins = bool(settings.cors)
        self._common = dict(SECURITY_HEADERS)
        if not settings.index:
            self._common["X-Robots-Tag"] = "noindex, nofollow"

    def add(self, request: Request, headers: MutableHeaders) -> None:
        """Add the headers to those of the response to `request`."""
        headers.update(self._common)
        headers.setdefault("Cache-Control", REVALIDATE)
        if self._shows_pictures and is_owner(request):
            # Pictures of articles; over plain HTTP only where the page is read so.
            sites = "https:" if request.scope["scheme"] == "https" else "https: http:"
            headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace(
                _PICTURES, f"{_PICTURES} {sites}"
            )
        path = request.scope["path"]
        visit = visit_of(request)
        origin = visit.other_origin
        if path.startswith(READER_API):
            headers.update(_OTHER_ORIGINS)
        elif origin:
            headers.update(_ANY_ORIGIN if origin == "*" else _NAMED_ORIGIN)
            headers["Access-Control-Allow-Origin"] = origin
        if self._has_origins and path.startswith(FOR_PROGRAMS):
            headers.add_vary_header("Origin")
        target = headers.get("location", "")
        if target.startswith("/") and not target.startswith("//"):
            headers["Location"] = self._base + visit.prefix + target
        sets_token = any(
            cookie.startswith(f"{COOKIE}=") for cookie in headers.getlist("set-cookie")
        )
        if visit.has_old_cookie and not sets_token:
            headers.append(
                "Set-Cookie",
                f"{COOKIE}=; Max-Age=0; Path={self._base or '/'}; HttpOnly; SameSite=lax",
            )


class RequestGuard:
    """Refuses unknown Host headers and wrong tokens, answers HEAD like GET, and adds headers.

    The application creates a body for HEAD, too, which uvicorn does not send.

    An exception of the application is logged and answered by `error_response`. Starlette's own handler would
    raise it again, and uvicorn would close the connection on which other requests may wait.

    A web page can point its own host name at 127.0.0.1 (DNS rebinding) and read all that a browser on this
    machine may read. It cannot choose the Host header, so a request with an unknown name is refused.

    If the server listens on an address that other machines can reach, clients without a token receive only
    `OPEN_PATHS` and static files, unless they are the owner.

    `ConnectionLimiter` has replaced the client's address if a trusted proxy forwarded the request.

    A token in the path is removed before the application sees the path, so that it does not appear in logs,
    ETags, links or errors.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: PublishSettings,
        error_response: ErrorResponse,
        *,
        tokens: TokenStore,
        first_names: Collection[str] = (),
        requests_a_minute: int = REQUESTS_A_MINUTE,
    ) -> None:
        """`first_names` are the first parts of the application's paths, such as `stories`.

        `requests_a_minute` is a parameter for tests.
        """
        self._app = app
        self._error_response = error_response
        self._tokens = tokens
        self._base = unquote(settings.base_path)
        self._origins = {origin.lower() for origin in settings.cors}
        self._first_names = {*first_names, "t"}
        # The names (not IP addresses) that the Host header may have
        public = urlsplit(settings.public_url).hostname or ""
        names = ("localhost", settings.host, *settings.allowed_hosts, public)
        self._names = {name.lower().rstrip(".") for name in names if name}
        self._admission = Admission(settings, tokens, requests_a_minute)
        self._headers = ResponseHeaders(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = Visit(self._tokens)
        inner = {**scope, VISIT: visit}
        if scope["method"] == "HEAD":
            inner["method"] = "GET"
        path = inner["path"] = self._path_below_base(inner["path"])
        in_path = split_prefix(path)
        if in_path is not None:
            inner["path"] = in_path.path
            # Starlette reads the decoded path; the end of the token in the raw path is not known.
            inner["raw_path"] = in_path.path.encode("utf-8", "surrogatepass")
        elif (rest := path.removeprefix(FRESHRSS_API)).startswith(READER_API):
            inner["path"] = rest
        request = Request(inner, receive)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.is_answered = True
                self._headers.add(request, MutableHeaders(scope=message))
            await send(message)

        try:
            await self._check(request, in_path, send_guarded)
            return
        except AggregatorError as error:
            # A check raised this error, because the application answers its own errors.
            response = self._error_response(request, error)
        except Exception as error:  # see the docstring of the class
            # The log record lacks the address, which may contain a token.
            _log.exception("a request failed", extra={"event": "request_failed"})
            if visit.is_answered:
                raise
            response = self._error_response(request, error)
        await response(inner, receive, send_guarded)

    def _path_below_base(self, path: str) -> str:
        """Return a path without the path of `public_url`, which some proxies remove and others do not.

        Below `https://example.org/stories`, `/stories/search` is the search and `/stories/ID` a story.
        """
        rest = path.removeprefix(self._base)
        if rest == path or rest[:1] not in ("", "/"):
            return path
        if first_name(self._base) in self._first_names:
            is_removed = not rest or first_name(rest) not in self._first_names
            return path if is_removed else rest
        return rest or "/"

    async def _check(
        self, request: Request, in_path: TokenPath | None, send: Send
    ) -> None:
        """Check the request, then let the application answer it."""
        path = request.scope["path"]
        visit = visit_of(request)
        # Probes that use HTTP/1.0 send no Host header; browsers always send one.
        is_bare_probe = path in PROBES and not request.headers.get("host")
        # IP addresses are safe, because DNS rebinding always involves a host name.
        name = host_name(request)
        is_known = name in self._names or ip_address_of(name) is not None
        if not is_bare_probe and not is_known:
            raise RefusedError(
                421,
                "This server is not configured for this host name. Use its IP address, or set `public_url` "
                "in config.yaml to the address that readers use.",
            )
        is_for_reader = path.startswith(READER_API)
        # `other_origin`: the origin of the page if `server.cors` names it, "*" if all pages may read, else ""
        origin = request.headers.get("origin", "").lower()
        if origin and path.startswith(FOR_PROGRAMS):
            any_origin = "*" if "*" in self._origins else ""
            visit.other_origin = origin if origin in self._origins else any_origin
        # A browser asks with OPTIONS whether a page of another origin may send a request (CORS).
        is_asked = "access-control-request-method" in request.headers
        if request.method == "OPTIONS" and (
            is_for_reader or (is_asked and visit.other_origin)
        ):
            await Response(status_code=204)(request.scope, request.receive, send)
            return
        if "upgrade" in request.headers or not path.startswith(OPEN_FOLDER):
            await self._admission.let_in(request, in_path)
        await self._app(request.scope, request.receive, send)
        if visit.bearer is not None:
            # After the response, so that the client does not wait for the write lock
            try:
                await to_thread.run_sync(self._tokens.note_use, visit.bearer.token)
            except AggregatorError as error:
                _log.debug(
                    "the use of token %s was not stored: %s",
                    visit.bearer.token.id,
                    error,
                    extra={"event": "token_use_unrecorded"},
                )
