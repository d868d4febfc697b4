"""Limits on the number and the duration of connections, and the log lines about clients that exceed them.

A connection is idle while it has no complete request: it is new, has sent a part of a request head, or is
between two requests. Idle connections cost a client nothing. So a connection over a limit closes the oldest
idle one, and is itself accepted. When active requests fill a limit, a quarter more connections may be idle;
otherwise each new connection would close the previous one before its request head is read.

All clients behind an untrusted proxy on this machine have a loopback address. So loopback may use all
connections except OF_ONE_ADDRESS, which remain for requests with a token and for other addresses.

Connections use at most five eighths of the files that the process may open: half of them, and a quarter of
that half for idle ones. The remaining files are for the database and the rest of the process.
"""

import asyncio
import logging
import re
import resource
import select
import socket
from collections import Counter
from collections.abc import Iterable, Set
from functools import partial
from itertools import islice
from typing import Any

import h11
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.h11_impl import H11Protocol

from aggregator.config.hosts import ip_address_of, is_loopback
from aggregator.config.messages import counted
from aggregator.model.errors import TooManyFilesError
from aggregator.web.security.middleware import OVER_LIMIT, PROBES
from aggregator.web.security.token_auth import CAME_BY_PROXY, network_of

CONNECTIONS = 512  # simultaneous, of all addresses (chosen: half of the usual limit of 1,024 open files)
OF_ONE_ADDRESS = 32  # simultaneous, without a token (chosen: browsers open 6, feed readers a few)
FOR_PROBES = 16  # requests of probes on this machine that are answered beyond CONNECTIONS (chosen)
REQUEST_SECONDS = 10.0  # for the head of a request; the code that reads a body sets its deadline
BACKLOG = 128  # connections that wait to be accepted
UNREAD_SECONDS = 60  # a connection is closed if the client reads nothing of a response for so long
_IDLE_SHARE = 4  # a limit allows one idle connection more for each four connections
# Of X-Forwarded-Host; any other value is ignored.
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?", re.ASCII)
_CROWD = "too many simultaneous requests of one address; one without a token was answered with 429"
NOTE_SECONDS = 60.0  # between two identical log lines

_log = logging.getLogger(__name__)
# The warnings of uvicorn are replaced by the log lines below, which are less frequent.
_uvicorn_log = logging.getLogger(f"{__name__}.uvicorn")
_uvicorn_log.setLevel(logging.ERROR)


class RepeatedLogLines:
    """Log lines about clients: the first of a kind at once, then at most one line a minute with a count."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()  # since the last line of the kind

    def note(self, message: str, address: str) -> None:
        """Log or count the message. To be called in the event loop only."""
        if message in self._counts:
            self._counts[message] += 1
        else:
            self._log(message, f"from {address}")

    def _log(self, message: str, more: str) -> None:
        _log.warning("%s (%s)", message, more, extra={"event": "connection_refused"})
        self._counts[message] = 0
        asyncio.get_running_loop().call_later(NOTE_SECONDS, self._log_count, message)

    def _log_count(self, message: str) -> None:
        if count := self._counts.pop(message):
            self._log(message, f"{counted(count, 'more time')} within {NOTE_SECONDS:.0f} s")


class ConnectionLimiter:
    """Counts the connections of one server and their active requests, around its application.

    For the event loop only.
    """

    def __init__(self, app: ASGIApp, trusted_proxies: Iterable[str] = ()) -> None:
        """`trusted_proxies`: networks (CIDR), validated by config/settings.py."""
        self.notes = RepeatedLogLines()
        self._app = app
        self._forwarded = ProxyHeadersMiddleware(self._answer, [*trusted_proxies])  # type: ignore[arg-type]
        self._most = most_connections()
        self._open: set[TimeoutProtocol] = set()
        self._requests: Counter[str] = Counter()  # active, by address; also of clients that disconnected
        self._idle: dict[TimeoutProtocol, None] = {}  # in the order in which they became idle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: apply the forwarding headers of a trusted proxy, which says who its clients are."""
        client = scope.get("client")
        if client is not None:
            address = str(ip_address_of(client[0]) or client[0])
            scope["client"] = (address, client[1])
            if self._trusts(address):
                scope[CAME_BY_PROXY] = True
                named = ",".join(Headers(scope=scope).getlist("x-forwarded-host")).rpartition(",")[2].strip()
                if _HOST.fullmatch(named):
                    others = [(name, value) for name, value in scope["headers"] if name != b"host"]
                    scope["headers"] = [(b"host", named.encode("ascii")), *others]
        await self._forwarded(scope, receive, send)  # type: ignore[arg-type]

    def enter(self, connection: "TimeoutProtocol") -> None:
        """Count a new connection; over a limit, close the oldest idle one."""
        same_address = {one for one in self._open if one.address == connection.address}
        self._make_room(same_address, self._limit_of(connection.peer))
        self._make_room(self._open, self._most)
        self._open.add(connection)
        self._idle[connection] = None

    def leave(self, connection: "TimeoutProtocol") -> None:
        """Remove a connection that has ended or is about to end; a second call has no effect."""
        self._open.discard(connection)
        self._idle.pop(connection, None)

    def set_idle(self, connection: "TimeoutProtocol", *, is_idle: bool) -> None:
        """Set whether the connection has no active request."""
        if not is_idle:
            self._idle.pop(connection, None)
        elif connection in self._open:
            self._idle.setdefault(connection)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application; answer 503 if too many requests are active.

        Over the limit of one address OVER_LIMIT is set, and RequestGuard then requires a token.
        """
        client = str(scope["client"][0]) if scope["client"] else ""
        address, is_probe = network_of(client), scope["path"] in PROBES and is_loopback(client)
        self._requests[address] += 1
        try:
            if self._requests.total() > self._most + (FOR_PROBES if is_probe else 0):
                self.notes.note(
                    f"{self._most} requests are active; another one was answered with 503", address
                )
                await service_unavailable(scope, receive, send)  # type: ignore[arg-type]
                return
            if self._requests[address] > self._limit_of(client) and not is_probe:
                scope[OVER_LIMIT] = partial(self.notes.note, _CROWD, address)
            await self._app(scope, receive, send)
        finally:
            self._requests[address] -= 1
            if not self._requests[address]:
                del self._requests[address]

    def _limit_of(self, address: str) -> int:
        """Return the limit of connections, and of active requests without a token, of an address.

        A trusted proxy has only the limit of all connections.
        """
        if self._trusts(address):
            return self._most
        return max(OF_ONE_ADDRESS, self._most - OF_ONE_ADDRESS) if is_loopback(address) else OF_ONE_ADDRESS

    def _trusts(self, address: str) -> bool:
        return str(ip_address_of(address)) in self._forwarded.trusted_hosts

    def _make_room(self, connections: Set["TimeoutProtocol"], limit: int) -> None:
        """If `connections` have reached `limit`, close their oldest idle ones."""
        idle = [one for one in self._idle if one in connections]
        excess = max(0, min(len(connections) + 1 - limit, len(idle) + 1 - limit // _IDLE_SHARE))
        for one in islice((one for one in idle if not one.has_unread_bytes), excess):
            self.notes.note("too many connections: one without a request was closed", one.address)
            self.leave(one)
            one.transport.abort()


class TimeoutProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with a deadline for connections without a complete request."""

    _deadline: asyncio.TimerHandle | None = None
    peer = ""  # the address of the other side, ...
    address = ""  # ... or the network of it that counts as one

    def __init__(self, limiter: ConnectionLimiter, **arguments: Any) -> None:
        """`arguments` are those of uvicorn."""
        super().__init__(**arguments)
        self.logger = _uvicorn_log
        self._limiter = limiter

    @property
    def has_unread_bytes(self) -> bool:
        """Whether the client is connected and has sent bytes that the event loop has not read yet."""
        file = self.transport.get_extra_info("socket").fileno()
        if file < 0:
            return False
        poll = select.poll()
        poll.register(file, select.POLLIN | getattr(select, "POLLRDHUP", 0))  # the latter: Linux
        return poll.poll(0) == [(file, select.POLLIN)]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline, which also applies to connections that send nothing."""
        super().connection_made(transport)
        self.peer = self.client[0] if self.client else ""
        self.address = network_of(self.peer)
        self._limiter.enter(self)
        self._update_deadline()

    def data_received(self, data: bytes) -> None:
        """Handle bytes; an incomplete request head does not extend the deadline."""
        super().data_received(data)
        self._update_deadline()

    def on_response_complete(self) -> None:
        """Restart the deadline, since the connection is idle until the next request."""
        super().on_response_complete()
        self._update_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection and its deadline."""
        super().connection_lost(exc)
        self._limiter.leave(self)
        self._cancel_deadline()

    def send_400_response(self, _msg: str) -> None:
        """Answer 400, unless a response has begun, and close the connection."""
        self._limiter.notes.note("a request was malformed; its connection was closed", self.address)
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
            self._limiter.notes.note("a WebSocket request was refused", self.address)

    def _update_deadline(self) -> None:
        is_idle = self.cycle is None or self.cycle.response_complete
        self._limiter.set_idle(self, is_idle=is_idle)
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
                "no connection is accepted: %s", TooManyFilesError(), extra={"event": "open_files_exhausted"}
            )

    loop.set_exception_handler(handle)


def close_unread(listener: socket.socket) -> None:
    """Have the kernel close connections whose client reads nothing for UNREAD_SECONDS (Linux only)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, UNREAD_SECONDS * 1000)
