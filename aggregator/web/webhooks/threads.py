"""The threads of the webhooks: one fills the outbox, and each hook has one that sends.

So a receiver that hangs holds up its own deliveries and nothing else. A stop breaks off what is under way; it
is sent again, with the same id, at the next start.
"""

import logging
import threading
import time
from collections.abc import Callable

from aggregator.model.errors import AggregatorError
from aggregator.pipeline.workers.thread_pool import is_left_behind
from aggregator.sources.fetch.webhook_post import WebhookPoster
from aggregator.web.webhooks.dispatcher import WebhookDispatcher
from aggregator.web.webhooks.sender import WebhookSender

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0  # between two looks at the stream, unless woken: another process may have placed something
REST_SECONDS = 10.0  # after the database refused
IDLE_SECONDS = 30.0  # at most between two looks at an outbox: `aggregator webhooks resume` wakes nobody


class WebhookThreads:
    """Runs them until `stop`.

    `is_writer` says whether this process is the one that writes stories: another one sends nothing.
    `heartbeat` is
    called while filling gets on, `failed` with what no thread survives.
    """

    def __init__(
        self,
        dispatcher: WebhookDispatcher,
        senders: dict[str, WebhookSender],
        poster: WebhookPoster,
        *,
        is_writer: Callable[[], bool],
        heartbeat: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._senders = senders
        self._poster = poster
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
        """Take over which hooks there are, as the writer, before anything is placed.

        New ones are told what happens from now on.
        """
        self._dispatcher.sync_webhooks()

    def start(self) -> None:
        """Begin, where there is any hook."""
        if self._senders:
            self._heartbeat()
            for thread in self._threads:
                thread.start()

    def wake(self) -> None:
        """Something was placed."""
        self._changed.set()

    def stop(self) -> None:
        """Ask all threads to end; requests under way are broken off."""
        self._stopping.set()
        self._poster.close()
        for event in (self._changed, *self._filled.values()):
            event.set()

    def join(self, seconds: float) -> int:
        """Wait so long for them; returns how many did not end."""
        deadline = time.monotonic() + seconds
        return sum(is_left_behind(thread, deadline - time.monotonic()) for thread in self._threads)

    def _fill(self) -> None:
        def step() -> float:
            self._changed.clear()
            told = self._dispatcher.step()
            for name in told or ():
                self._filled[name].set()
            self._dispatcher.prune()
            return POLL_SECONDS if told is None else 0.0

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
        """`step` again and again, waiting for `event` or for the seconds that it asks for."""
        try:
            while not self._stopping.is_set():
                self._live()
                try:
                    event.wait(step() if self._is_writer() else POLL_SECONDS)
                except AggregatorError as error:
                    if not self._stopping.is_set():
                        words = "%s rests for %.0f s: %s"
                        log.error(words, name, REST_SECONDS, error, extra={"hook": hook})  # noqa: TRY400
                        self._rest()
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._failed(error)

    def _rest(self) -> None:
        """With heartbeats: a database in trouble is no thread that hangs."""
        until = time.monotonic() + REST_SECONDS
        while time.monotonic() < until and not self._stopping.wait(1.0):
            self._live()

    def _live(self) -> None:
        if threading.current_thread() is self._threads[0]:
            self._heartbeat()
