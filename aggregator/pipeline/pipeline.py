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
from aggregator.pipeline.placement.story_writer import BUMPS
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
PRUNED_SECONDS = 0.5  # of retention, for one who asks for it


_NONE = sys.maxsize  # beyond every inbox number
_ALL = _NONE - 1

More = Callable[[], int | None]
"""Accepts some more and says up to which inbox number may be placed by now; None: there is nothing more."""


class _StoppedError(Exception):
    """The daemon is asked to end while it decides again."""


class Pipeline:
    """From accepted entries to stories. One thread of the process that holds the writer lock may place."""

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
        prefer: Sequence[str] = (),
        keep_all: bool = False,
        placer: Placer | None = None,
        metrics_registry: Metrics | None = None,
    ) -> None:
        """`families`, `bumps` and `prefer`: see Placing. `metrics_registry` counts what becomes of entries.

        `placer`: one made of the same database, book and choices before, with what it has in memory.

        `keep_all` (for `eval`): every entry with any words gets a home.
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
            prefer=prefer,
        )
        self._quarantine = QuarantiningPlacer(self._placer)
        self._dispatcher = PrepareDispatcher(
            executor, all_tuning, self._placer.prepare_options, keep_all=keep_all
        )
        # A SQLite database has no other daemons, and no other keeps all there is.
        self._made_for = None if database.is_sqlite or keep_all else made_for(all_tuning)

    @property
    def placer(self) -> Placer:
        """What places, to be handed on to the next pipeline of the same choices."""
        return self._placer

    def place_waiting(
        self, stop: Callable[[], bool] = lambda: False, more: More | None = None
    ) -> Iterator[list[PlacementResult]]:
        """Place all that waits, batch by batch in the order of the inbox, until nothing waits or `stop()`.

        With `more`, that is called whenever nothing is left that may be placed yet, until it has no more.
        """
        self._dispatcher.begin()
        for batch in self._prepared_batches(stop, more):
            left, stands = batch, False
            while left:
                with self._metrics_registry.timer(PLACING_SECONDS):
                    placed = self._quarantine.place(left, as_it_is=stands)
                stands = not placed  # prepared again it must go in: nothing may hold up the line twice
                for one, (_, made) in zip(placed, left, strict=False):
                    self._metrics_registry.count(PLACED, one.outcome)
                    self._metrics_registry.count(VERDICTS, made.article.verdict)
                    self._dispatcher.placed(one.n)
                    ids = {"article": one.article, "story": one.story, "entry": one.n}
                    log.debug("placed %s as %s in %s", one.article, one.outcome, one.story, extra=ids)
                yield placed
                left = self._dispatcher.again(left[len(placed) :], stop)
                if stop():
                    return

    def retention_job(self, plan: RetentionPlan) -> Retention:
        """What takes from old articles what they are not to keep; for the thread that places."""
        return self._placer.retention_job(plan, self._all_tuning)

    def forget(self) -> None:
        """Drop what is kept in memory; it is built again from the rows."""
        self._placer.forget()

    def index_text(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Bring the full-text index up to the last placed article; returns how many it took in."""
        total = 0
        while not stop():
            with self._database.write() as connection:
                count = index.index_next(connection, INDEXED_A_TRANSACTION)
            total += count
            if count < INDEXED_A_TRANSACTION:
                break
        return total

    def index_older(self, stop: Callable[[], bool] = lambda: False, *, most: int | None = None) -> int:
        """Index what waits to be indexed anew, at most about `most`; returns how many it took in."""
        total = 0
        while not stop() and (most is None or total < most):
            with self._database.write() as connection:
                count = index.index_older(connection, INDEXED_A_TRANSACTION)
            total += count
            if count < INDEXED_A_TRANSACTION:
                break
        return total

    def run_commands(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Do what commands ask of the writer: corrections, deciding again. Returns how many were answered."""
        answered = 0
        for request in command_queue.pending_commands(self._database):
            if stop():
                break
            try:
                self._carry_out(request, stop)
            except _StoppedError:
                break  # it goes on at the next start
            except (UsageError, WorkError) as error:
                if isinstance(error, WorkError) and stop():
                    break  # the workers were ended under it: it goes on at the next start
                command_queue.reject(self._database, self._now(), request, str(error))
            except AggregatorError:
                raise  # the database is in trouble: the request waits
            except Exception as error:  # asked again at every start, it would end every daemon
                log.exception("request %d (%s) failed", request.n, request.kind)
                words = f"it failed ({type(error).__name__}: {error}); the log of the daemon says more"
                command_queue.reject(self._database, self._now(), request, words)
            answered += 1
        return answered

    def _carry_out(self, request: Command, stop: Callable[[], bool]) -> None:
        if request.kind == "correct":
            self._placer.correct(decode_command(request.payload), request.n)
            return
        if request.kind == "repair":
            self._placer.repair(msgspec.json.decode(request.payload, type=RepairCommand), request.n)
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
            if stop():  # asking also tells the watchdog that we get on
                raise _StoppedError

        run.take_over(self._placer, command.since, step, request=request.n)

    def _prune(self, request: Command, stop: Callable[[], bool]) -> None:
        """A little of it; who asked asks again for more, so what comes in is placed in between."""
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
            self._placer.erase(msgspec.json.decode(request.payload, type=ForgetCommand), request.n, step)
        except UsageError:
            with self._database.write() as connection:
                erase.blank_request(connection, request.n)
            raise

    # --- preparing, ahead of placing ----------------------------------------------------------------------

    def _prepared_batches(
        self, stop: Callable[[], bool], more: More | None
    ) -> Iterator[list[tuple[InboxEntry, Prepared]]]:
        """Batches in order; while one is placed, workers prepare the next ones."""
        prefetcher = _PrepareQueue()
        bound = _ALL if more is None else 0
        try:
            while not stop():
                self._submit_jobs(prefetcher)
                if more is not None and prefetcher.first > bound:
                    reached = more()
                    more, bound = (more, reached) if reached is not None else (None, _ALL)
                    continue
                if prefetcher.first == _NONE:
                    return
                batch: list[tuple[InboxEntry, Prepared]] = []
                while prefetcher.first <= bound and (
                    not batch or prefetcher.has_answer(self._batch_articles - len(batch))
                ):
                    if not prefetcher.prepared:
                        pending_commands, future = prefetcher.jobs.popleft()
                        answer = self._dispatcher.answered(pending_commands, future, stop)
                        if stop():
                            return  # the workers may have been ended under their jobs: it counts for nothing
                        prefetcher.prepared.extend(zip(pending_commands, answer, strict=True))
                    while prefetcher.prepared and prefetcher.first <= bound:
                        batch.append(prefetcher.prepared.popleft())
                yield batch
        finally:
            for _, future in prefetcher.jobs:
                future.cancel()

    def _submit_jobs(self, prefetcher: "_PrepareQueue") -> None:
        """Keep the workers in work; what another daemon has prepared already needs none."""
        depth = self._dispatcher.depth
        while len(prefetcher.jobs) < depth:
            chunk = self._ready_after(prefetcher.last, TEXTS_A_JOB * (depth - len(prefetcher.jobs)))
            if not chunk:
                return
            prefetcher.last = chunk[-1].inbox_no
            there = self._prefetched(chunk)
            for start in range(0, len(chunk), TEXTS_A_JOB):
                part = chunk[start : start + TEXTS_A_JOB]
                for is_there, run in itertools.groupby(part, key=lambda one: one.n in there):
                    pending_commands = list(run)
                    made = [there[one.n] for one in pending_commands] if is_there else None
                    future = self._dispatcher.submitted(pending_commands) if made is None else _done(made)
                    prefetcher.jobs.append((pending_commands, future))

    def _prefetched(self, chunk: Sequence[InboxEntry]) -> dict[int, bytes]:
        """What other daemons have prepared of it, as it is prepared here."""
        if self._made_for is None:
            return {}
        with self._database.read() as connection:
            return prefetched.results(connection, [one.n for one in chunk], self._made_for)

    def _ready_after(self, last: int, limit: int) -> list[InboxEntry]:
        while True:
            try:
                with self._database.read() as connection:
                    return inbox.ready(connection, limit, after=last)
            except UnreadableEntryError as error:
                self._quarantine.unreadable(error)


class _PrepareQueue:
    """What is on its way to be placed, in the order of the inbox: with the workers, and answered."""

    def __init__(self) -> None:
        self.jobs: deque[tuple[list[InboxEntry], Future[bytes]]] = deque()
        self.prepared: deque[tuple[InboxEntry, Prepared]] = (
            deque()
        )  # of an answer, what may not be placed yet
        self.last = 0  # inbox number that was handed out

    @property
    def first(self) -> int:
        """The inbox number that is next; beyond every one where there is none."""
        if self.prepared:
            return self.prepared[0][0].inbox_no
        return self.jobs[0][0][0].inbox_no if self.jobs else _NONE

    def has_answer(self, room: int) -> bool:
        """Whether what is next is here and has room in a batch: a commit costs 8 ms."""
        if self.prepared:
            return len(self.prepared) <= room
        pending_commands, future = self.jobs[0]
        return future.done() and len(pending_commands) <= room


def _done(made: Sequence[bytes]) -> Future[bytes]:
    """The answer to a job that another daemon has done."""
    future: Future[bytes] = Future()
    found = tuple(msgspec.msgpack.decode(one, type=Prepared) for one in made)
    future.set_result(msgspec.msgpack.encode(PrepareResult(prepared=found)))
    return future
