"""Starting and stopping the web server, and what goes wrong there, in words."""

import asyncio
import gc
import logging
import resource
import socket
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from aggregator.model.errors import AggregatorError
from aggregator.publish.output_settings import PublishSettings
from aggregator.web.forms import posted_form
from aggregator.web.security import connection_limits
from aggregator.web.server import NewLoop, Server
from tests.support.moved_loop import MovedLoop
from tests.support.services import all_services
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.written_stories import WrittenStories, full_reader


def server_of(
    reader: WrittenStories, *, new_loop: NewLoop = asyncio.new_event_loop, **chosen: Any
) -> Server:
    return Server(
        reader,
        PublishSettings(**{"port": 0} | chosen),
        all_services(reader.database),
        new_loop=new_loop,
    )


@pytest.fixture
def served() -> Iterator[Server]:
    server = server_of(full_reader())
    server.start()
    yield server
    server.stop()


def fetched(url: str, **more: Any) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=PATIENCE_SECONDS, **more)


@pytest.mark.later
def test_it_serves_until_it_is_stopped_and_can_be_started_anew() -> None:
    threads_before = {thread.name for thread in threading.enumerate()}
    server = server_of(full_reader())
    for _ in range(2):
        url = server.start()
        assert server.is_serving
        assert fetched(f"{url}/healthz").status_code == 200
        server.stop()
        assert not server.is_serving
        with pytest.raises(httpx.ConnectError):
            fetched(f"{url}/healthz")
    assert threads_before >= {
        thread.name for thread in threading.enumerate() if thread.name == "web"
    }


def test_a_response_says_when_it_was_sent(
    served: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for moment in (1_790_000_000.0, 1_790_000_061.0):
        monkeypatch.setattr("email.utils.time.time", lambda moment=moment: moment)
        sent = parsedate_to_datetime(fetched(f"{served.url}/healthz").headers["date"])
        assert sent.timestamp() == moment


def test_links_lead_to_the_address_that_was_bound(served: Server) -> None:
    assert (
        f"<link>{served.url}/stories/lindferry</link>"
        in fetched(f"{served.url}/feeds/stories.rss").text
    )


@pytest.mark.later
def test_nothing_is_left_of_what_was_shown_before() -> None:
    """Each reload of the configuration makes a new app; a daemon is reloaded more often than started."""
    shown = []
    for _ in range(3):
        reader = WrittenStories()
        shown.append(weakref.ref(reader))
        server = server_of(reader)
        url = server.start()
        for path in ("/", "/feeds/stories.rss", "/api/v1/stories"):
            assert fetched(url + path).status_code == 200
        server.stop()
        del reader, server
    gc.collect()
    assert [one() is None for one in shown] == [True, True, True]


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = server_of(WrittenStories(), port=port)
        with pytest.raises(
            AggregatorError, match=rf"127.0.0.1 port {port}: Address already in use"
        ):
            server.start()
        assert not server.is_serving


def test_who_leaves_in_the_middle_of_a_form_is_no_fault_of_ours(
    caplog: pytest.LogCaptureFixture, served: Server
) -> None:
    with connected(served) as connection:
        connection.sendall(
            b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\ntok"
        )
    fetched(f"{served.url}/healthz")
    served.stop()  # what is under way has ended
    assert "a request failed" not in caplog.text


# --- connections that do not get on ------------------------------------------------------------------------

HEAD = b"GET /robots.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture
def loop() -> MovedLoop:
    return MovedLoop()


@pytest.fixture
def moved(loop: MovedLoop) -> Iterator[Server]:
    """A server whose time is that of `loop`."""
    server = server_of(full_reader(), new_loop=lambda: loop)
    server.start()
    yield server
    server.stop()


def ends_in_time(connection: socket.socket, server: Server, loop: MovedLoop) -> bool:
    """Whether the server ends the connection when a request has taken too long."""
    assert get(server, "/healthz") == 200, "what was sent has been read"
    loop.run_ahead(connection_limits.REQUEST_SECONDS)
    return ends(connection)


def connected(server: Server) -> socket.socket:
    url = httpx.URL(server.url)
    return socket.create_connection(
        (url.host, url.port or 80), timeout=PATIENCE_SECONDS
    )


def ends(connection: socket.socket) -> bool:
    """Whether the server ends the connection; an error is an end too."""
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize("begun", [b"", HEAD], ids=["nothing", "half a request"])
def test_who_does_not_end_a_request_loses_the_connection(
    moved: Server, loop: MovedLoop, begun: bytes
) -> None:
    with connected(moved) as connection:
        connection.sendall(begun)
        assert ends_in_time(connection, moved, loop)


def test_nor_may_a_second_request_be_left_unfinished(
    moved: Server, loop: MovedLoop
) -> None:
    with connected(moved) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(HEAD)
        assert ends_in_time(connection, moved, loop)


def test_a_byte_now_and_then_wins_no_time(
    monkeypatch: pytest.MonkeyPatch, moved: Server, loop: MovedLoop
) -> None:
    # Not to be waited for
    monkeypatch.setattr(connection_limits, "REQUEST_SECONDS", 10 * PATIENCE_SECONDS)
    with connected(moved) as connection:
        connection.sendall(HEAD)
        for _ in range(4):
            assert get(moved, "/healthz") == 200, "what was sent has been read"
            loop.run_ahead(connection_limits.REQUEST_SECONDS / 4)
            with suppress(OSError):  # it is ended
                connection.sendall(b"X")
        assert ends(connection)


def test_a_connection_that_is_used_stays(moved: Server, loop: MovedLoop) -> None:
    own = set()
    with httpx.Client(
        base_url=moved.url, trust_env=False, timeout=PATIENCE_SECONDS
    ) as client:
        for _ in range(8):  # longer than one request may take, in all
            answer = client.get("/robots.txt")
            own.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
            loop.run_ahead(connection_limits.REQUEST_SECONDS / 4)
    assert len(own) == 1


# --- many connections --------------------------------------------------------------------------------------

# And no body
SIGN_IN = b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[ExitStack]:
    """Keeps sockets open; a request may take long here, so that a slow machine ends none by itself."""
    monkeypatch.setattr(connection_limits, "REQUEST_SECONDS", 120.0)
    monkeypatch.setattr(posted_form, "BODY_DEADLINE_SECONDS", 120.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    with ExitStack() as stack:
        yield stack
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def serving(stack: ExitStack, **settings: Any) -> Server:
    """A server; connections that `connect` opens later end before it does."""
    server = server_of(full_reader(), **settings)
    server.start()
    stack.callback(server.stop)
    return server


def connect(
    stack: ExitStack, server: Server, number: int, begun: bytes, address: str
) -> list[socket.socket]:
    """Connections of one address on each of which the same has been sent."""
    url = httpx.URL(server.url)
    place, made = (url.host, url.port or 80), []
    for _ in range(number):
        one = socket.create_connection(
            place, timeout=PATIENCE_SECONDS, source_address=(address, 0)
        )
        made.append(stack.enter_context(one))
        one.sendall(begun)
    return made


def said_on(connection: socket.socket) -> bytes:
    """The first bytes of the answer; nothing where the connection was ended."""
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


def get(server: Server, path: str) -> int:
    """The status that a newcomer from 127.0.0.1 hears."""
    return httpx.get(
        server.url + path, trust_env=False, timeout=PATIENCE_SECONDS
    ).status_code


@pytest.mark.later
@pytest.mark.parametrize("addresses", [1, 60], ids=["one address", "sixty addresses"])
def test_requests_left_unfinished_keep_nobody_out(
    opened: ExitStack, addresses: int
) -> None:
    server = serving(opened)
    for number in range(600 // addresses):
        for one in range(addresses):
            connect(opened, server, 1, HEAD, f"127.0.1.{one + 1}")
        if number % 10 == 0:
            assert get(server, "/healthz") == 200
    assert [get(server, path) for path in ("/healthz", "/", "/feeds/stories.rss")] == [
        200
    ] * 3


@pytest.mark.later
def test_slow_clients_of_a_proxy_that_is_not_trusted_keep_nobody_out(
    opened: ExitStack,
) -> None:
    """They all have the address of loopback, like the browser of this machine."""
    server = serving(opened)
    slow = connect(opened, server, 200, SIGN_IN, "127.0.0.1")
    assert [
        get(server, path) for path in ("/", "/static/style.css", "/feeds/stories.rss")
    ] == [200] * 3
    slow[0].sendall(b"token=abc")
    assert said_on(slow[0]).startswith(b"HTTP/1.1 403"), (
        "the first of them is served, too"
    )


@pytest.mark.later
def test_probes_of_this_machine_are_answered_when_all_connections_are_taken(
    opened: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    server = serving(opened)
    connect(opened, server, 500, SIGN_IN, "127.0.0.1")
    # Those that come while all are taken may end before their heads are read
    for one in range(100):
        if get(server, "/") == 503:
            break
        connect(opened, server, 5, SIGN_IN, f"127.0.2.{one + 1}")
    assert get(server, "/healthz") == 200
    assert {get(server, "/") for _ in range(20)} == {503}
    assert len([one for one in caplog.messages if "requests are active" in one]) == 1


@pytest.mark.later
def test_probes_are_answered_in_a_flood_from_loopback(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests take all that there is, and connections without one come as fast as they can."""
    monkeypatch.setattr(connection_limits, "REQUESTS", 256)
    server, over = serving(opened), Event()
    connect(opened, server, 300, SIGN_IN, "127.0.0.1")

    def flood() -> None:
        url, kept = httpx.URL(server.url), deque[socket.socket](maxlen=300)
        while not over.is_set():
            if len(kept) == kept.maxlen:
                kept[0].close()
            kept.append(
                socket.create_connection(
                    (url.host, url.port or 80), timeout=PATIENCE_SECONDS
                )
            )
        for one in kept:
            one.close()

    flooding = Thread(target=flood)
    flooding.start()
    try:
        lost, probes = 0, 100
        for _ in range(probes):
            try:
                lost += get(server, "/healthz") != 200
            except httpx.TransportError:
                lost += 1
    finally:
        over.set()
        flooding.join()
    assert lost == 0


@pytest.mark.later
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("host", [b"", b"Host:\r\n"])
def test_probes_in_http_1_0_name_no_host(
    opened: ExitStack, path: str, host: bytes
) -> None:
    server = serving(opened)
    request = b"GET %s HTTP/1.0\r\n%s\r\n"
    (probe,) = connect(opened, server, 1, request % (path.encode(), host), "127.0.0.1")
    assert said_on(probe)[9:12] == b"200"
    (page,) = connect(opened, server, 1, request % (b"/", host), "127.0.0.1")
    assert said_on(page)[9:12] == b"421"


# --- what the log says of strangers ------------------------------------------------------------------------


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING
    ]


WEBSOCKET = (
    b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.mark.later
@pytest.mark.parametrize(
    "path", [b"/", b"/api/v1/stories", b"/static/style.css", b"/healthz", b"/nosuch"]
)
def test_a_websocket_is_refused_in_words(path: bytes, served: Server) -> None:
    with connected(served) as connection:
        connection.sendall(WEBSOCKET % path)
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 400
        assert b"WebSocket is not supported" in answer.read()


def test_an_offer_of_http_2_is_passed_over(
    caplog: pytest.LogCaptureFixture, served: Server
) -> None:
    offer = {
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
        "HTTP2-Settings": "",
    }
    assert fetched(f"{served.url}/", headers=offer).status_code == 200
    served.stop()
    assert warnings(caplog) == []


MALFORMED = (
    b"nonsense\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # TLS
    b"GET / HTTP/1.1\r\n\r\n",  # without Host
    b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA B: c\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 100_000,
    b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
    b"GET /robots.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nnonsense\r\n\r\n",
)


@pytest.mark.later
def test_malformed_requests_hear_400_and_fill_no_log(
    caplog: pytest.LogCaptureFixture, served: Server
) -> None:
    for request in MALFORMED * 20:
        with connected(served) as connection, suppress(ConnectionError):
            connection.sendall(request)
            answer = connection.recv(65536)
            assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 200"), request
    for _ in range(50):
        with connected(served) as connection:
            connection.sendall(WEBSOCKET % b"/")
            connection.recv(65536)
    served.stop()
    assert len(warnings(caplog)) == 1
    assert "malformed" in caplog.text
