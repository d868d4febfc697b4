"""The access control of the web server: it checks every request and adds headers to every response.

It is one ASGI middleware around all routes, so that it also covers errors and static files. The module also
reads request bodies within limits.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from urllib.parse import unquote

import msgspec
from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aggregator.config.hosts import is_loopback
from aggregator.model.errors import AggregatorError
from aggregator.store import api_tokens
from aggregator.store.api_tokens import ApiToken
from aggregator.web.responses import RefusedError
from aggregator.web.security import token_auth
from aggregator.web.settings import PublishSettings


async def read_body(request: Request, max_bytes: int, deadline_seconds: float) -> bytes:
    """Return the body, with limits on its actual size and duration, whatever the declared length.

    Raises RefusedError: 413 for a body over `max_bytes`, 408 after `deadline_seconds`, 400 if the client has
    closed the connection.
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
                body += part
    except TimeoutError as error:
        raise RefusedError(
            408, f"the body did not arrive within {deadline_seconds:.0f} s"
        ) from error
    except ClientDisconnect as error:
        raise RefusedError(
            400, "the connection was closed before the end of the body"
        ) from error
    return bytes(body)


def too_large(max_bytes: int) -> RefusedError:
    """Return the error for a body that is too long."""
    return RefusedError(
        413, f"the body is longer than {max_bytes} bytes; send it in several requests"
    )


_BEARER = 'Bearer realm="aggregator"'


def require_scope(request: Request, scope: api_tokens.Scope) -> ApiToken:
    """Return the token of the request. Raises RefusedError: 401 without one, 403 without the scope."""
    token = token_of(request)
    create = f"create one with `aggregator token create NAME --scope {scope}`"
    if token is None:
        detail = f"this needs a token: send `Authorization: Bearer TOKEN`; {create}"
        raise RefusedError(401, detail, headers={"WWW-Authenticate": _BEARER})
    if not token.may(scope):
        raise RefusedError(403, f"the token {token.name!r} may not do this; {create}")
    return token


_BAD_TOKENS_A_MINUTE = 10  # from one address; further ones are answered with 429
# Of one address of another machine, without a token (chosen: slow ones leave room)
_REQUESTS_A_MINUTE = 300

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
API = "/api/"
SIGN_IN = "/sign-in"
PUSH = "/api/v1/articles"
# The Google Reader API. A client in a browser engine (Fluent Reader) is of another origin, so all may read
# its responses. Its requests have a token in a header that no browser adds by itself.
READER_API = ("/accounts/ClientLogin", "/reader/api/")
FRESHRSS_API = "/api/greader.php"  # some clients put this before the paths
BAD_READER_TOKEN = {"Google-Bad-Token": "true", "X-Reader-Google-Bad-Token": "true"}
_OTHER_ORIGINS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Max-Age": "600",
}
# What pages of `server.cors` may use; not the pages of this server, whose forms have secrets.
_FOR_PROGRAMS = (API, "/feeds/")
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

_VISIT = "aggregator.visit"  # in the scope: its Visit

PROBES = frozenset({"/healthz", "/readyz"})
# Open to every client, with or without a token.
_OPEN_PATHS = PROBES | {"/robots.txt", SIGN_IN, READER_API[0]}
_OPEN_FOLDER = "/static/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REALM = 'realm="aggregator", charset="UTF-8"'
_MAX_SECRET_CHARS = 200

_log = logging.getLogger(__name__)

# Creates the response to a refused or failed request, in the format of the requested address.
ErrorResponse = Callable[[Request, Exception], Response]


class Visit(msgspec.Struct):
    """What the guard knows of a request; the functions below tell it to the application."""

    guard: "RequestGuard | None" = None
    bearer: token_auth.Bearer | None = None
    prefix: str = ""  # "/t/TOKEN" if the path began with it
    # The CSRF value of the owner on loopback without a token; "" for others
    local_form: str = ""
    may_not_read: bool = False
    other_origin: str = ""  # of `server.cors`, or "*", if its pages may read the answer
    has_old_cookie: bool = False  # of a revoked token
    is_answered: bool = False


class RequestGuard:
    """Refuses unknown Host headers and wrong tokens, answers HEAD like GET without a body, adds headers.

    An exception of the application is logged and answered by `error_response`. Starlette's own handler would
    raise it again, and uvicorn would close the connection on which other requests may wait.

    A web page can point its own host name at 127.0.0.1 (DNS rebinding) and read what a browser on this
    machine may read. It cannot choose the Host header, so a request with an unknown name is refused.

    If the server listens on an address that other machines can reach, clients without a token receive only
    `_OPEN_PATHS` and static files, unless they are the owner.

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
        tokens: token_auth.TokenStore | None = None,
        first_names: Collection[str] = (),
        requests_a_minute: int = _REQUESTS_A_MINUTE,
    ) -> None:
        """Without `tokens` no token is valid, and tokens in requests are ignored.

        `first_names`: with which the paths of the application begin, such as `stories`.
        `requests_a_minute` is a parameter for tests.
        """
        self._app = app
        self._error_response = error_response
        self.tokens = tokens
        self._settings = settings
        self._base = settings.base_path
        self._origins = {origin.lower() for origin in settings.cors}
        self._first_names = {*first_names, "t"}
        self._names = token_auth.allowed_names(settings)
        self._requests = token_auth.AddressLimiter(requests_a_minute)
        # Over the limit only further wrong tokens are refused, because clients behind a proxy share one
        # address. A token has 256 random bits, so it cannot be guessed.
        self._wrong_tokens = token_auth.AddressLimiter(_BAD_TOKENS_A_MINUTE)
        self._local_form = secrets.token_hex(32)
        self._headers = dict(SECURITY_HEADERS)
        if not settings.index:
            self._headers["X-Robots-Tag"] = "noindex, nofollow"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = Visit(self)
        inner: Scope = {**scope, _VISIT: visit}
        if scope["method"] == "HEAD":
            inner["method"] = "GET"
        path = inner["path"] = self._path_below_base(scope["path"])
        in_path = None if self.tokens is None else token_auth.prefixed(path)
        if in_path is not None:
            inner["path"] = in_path.path
            # Starlette reads the decoded path; the end of the token in the raw path is not known.
            inner["raw_path"] = in_path.path.encode("utf-8", "surrogatepass")
        elif (rest := path.removeprefix(FRESHRSS_API)).startswith(READER_API):
            inner["path"] = rest
        request, guarded = (
            Request(inner, receive),
            self._guarded(inner, send, scope["method"] == "HEAD"),
        )
        try:
            await self._checked(request, in_path, guarded)
            return
        except AggregatorError as error:  # of a check: the application answers its own
            response = self._error_response(request, error)
        except Exception as error:  # see the docstring of the class
            # Without the address, which may contain a token.
            _log.exception("a request failed", extra={"event": "request_failed"})
            if visit.is_answered:
                raise
            response = self._error_response(request, error)
        await response(inner, receive, guarded)

    def _path_below_base(self, path: str) -> str:
        """Return a path without that of `public_url`, which some proxies have removed and others have not.

        Below `https://example.org/stories`, `/stories/search` is the search and `/stories/ID` a story.
        """
        base = unquote(self._base)
        rest = path.removeprefix(base)
        if rest == path or rest[:1] not in ("", "/"):
            return path
        if token_auth.first_name(base) in self._first_names:
            is_removed = (
                not rest or token_auth.first_name(rest) not in self._first_names
            )
            return path if is_removed else rest
        return rest or "/"

    async def _checked(
        self, request: Request, in_path: token_auth.TokenPath | None, send: Send
    ) -> None:
        """Check the request, then let the application answer it."""
        path, host, visit = (
            request.scope["path"],
            request.headers.get("host", ""),
            _visit(request),
        )
        # Probes that use HTTP/1.0 send no Host header; browsers always send one.
        if not token_auth.host_is_allowed(host, self._names) and (
            host or path not in PROBES
        ):
            raise RefusedError(
                421,
                "This server is not configured for this host name. Use its IP address, or set `public_url` "
                "in config.yaml to the address that readers use.",
            )
        visit.other_origin = self._other_origin(request)
        is_preflight = (
            visit.other_origin and "access-control-request-method" in request.headers
        )
        if request.method == "OPTIONS" and (
            is_preflight or path.startswith(READER_API)
        ):
            await Response(status_code=204)(request.scope, request.receive, send)
            return
        if "upgrade" in request.headers or not path.startswith(_OPEN_FOLDER):
            await self._let_in(request, visit, in_path)
        await self._app(request.scope, request.receive, send)
        if visit.bearer is not None and self.tokens is not None:
            await _note_use(self.tokens, visit.bearer.token)

    def _other_origin(self, request: Request) -> str:
        """Return the origin of `server.cors` whose page asks, "*" if any may read, else ""."""
        origin = request.headers.get("origin", "").lower()
        if not origin or not request.scope["path"].startswith(_FOR_PROGRAMS):
            return ""
        if origin in self._origins:
            return origin
        return "*" if "*" in self._origins else ""

    async def _let_in(
        self, request: Request, visit: Visit, in_path: token_auth.TokenPath | None
    ) -> None:
        """Find out who asks.

        Raises RefusedError, or another AggregatorError if the database does not answer.
        """
        if request.headers.get("upgrade", "").strip().lower() == "websocket":
            raise RefusedError(400, "WebSocket is not supported")
        path = request.scope["path"]
        by_reader = path.startswith(READER_API)
        # No browser adds these by itself, unlike a cookie or Basic; a token in the path only reads.
        has_own = (
            request.headers.get("authorization", "")
            .lower()
            .startswith(("bearer ", "googlelogin "))
        )
        is_open = by_reader or bool(visit.other_origin)
        by_form = not path.startswith(API) and not by_reader
        by_others = token_auth.is_sent_by_another_site(
            request.headers, self._settings, by_form=by_form
        )
        may_write = by_reader or (
            visit.other_origin in self._origins - {"*"} and has_own
        )
        if request.method not in _SAFE and by_others and not may_write:
            raise RefusedError(403, "the request was sent by a page of another site")
        is_local = (
            self._settings.is_owner_on_loopback
            and token_auth.is_at_this_machine(request)
        )
        # A page of another site needs a token
        if is_local and not (is_open and by_others):
            visit.local_form = self._local_form
        visit.may_not_read = (
            not is_loopback(self._settings.host) and not visit.local_form
        )
        if self.tokens is not None and path not in PROBES:  # these wait for no database
            bearer = await self._bearer(request, visit, self.tokens, in_path)
            is_foreign = (is_open and by_others and not has_own) or (
                by_reader and bearer and not bearer.form
            )
            if bearer is not None and not is_foreign:
                visit.bearer = bearer
                visit.may_not_read &= not bearer.token.may("read")
        self._limit_rate(request, visit.bearer)
        if visit.may_not_read and path not in _OPEN_PATHS:
            self._require_token(request, visit.bearer)

    async def _bearer(
        self,
        request: Request,
        visit: Visit,
        tokens: token_auth.TokenStore,
        in_path: token_auth.TokenPath | None,
    ) -> token_auth.Bearer | None:
        given = token_auth.secret_given(request.headers, in_path)
        if given is None:
            return None
        bearer = await to_thread.run_sync(tokens.bearer, given)
        if bearer is None:
            # The browser is treated as signed out
            visit.has_old_cookie = given.way == "cookie"
            self.count_wrong_token(request)
            if not visit.has_old_cookie:
                detail = "this token is unknown or was revoked"
                raise RefusedError(401, detail, headers=_challenge(request, given.way))
        elif in_path is not None and given.way == "path":
            visit.prefix = in_path.prefix
        return bearer

    def count_wrong_token(self, request: Request) -> None:
        """Count a wrong token of this address. Raises RefusedError (429) over the limit."""
        self._wrong_tokens.take(
            _address(request), "too many wrong tokens from this address"
        )

    def _limit_rate(self, request: Request, bearer: token_auth.Bearer | None) -> None:
        """Refuse too frequent requests of one address without a token. Raises RefusedError (429).

        Clients behind an untrusted proxy on this machine all have its address and are not counted. Any client
        can send forwarding headers, so they do not exempt requests from other machines.
        """
        if bearer is not None:
            return
        is_counted = (
            token_auth.CAME_BY_PROXY in request.scope
            or not token_auth.is_from_loopback(request)
        )
        if is_counted and request.scope["path"] not in PROBES:
            self._requests.take(
                _address(request), "too many requests from this address"
            )

    def _require_token(
        self, request: Request, bearer: token_auth.Bearer | None
    ) -> None:
        """Refuse a client that may not read. Only pushing is possible without it."""
        if bearer is None:
            if self.tokens is not None and "authorization" in request.headers:
                # A password without the prefix of a token
                self.count_wrong_token(request)
            detail = "this server requires a token: as the password with any user name, or as Bearer"
            raise RefusedError(401, detail, headers=_challenge(request, "header"))
        if request.scope["path"] != PUSH:
            raise RefusedError(403, f"the token {bearer.token.name!r} may not read")

    def _guarded(self, scope: Scope, send: Send, without_body: bool) -> Send:
        visit: Visit = scope[_VISIT]

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.is_answered = True
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                if self._settings.images == "direct" and is_owner(Request(scope)):
                    # Pictures of articles; over plain HTTP only where the page is read so.
                    others = "https:" if scope["scheme"] == "https" else "https: http:"
                    policy = CONTENT_SECURITY_POLICY.replace(
                        _PICTURES, f"{_PICTURES} {others}"
                    )
                    headers["Content-Security-Policy"] = policy
                headers.setdefault("Cache-Control", REVALIDATE)
                if scope["path"].startswith(READER_API):
                    headers.update(_OTHER_ORIGINS)
                elif visit.other_origin:
                    headers.update(
                        _ANY_ORIGIN if visit.other_origin == "*" else _NAMED_ORIGIN
                    )
                    headers["Access-Control-Allow-Origin"] = visit.other_origin
                if self._origins and scope["path"].startswith(_FOR_PROGRAMS):
                    headers.add_vary_header("Origin")
                place = headers.get("location", "")
                if place.startswith("/") and not place.startswith("//"):
                    headers["Location"] = self._base + visit.prefix + place
                is_set = any(
                    value.startswith(f"{token_auth.COOKIE}=")
                    for value in headers.getlist("set-cookie")
                )
                if visit.has_old_cookie and not is_set:
                    headers.append(
                        "Set-Cookie",
                        f"{token_auth.COOKIE}=; Max-Age=0; Path={self._base or '/'}; HttpOnly; SameSite=lax",
                    )
            elif message["type"] == "http.response.body" and without_body:
                if message.get("more_body", False):
                    return
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        return send_guarded


def _visit(request: Request) -> Visit:
    visit: Visit | None = request.scope.get(_VISIT)
    return visit or Visit()


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _challenge(request: Request, way: token_auth.Way) -> dict[str, str]:
    """Return the WWW-Authenticate header.

    Basic makes feed readers and browsers ask for a password; clients of the API receive Bearer.
    """
    path = request.scope["path"]
    if path.startswith(READER_API):
        return BAD_READER_TOKEN
    by_basic = request.headers.get("authorization", "").lower().startswith("basic")
    if path.startswith(API) and not by_basic and way == "header":
        return {"WWW-Authenticate": _BEARER}
    return {"WWW-Authenticate": f"Basic {_REALM}"}


async def _note_use(tokens: token_auth.TokenStore, token: ApiToken) -> None:
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
    bearer = _visit(request).bearer
    return None if bearer is None else bearer.token


def sign_in(request: Request, secret: str) -> ApiToken | None:
    """Return the token with this secret; None for a wrong one. It blocks, because it reads the database.

    Raises RefusedError (429) after too many wrong tokens from one address within a minute.
    """
    guard = _visit(request).guard
    if guard is None or guard.tokens is None:
        return None
    given = token_auth.GivenSecret(secret.strip()[:_MAX_SECRET_CHARS], "cookie")
    bearer = guard.tokens.bearer(given)
    if bearer is None:
        guard.count_wrong_token(request)
        return None
    return bearer.token


def form_value(request: Request) -> str:
    """Return the CSRF value for forms of this client; "" if it may not send forms.

    It is that of its token, unless the path contains the token, or of the owner on loopback.
    """
    visit = _visit(request)
    return visit.local_form if visit.bearer is None else visit.bearer.form


def prefix_of(request: Request) -> str:
    """Return `/t/TOKEN` if the path began with it, else "". It is a secret, to be used in links only."""
    return _visit(request).prefix


def may_not_read(request: Request) -> bool:
    """Return whether the client may see open pages only, without feed links or titles of saved queries."""
    return _visit(request).may_not_read


def is_owner(request: Request) -> bool:
    """Return whether the client is the owner: by a token of scope read, or by `is_owner_on_loopback`."""
    token = token_of(request)
    return (token is not None and token.may("read")) or bool(_visit(request).local_form)


def may_edit(request: Request) -> bool:
    """Return whether a page may change sources and stories: a token of scope admin, or the owner on loopback.

    A token in the path never may (see `TokenStore.bearer`).
    """
    token = token_of(request)
    return bool(_visit(request).local_form) if token is None else token.may("admin")
