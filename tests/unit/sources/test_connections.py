"""Connections: what a server sends beyond its answer is never the answer to another request."""

import pytest

from aggregator.config.tuning import Tuning
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.client import Client, ClientSettings
from tests.support.loopback import LoopbackServer, Response


@pytest.mark.parametrize("failure", [b"", b"what?\r\n\r\n"])
def test_each_request_has_a_connection_and_none_is_repeated(failure: bytes) -> None:
    client = Client(ClientSettings(allow_private=("127.0.0.0/8",)), Tuning())
    routes = {"/1": "one", "/2": "two", "/bad": Response(raw=failure)}
    with LoopbackServer(routes) as server:
        for path in ("/1", "/2"):
            client.fetch(server.url(path))
        with pytest.raises(FetchError):
            client.fetch(server.url("/bad"))
        assert server.paths() == ["/1", "/2", "/bad"]
        assert len({one.port for one in server.requests}) == 3
    client.close()
