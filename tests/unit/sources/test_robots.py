"""robots.txt as sites write it, asked from real servers on loopback."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego

from aggregator.config.tuning import Tuning
from aggregator.model.errors import FetchError
from aggregator.sources.fetch import robots as robots_module
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.sources.fetch.robots import Robots, relevant_lines
from tests.support.loopback import LoopbackServer, Response, redirect
from tests.support.tables import rows
from tests.support.world import Time

HOME = ClientSettings(allow_private=("127.0.0.0/8",))


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    made = Client(HOME, Tuning({"net": {"fetch_deadline_seconds": 2.0}}))
    yield made
    made.close()


def allows(robots: Robots, url: str, **given: Any) -> bool:
    return robots.answer(url, **given) == "yes"


@pytest.mark.parametrize(
    ("text", "path", "is_allowed"),
    [
        *rows("robots", "rules are honoured"),
        ("\ufeffUser-agent: *\r\nDisallow: /\r\n", "/", False),
        (f"User-agent: *\nDisallow: /{'*a' * 40}*b", "/" + "a" * 2000, True),
    ],
)
def test_rules_are_honoured(
    client: Client, text: str, path: str, is_allowed: bool
) -> None:
    with LoopbackServer({"/robots.txt": text}) as server:
        assert (
            allows(Robots(client), server.url(path), source_port=server.port)
            == is_allowed
        )


@pytest.mark.later
@pytest.mark.parametrize(
    ("response", "is_allowed"),
    [
        (Response(404), True),
        (Response(403), True),
        (Response(429), False),
        (Response(503), False),
        pytest.param(Response(delay_seconds=9), False, marks=pytest.mark.slow),
        (Response(raw=b""), False),
        (Response(body=bytes(6 << 20)), False),
        (redirect("/robots.txt"), False),
        (redirect("/elsewhere"), False),
    ],
)
def test_a_site_that_cannot_be_asked(
    client: Client, response: Response, is_allowed: bool
) -> None:
    routes = {"/robots.txt": response, "/elsewhere": "User-agent: *\nDisallow: /"}
    with LoopbackServer(routes) as server:
        assert (
            allows(Robots(client), server.url("/a"), source_port=server.port)
            == is_allowed
        )


def test_what_strangers_name_in_our_network_does_not_keep_us_from_our_own_pages(
    client: Client,
) -> None:
    with LoopbackServer({"/robots.txt": "User-agent: *\nDisallow: /a"}) as server:
        robots, own = Robots(client), server.url("/feed")
        with pytest.raises(FetchError, match="refused"):
            allows(
                robots,
                server.url("/b"),
                source_port=server.port,
                linked_from="http://192.0.2.1/feed",
            )
        assert server.requests == []
        assert allows(
            robots, server.url("/b"), source_port=server.port, linked_from=own
        )


def test_a_site_is_asked_once_a_day_and_its_last_rules_outlive_an_outage(
    client: Client,
) -> None:
    time = Time()
    robots = Robots(client, time.monotonic)
    with LoopbackServer({"/robots.txt": "User-agent: *\nDisallow: /a"}) as server:

        def allowed(path: str) -> bool:
            return allows(robots, server.url(path), source_port=server.port)

        assert [allowed("/a"), allowed("/b"), allowed("/c")] == [False, True, True]
        time.run(86399)
        assert allowed("/b")
        assert len(server.requests) == 1
        server.routes["/robots.txt"] = Response(503)
        time.run(2)
        assert [allowed("/a"), allowed("/b")] == [False, True]
        assert len(server.requests) == 2
        server.routes["/robots.txt"] = "User-agent: *\nDisallow: /b"
        time.run(3601)
        assert [allowed("/a"), allowed("/b")] == [True, False]


def test_many_threads_ask_once(client: Client) -> None:
    robots = Robots(client)
    slow = Response(body="User-agent: *\nDisallow: /a", delay_seconds=0.2)
    with (
        LoopbackServer({"/robots.txt": slow}) as server,
        ThreadPoolExecutor(16) as threads,
    ):
        answers = list(
            threads.map(
                lambda _: allows(robots, server.url("/a"), source_port=server.port),
                range(32),
            )
        )
        assert answers == [False] * 32
        assert len(server.requests) == 1


def test_memory_is_bounded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robots_module, "HOSTS_KEPT", 3)
    robots = Robots(client)
    servers = [LoopbackServer({"/robots.txt": ""}) for _ in range(5)]
    for _ in range(2):
        for server in servers:
            assert allows(robots, server.url("/"), source_port=server.port)
    assert [len(server.requests) for server in servers] == [2] * 5
    for server in servers:
        server.close()


def test_a_crawl_delay_becomes_the_hosts_gap(client: Client) -> None:
    with LoopbackServer({"/robots.txt": "User-agent: *\nCrawl-delay: 7.5"}) as server:
        assert allows(Robots(client), server.url("/"), source_port=server.port)
        state = client.rate_limiter._hosts[f"127.0.0.1:{server.port}"]
        assert state.requested_gap == 7.5


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a.example/", "http://", "http://[::1", "http://u:p@127.0.0.1/", "x"],
)
def test_what_is_no_web_address_is_not_allowed(client: Client, url: str) -> None:
    assert not allows(Robots(client), url)


@pytest.mark.later
def test_a_flood_of_names_and_rules_is_read_in_bounded_time(client: Client) -> None:
    names = "".join(f"User-agent: bot{number}\n" for number in range(12_000))
    tuning = "".join(f"Disallow: /x{number}*y\n" for number in range(12_000))
    body = names + tuning + "User-agent: *\nDisallow: /a"
    assert (
        len(
            {
                line
                for line in relevant_lines(body.encode()).splitlines()
                if line.startswith("User")
            }
        )
        == 2
    )
    # Protego alone would make 144 million rules of it
    with LoopbackServer({"/robots.txt": body}) as server:
        robots = Robots(client)
        assert not allows(robots, server.url("/a"), source_port=server.port)
        assert allows(robots, server.url("/b"), source_port=server.port)


LINES = st.sampled_from(
    ["User-agent: *", "User-agent: aggregator", "User-agent: other", "User-agent: third", "Disallow: /a",
     "Allow: /a/b", "Disallow: /", "Crawl-delay: 3", "# note", "",
     "Sitemap: http://a.example/s.xml", "nonsense"]
)  # fmt: skip


@pytest.mark.later
@given(st.lists(LINES, max_size=12))
def test_others_sharing_a_name_changes_nothing_for_us(lines: list[str]) -> None:
    text = "\n".join(lines)
    whole, short = Protego.parse(text), Protego.parse(relevant_lines(text.encode()))
    for path in ("/", "/a", "/a/b", "/c"):
        url = f"http://a.example{path}"
        assert whole.can_fetch(url, "aggregator") == short.can_fetch(url, "aggregator")


@given(st.binary(max_size=500))
def test_any_bytes_are_read(body: bytes) -> None:
    Protego.parse(relevant_lines(body)).can_fetch("http://a.example/", "aggregator")
