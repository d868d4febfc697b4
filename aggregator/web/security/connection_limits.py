"""Limits on the duration of connections, and what trusted proxies say of their clients.

uvicorn limits their number (`limit_concurrency`): over it, requests are answered with 503. It has no limit on the
time in which the head of a request must arrive, so a connection without a complete request has one here.

Connections use at most half of the files that the process may open. The remaining files are for the database and
the rest of the process.
"""

import asyncio
import logging
import resource
import socket
from collections.abc import Iterable
from email.utils import formatdate
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol

from aggregator.config.hosts import ip_address_of
from aggregator.model.errors import TooManyFilesError
from aggregator.web.security.origin import CAME_BY_PROXY

# simultaneous, of all addresses (chosen: half of the usual limit of 1,024 open files)
CONNECTIONS = 512
# For the head of a request; the code that reads a body sets its deadline
REQUEST_SECONDS = 10.0
BACKLOG = 128  # connections that wait to be accepted
# A connection is closed if the client reads nothing of a response for so long
UNREAD_SECONDS = 60
NOTE_SECONDS = 60.0  # between two log lines

_log = logging.getLogger(__name__)
# uvicorn warns of each malformed request, which strangers may send without end.
_uvicorn_log = logging.getLogger(f"{__name__}.uvicorn")
_uvicorn_log.setLevel(logging.ERROR)


class ForwardedClients:
    """Applies the forwarding headers of trusted proxies, which say who their clients are."""

    def __init__(self, app: ASGIApp, trusted_proxies: Iterable[str] = ()) -> None:
        """`trusted_proxies`: networks (CIDR), validated by config/publish_settings.py."""
        self._forwarded = ProxyHeadersMiddleware(app, [*trusted_proxies])  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: note who came by a trusted proxy, and replace the address of the client."""
        client = scope.get("client")
        if client is not None:
            address = str(ip_address_of(client[0]) or client[0])
            scope["client"] = (address, client[1])
            if address in self._forwarded.trusted_hosts:
                scope[CAME_BY_PROXY] = True
        await self._forwarded(scope, receive, send)  # type: ignore[arg-type]


class TimeoutProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with a deadline for connections without a complete request."""

    _deadline: asyncio.TimerHandle | None = None

    def __init__(self, **arguments: Any) -> None:
        """`arguments` are those of uvicorn."""
        super().__init__(**arguments)
        self.logger = _uvicorn_log

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline, which also applies to connections that send nothing."""
        super().connection_made(transport)
        self._update_deadline()

    def data_received(self, data: bytes) -> None:
        """Handle bytes; an incomplete request head does not extend the deadline."""
        # The time of responses, which uvicorn itself sets by a timer, though nobody asks.
        self.server_state.default_headers = [
            (b"date", formatdate(usegmt=True).encode())
        ]
        super().data_received(data)
        self._update_deadline()

    def on_response_complete(self) -> None:
        """Restart the deadline, since the connection is idle until the next request."""
        super().on_response_complete()
        self._update_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection and its deadline."""
        super().connection_lost(exc)
        self._cancel_deadline()

    def send_400_response(self, _msg: str) -> None:
        """Answer 400, unless a response has begun, and close the connection."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        try:
            super().send_400_response("This is not a valid HTTP request.\n")
        except h11.LocalProtocolError:
            self.transport.close()

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


def most_connections() -> int:
    """Return CONNECTIONS, or less if the process may open few files."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return CONNECTIONS if files < 0 else min(CONNECTIONS, files // 2)


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


def close_unread(listener: socket.socket) -> None:
    """Have the kernel close connections whose client reads nothing for UNREAD_SECONDS (Linux only)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, UNREAD_SECONDS * 1000)
