"""Connections that hold a place without getting on: who sends half a request, or does not read the answer.

The server takes a bounded number of connections. Without a deadline a few hundred that never end a request
would keep everybody else out for good.
"""

import asyncio
import socket

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 10.0  # for the head of a request; its body has the deadline of whoever reads it
UNREAD_SECONDS = 60  # an answer of which nothing is taken for so long is given up


class PunctualProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn has it; a connection on which nothing is answered and no request is whole ends."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Also a connection that sends nothing at all is bounded."""
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        """Bytes that do not end the request do not win time."""
        super().data_received(data)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to be ended."""
        super().connection_lost(exc)
        self._forget()

    def _look(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def give_up_unread(listener: socket.socket) -> None:
    """Have the kernel end connections whose other side takes nothing, where it can (Linux)."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        listener.setsockopt(socket.IPPROTO_TCP, option, UNREAD_SECONDS * 1000)
