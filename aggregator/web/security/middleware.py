"""The access control of the web server: it checks every request and adds headers to every response.

It is one ASGI middleware around all routes, so that it also covers errors and static files. The module also
has the rate limiter by client address (a token bucket), and reads request bodies within limits.
"""

import asyncio
import logging
import math
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from anyio import CapacityLimiter, fail_after, to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aggregator.config.hosts import is_loopback
from aggregator.model.errors import AggregatorError
from aggregator.store.stories import api_tokens
from aggregator.store.stories.api_tokens import ApiToken
from aggregator.web.responses import RefusedError, problem, problem_of
from aggregator.web.security.token_auth import (
    CAME_BY_PROXY,
    COOKIE,
    Bearer,
    BearerAuthenticator,
    GivenSecret,
    TokenPath,
    TokenStore,
    Way,
    allowed_names,
    host_is_allowed,
    is_at_this_machine,
    is_from_loopback,
    is_sent_by_another_site,
    network_of,
    prefixed,
    secret_given,
)
from aggregator.web.settings import PublishSettings

DRAIN_SECONDS = 1.0


async def read_body(
    request: Request,
    max_bytes: int,
    deadline_seconds: float,
    reserve: Callable[[int], None] = lambda _count: None,
) -> bytes:
    """Return the body, with limits on its actual size and duration, whatever the declared length.

    `reserve` is called with the size of each part before the part is stored. Raises RefusedError: 413 for a
    body over `max_bytes`, 408 after `deadline_seconds`, 400 if the client has closed the connection.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > max_bytes:
        raise too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(deadline_seconds):
            async for part in request.stream():
                if len(body) + len(part) > max_bytes:
                    raise too_large(max_bytes)
                reserve(len(part))
                body += part
    except TimeoutError as error:
        raise RefusedError(408, f"the body did not arrive within {deadline_seconds:.0f} s") from error
    except ClientDisconnect as error:
        raise RefusedError(400, "the connection was closed before the end of the body") from error
    return bytes(body)


def too_large(max_bytes: int) -> RefusedError:
    """Return the error for a body that is too long."""
    return RefusedError(413, f"the body is longer than {max_bytes} bytes; send it in several requests")


async def discard_body(request: Request, limit_bytes: int) -> None:
    """Read and discard the rest of the body for up to DRAIN_SECONDS.

    A client whose connection is closed while it sends does not read the response.
    """
    left = limit_bytes
    with suppress(ClientDisconnect, TimeoutError, RuntimeError):  # RuntimeError: the body was read to its end
        async with asyncio.timeout(DRAIN_SECONDS):
            async for part in request.stream():
                left -= len(part)
                if left < 0:
                    return


async def refused(request: Request, error: RefusedError, limit_bytes: int) -> Response:
    """Return the problem of a refused request with a body.

    It closes the connection, because the body may be unread.
    """
    if error.status != 408 and "expect" not in request.headers:
        await discard_body(request, limit_bytes)
    response = problem_of(error)
    response.headers["Connection"] = "close"
    return response


def require_scope(
    request: Request,
    scope: api_tokens.Scope,
    what: str,
    act: str,
    challenge: str = 'Bearer realm="aggregator"',
) -> ApiToken:
    """Return the token of the request. Raises RefusedError: 401 without one, 403 without the scope."""
    token = token_of(request)
    if token is None:
        detail = (
            f"{what} needs a token: send `Authorization: Bearer TOKEN`; "
            f"create one with `aggregator token create NAME --scope {scope}`"
        )
        raise RefusedError(401, detail, headers={"WWW-Authenticate": challenge})
    if not token.may(scope):
        raise RefusedError(403, f"the token {token.name!r} may not {act}; create one with --scope {scope}")
    return token


_MINUTE_SECONDS = 60.0
_REQUESTS_A_MINUTE = 600  # of one address of another machine, without a token (chosen)
_ADDRESSES = 10_000  # stored at most; a further address removes the oldest one


class ClientRateLimiter:
    """Limits the requests of one address (IPv6: its first 64 bits) to a number a minute, and in a burst.

    Safe to use from many threads.
    """

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = a_minute
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens left, and the time of that count
        self._lock = threading.Lock()

    def wait_seconds(self, address: str) -> int:
        """Count a request; return 0, or the seconds after which one is allowed."""
        network, now = network_of(address), self._clock()
        with self._lock:
            left, at = self._buckets.pop(network, (float(self._most), now))
            left = min(self._most, left + (now - at) * self._most / _MINUTE_SECONDS)
            taken = left >= 1
            self._buckets[network] = (left - taken, now)  # at the end, to be removed last
            if len(self._buckets) > _ADDRESSES:
                del self._buckets[next(iter(self._buckets))]
        return 0 if taken else max(1, math.ceil((1 - left) * _MINUTE_SECONDS / self._most))


# Scripts, styles, images and form targets of this server only; no frames, nothing inline.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
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
API = "/api/"
SIGN_IN = "/sign-in"
PUSH = "/api/v1/articles"
MCP = "/mcp"
_APIS = (API, MCP)  # their clients are programs
# The Google Reader API. A client in a browser engine (Fluent Reader) is of another origin, so all may read
# its responses. Its requests have a token in a header that no browser adds by itself.
READER_API = ("/accounts/ClientLogin", "/reader/api/")
BAD_READER_TOKEN = {"Google-Bad-Token": "true", "X-Reader-Google-Bad-Token": "true"}
_OTHER_ORIGINS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Max-Age": "600",
}

# Keys of the scope.
BEARERS = "aggregator.bearers"
OVER_LIMIT = "aggregator.over_limit"  # set if the address has too many requests; a function that logs the 429
_BEARER = "aggregator.bearer"
_PREFIX = "aggregator.prefix"
_MAY_NOT_READ = "aggregator.may_not_read"
_LOCAL_OWNER = "aggregator.local_owner"

MANIFEST = "/manifest.webmanifest"  # browsers fetch it without their cookie
PROBES = frozenset({"/healthz", "/readyz"})
_OPEN_PATHS = PROBES | {
    "/robots.txt",
    MANIFEST,
    SIGN_IN,
    READER_API[0],
}  # open to every client, with or without a token
_PROBE_SECONDS = 1.0  # for the database to look up the token of a probe
_PROBES_AT_ONCE = 4
_OPEN_FOLDER = "/static/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
NO_DATABASE = "The database does not answer."  # for clients other than the owner
_REALM = 'realm="aggregator", charset="UTF-8"'

_log = logging.getLogger(__name__)

# Creates an error response in the format of the requested address: request, status, detail.
ErrorResponse = Callable[[Request, int, str], Response]


class _IncomingRequest(NamedTuple):
    """A request whose path no longer contains a token."""

    scope: Scope
    headers: Headers
    in_path: TokenPath | None

    @property
    def path(self) -> str:
        return str(self.scope["path"])

    @property
    def has_own_header(self) -> bool:
        """Whether it is authorized by a header that no browser adds by itself: neither a cookie nor Basic."""
        scheme = self.headers.get("authorization", "").strip().partition(" ")[0].lower()
        return scheme in ("bearer", "googlelogin")

    @property
    def address(self) -> str:
        client = self.scope.get("client")
        return client[0] if client else ""


class RequestGuard:
    """Refuses unknown Host headers and wrong tokens, answers HEAD like GET without a body, adds headers.

    An exception of the application is logged and answered by `error_response`. Starlette's own handler would
    raise it again, and uvicorn would close the connection on which other requests may wait.

    A web page can point its own host name at 127.0.0.1 (DNS rebinding) and read what a browser on this
    machine may read. It cannot choose the Host header, so a request with an unknown name is refused.

    If the server listens on an address that other machines can reach, clients without a token receive only
    `_OPEN_PATHS` and static files, unless they are the owner.

    `ConnectionLimiter.answer` has replaced the client's address if a trusted proxy forwarded the request.

    A token in the path is removed before the application sees the path, so that it does not appear in logs,
    ETags, links or errors.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: PublishSettings,
        error_response: ErrorResponse,
        tokens: TokenStore | None = None,
        requests_a_minute: int = _REQUESTS_A_MINUTE,
    ) -> None:
        """Without `tokens` no token is valid, and tokens in requests are ignored.

        `requests_a_minute` is a parameter for tests.
        """
        self._app = app
        self._error_response = error_response
        self._bearers = None if tokens is None else BearerAuthenticator(tokens)
        self._settings = settings
        self._names = allowed_names(settings)
        self._rate_limiter = ClientRateLimiter(requests_a_minute)
        self._probing = CapacityLimiter(_PROBES_AT_ONCE)  # threads reserved for probes
        self._is_open_to_others = not is_loopback(settings.host)
        self._is_owner_on_loopback = settings.is_owner_on_loopback
        self._local_form = secrets.token_hex(32)  # the CSRF value of the owner without a token
        self._headers = dict(SECURITY_HEADERS)
        if not settings.index:
            self._headers["X-Robots-Tag"] = "noindex, nofollow"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        without_body = scope["method"] == "HEAD"
        inner: Scope = {**scope, "method": "GET"} if without_body else dict(scope)
        incoming = _IncomingRequest(inner, Headers(scope=inner), self._remove_token(inner))
        guarded = self._guarded(inner, send, without_body=without_body)
        host = incoming.headers.get("host", "")
        # Probes that use HTTP/1.0 send no Host header; browsers always send one.
        if host_is_allowed(host, self._names) or (not host and incoming.path in PROBES):
            await self._answer(incoming, receive, guarded)
        else:
            await _wrong_host(incoming.path)(inner, receive, guarded)

    def _remove_token(self, scope: Scope) -> TokenPath | None:
        in_path = None if self._bearers is None else prefixed(scope["path"])
        if in_path is not None:
            scope["path"] = in_path.path
            # Starlette reads the decoded path; the end of the token in the raw path is not known.
            scope["raw_path"] = in_path.path.encode("utf-8", "surrogatepass")
        return in_path

    async def _answer(self, incoming: _IncomingRequest, receive: Receive, send: Send) -> None:
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._checked(incoming, receive, note_start)
        except Exception:  # see the docstring of the class
            # Without the address, which may contain a token.
            _log.exception("a request failed", extra={"event": "request_failed"})
            if started:
                raise
            detail = "An internal error occurred; see the log of the program."
            await self._error_response(Request(incoming.scope), 500, detail)(incoming.scope, receive, send)

    async def _checked(self, incoming: _IncomingRequest, receive: Receive, send: Send) -> None:
        """Check the request, then let the application answer it."""
        scope, bearer = incoming.scope, None
        if scope["method"] == "OPTIONS" and incoming.path.startswith(READER_API):
            await Response(status_code=204)(scope, receive, send)
            return
        is_plain = "upgrade" not in incoming.headers and not scope.get(OVER_LIMIT)
        if not (is_plain and incoming.path.startswith(_OPEN_FOLDER)):
            try:
                bearer = await self._let_in(incoming)
            except AggregatorError as error:
                response = self._refusal(incoming, error)
                # The body may be unread.
                response.headers["Connection"] = "close"
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
        if bearer is not None and self._bearers is not None:
            await _note_use(self._bearers.tokens, bearer.token)

    async def _let_in(self, incoming: _IncomingRequest) -> Bearer | None:
        """Return the bearer of the request's token; None without a token.

        Raises RefusedError, or another AggregatorError if the database does not answer.
        """
        if incoming.headers.get("upgrade", "").strip().lower() == "websocket":
            raise RefusedError(400, "WebSocket is not supported")
        by_reader = incoming.path.startswith(READER_API)
        by_form = not incoming.path.startswith(_APIS) and not by_reader
        by_others = is_sent_by_another_site(incoming.headers, self._settings, by_form=by_form)
        if incoming.scope["method"] not in _SAFE and by_others and not by_reader:
            raise RefusedError(403, "the request was sent by a page of another site")
        local = self._is_owner_on_loopback and is_at_this_machine(Request(incoming.scope))
        local = local and not (by_reader and by_others)  # a page of another site needs a token
        incoming.scope[_LOCAL_OWNER] = self._local_form if local else ""
        incoming.scope[_MAY_NOT_READ] = self._is_open_to_others and not local
        bearer = None
        if self._bearers is not None:
            incoming.scope[BEARERS] = self._bearers
            bearer = await self._bearer(incoming, self._bearers)
        if by_reader and by_others and not incoming.has_own_header:
            bearer = None
        if by_reader and bearer is not None and not bearer.form:
            bearer = None  # a token in the path only reads
        if bearer is not None:
            incoming.scope[_BEARER] = bearer
            incoming.scope[_MAY_NOT_READ] &= not bearer.token.may("read")
        self._limit_rate(incoming, bearer)
        self._refuse_without_token(incoming, bearer)
        return bearer

    async def _bearer(self, incoming: _IncomingRequest, bearers: BearerAuthenticator) -> Bearer | None:
        given = secret_given(incoming.headers, incoming.in_path)
        if given is None:
            return None
        bearer = await self._holder(incoming, bearers, given)
        if bearer is None:
            if given.way == "cookie":  # of a revoked token: the browser is treated as signed out
                incoming.scope[_OLD_COOKIE] = True
            bearers.refuse_more(incoming.address)
            if given.way != "cookie":
                raise RefusedError(
                    401, "this token is unknown or was revoked", headers=_challenge(incoming, given.way)
                )
        elif given.way == "path" and incoming.in_path is not None:
            incoming.scope[_PREFIX] = incoming.in_path.prefix
        return bearer

    async def _holder(
        self, incoming: _IncomingRequest, bearers: BearerAuthenticator, given: GivenSecret
    ) -> Bearer | None:
        """Look up the token. For a probe the lookup has a time limit and threads of its own."""
        if incoming.path not in PROBES:
            return await to_thread.run_sync(bearers.bearer, given)
        try:
            with fail_after(_PROBE_SECONDS):
                return await to_thread.run_sync(
                    bearers.bearer, given, abandon_on_cancel=True, limiter=self._probing
                )
        except TimeoutError as error:
            raise AggregatorError("the database does not answer; the token cannot be checked") from error

    def _limit_rate(self, incoming: _IncomingRequest, bearer: Bearer | None) -> None:
        """Refuse too frequent requests of one address without a token. Raises RefusedError (429).

        Clients behind an untrusted proxy on this machine all have its address and are not counted. Any client
        can send forwarding headers, so they do not exempt requests from other machines.
        """
        if bearer is None and (log_refusal := incoming.scope.get(OVER_LIMIT)):
            log_refusal()
            detail = "too many simultaneous requests from this address; try again later, or send a token"
            raise RefusedError(429, detail, headers={"Retry-After": "1"})
        counted = CAME_BY_PROXY in incoming.scope or not is_from_loopback(Request(incoming.scope))
        if bearer is not None or incoming.path in PROBES or not counted:
            return
        wait = self._rate_limiter.wait_seconds(incoming.address)
        if wait:
            raise RefusedError(429, "too many requests from this address", headers={"Retry-After": str(wait)})

    def _refuse_without_token(self, incoming: _IncomingRequest, bearer: Bearer | None) -> None:
        """Require a token if other machines can reach the address and the client is not the owner."""
        if not incoming.scope[_MAY_NOT_READ] or incoming.path in _OPEN_PATHS:
            return
        if bearer is None:
            if self._bearers is not None and "authorization" in incoming.headers:
                self._bearers.refuse_more(incoming.address)  # a password without the prefix of a token
            detail = "this server requires a token: as the password with any user name, or as Bearer"
            raise RefusedError(401, detail, headers=_challenge(incoming, "header"))
        if incoming.path != PUSH:
            raise RefusedError(403, f"the token {bearer.token.name!r} may not read")

    def _refusal(self, incoming: _IncomingRequest, error: AggregatorError) -> Response:
        if not isinstance(error, RefusedError):
            return self._error_response(
                Request(incoming.scope), 503, NO_DATABASE
            )  # its message names files and hosts
        response = self._error_response(Request(incoming.scope), error.status, str(error))
        response.headers.update(error.headers)
        return response

    def _guarded(self, scope: Scope, send: Send, *, without_body: bool) -> Send:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", REVALIDATE)
                if scope["path"].startswith(READER_API):
                    headers.update(_OTHER_ORIGINS)
                _adjust_headers(headers, scope)
            elif message["type"] == "http.response.body" and without_body:
                if message.get("more_body", False):
                    return
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        return send_guarded


_OLD_COOKIE = "aggregator.old_cookie"


def _adjust_headers(headers: MutableHeaders, scope: Scope) -> None:
    """Add the token of the path to a local `Location`, and delete the cookie of a revoked token."""
    place, prefix = headers.get("location", ""), scope.get(_PREFIX, "")
    if prefix and place.startswith("/") and not place.startswith("//"):
        headers["Location"] = prefix + place
    is_set = any(value.startswith(f"{COOKIE}=") for value in headers.getlist("set-cookie"))
    if scope.get(_OLD_COOKIE) and not is_set:
        headers.append("Set-Cookie", f"{COOKIE}=; Max-Age=0; Path=/; HttpOnly; SameSite=lax")


def _challenge(incoming: _IncomingRequest, way: Way) -> dict[str, str]:
    """Return the WWW-Authenticate header.

    Basic makes feed readers and browsers ask for a password; clients of the API receive Bearer.
    """
    if incoming.path.startswith(READER_API):
        return BAD_READER_TOKEN
    by_basic = incoming.headers.get("authorization", "").lower().startswith("basic")
    if incoming.path.startswith(_APIS) and not by_basic and way == "header":
        return {"WWW-Authenticate": 'Bearer realm="aggregator"'}
    return {"WWW-Authenticate": f"Basic {_REALM}"}


async def _note_use(tokens: TokenStore, token: ApiToken) -> None:
    """Store the time of use after the response, so that the client does not wait for the write lock."""
    try:
        await to_thread.run_sync(tokens.note_use, token)
    except AggregatorError as error:
        _log.debug(
            "the use of token %s was not stored: %s",
            token.id,
            error,
            extra={"event": "token_use_unrecorded"},
        )


def token_of(request: Request) -> ApiToken | None:
    """Return the valid token of the request; None without one."""
    bearer: Bearer | None = request.scope.get(_BEARER)
    return None if bearer is None else bearer.token


def form_value(request: Request) -> str:
    """Return the CSRF value for forms of this client; "" if it may not send forms.

    It is that of its token, unless the path contains the token, or of the owner on loopback.
    """
    bearer: Bearer | None = request.scope.get(_BEARER)
    return str(request.scope.get(_LOCAL_OWNER, "")) if bearer is None else bearer.form


def prefix_of(request: Request) -> str:
    """Return `/t/TOKEN` if the path began with it, else "". It is a secret, to be used in links only."""
    prefix: str = request.scope.get(_PREFIX, "")
    return prefix


def may_not_read(request: Request) -> bool:
    """Return whether the client may see open pages only, without feed links or titles of saved queries."""
    return bool(request.scope.get(_MAY_NOT_READ))


def is_owner(request: Request) -> bool:
    """Return whether the client is the owner: by a token of scope read, or by `is_owner_on_loopback`."""
    token = token_of(request)
    return (token is not None and token.may("read")) or bool(request.scope.get(_LOCAL_OWNER))


def may_change_sources(request: Request) -> bool:
    """Return whether a page may change sources: a token of scope admin, or the owner on loopback without one.

    A token in the path never may (see `BearerAuthenticator.bearer`).
    """
    token = token_of(request)
    return bool(request.scope.get(_LOCAL_OWNER)) if token is None else token.may("admin")


def _wrong_host(path: str) -> Response:
    text = (
        "This server is not configured for this host name.\n"
        "Use its IP address, or set `public_url` in config.yaml to the address that readers use.\n"
    )
    if path.startswith(API):
        return problem(421, " ".join(text.split()))
    return PlainTextResponse(text, 421)
