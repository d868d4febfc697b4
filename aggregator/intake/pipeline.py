"""The way of an article, on one screen.

    sources ─poll─► bytes ─parse─► entries ─accept─► inbox ─prepare─► clean article, fingerprint
      ─place─► article, story, evidence ─render─► shown story ─► readers

    (polling/poll.py, jobs.py, store/intake/acceptance.py, prepare.py, grouping/place.py, stories/rendering.py)

Entries are accepted into the inbox in one short transaction; from then on they cannot be lost. Entries that
have gathered there are numbered in order of time. Each later step is done in the order of these numbers and
ends in one transaction; doing it again gives the same rows.
The workers of an executor parse untrusted bytes, and no transaction is open meanwhile.
"""

import logging
import math
import time
from collections.abc import Collection, Iterator
from datetime import datetime
from functools import partial

import msgspec

from aggregator.config.memory import give_back_memory
from aggregator.config.tuning import Tuning
from aggregator.grouping.place import Placer
from aggregator.grouping.placing.placement_result import PlacementResult
from aggregator.grouping.story_options import PlacingTuning, StoryOptions
from aggregator.intake.command_handlers import WriterServices, run_commands
from aggregator.intake.prepare import TEXTS_A_JOB, PrepareDispatcher, Stop
from aggregator.intake.prepare_queue import More, PrepareQueue
from aggregator.intake.quarantine import QuarantiningPlacer
from aggregator.intake.recluster.regrouping import ReclusterCommand
from aggregator.intake.workers.executor import Executor
from aggregator.model.clock import Clock
from aggregator.model.counters import PLACED, PLACING_SECONDS, VERDICTS, Metrics
from aggregator.model.errors import UnreadableEntryError
from aggregator.store import commands
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import first_reading, inbox
from aggregator.store.search import index

log = logging.getLogger(__name__)
# While a first reading lasts, it is checked at this interval whether every source has been asked.
_ASKED_SECONDS = 1.0
# Idle workers end if more than this share of a first reading was prepared before its turn (chosen).
_PREPARED = 0.9


class Pipeline:
    """Makes stories of accepted entries. For one thread of the writer."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        all_tuning: Tuning,
        now: Clock,
        options: StoryOptions = StoryOptions(),  # noqa: B008 - frozen
        *,
        keep_all: bool = False,
        texts_here: bool = False,
        metrics_registry: Metrics | None = None,
    ) -> None:
        """`metrics_registry` counts outcomes and verdicts.

        With `keep_all` (for `eval`), every entry with a title or text is placed. With `texts_here` (for `ingest`), this
        process prepares texts without markup that were handed in, which costs less CPU time than workers.
        """
        self._metrics_registry = metrics_registry or Metrics()
        self._tuning = all_tuning.section("placing", PlacingTuning)
        self._gathers_since: float | None = None  # monotonic
        # When the entries that gather are to be placed (monotonic); inf if none gather
        self.gathered_at = math.inf
        # The last gathered entry that was prepared before its turn
        self._prepared_until = 0
        self.placer = Placer(database, all_tuning, now, options)
        self.writer = WriterServices(
            database, executor, all_tuning, now, options, self.placer
        )
        self._quarantine = QuarantiningPlacer(self.placer)
        self._dispatcher = PrepareDispatcher(
            executor,
            all_tuning,
            keep_all=keep_all,
            texts_here=texts_here,
        )
        self.slow_pages = self._dispatcher.slow_pages

    def place_waiting(
        self,
        stop: Stop = lambda: False,
        more: More | None = None,
        *,
        gathers: bool = False,
    ) -> Iterator[list[PlacementResult]]:
        """Place all waiting entries in batches, in inbox order, until none waits or `stop()`.

        `more` is called whenever no entry may be placed yet, until it returns None. With `gathers` (for the
        daemon), newly accepted entries wait for others, to be placed in the order of their times.
        """

        def put_in_order() -> bool:
            """Number the entries that have gathered; return whether there is anything to place now.

            In a first reading prepare some of them instead, until none is left.
            """
            self.gathered_at = math.inf
            now = self.writer.now()
            with self.writer.database.read() as connection:
                gathered = inbox.has_gathered(connection)
                turn = first_reading.turn(connection, now) if gathered else "wait"
                is_first = gathered and first_reading.lasts(connection)
            if gathers and is_first and self._prepare_ahead(stop):
                self.gathered_at = time.monotonic()  # more may have gathered
                return False
            if turn == "wait":
                self._gathers_since = None
                # Entries wait for sources that the first reading has not asked yet.
                if gathered:
                    self.gathered_at = time.monotonic() + _ASKED_SECONDS
                return False
            # The time of acceptance does not count: an entry may have waited minutes for its page.
            if self._gathers_since is None:
                self._gathers_since = time.monotonic()
            self.gathered_at = self._gathers_since
            if turn == "gather":
                self.gathered_at += self._tuning.gathering_seconds
            if gathers and time.monotonic() < self.gathered_at:
                return False
            count, are_left = self.writer.database.transact(
                partial(_take_turn, now=now, slow=self.slow_pages.slow())
            )
            # Entries that are left for the next turn have gathered already, and need not wait again.
            if not are_left:
                self._gathers_since = None
            # Workers have prepared nearly all of a first reading, so they are hardly needed to place it. The daemon
            # takes most memory at that time, and 80 MB less without them.
            if turn == "whole" and len(self._dispatcher.ahead) > _PREPARED * count:
                self.writer.executor.end_idle_workers()
            return count > 0

        for batch in PrepareQueue(
            self.writer.database,
            self._dispatcher,
            self._quarantine.reject_unreadable,
            put_in_order,
            batch_articles=self._tuning.batch_articles,
        ).batches(stop, more):
            with self._metrics_registry.timer(PLACING_SECONDS):
                results = self._quarantine.place(batch)
            for result, (_, prepared) in zip(results, batch, strict=False):
                self._metrics_registry.count(PLACED, result.outcome)
                self._metrics_registry.count(VERDICTS, prepared.article.verdict)
                log.debug(
                    "placed %s as %s in %s",
                    result.article,
                    result.outcome,
                    result.story,
                    extra={
                        "event": "article_placed",
                        "article": result.article,
                        "story": result.story,
                        "entry": result.entry_no,
                    },
                )
            yield results

    def _prepare_ahead(self, stop: Stop) -> bool:
        """Prepare some entries of a first reading while its other sources are asked; return whether there were any.

        Placing is done in order of time, so it waits for the last source, but preparing need not wait.
        """
        if self._dispatcher.ahead.is_full:
            return False
        limit = TEXTS_A_JOB * self._dispatcher.depth
        try:
            with self.writer.database.read() as connection:
                entries = inbox.gathered(connection, limit, self._prepared_until)
        except UnreadableEntryError as error:  # the entry is refused in its turn
            self._prepared_until = error.n
            return True
        if not entries:
            return False
        self._prepared_until = entries[-1].entry_no
        self._dispatcher.prepare_ahead(entries, stop)
        give_back_memory()  # of feeds that were read meanwhile
        return True

    def forget(self) -> None:
        """Forget all that is in memory: another process is or was the writer."""
        self.placer.forget()
        self._dispatcher.ahead.clear()

    def free_memory(self) -> None:
        """Free what is quick to compute again. The indexes stay in memory."""
        self.placer.services.forget_rows()
        give_back_memory()

    def run_commands(self, stop: Stop = lambda: False) -> int:
        """Execute the waiting commands: corrections, `recluster` and others. Return how many."""
        return run_commands(self.writer, stop)

    def end_first_reading(self) -> bool:
        """End a first reading that is over; return whether it was.

        The daemon takes most memory at that time, so memory of the reading is given back. If sources were late, the
        same transaction queues a command that decides the days of their entries again.
        """
        now = self.writer.now()
        with self.writer.database.read() as connection:
            if not first_reading.is_over(connection, now):
                return False
        self.writer.database.transact(partial(_end, now=now))
        self._dispatcher.ahead.clear()
        self.writer.executor.end_idle_workers()
        self.free_memory()
        return True

    def index_text(self, stop: Stop = lambda: False) -> int:
        """Index all placed articles for search; return how many were indexed."""
        return index.index_until(self.writer.database, index.index_next, stop)

    def index_older(
        self, stop: Stop = lambda: False, *, most: int | None = None
    ) -> int:
        """Index older articles again, at most about `most`; return how many were indexed."""
        return index.index_until(
            self.writer.database, index.index_older, stop, most=most
        )


def _take_turn(
    connection: Connection, now: datetime, slow: Collection[str]
) -> tuple[int, bool]:
    """Number the entries that have gathered; return how many, and whether some are left for the next turn.

    `slow` has the sources whose pages take workers long, so fewer of their pages have their turn at once.
    """
    count = inbox.put_in_order(
        connection,
        slow=slow,
        recent_first=first_reading.is_undivided(connection, now),
    )
    are_left = inbox.has_gathered(connection)
    first_reading.note_early(connection, now, are_left=are_left)
    return count, are_left


def _end(connection: Connection, now: datetime) -> None:
    began, early = first_reading.end(connection)
    first = early and inbox.first_out_of_order(connection, began, early)
    words = "the first reading has ended"
    if first:
        words += ": the days that late sources touch are decided again in order of time"
        command = msgspec.json.encode(ReclusterCommand(in_order_from=first)).decode()
        commands.enqueue(connection, now, "recluster", command)
    log.info("%s", words, extra={"event": "first_reading_ended"})
