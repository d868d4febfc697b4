"""The thread that writes stories while its process is the writer, and otherwise tries to become the writer.

If the database cannot be written (full, read-only, restarting), it backs off and tries again while the rest
of the daemon continues. If another process became the writer, it clears its memory and becomes a standby.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from aggregator.config.messages import counted
from aggregator.daemon.maintenance import Maintenance
from aggregator.model.errors import (
    AggregatorError,
    AnotherDaemonError,
    DamagedError,
    DatabaseOutdatedError,
    DatabaseReplacedError,
    DatabaseTooNewError,
    LeaseLostError,
    NoWorkersError,
)
from aggregator.pipeline.pipeline import Pipeline
from aggregator.pipeline.workers.thread_pool import is_left_behind
from aggregator.store import migrate
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.writer_lease import WriterLease
from aggregator.store.stories.merged_texts import render_next
from aggregator.stories.tuning import StoryTuning

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0  # sleep when nothing waits, unless it is woken
RENDERED_AT_ONCE = 20  # stories that are rendered between two reads of the inbox
STEP_SECONDS = 1.0  # between two maintenance steps while articles wait
BACKOFF_SECONDS = (1.0, 2.0, 3.0)  # after the first, second and later errors of the database


class WriterCallbacks(NamedTuple):
    """Functions that the thread calls."""

    heartbeat: Callable[[], None]  # it makes progress
    took_over: Callable[[], None]  # this process became the writer
    placed: Callable[[int], None]  # with the number of placed articles
    indexed: Callable[[], None]  # placed articles are in the search index
    failed: Callable[[BaseException], None]  # the daemon must end with this error


class WriterLoop:
    """Placing, commands, indexing, rendering and short maintenance tasks, in one thread."""

    def __init__(
        self,
        database: Database,
        lock: WriterLease,
        pipeline: Pipeline,
        maintenance: Maintenance,
        *,
        story_tuning: StoryTuning,
        standby_seconds: float,
        searchable_seconds: float,
        arrived: threading.Event,
        tell: WriterCallbacks,
    ) -> None:
        """`arrived` is set when entries wait; a standby tries to become the writer every `standby_seconds`.

        While many entries wait, placed articles are indexed every `searchable_seconds`.
        """
        self._database = database
        self._lock = lock
        self._pipeline = pipeline
        self._maintenance = maintenance
        self._story_tuning = story_tuning
        self._standby_seconds = standby_seconds
        self._shown_seconds = searchable_seconds
        self._arrived = arrived
        self._callbacks = tell
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="placing", daemon=True)
        self._is_ready = False  # the writer, and `took_over` was called
        self._stepped_at = 0.0
        self.has_begun = False  # whether it has read the inbox
        self.trouble: str | None = None  # why placing is paused

    def start(self) -> None:
        """Start the thread; a writer has called `took_over` when this returns."""
        if self._lock.is_held:
            self._take_up()
        else:
            log.info(
                "standby: another daemon is the writer; this one fetches and serves",
                extra={"event": "standby_started"},
            )
        self._callbacks.heartbeat()
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end soon."""
        self._stopping.set()
        self._arrived.set()

    def join(self, seconds: float) -> bool:
        """After `stop`: wait `seconds`; return whether the thread still runs."""
        return is_left_behind(self._thread, seconds)

    # --- writer or standby --------------------------------------------------------------------------------

    def _run(self) -> None:
        rejected = 0
        try:
            while not self._stopping.is_set():
                try:
                    self._run_once()
                    if self.trouble is not None:
                        log.info("placing resumed", extra={"event": "placing_resumed"})
                    self.trouble, rejected = None, 0
                except (DatabaseTooNewError, DatabaseOutdatedError, DatabaseReplacedError):
                    raise  # the tables are of another version, or the file is another one
                except LeaseLostError as error:
                    self._become_standby(error)
                except AnotherDaemonError:
                    raise
                except AggregatorError as error:
                    self._back_off(error, BACKOFF_SECONDS[min(rejected, len(BACKOFF_SECONDS) - 1)])
                    rejected += 1
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self._callbacks.failed(error)

    def _run_once(self) -> None:
        """Write what waits, or try to become the writer."""
        self._callbacks.heartbeat()
        self._database.check_file()
        if self._is_ready and not self._lock.is_held:
            raise LeaseLostError("its session does not answer")
        if self._is_ready or self._becomes_writer():
            self._arrived.clear()
            self.has_begun = True
            self._write()
            self._arrived.wait(IDLE_SECONDS)
        else:
            self._stopping.wait(self._standby_seconds)

    def _becomes_writer(self) -> bool:
        began = time.monotonic()
        if not self._lock.become_writer():
            return False
        self._take_up()
        took = f"takeover took {time.monotonic() - began:.1f} s"
        silent = self._lock.silent_seconds
        before = (
            "no previous writer"
            if silent is None
            else f"last heartbeat of the previous one {silent:.1f} s ago"
        )
        log.info("became the writer: %s, %s", before, took, extra={"event": "writer_lease_acquired"})
        return True

    def _take_up(self) -> None:
        """Begin to write, with a memory that is built from the database."""
        migrate.check(self._database)
        self._callbacks.took_over()
        self._is_ready = True

    def _become_standby(self, error: LeaseLostError) -> None:
        self._is_ready = False
        self._pipeline.forget()
        if self._database.is_sqlite:
            raise AnotherDaemonError(
                f"another process became the writer of {shown_url(self._database.url)} while this one had "
                "its lock: the .lock file was removed, or its file system lacks locks (a network drive)"
            ) from error
        log.warning(
            "lost the writer lease (%s); now a standby",
            error,
            extra={"event": "writer_lease_lost"},
        )
        self._lock.release()

    def _back_off(self, error: AggregatorError, seconds: float) -> None:
        """Wait after an error of the database; the last commit may or may not have happened."""
        is_new = str(error) != self.trouble  # log an outage of hours once
        self.trouble = str(error)
        log.log(
            logging.ERROR if is_new else logging.DEBUG,
            "placing is paused and tried again: %s",
            error,
            extra={"event": "placing_paused"},
        )
        if not isinstance(
            error, DamagedError | NoWorkersError
        ):  # else the transaction was not started, or rolled back
            self._pipeline.forget()
        self._stopping.wait(seconds)

    # --- the writer's work --------------------------------------------------------------------------------

    def _write(self) -> None:
        self._run_commands()  # also if nothing can be placed: a repair may wait
        trouble = self._place()
        self._run_commands()
        self._index()
        while not self._stops() and render_next(self._lock.fenced, RENDERED_AT_ONCE, self._story_tuning):
            if self._arrived.is_set():
                break
        self._pipeline.index_older(self._is_needed)
        while not self._is_needed() and self._maintenance.run_step(self._is_needed):
            pass
        if trouble is not None:
            raise trouble

    def _place(self) -> AggregatorError | None:
        """Place all waiting entries; return an error that stops placing but not other work."""
        count, shown_at = 0, time.monotonic()
        trouble: AggregatorError | None = None
        try:
            for batch in self._pipeline.place_waiting(self._stops):
                count += len(batch)
                self._between_batches()
                if time.monotonic() - shown_at >= self._shown_seconds:
                    self._publish(count)
                    count, shown_at = 0, time.monotonic()
        except (DamagedError, NoWorkersError) as error:
            trouble = error
        if count:
            self._report(count)
        return trouble

    def _report(self, count: int) -> None:
        log.info("placed %s", counted(count, "article"), extra={"event": "articles_placed"})
        self._callbacks.placed(count)

    def _publish(self, count: int) -> None:
        """Report and index the placed articles while more entries wait."""
        self._report(count)
        self._index()

    def _index(self) -> None:
        """Index the placed articles, and wake the webhooks."""
        self._pipeline.index_text(self._stops)
        self._callbacks.indexed()

    def _between_batches(self) -> None:
        """Run commands and maintenance steps while an archive is placed."""
        self._run_commands()
        if time.monotonic() - self._stepped_at >= STEP_SECONDS:
            self._maintenance.run_step(self._stops)
            self._stepped_at = time.monotonic()

    def _run_commands(self) -> None:
        executed = self._pipeline.run_commands(self._stops)
        if executed:
            log.info("executed %s", counted(executed, "command"), extra={"event": "commands_executed"})

    def _stops(self) -> bool:
        """Return whether to stop. It is called between two steps, so each call is a heartbeat."""
        self._callbacks.heartbeat()
        return self._stopping.is_set() or not self._lock.is_held

    def _is_needed(self) -> bool:
        return self._stops() or self._arrived.is_set()
