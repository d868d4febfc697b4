"""One article's way, on one screen.

    sources ─poll─► bytes ─parse─► entries ─accept─► inbox ─prepare─► clean article, fingerprint
      ─place─► article, story, evidence ─render─► what it shows ─► readers

    (poll.py, jobs.py, store/intake/inbox.py, prepare.py, grouping/place.py, render.py)

What comes in is accepted into the inbox in one short transaction; from then on it cannot be lost. What has
gathered there is numbered in order of time. Each later step is done in the order of these numbers and ends in
one transaction; doing it again gives the same rows.
Strangers' bytes are parsed by an executor's workers, and no transaction is open meanwhile.
"""

import datetime as dt
import logging
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

from aggregator.config.memory import give_back_memory
from aggregator.config.tuning import Tuning
from aggregator.grouping.deletion.retention import Retention, RetentionPlan
from aggregator.grouping.place import Placer
from aggregator.grouping.placing.place_entry import PlacementResult
from aggregator.grouping.story_options import PlacingTuning, StoryOptions
from aggregator.intake.command_handlers import WriterServices, run_commands
from aggregator.intake.first_reading import end_first_reading
from aggregator.intake.prepare import TEXTS_A_JOB, PrepareDispatcher
from aggregator.intake.workers.executor import Executor
from aggregator.model.core import Prepared
from aggregator.model.counters import PLACED, PLACING_SECONDS, VERDICTS, Metrics
from aggregator.model.errors import AggregatorError, DamagedError, UnreadableEntryError
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import inbox
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.intake.rejected import REASON
from aggregator.store.search import index

log = logging.getLogger(__name__)


More = Callable[[], int | None]
"""Accepts more entries and returns the highest inbox number to place by now; None: there are no more."""


Batch = Sequence[tuple[InboxEntry, Prepared]]


class Pipeline:
    """From accepted entries to stories. For one thread of the writer."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        all_tuning: Tuning,
        now: Callable[[], dt.datetime],
        options: StoryOptions = StoryOptions(),  # noqa: B008 - frozen
        *,
        keep_all: bool = False,
        texts_here: bool = False,
        metrics_registry: Metrics | None = None,
    ) -> None:
        """`metrics_registry` counts outcomes and verdicts.

        `keep_all` (for `eval`): every entry with text is placed. `texts_here` (for `ingest`): this
        process prepares texts without markup that were handed in, which costs less CPU than workers.
        """
        self._metrics_registry = metrics_registry or Metrics()
        self._tuning = all_tuning.section("placing", PlacingTuning)
        self._gathers_since: float | None = None  # monotonic
        # monotonic: when what gathers is to be placed; inf if nothing does
        self.gathered_at = math.inf
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
        stop: Callable[[], bool] = lambda: False,
        more: More | None = None,
        *,
        gathers: bool = False,
    ) -> Iterator[list[PlacementResult]]:
        """Place all waiting entries in batches, in inbox order, until none waits or `stop()`.

        `more` is called whenever no entry may be placed yet, until it returns None. `gathers` (for the
        daemon): what was accepted a moment ago waits for others, to be placed in the order of their times.
        """

        def put_in_order() -> bool:
            self.gathered_at = self._end_of_gathering()
            if math.isinf(self.gathered_at) or (
                gathers and time.monotonic() < self.gathered_at
            ):
                return False
            count, are_left = self.writer.database.transact(_take_turn)
            if not are_left:  # pages whose turn is next have gathered
                self._gathers_since = None
            return count > 0

        self._dispatcher.begin()
        queue = PrepareQueue(
            self.writer.database,
            self._dispatcher,
            self._quarantine.unreadable,
            put_in_order,
            batch_articles=self._tuning.batch_articles,
        )
        for batch in queue.batches(stop, more):
            with self._metrics_registry.timer(PLACING_SECONDS):
                results = self._quarantine.place(batch)
            for result, (_, prepared) in zip(results, batch, strict=False):
                self._metrics_registry.count(PLACED, result.outcome)
                self._metrics_registry.count(VERDICTS, prepared.article.verdict)
                ids = {
                    "article": result.article,
                    "story": result.story,
                    "entry": result.entry_no,
                }
                log.debug(
                    "placed %s as %s in %s",
                    result.article,
                    result.outcome,
                    result.story,
                    extra={"event": "article_placed", **ids},
                )
            yield results

    def _end_of_gathering(self) -> float:
        with self.writer.database.read() as connection:
            if not inbox.has_gathered(connection):
                self._gathers_since = None
                return math.inf
        # Not since they were accepted: an entry whose page was fetched may have waited for minutes.
        if self._gathers_since is None:
            self._gathers_since = time.monotonic()
        return self._gathers_since + self._tuning.gathering_seconds

    def retention_job(self, plan: RetentionPlan) -> Retention:
        """Return the retention job, for the placing thread."""
        return self.placer.retention_job(plan)

    def rest(self) -> None:
        """Give memory back: what is computed again in no time. The indexes stay."""
        self.placer.forget_rows()
        give_back_memory()

    def forget(self) -> None:
        """Drop the indexes in memory; they are built again from the database."""
        self.placer.forget()

    def run_commands(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Execute the waiting commands: corrections, `recluster` and others. Return how many."""
        return run_commands(self.writer, stop)

    def end_first_reading(self) -> bool:
        """Let a first reading that is over be decided again; return whether a command was queued for it.

        That is when the daemon takes most memory, so what the reading left is given back before.
        """
        if not end_first_reading(self.writer.database, self.writer.now()):
            return False
        self.writer.executor.rest()
        self.rest()
        return True

    def index_text(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Index all placed articles for search; return how many were indexed."""
        return index.index_until(self.writer.database, index.index_next, stop)

    def index_older(
        self, stop: Callable[[], bool] = lambda: False, *, most: int | None = None
    ) -> int:
        """Index older articles again, at most about `most`; return how many were indexed."""
        return index.index_until(
            self.writer.database, index.index_older, stop, most=most
        )


def _take_turn(connection: Connection) -> tuple[int, bool]:
    """Put entries in order; return how many, and whether some wait for the next turn."""
    return inbox.put_in_order(connection), inbox.has_gathered(connection)


# --- entries between the inbox and placing, which workers prepare while others are placed ------------------

_NONE = sys.maxsize  # beyond every inbox number
_ALL = _NONE - 1


class PrepareQueue:
    """Jobs under way, and prepared entries that are not placed yet. For one pass over the inbox."""

    def __init__(
        self,
        database: Database,
        dispatcher: PrepareDispatcher,
        unreadable: Callable[[UnreadableEntryError], None],
        put_in_order: Callable[[], bool],
        *,
        batch_articles: int,
    ) -> None:
        """`unreadable` takes an entry out of the inbox.

        `put_in_order` numbers entries that wait for it; it returns whether there are any.
        """
        self._database = database
        self._dispatcher = dispatcher
        self._unreadable = unreadable
        self._put_in_order = put_in_order
        self._batch_articles = batch_articles
        self._jobs: deque[tuple[list[InboxEntry], Future[bytes]]] = deque()
        self._prepared: deque[tuple[InboxEntry, Prepared]] = deque()
        self._last = 0  # last inbox number that was submitted

    def batches(
        self, stop: Callable[[], bool], more: More | None
    ) -> Iterator[list[tuple[InboxEntry, Prepared]]]:
        """Yield batches in order; while one is placed, workers prepare the next ones."""
        bound = _ALL if more is None else 0
        try:
            while not stop():
                self._submit_jobs()
                if more is not None and self._first > bound:
                    reached = more()
                    more, bound = (
                        (more, reached) if reached is not None else (None, _ALL)
                    )
                    continue
                if self._first == _NONE:
                    if not self._put_in_order():
                        return
                    continue
                batch: list[tuple[InboxEntry, Prepared]] = []
                while self._first <= bound and (
                    not batch or self._has_answer(self._batch_articles - len(batch))
                ):
                    if not self._prepared:
                        self._prepare_next(stop)
                        if stop():
                            # The workers may have been ended: the answer is incomplete
                            return
                    while self._prepared and self._first <= bound:
                        batch.append(self._prepared.popleft())
                if batch:
                    yield batch
        finally:
            for _, future in self._jobs:
                future.cancel()

    def _prepare_next(self, stop: Callable[[], bool]) -> None:
        """Wait for the entries of the next job; if one cannot be read, the others are submitted again."""
        entries, future = self._jobs.popleft()
        try:
            answer = self._dispatcher.answered(entries, future, stop)
        except UnreadableEntryError as error:
            self._unreadable(error)
            if left := [waiting for waiting in entries if waiting.entry_no != error.n]:
                self._jobs.appendleft((left, self._dispatcher.submitted(left)))
            return
        if not stop():
            self._prepared.extend(zip(entries, answer, strict=True))

    def _submit_jobs(self) -> None:
        """Submit jobs until all workers are busy."""
        depth = self._dispatcher.depth
        while len(self._jobs) < depth:
            chunk = self._ready_after(
                self._last, TEXTS_A_JOB * (depth - len(self._jobs))
            )
            if not chunk:
                return
            self._last = chunk[-1].inbox_no
            for start in range(0, len(chunk), TEXTS_A_JOB):
                part = chunk[start : start + TEXTS_A_JOB]
                self._jobs.append((part, self._dispatcher.submitted(part)))

    def _ready_after(self, last: int, limit: int) -> list[InboxEntry]:
        while True:
            try:
                with self._database.read() as connection:
                    return inbox.ready(connection, limit, after=last)
            except UnreadableEntryError as error:
                self._unreadable(error)

    @property
    def _first(self) -> int:
        """The next inbox number; _NONE if the queue is empty."""
        if self._prepared:
            return self._prepared[0][0].inbox_no
        return self._jobs[0][0][0].inbox_no if self._jobs else _NONE

    def _has_answer(self, room: int) -> bool:
        """Whether the next entries are prepared and fit into the batch: a commit costs 8 ms."""
        if self._prepared:
            return len(self._prepared) <= room
        entries, future = self._jobs[0]
        return future.done() and len(entries) <= room


# --- entries that cannot be placed ------------------------------------------------------------------------

# If entries of this many sources fail, the cause is not the entries (chosen)
_SOURCES = 5
# Before entries go into quarantine if none was placed yet (chosen: one minute)
_TRIES = 20

_NOT_OF_AN_ENTRY = (AggregatorError, MemoryError, OSError)


class QuarantiningPlacer:
    """Places batches and puts entries that fail into quarantine, so that others can be placed.

    Such an entry meets a bug of the program, or a damaged row. The cause is assumed to be the entry, and not
    the program or database as a whole, if another entry can be placed, or if others were placed and the
    failing ones are of few sources: entries of one feed are neighbours in the inbox. Otherwise nothing is put
    in quarantine, and placing is paused. An entry in quarantine keeps its text; `db check --repair` puts it
    back into the inbox.
    """

    def __init__(self, placer: Placer) -> None:
        self._placer = placer
        self._has_placed = False  # this process has placed an entry
        self._tries = 0  # consecutive calls in which nothing was placed

    def place(self, batch: Batch) -> list[PlacementResult]:
        """Like `Placer.place`; what fails is halved until each culprit is alone.

        Raises DamagedError if nothing can be placed.
        """
        done: list[PlacementResult] = []
        failed: list[tuple[InboxEntry, Exception]] = []
        parts = [batch]  # the first one last
        while parts:
            part = parts.pop()
            try:
                placed = self._placer.place(part)
            except _NOT_OF_AN_ENTRY:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, other entries may be placed
                if len(part) == 1:
                    failed.append((part[0][0], error))
                else:
                    parts += [part[len(part) // 2 :], part[: len(part) // 2]]
                continue
            self._has_placed, self._tries = True, 0
            done += [*self._quarantine(failed), *placed]
            failed = []
        are_few = len({waiting.entry.source for waiting, _ in failed}) < _SOURCES
        if are_few and (self._has_placed or self._tries >= _TRIES):
            done += self._quarantine(failed)
        elif failed and not done:
            self._tries += 1
            waiting, cause = failed[0]
            raise DamagedError(
                f"entry {waiting.entry_no} and those after it cannot be placed ({_named(cause)}): the "
                "database is damaged, or the program has a bug; type `aggregator db check`"
            ) from cause
        return done

    def unreadable(self, error: UnreadableEntryError) -> None:
        """Put an entry into quarantine whose row cannot be decoded."""
        log.error(
            "entry %d is in quarantine: %s",
            error.n,
            error,
            extra={"event": "entry_quarantined"},
        )
        self._placer.quarantine(error.n, str(error))

    def _quarantine(
        self, failed: Sequence[tuple[InboxEntry, Exception]]
    ) -> list[PlacementResult]:
        placed = []
        for waiting, cause in failed:
            ids = {"entry": waiting.entry_no, "source": waiting.entry.source}
            log.error(
                "entry %d is in quarantine",
                waiting.entry_no,
                exc_info=cause,
                extra={"event": "entry_quarantined", **ids},
            )
            reason = f"{REASON} ({_named(cause)})"
            self._placer.quarantine(waiting.entry_no, reason)
            placed.append(
                PlacementResult(
                    entry_no=waiting.entry_no,
                    outcome="refused",
                    article=waiting.article,
                    reason=reason,
                )
            )
        return placed


def _named(cause: Exception) -> str:
    return f"{type(cause).__name__}: {cause}"[:300]
