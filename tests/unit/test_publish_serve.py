"""Starting and stopping the web server, and what goes wrong there, in words."""

import socket
import threading

import httpx
import pytest

from aggregator.errors import AggregatorError, ConfigError
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
