"""The threads that fill the outbox and send deliveries.

One thread fills the outbox, and each recipient has a thread that sends, so a receiver that hangs delays only its
own deliveries. A stop cancels a running request; its delivery is sent again, with the same id, after the next start.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from aggregator.config import webhook_settings
from aggregator.deliver.dispatcher import WebhookDispatcher
from aggregator.deliver.sender import WebhookSender
from aggregator.intake.workers.executor import is_left_behind
from aggregator.model.errors import AggregatorError

log = logging.getLogger(__name__)
POLL_SECONDS = (
    # The time between two reads of the change stream, unless woken: another process may have placed articles
    1.0
)
REST_SECONDS = 10.0  # back-off after an error of the database
# The longest time between two reads of an outbox, because `webhooks resume` does not wake the thread
IDLE_SECONDS = 30.0


class WebhookThreads:
    """Runs the threads until `stop`.

    `is_writer` returns whether this process is the writer; other processes send nothing. `heartbeat` is called while
    the dispatcher makes progress. `failed` is called with an exception that ended a thread.
    """

    def __init__(
        self,
        dispatcher: WebhookDispatcher,
        senders: Mapping[str, WebhookSender],
        stop_sending: Callable[[], None],
        *,
        is_writer: Callable[[], bool],
        heartbeat: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.dispatcher = dispatcher
        self._senders = senders
        self._stop_sending = stop_sending
        self._is_writer = is_writer
        self._heartbeat = heartbeat
        self._failed = failed
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._filled = {name: threading.Event() for name in senders}
        self._threads = [
            threading.Thread(
                target=self._run,
                args=(self._fill, self._changed, heartbeat),
                name="webhooks",
                daemon=True,
            )
        ]
        for name, filled in self._filled.items():
            self._threads.append(
                threading.Thread(
                    target=self._run,
                    args=(partial(self._send, name), filled, lambda: None),
                    name=webhook_settings.recipient_words(name).strip(),
                    daemon=True,
                )
            )

    def make_digest(self, until: datetime) -> bool:
        """Store the digest that is due at `until`, unless it is stored. Return False if the caller must try again."""
        readers = self.dispatcher.make_digest(until)
        for name in readers or ():
            self._filled[name].set()
        return readers is not None

    def start(self) -> None:
        """Start the threads if something may be sent."""
        if self._senders:
            self._heartbeat()
            for thread in self._threads:
                thread.start()

    def wake(self) -> None:
        """Wake the dispatcher because articles were placed."""
        self._changed.set()

    def stop(self) -> None:
        """Ask all threads to end, and cancel running requests."""
        self._stopping.set()
        self._stop_sending()
        for event in (self._changed, *self._filled.values()):
            event.set()

    def join(self, seconds: float) -> int:
        """Wait up to `seconds` for the threads; return how many did not end."""
        deadline = time.monotonic() + seconds
        left_behind = 0
        for thread in self._threads:
            if is_left_behind(thread, deadline - time.monotonic()):
                left_behind += 1
        return left_behind

    def _fill(self) -> float:
        """Fill the outbox; return the seconds to wait."""
        filled = self.dispatcher.step()
        for name in filled or ():
            self._filled[name].set()
        return POLL_SECONDS if filled is None else 0.0

    def _send(self, name: str) -> float:
        """Send the next delivery of a recipient; return the seconds to wait."""
        seconds = self._senders[name].step()
        return IDLE_SECONDS if seconds is None else min(seconds, IDLE_SECONDS)

    def _run(
        self,
        step: Callable[[], float],
        event: threading.Event,
        heartbeat: Callable[[], None],
    ) -> None:
        """Call `step` repeatedly; between calls wait for `event` or for the seconds that it returned."""
        try:
            while not self._stopping.is_set():
                heartbeat()
                event.clear()
                try:
                    event.wait(step() if self._is_writer() else POLL_SECONDS)
                except AggregatorError as error:
                    if self._stopping.is_set():
                        return
                    log.error(  # noqa: TRY400
                        "%s: paused for %.0f s: %s",
                        threading.current_thread().name, REST_SECONDS, error,
                        extra={"event": "webhook_paused"},
                    )  # fmt: skip
                    until = time.monotonic() + REST_SECONDS
                    while time.monotonic() < until and not self._stopping.wait(1.0):
                        # A thread that waits for the database is not stalled.
                        heartbeat()
        except BaseException as error:  # noqa: BLE001 - passed to the main thread, which raises it
            self._failed(error)
