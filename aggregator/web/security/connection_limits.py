"""Limits on requests at once, and the deadline for the head of a request.

A connection that sends no complete request in time is closed, and uvicorn closes one that is idle between two
requests. Active requests are at most half of the files that the process may open. The remaining files are for
idle connections, the database and the rest of the process.
"""

import asyncio
import logging
import re
import resource
from collections import Counter
from collections.abc import Iterable
from email.utils import formatdate
from typing import Any

import h11
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.h11_impl import H11Protocol

from aggregator.config.hosts import ip_address_of
from aggregator.model.errors import TooManyFilesError
from aggregator.web.security.origin import CAME_BY_PROXY
from aggregator.web.security.paths import PROBES
from aggregator.web.security.rate_limit import network_of

# The most active requests at once, from all addresses (chosen: half of the usual limit of 1,024 open files)
REQUESTS = 512
# The head of a request must arrive in this time; the code that reads a body sets its deadline.
REQUEST_SECONDS = 10.0
# The most connections that wait to be accepted
BACKLOG = 128
# Requests of one client that run at the same time, and that wait for their turn. Python runs one thread at a time,
# so a front page of 30 ms beside 16 large lists takes about half a second (chosen).
RUNNING_OF_ONE = 16
WAITING_OF_ONE = 64
NOTE_SECONDS = 60.0  # between two log lines

_log = logging.getLogger(__name__)
# The warnings of uvicorn are replaced by the log lines below, which are less frequent.
_uvicorn_log = logging.getLogger(f"{__name__}.uvicorn")
_uvicorn_log.setLevel(logging.ERROR)


_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(
    rb"^(?:content-length|transfer-encoding)[ \t]*:.*", re.IGNORECASE | re.MULTILINE
)


class ConnectionLimiter:
    """Counts the active requests of one server, around its application.

    For the event loop only.
    """

    def __init__(self, app: ASGIApp, trusted_proxies: Iterable[str] = ()) -> None:
        """`trusted_proxies`: networks (CIDR), validated by config/publish_settings.py."""
        self._app = app
        self._forwarded = ProxyHeadersMiddleware(self._answer, [*trusted_proxies])  # type: ignore[arg-type]
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most = REQUESTS if files < 0 else min(REQUESTS, files // 2)
        self._active = 0  # requests, including those of clients that disconnected
        # Requests of each client, and the turns that they wait for
        self._of_one = Counter[tuple[str, str]]()
        self._turns: dict[tuple[str, str], asyncio.Semaphore] = {}
        self._quiet_until = 0.0

    def note(self, message: str) -> None:
        """Log a message about a client, at most one in NOTE_SECONDS."""
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + NOTE_SECONDS
            _log.warning("%s", message, extra={"event": "connection_refused"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: apply the forwarding headers of a trusted proxy, which says who its clients are."""
        client = scope.get("client")
        if client is not None:
            address = str(ip_address_of(client[0]) or client[0])
            scope["client"] = (address, client[1])
            if address in self._forwarded.trusted_hosts:
                scope[CAME_BY_PROXY] = True
        await self._forwarded(scope, receive, send)  # type: ignore[arg-type]

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, unless too many requests are active; probes are always answered."""
        if scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        if self._active >= self._most:
            self.note(
                f"{self._most} requests are active; another one was answered with 503"
            )
            await service_unavailable(scope, receive, send)  # type: ignore[arg-type]
            return
        self._active += 1
        try:
            if scope["method"] in ("GET", "HEAD"):
                await self._answer_in_turn(scope, receive, send)
            else:  # a body that arrives slowly must not keep other requests waiting
                await self._app(scope, receive, send)
        finally:
            self._active -= 1

    async def _answer_in_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application when it is the turn of this client: one address with one token."""
        address = network_of(scope["client"][0]) if scope.get("client") else ""
        asker = (address, Headers(scope=scope).get("authorization", ""))
        most = RUNNING_OF_ONE + WAITING_OF_ONE
        if self._of_one[asker] >= most:
            self.note(f"{address} sends over {most} requests at once; it gets 429")
            refusal = PlainTextResponse(
                f"send at most {most} requests at once\n", 429, {"Retry-After": "1"}
            )
            await refusal(scope, receive, send)
            return
        self._of_one[asker] += 1
        turn = self._turns.setdefault(asker, asyncio.Semaphore(RUNNING_OF_ONE))
        try:
            async with turn:
                await self._app(scope, receive, send)
        finally:
            self._of_one[asker] -= 1
            if not self._of_one[asker]:
                del self._of_one[asker], self._turns[asker]


def _is_ambiguous(head: bytes) -> bool:
    """Return whether another server may read other fields in a complete head than h11.

    A head may state its length more than once, of which h11 takes one, or have lines that end without a carriage
    return, which some servers take for a part of the line.
    """
    lengths = _LENGTH.findall(head)
    is_length_unclear = len(lengths) > 1 or b"," in b"".join(lengths)
    return is_length_unclear or _BARE_LINE_FEED.search(head) is not None


class TimeoutProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with a deadline for connections without a complete request."""

    _deadline: asyncio.TimerHandle | None = None

    def __init__(self, limiter: ConnectionLimiter, **arguments: Any) -> None:
        """`arguments` are those of uvicorn."""
        super().__init__(**arguments)
        self.logger = _uvicorn_log
        self._limiter = limiter

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline, which also applies to connections that send nothing."""
        super().connection_made(transport)
        self._update_deadline()

    def data_received(self, data: bytes) -> None:
        """Handle bytes; an incomplete request head does not extend the deadline."""
        # The header Date of responses; uvicorn itself would set it once a second, even while no request comes.
        self.server_state.default_headers = [
            (b"date", formatdate(usegmt=True).encode())
        ]
        super().data_received(data)
        self._update_deadline()

    def handle_events(self) -> None:
        """Refuse a request whose end is ambiguous, because a proxy before this server may have seen another end."""
        if self.conn.their_state is h11.IDLE:
            received = self.conn.trailing_data[0]
            end = _END_OF_HEAD.search(received)
            if end is not None and _is_ambiguous(received[: end.end()]):
                self.send_400_response("")
                return
        super().handle_events()

    def on_response_complete(self) -> None:
        """Restart the deadline, since the connection is idle until the next request."""
        super().on_response_complete()
        self._update_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline."""
        super().connection_lost(exc)
        self._cancel_deadline()

    def send_400_response(self, _msg: str) -> None:
        """Answer 400, unless a response has begun, and close the connection."""
        self._limiter.note("a request was malformed; its connection was closed")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        try:
            super().send_400_response("This is not a valid HTTP request.\n")
        except h11.LocalProtocolError:
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Log WebSocket requests, which RequestGuard refuses; other upgrades (h2c) may be ignored."""
        if self._get_upgrade() == b"websocket":
            self._limiter.note("a WebSocket request was refused")

    def _update_deadline(self) -> None:
        is_idle = self.cycle is None or self.cycle.response_complete
        if not is_idle or self.transport.is_closing():
            self._cancel_deadline()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def log_lack_of_files(loop: asyncio.AbstractEventLoop) -> None:
    """Have `loop` log at most every NOTE_SECONDS that no connection is accepted for lack of open files.

    asyncio would log a traceback for each place in the backlog, once a second.
    """
    quiet_until = 0.0

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal quiet_until
        error = context.get("exception")
        if error is None or not TooManyFilesError.is_behind(error):
            loop.default_exception_handler(context)
        elif loop.time() >= quiet_until:
            quiet_until = loop.time() + NOTE_SECONDS
            _log.error(
                "no connection is accepted: %s",
                TooManyFilesError(),
                extra={"event": "open_files_exhausted"},
            )

    loop.set_exception_handler(handle)
