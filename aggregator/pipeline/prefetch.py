"""A daemon that stands by helps the one that places: it prepares what waits, ahead of it.

Only Postgres knows more than one daemon. What is prepared here is used there where program and rules are the
same, and where the lines that the outlet repeats are still the ones that were taken out
(pipeline/placement/place.py asks);
else it is prepared once more. So who prepared a text changes nothing, and nothing is lost with a helper.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Sequence

import msgspec

from aggregator.config.messages import counted
from aggregator.config.tuning import Tuning
from aggregator.model.errors import AggregatorError, WorkError
from aggregator.pipeline.jobs import PrepareResult
from aggregator.pipeline.placement.boilerplate import BoilerplateLearner, PrepareOptions
from aggregator.pipeline.prepare import TEXTS_A_JOB, PrepareDispatcher, made_for
from aggregator.pipeline.workers.executor import Executor
from aggregator.pipeline.workers.thread_pool import is_left_behind
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox, prefetched
from aggregator.store.intake.inbox import InboxEntry

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0  # between two looks whether there is something to do
REST_SECONDS = 10.0  # after it could not be done


class PrefetchTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `prefetcher` of config/tuning.yaml; units stand there."""

    left_to_placing: int
    claim_seconds: float


class Prefetcher:
    """Prepares what waits further back in the inbox. One thread; more of them may be elsewhere."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        all_tuning: Tuning,
        *,
        holder: str | None = None,
    ) -> None:
        """`holder` names this daemon among those of the database; None: as nobody else is called."""
        self._database = database
        self._holder = holder or secrets.token_hex(8)
        self._tuning = all_tuning.section("ahead", PrefetchTuning)
        self._made_for = made_for(all_tuning)
        self._boilerplate = BoilerplateLearner(all_tuning)
        self._dispatcher = PrepareDispatcher(executor, all_tuning, self._prepare_options)

    def step(self) -> int:
        """Prepare some of what waits, as much as keeps the workers in work; 0 where there is no need.

        Raises NoWorkersError and what the database raises: what was claimed is then prepared by others.
        """
        with self._database.write() as connection:
            numbers = prefetched.claim(
                connection,
                self._holder,
                made_for=self._made_for,
                seconds=self._tuning.claim_seconds,
                skip=self._tuning.left_to_placing,
                most=TEXTS_A_JOB * self._dispatcher.depth,
            )
        if not numbers:
            return 0
        self._dispatcher.begin()
        self._boilerplate.forget()  # the one that places learns, and we read what it learnt
        with self._database.read() as connection:
            waiting = inbox.ready_of(connection, numbers)
        parts = [waiting[start : start + TEXTS_A_JOB] for start in range(0, len(waiting), TEXTS_A_JOB)]
        jobs = [(part, self._dispatcher.submitted(part)) for part in parts]
        for part, future in jobs:
            try:
                answer = msgspec.msgpack.decode(future.result(), type=PrepareResult).prepared
            except WorkError:
                continue  # a text broke it, or we stop: the one that places finds out which
            made = {one.n: msgspec.msgpack.encode(found) for one, found in zip(part, answer, strict=True)}
            with self._database.write() as connection:
                prefetched.store(connection, self._holder, made)
        log.debug("prepared %s ahead", counted(len(waiting), "text"))
        return len(waiting)

    def _prepare_options(self, waiting: Sequence[InboxEntry]) -> list[PrepareOptions]:
        with self._database.read() as connection:
            return [self._boilerplate.prepare_options(connection, one.n, one.entry) for one in waiting]


class PrefetchThread:
    """The thread that does so while this process is not the writer."""

    def __init__(self, prefetcher: Prefetcher, *, is_writer: Callable[[], bool]) -> None:
        self._prefetcher = prefetcher
        self._is_writer = is_writer
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="preparing", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end soon; jobs under way end with the executor."""
        self._stopping.set()

    def join(self, seconds: float) -> bool:
        """After `stop`: wait so long; whether it is left behind."""
        return is_left_behind(self._thread, seconds)

    def _run(self) -> None:
        rest = 0.0
        while not self._stopping.wait(rest):
            try:
                rest = 0.0 if not self._is_writer() and self._prefetcher.step() else IDLE_SECONDS
            except AggregatorError as error:  # the database or the workers are in trouble, which others tell
                log.debug("preparing ahead rests: %s", error)
                rest = REST_SECONDS
            except Exception:  # a helper that fails harms nobody, and helps again
                log.exception("preparing ahead failed")
                rest = REST_SECONDS
