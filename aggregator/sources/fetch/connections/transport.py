"""Common code of all requests: URL parsing, guarded connections, classification of errors.

httpx supplies the types of requests and responses; its client, with its redirects, environment proxies, decoding and
timeouts, is not used.
"""

import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from http import HTTPStatus

import httpcore
import httpx

from aggregator.model.errors import (
    AggregatorError,
    ConfigError,
    FetchError,
    TooManyFilesError,
)
from aggregator.sources.fetch.connections.certificates import (
    HostTrust,
    refused_certificate,
    tls_of,
)
from aggregator.sources.fetch.connections.lenient_head import LenientBackend
from aggregator.sources.fetch.connections.ssrf_guard import SsrfGuard
from aggregator.sources.source_limits import URL_CHARS

_NEVER_IN_ADDRESS = re.compile(r"[\x00-\x20\x7f\\]")
_USERINFO = re.compile(r"//[^/?#\s]*@")
# The beginning of an OSError's message, which says nothing that the words after it do not say
_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLError, "tls"),  # first, because the error of a failed connection wraps it
    (httpcore.TimeoutException, "timeout"),
    (TimeoutError, "timeout"),
    (httpcore.NetworkError, "connect"),
    (httpcore.ProxyError, "connect"),
    (OSError, "connect"),
    (httpcore.ProtocolError, "protocol"),
    (httpx.InvalidURL, "address"),
    (UnicodeError, "address"),
)


class GuardedTransport(httpx.BaseTransport):
    """A short version of httpx's own transport, with the SSRF guard below the pool's network backend.

    It uses only public parts of httpx and httpcore, so that no update can bypass the guard. Each request has a
    connection of its own, so that bytes sent beyond a response are never taken for another response.
    """

    def __init__(
        self,
        guard: SsrfGuard,
        trusts: Mapping[str, HostTrust] = {},
        *,
        proxy: httpx.Proxy | None = None,
    ) -> None:
        """`trusts` has the accepted certificates of the hosts with settings of their own."""
        self.guard = guard
        kind = (
            httpcore.ConnectionPool
            if proxy is None
            else partial(httpcore.HTTPProxy, str(proxy.url), proxy_auth=proxy.raw_auth)
        )
        new_pool = partial(
            kind,
            max_connections=None,  # limited by the callers' threads
            max_keepalive_connections=0,
            network_backend=LenientBackend(guard),
        )
        self._pool = new_pool(ssl_context=tls_of())
        self._pools = {
            host: new_pool(ssl_context=tls_of(trust)) for host, trust in trusts.items()
        }

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request unchanged, and return the response with its body unread."""
        url = request.url
        self.guard.check(name_of(url), port_of(url))
        answer = self._pools.get(name_of(url), self._pool).handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme,
                    host=url.raw_host,
                    port=url.port,
                    target=url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Stream(answer.stream),
            request=request,
        )

    def close(self) -> None:
        """Close all connections."""
        for pool in (self._pool, *self._pools.values()):
            pool.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, inner: Iterable[bytes]) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        yield from self._inner

    def close(self) -> None:
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()


def proxy_of(text: str) -> httpx.Proxy:
    """Return the proxy at `http://user:password@host:port`. Raise ConfigError, without the address, for other text."""
    try:
        proxy = httpx.Proxy(text)
    except (httpx.InvalidURL, ValueError):
        proxy = None
    if proxy is None or proxy.url.scheme != "http" or not proxy.url.host:
        raise ConfigError(
            "give the proxy as http://HOST:PORT, with user:password@ where it asks for them"
        )
    return proxy


def port_of(url: httpx.URL) -> int:
    """Return the port of a URL, or the default port of its scheme."""
    if url.port is not None:
        return url.port
    return 443 if url.scheme == "https" else 80


def name_of(url: httpx.URL) -> str:
    """Return the host in the form that the guard uses."""
    return url.raw_host.decode("ascii")


def parse_address(text: str) -> httpx.URL:
    """Parse an http(s) URL and drop its fragment. Raise FetchError("address") for any other text."""
    stripped = text.strip()
    if len(stripped) > URL_CHARS:
        raise FetchError("address", f"longer than {URL_CHARS} characters")
    if _NEVER_IN_ADDRESS.search(stripped):
        raise FetchError(
            "address", f"{short(stripped)} contains a control character or a backslash"
        )
    try:
        url = httpx.URL(stripped)
    except (httpx.InvalidURL, ValueError) as error:
        # If a password has an unescaped slash, the part before the slash looks like a port.
        if "@" in stripped:
            raise FetchError(
                "address",
                "this is not a valid address; in a user or password write %2F for / and %40 for @",
            ) from None
        raise FetchError("address", f"{short(stripped)}: {error}") from error
    port = port_of(url)
    if url.scheme not in ("http", "https") or not url.host:
        raise FetchError(
            "address", f"{short(stripped)} is not an http or https address"
        )
    if url.userinfo:
        raise FetchError(
            "address", "addresses with a user name or password are not fetched"
        )
    if not 0 < port < 65536:
        raise FetchError("address", f"there is no port {port}")
    return url.copy_with(fragment=None)


def short(address: object) -> str:
    """Return at most 120 characters for a message, without user and password, and without control characters."""
    text = _USERINFO.sub("//", str(address))[:120]
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def meaning(status: int) -> str:
    """Return the phrase of an HTTP status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "a status nobody knows"


def fetch_error(error: Exception, url: str) -> FetchError:
    """Return the FetchError for an exception of a library, by its chain of causes, which may contain a TLS error.

    Raise other errors of this program, and TooManyFilesError if this process cannot open more connections, which is
    not a fault of the server. `url` may be only the host, if the rest is private.
    """
    if isinstance(error, FetchError):
        return error
    if isinstance(error, AggregatorError):
        raise error
    chain: list[BaseException] = []
    behind: BaseException | None = error
    while behind is not None and behind not in chain:
        chain.append(behind)
        behind = behind.__cause__ or behind.__context__
    if any(TooManyFilesError.is_behind(link) for link in chain):
        raise TooManyFilesError from error
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return FetchError("tls", refused_certificate(link))
    for kind, cause in _CAUSES:
        for link in chain:
            if isinstance(link, kind):
                return FetchError(
                    cause, _ERRNO.sub("", short(link)) or type(link).__name__
                )
    return FetchError(
        "protocol", f"{type(error).__name__} from {short(url)}: {short(error)}"
    )
