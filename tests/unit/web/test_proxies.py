"""Who a request comes from: what trusted proxies say, what anybody may claim, and how often one may ask."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from aggregator.config.loader import load
from aggregator.model.clock import utc_now
from aggregator.model.errors import ConfigError
from aggregator.publish.output_settings import PublishSettings
from aggregator.web.responses import RefusedError
from aggregator.web.security.connection_limits import (
    RUNNING_OF_ONE,
    WAITING_OF_ONE,
    ConnectionLimiter,
)
from aggregator.web.security.guard import RequestGuard
from aggregator.web.security.rate_limit import AddressLimiter
from aggregator.web.security.request_tokens import TokenStore
from aggregator.web.security.visit import is_owner
from tests.support.tables import mapping, rows
from tests.support.written_stories import WrittenStories

PROXY, STRANGER = "10.0.0.5", "203.0.113.9"


def _seen(request: Request) -> JSONResponse:
    client, host = (
        request.client.host if request.client else None,
        request.headers["host"],
    )
    seen = {
        "client": client,
        "scheme": request.url.scheme,
        "host": host,
        "owner": is_owner(request),
    }
    return JSONResponse(seen)


def _client(peer: str, *, requests_a_minute: int = 600, **settings: Any) -> TestClient:
    """A server that tells what it sees, asked from `peer`."""
    routes = [Route(path, _seen) for path in ("/", "/healthz")]
    own = {"public_url": "https://news.example", "owner_on_loopback": True}
    given = {"trusted_proxies": ("10.0.0.0/24",), **own, **settings}
    guard = RequestGuard(
        Starlette(routes=routes),
        PublishSettings(**given),
        error_response=lambda _request, error: PlainTextResponse(
            str(error), error.status, error.headers
        ),
        tokens=TokenStore(WrittenStories().database, utc_now),
        requests_a_minute=requests_a_minute,
    )
    app = ConnectionLimiter(guard, given["trusted_proxies"])
    return TestClient(app, base_url="http://127.0.0.1:8080", client=(peer, 40_000))


def _asked(peer: str, headers: dict[str, str], **settings: Any) -> dict[str, Any]:
    answer = _client(peer, **settings).get("/", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


ASKED = mapping("proxies", "who asks is known")


@pytest.mark.parametrize("name", ASKED)
def test_who_asks_is_known(name: str) -> None:
    row = ASKED[name]
    assert row["seen"].items() <= _asked(row["peer"], row["headers"]).items()


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        *rows("proxies", "the nearest stranger is the client"),
        (",".join(["198.51.100.1"] * 5000), "198.51.100.1"),
    ],
)
def test_the_nearest_stranger_is_the_client(forwarded: str, client: str) -> None:
    assert _asked(PROXY, {"X-Forwarded-For": forwarded})["client"] == client


def test_several_headers_are_one_list() -> None:
    headers = [("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-For", STRANGER)]
    assert _client(PROXY).get("/", headers=headers).json()["client"] == STRANGER


@pytest.mark.parametrize(
    "forwarded",
    ["127.0.0.1", "::1", "10.0.0.5", "", "localhost", "127.0.0.1, 127.0.0.1"],
)
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", PROXY])
def test_who_comes_by_a_trusted_proxy_is_never_the_owner(
    peer: str, forwarded: str
) -> None:
    trusted = ("127.0.0.0/8", "::1/128", "10.0.0.0/24")
    for headers in (
        {"X-Forwarded-For": forwarded, "X-Forwarded-Host": "127.0.0.1"},
        {},
    ):
        assert not _asked(peer, headers, trusted_proxies=trusted)["owner"]


def test_too_many_requests_of_one_address_have_to_wait() -> None:
    client = _client(STRANGER, requests_a_minute=5)
    assert [client.get("/").status_code for _ in range(7)] == [200] * 5 + [429] * 2
    assert 1 <= int(client.get("/").headers["retry-after"]) <= 12
    assert client.get("/healthz").status_code == 200, "probes go on"


@pytest.mark.parametrize("header", ["Via", "Forwarded", "X-Forwarded-For", "X-Real-IP"])
def test_words_about_proxies_lift_no_limit(header: str) -> None:
    client = _client(STRANGER, requests_a_minute=2)
    codes = [
        client.get("/", headers={header: f"198.51.100.{number}"}).status_code
        for number in range(4)
    ]
    assert codes == [200, 200, 429, 429]


def test_each_client_of_a_trusted_proxy_has_its_own_pace() -> None:
    client = _client(PROXY, requests_a_minute=2)
    for address in (STRANGER, "203.0.113.10"):
        codes = [
            client.get("/", headers={"X-Forwarded-For": address}).status_code
            for _ in range(3)
        ]
        assert codes == [200, 200, 429]


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-For": STRANGER}])
def test_this_machine_and_unknown_addresses_are_not_held(
    headers: dict[str, str],
) -> None:
    """Behind a proxy that nobody trusts all have its address."""
    client = _client("127.0.0.1", requests_a_minute=2)
    assert {client.get("/", headers=headers).status_code for _ in range(9)} == {200}


def _wait(pace: AddressLimiter, address: str) -> int:
    """The seconds that this address has to wait."""
    try:
        pace.take(address, "too many")
    except RefusedError as error:
        return int(error.headers["Retry-After"])
    return 0


@pytest.mark.later
def test_a_pace_fills_up_with_time_and_forgets_the_oldest() -> None:
    now = [0.0]
    pace = AddressLimiter(60, lambda: now[0])
    assert [_wait(pace, "192.0.2.1") for _ in range(61)] == [0] * 60 + [1]
    now[0] += 1.0
    assert [_wait(pace, "192.0.2.1") for _ in range(2)] == [0, 1]
    assert _wait(pace, "2001:db8::1") == 0
    for number in range(59):
        assert _wait(pace, f"2001:db8::{number:x}") == 0
    assert _wait(pace, "2001:db8::ffff") == 1, "one /64 is one client"
    for number in range(20_000):
        _wait(pace, f"198.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(pace._buckets) <= 10_000


def test_networks_are_checked(tmp_path: Any) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("server:\n  trusted_proxies: [10.0.0.5/8]\n")
    with pytest.raises(ConfigError, match=r"config.yaml:2: server.trusted_proxies"):
        load(file)


def test_a_client_with_many_requests_at_once_keeps_only_itself_waiting() -> None:
    running = Counter[str]()
    done = asyncio.Event()

    async def held(request: Request) -> PlainTextResponse:
        asker = request.headers.get("authorization", "nobody")
        running[asker] += 1
        if asker == "greedy":
            await done.wait()
        return PlainTextResponse(asker)

    async def ask(client: httpx.AsyncClient, who: str, path: str = "/") -> int:
        return (await client.get(path, headers={"Authorization": who})).status_code

    async def at_once() -> list[int]:
        routes = [Route(path, held) for path in ("/", "/healthz")]
        transport = httpx.ASGITransport(ConnectionLimiter(Starlette(routes=routes)))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://a"
        ) as client:
            greedy = [asyncio.create_task(ask(client, "greedy")) for _ in range(600)]
            while running["greedy"] < RUNNING_OF_ONE:
                await asyncio.sleep(0)
            assert await ask(client, "another") == 200
            assert await ask(client, "a probe", "/healthz") == 200
            assert running["greedy"] == RUNNING_OF_ONE
            done.set()
            return list(await asyncio.gather(*greedy))

    answers = Counter(asyncio.run(at_once()))
    served = RUNNING_OF_ONE + WAITING_OF_ONE
    assert answers == {200: served, 429: 600 - served}
