"""Whether all parts of the daemon get on: each beats, and who has not for long is stalled.

Telling systemd how we do: sd_notify's protocol, one datagram a message (man 3 sd_notify).
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

EXTENDED_SECONDS = 60  # how much longer systemd is asked to wait for the start, ...
EXTEND_EACH_SECONDS = 20.0  # ... and how often: three are lost before it gives up
STATUS_CHARS = 300  # `systemctl status` has one line for it


class Notifier:
    """Sends states to the socket that systemd names; does nothing where there is none."""

    def __init__(self, address: str | None = None) -> None:
        """`address` defaults to the environment's NOTIFY_SOCKET; "@" begins an abstract name."""
        given = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + given[1:] if given.startswith("@") else given

    def ready(self, words: str) -> None:
        """Start, or reading the configuration again, is over."""
        self._send("READY=1", words=words)

    def status(self, words: str) -> None:
        """One line that `systemctl status` shows."""
        self._send(words=words)

    def watchdog(self) -> None:
        """We are alive and getting on."""
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """The configuration is read again, until `ready`. The time is what Type=notify-reload asks for."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}", words="reading the configuration again")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1", words="stopping")

    @contextmanager
    def starting(self, words: str) -> Iterator[None]:
        """Before READY: something that may rightly take long, such as an upgrade of a large database.

        Until the block ends, systemd is asked again and again not to give the start up.
        """
        if not self._address:
            yield
            return
        over = threading.Event()

        def ask() -> None:
            self._send(f"EXTEND_TIMEOUT_USEC={EXTENDED_SECONDS * 1_000_000}", words=words)
            while not over.wait(EXTEND_EACH_SECONDS):
                self._send(f"EXTEND_TIMEOUT_USEC={EXTENDED_SECONDS * 1_000_000}")

        asking = threading.Thread(target=ask, name="still-starting", daemon=True)
        asking.start()
        try:
            yield
        finally:
            over.set()
            asking.join()

    def _send(self, *states: str, words: str = "") -> None:
        if not self._address:
            return
        shown = "".join(sign if sign.isprintable() else " " for sign in words)[:STATUS_CHARS]
        message = "\n".join([*states, *([f"STATUS={shown}"] if shown else [])])
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            try:
                channel.connect(self._address)
                channel.sendall(message.encode())
            except OSError:
                return  # systemd went away or restarted: nothing to tell, nothing to stop for


def watchdog_interval_seconds() -> float | None:
    """How often to ping: half of what systemd allows; None when it does not watch us."""
    given = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(given) / 2_000_000 if given.isdigit() and int(given) > 0 and watched else None


class ServiceTuning(msgspec.Struct, frozen=True, kw_only=True):
    """The section `service` of config/tuning.yaml; units stand there."""

    look_seconds: float
    stalled_seconds: float
    shown_seconds: float
    status_seconds: float


class Watchdog:
    """Beats of the threads that must get on. Safe to use from all of them.

    Its clock runs only while somebody looks: when the whole process did not run (SIGSTOP, a suspended or
    paused machine) nobody had the time to beat, and nobody is called stalled for it.
    """

    def __init__(
        self, stalled_seconds: float, look_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """So long without a beat is no progress; `stalled` is to be asked every `look_seconds`.

        Where nobody looked for longer, twice that counts.
        """
        self._stalled_seconds = stalled_seconds
        self._most_seconds = 2 * look_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._awake = 0.0
        self._checked_at = clock()
        self._heartbeats: dict[str, float] = {}

    def heartbeat(self, name: str) -> None:
        """The part `name` gets on; from its first beat to `drop` it is expected to."""
        with self._lock:
            self._heartbeats[name] = self._now()

    def drop(self, *names: str) -> None:
        """Nothing more is expected of them."""
        with self._lock:
            for name in names:
                self._heartbeats.pop(name, None)

    def stalled(self) -> list[str]:
        """The parts without progress."""
        with self._lock:
            self._awake, self._checked_at = self._now(), self._clock()
            return [
                name for name, last in self._heartbeats.items() if self._awake - last > self._stalled_seconds
            ]

    def _now(self) -> float:
        return self._awake + min(self._clock() - self._checked_at, self._most_seconds)
