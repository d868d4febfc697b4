"""The limits of one fetch together with its redirects: time, bytes, ports and servers."""

import time
from collections.abc import Callable, Set

from aggregator.model.errors import FetchError

Server = tuple[str, int]  # host as written in a URL, and port
_SMALLEST_WAIT_SECONDS = 0.001


class RequestBudget:
    """The limits of one fetch: time, received bytes, allowed ports and servers.

    `private_servers` has the servers (host and port) in the operator's own networks that the fetch may reach.
    """

    def __init__(
        self,
        seconds: float,
        wire_cap_bytes: int,
        ports: Set[int],
        private_servers: Set[Server],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.started = clock()
        self.ports = ports
        self.private_servers = private_servers
        self._seconds = seconds
        self._wire_cap_bytes = wire_cap_bytes
        self._wire_bytes = 0

    def left(self) -> float:
        """Return the seconds left. Raise FetchError("timeout") when there are none."""
        seconds = self._seconds - self.elapsed()
        if seconds <= 0:
            raise FetchError(
                "timeout", f"no complete response within {self._seconds:g} s"
            )
        return max(seconds, _SMALLEST_WAIT_SECONDS)

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return self._clock() - self.started

    def exclude_wait(self, seconds: float) -> None:
        """Do not count these seconds, which were spent waiting for the rate limiter."""
        self.started += seconds

    def count(self, size_bytes: int) -> None:
        """Count received bytes. Raise FetchError("too_large") above the limit."""
        self._wire_bytes += size_bytes
        if self._wire_bytes > self._wire_cap_bytes:
            raise FetchError(
                "too_large", f"the response is longer than {self._wire_cap_bytes} bytes"
            )
