"""The client against real servers on loopback that misbehave: a FetchError with its cause, within bounds."""

import gc
import gzip
import os
import resource
import sys
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import repeat as endless
from pathlib import Path
from threading import Thread

import pytest
import zstandard

from aggregator.config.tuning import Tuning
from aggregator.model.errors import ConfigError, FetchError
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.sources.fetch.request_headers import user_agent
from tests.support.loopback import (
    LoopbackServer,
    Request,
    Resource,
    Response,
    Route,
    redirect,
    slowly,
)
from tests.support.programs import run_program
from tests.support.tables import each_row, mapping, repeated, rows
from tests.support.waiting import PATIENCE_SECONDS, wait_until

HOME = ClientSettings(
    allow_private=("127.0.0.0/8",), contact="https://example.org/about"
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
MIB = 1 << 20


def make_client(**tuning: float) -> Client:
    return Client(HOME, Tuning({"net": tuning}))


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    made = make_client()
    yield made
    made.close()


@pytest.fixture(scope="module")
def hasty() -> Iterator[Client]:
    """For servers that never come to an end by themselves."""
    made = make_client(fetch_deadline_seconds=2.0)  # in which a head comes
    yield made
    made.close()


def cause_of(client: Client, url: str) -> str:
    with pytest.raises(FetchError) as caught:
        client.fetch(url)
    return caught.value.cause


def bomb(mebibytes: int, layers: int = 1) -> bytes:
    """A gzip stream of that many MiB of zeros, made of one block that stands for 1 MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    body = b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + block * mebibytes
    return body if layers == 1 else gzip.compress(body)


def zstandard_bomb(mebibytes: int) -> bytes:
    """Frames of one MiB of zeros each, with blocks of four bytes that stand for 128 KiB."""
    return zstandard.compress(bytes(MIB)) * mebibytes


def encoded(body: bytes, encoding: str) -> Response:
    return Response(200, {"Content-Encoding": encoding}, body)


# --- good answers ------------------------------------------------------------------------------------------


def test_an_answer_is_described(client: Client) -> None:
    kind, time = 'Application/RSS+XML; charset="UTF-8"', "Fri, 20 Nov 2026 08:00:00 GMT"
    feed = Resource("<rss/>", kind, last_modified=time)
    with LoopbackServer({"/feed": feed}) as server:
        got = client.fetch(server.url("/feed#top"))
        assert (got.status, got.body, got.not_modified) == (200, b"<rss/>", False)
        assert (got.content_type, got.charset) == ("application/rss+xml", "utf-8")
        assert (got.url_final, got.permanent_url) == (server.url("/feed"), None)
        again = client.fetch(
            server.url("/feed"), etag=got.etag, last_modified=got.last_modified
        )
        assert (again.status, again.not_modified, again.body) == (304, True, b"")
        feed.body = "<rss><channel/></rss>"
        assert (
            client.fetch(server.url("/feed"), etag=got.etag).body
            == b"<rss><channel/></rss>"
        )


def test_last_modified_alone_is_enough_for_a_304(client: Client) -> None:
    feed = Resource("<rss/>", etag=None, last_modified="Fri, 20 Nov 2026 08:00:00 GMT")
    with LoopbackServer({"/feed": feed}) as server:
        got = client.fetch(server.url("/feed"))
        assert client.fetch(
            server.url("/feed"), last_modified=got.last_modified
        ).not_modified


def test_we_say_who_we_are_and_keep_no_cookies(client: Client) -> None:
    with LoopbackServer(
        {"/": Response(headers={"Set-Cookie": "id=1; Path=/"})}
    ) as server:
        client.fetch(server.url())
        client.fetch(server.url())
        headers = server.requests[1].headers
        assert headers["user-agent"].startswith("aggregator/")
        assert "(+https://example.org/about)" in headers["user-agent"]
        assert headers["accept-encoding"] == "gzip"
        assert "cookie" not in headers


def test_a_contact_that_no_header_can_carry_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError):
        user_agent("Jörg\r\nX: y")


def test_an_empty_answer_is_an_answer(client: Client) -> None:
    with LoopbackServer({"/": Response(204), "/gzip": encoded(b"", "gzip")}) as server:
        assert client.fetch(server.url()).body == b""
        assert client.fetch(server.url("/gzip")).body == b""


# --- redirects ---------------------------------------------------------------------------------------------


@each_row(
    "client",
    "only a chain that says for ever throughout moves an address",
    "statuses",
    "is_permanent",
)
def test_only_a_chain_that_says_for_ever_throughout_moves_an_address(
    client: Client, statuses: list[int], is_permanent: bool
) -> None:
    hops = enumerate(statuses)
    routes: dict[str, Route] = {
        f"/{hop}": redirect(f"/{hop + 1}", status) for hop, status in hops
    }
    end = f"/{len(statuses)}"
    with LoopbackServer({**routes, end: "here"}) as server:
        got = client.fetch(server.url("/0"))
        assert (got.body, got.url, got.url_final) == (
            b"here",
            server.url("/0"),
            server.url(end),
        )
        assert got.permanent_url == (server.url(end) if is_permanent else None)


def test_five_redirects_are_followed_and_no_more(client: Client) -> None:
    routes: dict[str, Route] = {f"/{hop}": redirect(f"/{hop + 1}") for hop in range(7)}
    with LoopbackServer({**routes, "/7": "here"}) as server:
        assert client.fetch(server.url("/2")).body == b"here"
        assert cause_of(client, server.url("/1")) == "redirect"
        assert server.paths()[-1] == "/6"


@pytest.mark.parametrize(
    "location",
    [
        *rows("client", "redirects to nowhere"),
        "/" + "x" * 100_000,
        "/" + "x" * 5000,
    ],
)
def test_redirects_to_nowhere(client: Client, location: str) -> None:
    with LoopbackServer({"/": Response(302, {"Location": location})}) as server:
        assert cause_of(client, server.url()) in {"redirect", "dns", "protocol"}


# --- refusals ----------------------------------------------------------------------------------------------


@each_row("client", "a status is its own cause", "status")
def test_a_status_is_its_own_cause(client: Client, status: int) -> None:
    with LoopbackServer(
        {"/": Response(status, {"Retry-After": "120"}, "no")}
    ) as server:
        with pytest.raises(FetchError) as caught:
            client.fetch(server.url())
        assert caught.value.cause == f"http {status}"
        assert caught.value.status == status
        assert caught.value.retry_after_seconds == (
            120.0 if status in (429, 503) else None
        )


def test_a_304_that_nobody_asked_for_is_refused(client: Client) -> None:
    with LoopbackServer({"/": Response(304)}) as server:
        assert cause_of(client, server.url()) == "http 304"


@pytest.mark.parametrize("poison", ["a\r\nX: y", "\x00", "é", "x" * 4097, "", " "])
def test_a_poisoned_validator_is_neither_kept_nor_sent(
    client: Client, poison: str
) -> None:
    with LoopbackServer({"/": "fine"}) as server:
        assert (
            client.fetch(server.url(), etag=poison, last_modified=poison).body
            == b"fine"
        )
        assert not {"if-none-match", "if-modified-since", "x"} & set(
            server.requests[0].headers
        )
        bad = {"ETag": '"' + "x" * 4100 + '"', "Last-Modified": "gestern \xe9"}
        server.routes["/"] = Response(headers=bad)
        got = client.fetch(server.url())
        assert (got.etag, got.last_modified) == (None, None)


# --- faults and attacks ------------------------------------------------------------------------------------

CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
DRIPS = [HEAD[at : at + 1] for at in range(45)]
FAULTS: dict[str, tuple[Response, set[str]]] = {
    **{
        name: (Response(raw=repeated(parts).encode()), set(causes))
        for name, (parts, causes) in mapping("client", "faulty answers").items()
    },
    **{
        name: (encoded(body.encode("latin-1"), encoding), {"encoding"})
        for name, (body, encoding) in mapping("client", "odd encodings").items()
    },
    "binary": (Response(raw=os.urandom(2000)), {"protocol"}),
    "silent": (Response(delay_seconds=30), {"timeout"}),
    "drips the body": (Response(body=b"x" * 1000, drip_seconds=0.05), {"timeout"}),
    "drips the headers": (Response(raw=slowly(DRIPS * 9, 0.05)), {"timeout"}),
    "drips an error page": (
        Response(500, body=b"x" * 1000, drip_seconds=0.05),
        {"http 500"},
    ),
    "never ends": (Response(body=endless(bytes(65536))), {"too_large"}),
    "never ends without length": (
        Response(raw=endless(HEAD + b"\r\n" + bytes(65536))),
        {"too_large"},
    ),
    "endless tiny chunks": (Response(raw=endless(CHUNKED)), {"protocol"}),
    "says more than it sends": (Response(body=b"short", length=1000), {"protocol"}),
    "endless headers": (
        Response(raw=endless(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000)),
        {"protocol"},
    ),
    "endless early answers": (
        Response(raw=endless(b"HTTP/1.1 103 x\r\n\r\n")),
        {"too_large", "timeout"},
    ),
    "cut zstd": (
        encoded(zstandard.compress(os.urandom(999))[:500], "zstd"),
        {"encoding"},
    ),
    "cut deflate": (
        encoded(zlib.compress(os.urandom(999))[:500], "deflate"),
        {"encoding"},
    ),
    "bomb of zstd": (
        encoded(zstandard.compress(bytes(64 * MIB)), "zstd"),
        {"too_large"},
    ),
    "bomb of deflate": (
        encoded(zlib.compress(bytes(64 * MIB)), "deflate"),
        {"too_large"},
    ),
    "layers": (encoded(bomb(1, 2), "gzip, gzip"), {"encoding"}),
    "broken gzip": (
        encoded(gzip.compress(b"x" * 999)[:12] + b"\xff" * 50, "gzip"),
        {"encoding"},
    ),
    "cut gzip": (encoded(gzip.compress(os.urandom(999))[:500], "gzip"), {"encoding"}),
    "bomb": (encoded(bomb(64), "gzip"), {"too_large"}),
    "bomb in a bomb": (encoded(bomb(64, 2), "gzip"), {"too_large"}),
    "unlabelled bomb": (encoded(bomb(64), ""), {"too_large"}),
    "long": (Response(body=bytes(6 * MIB)), {"too_large"}),
}


@pytest.mark.later
@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_server_is_a_named_error_and_the_next_is_asked(
    client: Client, hasty: Client, fault: str
) -> None:
    response, causes = FAULTS[fault]
    is_slow = "drip" in fault or "timeout" in causes
    with LoopbackServer({"/": response, "/good": "good"}) as server:
        assert cause_of(hasty if is_slow else client, server.url()) in causes
        assert client.fetch(server.url("/good")).body == b"good"


def test_addresses_that_are_none(client: Client) -> None:
    for url in ["", "x", "http://", "http://[::1/", "http://127.0.0.1:99999/", "http://a b/", "http://xn--/",
                "http://\ud800/", "http://" + "a" * 5000, "http://127.0.0.1:１２３４５６/"]:  # fmt: skip
        assert cause_of(client, url) == "address"


def test_a_closed_port_is_a_failed_connection(client: Client) -> None:
    with LoopbackServer() as server:
        url = server.url()
    with pytest.raises(FetchError, match=r"^connect: Connection refused") as caught:
        client.fetch(url)
    assert caught.value.cause == "connect"


_BOMB_RUN = """
import resource, sys
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.config.tuning import Tuning
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
client = Client(ClientSettings(allow_private=("127.0.0.0/8",)), Tuning())
for url in sys.argv[1:]:
    try:
        client.fetch(url)
    except FetchError as error:
        print(error.cause)
# Not ru_maxrss: that one starts with what the process that forked us had.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.later
def test_bombs_of_a_gigabyte_are_refused_in_bounded_memory() -> None:
    packed = bomb(1024)
    routes: dict[str, Route] = {
        "/gzip": encoded(packed, "gzip"),
        "/unlabelled": encoded(packed, ""),
        "/twice": encoded(gzip.compress(packed), "gzip"),
        "/layers": encoded(gzip.compress(packed), "gzip, gzip"),
        "/zstd": encoded(zstandard_bomb(1024), "zstd"),
    }
    with LoopbackServer(routes) as server:
        run = [sys.executable, "-c", _BOMB_RUN, *(server.url(path) for path in routes)]
        *causes, peak_kib = run_program(run, check=True).stdout.split()
    assert causes == ["too_large"] * 5
    assert int(peak_kib) <= 150 * 1024


def test_close_ends_a_fetch_under_way() -> None:
    client = make_client(fetch_deadline_seconds=10 * PATIENCE_SECONDS)
    causes: list[str] = []
    with LoopbackServer({"/": Response(delay_seconds=10 * PATIENCE_SECONDS)}) as server:

        def run() -> None:
            with pytest.raises(FetchError) as caught:
                client.fetch(server.url())
            causes.append(caught.value.cause)

        thread = Thread(target=run)
        thread.start()
        wait_until(lambda: server.requests, "the server to be asked")
        client.close()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
        assert causes == ["stopped"]
        assert cause_of(client, server.url()) == "stopped"


@pytest.mark.later
def test_many_threads_share_a_client() -> None:
    at_once = threading.Semaphore(2)  # the gate's bound for one host

    def numbered(request: Request) -> Response:
        if not at_once.acquire(blocking=False):
            return Response(500)
        try:
            return Response(body=request.query * 100, gzip=True)
        finally:
            at_once.release()

    client = make_client()
    with LoopbackServer({"/": numbered}) as server, ThreadPoolExecutor(16) as threads:
        futures = {
            str(n): threads.submit(client.fetch, server.url(f"/?{n}"))
            for n in range(300)
        }
        assert all(
            futures[n].result(timeout=PATIENCE_SECONDS).body == n.encode() * 100
            for n in futures
        )
    client.close()


@pytest.mark.slow
def test_fetching_leaves_nothing_open() -> None:
    client, hasty = make_client(), make_client(fetch_deadline_seconds=0.3)
    before = len(list(Path("/proc/self/fd").iterdir()))
    routes = {
        "/": "good",
        "/bad": Response(body=b"x", length=9),
        "/slow": Response(delay_seconds=5),
    }
    with LoopbackServer(routes) as server:
        for _ in range(30):
            client.fetch(server.url())
            cause_of(client, server.url("/bad"))
        cause_of(hasty, server.url("/slow"))
    client.close()
    hasty.close()
    # The threads of the server end a moment after it.
    wait_until(
        lambda: len(list(Path("/proc/self/fd").iterdir())) <= before + 3,
        "all to be closed",
    )
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > before


@pytest.mark.torture
def test_ten_thousand_fetches_leave_no_memory_behind() -> None:
    """Counted by tracemalloc: the size of the process includes cycles that are not collected yet (conftest.py
    sets a high threshold) and arenas, and memory that other tests have freed would hide a leak.
    """
    warming, counted = 2_000, 8_000
    client = make_client()
    with (
        LoopbackServer(
            {"/": Resource("<rss/>"), "/bad": Response(503, {"Retry-After": "60"})}
        ) as server,
        traced_memory() as in_use,
    ):
        etag = client.fetch(server.url()).etag
        for number in range(warming + counted):
            if number == warming:
                before = in_use()
            client.fetch(server.url(), etag=etag)
            if number % 10 == 0:
                cause_of(client, server.url("/bad"))
                server.requests.clear()
        server.requests.clear()
        a_fetch = (in_use() - before) / counted
    client.close()
    assert a_fetch < 100


@contextmanager
def traced_memory() -> Iterator[Callable[[], int]]:
    """A function that returns the bytes in use by objects made from now on."""

    def in_use() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        yield in_use
    finally:
        tracemalloc.stop()
