"""Prefetch: a standby prepares waiting entries before the writer needs them. PostgreSQL only.

The writer uses a prepared text if program and rules are the same and the learned boilerplate of the outlet
has not changed (pipeline/placement/place.py checks); otherwise it prepares the text again. So the result does
not depend on which daemon prepared a text, and a standby may end at any time.
"""

import logging
import secrets
from collections.abc import Callable, Sequence

import msgspec

from aggregator.config.messages import counted
from aggregator.config.tuning import Tuning
from aggregator.model.errors import AggregatorError, WorkError
from aggregator.pipeline.jobs import PrepareResult
from aggregator.pipeline.placement.boilerplate import BoilerplateLearner, PrepareOptions
from aggregator.pipeline.prepare import TEXTS_A_JOB, PrepareDispatcher, made_for
from aggregator.pipeline.workers.executor import Executor
from aggregator.pipeline.workers.thread_pool import RepeatingThread
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox, prefetched
from aggregator.store.intake.inbox import InboxEntry

_RESERVE_SECONDS = 120.0  # that a standby reserves entries: 16 texts at 10 s would take 160, usual ones 1 s

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0  # between two checks for work
BACKOFF_SECONDS = 10.0  # after an error


class PrefetchTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `prefetch` of config/tuning.yaml, which states the units."""

    left_to_writer: int


class Prefetcher:
    """Prepares entries further back in the inbox. For one thread; other standbys may do the same."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        all_tuning: Tuning,
        *,
        holder: str | None = None,
    ) -> None:
        """`holder` identifies this daemon in the database; None: a random name."""
        self._database = database
        self._holder = holder or secrets.token_hex(8)
        self._tuning = all_tuning.section("prefetch", PrefetchTuning)
        self._code_version = made_for(all_tuning)
        self._boilerplate = BoilerplateLearner(all_tuning)
        self._dispatcher = PrepareDispatcher(executor, all_tuning, self._prepare_options)

    def step(self) -> int:
        """Prepare as many entries as the workers can take at once; return their number.

        Raises NoWorkersError or an error of the database; other daemons then prepare the claimed entries.
        """
        with self._database.write() as connection:
            numbers = prefetched.claim(
                connection,
                self._holder,
                code_version=self._code_version,
                seconds=_RESERVE_SECONDS,
                skip=self._tuning.left_to_writer,
                most=TEXTS_A_JOB * self._dispatcher.depth,
            )
        if not numbers:
            return 0
        self._dispatcher.begin()
        self._boilerplate.forget()  # the writer learns it; read it again
        with self._database.read() as connection:
            waiting = inbox.ready_of(connection, numbers)
        parts = [waiting[start : start + TEXTS_A_JOB] for start in range(0, len(waiting), TEXTS_A_JOB)]
        jobs = [(part, self._dispatcher.submitted(part)) for part in parts]
        for part, future in jobs:
            try:
                answer = msgspec.msgpack.decode(future.result(), type=PrepareResult).prepared
            except WorkError:
                continue  # a text ended its worker, or this daemon stops; the writer tries each text alone
            if not answer:
                continue  # they are in an archive that only the writer's machine has
            made = {
                one.entry_no: msgspec.msgpack.encode(found) for one, found in zip(part, answer, strict=True)
            }
            with self._database.write() as connection:
                prefetched.store(connection, self._holder, made)
        log.debug("prefetched %s", counted(len(waiting), "text"), extra={"event": "texts_prefetched"})
        return len(waiting)

    def _prepare_options(self, waiting: Sequence[InboxEntry]) -> list[PrepareOptions]:
        with self._database.read() as connection:
            return [self._boilerplate.prepare_options(connection, one.entry_no, one.entry) for one in waiting]


class PrefetchThread(RepeatingThread):
    """The thread that prefetches while this process is not the writer."""

    def __init__(self, prefetcher: Prefetcher, *, is_writer: Callable[[], bool]) -> None:
        super().__init__("prefetch", self._prefetch)
        self._prefetcher = prefetcher
        self._is_writer = is_writer

    def _prefetch(self) -> float:
        try:
            return 0.0 if not self._is_writer() and self._prefetcher.step() else IDLE_SECONDS
        except AggregatorError as error:  # of the database or the workers; other threads log it
            log.debug("prefetch is paused: %s", error, extra={"event": "prefetch_paused"})
        except Exception:  # the writer does not depend on it
            log.exception("prefetch failed", extra={"event": "prefetch_failed"})
        return BACKOFF_SECONDS
