"""The HTTP client: fetches one URL. The only entry point to httpx.

httpx supplies the types of URLs, requests and responses. Its own behaviour is not used where limits need more
control: redirects (each hop is checked here), proxies from the environment, decoding (its decoders may return
a gigabyte at once) and timeouts (they apply to one read, so a slow server could go on without end).
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from typing import Literal

import httpcore
import httpx
from msgspec.structs import replace

from aggregator import __version__
from aggregator.config.settings import Config
from aggregator.config.source_access import Access, proxy_address
from aggregator.config.tuning import Tuning
from aggregator.model.core import Clock, FrozenStruct, utc_now
from aggregator.model.counters import FETCH_SECONDS, FETCHED_BYTES, FETCHES, Metrics
from aggregator.model.errors import ConfigError, FetchError
from aggregator.sources.fetch.certificates import HostTrust, host_trusts, tls_of
from aggregator.sources.fetch.chain_cookies import ChainCookies
from aggregator.sources.fetch.public_addresses import (
    address_of,
    is_permitted,
    is_public,
    networks_of,
)
from aggregator.sources.fetch.rate_limiter import RateLimiter, parse_retry_after
from aggregator.sources.fetch.request_budget import RequestBudget, Server
from aggregator.sources.fetch.response import (
    FetchResult,
    is_printable,
    refresh_address,
    to_fetch_result,
    validator,
)
from aggregator.sources.fetch.ssrf_guard import Dial, Resolve, SsrfGuard
from aggregator.sources.fetch.transport import (
    GuardedTransport,
    fetch_error,
    meaning,
    name_of,
    parsed,
    port_of,
    proxy_of,
    short,
)
from aggregator.sources.limits import net_tuning
from aggregator.sources.parse.streams.content_coding import decompress_body, is_whole

MAX_REDIRECTS = 5
_DECODED_CAP_BYTES = 10 * 2**20  # bytes after decompression: 10 MiB (limit)
__all__ = ["Client", "ClientSettings", "FetchResult", "Kind", "user_agent"]
Kind = Literal["feed", "page", "robots"]
_ACCEPT: dict[Kind, str] = {
    "feed": "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, "
    "text/xml;q=0.9, application/json;q=0.8, */*;q=0.5",
    "page": "text/html, application/xhtml+xml, */*;q=0.5",
    "robots": "text/plain, */*;q=0.5",
}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOR_EVER = frozenset({301, 308})
_NOT_MODIFIED = 304
_ASKED_TO_WAIT = frozenset({429, 503})
_ADVICE = {
    401: "; give its source a login: `auth:`",
    403: "; the server refuses this program or this network. What helps with many: a `User-Agent` among the "
    "`headers:` of the source, `cookie:`, `fetch.proxy`, or its public page as `page:`",
}


class ClientSettings(FrozenStruct):
    """The user's settings for fetching."""

    contact: str = ""  # an e-mail address or URL of the operator, sent in User-Agent
    # Private networks (CIDR) that may be fetched from
    allow_private: tuple[str, ...] = ()
    # http://user:password@host:port, through which all requests go
    proxy: str | None = None
    # Of hosts whose certificates are checked in another way
    trusts: Mapping[str, HostTrust] = {}


class Client:
    """Fetches URLs within limits on rate, time and size. Thread-safe.

    `resolve` and `dial` are parameters for tests, which use loopback only.
    """

    def __init__(
        self,
        settings: ClientSettings,
        all_tuning: Tuning,
        *,
        resolve: Resolve | None = None,
        dial: Dial | None = None,
        now: Clock = utc_now,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
        metrics_registry: Metrics | None = None,
    ) -> None:
        """`clock` (seconds, monotonic) and `pause` are used for the gaps between requests, and `clock` for
        the deadline of `connection`.

        `metrics_registry` counts requests by result.
        """
        self._metrics_registry = metrics_registry or Metrics()
        self.tuning = net_tuning(all_tuning)
        self.user_agent = user_agent(settings.contact)
        self.rate_limiter = RateLimiter(self.tuning, clock, pause)
        self._now, self._clock = now, clock
        self._exceptions = networks_of(settings.allow_private)
        proxy = None if settings.proxy is None else proxy_of(settings.proxy)
        self._guard = SsrfGuard(
            self._exceptions, resolve, dial, is_proxied=proxy is not None
        )
        # The proxy is for HTTP alone.
        self._direct = (
            SsrfGuard(self._exceptions, resolve, dial) if proxy else self._guard
        )
        self._trusts = settings.trusts
        self._transport = GuardedTransport(self._guard, settings.trusts, proxy=proxy)

    def fetch(
        self,
        url: str,
        *,
        etag: str | None = None,
        last_modified: str | None = None,
        accept: Kind = "feed",
        source_port: int | None = None,
        linked_from: str | None = None,
        access: Access | None = None,
    ) -> FetchResult:
        """Send one GET and follow redirects; wait for the host's rate limit first, then apply one deadline.

        `etag` and `last_modified` are those of an earlier FetchResult. The URL of a feed was entered by a
        user, so any port is allowed; a page may use 80, 443 and `source_port`. `linked_from` is the URL of
        the feed that contains this one (None: entered by a user). A feed on the internet never leads into the
        operator's own networks, even if they are allowed. A feed in these networks leads only to its own host
        and port there. The headers of `access` are sent to its origin only, whatever redirects to another
        one.

        Raise FetchError; its `cause` is one of: address, dns, connect, tls, timeout, too_large, encoding,
        redirect, refused, protocol, stopped, asked to wait, or "http" with the status ("http 404").
        Raise TooManyFilesError if this process cannot open a connection, which is not a fault of the server.
        """
        with self._metrics_registry.timer(FETCH_SECONDS, accept):
            try:
                first = parsed(url)
                own = (
                    None
                    if access is None
                    else (_origin(parsed(access.address)), access.headers)
                )
                ports = frozenset({port_of(first)} if accept == "feed" else ()) | {
                    source_port or 443
                }
                budget = RequestBudget(
                    self.tuning.fetch_deadline_seconds,
                    self.tuning.wire_cap_bytes,
                    ports,
                    private_servers=self._private_servers_for(first, linked_from),
                )
                headers = self._headers(accept, etag, last_modified)
                found = self._follow(
                    first, headers, budget, own, is_page=accept != "feed"
                )
            # Libraries may raise anything because of a server's data
            except Exception as error:
                failed = fetch_error(error, url)
                self._metrics_registry.count(FETCHES, accept, failed.cause)
                if failed is error:
                    raise
                raise failed from error
        self._metrics_registry.count(FETCHES, accept, str(found.status))
        self._metrics_registry.count(FETCHED_BYTES, accept, by=len(found.body))
        return found

    @contextmanager
    def connection(
        self, address: str, host: str, port: int, *, most_bytes: int
    ) -> Iterator[tuple[httpcore.NetworkStream, ssl.SSLContext]]:
        """Connect to a server at an address that a user entered, for another protocol than HTTP.

        Yield a connection and what it needs for TLS. Wait for the turn of the host first; then the
        deadline of a fetch and `most_bytes` apply to all that is received in the block. Raise FetchError as
        `fetch`.
        """
        seconds = self.tuning.fetch_deadline_seconds
        budget = RequestBudget.to_server(seconds, most_bytes, (host, port), self._clock)
        found = address_of(host)
        with (
            self.rate_limiter.turn(
                _key_of(address),
                is_private_host=found is not None and not is_public(found),
            ),
            self._direct.budget(budget),
        ):
            budget.exclude_wait(budget.elapsed())
            # Its own: httpcore adds the protocols of HTTP to that of the transport.
            tls = tls_of(self._trusts.get(host, HostTrust()))
            stream = self._direct.connect_tcp(host, port)
            try:
                yield stream, tls
            finally:
                stream.close()

    def is_unchecked(self, host: str) -> bool:
        """Return whether the certificate of a host is not checked, as a source wants it."""
        return self._trusts.get(host, HostTrust()).is_insecure

    def host_of(self, url: str) -> str:
        """Return the rate limiter's key for the host of a URL; "" for an invalid URL."""
        return _key_of(url)

    def close(self) -> None:
        """Stop: running requests end with FetchError, later ones are refused."""
        self.rate_limiter.close()
        self._guard.stop()
        self._direct.stop()
        self._transport.close()

    def _follow(
        self,
        first: httpx.URL,
        headers: dict[str, str],
        budget: RequestBudget,
        own: tuple[tuple[str, str, int], Mapping[str, str]] | None,
        *,
        is_page: bool,
    ) -> FetchResult:
        url, before, is_for_ever = first, None, True
        permanent: str | None = None
        cookies, is_unchecked = ChainCookies(), False
        for _ in range(MAX_REDIRECTS + 1):
            is_same_host = before is not None and _host_key(url) == _host_key(before)
            sent = httpx.Headers(headers)
            if own is not None and _origin(url) == own[0]:
                sent.update(own[1])
            configured = sent.pop("Cookie", "")
            if cookie := cookies.header(url, configured):
                sent["Cookie"] = cookie
            # An address that answers only whoever brings the cookie of another is none to move to.
            is_for_ever = is_for_ever and cookie == configured
            with (
                self._turn(url, budget, at_once=is_same_host, is_page=is_page),
                self._answer(url, sent) as response,
            ):
                self._update_rate_limit(url, response, is_page=is_page)
                cookies.keep(response)
                is_unchecked = is_unchecked or (
                    url.scheme == "https" and self.is_unchecked(name_of(url))
                )
                location, body = _location(response), b""
                if not location:
                    body = self._read(response, headers, budget)
                    location = refresh_address(body)
                if not location:
                    return replace(
                        to_fetch_result(
                            response, body, asked=str(first), final=str(url)
                        ),
                        permanent_url=permanent if is_for_ever else None,
                        is_unchecked=is_unchecked,
                    )
                target = self._redirect_target(url, location)
            if not self._guard.is_private(name_of(url)):
                budget.private_servers = frozenset()
            is_downgrade = url.scheme == "https" and target.scheme == "http"
            is_for_ever = (
                is_for_ever and response.status_code in _FOR_EVER and not is_downgrade
            )
            permanent = str(target)
            before, url = url, target
        raise FetchError(
            "redirect", f"more than {MAX_REDIRECTS} redirects, the last to {short(url)}"
        )

    @contextmanager
    def _turn(
        self, url: httpx.URL, budget: RequestBudget, *, at_once: bool, is_page: bool
    ) -> Iterator[None]:
        """Wait for the host's turn; the waiting time does not count against the request's budget.

        No turn is held while waiting for another one, so two hosts that redirect to each other cannot cause a
        deadlock.
        """
        began = time.monotonic()
        is_private = self._is_private(url)
        with self.rate_limiter.turn(
            _host_key(url), is_private_host=is_private, at_once=at_once, is_page=is_page
        ):
            budget.exclude_wait(time.monotonic() - began)
            with self._guard.budget(budget):
                yield

    def _update_rate_limit(
        self, url: httpx.URL, response: httpx.Response, *, is_page: bool
    ) -> None:
        """Pass a response to the rate limiter. 429 and 503 of the operator's own servers are ignored."""
        key, status = _host_key(url), response.status_code
        if status not in _ASKED_TO_WAIT:
            self.rate_limiter.answered(key, is_page=is_page)
        elif not (self._guard.is_private(name_of(url)) or self._is_private(url)):
            wait = self._retry_after(response)
            self.rate_limiter.asked_to_wait(
                key, str(url), status, wait, is_page=is_page
            )

    def _retry_after(self, response: httpx.Response) -> float | None:
        return parse_retry_after(
            response.headers.get("retry-after"), self._now(), self.tuning
        )

    def _private_servers_for(
        self, url: httpx.URL, linked_from: str | None
    ) -> frozenset[Server]:
        """Return the servers in the operator's own networks that the URL may reach.

        `linked_from`: the URL of the source that links there; None: a user entered the URL.
        """
        if linked_from is None:
            return frozenset({_server(url)})
        with suppress(FetchError):
            source = parsed(linked_from)
            if self._is_private(source) or self._guard.is_private(*_server(source)):
                return frozenset({_server(source)})
        return frozenset()

    def _answer(
        self, url: httpx.URL, headers: httpx.Headers
    ) -> "closing[httpx.Response]":
        self._guard.check(*_server(url))
        return closing(
            self._transport.handle_request(httpx.Request("GET", url, headers=headers))
        )

    def _redirect_target(self, url: httpx.URL, location: str) -> httpx.URL:
        try:
            target = parsed(str(url.join(location)))
        except FetchError as error:
            raise FetchError("redirect", error.detail) from error
        except Exception as error:
            raise FetchError(
                "redirect", f"to an invalid address: {short(location)}"
            ) from error
        return target.copy_with(fragment=None)

    def _read(
        self, response: httpx.Response, sent: dict[str, str], budget: RequestBudget
    ) -> bytes:
        """Return the body; b"" if it is not modified. Raise FetchError for a refusal."""
        status = response.status_code
        if status == _NOT_MODIFIED and (
            "If-None-Match" in sent or "If-Modified-Since" in sent
        ):
            return b""
        # What comes with a redirect that leads nowhere is shown by browsers, and may be a feed.
        is_redirect = status in _REDIRECTS
        if not response.is_success and not is_redirect:
            wait = self._retry_after(response) if status in _ASKED_TO_WAIT else None
            words = meaning(status) + _ADVICE.get(status, "")
            raise FetchError(
                f"http {status}", words, status=status, retry_after_seconds=wait
            )
        received, broken = bytearray(), None
        try:
            for part in response.iter_raw():
                budget.left()  # raises at the deadline
                received += part
        except (httpcore.RemoteProtocolError, httpcore.ReadError) as error:
            # The connection ended early, or the length or the chunks are wrong
            broken = error
        encoding = response.headers.get("content-encoding", "")
        try:
            body = decompress_body(bytes(received), encoding, _DECODED_CAP_BYTES)
        except FetchError as error:
            raise (error if broken is None else broken) from error
        if broken is not None and not is_whole(body):
            raise broken
        if is_redirect and not body:
            raise FetchError("redirect", f"status {status} without a Location header")
        return body

    def _headers(
        self, accept: Kind, etag: str | None, last_modified: str | None
    ) -> dict[str, str]:
        headers = {
            "User-Agent": self.user_agent,
            "Accept": _ACCEPT[accept],
            "Accept-Encoding": "gzip",  # the encoding that `decompress_body` limits
        }
        if kept := validator(etag):
            headers["If-None-Match"] = kept
        if kept := validator(last_modified):
            headers["If-Modified-Since"] = kept
        return headers

    def _is_private(self, url: httpx.URL) -> bool:
        """Return whether the URL's host is an IP address in `allow_private`."""
        address = address_of("127.0.0.1" if url.host == "localhost" else url.host)
        return (
            address is not None
            and not is_public(address)
            and is_permitted(address, self._exceptions)
        )


def user_agent(contact: str) -> str:
    """Return the User-Agent: program, version and contact of the operator."""
    words = contact.strip()
    if words and not is_printable(words):
        raise ConfigError("fetch.contact: only printable ASCII can be sent to servers")
    return (
        f"aggregator/{__version__} (+{words})" if words else f"aggregator/{__version__}"
    )


def _server(url: httpx.URL) -> Server:
    return name_of(url), port_of(url)


def _location(response: httpx.Response) -> str:
    """Return where a response redirects to; "" if it does not."""
    locations = (
        response.headers.get_list("Location")
        if response.status_code in _REDIRECTS
        else []
    )
    return locations[0].strip() if locations else ""


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, port_of(url)


def _host_key(url: httpx.URL) -> str:
    """Return the rate limiter's key of a host; on the operator's own machines each port is a server."""
    address = address_of(url.host)
    is_own = url.host == "localhost" or (address is not None and not is_public(address))
    return f"{url.host}:{port_of(url)}" if is_own else url.host


@lru_cache(maxsize=20_000)
def _key_of(url: str) -> str:
    try:
        return _host_key(httpx.URL(url.strip()))
    except (httpx.InvalidURL, UnicodeError, ValueError):
        return ""


def client_of(config: Config, metrics_registry: Metrics | None = None) -> Client:
    """Return the HTTP client as configured; `metrics_registry` counts its requests."""
    settings = ClientSettings(
        contact=config.fetch.contact,
        allow_private=config.fetch.allow_private,
        proxy=proxy_address(config),
        trusts=host_trusts(config),
    )
    tuning = Tuning({"net": {"host_gap_seconds": float(config.fetch.host_gap)}})
    return Client(settings, tuning, metrics_registry=metrics_registry)
