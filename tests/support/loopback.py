"""A real HTTP server on 127.0.0.1 for tests: threads, keep-alive, programmable answers.

    with LoopbackServer({"/feed": Resource(b"<rss/>", etag='"1"'), "/old": redirect("/feed")}) as server:
        client.fetch(server.url("/feed"))
        assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"

A route is found by its path with query, then by its path alone, then by "*"; otherwise the answer is 404.
Routes can be changed while the server runs.
"""

import gzip
import random
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, ClassVar, Self

import httpx

from tests.support.waiting import PATIENCE_SECONDS


@dataclass(frozen=True)
class Request:
    """What a client asked. Header names are in lower case."""

    method: str
    path: str  # without the query
    query: str
    headers: Mapping[str, str]
    body: bytes
    port: int  # of the client; each of its connections has another one


@dataclass
class Response:
    """An answer. `body` may be text, bytes, or an endless iterable of parts (sent chunked)."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str | bytes | Iterable[bytes] = b""
    content_type: str | None = None
    delay_seconds: float = 0.0  # before the first byte
    drip_seconds: float = 0.0  # between single bytes of the body
    gzip: bool = False
    length: int | None = None  # a Content-Length that lies
    # Written as it is, status line and all; then hang up
    raw: bytes | Iterable[bytes] | None = None


@dataclass
class Resource:
    """Something with a version: answers 304 to a request that knows it. Change `body` for a new version."""

    body: str | bytes
    content_type: str = "application/xml"
    etag: str | None = ""  # "" makes one of the body; None: no ETag
    last_modified: str | None = None
    gzip: bool = False

    def __call__(self, request: Request) -> Response:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        etag = (
            f'"{blake2b(body, digest_size=8).hexdigest()}"'
            if self.etag == ""
            else self.etag
        )
        headers = {"ETag": etag} if etag else {}
        if self.last_modified:
            headers["Last-Modified"] = self.last_modified
        if etag and request.headers.get("if-none-match"):
            is_known = request.headers["if-none-match"] == etag
        else:
            since = request.headers.get("if-modified-since")
            is_known = since is not None and since == self.last_modified
        if is_known:
            return Response(304, headers)
        return Response(200, headers, body, self.content_type, gzip=self.gzip)


@dataclass
class Ranged:
    """A file of which parts can be asked for, as on an object store; one answer has `most_bytes` at most."""

    body: bytes
    most_bytes: int | None = None

    def __call__(self, request: Request) -> Response:
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": f'"{blake2b(self.body, digest_size=8).hexdigest()}"',
            "Last-Modified": "Mon, 02 Nov 2026 12:00:00 GMT",
        }
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if asked is None:
            return Response(200, headers, self.body)
        size, start = len(self.body), int(asked.group(1))
        end = min(int(asked.group(2) or size), size - 1)
        if start > end:
            return Response(416, headers)
        end = end if self.most_bytes is None else min(end, start + self.most_bytes - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        return Response(206, headers, self.body[start : end + 1])


Route = Response | Resource | Callable[[Request], Response] | str | bytes


def routed(routes: Mapping[str, "Route"], request: Request) -> Response:
    """What a route answers; 404 where there is none."""
    full = f"{request.path}?{request.query}"
    route = routes.get(full, routes.get(request.path, routes.get("*")))
    if route is None:
        return Response(404, body="not here", content_type="text/plain")
    if isinstance(route, (str, bytes)):
        return Response(body=route)
    return route if isinstance(route, Response) else route(request)


def redirect(to: str, status: int = 302) -> Response:
    """A redirect to an address or path."""
    return Response(status, {"Location": to})


class Closing:
    """What is closed at the end of a `with` block."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LoopbackServer(Closing):
    """Serves `routes`; `requests` are those that came in, in order. `tls` makes it an https server."""

    def __init__(
        self,
        routes: Mapping[str, Route] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        """`port`: of a server that was there before; 0: any that is free."""
        self.routes: dict[str, Route] = dict(routes or {})
        self.requests: list[Request] = []
        self.connections = 0
        self.stopping = Event()
        self._scheme = "https" if tls else "http"
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.owner = self
        if tls:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._server.server_address[1]
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """The address of a path."""
        return f"{self._scheme}://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [request.path for request in self.requests]

    def close(self) -> None:
        """Stop, and end answers that never would."""
        self.stopping.set()
        ending = Thread(target=self._server.shutdown, daemon=True)
        ending.start()
        while ending.is_alive():  # it looks twice a second, or when a client comes
            with (
                suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=1),
            ):
                ending.join(0.005)
        self._server.server_close()

    def answer(self, request: Request) -> Response:
        """The answer to a request, which is recorded."""
        self.requests.append(request)
        return routed(self.routes, request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    owner: LoopbackServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm: ClassVar[bool] = True

    def setup(self) -> None:
        self.server.owner.connections += 1
        super().setup()

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        response = self.server.owner.answer(
            Request(self.command, path, query, headers, body, self.client_address[1])
        )
        with suppress(OSError):
            self._write(response)
            return
        self.close_connection = True

    def _write(self, response: Response) -> None:
        self._pause(response.delay_seconds)
        if response.raw is not None:
            self.close_connection = True
            for part in (
                [response.raw] if isinstance(response.raw, bytes) else response.raw
            ):
                if self.server.owner.stopping.is_set():
                    return
                self.wfile.write(part)
            return
        body = (
            response.body.encode() if isinstance(response.body, str) else response.body
        )
        whole = body if isinstance(body, bytes) else None
        headers = dict(response.headers)
        if response.content_type:
            headers.setdefault("Content-Type", response.content_type)
        if response.gzip and whole is not None:
            whole = gzip.compress(whole)
            headers["Content-Encoding"] = "gzip"
        if whole is None:
            headers["Transfer-Encoding"] = "chunked"
        elif response.status != HTTPStatus.NOT_MODIFIED:
            headers["Content-Length"] = str(
                len(whole) if response.length is None else response.length
            )
        self._write_head(response.status, headers)
        if self.command == "HEAD" or response.status == HTTPStatus.NOT_MODIFIED:
            return
        if whole is None:
            assert not isinstance(body, bytes)
            self._write_chunks(body, response.drip_seconds)
        else:
            self._write_whole(whole, response)

    def _write_head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [
            f"HTTP/1.1 {status} x",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))

    def _write_chunks(self, parts: Iterable[bytes], drip_seconds: float) -> None:
        for part in parts:
            if self.server.owner.stopping.is_set():
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self._pause(drip_seconds)
        self.wfile.write(b"0\r\n\r\n")

    def _write_whole(self, body: bytes, response: Response) -> None:
        if response.drip_seconds:
            for position in range(len(body)):
                self.wfile.write(body[position : position + 1])
                self._pause(response.drip_seconds)
        else:
            self.wfile.write(body)
        if response.length is not None:
            self.close_connection = True

    def _pause(self, seconds: float) -> None:
        if seconds:
            self.server.owner.stopping.wait(seconds)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def slowly(parts: Iterable[bytes], seconds: float) -> Iterable[bytes]:
    """`parts` with a pause before each: for `raw` answers that drip."""
    for part in parts:
        time.sleep(seconds)
        yield part


def http_client(**settings: Any) -> httpx.Client:
    """A client whose connections end with their answers: none of them has to be closed."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(
        trust_env=False, timeout=PATIENCE_SECONDS, limits=limits, **settings
    )


def free_port() -> int:
    """A port of loopback at which nobody listens."""
    while True:
        # None of those that the system gives to connections: before the port is used, one could have it.
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", random.SystemRandom().randrange(20_000, 32_000)))
            return int(one.getsockname()[1])
