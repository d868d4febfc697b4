"""The watchdog: threads report heartbeats; a thread without one for too long is stalled.

Messages to systemd use the protocol of sd_notify(3), one datagram per message.
"""

import os
import socket
import threading
import time
from collections.abc import Callable

import msgspec

STATUS_CHARS = 300  # one line of `systemctl status`


class Notifier:
    """Sends states to the socket of systemd; does nothing without one."""

    def __init__(self, address: str | None = None) -> None:
        """`address` defaults to NOTIFY_SOCKET of the environment; "@" begins an abstract name."""
        given = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + given[1:] if given.startswith("@") else given

    def ready(self, words: str) -> None:
        """Tell systemd that the start or the reload is complete."""
        self._send("READY=1", words=words)

    def status(self, words: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(words=words)

    def watchdog(self) -> None:
        """Ping the watchdog of systemd."""
        self._send("WATCHDOG=1")

    def reloading(self, words: str = "reading the configuration again") -> None:
        """Tell systemd that a reload has begun, or that the daemon begins anew; `ready` ends both.

        The message has the time because Type=notify-reload requires it.
        """
        self._send(
            "RELOADING=1",
            f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}",
            words=words,
        )

    def stopping(self) -> None:
        """Tell systemd that the daemon is stopping."""
        self._send("STOPPING=1", words="stopping")

    def _send(self, *states: str, words: str = "") -> None:
        if not self._address:
            return
        shown = "".join(sign if sign.isprintable() else " " for sign in words)[
            :STATUS_CHARS
        ]
        if shown:
            states = (*states, f"STATUS={shown}")
        message = "\n".join(states)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            try:
                channel.connect(self._address)
                channel.sendall(message.encode())
            except OSError:
                return  # systemd does not listen


def watchdog_interval_seconds() -> float | None:
    """Return half the timeout of systemd's watchdog, as the ping interval; None if it does not watch this process."""
    given = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    if not watched or not given.isdigit():
        return None
    return int(given) / 2_000_000 or None


class ServiceTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `watchdog` of config/tuning.yaml, which states the units."""

    check_seconds: float
    stalled_seconds: float
    progress_seconds: float
    rest_seconds: float
    renewed_from_bytes: int
    renewed_seconds: float


class Watchdog:
    """Heartbeats of threads. Thread-safe.

    Its clock advances only while `stalled` is called regularly: if the whole process did not run (SIGSTOP, a
    suspended machine), no thread could report a heartbeat, and none counts as stalled.
    """

    def __init__(
        self,
        stalled_seconds: float,
        check_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A thread is stalled after `stalled_seconds` without a heartbeat.

        `stalled` must be called every `check_seconds`; a longer interval counts as at most twice `check_seconds`.
        """
        self._stalled_seconds = stalled_seconds
        self._most_seconds = 2 * check_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._awake = 0.0
        self._checked_at = clock()
        self._heartbeats: dict[str, float] = {}

    def heartbeat(self, name: str) -> None:
        """Record progress of thread `name`; from the first heartbeat until `drop` it is watched."""
        with self._lock:
            self._heartbeats[name] = self._now()

    def drop(self, *names: str) -> None:
        """Stop watching these threads."""
        with self._lock:
            for name in names:
                self._heartbeats.pop(name, None)

    def stalled(self) -> list[str]:
        """Return the names of stalled threads."""
        with self._lock:
            self._awake = self._now()
            self._checked_at = self._clock()
            return [
                name
                for name, last in self._heartbeats.items()
                if self._awake - last > self._stalled_seconds
            ]

    def _now(self) -> float:
        return self._awake + min(self._clock() - self._checked_at, self._most_seconds)
