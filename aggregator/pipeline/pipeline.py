"""One article's way, on one screen.

    who, when      bytes           entries          clean article       decision        story
    sources ─poll► net ─read_feed► inbox ─prepare─► text, dedup ─place► dedup, store ─► stories ─► readers
    (pipeline/poll.py)                   (accept)         (pipeline/jobs.py)
    (pipeline/placement/place.py)

What comes in is accepted into the inbox in one short transaction; from then on it cannot be lost. Each later
step is done in the order of inbox numbers and ends in one transaction; doing it again gives the same rows.
Strangers' bytes are parsed by an executor's workers, and no transaction is open meanwhile.
"""

import datetime as dt
import itertools
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.model.core import Prepared
from aggregator.model.counters import PLACED, PLACING_SECONDS, VERDICTS, Metrics
from aggregator.model.errors import AggregatorError, UnreadableEntryError, UsageError, WorkError
from aggregator.pipeline import command_queue
from aggregator.pipeline.jobs import PrepareResult
from aggregator.pipeline.placement.apply_corrections import decode_command
from aggregator.pipeline.placement.erase import ForgetCommand
from aggregator.pipeline.placement.place import PlacementResult, Placer, PlacingTuning
from aggregator.pipeline.placement.recluster import ReclusterCommand, Reclusterer, drop_scratch
from aggregator.pipeline.placement.repair import RepairCommand
from aggregator.pipeline.placement.retention import PruneResult, Retention, RetentionPlan
from aggregator.pipeline.placement.story_writer import BUMP_AGE_SECONDS, BUMPS
from aggregator.pipeline.prepare import TEXTS_A_JOB, PrepareDispatcher, made_for
from aggregator.pipeline.quarantine import QuarantiningPlacer
from aggregator.pipeline.workers.executor import Executor
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox, prefetched
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.maintenance import erase
from aggregator.store.search import index
from aggregator.store.stories.commands import Command

log = logging.getLogger(__name__)

INDEXED_A_TRANSACTION = 200
PRUNED_SECONDS = 0.5  # of retention per `prune` command


_NONE = sys.maxsize  # beyond every inbox number
_ALL = _NONE - 1

More = Callable[[], int | None]
"""Accepts more entries and returns the highest inbox number to place by now; None: there are no more."""


class _StoppedError(Exception):
    """The daemon stops during a command."""


class Pipeline:
    """From accepted entries to stories. For one thread of the writer."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        all_tuning: Tuning,
        now: Callable[[], dt.datetime],
        *,
        summary_words: int,
        families: Mapping[str, str] | None = None,
        bumps: Collection[str] = BUMPS,
        bump_age_seconds: float = BUMP_AGE_SECONDS,
        prefer: Sequence[str] = (),
        keep_all: bool = False,
        placer: Placer | None = None,
        metrics_registry: Metrics | None = None,
    ) -> None:
        """`families`, `bumps`, `bump_age_seconds` and `prefer`: see Placer.

        `metrics_registry` counts outcomes and verdicts.
        `placer`: one with the same database, tuning and settings, whose indexes in memory are reused.
        `keep_all` (for `eval`): every entry with text is placed.
        """
        self._database = database
        self._executor = executor
        self._metrics_registry = metrics_registry or Metrics()
        self._batch_articles = all_tuning.section("placing", PlacingTuning).batch_articles
        self._now = now
        self._summary_words = summary_words
        self._families = families
        self._prefer = prefer
        self._all_tuning = all_tuning
        self._placer = placer or Placer(
            database,
            all_tuning,
            now,
            summary_words=summary_words,
            families=families,
            bumps=bumps,
            bump_age_seconds=bump_age_seconds,
            prefer=prefer,
        )
        self._quarantine = QuarantiningPlacer(self._placer)
        self._dispatcher = PrepareDispatcher(
            executor, all_tuning, self._placer.prepare_options, keep_all=keep_all
        )
        # With SQLite there are no standbys, and prefetched texts are prepared without `keep_all`.
        self._code_version = None if database.is_sqlite or keep_all else made_for(all_tuning)

    @property
    def placer(self) -> Placer:
        """The placer, for the next pipeline with the same settings."""
        return self._placer

    def place_waiting(
        self, stop: Callable[[], bool] = lambda: False, more: More | None = None
    ) -> Iterator[list[PlacementResult]]:
        """Place all waiting entries in batches, in inbox order, until none waits or `stop()`.

        `more` is called whenever no entry may be placed yet, until it returns None.
        """
        self._dispatcher.begin()
        for batch in self._prepared_batches(stop, more):
            left, is_final = batch, False
            while left:
                with self._metrics_registry.timer(PLACING_SECONDS):
                    placed = self._quarantine.place(left, is_final=is_final)
                is_final = not placed  # after it was prepared again, the first entry is placed in any case
                for one, (_, made) in zip(placed, left, strict=False):
                    self._metrics_registry.count(PLACED, one.outcome)
                    self._metrics_registry.count(VERDICTS, made.article.verdict)
                    self._dispatcher.placed(one.entry_no)
                    ids = {"article": one.article, "story": one.story, "entry": one.entry_no}
                    log.debug(
                        "placed %s as %s in %s",
                        one.article,
                        one.outcome,
                        one.story,
                        extra={"event": "article_placed", **ids},
                    )
                yield placed
                left = self._dispatcher.again(left[len(placed) :], stop)
                if stop():
                    return

    def retention_job(self, plan: RetentionPlan) -> Retention:
        """Return the retention job, for the placing thread."""
        return self._placer.retention_job(plan, self._all_tuning)

    def forget(self) -> None:
        """Drop the indexes in memory; they are built again from the database."""
        self._placer.forget()

    def index_text(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Index all placed articles for search; return how many were indexed."""
        total = 0
        while not stop():
            with self._database.write() as connection:
                count = index.index_next(connection, INDEXED_A_TRANSACTION)
            total += count
            if count < INDEXED_A_TRANSACTION:
                break
        return total

    def index_older(self, stop: Callable[[], bool] = lambda: False, *, most: int | None = None) -> int:
        """Index older articles again, at most about `most`; return how many were indexed."""
        total = 0
        while not stop() and (most is None or total < most):
            with self._database.write() as connection:
                count = index.index_older(connection, INDEXED_A_TRANSACTION)
            total += count
            if count < INDEXED_A_TRANSACTION:
                break
        return total

    def run_commands(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Execute the waiting commands: corrections, `recluster` and others. Return how many."""
        executed = 0
        for request in command_queue.pending_commands(self._database):
            if stop():
                break
            try:
                self._carry_out(request, stop)
            except _StoppedError:
                break  # it continues at the next start
            except (UsageError, WorkError) as error:
                if isinstance(error, WorkError) and stop():
                    break  # the workers were ended; it continues at the next start
                command_queue.reject(self._database, self._now(), request, str(error))
            except AggregatorError:
                raise  # of the database: the command waits
            except Exception as error:  # it would end the daemon again at every start
                log.exception(
                    "command %d (%s) failed",
                    request.command_no,
                    request.kind,
                    extra={"event": "command_failed"},
                )
                reason = f"it failed ({type(error).__name__}: {error}); the log of the daemon says more"
                command_queue.reject(self._database, self._now(), request, reason)
            executed += 1
        return executed

    def _carry_out(self, request: Command, stop: Callable[[], bool]) -> None:
        if request.kind == "correct":
            self._placer.correct(decode_command(request.payload), request.command_no)
            return
        if request.kind == "repair":
            self._placer.repair(msgspec.json.decode(request.payload, type=RepairCommand), request.command_no)
            return
        if request.kind == "forget":
            self._forget(request, stop)
            return
        if request.kind == "prune":
            self._prune(request, stop)
            return
        command = msgspec.json.decode(request.payload, type=ReclusterCommand)
        run = Reclusterer(
            self._database,
            self._executor,
            self._all_tuning,
            summary_words=self._summary_words,
            now=self._now,
            families=self._families,
            prefer=self._prefer,
        )

        def step(_done: int, _total: int) -> None:
            if stop():  # the call is also a heartbeat
                raise _StoppedError

        run.take_over(self._placer, command.since, step, request=request.command_no)

    def _prune(self, request: Command, stop: Callable[[], bool]) -> None:
        """Run retention for a moment; the command is repeated, and entries are placed in between."""
        plan = msgspec.json.decode(request.payload, type=RetentionPlan)
        retention_job = self._placer.retention_job(plan, self._all_tuning, is_asked=True)
        ends = time.monotonic() + PRUNED_SECONDS
        while (more := retention_job.step(stop)) and time.monotonic() < ends:
            pass
        command_queue.answer(
            self._database, self._now(), request, msgspec.json.encode(PruneResult(is_done=not more))
        )

    def _forget(self, request: Command, stop: Callable[[], bool]) -> None:
        def step() -> None:
            if stop():
                raise _StoppedError

        drop_scratch(self._database)
        try:
            self._placer.erase(
                msgspec.json.decode(request.payload, type=ForgetCommand), request.command_no, step
            )
        except UsageError:
            with self._database.write() as connection:
                erase.blank_command(connection, request.command_no)
            raise

    # --- preparing entries before they are placed ---------------------------------------------------------

    def _prepared_batches(
        self, stop: Callable[[], bool], more: More | None
    ) -> Iterator[list[tuple[InboxEntry, Prepared]]]:
        """Yield batches in order; while one is placed, workers prepare the next ones."""
        queue = _PrepareQueue()
        bound = _ALL if more is None else 0
        try:
            while not stop():
                self._submit_jobs(queue)
                if more is not None and queue.first > bound:
                    reached = more()
                    more, bound = (more, reached) if reached is not None else (None, _ALL)
                    continue
                if queue.first == _NONE:
                    return
                batch: list[tuple[InboxEntry, Prepared]] = []
                while queue.first <= bound and (
                    not batch or queue.has_answer(self._batch_articles - len(batch))
                ):
                    if not queue.prepared:
                        entries, future = queue.jobs.popleft()
                        answer = self._dispatcher.answered(entries, future, stop)
                        if stop():
                            return  # the workers may have been ended: the answer is incomplete
                        queue.prepared.extend(zip(entries, answer, strict=True))
                    while queue.prepared and queue.first <= bound:
                        batch.append(queue.prepared.popleft())
                yield batch
        finally:
            for _, future in queue.jobs:
                future.cancel()

    def _submit_jobs(self, queue: "_PrepareQueue") -> None:
        """Submit jobs until all workers are busy; entries that a standby prepared need no job."""
        depth = self._dispatcher.depth
        while len(queue.jobs) < depth:
            chunk = self._ready_after(queue.last, TEXTS_A_JOB * (depth - len(queue.jobs)))
            if not chunk:
                return
            queue.last = chunk[-1].inbox_no
            there = self._prefetched(chunk)
            for start in range(0, len(chunk), TEXTS_A_JOB):
                part = chunk[start : start + TEXTS_A_JOB]
                for is_there, run in itertools.groupby(part, key=lambda one: one.entry_no in there):
                    entries = list(run)
                    made = [there[one.entry_no] for one in entries] if is_there else None
                    future = self._dispatcher.submitted(entries) if made is None else _done(made)
                    queue.jobs.append((entries, future))

    def _prefetched(self, chunk: Sequence[InboxEntry]) -> dict[int, bytes]:
        """Return the texts of `chunk` that a standby prepared with the same program and tuning."""
        if self._code_version is None:
            return {}
        with self._database.read() as connection:
            return prefetched.results(connection, [one.entry_no for one in chunk], self._code_version)

    def _ready_after(self, last: int, limit: int) -> list[InboxEntry]:
        while True:
            try:
                with self._database.read() as connection:
                    return inbox.ready(connection, limit, after=last)
            except UnreadableEntryError as error:
                self._quarantine.unreadable(error)


class _PrepareQueue:
    """Entries between inbox and placing, in inbox order: jobs under way, and prepared entries."""

    def __init__(self) -> None:
        self.jobs: deque[tuple[list[InboxEntry], Future[bytes]]] = deque()
        self.prepared: deque[tuple[InboxEntry, Prepared]] = deque()  # not placed yet
        self.last = 0  # last inbox number that was submitted

    @property
    def first(self) -> int:
        """The next inbox number; _NONE if the queue is empty."""
        if self.prepared:
            return self.prepared[0][0].inbox_no
        return self.jobs[0][0][0].inbox_no if self.jobs else _NONE

    def has_answer(self, room: int) -> bool:
        """Whether the next entries are prepared and fit into the batch: a commit costs 8 ms."""
        if self.prepared:
            return len(self.prepared) <= room
        entries, future = self.jobs[0]
        return future.done() and len(entries) <= room


def _done(made: Sequence[bytes]) -> Future[bytes]:
    """Return a finished job with results of a standby."""
    future: Future[bytes] = Future()
    found = tuple(msgspec.msgpack.decode(one, type=Prepared) for one in made)
    future.set_result(msgspec.msgpack.encode(PrepareResult(prepared=found)))
    return future
