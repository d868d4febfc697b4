"""Rate limiter: few requests to a host at a time, with gaps, and a wait when a server requests it."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec

from aggregator.model.errors import FetchError
from aggregator.sources.fetch.response import http_time
from aggregator.sources.source_limits import NetTuning

# After a 429 without Retry-After, all requests to the host wait for this time (chosen)
_HOST_HOLD_SECONDS = 300.0
# All requests to a host wait at most this long because of one response: a platform with many feeds must not stand
# still for a day (FreshRSS issue 7870); chosen.
_HOST_HOLD_MAX_SECONDS = 3600.0
# All requests to a host wait after this many of its URLs returned 503 with Retry-After: a single URL may have a bad
# route.
_HOST_HOLD_FEEDS = 2
# Each 429 doubles the gap of its host, up to this many times the usual gap (chosen)
_HOST_GAP_FACTOR_MAX = 32.0
# This many consecutive responses without a 429 halve the gap again (chosen)
_HOST_RECOVERY_RESPONSES = 20
_DIGITS = re.compile(r"[0-9]+\Z")
# If more hosts are known, those that are idle and need no wait are forgotten
HOSTS_KEPT = 10_000
# A longer crawl delay in robots.txt is cut to this
_LARGEST_REQUESTED_GAP_SECONDS = 30.0
# A host whose gap a 429 has widened is remembered at least this long
_WIDE_GAP_KEPT_SECONDS = 86400.0
# A host's state for its pages is stored under the name of the host with this suffix
_PAGES = " pages"
# The cause of a FetchError if no request was sent
ASKED_TO_WAIT = "asked to wait"


def parse_retry_after(
    value: str | None, now: datetime, tuning: NetTuning
) -> float | None:
    """Return the seconds of a Retry-After header, clamped to [60 s, 24 h]; None if it is missing or invalid.

    This clamps the header of every response, also to deliveries; `poll_schedule.after_failure` limits all waits of a
    source. Only ASCII digits or an HTTP date count (RFC 9110 10.2.3); `now` is aware.
    """
    text = (value or "").strip()
    if _DIGITS.match(text):
        seconds = float(text)  # infinite for hundreds of digits
    elif (moment := http_time(text)) is not None:
        seconds = (moment - now).total_seconds()
    else:
        return None
    return min(max(seconds, tuning.interval_floor_seconds), tuning.interval_cap_seconds)


class _Host(msgspec.Struct):
    running: int = 0
    waiting: int = 0
    next_start: float = 0.0
    requested_gap: float = 0.0
    backoff_until: float = 0.0
    gap_factor: float = 1.0
    # Consecutive responses without a 429 since the last change of the gap
    answers: int = 0
    # The end of the wait of each URL that returned 503
    busy: dict[str, float] = {}


class RateLimiter:
    """Admits requests to a host with a gap between their starts.

    Thread-safe. Waiting here does not count against a request's deadline. `clock`, and `pause`, which waits for a
    number of seconds, are parameters for tests with simulated time.
    """

    def __init__(
        self,
        tuning: NetTuning,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._tuning = tuning
        self.host_concurrency = (
            tuning.host_concurrency
        )  # requests to a host at the same time
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        self._changed = threading.Condition()
        self._pause = pause or self._changed.wait
        self._closed = False

    @contextmanager
    def turn(
        self,
        host: str,
        *,
        is_private_host: bool = False,
        at_once: bool = False,
        is_page: bool = False,
    ) -> Iterator[None]:
        """Wait for a turn at `host` and hold it for the block.

        Raise FetchError: "stopped" after `close`, "asked to wait" while the host has requested a wait.
        `is_private_host` means a server of the operator, which has no gap, only the limit on concurrent requests.
        `at_once` means the next step of a redirect, which does not wait for the gap, but makes the next gap longer.
        `is_page` means the page of an entry, not a feed.
        """
        with self._changed:
            state = self._state(host)
            state.waiting += 1
            try:
                while True:
                    if self._closed:
                        raise FetchError("stopped", "the program is stopping")
                    now = self._clock()
                    limits = self._limits(host, state, is_page)
                    left = max(limit.backoff_until for limit in limits) - now
                    start = max(limit.next_start for limit in limits)
                    if left > 0:
                        raise FetchError(
                            ASKED_TO_WAIT,
                            f"{host} said that we ask too often; nothing is sent for {left:.0f} s",
                            retry_after_seconds=left,
                        )
                    if state.running >= self.host_concurrency:
                        self._changed.wait()
                    elif start > now and not at_once:
                        self._pause(start - now)
                    else:
                        break
            finally:
                state.waiting -= 1
            state.running += 1
            start = max(self._clock(), state.next_start if at_once else 0.0)
            for limit in self._limits(host, state, is_page):
                gap = max(
                    self._tuning.host_gap_seconds * limit.gap_factor,
                    limit.requested_gap,
                )
                limit.next_start = start + (0.0 if is_private_host else gap)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._hosts[host].running -= 1
                self._changed.notify_all()

    def ready_in(self, host: str, *, is_page: bool = False) -> float:
        """Return the seconds until a request to `host` could start, which is an estimate while other requests wait."""
        with self._changed:
            state = self._hosts.get(host, _Host())
            ahead = state.waiting + max(0, state.running + 1 - self.host_concurrency)
            start = max(
                max(limit.next_start, limit.backoff_until)
                for limit in self._limits(host, state, is_page)
            )
            return (
                max(0.0, start - self._clock()) + ahead * self._tuning.host_gap_seconds
            )

    def not_ready(self, within_seconds: float) -> list[str]:
        """Return the hosts that cannot start a request within this time."""
        with self._changed:
            latest = self._clock() + within_seconds
            return [
                name
                for name, state in self._hosts.items()
                if max(state.next_start, state.backoff_until) > latest
                or state.running + state.waiting >= self.host_concurrency
            ]

    def asked_to_wait(
        self,
        host: str,
        url: str,
        status: int,
        seconds: float | None,
        *,
        is_page: bool = False,
    ) -> None:
        """Handle a 429, or a 503 with a Retry-After. A response to a page concerns only the pages of the host.

        A 429 concerns this client, so it stops all requests to the host and widens their gap. A 503 may concern one
        URL, so it stops them only if several URLs returned it at the same time. However long one feed must wait, the
        host's other feeds wait at most an hour.
        """
        with self._changed:
            state = self._state(host + _PAGES if is_page else host)
            now = self._clock()
            if state.backoff_until > now:
                return  # this request was sent before the response that began the wait arrived
            if status == 429:
                hold = seconds or _HOST_HOLD_SECONDS
                state.gap_factor = min(state.gap_factor * 2, _HOST_GAP_FACTOR_MAX)
            elif seconds is None:
                return
            else:
                # URLs whose wait is over are forgotten.
                state.busy = {
                    url_: end for url_, end in state.busy.items() if end > now
                }
                state.busy[url] = now + seconds
                if len(state.busy) < _HOST_HOLD_FEEDS:
                    return
                hold = min(state.busy.values()) - now
            state.answers = 0
            state.backoff_until = now + min(hold, _HOST_HOLD_MAX_SECONDS)
            self._changed.notify_all()

    def answered(self, host: str, *, is_page: bool = False) -> None:
        """Handle any other response; enough of them in a row shorten the gap again."""
        with self._changed:
            for name in (host, host + _PAGES) if is_page else (host,):
                state = self._hosts.get(name)
                if state is None or state.gap_factor <= 1.0:
                    continue
                state.answers += 1
                if state.answers >= _HOST_RECOVERY_RESPONSES:
                    state.answers = 0
                    state.gap_factor = max(1.0, state.gap_factor / 2)

    def close(self) -> None:
        """Refuse all waiting and later requests."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def widen(self, host: str, gap_seconds: float) -> None:
        """Use at least this gap at `host`, up to 30 seconds, because its robots.txt has a crawl delay."""
        with self._changed:
            self._state(host).requested_gap = min(
                gap_seconds, _LARGEST_REQUESTED_GAP_SECONDS
            )

    def _state(self, host: str) -> _Host:
        if len(self._hosts) >= HOSTS_KEPT:
            now = self._clock()
            for name, idle in list(self._hosts.items()):
                until = max(idle.next_start, idle.backoff_until)
                if idle.gap_factor > 1.0:
                    until += _WIDE_GAP_KEPT_SECONDS
                if idle.running + idle.waiting == 0 and until <= now:
                    del self._hosts[name]
        return self._hosts.setdefault(host, _Host())

    def _limits(self, host: str, state: _Host, is_page: bool) -> tuple[_Host, ...]:
        """Return the states whose limits apply to a request; feeds do not wait for the gaps of pages."""
        pages = self._hosts.get(host + _PAGES) if is_page else None
        return (state,) if pages is None else (state, pages)
