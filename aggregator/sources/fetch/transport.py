"""What every request of ours goes through: addresses read, connections guarded, failures given their word.

httpx gives requests and answers their form; what it would do by itself (redirects, cookies, proxies from the
environment, decoding, its timeouts) is left out on purpose.
"""

import re
import ssl
from collections.abc import Iterable, Iterator
from http import HTTPStatus

import httpcore
import httpx

from aggregator.model.errors import AggregatorError, ConfigError, FetchError, TooManyFilesError
from aggregator.sources.fetch.ssrf_guard import SsrfGuard

_KEEPALIVE_SECONDS = 15.0
MOST_IDLE_CONNECTIONS = 64
_NEVER_IN_ADDRESS = re.compile(r"[\x00-\x20\x7f\\]")
_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLError, "tls"),  # first: it comes wrapped in a failed connection
    (httpcore.TimeoutException, "timeout"),
    (TimeoutError, "timeout"),
    (httpcore.NetworkError, "connect"),
    (OSError, "connect"),
    (httpcore.ProtocolError, "protocol"),
    (httpx.InvalidURL, "address"),
    (UnicodeError, "address"),
)


class GuardedTransport(httpx.BaseTransport):
    """httpx's own transport in short, with our guard as the pool's only way to the network.

    Built from public parts of both libraries, so that nothing can be renamed under the guard.
    """

    def __init__(
        self, guard: SsrfGuard, tls: ssl.SSLContext, *, most_idle_connections: int = MOST_IDLE_CONNECTIONS
    ) -> None:
        """`most_idle_connections`: kept open for the next request; 0 where each is to have its own."""
        self._pool = _Pool(
            ssl_context=tls,
            max_connections=None,  # bounded by the callers' threads
            max_keepalive_connections=most_idle_connections,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=guard,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it as it is, and give back the answer with its body still to come."""
        url = request.url
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Stream(answer.stream), request=request
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Connection(httpcore.HTTPConnection):
    """A connection that is not used again once the server has sent more than its answer.

    httpcore looks at the socket only, before each reuse. Bytes that came together with the end of the answer
    are in the buffer of its parser already, and would be read as the answer to the next request.
    """

    def has_expired(self) -> bool:
        """Whether the pool is to close it: asked when an answer ends, and before each reuse."""
        inner = self._connection
        return super().has_expired() or (
            isinstance(inner, httpcore.HTTP11Connection)
            and inner.is_idle()
            and bool(inner._h11_state.trailing_data[0])
        )


class _Pool(httpcore.ConnectionPool):
    def create_connection(self, origin: httpcore.Origin) -> _Connection:
        return _Connection(
            origin=origin,
            ssl_context=self._ssl_context,
            keepalive_expiry=self._keepalive_expiry,
            network_backend=self._network_backend,
        )


class _Stream(httpx.SyncByteStream):
    def __init__(self, inner: Iterable[bytes]) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        yield from self._inner

    def close(self) -> None:
        close = getattr(self._inner, "close", None)
        if close is not None:
            close()


def tls_of(ca_file: str | None) -> ssl.SSLContext:
    """The authorities of httpx, and those of `ca_file` (PEM); ConfigError where that cannot be read."""
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ConfigError(f"fetch.ca_file: {ca_file}: {error}") from error
    return context


def port_of(url: httpx.URL) -> int:
    """The port that is asked, also where the address names none."""
    return url.port if url.port is not None else (443 if url.scheme == "https" else 80)


def name_of(url: httpx.URL) -> str:
    """The host as the guard is asked for it."""
    return url.raw_host.decode("ascii")


def parsed(text: str, cap_chars: int) -> httpx.URL:
    """An http or https address, its fragment left out; FetchError("address") for any other text."""
    stripped = text.strip()
    if len(stripped) > cap_chars:
        raise FetchError("address", f"longer than {cap_chars} characters")
    if _NEVER_IN_ADDRESS.search(stripped):
        raise FetchError("address", f"{short(stripped)} holds a control character or a backslash")
    try:
        url = httpx.URL(stripped)
        port = port_of(url)
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise FetchError("address", f"{short(stripped)}: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise FetchError("address", f"{short(stripped)} is no http or https address")
    if url.userinfo:
        raise FetchError("address", "an address with a name or password in it is not fetched")
    if not 0 < port < 65536:
        raise FetchError("address", f"there is no port {port}")
    return url.copy_with(fragment=None)


def short(address: object) -> str:
    """At most 120 characters for a message, none of which can move a terminal's cursor."""
    text = str(address)[:120]
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def meaning(status: int) -> str:
    """The phrase that goes with an HTTP status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "a status nobody knows"


def as_our_error(error: Exception, url: str) -> AggregatorError:
    """The word for whatever a library raised; the chain of causes is asked too, for TLS hides in it.

    A FetchError, or TooManyFilesError where it is this process that may open no more connections. `url` may
    be a host alone, where the rest is nobody's business.
    """
    if isinstance(error, AggregatorError):
        return error
    chain: list[BaseException] = [error]
    while (link := chain[-1].__cause__ or chain[-1].__context__) is not None and link not in chain:
        chain.append(link)
    if any(TooManyFilesError.is_behind(link) for link in chain):
        return TooManyFilesError()
    for kind, cause in _CAUSES:
        for link in chain:
            if isinstance(link, kind):
                return FetchError(cause, short(link) or type(link).__name__)
    return FetchError("protocol", f"{type(error).__name__} from {short(url)}: {short(error)}")
