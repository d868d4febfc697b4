"""The door of the web server: which requests come in, and what every answer carries.

One ASGI layer around all routes, so that no route, error or static file can be without it.

How often one address may ask: a bucket for each that fills up with time.

Taking the body of a request in, within limits of size and time.
"""

import asyncio
import logging
import math
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

from aggregator.config.hosts import is_loopback, is_owner_on_loopback
from aggregator.model.errors import AggregatorError
from aggregator.store.stories.api_tokens import ApiToken
from aggregator.web.responses import RefusedError, problem
from aggregator.web.security.request_origin import (
    CAME_BY_PROXY,
    allowed_names,
    host_is_allowed,
    is_at_this_machine,
    is_from_loopback,
    is_sent_by_another_site,
    network_of,
)
from aggregator.web.security.token_auth import (
    COOKIE,
    Bearer,
    BearerAuthenticator,
    GivenSecret,
    TokenPath,
    TokenStore,
    Way,
    prefixed,
    secret_given,
)
from aggregator.web.security.trusted_proxies import TrustedProxies
from aggregator.web.settings import PublishSettings

DRAIN_SECONDS = 1.0


async def received(
    request: Request,
    max_bytes: int,
    deadline_seconds: float,
    take_room: Callable[[int], None] = lambda _count: None,
) -> bytes:
    """The body, counted while it comes: neither its declared length nor its pace is believed.

    `take_room` is told of each part before it is kept. Raises RefusedError.
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
                take_room(len(part))
                body += part
    except TimeoutError as error:
        raise RefusedError(408, f"the body did not come within {deadline_seconds:.0f} s") from error
    return bytes(body)


def too_large(max_bytes: int) -> RefusedError:
    """What is answered to a longer body."""
    return RefusedError(413, f"the body is longer than {max_bytes} bytes; send it in several requests")


async def drained(request: Request, limit_bytes: int) -> None:
    """Let pass what is still being sent, for a moment: who is cut off while sending never sees the answer."""
    left = limit_bytes
    with suppress(ClientDisconnect, TimeoutError, RuntimeError):  # the last: the body was read to its end
        async with asyncio.timeout(DRAIN_SECONDS):
            async for part in request.stream():
                left -= len(part)
                if left < 0:
                    return


_MINUTE_SECONDS = 60.0
_ADDRESSES = 10_000  # that are remembered; a flood of others makes us forget the oldest


class ClientRateLimiter:
    """So many requests a minute from one address (of IPv6: its first 64 bits), as many at once at most.

    Safe to use from many threads.
    """

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = a_minute
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # what is left, and when that was so
        self._lock = threading.Lock()

    def wait_seconds(self, address: str) -> int:
        """Takes one; 0, or after how many seconds there is one to be taken."""
        network, now = network_of(address), self._clock()
        with self._lock:
            left, at = self._buckets.pop(network, (float(self._most), now))
            left = min(self._most, left + (now - at) * self._most / _MINUTE_SECONDS)
            taken = left >= 1
            self._buckets[network] = (left - taken, now)  # at the end: the last to be forgotten
            if len(self._buckets) > _ADDRESSES:
                del self._buckets[next(iter(self._buckets))]
        return 0 if taken else max(1, math.ceil((1 - left) * _MINUTE_SECONDS / self._most))


# No script, style, image, form target or frame but our own; nothing inline.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SECURITY_HEADERS: dict[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# What an answer holds depends on who asks and changes with the next article: kept by browsers alone, and
# asked for again each time.
REVALIDATE = "private, no-cache"
API = "/api/"
SIGN_IN = "/sign-in"
PUSH = "/api/v1/articles"

# Keys of the scope.
BEARERS = "aggregator.bearers"
OVER_LIMIT = "aggregator.crowded"  # so many requests of this address are under way that others need a token
_BEARER = "aggregator.bearer"
_PREFIX = "aggregator.prefix"
_STRANGER = "aggregator.stranger"
_LOCAL_OWNER = "aggregator.local_owner"

PROBES = frozenset({"/healthz", "/readyz"})
_OPEN_PATHS = PROBES | {"/robots.txt", SIGN_IN}  # on every address, with or without a token
_PROBE_SECONDS = 1.0  # for the database to say whose token a probe came with
_PROBES_AT_ONCE = 4
_OPEN_FOLDER = "/static/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
NO_DATABASE = "The database does not answer."  # to others than the owner
_REALM = 'realm="aggregator", charset="UTF-8"'

_log = logging.getLogger(__name__)

# Makes the answer that says what is wrong, in the form of what was asked for: request, status, words.
Say = Callable[[Request, int, str], Response]


class _IncomingRequest(NamedTuple):
    """A request at the door. Its address is without a token already."""

    scope: Scope
    headers: Headers
    in_path: TokenPath | None

    @property
    def path(self) -> str:
        return str(self.scope["path"])

    @property
    def address(self) -> str:
        client = self.scope.get("client")
        return client[0] if client else ""


class RequestGuard:
    """Refuses foreign Host headers and wrong tokens, answers HEAD like GET without a body, adds headers.

    It is also the last resort: a fault of ours inside is logged and answered by `say`. (Starlette's own
    handler would raise it again, which makes uvicorn cut the connection that other requests wait on.)

    A page on the web can point its own name at 127.0.0.1 (DNS rebinding) and read what this machine's browser
    may read; it cannot choose the Host header, so an unknown name there is refused.

    Where the server listens on an address that other machines reach, nothing but what is in `_OPEN_PATHS`
    and the style sheets is answered without a token, to others than the owner.

    Trusted proxies (proxies.py) tell where a request comes from; all below goes by that.

    A token in the address is taken off before anything inside sees it, so that it comes into no log, ETag,
    link or error.
    """

    def __init__(
        self, app: ASGIApp, settings: PublishSettings, say: Say, tokens: TokenStore | None = None
    ) -> None:
        """Without `tokens` nobody has one, and what comes as one is passed over."""
        self._app = app
        self._say = say
        self._bearers = None if tokens is None else BearerAuthenticator(tokens)
        self._settings = settings
        self._names = allowed_names(settings)
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._rate_limiter = (
            ClientRateLimiter(settings.requests_a_minute) if settings.requests_a_minute else None
        )
        self._probing = CapacityLimiter(_PROBES_AT_ONCE)  # apart from all other threads
        self._is_open_to_others = not is_loopback(settings.host)
        self._is_owner_on_loopback = is_owner_on_loopback(
            public_url=settings.public_url,
            allowed_hosts=settings.allowed_hosts,
            is_set=settings.owner_on_loopback,
        )
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
        self._proxies.apply(inner)
        incoming = _IncomingRequest(inner, Headers(scope=inner), self._address_taken_off(inner))
        guarded = self._guarded(inner, send, without_body=without_body)
        if host_is_allowed(incoming.headers.get("host", ""), self._names):
            await self._answer(incoming, receive, guarded)
        else:
            await _wrong_host(incoming.path)(inner, receive, guarded)

    def _address_taken_off(self, scope: Scope) -> TokenPath | None:
        in_path = None if self._bearers is None else prefixed(scope["path"])
        if in_path is not None:
            scope["path"] = in_path.path
            # Starlette reads the decoded one; where the token's own bytes end in the raw one is not known.
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
        except Exception:  # the boundary named above
            _log.exception("a request failed")  # without its address, which may hold a token
            if started:
                raise
            words = "This is a fault of the program; its log says more."
            await self._say(Request(incoming.scope), 500, words)(incoming.scope, receive, send)

    async def _checked(self, incoming: _IncomingRequest, receive: Receive, send: Send) -> None:
        """The answer, where who asks may have one."""
        scope, bearer = incoming.scope, None
        is_plain = "upgrade" not in incoming.headers and not scope.get(OVER_LIMIT)
        if not (is_plain and incoming.path.startswith(_OPEN_FOLDER)):
            try:
                bearer = await self._let_in(incoming)
            except AggregatorError as error:
                response = self._refusal(incoming, error)
                # Whatever is still being sent is nobody's business.
                response.headers["Connection"] = "close"
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
        if bearer is not None and self._bearers is not None:
            await _note_use(self._bearers.tokens, bearer.token)

    async def _let_in(self, incoming: _IncomingRequest) -> Bearer | None:
        """Whose request it is. Raises RefusedError, or another AggregatorError where nobody can say."""
        if incoming.headers.get("upgrade", "").strip().lower() == "websocket":
            raise RefusedError(400, "there is no WebSocket here: ask by HTTP alone")
        by_form = not incoming.path.startswith(API)
        if incoming.scope["method"] not in _SAFE and is_sent_by_another_site(
            incoming.headers, self._settings, by_form=by_form
        ):
            raise RefusedError(403, "a page of another site may not send this")
        local = self._is_owner_on_loopback and is_at_this_machine(Request(incoming.scope))
        incoming.scope[_LOCAL_OWNER] = local
        incoming.scope[_STRANGER] = self._is_open_to_others and not local
        bearer = None
        if self._bearers is not None:
            incoming.scope[BEARERS] = self._bearers
            bearer = await self._bearer(incoming, self._bearers)
        if bearer is not None:
            incoming.scope[_BEARER] = bearer
            incoming.scope[_STRANGER] &= not bearer.token.may("read")
        self._hold_back(incoming, bearer)
        self._refuse_strangers(incoming, bearer)
        return bearer

    async def _bearer(self, incoming: _IncomingRequest, bearers: BearerAuthenticator) -> Bearer | None:
        given = secret_given(incoming.headers, incoming.in_path)
        if given is None:
            return None
        bearer = await self._holder(incoming, bearers, given)
        if bearer is None:
            if given.way == "cookie":  # of a token that was revoked: nobody is locked out by it
                incoming.scope[_OLD_COOKIE] = True
            bearers.refuse_more(incoming.address)
            if given.way != "cookie":
                raise RefusedError(
                    401, "this token is none, or was revoked", headers=_challenge(incoming, given.way)
                )
        elif given.way == "path" and incoming.in_path is not None:
            incoming.scope[_PREFIX] = incoming.in_path.prefix
        return bearer

    async def _holder(
        self, incoming: _IncomingRequest, bearers: BearerAuthenticator, given: GivenSecret
    ) -> Bearer | None:
        """Whose token it is. A probe hears in time that nobody can say, though all threads wait already."""
        if incoming.path not in PROBES:
            return await to_thread.run_sync(bearers.bearer, given)
        try:
            with fail_after(_PROBE_SECONDS):
                return await to_thread.run_sync(
                    bearers.bearer, given, abandon_on_cancel=True, limiter=self._probing
                )
        except TimeoutError as error:
            raise AggregatorError(
                "the database does not answer; nobody can say whose token this is"
            ) from error

    def _hold_back(self, incoming: _IncomingRequest, bearer: Bearer | None) -> None:
        """Who asks too often from elsewhere, without a token, waits.

        Behind a proxy of this machine that nobody trusts all have its address, and are not counted. What a
        request from elsewhere says of proxies anybody could write, so it counts as any other.
        """
        if incoming.scope.get(OVER_LIMIT) and bearer is None:
            words = "too many requests of this address are under way; ask again, or with a token"
            raise RefusedError(429, words, headers={"Retry-After": "1"})
        counted = CAME_BY_PROXY in incoming.scope or not is_from_loopback(Request(incoming.scope))
        if self._rate_limiter is None or bearer is not None or incoming.path in PROBES or not counted:
            return
        wait = self._rate_limiter.wait_seconds(incoming.address)
        if wait:
            raise RefusedError(429, "too many requests from this address", headers={"Retry-After": str(wait)})

    def _refuse_strangers(self, incoming: _IncomingRequest, bearer: Bearer | None) -> None:
        """On an address that others reach, only the owner needs no token."""
        if not incoming.scope[_STRANGER] or incoming.path in _OPEN_PATHS:
            return
        if bearer is None:
            if self._bearers is not None and "authorization" in incoming.headers:
                self._bearers.refuse_more(incoming.address)  # a password that is not even like a token
            words = "this server answers with a token only: as password of any user name, or as Bearer"
            raise RefusedError(401, words, headers=_challenge(incoming, "header"))
        if incoming.path != PUSH:
            raise RefusedError(403, f"the token {bearer.token.name!r} may not read")

    def _refusal(self, incoming: _IncomingRequest, error: AggregatorError) -> Response:
        if not isinstance(error, RefusedError):
            return self._say(Request(incoming.scope), 503, NO_DATABASE)  # its own words name files and hosts
        response = self._say(Request(incoming.scope), error.status, str(error))
        response.headers.update(error.headers)
        return response

    def _guarded(self, scope: Scope, send: Send, *, without_body: bool) -> Send:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", REVALIDATE)
                _mend(headers, scope)
            elif message["type"] == "http.response.body" and without_body:
                if message.get("more_body", False):
                    return
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        return send_guarded


_OLD_COOKIE = "aggregator.old_cookie"


def _mend(headers: MutableHeaders, scope: Scope) -> None:
    """An address of ours in `Location` keeps the token that led there; a cookie that opens nothing goes."""
    place, prefix = headers.get("location", ""), scope.get(_PREFIX, "")
    if prefix and place.startswith("/") and not place.startswith("//"):
        headers["Location"] = prefix + place
    if scope.get(_OLD_COOKIE) and "set-cookie" not in headers:
        headers.append("Set-Cookie", f"{COOKIE}=; Max-Age=0; Path=/; HttpOnly; SameSite=lax")


def _challenge(incoming: _IncomingRequest, way: Way) -> dict[str, str]:
    """Feed readers and browsers ask for a password where Basic is named; programs should not."""
    by_basic = incoming.headers.get("authorization", "").lower().startswith("basic")
    if incoming.path.startswith(API) and not by_basic and way == "header":
        return {"WWW-Authenticate": 'Bearer realm="aggregator"'}
    return {"WWW-Authenticate": f"Basic {_REALM}"}


async def _note_use(tokens: TokenStore, token: ApiToken) -> None:
    """After the answer, so that nobody waits for a database that is being written to."""
    try:
        await to_thread.run_sync(tokens.note_use, token)
    except AggregatorError as error:
        _log.debug("the use of token %s is not noted: %s", token.id, error)


def token_of(request: Request) -> ApiToken | None:
    """The token that came with the request; it is in force."""
    bearer: Bearer | None = request.scope.get(_BEARER)
    return None if bearer is None else bearer.token


def form_value(request: Request) -> str:
    """What a form of this request's holder carries; "" where no token came, or it came in the address."""
    bearer: Bearer | None = request.scope.get(_BEARER)
    return "" if bearer is None else bearer.form


def prefix_of(request: Request) -> str:
    """`/t/TOKEN` where the address began so, else "". For links of pages alone: it is a secret."""
    prefix: str = request.scope.get(_PREFIX, "")
    return prefix


def is_stranger(request: Request) -> bool:
    """Whether nothing but the door itself may be shown: what is there to be read is nobody's business."""
    return bool(request.scope.get(_STRANGER))


def is_owner(request: Request) -> bool:
    """Whether the owner asks: with a token that may read, or from loopback (`hosts.is_owner_on_loopback`)."""
    token = token_of(request)
    return (token is not None and token.may("read")) or bool(request.scope.get(_LOCAL_OWNER))


def _wrong_host(path: str) -> Response:
    words = (
        "This server does not answer to that name.\n"
        "Open it by its address, or set `public_url` in config.yaml to the address that people type.\n"
    )
    if path.startswith(API):
        return problem(421, " ".join(words.split()))
    return PlainTextResponse(words, 421)
