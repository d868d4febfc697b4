"""The threads of the outbox: one fills it, and each recipient has one that sends.

A receiver that hangs delays its own deliveries only. A stop cancels a running request; the delivery is sent
again, with the same id, after the next start.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable

from aggregator.config.settings import Config
from aggregator.config.webhooks import DIGEST, recipients_from
from aggregator.model.errors import AggregatorError
from aggregator.pipeline.workers.thread_pool import is_left_behind
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import DatabaseStoryReader
from aggregator.web.settings import PublishSettings
from aggregator.web.webhooks.dispatcher import WebhookDispatcher, dispatcher_of
from aggregator.web.webhooks.payload import WebhookTuning
from aggregator.web.webhooks.sender import WebhookSender
from aggregator.web.webhooks.transmit import Transmitter, transmitter_of

log = logging.getLogger(__name__)

POLL_SECONDS = (
    1.0  # between two reads of the change stream, unless woken; another process may have placed articles
)
REST_SECONDS = 10.0  # back-off after an error of the database
IDLE_SECONDS = 30.0  # the longest time between two reads of an outbox; `webhooks resume` wakes no thread


class WebhookThreads:
    """Runs the threads until `stop`.

    `is_writer` returns whether this process is the writer; other processes send nothing. `heartbeat` is
    called while the dispatcher makes progress, `failed` with an exception that ended a thread.
    """

    def __init__(
        self,
        dispatcher: WebhookDispatcher,
        senders: dict[str, WebhookSender],
        transmitter: Transmitter,
        *,
        is_writer: Callable[[], bool],
        heartbeat: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._senders = senders
        self._transmitter = transmitter
        self._is_writer = is_writer
        self._heartbeat = heartbeat
        self._failed = failed
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._filled = {name: threading.Event() for name in senders}
        self._threads = [threading.Thread(target=self._fill, name="webhooks", daemon=True)] + [
            threading.Thread(target=self._send, args=(name,), name=f"webhook {name}", daemon=True)
            for name in senders
        ]

    def sync_webhooks(self) -> None:
        """Store which webhooks are configured; the writer calls it before it places articles.

        A new webhook receives the changes from now on.
        """
        self._dispatcher.sync_webhooks()

    def prune(self) -> None:
        """Delete deliveries that ended long ago; a maintenance task of the writer calls it."""
        self._dispatcher.prune()

    def make_digest(self, until: dt.datetime) -> bool:
        """Store the digest that was due at `until`, unless it is; return False if that has to wait."""
        readers = self._dispatcher.make_digest(until)
        for name in readers or ():
            self._filled[name].set()
        return readers is not None

    def start(self) -> None:
        """Start the threads if a webhook is configured."""
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
        self._transmitter.close()
        for event in (self._changed, *self._filled.values()):
            event.set()

    def join(self, seconds: float) -> int:
        """Wait up to `seconds` for the threads; return how many did not end."""
        deadline = time.monotonic() + seconds
        return sum(is_left_behind(thread, deadline - time.monotonic()) for thread in self._threads)

    def _fill(self) -> None:
        def step() -> float:
            self._changed.clear()
            filled = self._dispatcher.step()
            for name in filled or ():
                self._filled[name].set()
            return POLL_SECONDS if filled is None else 0.0

        self._run("webhooks", step, self._changed)

    def _send(self, name: str) -> None:
        sender, filled = self._senders[name], self._filled[name]

        def step() -> float:
            filled.clear()
            seconds = sender.step()
            return IDLE_SECONDS if seconds is None else min(seconds, IDLE_SECONDS)

        self._run(f"webhook {name}", step, filled, hook=name)

    def _run(
        self, name: str, step: Callable[[], float], event: threading.Event, *, hook: str | None = None
    ) -> None:
        """Call `step` repeatedly; between calls wait for `event` or for the seconds that it returned."""
        try:
            while not self._stopping.is_set():
                self._send_heartbeat()
                try:
                    event.wait(step() if self._is_writer() else POLL_SECONDS)
                except AggregatorError as error:
                    if not self._stopping.is_set():
                        log.error(  # noqa: TRY400
                            "%s: paused for %.0f s: %s", name, REST_SECONDS, error,
                            extra={"event": "webhook_paused", "webhook": hook},
                        )  # fmt: skip
                        self._back_off()
        except BaseException as error:  # noqa: BLE001 - passed to the main thread, which raises it
            self._failed(error)

    def _back_off(self) -> None:
        """Wait with heartbeats, because a thread that waits for the database does not hang."""
        until = time.monotonic() + REST_SECONDS
        while time.monotonic() < until and not self._stopping.wait(1.0):
            self._send_heartbeat()

    def _send_heartbeat(self) -> None:
        if threading.current_thread() is self._threads[0]:
            self._heartbeat()


# --- create the threads from the configuration -------------------------------------------------------------


def webhook_threads(
    config: Config,
    settings: PublishSettings,
    database: Database,
    now: Callable[[], dt.datetime],
    *,
    is_writer: Callable[[], bool],
    heartbeat: Callable[[], None],
    failed: Callable[[BaseException], None],
) -> WebhookThreads:
    """Return the threads of the configured webhooks, not started. Raises ConfigError for a bad webhook."""
    recipients, tuning = recipients_from(config), config.effective_tuning.section("webhooks", WebhookTuning)
    reader = DatabaseStoryReader(database, config.effective_tuning)
    steady_days: float = config.effective_tuning.values("retention")["steady_days"]
    dispatcher = dispatcher_of(config, settings, database, recipients, now)
    transmitter = transmitter_of(config, settings, now, reader)
    senders = {
        one.name: WebhookSender(database, one, transmitter, tuning=tuning, steady_days=steady_days, now=now)
        for one in recipients
        if one.name != DIGEST
    }
    return WebhookThreads(
        dispatcher, senders, transmitter, is_writer=is_writer, heartbeat=heartbeat, failed=failed
    )
