"""Connections: what a server sends beyond its answer is never the answer to another request."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress

import httpx
import pytest

from aggregator.config.tuning import Tuning
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.sources.fetch.connections.name_lookup import system_resolve
from aggregator.sources.fetch.connections.public_addresses import networks_of
from aggregator.sources.fetch.connections.ssrf_guard import SsrfGuard, system_dial
from aggregator.sources.fetch.connections.transport import GuardedTransport
from tests.support.loopback import Closing

STOLEN = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nSTOLEN"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond"
LATE_SECONDS = 0.05

Answer = Sequence[bytes]  # parts, LATE_SECONDS apart; none: hang up


class RawServer(Closing):
    """Writes what it is told, byte for byte, and keeps its connections open. `asked`: (connection, path)."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        """`answer` is given the path."""
        self.asked: list[tuple[int, str]] = []
        # One for each answer that is out to its last part
        self.written = threading.Semaphore(0)
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}{path}"

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listening.accept()
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.append(peer)
                threading.Thread(
                    target=self._serve, args=(peer, len(self._open)), daemon=True
                ).start()

    def _serve(self, peer: socket.socket, connection: int) -> None:
        with suppress(OSError), peer, peer.makefile("rb") as lines:
            while line := lines.readline():
                path = line.split()[1].decode()
                while lines.readline().strip():
                    pass
                self.asked.append((connection, path))
                parts = self._answer(path)
                if not parts:
                    return
                for position, part in enumerate(parts):
                    time.sleep(LATE_SECONDS if position else 0)
                    peer.sendall(part)
                self.written.release()

    def close(self) -> None:
        self._listening.close()
        for peer in self._open:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client(ClientSettings(allow_private=("127.0.0.0/8",)), Tuning())
    yield made
    made.close()


SURPLUS: dict[str, Answer] = {
    "a whole answer after 200": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst" + STOLEN
    ],
    "bytes that are no answer": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst and some more"
    ],
    "a blank line": [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst\r\n"],
    "after 204": [b"HTTP/1.1 204 No Content\r\n\r\n" + STOLEN],
    "after 304": [b"HTTP/1.1 304 Not Modified\r\n\r\n" + STOLEN],
    "after chunks": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n"
        + STOLEN
    ],
    "after an empty body": [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + STOLEN],
    "after 404": [b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nfirst" + STOLEN],
    "after a redirect": [
        b"HTTP/1.1 302 Found\r\nLocation: /first-2\r\nContent-Length: 0\r\n\r\n"
        + STOLEN
    ],
    "late": [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst", STOLEN],
    "half of it late": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst" + STOLEN[:9],
        STOLEN[9:],
    ],
}


@pytest.mark.later
@pytest.mark.parametrize("name", SURPLUS)
def test_what_follows_an_answer_is_not_the_next_one(client: Client, name: str) -> None:
    with RawServer(
        lambda path: SURPLUS[name] if path == "/first" else [GOOD]
    ) as server:
        with suppress(FetchError):  # a 404 is one
            client.fetch(server.url("/first"), etag='"known"')
        server.written.acquire(timeout=30)
        assert client.fetch(server.url("/second")).body == b"second"
        assert client.fetch(server.url("/third")).body == b"second"


def test_what_follows_the_answer_to_head_is_not_the_next_one() -> None:
    guard = SsrfGuard(networks_of(["127.0.0.0/8"]), system_resolve, system_dial)
    transport = GuardedTransport(guard)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"

    def asked(method: str, url: str) -> bytes:
        with closing(transport.handle_request(httpx.Request(method, url))) as response:
            return b"".join(response.iter_raw())

    with RawServer(
        lambda path: [head + b"STOLEN"] if path == "/head" else [GOOD]
    ) as server:
        assert asked("HEAD", server.url("/head")) == b""
        assert asked("GET", server.url("/second")) == b"second"
    transport.close()


@pytest.mark.parametrize("failure", [[], [b"what?\r\n\r\n"]])
def test_each_request_has_a_connection_and_none_is_repeated(
    client: Client, failure: Answer
) -> None:
    with RawServer(lambda path: failure if path == "/bad" else [GOOD]) as server:
        for path in ("/1", "/2"):
            client.fetch(server.url(path))
        with pytest.raises(FetchError):
            client.fetch(server.url("/bad"))
        assert server.asked == [(1, "/1"), (2, "/2"), (3, "/bad")]
