"""Connections: how many there may be, how long they may take, and what is said of those that misbehave.

A connection is idle while no whole request has come on it: new, in the middle of a request's head, or between
two requests. Idle connections cost those who hold them nothing, so one more than allowed ends the oldest idle
one instead of keeping the new one out.

At most half of the files that this process may open are connections; the rest is for the rest of it.
"""

import asyncio
import logging
import resource
import socket
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.h11_impl import H11Protocol

from aggregator.config.hosts import is_loopback
from aggregator.config.messages import counted
from aggregator.model.errors import TooManyFilesError
from aggregator.web.security.middleware import OVER_LIMIT, PROBES
from aggregator.web.security.request_origin import network_of
from aggregator.web.security.trusted_proxies import TrustedProxies

CONNECTIONS = 512  # at once, of all addresses (chosen: well within the 1,024 open files that processes get)
OF_ONE_ADDRESS = 32  # at once, without a token (chosen: browsers open 6, feed readers a few)
FOR_PROBES = 16  # requests of probes on this machine that are answered beyond CONNECTIONS (chosen)
REQUEST_SECONDS = 10.0  # for the head of a request; its body has the deadline of whoever reads it
BACKLOG = 128  # connections that wait to be taken, and are taken in one go
UNREAD_SECONDS = 60  # an answer of which nothing is taken for so long is given up
NOTE_SECONDS = 60.0  # between two lines of the log that say the same

_log = logging.getLogger(__name__)
# What uvicorn warns of is said below, in other words and less often.
_uvicorn_log = logging.getLogger(f"{__name__}.uvicorn")
_uvicorn_log.setLevel(logging.ERROR)


class RepeatedLogLines:
    """Log lines about what strangers do: each kind at once, then at most one line a minute that counts."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()  # since the last line of the kind

    def note(self, words: str, address: str) -> None:
        """For the event loop alone."""
        if words in self._counts:
            self._counts[words] += 1
            return
        _log.warning("%s (from %s)", words, address)
        self._wait(words)

    def _wait(self, words: str) -> None:
        self._counts[words] = 0
        asyncio.get_running_loop().call_later(NOTE_SECONDS, self._look, words)

    def _look(self, words: str) -> None:
        count = self._counts.pop(words)
        if count:
            _log.warning("%s (%s within %.0f s)", words, counted(count, "more time"), NOTE_SECONDS)
            self._wait(words)


class ConnectionLimiter:
    """All connections of one server, and the requests under way on them. For the event loop alone."""

    def __init__(self, trusted_proxies: Iterable[str] = ()) -> None:
        self.notes = RepeatedLogLines()
        self.proxies = TrustedProxies(trusted_proxies)
        self._most = most_connections()
        self._addresses: Counter[str] = Counter()  # connections
        self._requests: Counter[str] = Counter()  # under way, by address; also where the client has left
        self._idle: dict[TimeoutProtocol, None] = {}  # since when: the oldest first

    def enter(self, connection: "TimeoutProtocol") -> None:
        """A new connection. Where there are too many, the oldest idle one ends."""
        address = connection.address
        is_free = self.proxies.trusts(connection.peer)
        own = [] if is_free else [one for one in self._idle if one.address == address]
        self._end(own[: max(0, self._addresses[address] + 1 - OF_ONE_ADDRESS)])
        self._end([*self._idle][: max(0, self._addresses.total() + 1 - self._most)])
        self._addresses[address] += 1
        self._idle[connection] = None

    def leave(self, connection: "TimeoutProtocol") -> None:
        """The connection has ended, or is about to; it may be said twice."""
        if connection.has_left:
            return
        connection.has_left = True
        self._idle.pop(connection, None)
        _take_one(self._addresses, connection.address)

    def set_idle(self, connection: "TimeoutProtocol", *, is_idle: bool) -> None:
        """Whether no request is under way on the connection."""
        if not is_idle:
            self._idle.pop(connection, None)
        elif not connection.has_left:
            self._idle.setdefault(connection)

    async def answer(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """`app`'s answer, unless too many requests are under way; the guard asks for a token in a crowd."""
        peer = str(scope["client"][0]) if scope["client"] else ""
        address, is_probe = network_of(peer), scope["path"] in PROBES and is_loopback(peer)
        self._requests[address] += 1
        try:
            if self._requests.total() > self._most + (FOR_PROBES if is_probe else 0):
                self.notes.note(f"{self._most} requests are under way; a further one got 503", address)
                await service_unavailable(scope, receive, send)  # type: ignore[arg-type]
                return
            is_crowd = self._requests[address] > OF_ONE_ADDRESS and not is_probe
            scope[OVER_LIMIT] = is_crowd and not self.proxies.trusts(peer)
            await app(scope, receive, send)
        finally:
            _take_one(self._requests, address)

    def _end(self, idle: Iterable["TimeoutProtocol"]) -> None:
        for one in idle:
            self.notes.note("too many connections: one without a request was closed", one.address)
            self.leave(one)
            one.transport.abort()


def _take_one(counter: Counter[str], address: str) -> None:
    counter[address] -= 1
    if not counter[address]:
        del counter[address]


class TimeoutProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn has it; a connection on which nothing is answered and no request is whole ends."""

    _deadline: asyncio.TimerHandle | None = None
    peer = ""  # the address of the other side, ...
    address = ""  # ... or the network of it that counts as one
    has_left = False

    def __init__(self, limiter: ConnectionLimiter, **given: Any) -> None:
        """`given` is uvicorn's own."""
        super().__init__(**given)
        self.logger = _uvicorn_log
        self._limiter = limiter
        self.app = partial(limiter.answer, self.app)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Also a connection that sends nothing at all is bounded."""
        super().connection_made(transport)
        self.peer = self.client[0] if self.client else ""
        self.address = network_of(self.peer)
        self._limiter.enter(self)
        self._look()

    def data_received(self, data: bytes) -> None:
        """Bytes that do not end the request do not win time."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """The connection is idle until the next request."""
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to be ended."""
        super().connection_lost(exc)
        self._limiter.leave(self)
        self._forget()

    def send_400_response(self, _msg: str) -> None:
        """Say what was wrong, unless an answer has begun already; then the connection ends."""
        self._limiter.notes.note("a request was malformed; its connection was closed", self.address)
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        try:
            super().send_400_response("This is no HTTP request that this server can read.\n")
        except h11.LocalProtocolError:
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """The guard refuses WebSockets; other upgrades (h2c) are offers that need not be taken up."""
        if self._get_upgrade() == b"websocket":
            self._limiter.notes.note("a WebSocket was asked for and refused: there is none", self.address)

    def _look(self) -> None:
        is_idle = self.cycle is None or self.cycle.response_complete
        self._limiter.set_idle(self, is_idle=is_idle)
        if not is_idle or self.transport.is_closing():
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def most_connections() -> int:
    """CONNECTIONS, or less where this process may open few files."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return CONNECTIONS if files < 0 else min(CONNECTIONS, files // 2)


def tell_in_words(loop: asyncio.AbstractEventLoop) -> None:
    """Have `loop` say once in a while that no connection can be taken, for lack of files.

    asyncio tells it with a trace for each place in the backlog, once a second.
    """
    told_until = 0.0

    def tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal told_until
        error = context.get("exception")
        if error is None or not TooManyFilesError.is_behind(error):
            loop.default_exception_handler(context)
        elif loop.time() >= told_until:
            told_until = loop.time() + NOTE_SECONDS
            _log.error("no connection is taken: %s", TooManyFilesError())

    loop.set_exception_handler(tell)


def give_up_unread(listener: socket.socket) -> None:
    """Have the kernel end connections whose other side takes nothing, where it can (Linux)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, UNREAD_SECONDS * 1000)
