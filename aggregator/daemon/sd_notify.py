"""Telling systemd how we do: sd_notify's protocol, one datagram a message (man 3 sd_notify)."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

EXTENDED_SECONDS = 60  # how much longer systemd is asked to wait for the start, ...
ASKED_EACH_SECONDS = 20.0  # ... and how often: three are lost before it gives up
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
            while not over.wait(ASKED_EACH_SECONDS):
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
