"""A request that states its length more than once is answered once, with 400, and its connection is closed."""

import socket
from collections.abc import Iterator

import pytest

from aggregator.store.engine.database import Database
from tests.support.newsroom import Newsroom

SECOND = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"POST /api/v1/articles HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    with Newsroom(database) as room:
        yield room


def answers(room: Newsroom, *parts: bytes) -> bytes:
    """All that the server sends until it closes the connection."""
    url = room.client.base_url
    with socket.create_connection((str(url.host), url.port or 80), timeout=60) as sent:
        for part in parts:
            sent.sendall(part)
        read = b""
        while more := sent.recv(65_536):
            read += more
        return read


@pytest.mark.parametrize(
    "lengths",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 5, 5",
        b"content-length: 5\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"CONTENT-LENGTH: 5,6",
        b"Transfer-Encoding: gzip, chunked",
    ],
)
def test_a_request_with_two_ends_is_refused_and_no_other_is_read(
    room: Newsroom, lengths: bytes
) -> None:
    request = HEAD + lengths + b"\r\n\r\n0\r\n\r\n"
    whole = answers(room, request + SECOND)
    assert whole.startswith(b"HTTP/1.1 400 ")
    assert whole.count(b"HTTP/1.1") == 1
    # The same behind a good request and in two parts
    begun = len(HEAD) + 9
    later = answers(room, SECOND + request[:begun], request[begun:] + SECOND)
    assert later.count(b"HTTP/1.1 200") == 1
    assert later.count(b"HTTP/1.1 400") == 1
    assert later.count(b"HTTP/1.1") == 2


def test_the_words_of_a_body_are_not_read_as_its_length(room: Newsroom) -> None:
    body = b"\r\n\r\nContent-Length: 5, 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    head = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert b"not a valid HTTP request" not in answers(room, head + body)


@pytest.mark.parametrize(
    "request_",
    [
        SECOND.replace(b"\r\n", b"\n"),
        SECOND.replace(b"\r\n", b"\n", 1),
        SECOND.removesuffix(b"\r\n") + b"\n",
        SECOND.removesuffix(b"\r\n") + b"X-A: 1\nX-B: 2\r\n\r\n",
    ],
    ids=["all lines", "the first line", "the last line", "a field"],
)
def test_a_line_that_ends_in_a_bare_line_feed_is_refused(
    room: Newsroom, request_: bytes
) -> None:
    """Other servers read it as a part of the line before."""
    whole = answers(room, request_)
    assert whole.startswith(b"HTTP/1.1 400 ")
    assert whole.count(b"HTTP/1.1") == 1
    assert answers(room, SECOND).startswith(b"HTTP/1.1 200 ")
