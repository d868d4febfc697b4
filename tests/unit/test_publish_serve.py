"""Starting and stopping the web server, and what goes wrong there, in words."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import repeat

import httpx
import pytest

from aggregator.errors import AggregatorError, ConfigError
from aggregator.publish import connections
from aggregator.publish.serve import Server
from aggregator.publish.settings import PublishSettings
from tests.memory_shelf import MemoryShelf, a_full_shelf


def test_it_serves_until_it_is_stopped_and_can_be_started_anew() -> None:
    threads_before = {thread.name for thread in threading.enumerate()}
    server = Server(a_full_shelf(), PublishSettings(port=0))
    for _ in range(2):
        url = server.start()
        assert server.is_serving
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
        server.stop()
        assert not server.is_serving
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/healthz", trust_env=False)
    assert threads_before >= {thread.name for thread in threading.enumerate() if thread.name == "web"}


def test_stopping_twice_or_unstarted_does_nothing() -> None:
    server = Server(MemoryShelf(), PublishSettings(port=0))
    server.stop()
    server.start()
    server.stop()
    server.stop()


def test_links_lead_to_the_address_that_was_bound() -> None:
    server = Server(a_full_shelf(), PublishSettings(port=0))
    url = server.start()
    assert (
        f"<link>{url}/stories/lindferry</link>" in httpx.get(f"{url}/feeds/stories.rss", trust_env=False).text
    )
    server.stop()


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = Server(MemoryShelf(), PublishSettings(port=port))
        with pytest.raises(AggregatorError, match=rf"port {port} on 127.0.0.1 is taken"):
            server.start()
        assert not server.is_serving


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "news.example"])
def test_an_address_that_others_reach_is_refused_without_tokens(host: str) -> None:
    with pytest.raises(ConfigError, match=r"server\.host"):
        Server(MemoryShelf(), PublishSettings(host=host, port=0)).start()


def test_a_port_that_cannot_be_is_refused_in_words() -> None:
    with pytest.raises(AggregatorError, match="cannot listen"):
        Server(MemoryShelf(), PublishSettings(port=70000)).start()


def test_who_leaves_in_the_middle_of_a_form_is_no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    server = Server(a_full_shelf(), PublishSettings(port=0))
    server.start()
    with connected(server) as connection:
        connection.sendall(b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\ntok")
    httpx.get(f"{server.url}/healthz", trust_env=False)
    server.stop()  # what is under way has ended
    assert "a request failed" not in caplog.text


# --- connections that do not get on ------------------------------------------------------------------------

HEAD = b"GET /robots.txt HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that waits half a second for a request, and a second for an answer to be read."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.5)
    monkeypatch.setattr(connections, "UNREAD_SECONDS", 1)
    server = Server(a_full_shelf(), PublishSettings(port=0))
    server.start()
    yield server
    server.stop()


def connected(server: Server) -> socket.socket:
    url = httpx.URL(server.url)
    return socket.create_connection((url.host, url.port or 80), timeout=20)


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
def test_who_does_not_end_a_request_loses_the_connection(hurried: Server, begun: bytes) -> None:
    with connected(hurried) as connection:
        connection.sendall(begun)
        assert ends(connection)


def test_nor_may_a_second_request_be_left_unfinished(hurried: Server) -> None:
    with connected(hurried) as connection:
        connection.sendall(HEAD + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(HEAD)
        assert ends(connection)


def test_a_byte_now_and_then_wins_no_time(hurried: Server) -> None:
    with connected(hurried) as connection:
        connection.settimeout(0.05)
        connection.sendall(HEAD)
        cut = False
        for byte in repeat(b"X", 200):  # ten seconds of it
            try:
                connection.sendall(byte)
                cut = connection.recv(10) == b""
            except TimeoutError:
                continue
            except OSError:
                cut = True
            if cut:
                break
        assert cut


def test_a_connection_that_is_used_stays(hurried: Server) -> None:
    with httpx.Client(base_url=hurried.url, trust_env=False) as client:
        own = [client.get("/robots.txt").extensions["network_stream"].get_extra_info("client_addr")]
        for _ in range(4):
            threading.Event().wait(0.25)  # longer than one request may take, in all
            answer = client.get("/robots.txt")
            own.append(answer.extensions["network_stream"].get_extra_info("client_addr"))
    assert len(set(own)) == 1


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel has no such limit")
def test_who_does_not_read_loses_the_connection(hurried: Server) -> None:
    asked = HEAD.replace(b"robots.txt", b"static/style.css") + b"\r\n"
    url = httpx.URL(hurried.url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.settimeout(0.3)
        connection.connect((url.host, url.port or 80))
        with suppress(OSError):  # the buffers are full, or it was ended already
            while True:
                connection.sendall(asked)
        connection.setblocking(False)
        for _ in range(200):  # twenty seconds
            threading.Event().wait(0.1)
            try:
                connection.send(b"X")
            except BlockingIOError:
                continue
            except OSError:
                return
        pytest.fail("the server keeps the connection")
