"""The thread that writes stories while its process is the writer, and else tries to become that.

Where the database is in trouble (full, read-only, restarting) it rests and tries again, while the rest of the
daemon goes on serving. Where another process took over, it drops its memory and stands by.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from aggregator.config.messages import counted
from aggregator.daemon.maintenance import MaintenanceSteps
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

IDLE_SECONDS = 1.0  # how long it sleeps when nothing waits, unless it is woken
RENDERED_AT_ONCE = 20  # stories whose merged text is worked out between two looks at the inbox
STEP_SECONDS = 1.0  # between two steps of chores while articles wait
REST_SECONDS = (1.0, 2.0, 3.0)  # after the database refused, the first time, the second, ...


class WriterCallbacks(NamedTuple):
    """Whom the thread tells what."""

    heartbeat: Callable[[], None]  # it gets on
    took_over: Callable[[], None]  # this process became the writer
    placed: Callable[[int], None]  # so many articles were placed
    indexed: Callable[[], None]  # ... and can be found
    failed: Callable[[BaseException], None]  # the daemon is to end with this


class WriterLoop:
    """Placing, answering, indexing, telling and the small chores, in one thread."""

    def __init__(
        self,
        database: Database,
        lock: WriterLease,
        pipeline: Pipeline,
        steps: MaintenanceSteps,
        *,
        story_rules: StoryTuning,
        standby_seconds: float,
        shown_seconds: float,
        arrived: threading.Event,
        tell: WriterCallbacks,
    ) -> None:
        """`arrived` is set when something waits; a standby tries to take over each `standby_seconds`.

        While much waits, what was placed can be found after `shown_seconds`.
        """
        self._database = database
        self._lock = lock
        self._pipeline = pipeline
        self._steps = steps
        self._story_rules = story_rules
        self._standby_seconds = standby_seconds
        self._shown_seconds = shown_seconds
        self._arrived = arrived
        self._callbacks = tell
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="placing", daemon=True)
        self._is_ready = False  # the writer, and all that comes with it is done
        self._stepped_at = 0.0
        self.has_begun = False  # whether it ever looked at the inbox
        self.trouble: str | None = None  # why it rests, in words

    def start(self) -> None:
        """Begin; where this process is the writer, what comes with that is done when this returns."""
        if self._lock.is_held:
            self._take_up()
        else:
            log.info("standing by: another daemon is the writer; this one fetches and serves")
        self._callbacks.heartbeat()
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end soon."""
        self._stopping.set()
        self._arrived.set()

    def join(self, seconds: float) -> bool:
        """After `stop`: wait so long; whether it is left behind."""
        return is_left_behind(self._thread, seconds)

    # --- whose turn it is ---------------------------------------------------------------------------------

    def _run(self) -> None:
        rejected = 0
        try:
            while not self._stopping.is_set():
                try:
                    self._run_once()
                    if self.trouble is not None:
                        log.info("placing goes on")
                    self.trouble, rejected = None, 0
                except (DatabaseTooNewError, DatabaseOutdatedError, DatabaseReplacedError):
                    raise  # another program's tables by now, or another file
                except LeaseLostError as error:
                    self._become_standby(error)
                except AnotherDaemonError:
                    raise
                except AggregatorError as error:
                    self._back_off(error, REST_SECONDS[min(rejected, len(REST_SECONDS) - 1)])
                    rejected += 1
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._callbacks.failed(error)

    def _run_once(self) -> None:
        """One look at what waits, or at whether this process can be the writer."""
        self._callbacks.heartbeat()
        self._database.check_file()
        if self._is_ready and not self._lock.is_held:
            raise LeaseLostError("nothing was heard of its session")
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
        took = f"taking over took {time.monotonic() - began:.1f} s"
        silent = self._lock.silent_seconds
        heard = "there was none before" if silent is None else f"the last one was heard of {silent:.1f} s ago"
        log.info("this daemon is the writer now: %s, %s", heard, took)
        return True

    def _take_up(self) -> None:
        """Begin to write what others left, with a memory that is built from the rows."""
        migrate.check(self._database)
        self._callbacks.took_over()
        self._is_ready = True

    def _become_standby(self, error: LeaseLostError) -> None:
        self._is_ready = False
        self._pipeline.forget()
        if self._database.is_sqlite:
            raise AnotherDaemonError(
                f"another process became the writer of {shown_url(self._database.url)} while this one had "
                "its lock: the .lock file was removed, or is where locks do not hold (a network file system)"
            ) from error
        log.warning("this daemon is not the writer any more (%s); it stands by", error)
        self._lock.release()

    def _back_off(self, error: AggregatorError, seconds: float) -> None:
        """The database refused, and what it committed at last is unknown: the rows say it."""
        is_new = str(error) != self.trouble  # an outage of hours is one line, not thousands
        self.trouble = str(error)
        log.log(logging.ERROR if is_new else logging.DEBUG, "placing rests, and tries again: %s", error)
        if not isinstance(error, DamagedError | NoWorkersError):  # nothing was begun, or it was undone
            self._pipeline.forget()
        self._stopping.wait(seconds)

    # --- the writer's work --------------------------------------------------------------------------------

    def _write(self) -> None:
        self._run_commands()  # also where nothing can be placed: a repair may be asked for
        trouble = self._place()
        self._run_commands()
        self._index()
        while not self._stops() and render_next(self._lock.fenced, RENDERED_AT_ONCE, self._story_rules):
            if self._arrived.is_set():
                break
        self._pipeline.index_older(self._is_needed)
        while not self._is_needed() and self._steps.next(self._is_needed):
            pass
        if trouble is not None:
            raise trouble

    def _place(self) -> AggregatorError | None:
        """All that waits; why that cannot be, where the rest of the work can."""
        count, shown_at = 0, time.monotonic()
        trouble: AggregatorError | None = None
        try:
            for batch in self._pipeline.place_waiting(self._stops):
                count += len(batch)
                self._between_batches()
                if time.monotonic() - shown_at >= self._shown_seconds:
                    self._show(count)
                    count, shown_at = 0, time.monotonic()
        except (DamagedError, NoWorkersError) as error:
            trouble = error
        if count:
            self._say(count)
        return trouble

    def _say(self, count: int) -> None:
        log.info("placed %s", counted(count, "article"))
        self._callbacks.placed(count)

    def _show(self, count: int) -> None:
        """Let what was placed be found, while much more waits."""
        self._say(count)
        self._index()

    def _index(self) -> None:
        """Let what was placed be found, and be told to whoever waits for it."""
        self._pipeline.index_text(self._stops)
        self._callbacks.indexed()

    def _between_batches(self) -> None:
        """Nobody waits for an archive to be placed, and no chore is put off for its sake."""
        self._run_commands()
        if time.monotonic() - self._stepped_at >= STEP_SECONDS:
            self._steps.next(self._stops)
            self._stepped_at = time.monotonic()

    def _run_commands(self) -> None:
        answered = self._pipeline.run_commands(self._stops)
        if answered:
            log.info("answered %s", counted(answered, "request"))

    def _stops(self) -> bool:
        """Asked between two steps, so each time it is asked this thread has got on."""
        self._callbacks.heartbeat()
        return self._stopping.is_set() or not self._lock.is_held

    def _is_needed(self) -> bool:
        return self._stops() or self._arrived.is_set()
