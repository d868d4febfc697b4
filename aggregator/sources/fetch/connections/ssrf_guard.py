"""SSRF guard: decides at connection time which addresses requests may reach.

A feed, a link in it or a redirect may name anything: services on this machine, the router, a cloud's metadata
service. A host name proves nothing, because its owner decides each time where it leads. So the guard
is httpcore's network backend: it resolves a name once, refuses it if any address is not public, and connects
to the very address that it checked. TLS and the Host header still use the name.

The guard also enforces the deadline and the byte limit of each fetch with its redirects, because only here are
the bytes of headers and chunk sizes seen, and the time of handshakes.
"""

import contextlib
import re
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpcore

from aggregator.config.hosts import ip_address_of
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.connections.name_lookup import system_resolve
from aggregator.sources.fetch.connections.public_addresses import (
    Network,
    is_permitted,
)
from aggregator.sources.fetch.connections.request_budget import RequestBudget

# name, port, seconds left -> addresses
Resolve = Callable[[str, int, float], list[str]]
# Checked address, port, seconds left
Dial = Callable[[str, int, float], httpcore.NetworkStream]
WEB_PORTS = frozenset({80, 443})
_NO_DEADLINE_SECONDS = 20.0  # only for a connection that is opened outside a fetch
_NAMES_KEPT = 100_000
# 127.1 and 0x7f000001 are addresses, too.
_NUMERIC = re.compile(r"(?:^|\.)(?:0[xX][0-9a-fA-F]*|[0-9]+)\.?$")
_LOCAL = re.compile(r"(?:^|\.)localhost\.?$", re.IGNORECASE)


class _CurrentFetch(threading.local):
    """The limits of the fetch of a thread; None for a connection that is opened outside a fetch."""

    budget: RequestBudget | None = None


class SsrfGuard(httpcore.NetworkBackend):
    """httpcore's network backend with checks. `exceptions` are private networks that the operator allows."""

    def __init__(
        self,
        exceptions: Iterable[Network],
        resolve: Resolve | None = None,
        dial: Dial | None = None,
        *,
        is_proxied: bool = False,
    ) -> None:
        """Use the system's `resolve` and `dial` by default.

        `is_proxied` means that the guard only connects to the operator's proxy, which resolves the names of servers.
        """
        self._is_proxied = is_proxied
        self._exceptions = tuple(exceptions)
        self._resolve = resolve or system_resolve
        self._dial = dial or system_dial
        self._current = _CurrentFetch()
        self._open: weakref.WeakSet[GuardedStream] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._stopped = False
        # The names that have so far led into the exceptions, and the names that have led to the internet. They are
        # stored only if there are exceptions.
        self._private_hosts: set[str] = set()
        self._public_hosts: set[str] = set()

    @contextlib.contextmanager
    def budget(self, budget: RequestBudget) -> Iterator[None]:
        """Apply `budget` to all connections, reads and writes of this thread in the block."""
        self._current.budget = budget
        try:
            yield
        finally:
            self._current.budget = None

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore's signature
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Connect to a checked address of `host`. Raise FetchError("refused") if one is not allowed."""
        addresses = (
            self._answers(host, port) if self._is_proxied else self._check(host, port)
        )
        for position, address in enumerate(addresses):
            # A dead address may use only its share of the time.
            share = self.seconds_left(timeout) / (len(addresses) - position)
            try:
                stream = GuardedStream(self._dial(address, port, share), self)
                break
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if position == len(addresses) - 1:
                    raise
        with self._lock:
            self._open.add(stream)
        # A stop does not close a connection that is being opened; this raises FetchError then.
        self.seconds_left(None)
        return stream

    def is_private(self, host: str, port: int | None = None) -> bool:
        """Return whether `host` is in the operator's own networks. With `port`, an unknown name is resolved.

        A name that ever led to the internet is not private: its owner may point it anywhere for a moment.
        """
        if port is not None and self._exceptions and host not in self._private_hosts:
            with contextlib.suppress(FetchError):
                self._note_networks(host, self._answers(host, port))
        return (
            host in self._private_hosts
            and host not in self._public_hosts
            and len(self._public_hosts) < _NAMES_KEPT
        )

    def check(self, host: str, port: int) -> None:
        """Raise FetchError("refused") if a proxy may not be asked for this server; do nothing without a proxy.

        An address is checked as always, and refused if it is written in an unusual form. Only the proxy knows where a
        name leads, so the proxy has to keep names away from private networks.
        """
        if not self._is_proxied:
            return
        if ip_address_of(host.strip("[]")) is not None:
            self._check(host, port)
        elif _NUMERIC.search(host) or _LOCAL.search(host):
            raise _refusal(host, host)
        else:
            self._check_port(host, port)

    def stop(self) -> None:
        """Close every open connection, so that waiting threads return at once with "stopped"."""
        self._stopped = True
        with self._lock:
            streams = list(self._open)
        for stream in streams:
            stream.cut()

    def seconds_left(self, timeout: float | None) -> float:
        """Return the smaller of httpcore's timeout for one step and the time left for the fetch.

        Raise FetchError after a stop, or if no time is left.
        """
        if self._stopped:
            raise FetchError("stopped", "the program is stopping")
        budget = self._current.budget
        left = _NO_DEADLINE_SECONDS if budget is None else budget.left()
        return left if timeout is None else min(left, timeout)

    def count(self, size_bytes: int) -> None:
        """Count bytes received by this thread's fetch."""
        if self._current.budget is not None:
            self._current.budget.count(size_bytes)

    def _answers(self, host: str, port: int) -> list[str]:
        literal = ip_address_of(host.strip("[]"))
        if literal is not None:
            return [str(literal)]
        answers = self._resolve(host, port, self.seconds_left(None))
        if not answers:
            raise FetchError("dns", f"{host} has no address")
        return answers

    def _check(self, host: str, port: int) -> list[str]:
        answers = self._answers(host, port)
        private = []
        for answer in answers:
            address = ip_address_of(answer)
            if address is None or not is_permitted(address, self._exceptions):
                raise _refusal(host, answer)
            if is_permitted(address):
                self._check_port(host, port)
                continue
            private.append(answer)
            budget = self._current.budget
            if budget is not None and (host, port) not in budget.private_servers:
                raise FetchError(
                    "refused",
                    f"port {port} of {host} is in a network of your own: a source from there leads to its own "
                    "host and port only; one on the internet never, one of an imported list after `aggregator "
                    "sources add`, or if the list is imported again with --allow-private",
                )
            # The owner of a name may let it lead anywhere, at any time. When no more names can be remembered,
            # a name never seen in the operator's networks counts as one that led to the internet.
            is_unknown = (
                len(self._public_hosts) >= _NAMES_KEPT
                and ip_address_of(host.strip("[]")) is None
                and host not in self._private_hosts
            )
            if is_unknown or host in self._public_hosts:
                raise _changed_sides(host, answer)
        self._note_networks(host, answers)
        if 0 < len(private) < len(answers):
            raise _changed_sides(host, private[0])
        return answers

    def _note_networks(self, host: str, answers: list[str]) -> None:
        """Store where a name leads. A name that was rebound is then stored both as private and as public."""
        if not self._exceptions:
            return
        for answer in answers:
            address = ip_address_of(answer)
            if address is None or not is_permitted(address, self._exceptions):
                continue
            is_public = is_permitted(address)
            hosts = self._public_hosts if is_public else self._private_hosts
            with self._lock:
                if len(hosts) < _NAMES_KEPT:
                    hosts.add(host)

    def _check_port(self, host: str, port: int) -> None:
        budget = self._current.budget
        allowed = WEB_PORTS if budget is None else WEB_PORTS | budget.ports
        if port not in allowed:
            raise FetchError(
                "refused",
                f"port {port} of {host}: only ports 80, 443 and that of the source are allowed",
            )


class GuardedStream(httpcore.NetworkStream):
    """A connection to which the limits of the current thread's fetch apply."""

    def __init__(self, inner: httpcore.NetworkStream, guard: SsrfGuard) -> None:
        self._inner = inner
        self._guard = guard

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read within the time and bytes of the fetch."""
        try:
            got = self._inner.read(max_bytes, self._guard.seconds_left(timeout))
        finally:
            # This raises FetchError in place of httpcore's error if a stop or the deadline ended the read.
            self._guard.seconds_left(None)
        self._guard.count(len(got))
        return got

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write within the time of the fetch."""
        self._inner.write(buffer, self._guard.seconds_left(timeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Start TLS on this connection, with the same limits; the certificate is checked against the name."""
        self._inner = self._inner.start_tls(
            ssl_context, server_hostname, self._guard.seconds_left(timeout)
        )
        return self

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        """Return httpcore's information about a connection: whether it is readable, its TLS object."""
        return self._inner.get_extra_info(info)

    def cut(self) -> None:
        """Shut the connection down while another thread reads from it."""
        handle = self._inner.get_extra_info("socket")
        if handle is not None:
            with contextlib.suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)


def system_dial(address: str, port: int, seconds: float) -> httpcore.NetworkStream:
    """Connect to an address (never a name) with the operating system's sockets."""
    return httpcore.SyncBackend().connect_tcp(address, port, timeout=seconds)


def _refusal(host: str, answer: str) -> FetchError:
    subject = answer if host == answer else f"{host} leads to {answer}, which"
    return FetchError(
        "refused",
        f"{subject} is not on the public internet; "
        "if it is yours, name its network under fetch.allow_private",
    )


def _changed_sides(host: str, answer: str) -> FetchError:
    return FetchError(
        "refused",
        f"{host} leads to {answer} in a network of your own, and to the internet as well or before; "
        "if that is yours, give the source with this address in place of the name",
    )
