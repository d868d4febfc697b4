"""Manners towards other people's servers: few requests at a time, and coming back when they say."""

import datetime as dt
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime

import msgspec

from aggregator.errors import FetchError
from aggregator.net.rulebook import NetRules

_DIGITS = re.compile(r"[0-9]{1,19}\Z")
_HTTP_DATE = re.compile(r"[A-Za-z]{3,9},? [0-9A-Za-z:, -]{5,40}\Z")
_HOSTS_KEPT = 10_000
_LARGEST_WISHED_GAP_SECONDS = 30.0


def parse_retry_after(value: str | None, now: dt.datetime, rules: NetRules) -> float | None:
    """Seconds to wait by a Retry-After header, clamped to [60 s, 24 h]; None for what is neither form.

    Only ASCII digits or an HTTP date count (RFC 9110 10.2.3); `now` is aware.
    """
    text = (value or "").strip()
    if _DIGITS.match(text):
        seconds = float(text)
    elif text and set(text) <= set("0123456789"):  # more digits than any float of use: "never", clamped
        seconds = rules.retry_after_most_seconds
    elif _HTTP_DATE.match(text):
        try:
            moment = parsedate_to_datetime(text)
            aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
            seconds = (aware - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    else:
        return None
    return min(max(seconds, rules.retry_after_least_seconds), rules.retry_after_most_seconds)


class _Host(msgspec.Struct):
    running: int = 0
    waiting: int = 0
    next_start: float = 0.0
    wished_gap: float = 0.0


class HostGate:
    """Lets requests to one host through one after the other, with a gap between their starts.

    Safe to use from many threads. Waiting in the gate is not part of a fetch's deadline.
    """

    def __init__(self, gap_seconds: float, concurrency: int) -> None:
        self._gap = gap_seconds
        self._concurrency = concurrency
        self._hosts: dict[str, _Host] = {}
        self._changed = threading.Condition()
        self._closed = False

    @contextmanager
    def turn(self, host: str, *, at_home: bool = False) -> Iterator[None]:
        """Wait for a turn at `host` and hold it inside; FetchError("stopped") when the gate is closed.

        `at_home` is for a server of the operator's own: no gap, only the bound on requests at the same time.
        """
        self._enter(host, at_home)
        try:
            yield
        finally:
            with self._changed:
                self._hosts[host].running -= 1
                self._changed.notify_all()

    def ready_in(self, host: str) -> float:
        """Seconds until a request to `host` could start; a guess while others wait there too."""
        with self._changed:
            state = self._hosts.get(host)
            if state is None:
                return 0.0
            ahead = state.waiting + max(0, state.running + 1 - self._concurrency)
            return max(0.0, state.next_start - time.monotonic()) + ahead * self._gap

    def close(self) -> None:
        """Turn away everybody who waits, now and later."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def widen(self, host: str, gap_seconds: float) -> None:
        """Keep at least this gap at `host`: its own wish (a crawl delay), honoured up to 30 seconds."""
        with self._changed:
            self._state(host).wished_gap = min(gap_seconds, _LARGEST_WISHED_GAP_SECONDS)

    def _state(self, host: str) -> _Host:
        if len(self._hosts) >= _HOSTS_KEPT:
            self._forget_idle()
        return self._hosts.setdefault(host, _Host())

    def _enter(self, host: str, at_home: bool) -> None:
        with self._changed:
            state = self._state(host)
            state.waiting += 1
            try:
                self._await_turn(state)
            finally:
                state.waiting -= 1
            state.running += 1
            gap = 0.0 if at_home else max(self._gap, state.wished_gap)
            state.next_start = time.monotonic() + gap
            self._changed.notify_all()

    def _await_turn(self, state: _Host) -> None:
        while True:
            if self._closed:
                raise FetchError("stopped", "the program is stopping")
            early = state.next_start - time.monotonic()
            if state.running >= self._concurrency:
                self._changed.wait()
            elif early > 0:
                self._changed.wait(early)
            else:
                return

    def _forget_idle(self) -> None:
        now = time.monotonic()
        for host, state in list(self._hosts.items()):
            if state.running == 0 and state.waiting == 0 and state.next_start <= now:
                del self._hosts[host]
