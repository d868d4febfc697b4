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
import logging
from collections.abc import Callable, Iterator

from aggregator.config.tuning import Tuning
from aggregator.model.counters import PLACED, PLACING_SECONDS, VERDICTS, Metrics
from aggregator.pipeline.command_handlers import WriterServices, run_commands
from aggregator.pipeline.placement.place import PlacementResult, Placer, PlacingTuning
from aggregator.pipeline.placement.retention import Retention, RetentionPlan
from aggregator.pipeline.placement.story_options import StoryOptions
from aggregator.pipeline.prepare import PrepareDispatcher
from aggregator.pipeline.prepare_queue import More, PrepareQueue
from aggregator.pipeline.quarantine import QuarantiningPlacer
from aggregator.pipeline.workers.executor import Executor
from aggregator.store.engine.database import Database
from aggregator.store.search import index

log = logging.getLogger(__name__)


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
        texts_here: int = 0,
        metrics_registry: Metrics | None = None,
    ) -> None:
        """`metrics_registry` counts outcomes and verdicts.

        `keep_all` (for `eval`): every entry with text is placed. `texts_here` (for `ingest`): how many
        entries without markup this process prepares, so that no worker starts for a few.
        """
        self._metrics_registry = metrics_registry or Metrics()
        self._batch_articles = all_tuning.section("placing", PlacingTuning).batch_articles
        self.placer = Placer(database, all_tuning, now, options)
        self._writer = WriterServices(database, executor, all_tuning, now, options, self.placer)
        self._quarantine = QuarantiningPlacer(self.placer)
        self._dispatcher = PrepareDispatcher(
            executor,
            all_tuning,
            self.placer.prepare_options,
            keep_all=keep_all,
            texts_here=texts_here,
        )

    def place_waiting(
        self, stop: Callable[[], bool] = lambda: False, more: More | None = None
    ) -> Iterator[list[PlacementResult]]:
        """Place all waiting entries in batches, in inbox order, until none waits or `stop()`.

        `more` is called whenever no entry may be placed yet, until it returns None.
        """
        self._dispatcher.begin()
        queue = PrepareQueue(
            self._writer.database,
            self._dispatcher,
            self._quarantine.unreadable,
            batch_articles=self._batch_articles,
        )
        for batch in queue.batches(stop, more):
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
        return self.placer.retention_job(plan, self._writer.all_tuning)

    def forget(self) -> None:
        """Drop the indexes in memory; they are built again from the database."""
        self.placer.forget()

    def run_commands(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Execute the waiting commands: corrections, `recluster` and others. Return how many."""
        return run_commands(self._writer, stop)

    def index_text(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Index all placed articles for search; return how many were indexed."""
        return index.index_until(self._writer.database, index.index_next, stop)

    def index_older(self, stop: Callable[[], bool] = lambda: False, *, most: int | None = None) -> int:
        """Index older articles again, at most about `most`; return how many were indexed."""
        return index.index_until(self._writer.database, index.index_older, stop, most=most)
