"""Starting and stopping the web server, and what goes wrong there, in words."""

import gc
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import repeat

import httpx
import pytest

from aggregator.errors import AggregatorError, ConfigError
from aggregator.publish import connections
from aggregator.publish.serve import Server
from aggregator.publish.settings import PublishSettings
from tests.memory_shelf import MemoryShelf, a_full_shelf
from tests.waiting import PATIENCE_SECONDS, wait_until


def test_it_serves_until_it_is_stopped_and_can_be_started_anew() -> None:
    threads_before = {thread.name for thread in threading.enumerate()}
    server = Server(a_full_shelf(), PublishSettings(port=0))
    for _ in range(2):
        url = server.start()
        assert server.is_serving
        assert httpx.get(f"{url}/healthz", trust_env=False, timeout=PATIENCE_SECONDS).status_code == 200
        server.stop()
        assert not server.is_serving
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/healthz", trust_env=False, timeout=PATIENCE_SECONDS)
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
        f"<link>{url}/stories/lindferry</link>"
        in httpx.get(f"{url}/feeds/stories.rss", trust_env=False, timeout=PATIENCE_SECONDS).text
    )
    server.stop()


def test_nothing_is_left_of_what_was_shown_before() -> None:
    """Each reload of the configuration makes a new app; a daemon is reloaded more often than started."""
    server = Server(a_full_shelf(), PublishSettings(port=0))
    url = server.start()
    shown = []
    for _ in range(3):
        shelf = a_full_shelf()
        shown.append(weakref.ref(shelf))
        server.change(shelf, PublishSettings(port=0))
        for path in ("/", "/feeds/stories.rss", "/api/v1/stories"):
            assert httpx.get(url + path, trust_env=False, timeout=PATIENCE_SECONDS).status_code == 200
        del shelf
    gc.collect()
    assert [one() is None for one in shown] == [True, True, False]
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
    httpx.get(f"{server.url}/healthz", trust_env=False, timeout=PATIENCE_SECONDS)
    server.stop()  # what is under way has ended
    assert "a request failed" not in caplog.text


# --- shown from now on: something else, or elsewhere -------------------------------------------------------


def title(url: str) -> str:
    return (
        httpx.get(f"{url}/feeds/stories.rss", trust_env=False, timeout=PATIENCE_SECONDS)
        .text.split("<title>")[1]
        .split("<")[0]
    )


def test_what_it_shows_is_changed_without_a_request_lost_or_a_thread_left() -> None:
    server = Server(a_full_shelf(), PublishSettings(port=0, title="first"))
    url = server.start()
    threads, over, titles = threading.active_count(), threading.Event(), set()

    def ask() -> int:
        asked = 0
        with httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS) as client:
            while not over.is_set():
                answer = client.get(f"{url}/feeds/stories.rss")
                titles.add((answer.status_code, answer.text.split("<title>")[1].split("<")[0]))
                asked += 1
        return asked

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        for number in range(30):
            assert server.change(a_full_shelf(), PublishSettings(port=0, title=f"change {number}")) == url
        try:
            wait_until(lambda: (200, "change 29") in titles, "the last change to be seen")
        finally:
            over.set()
        assert all(one.result() for one in asking)
    assert {status for status, _ in titles} == {200}
    assert len([one for one in threading.enumerate() if one.name == "web"]) == 1
    assert threading.active_count() <= threads + 2, "the pool's own"
    server.stop()


def test_it_moves_to_another_port_and_lets_the_old_one_go() -> None:
    server = Server(a_full_shelf(), PublishSettings(port=0))
    old = server.start()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    new = server.change(a_full_shelf(), PublishSettings(port=port, title="moved"))
    assert new == f"http://127.0.0.1:{port}" == server.url
    assert title(new) == "moved"
    with pytest.raises(httpx.ConnectError):
        title(old)
    server.stop()


def test_it_moves_to_another_name_of_the_same_address() -> None:
    server = Server(a_full_shelf(), PublishSettings(port=0))
    port = httpx.URL(server.start()).port or 0
    assert server.change(a_full_shelf(), PublishSettings(host="localhost", port=port)).endswith(f":{port}")
    assert title(server.url) == "Stories"
    server.stop()


@pytest.mark.parametrize("elsewhere", ["127.0.0.1", "127.0.0.2"], ids=["another port", "the same port"])
def test_where_it_cannot_move_all_stays_as_it_was(elsewhere: str) -> None:
    server = Server(a_full_shelf(), PublishSettings(port=0, title="first"))
    url = server.start()
    own = httpx.URL(url).port or 0
    with socket.create_server((elsewhere, 0 if elsewhere == "127.0.0.1" else own)) as taken:
        settings = PublishSettings(host=elsewhere, port=taken.getsockname()[1], title="second")
        with pytest.raises(AggregatorError, match="is taken"):
            server.change(a_full_shelf(), settings)
    with pytest.raises(ConfigError, match=r"server\.host"):
        server.change(a_full_shelf(), PublishSettings(host="192.0.2.1", port=own))
    assert server.url == url
    assert title(url) == "first"
    assert server.change(a_full_shelf(), PublishSettings(port=0, title="third")) == url
    assert title(url) == "third"
    server.stop()


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
    return socket.create_connection((url.host, url.port or 80), timeout=PATIENCE_SECONDS)


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


def test_a_connection_that_is_used_stays(monkeypatch: pytest.MonkeyPatch, hurried: Server) -> None:
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 3.0)  # a busy machine lets a second pass
    with httpx.Client(base_url=hurried.url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
        own = [client.get("/robots.txt").extensions["network_stream"].get_extra_info("client_addr")]
        began = time.monotonic()
        while time.monotonic() - began < 4.0:  # longer than one request may take, in all
            time.sleep(0.25)
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

        def is_cut() -> bool:
            try:
                connection.send(b"X")
            except BlockingIOError:
                return False
            except OSError:
                return True
            return False

        wait_until(is_cut, "the server to end the connection")
