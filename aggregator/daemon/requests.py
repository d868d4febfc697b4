"""Requests to the daemon: to stop, to reload its configuration, to begin anew.

Requests come from signals and from threads of the daemon. When the daemon begins anew, its process starts the same
program again, which gives memory back to the system.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType
from typing import Any, Literal

from aggregator.daemon.watchdog import Notifier

log = logging.getLogger(__name__)

# Ctrl-C reaches this process twice, directly and through make. Signals within this time count as one request.
SAME_SIGNAL_SECONDS = 1.0

Request = Literal["reload", "anew"]


class Requests:
    """The requests to one daemon. Thread-safe."""

    def __init__(self, notifier: Notifier, has_terminal: Callable[[], bool]) -> None:
        """`has_terminal`: whether the terminal that started the daemon still exists."""
        self._notifier = notifier
        self._has_terminal = has_terminal
        self._stop = threading.Event()
        self._any = threading.Event()
        self._wanted: set[Request] = set()
        self._signals: SimpleQueue[int | None] = SimpleQueue()
        self._thread = threading.Thread(
            target=self._handle_signals, name="signals", daemon=True
        )
        self._handlers_before: dict[signal.Signals, Any] = {}
        self._stop_requested_at = 0.0  # monotonic
        self.begins_anew = False  # whether the process is to begin anew at its end

    def start(self) -> None:
        """Handle signals from here on."""
        self._thread.start()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self._handlers_before[number] = signal.signal(number, self._on_signal)

    def end(self) -> None:
        """End the thread that handles signals."""
        self._signals.put(None)
        self._thread.join()

    def restore_handlers(self) -> None:
        """After `end`, let signals end the process at once.

        A signal to stop that came meanwhile cancels the new beginning of the process.
        """
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        while not self._signals.empty():
            if self._signals.get() != signal.SIGHUP:
                self.begins_anew = False

    def stop(self) -> None:
        """Ask the daemon to end."""
        self._stop.set()
        self._any.set()

    def ask(self, request: Request) -> None:
        """Ask the daemon to reload its configuration, or to begin anew."""
        self._wanted.add(request)
        self._any.set()

    @property
    def is_stopping(self) -> bool:
        """Whether the daemon is to end."""
        return self._stop.is_set()

    def take(self, request: Request) -> bool:
        """Return whether the daemon was asked for this, and forget the request.

        `_any` may be cleared for all requests, because the daemon takes each kind before it waits again.
        """
        if request not in self._wanted:
            return False
        self._wanted.remove(request)
        self._any.clear()
        return True

    def wait(self, seconds: float) -> bool:
        """Wait for any request; return whether there is one."""
        return self._any.wait(seconds)

    def wait_for_stop(self, seconds: float) -> bool:
        """Wait until the daemon is to end; return whether it is."""
        return self._stop.wait(seconds)

    def confirm_anew(self) -> bool:
        """Begin anew at the end, unless the daemon was asked to stop; return whether it will."""
        self.begins_anew = True
        # Checked after the assignment: a signal sets `_stop` first and clears `begins_anew` last, so one of the two
        # threads sees the change of the other.
        if self._stop.is_set():
            self.begins_anew = False
        return self.begins_anew

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Pass a signal on to the thread `signals`; a further signal ends a stopping daemon at once (SystemExit).

        The handler uses only SimpleQueue.put, which is re-entrant: it interrupts the main thread, which may hold the
        lock of an Event or of a log handler.
        """
        is_same = time.monotonic() - self._stop_requested_at <= SAME_SIGNAL_SECONDS
        is_reload = number == signal.SIGHUP and self._has_terminal()
        if self._stop.is_set() and not (is_same or is_reload or self.begins_anew):
            raise SystemExit(1)
        self._signals.put(number)

    def _handle_signals(self) -> None:
        while (number := self._signals.get()) is not None:
            if self._stop.is_set() and not self.begins_anew:
                continue
            if number == signal.SIGHUP and self._has_terminal():
                # systemd must learn of the reload at once: see ExecReload in the unit.
                self._notifier.reloading()
                self.ask("reload")
                continue
            self._stop_requested_at = time.monotonic()
            log.info(
                "%s: stopping",
                signal.Signals(number).name,
                extra={"event": "stop_requested"},
            )
            self.stop()
            self.begins_anew = False  # last: see `confirm_anew`
