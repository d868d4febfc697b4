"""Telling systemd how we do: sd_notify's protocol, one datagram a message (man 3 sd_notify)."""

import os
import socket


class Notifier:
    """Sends states to the socket that systemd names; does nothing where there is none."""

    def __init__(self, address: str | None = None) -> None:
        """`address` defaults to the environment's NOTIFY_SOCKET; "@" begins an abstract name."""
        given = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + given[1:] if given.startswith("@") else given

    def ready(self, status: str) -> None:
        """Start is over."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, words: str) -> None:
        """One line that `systemctl status` shows."""
        self._send(f"STATUS={words}")

    def watchdog(self) -> None:
        """We are alive and getting on."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def _send(self, message: str) -> None:
        if not self._address:
            return
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
