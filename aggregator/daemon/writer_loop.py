"""The thread that writes stories while its process is the writer, and otherwise tries to become the writer.

It places entries, executes commands, indexes, renders and runs maintenance steps. A step is short maintenance
work, which runs between two batches. A job is work that waits or is long, such as a backup; APScheduler runs it in
a thread of its own. The result of a task is in the database or in files, so a restart needs no state. A failed
task is logged and tried again after a back-off; it never ends the daemon.

If the database cannot be written (full, read-only, restarting), the thread backs off and tries again while the rest
of the daemon continues. If another process became the writer, it clears its memory and becomes a standby.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from aggregator.config.memory import give_back_memory
from aggregator.config.messages import pluralise
from aggregator.config.tuning import Tuning
from aggregator.daemon.maintenance import Maintenance
from aggregator.daemon.services import DaemonServices
from aggregator.daemon.watchdog import ServiceTuning
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.executor import is_left_behind
from aggregator.model.errors import (
    AggregatorError,
    AnotherDaemonError,
    DamagedError,
    DatabaseAwayError,
    DatabaseBusyError,
    DatabaseOutdatedError,
    DatabaseReplacedError,
    DatabaseTooNewError,
    LeaseLostError,
    NoWorkersError,
    TooManyFilesError,
)
from aggregator.store import migrate
from aggregator.store.engine.database import shown_url
from aggregator.store.stories.rendered_stories import render_next
from aggregator.stories.story_tuning import StoryTuning

log = logging.getLogger(__name__)

# These end the daemon: the tables are of another version, the file was replaced, or another daemon writes it. A lost
# lease (LeaseLostError is an AnotherDaemonError) is caught before them.
_ENDS_DAEMON = (
    DatabaseTooNewError,
    DatabaseOutdatedError,
    DatabaseReplacedError,
    AnotherDaemonError,
)

# The pauses after the first, second and later errors in a row
BACKOFF_SECONDS = (1.0, 2.0, 3.0)

# If nothing waits, the thread sleeps this long, unless it is woken. Then one cheap query tells whether another process
# has changed the database, because an entry or a command may wait.
IDLE_SECONDS = 1.0

# Stories that are rendered between two reads of the inbox
RENDERED_AT_ONCE = 20

# The time between two maintenance steps while articles wait
STEP_SECONDS = 1.0

# While articles wait, those that are placed are indexed this often, so that a search finds them (chosen)
INDEX_SECONDS = 5.0

# If at least this many articles were placed between two log lines, SQLite's log is emptied once nothing waits.
# Otherwise a later poll would copy the log of a first reading, up to 16 MiB, into the file (chosen: far more than a
# poll brings).
MANY_ARTICLES = 100


class WriterLoop:
    """Placing, commands, indexing, rendering and short maintenance tasks, in one thread.

    The process is a standby until `_has_taken_over`, and again after the lease is lost. While it is the writer, each
    round (`_work_once`) executes commands and places entries, shows them, runs maintenance steps, and sleeps. After an
    error the rounds pause, and `trouble` says why. The other fields note work that is left for a quieter time.
    """

    def __init__(
        self,
        services: DaemonServices,
        all_tuning: Tuning,
        pipeline: Pipeline,
        maintenance: Maintenance,
        *,
        heartbeat: Callable[[], None],
        took_over: Callable[[], None],
        indexed: Callable[[], None],
    ) -> None:
        """`heartbeat` is called while the thread makes progress, `took_over` when this process became the writer.

        `indexed` is called when placed articles are in the search index.
        """
        self._services = services
        self._database = services.database
        self._lock = services.lock
        self._arrived = services.arrived
        self._pipeline = pipeline
        self._heartbeat = heartbeat
        self._took_over = took_over
        self._indexed = indexed
        self._maintenance = maintenance
        self._story_tuning = all_tuning.section("stories", StoryTuning)
        self._tuning = all_tuning.section("watchdog", ServiceTuning)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="placing", daemon=True)

        # Whether the thread has written pending work at least once
        self.has_begun = False
        # Whether this process became the writer and `took_over` was called
        self._has_taken_over = False
        # Why placing is paused
        self.trouble: str | None = None

        # When the last maintenance step between two batches ran (time.monotonic(), like the next two)
        self._last_step_at = 0.0
        # When gathered entries are to be placed; inf if none have gathered
        self._gathered_due_at = math.inf
        # When memory is to be given back, if nothing is placed before; inf after that
        self._rest_due_at = math.inf

        # The version of the database when all pending work was written. While it stays, nothing waits.
        self._written_version: int | str | None = None
        # Whether everything that is placed was indexed and rendered
        self._is_all_shown = False
        # Whether SQLite's log is to be emptied, because many articles filled it
        self._is_log_full = False

    def start(self) -> None:
        """Start the thread; a writer whose database answers has called `took_over` when this returns."""
        if self._lock.is_held:
            # If the database does not answer, the thread tries again.
            with suppress(DatabaseAwayError, DatabaseBusyError):
                self._take_up()
        else:
            log.info(
                "standby: another daemon is the writer; this one serves",
                extra={"event": "standby_started"},
            )
        self._heartbeat()
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """After `stop`, wait at most `seconds`; return whether the thread still runs."""
        return is_left_behind(self._thread, seconds)

    @property
    def is_writing(self) -> bool:
        """Whether this process is the writer and `took_over` was called."""
        return self._has_taken_over and self._lock.is_held

    def stop(self) -> None:
        """Have the thread end soon; `join` waits for it."""
        self._stopping.set()
        self._arrived.set()

    def _run(self) -> None:
        errors_in_a_row = 0
        try:
            while not self._stopping.is_set():
                try:
                    self._run_once()
                except LeaseLostError as error:
                    self._become_standby(error)
                except _ENDS_DAEMON:
                    raise
                except (AggregatorError, OSError) as error:
                    # The file that is one too many to open may belong to the program: a table of words, a module.
                    if TooManyFilesError.is_behind(error):
                        error = TooManyFilesError()
                    if not isinstance(error, AggregatorError):
                        raise  # the database is not the cause
                    self._pause_placing(error)
                    last = len(BACKOFF_SECONDS) - 1
                    self._stopping.wait(BACKOFF_SECONDS[min(errors_in_a_row, last)])
                    errors_in_a_row += 1
                else:
                    if self.trouble is not None:
                        log.info("placing resumed", extra={"event": "placing_resumed"})
                    self.trouble = None
                    errors_in_a_row = 0
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self._services.failed(error)

    def _become_standby(self, error: LeaseLostError) -> None:
        """Forget the memory of the writer. Raises AnotherDaemonError if another process took the lock of SQLite."""
        self._has_taken_over = False
        self._pipeline.forget()
        if self._database.is_sqlite:
            shown = shown_url(self._database.url)
            raise AnotherDaemonError(
                f"another process became the writer of {shown} while this one had "
                "its lock: the .lock file was removed, or its file system lacks locks (a network drive)"
            ) from error
        log.warning(
            "lost the writer lease (%s); now a standby",
            error,
            extra={"event": "writer_lease_lost"},
        )
        self._lock.release()

    def _pause_placing(self, error: AggregatorError) -> None:
        """Log the cause of a pause, and forget everything in memory that may differ from the database."""
        # An outage of hours is logged once.
        is_new = str(error) != self.trouble
        self.trouble = str(error)
        log.log(
            logging.ERROR if is_new else logging.DEBUG,
            "placing is paused and tried again: %s",
            error,
            extra={"event": "placing_paused"},
        )
        # After these two errors, the last transaction was not begun or was rolled back. After any other error, the
        # commit may or may not have happened.
        if not isinstance(error, DamagedError | NoWorkersError):
            self._pipeline.forget()

    def _run_once(self) -> None:
        """Write pending work, or try to become the writer."""
        self._heartbeat()
        self._database.check_file()
        if self._has_taken_over and not self._lock.is_held:
            raise LeaseLostError("its session does not answer")
        if not self._has_taken_over:
            began = time.monotonic()
            if not self._lock.become_writer():
                self._stopping.wait(IDLE_SECONDS)
                return
            self._take_up()
            log.info(
                "became the writer: takeover took %.1f s",
                time.monotonic() - began,
                extra={"event": "writer_lease_acquired"},
            )
        self._work_once()

    def _take_up(self) -> None:
        """Check the tables, call `took_over`, and count as the writer from then on."""
        migrate.check(self._database)
        self._took_over()
        self._has_taken_over = True

    def _work_once(self) -> None:
        """Write pending work, run maintenance steps that are due, and sleep until there may be more.

        Raises the error that stops placing after the other work is done.
        """
        trouble = self._write_pending()
        self.has_begun = True
        while not self._is_needed() and self._maintenance.run_step(self._is_needed):
            pass
        if trouble is not None:
            raise trouble
        if self._is_log_full and not self._is_needed():
            self._database.checkpoint_log(0.0)
            self._is_log_full = False
        if time.monotonic() >= self._rest_due_at and not self._is_needed():
            self._pipeline.free_memory()
            self._rest_due_at = math.inf
            self._services.rested()
        self._arrived.wait(
            max(0.0, min(IDLE_SECONDS, self._gathered_due_at - time.monotonic()))
        )

    def _write_pending(self) -> AggregatorError | None:
        """Write pending work, unless the database is unchanged since no work was left.

        Return the error that stopped placing, if there was one; other work continues.
        """
        is_woken = self._arrived.is_set()
        self._arrived.clear()
        version = self._database.data_version()
        if self._database.trouble is not None:
            # A write of another thread failed. If an empty transaction succeeds, the trouble is over.
            with self._lock.fenced.write():
                pass
        elif (
            version == self._written_version
            and not is_woken
            and time.monotonic() < self._gathered_due_at
        ):
            return None
        self._written_version = None
        self._lock.check()
        trouble = self._write()
        if trouble is None:
            self._written_version = version
        return trouble

    def _write(self) -> AggregatorError | None:
        """Execute commands, place entries and show both, again after the end of a first reading."""
        while True:
            changed, trouble = self._place()
            gathers = time.monotonic() < self._gathered_due_at < math.inf
            if self._is_all_shown and not changed and gathers:
                return trouble  # the rest is done when the gathered entries are placed
            self._show()
            if trouble is not None or self._is_needed():
                return trouble
            if not self._pipeline.end_first_reading():
                return None
            # The end of a first reading may have queued a command. Memory is given back at once.
            self._rest_due_at = time.monotonic()

    def _place(self) -> tuple[int, AggregatorError | None]:
        """Execute commands and place entries; return the number of both, and the error that stopped placing, if any."""
        # Commands are executed even if nothing can be placed, because a correction may wait.
        changed = self._run_commands()
        unreported = 0
        reported_at = indexed_at = time.monotonic()
        trouble: AggregatorError | None = None
        try:
            for batch in self._pipeline.place_waiting(self._stops, gathers=True):
                unreported += len(batch)
                changed += len(batch) + self._run_commands()
                if time.monotonic() - self._last_step_at >= STEP_SECONDS:
                    self._maintenance.run_step(self._stops)
                    give_back_memory()
                    self._last_step_at = time.monotonic()
                if time.monotonic() - reported_at >= self._tuning.progress_seconds:
                    self._report(unreported)
                    unreported = 0
                    reported_at = time.monotonic()
                if time.monotonic() - indexed_at >= INDEX_SECONDS:
                    self._index()
                    indexed_at = time.monotonic()
        except (DamagedError, NoWorkersError) as error:
            trouble = error
        if unreported:
            self._report(unreported)
        self._gathered_due_at = self._pipeline.gathered_at
        if trouble is not None:
            # While placing is stopped, gathered entries must not keep other work from being done.
            self._gathered_due_at = math.inf
        return changed, trouble

    def _show(self) -> None:
        """Index and render placed articles, until something more urgent waits."""
        self._index()
        while not self._is_needed() and render_next(
            self._lock.fenced, RENDERED_AT_ONCE, self._story_tuning
        ):
            pass
        self._pipeline.index_older(self._is_needed)
        self._is_all_shown = not self._is_needed()

    def _report(self, count: int) -> None:
        log.info(
            "placed %s", pluralise(count, "article"), extra={"event": "articles_placed"}
        )
        self._rest_due_at = time.monotonic() + self._tuning.rest_seconds
        if count >= MANY_ARTICLES:
            self._is_log_full = True

    def _index(self) -> None:
        """Index the placed articles, and wake the webhooks."""
        self._pipeline.index_text(self._stops)
        self._indexed()

    def _run_commands(self) -> int:
        executed = self._pipeline.run_commands(self._stops)
        if executed:
            log.info(
                "executed %s",
                pluralise(executed, "command"),
                extra={"event": "commands_executed"},
            )
        return executed

    def _stops(self) -> bool:
        """Return whether to stop. Each call counts as a heartbeat, because it comes between two pieces of work."""
        self._heartbeat()
        return self._stopping.is_set() or not self._lock.is_held

    def _is_needed(self) -> bool:
        """Return whether the thread has something more urgent to do than maintenance and rendering."""
        return (
            self._stops()
            or self._arrived.is_set()
            or time.monotonic() >= self._gathered_due_at
        )
