"""The writer's work on entries, commands and maintenance: placing, indexing, rendering, short tasks.

A step is short maintenance work, which the placing thread runs between two batches. A job is work that waits
or is long, such as a backup; APScheduler runs it in a thread of its own. The result of a task is in the
database or in files, so a restart needs no state. A failed task is logged and tried again after a back-off;
it never ends the daemon.
"""

import logging
import math
import threading
import time
from collections.abc import Callable

from aggregator.config.memory import give_back_memory
from aggregator.config.messages import pluralise
from aggregator.config.tuning import Tuning
from aggregator.daemon.maintenance import Maintenance
from aggregator.daemon.services import DaemonServices
from aggregator.daemon.watchdog import ServiceTuning
from aggregator.intake.pipeline import Pipeline
from aggregator.model.errors import AggregatorError, DamagedError, NoWorkersError
from aggregator.store.stories.rendered_stories import render_next
from aggregator.stories.story_tuning import StoryTuning

log = logging.getLogger(__name__)

# Sleep when nothing waits, unless it is woken. Then one cheap query tells whether another process has changed
# the database: an entry or a command may wait.
IDLE_SECONDS = 1.0

RENDERED_AT_ONCE = 20  # stories that are rendered between two reads of the inbox

STEP_SECONDS = 1.0  # between two maintenance steps while articles wait

# While articles wait, until those that are placed are found by a search (chosen)
INDEX_SECONDS = 5.0

# After so many articles in one batch SQLite's log is emptied when nothing waits any more. Otherwise a later poll
# would copy the log of a first reading, up to 16 MiB, into the file (chosen: far more than a poll brings).
MANY_ARTICLES = 100


class WriterWork:
    """The work of the writer, for the placing thread."""

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
        """`heartbeat` is called while it makes progress, `took_over` when this process became the writer.

        `indexed` is called when placed articles are in the search index.
        """
        self.services = services
        self.pipeline = pipeline
        self.heartbeat = heartbeat
        self.took_over = took_over
        self._indexed = indexed
        self._maintenance = maintenance
        self._story_tuning = all_tuning.section("stories", StoryTuning)
        self._tuning = all_tuning.section("watchdog", ServiceTuning)
        self.stopping = threading.Event()
        self._stepped_at = 0.0
        # The version of the database when all pending work was written
        self._written_version: int | str | None = None
        # Monotonic: when gathered entries are to be placed
        self._gathered_at = math.inf
        self._rests_at = math.inf  # monotonic
        self._is_log_full = False  # of many articles
        # Whether all that is placed was indexed and rendered
        self._is_all_shown = False
        self.has_begun = False  # whether it has read the inbox

    def stop(self) -> None:
        """Have `run_once` end soon."""
        self.stopping.set()
        self.services.arrived.set()

    def run_once(self) -> None:
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
            self.services.database.checkpoint_log(0.0)
            self._is_log_full = False
        if time.monotonic() >= self._rests_at and not self._is_needed():
            self.pipeline.rest()
            self._rests_at = math.inf
            self.services.rested()
        self.services.arrived.wait(
            max(0.0, min(IDLE_SECONDS, self._gathered_at - time.monotonic()))
        )

    def _write_pending(self) -> AggregatorError | None:
        """Write pending work, unless the database is as it was when there was none.

        Return an error that stops placing but not other work.
        """
        is_woken = self.services.arrived.is_set()
        self.services.arrived.clear()
        version = self.services.database.data_version()
        if (
            self.services.database.trouble is not None
        ):  # a write of another thread failed
            with self.services.lock.fenced.write():
                pass  # the trouble is over
        elif (
            version == self._written_version
            and not is_woken
            and time.monotonic() < self._gathered_at
        ):
            return None
        self._written_version = None
        self.services.lock.check()
        trouble = self._write()
        if trouble is None:
            self._written_version = version
        return trouble

    def _write(self) -> AggregatorError | None:
        # Also if nothing can be placed: a correction may wait
        changed = self._run_commands()
        count = 0
        shown_at = indexed_at = time.monotonic()
        trouble: AggregatorError | None = None
        try:
            for batch in self.pipeline.place_waiting(self._stops, gathers=True):
                count += len(batch)
                changed += len(batch) + self._run_commands()
                if time.monotonic() - self._stepped_at >= STEP_SECONDS:
                    self._maintenance.run_step(self._stops)
                    give_back_memory()
                    self._stepped_at = time.monotonic()
                if time.monotonic() - shown_at >= self._tuning.progress_seconds:
                    self._report(count)
                    count = 0
                    shown_at = time.monotonic()
                if time.monotonic() - indexed_at >= INDEX_SECONDS:
                    self._index()
                    indexed_at = time.monotonic()
        except (DamagedError, NoWorkersError) as error:
            trouble = error
        if count:
            self._report(count)
        # While placing is stopped, gathered entries must not keep other work from being done.
        self._gathered_at = (
            math.inf if trouble is not None else self.pipeline.gathered_at
        )
        gathers = time.monotonic() < self._gathered_at < math.inf
        if self._is_all_shown and not changed and gathers:
            return trouble  # the rest is looked at when these entries are placed
        self._index()
        while not self._is_needed() and render_next(
            self.services.lock.fenced, RENDERED_AT_ONCE, self._story_tuning
        ):
            pass
        self.pipeline.index_older(self._is_needed)
        self._is_all_shown = not self._is_needed()
        if (
            trouble is None
            and not self._is_needed()
            and self.pipeline.end_first_reading()
        ):
            self._rests_at = time.monotonic()  # memory is given back at once
            return self._write()
        return trouble

    def _report(self, count: int) -> None:
        log.info(
            "placed %s", pluralise(count, "article"), extra={"event": "articles_placed"}
        )
        self._rests_at = time.monotonic() + self._tuning.rest_seconds
        self._is_log_full = self._is_log_full or count >= MANY_ARTICLES

    def _index(self) -> None:
        """Index the placed articles, and wake the webhooks."""
        self.pipeline.index_text(self._stops)
        self._indexed()

    def _run_commands(self) -> int:
        executed = self.pipeline.run_commands(self._stops)
        if executed:
            log.info(
                "executed %s",
                pluralise(executed, "command"),
                extra={"event": "commands_executed"},
            )
        return executed

    def _stops(self) -> bool:
        """Return whether to stop. It is called between two steps, so each call is a heartbeat."""
        self.heartbeat()
        return self.stopping.is_set() or not self.services.lock.is_held

    def _is_needed(self) -> bool:
        return (
            self._stops()
            or self.services.arrived.is_set()
            or time.monotonic() >= self._gathered_at
        )
