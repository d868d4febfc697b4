"""What browsers and other readers take of a server is read: encodings, heads, ends, cookies on the way."""

import gzip
import socket
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpcore
import pytest
import zstandard

from aggregator.config.configured_access import Access
from aggregator.config.tuning import Tuning
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.client import MAX_REDIRECTS, Client, ClientSettings
from tests.support.loopback import LoopbackServer, Request, Response, Route, redirect
from tests.support.tables import each_row, rows

FEED = (
    b'<?xml version="1.0"?><rss version="2.0"><channel><title>House</title><link>https://house.example/</link>'
    b"<item><title>Lift repaired in house four</title><link>https://house.example/1</link></item>"
    b"</channel></rss>\n"
)
HOME = ClientSettings(allow_private=("127.0.0.0/8",))
TUNING = Tuning({"net": {"host_gap_seconds": 0.0}})


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client(HOME, TUNING)
    yield made
    made.close()


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def brotli_of(body: bytes) -> bytes:
    return bytes(pytest.importorskip("brotli").compress(body))


def read(client: Client, response: Route) -> bytes:
    with LoopbackServer({"/": response}) as server:
        return client.fetch(server.url()).body


# --- Content-Encoding --------------------------------------------------------------------------------------


# How bodies are packed, by the words of the table; of several words the first one comes first.
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "small zlib": lambda body: zlib.compress(body, wbits=9),
    "deflate": raw_deflate,
    "zstd": zstandard.compress,
    "gzip in two members": lambda body: (
        gzip.compress(body[:10]) + gzip.compress(body[10:])
    ),
    "zstd in two frames": lambda body: (
        zstandard.compress(body[:50]) + zstandard.compress(body[50:])
    ),
    "forty zeros": lambda body: body + bytes(40),
    "a comment of a cache": lambda body: body + b"<!-- from a cache -->",
    "without its checksum": lambda body: body[:-8],
    "an empty JSON feed": lambda _: (
        b'\xef\xbb\xbf\n{"version": "https://jsonfeed.org/version/1.1", "items": []}'
    ),
}


@pytest.mark.later
@each_row(
    "lenient_http",
    "a body is read whatever its encoding is called",
    "encoding",
    "packed",
)
def test_a_body_is_read_whatever_its_encoding_is_called(
    client: Client, encoding: str, packed: list[str]
) -> None:
    body = FEED
    for packer in packed:
        body = PACKERS[packer](body)
    found = read(client, Response(200, {"Content-Encoding": encoding}, body))
    assert found in (FEED, body)
    assert found.lstrip(b"\xef\xbb\xbf\n").startswith((b"<?xml", b"{"))


@pytest.mark.later
def test_brotli_is_read_with_its_library(client: Client) -> None:
    packed = brotli_of(FEED)
    assert read(client, Response(200, {"Content-Encoding": "br"}, packed)) == FEED
    both = Response(
        200, {"Content-Encoding": "gzip, br"}, brotli_of(gzip.compress(FEED))
    )
    assert read(client, both) == FEED
    for broken in (packed[:-20], packed[:9] + b"\xff" * 90):
        with pytest.raises(FetchError, match=r"^encoding: .* damaged or truncated"):
            read(client, Response(200, {"Content-Encoding": "br"}, broken))
    with pytest.raises(FetchError, match=r"^too_large"):
        read(
            client, Response(200, {"Content-Encoding": "br"}, brotli_of(bytes(1 << 28)))
        )


def test_what_cannot_be_undone_is_named(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it were not installed
    monkeypatch.setitem(__import__("sys").modules, "brotli", None)
    with pytest.raises(FetchError, match=r"^encoding: .*brotli \(br\).*pip install"):
        read(
            client, Response(200, {"Content-Encoding": "br"}, b"\x8b\x02\x80<rss/>\x03")
        )
    with pytest.raises(FetchError, match="'exi'"):
        read(client, Response(200, {"Content-Encoding": "exi"}, b"\x80\x00\x01"))


# --- heads and ends ----------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(FEED)


@pytest.mark.later
@pytest.mark.parametrize(
    "head",
    [
        *rows("lenient_http", "an odd head is read"),
        f"OK\nSet-Cookie: huge={'x' * 100_000}\nLENGTH\n",
    ],
)
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_an_odd_head_is_read(client: Client, head: str, end: bytes) -> None:
    """OK is a plain first line, LENGTH the header with the length of the feed."""
    said = head.replace("OK\n", "HTTP/1.1 200 OK\n")
    said = said.replace("LENGTH", f"Content-Length: {len(FEED)}")
    lines = said.encode("latin-1").replace(b"\n", end)
    assert read(client, Response(raw=lines + end + FEED)) == FEED


@pytest.mark.later
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_head_may_come_in_pieces(client: Client, size: int) -> None:
    whole = OK + b"strange\r\n" + LENGTH + b"\r\n" + FEED
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    assert read(client, Response(raw=pieces)) == FEED


CHUNKED = (
    OK
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: Chunked\r\n\r\n%x\r\n"
    % len(FEED)
    + FEED
)


@pytest.mark.later
@pytest.mark.parametrize(
    "end", [b"", b"\r\n", b"\r\n0", b"\r\n0\r\n", b"\r\n0\r\n\r\n", b"\r\nnonsense\r\n"]
)
def test_a_whole_feed_is_taken_though_its_end_is_missing(
    client: Client, end: bytes
) -> None:
    assert read(client, Response(raw=CHUNKED + end)) == FEED


@pytest.mark.later
@pytest.mark.parametrize(
    "document",
    [
        FEED,
        b'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title></feed>',
        b"<rdf:RDF><item/></rdf:RDF>",
        b"<!DOCTYPE html><html><p>one</p></HTML >\n\n",
        b'{"items": [1, 2]}',
    ],
)
def test_what_is_cut_is_torn_and_what_is_whole_is_not(
    client: Client, document: bytes
) -> None:
    for body, encoding in ((document, ""), (gzip.compress(document), "gzip")):
        headers = {"Content-Encoding": encoding} if encoding else {}
        assert (
            read(client, Response(200, headers, body, length=len(body) + 99))
            == document
        )
        for cut in (len(body) // 2, len(body) - 12):
            with pytest.raises(FetchError, match=r"^protocol"):
                read(client, Response(200, headers, body[:cut], length=len(body)))


def test_a_chain_of_early_closes_does_not_hide_a_stop_or_a_limit(
    client: Client,
) -> None:
    endless = Response(
        raw=(OK + b"strange\r\n\r\n" + b"<x>" * 1000 for _ in range(10_000))
    )
    with pytest.raises(FetchError, match=r"^too_large"):
        read(client, endless)


# --- redirects ---------------------------------------------------------------------------------------------


@pytest.mark.later
@pytest.mark.parametrize(
    "location",
    [
        "/a feed",
        "/a%20feed",
        "  /a%20feed ",
        "a feed",
        "//127.0.0.1:{port}/a feed",
        "http://127.0.0.1:{port}/a feed#x",
    ],
)
def test_odd_addresses_are_followed(client: Client, location: str) -> None:
    with LoopbackServer({"/a%20feed": FEED}) as server:
        server.routes["/"] = redirect(location.format(port=server.port))
        assert client.fetch(server.url()).body == FEED


def test_an_address_outside_of_ascii_and_a_second_one(client: Client) -> None:
    raw = (
        OK.replace(b"200 OK", b"302 x")
        + "Location: /bücher\r\nLocation: /other\r\n".encode()
    )
    with LoopbackServer(
        {"/": Response(raw=raw + b"\r\n"), "/b%C3%BCcher": FEED}
    ) as server:
        assert client.fetch(server.url()).body == FEED


def test_a_redirect_without_an_address_is_what_it_brings(client: Client) -> None:
    assert read(client, Response(301, {}, FEED)) == FEED
    with pytest.raises(FetchError, match=r"^redirect: status 302 without a Location"):
        read(client, Response(302))


def test_a_short_page_that_refreshes_at_once_redirects(client: Client) -> None:
    page = '<html><META content="{}" HTTP-EQUIV="Refresh"></html>'
    routes: dict[str, Route] = {"/feed?a=1&b=2": FEED, "/feed": FEED}
    for content in (
        "0;url=/feed",
        "1; URL='/feed'",
        "0, url=feed",
        "0;url=/feed?a=1&amp;b=2",
    ):
        with LoopbackServer({**routes, "/": page.format(content)}) as server:
            assert client.fetch(server.url()).body == FEED
    for content in ("300;url=/feed", "5", "10; url=/feed", "x;url=/feed"):
        with LoopbackServer({**routes, "/": page.format(content)}) as server:
            assert b"Refresh" in client.fetch(server.url()).body
    long = page.format("0;url=/feed") + "<p>word</p>" * 1000
    with LoopbackServer({**routes, "/": long}) as server:
        assert client.fetch(server.url()).body == long.encode()
    with (
        LoopbackServer({"/": page.format("0;url=/")}) as server,
        pytest.raises(FetchError, match="redirect"),
    ):
        client.fetch(server.url())


def test_a_refused_request_says_what_helps(client: Client) -> None:
    with pytest.raises(
        FetchError, match=r"(?s)^http 403.*User-Agent.*cookie.*proxy.*page"
    ) as caught:
        read(client, Response(403))
    assert caught.value.status == 403


# --- cookies -----------------------------------------------------------------------------------------------


def gate(cookie: str, **attributes: str) -> Any:
    """A route that redirects to itself until the cookie comes back."""
    tail = "".join(f"; {name}={value}" for name, value in attributes.items())

    def answer(request: Request) -> Response:
        if cookie in request.headers.get("cookie", "").split("; "):
            return Response(body=FEED)
        return Response(
            302, {"Location": request.path, "Set-Cookie": f"{cookie}{tail}"}
        )

    return answer


def cookies_of(server: LoopbackServer) -> list[str | None]:
    return [request.headers.get("cookie") for request in server.requests]


@pytest.mark.later
@each_row(
    "lenient_http", "a cookie comes back within one chain only", "path", "attributes"
)
def test_a_cookie_comes_back_within_one_chain_only(
    client: Client, path: str, attributes: dict[str, str]
) -> None:
    with LoopbackServer({path: gate("seen=1", **attributes)}) as server:
        for _ in range(2):
            result = client.fetch(server.url(path))
            assert (result.body, result.permanent_url) == (FEED, None)
        assert cookies_of(server) == [None, "seen=1", None, "seen=1"]


def test_a_token_goes_by_a_second_address(client: Client) -> None:
    token = Response(302, {"Location": "/token", "Set-Cookie": "tok=9; Path=/"})

    def start(request: Request) -> Response:
        return (
            Response(body=FEED)
            if "cookie" in request.headers
            else redirect("/auth?back=token")
        )

    routes: dict[str, Route] = {
        "/token?t=1": token,
        "/token": start,
        "/auth": redirect("/token?t=1"),
    }
    with LoopbackServer(routes) as server:
        assert client.fetch(server.url("/token")).body == FEED
        assert cookies_of(server) == [None, None, None, "tok=9"]


def test_a_page_that_sets_a_cookie_and_refreshes(client: Client) -> None:
    page = '<meta http-equiv="refresh" content="0; url=/feed">'
    wait = Response(302, {"Location": "/wait", "Set-Cookie": "a=1"})
    routes = {
        "/": wait,
        "/wait": Response(200, {"Set-Cookie": "b=2; Path=/"}, page),
        "/feed": FEED,
    }
    with LoopbackServer(routes) as server:
        assert client.fetch(server.url(), accept="page").body == FEED
        assert cookies_of(server) == [None, "a=1", "a=1; b=2"]


def test_an_endless_chain_ends_as_without_cookies(client: Client) -> None:
    endless = Response(302, {"Location": "/", "Set-Cookie": "x=1; Path=/"})
    with (
        LoopbackServer({"/": endless}) as server,
        pytest.raises(FetchError, match=r"^redirect: more than 5"),
    ):
        client.fetch(server.url())
    assert len(server.requests) == MAX_REDIRECTS + 1


def test_cookies_that_are_not_kept(client: Client) -> None:
    steps: dict[str, Route] = {
        "/": Response(302, {"Location": "/1", "Set-Cookie": "gone=1; Path=/"}),
        "/1": Response(
            302, {"Location": "/2", "Set-Cookie": "gone=; Path=/; Max-Age=0"}
        ),
        "/2": Response(302, {"Location": "/3", "Set-Cookie": "safe=1; Secure; Path=/"}),
        "/3": Response(
            302, {"Location": "/4", "Set-Cookie": "other=1; Domain=example.org"}
        ),
        "/4": Response(302, {"Location": "/5", "Set-Cookie": "long=" + "x" * 5000}),
        "/5": Response(200, {}, FEED),
    }
    with LoopbackServer(steps) as server:
        assert client.fetch(server.url()).body == FEED
        assert cookies_of(server) == [None, "gone=1", None, None, None, None]


def test_many_cookies_are_bounded(client: Client) -> None:
    many = OK.replace(b"200 OK", b"302 x") + b"Location: /feed\r\n"
    many += b"".join(
        b"Set-Cookie: c%d=%s\r\n" % (number, b"v" * 1000) for number in range(90)
    )
    with LoopbackServer({"/": Response(raw=many + b"\r\n"), "/feed": FEED}) as server:
        assert client.fetch(server.url()).body == FEED
        assert 0 < len(cookies_of(server)[1] or "") <= 8192


def test_a_configured_cookie_wins(client: Client) -> None:
    moving = Response(302, {"Location": "/feed", "Set-Cookie": "session=theirs"})
    more = Response(302, {"Location": "/", "Set-Cookie": "step=1"})
    with LoopbackServer({"/first": more, "/": moving, "/feed": FEED}) as server:
        access = Access(server.url("/first"), {"cookie": "session=ours; plain"})
        client.fetch(server.url("/first"), access=access)
        ours = "session=ours; plain"
        assert cookies_of(server) == [ours, f"{ours}; step=1", f"{ours}; step=1"]


def test_a_cookie_never_goes_to_another_host_and_comes_back_to_its_own() -> None:
    """Names of one site on loopback, by an injected resolver: no host gets the cookie of another."""
    seen: list[tuple[str, str | None]] = []

    def answer(request: Request) -> Response:
        host, _, port = request.headers["host"].partition(":")
        seen.append((host, request.headers.get("cookie")))
        if host == "www.paper.example" and "cookie" in request.headers:
            return Response(body=FEED)
        if host == "www.paper.example":
            to = f"http://auth.paper.example:{port}/"
            return Response(
                302, {"Location": to, "Set-Cookie": "w=1; Domain=paper.example; Path=/"}
            )
        back = f"http://www.paper.example:{port}/"
        return Response(
            302, {"Location": back, "Set-Cookie": "a=2; Domain=.paper.example; Path=/"}
        )

    with LoopbackServer({"*": answer}) as server:

        def dial(address: str, port: int, seconds: float) -> httpcore.NetworkStream:
            return httpcore.SyncBackend().connect_tcp(
                "127.0.0.1", server.port, timeout=seconds
            )

        public = Client(
            ClientSettings(), TUNING, resolve=lambda *_: ["93.184.216.34"], dial=dial
        )
        found = public.fetch(f"http://www.paper.example:{server.port}/")
        public.close()
    assert found.body == FEED
    assert seen == [
        ("www.paper.example", None),
        ("auth.paper.example", None),
        ("www.paper.example", "w=1"),
    ]


def test_a_chain_that_needs_a_cookie_moves_no_address(client: Client) -> None:
    def answer(request: Request) -> Response:
        if "cookie" in request.headers:
            return Response(body=FEED)
        return Response(301, {"Location": "/new", "Set-Cookie": "a=1; Path=/"})

    with LoopbackServer({"/": answer, "/new": answer}) as server:
        assert client.fetch(server.url()).permanent_url is None


def test_a_redirect_with_a_cookie_is_still_refused_into_a_private_network(
    client: Client,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        to = f"http://127.0.0.1:{other.getsockname()[1]}/"
        answer = Response(302, {"Location": to, "Set-Cookie": "a=1; Path=/"})
        with pytest.raises(FetchError, match=r"^refused"):
            read(client, answer)
