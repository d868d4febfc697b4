"""The limit on how often one address may send requests, or wrong tokens."""

import ipaddress
import math
import threading
import time
from collections.abc import Callable

from aggregator.config.hosts import ip_address_of
from aggregator.web.responses import RefusedError


def network_of(address: str) -> str:
    """Return the address, or for IPv6 its /64 network, because a client can choose any address there."""
    parsed = ip_address_of(address)
    if parsed is None:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


_MINUTE_SECONDS = 60.0
# The most addresses that are stored; a further one removes the one whose last request is the oldest.
_ADDRESSES = 10_000


class AddressLimiter:
    """Limits how often one address (IPv6: its first 64 bits) may do something within a minute, or in a burst.

    Safe to use from many threads.
    """

    def __init__(
        self, a_minute: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = a_minute
        self._clock = clock
        # The attempts that each network has left, and the time when they were counted
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, address: str, refusal: str) -> None:
        """Count one attempt of this address. Raises RefusedError (429) with the text `refusal` over the limit."""
        network = network_of(address)
        now = self._clock()
        with self._lock:
            left, at = self._buckets.pop(network, (float(self._most), now))
            left = min(self._most, left + (now - at) * self._most / _MINUTE_SECONDS)
            is_within = left >= 1
            # The entry is inserted again at the end, so that it is removed last.
            self._buckets[network] = (left - is_within, now)
            if len(self._buckets) > _ADDRESSES:
                del self._buckets[next(iter(self._buckets))]
        if not is_within:
            wait = max(1, math.ceil((1 - left) * _MINUTE_SECONDS / self._most))
            raise RefusedError(429, refusal, headers={"Retry-After": str(wait)})
