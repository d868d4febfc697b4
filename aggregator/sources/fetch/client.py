"""The HTTP client, through which all feeds, pages and mailboxes are fetched; posting.py sends to webhooks.

httpx supplies the types of URLs, requests and responses. Its own behaviour is not used where limits need more
control: redirects (each hop is checked here), proxies from the environment, decoding (its decoders may return
a gigabyte at once) and timeouts (they apply to one read, so a slow server could go on without end).
"""

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress

import httpcore
import httpx

from aggregator.config.configured_access import Access, proxy_address
from aggregator.config.hosts import ip_address_of
from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.model.clock import Clock, utc_now
from aggregator.model.counters import FETCH_SECONDS, FETCHED_BYTES, FETCHES, Metrics
from aggregator.model.errors import FetchError
from aggregator.model.structs import FrozenStruct
from aggregator.sources.fetch.chain_cookies import ChainCookies
from aggregator.sources.fetch.connections.certificates import (
    HostTrust,
    host_trusts,
    tls_of,
)
from aggregator.sources.fetch.connections.public_addresses import (
    is_permitted,
    is_private_address,
    is_public,
    networks_of,
)
from aggregator.sources.fetch.connections.request_budget import RequestBudget, Server
from aggregator.sources.fetch.connections.ssrf_guard import Dial, Resolve, SsrfGuard
from aggregator.sources.fetch.connections.transport import (
    GuardedTransport,
    fetch_error,
    name_of,
    parse_address,
    port_of,
    proxy_of,
    short,
)
from aggregator.sources.fetch.rate_limiter import RateLimiter, parse_retry_after
from aggregator.sources.fetch.request_headers import (
    Kind,
    request_headers,
    user_agent,
)
from aggregator.sources.fetch.response import FetchResult, to_fetch_result
from aggregator.sources.fetch.response_body import body_or_redirect, redirect_target
from aggregator.sources.fetch.server_keys import (
    host_key,
    key_of_address,
    origin_of,
    server_of,
)
from aggregator.sources.source_limits import net_tuning

MAX_REDIRECTS = 5
_FOR_EVER = frozenset({301, 308})
_ASKED_TO_WAIT = frozenset({429, 503})


class ClientSettings(FrozenStruct):
    """The user's settings for fetching."""

    contact: str = ""  # an e-mail address or URL of the operator, sent in User-Agent
    # Private networks (CIDR) that may be fetched from
    allow_private: tuple[str, ...] = ()
    # All requests go through this proxy: http://user:password@host:port
    proxy: str = ""
    # The hosts whose certificates are checked in another way, and how
    trusts: Mapping[str, HostTrust] = {}


class Client:
    """Fetches URLs within limits on rate, time and size. Thread-safe.

    Only tests pass `resolve` and `dial`; they use loopback only.
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
        """Use `clock` (seconds, monotonic) and `pause` for the gaps between requests.

        `clock` also measures the deadline of `connection`. `metrics_registry` counts requests by outcome.
        """
        self._metrics_registry = metrics_registry or Metrics()
        self.tuning = net_tuning(all_tuning)
        self.user_agent = user_agent(settings.contact)
        self.rate_limiter = RateLimiter(self.tuning, clock, pause)
        self._now, self._clock = now, clock
        self._exceptions = networks_of(settings.allow_private)
        self._resolve, self._dial = resolve, dial
        self._settings = settings
        # The transports by the address of their proxy; "" stands for the direct connection.
        self._transports: dict[str, GuardedTransport] = {}
        self._lock = threading.Lock()
        self._is_closed = False

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
        """Send one GET and follow redirects. One deadline applies to all; waits for rate limits do not count.

        `etag` and `last_modified` come from an earlier FetchResult. A user entered the URL of a feed, so its port is
        allowed, whatever it is; a page may use 80, 443 and `source_port`. `linked_from` is the URL of the feed that
        links to this URL; None: a user entered this URL. A feed on the internet never leads into the operator's own
        networks, even if they are allowed. A feed in these networks leads only to its own host and port there. The
        headers of `access` are sent to its origin only, even after a redirect to another origin; its proxy replaces
        the general proxy.

        Raise FetchError; its `cause` is one of: address, dns, connect, tls, timeout, too_large, encoding,
        redirect, refused, protocol, stopped, asked to wait, or "http" with the status ("http 404").
        Raise TooManyFilesError if this process cannot open a connection, which is not a fault of the server.
        """
        access = access or Access()
        transport = self._transport(access.proxy or self._settings.proxy)
        metrics = self._metrics_registry
        with metrics.timer(FETCH_SECONDS, accept):
            try:
                first = parse_address(url)
                ports = {source_port or 443}
                servers = set[Server]()
                if accept == "feed":
                    ports.add(port_of(first))
                if linked_from is None:
                    servers.add(server_of(first))
                else:
                    with suppress(FetchError):
                        source = parse_address(linked_from)
                        server = server_of(source)
                        if self._is_private(source) or transport.guard.is_private(
                            *server
                        ):
                            servers.add(server)
                budget = RequestBudget(
                    self.tuning.fetch_deadline_seconds,
                    self.tuning.wire_cap_bytes,
                    ports,
                    servers,
                )
                headers = request_headers(self.user_agent, accept, etag, last_modified)
                result = self._follow(
                    transport, first, headers, budget, access, is_page=accept != "feed"
                )
            # Libraries may raise anything because of a server's data.
            except Exception as error:
                failed = fetch_error(error, url)
                metrics.count(FETCHES, accept, failed.cause)
                if failed is error:
                    raise
                raise failed from error
        metrics.count(FETCHES, accept, str(result.status))
        metrics.count(FETCHED_BYTES, accept, by=len(result.body))
        return result

    @contextmanager
    def connection(
        self, address: str, host: str, port: int, *, most_bytes: int
    ) -> Iterator[tuple[httpcore.NetworkStream, ssl.SSLContext]]:
        """Connect to a server at an address that a user entered, for a protocol other than HTTP.

        Yield the connection and a context for TLS. Wait for the turn of the host first; then the deadline of a fetch
        applies to the block, and `most_bytes` to all bytes received in it. Raise FetchError for limits and refusals.
        Errors of the connection are those of httpcore; the caller converts them with `fetch_error`.
        """
        budget = RequestBudget(
            self.tuning.fetch_deadline_seconds,
            most_bytes,
            {port},
            {(host, port)},
            self._clock,
        )
        # A proxy is only for HTTP.
        guard = self._transport("").guard
        with (
            self.rate_limiter.turn(
                key_of_address(address),
                is_private_host=is_private_address(host),
            ),
            guard.budget(budget),
        ):
            budget.exclude_wait(budget.elapsed())
            # This context is new, because httpcore adds the protocols of HTTP to that of the transport.
            tls = tls_of(self._settings.trusts.get(host, HostTrust()))
            stream = guard.connect_tcp(host, port)
            try:
                yield stream, tls
            finally:
                stream.close()

    def is_unchecked(self, host: str) -> bool:
        """Return whether the certificate of a host is not checked, because a source has `insecure: true`."""
        return self._settings.trusts.get(host, HostTrust()).is_insecure

    def close(self) -> None:
        """Stop: running requests end with FetchError, and later requests are refused."""
        self.rate_limiter.close()
        with self._lock:
            self._is_closed = True
            for transport in self._transports.values():
                transport.guard.stop()
                transport.close()

    def _transport(self, proxy: str) -> GuardedTransport:
        """Return the transport through a proxy, or the direct one for "". Raise ConfigError for an invalid proxy."""
        with self._lock:
            transport = self._transports.get(proxy)
            if transport is None:
                guard = SsrfGuard(
                    self._exceptions, self._resolve, self._dial, is_proxied=bool(proxy)
                )
                transport = GuardedTransport(
                    guard,
                    self._settings.trusts,
                    proxy=proxy_of(proxy) if proxy else None,
                )
                if self._is_closed:
                    guard.stop()
                self._transports[proxy] = transport
        return transport

    def _follow(
        self,
        transport: GuardedTransport,
        first: httpx.URL,
        headers: dict[str, str],
        budget: RequestBudget,
        access: Access,
        *,
        is_page: bool,
    ) -> FetchResult:
        url, at_once, is_for_ever, is_unchecked = first, False, True, False
        cookies = ChainCookies()
        for _ in range(MAX_REDIRECTS + 1):
            sent = httpx.Headers(headers)
            # The headers of `access` may be secrets, so only their own origin gets them.
            if access.headers and origin_of(url) == origin_of(
                parse_address(access.address)
            ):
                sent.update(access.headers)
            # A redirect that depends on a cookie of the chain is not permanent, since others do not have the cookie.
            is_for_ever = not cookies.add_to(sent, url) and is_for_ever
            request = httpx.Request("GET", url, headers=sent)
            with self._response(
                request, transport, budget, at_once=at_once, is_page=is_page
            ) as response:
                cookies.keep(response)
                if url.scheme == "https":
                    is_unchecked = is_unchecked or self.is_unchecked(name_of(url))
                body, location = body_or_redirect(
                    response, headers, budget, self._retry_after(response)
                )
            if not location:
                return to_fetch_result(
                    response,
                    body,
                    asked=first,
                    final=url,
                    is_for_ever=is_for_ever,
                    is_unchecked=is_unchecked,
                )
            target = redirect_target(url, location)
            if not transport.guard.is_private(name_of(url)):
                budget.private_servers = set()
            is_downgrade = url.scheme == "https" and target.scheme == "http"
            if response.status_code not in _FOR_EVER or is_downgrade:
                is_for_ever = False
            at_once = host_key(target) == host_key(url)
            url = target
        raise FetchError(
            "redirect", f"more than {MAX_REDIRECTS} redirects, the last to {short(url)}"
        )

    @contextmanager
    def _response(
        self,
        request: httpx.Request,
        transport: GuardedTransport,
        budget: RequestBudget,
        *,
        at_once: bool,
        is_page: bool,
    ) -> Iterator[httpx.Response]:
        """Wait for a turn at the host and send a request; the waiting time does not count against the budget.

        A thread holds no turn while it waits for the next, so two hosts that redirect to each other cannot cause a
        deadlock.
        """
        began = time.monotonic()
        url = request.url
        key = host_key(url)
        guard = transport.guard
        is_private_host = self._is_private(url)
        with self.rate_limiter.turn(
            key,
            is_private_host=is_private_host,
            at_once=at_once,
            is_page=is_page,
        ):
            budget.exclude_wait(time.monotonic() - began)
            with (
                guard.budget(budget),
                closing(transport.handle_request(request)) as response,
            ):
                status = response.status_code
                if status not in _ASKED_TO_WAIT:
                    self.rate_limiter.answered(key, is_page=is_page)
                # A 429 or 503 from the operator's own servers makes no other request wait.
                elif not (guard.is_private(name_of(url)) or is_private_host):
                    self.rate_limiter.asked_to_wait(
                        key,
                        str(url),
                        status,
                        self._retry_after(response),
                        is_page=is_page,
                    )
                yield response

    def _retry_after(self, response: httpx.Response) -> float | None:
        """Return the seconds that a 429 or 503 asks to wait; None for other responses, or without Retry-After."""
        if response.status_code not in _ASKED_TO_WAIT:
            return None
        return parse_retry_after(
            response.headers.get("retry-after"), self._now(), self.tuning
        )

    def _is_private(self, url: httpx.URL) -> bool:
        """Return whether the URL's host is a private IP address in `allow_private`; localhost counts as 127.0.0.1."""
        address = ip_address_of("127.0.0.1" if url.host == "localhost" else url.host)
        return (
            address is not None
            and not is_public(address)
            and is_permitted(address, self._exceptions)
        )


def client_of(config: Config, metrics_registry: Metrics | None = None) -> Client:
    """Return a client with the configured settings; `metrics_registry` counts its requests."""
    settings = ClientSettings(
        contact=config.fetch.contact,
        allow_private=config.fetch.allow_private,
        proxy=proxy_address(config),
        trusts=host_trusts(config),
    )
    return Client(
        settings,
        Tuning({"net": {"host_gap_seconds": float(config.fetch.host_gap)}}),
        metrics_registry=metrics_registry,
    )
