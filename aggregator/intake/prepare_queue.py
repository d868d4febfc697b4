"""The entries between the inbox and placing, which workers prepare while others are placed."""

import sys
from collections import deque
from collections.abc import Callable, Iterator

from aggregator.intake.prepare import TEXTS_A_JOB, Job, PrepareDispatcher, Stop
from aggregator.model.errors import UnreadableEntryError
from aggregator.model.prepared import Prepared
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from aggregator.store.intake.inbox import InboxEntry

More = Callable[[], int | None]
"""Accepts more entries and returns the highest inbox number to place by now; None: there are no more."""


PreparedEntry = tuple[InboxEntry, Prepared]
NO_ENTRY = sys.maxsize  # beyond every inbox number
ALL_ENTRIES = NO_ENTRY - 1


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
        self._jobs: deque[Job] = deque()
        self._prepared: deque[PreparedEntry] = deque()
        self._last = 0  # last inbox number that was submitted

    def batches(self, stop: Stop, more: More | None) -> Iterator[list[PreparedEntry]]:
        """Yield batches in order; while one is placed, workers prepare the next ones."""
        bound = ALL_ENTRIES if more is None else 0
        try:
            while not stop():
                self._submit_jobs()
                if more is not None and self._first > bound:
                    reached = more()
                    if reached is None:
                        more = None
                        bound = ALL_ENTRIES
                    else:
                        bound = reached
                    continue
                if self._first == NO_ENTRY:
                    if not self._put_in_order():
                        return
                    continue
                batch = self._next_batch(stop, bound)
                if batch:
                    yield batch
        finally:
            for _, future in self._jobs:
                future.cancel()

    def _next_batch(self, stop: Stop, bound: int) -> list[PreparedEntry]:
        """Wait for an entry up to inbox number `bound`; return it and further prepared entries."""
        batch: list[PreparedEntry] = []
        while self._first <= bound:
            if batch:  # take what is prepared and fits into the batch, since a commit costs 8 ms
                count, is_ready = len(self._prepared), True
                if not self._prepared:
                    entries, future = self._jobs[0]
                    count, is_ready = len(entries), future.done()
                if not is_ready or count > self._batch_articles - len(batch):
                    break
            if not self._prepared:
                entries, future = self._jobs.popleft()
                answer = self._dispatcher.answered(entries, future, stop)
                if stop():
                    # The workers may have been ended: the answer is incomplete
                    return []
                self._prepared.extend(zip(entries, answer, strict=True))
            while self._prepared and self._first <= bound:
                batch.append(self._prepared.popleft())
        return batch

    def _submit_jobs(self) -> None:
        """Submit jobs until all workers are busy."""
        depth = self._dispatcher.depth
        while len(self._jobs) < depth:
            limit = TEXTS_A_JOB * (depth - len(self._jobs))
            try:
                with self._database.read() as connection:
                    chunk = inbox.ready(connection, limit, after=self._last)
            except UnreadableEntryError as error:
                self._unreadable(error)
                continue
            if not chunk:
                return
            self._last = chunk[-1].inbox_no
            self._jobs += self._dispatcher.submit(chunk)

    @property
    def _first(self) -> int:
        """The next inbox number; NO_ENTRY if the queue is empty."""
        if self._prepared:
            return self._prepared[0][0].inbox_no
        return self._jobs[0][0][0].inbox_no if self._jobs else NO_ENTRY
