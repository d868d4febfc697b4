"""How often one address may ask: a bucket for each that fills up with time."""

import math
import threading
import time
from collections.abc import Callable

from aggregator.web.security.request_origin import network_of

_MINUTE_SECONDS = 60.0
_ADDRESSES = 10_000  # that are remembered; a flood of others makes us forget the oldest


class Pace:
    """So many requests a minute from one address (of IPv6: its first 64 bits), as many at once at most.

    Safe to use from many threads.
    """

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = a_minute
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # what is left, and when that was so
        self._lock = threading.Lock()

    def wait_seconds(self, address: str) -> int:
        """Takes one; 0, or after how many seconds there is one to be taken."""
        network, now = network_of(address), self._clock()
        with self._lock:
            left, at = self._buckets.pop(network, (float(self._most), now))
            left = min(self._most, left + (now - at) * self._most / _MINUTE_SECONDS)
            taken = left >= 1
            self._buckets[network] = (left - taken, now)  # at the end: the last to be forgotten
            if len(self._buckets) > _ADDRESSES:
                del self._buckets[next(iter(self._buckets))]
        return 0 if taken else max(1, math.ceil((1 - left) * _MINUTE_SECONDS / self._most))
