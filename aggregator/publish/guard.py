"""The door of the web server: which requests come in, and what every answer carries.

One ASGI layer around all routes, so that no route, error or static file can be without it.
"""

import ipaddress
import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aggregator.errors import AggregatorError
from aggregator.publish.answers import problem
from aggregator.publish.bearers import BadTokens, Tokens, secret_in
from aggregator.publish.settings import PublishSettings
from aggregator.store.tokens import Token

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
_BEARER = "aggregator.token"  # of the scope: the token that came with the request
_FORWARDING = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


# What an answer holds depends on who asks and changes with the next article: kept by browsers alone, and
# asked for again each time.
REVALIDATE = "private, no-cache"


_log = logging.getLogger(__name__)


class Guard:
    """Refuses foreign Host headers and wrong tokens, answers HEAD like GET without a body, adds headers.

    It is also the last resort: a fault of ours inside is logged and answered by `say_fault`. (Starlette's own
    handler would raise it again, which makes uvicorn cut the connection that other requests wait on.)

    A page on the web can point its own name at 127.0.0.1 (DNS rebinding) and read what this machine's browser
    may read; it cannot choose the Host header, so an unknown name there is refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: PublishSettings,
        say_fault: Callable[[Request], Response],
        tokens: Tokens | None = None,
    ) -> None:
        """Without `tokens` nobody has one, and what comes as one is passed over."""
        self._app = app
        self._say_fault = say_fault
        self._tokens = tokens
        self._bad_tokens = BadTokens()
        self._names = allowed_names(settings)
        self._headers = dict(SECURITY_HEADERS)
        if not settings.index:
            self._headers["X-Robots-Tag"] = "noindex, nofollow"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        without_body = scope["method"] == "HEAD"
        guarded = self._guarded(send, without_body=without_body)
        if not host_is_allowed(Headers(scope=scope).get("host", ""), self._names):
            await _refuse_host(guarded)
            return
        inner_scope = {**scope, "method": "GET"} if without_body else dict(scope)
        await self._answer(inner_scope, receive, guarded)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The answer, where no token came or one in force did."""
        secret = secret_in(Headers(scope=scope).get("authorization", ""))
        if self._tokens is None or secret is None:
            await self._app(scope, receive, send)
            return
        try:
            token = await to_thread.run_sync(self._tokens.holder, secret)
        except AggregatorError as error:
            await problem(503, "Service Unavailable", str(error))(scope, receive, send)
            return
        if token is None:
            await self._wrong_token(scope)(scope, receive, send)
            return
        scope[_BEARER] = token
        await self._app(scope, receive, send)
        await self._note_use(self._tokens, token)

    def _wrong_token(self, scope: Scope) -> Response:
        client = scope.get("client")
        wait = self._bad_tokens.wait_seconds(client[0] if client else "")
        if wait:
            response = problem(429, "Too Many Requests", "too many wrong tokens from this address")
            response.headers["Retry-After"] = str(wait)
        else:
            response = problem(401, "Unauthorized", "this token is none, or was revoked")
            response.headers["WWW-Authenticate"] = "Bearer"
        response.headers["Connection"] = "close"  # whatever is still being sent is nobody's business
        return response

    async def _note_use(self, tokens: Tokens, token: Token) -> None:
        """After the answer, so that nobody waits for a database that is being written to."""
        try:
            await to_thread.run_sync(tokens.note_use, token)
        except AggregatorError as error:
            _log.debug("the use of token %s is not noted: %s", token.id, error)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._checked(scope, receive, note_start)
        except Exception:  # the boundary named above
            _log.exception("a request failed")  # without its address, which may hold a token
            if started:
                raise
            await self._say_fault(Request(scope))(scope, receive, send)

    def _guarded(self, send: Send, *, without_body: bool) -> Send:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", REVALIDATE)
            elif message["type"] == "http.response.body" and without_body:
                if message.get("more_body", False):
                    return
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        return send_guarded


def allowed_names(settings: PublishSettings) -> frozenset[str]:
    """Names (not numbers) that a request's Host may be."""
    public = urlsplit(settings.public_url).hostname if settings.public_url else None
    names = ("localhost", settings.host, *settings.allowed_hosts, public or "")
    return frozenset(name.lower().rstrip(".") for name in names if name)


def host_is_allowed(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header is one of `names`, or an IP address: a rebinding page's Host is always a name."""
    name = _host_name(host)
    return name in names or _as_address(name) is not None


def token_of(request: Request) -> Token | None:
    """The token that came with the request; it is in force."""
    token: Token | None = request.scope.get(_BEARER)
    return token


def is_owner(request: Request) -> bool:
    """Whether the owner asks: at this machine, or with a token that may read."""
    token = token_of(request)
    return (token is not None and token.may("read")) or _is_at_this_machine(request)


def _is_at_this_machine(request: Request) -> bool:
    """From loopback, for loopback, and through no proxy."""
    client = _as_address(request.client.host) if request.client else None
    asked_for = _host_name(request.headers.get("host", ""))
    asked_address = _as_address(asked_for)
    return (
        client is not None
        and client.is_loopback
        and (asked_for == "localhost" or (asked_address is not None and asked_address.is_loopback))
        and not any(name in request.headers for name in _FORWARDING)
    )


def _host_name(host: str) -> str:
    """The name in a Host header without its port, lower case; "" when it cannot be read."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _as_address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


async def _refuse_host(send: Send) -> None:
    body = (
        b"This server does not answer to that name.\n"
        b"Open it by its address, or set publish.public_url in config.yaml to the name it has.\n"
    )
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body})
