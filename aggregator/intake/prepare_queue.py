"""A queue of entries that workers prepare before the writer places them.

Entries wait in the inbox, in the order of their inbox numbers. The queue reads them in this order, in jobs of
several entries, so that workers extract texts while the writer places the entries that were prepared before. The
writer gets batches of prepared entries, and stores each batch in one transaction.
"""

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
"""Accepts more entries and returns the highest inbox number that may be placed now; None: there are no more."""

PreparedEntry = tuple[InboxEntry, Prepared]
NO_ENTRY = sys.maxsize  # beyond every inbox number
ALL_ENTRIES = NO_ENTRY - 1


class PrepareQueue:
    """The jobs of the workers, and the prepared entries of jobs that ended. For one pass over the inbox."""

    def __init__(
        self,
        database: Database,
        dispatcher: PrepareDispatcher,
        reject_unreadable: Callable[[UnreadableEntryError], None],
        put_in_order: Callable[[], bool],
        *,
        batch_articles: int,
    ) -> None:
        """`reject_unreadable` takes an entry that cannot be decoded out of the inbox.

        `put_in_order` gives inbox numbers to entries without one, and returns whether it did. `batch_articles` is the
        largest size of a batch, which only a single job may exceed.
        """
        self._database = database
        self._dispatcher = dispatcher
        self._reject_unreadable = reject_unreadable
        self._put_in_order = put_in_order
        self._batch_articles = batch_articles
        self._jobs: deque[Job] = deque()
        self._prepared: deque[PreparedEntry] = deque()
        self._submitted_until = 0  # an inbox number

    def batches(self, stop: Stop, more: More | None) -> Iterator[list[PreparedEntry]]:
        """Yield batches in inbox order until the inbox is empty or `stop()`.

        With `more`, an entry is yielded only after `more` has returned its inbox number or a higher one.
        """
        placeable_until = ALL_ENTRIES if more is None else 0
        try:
            while not stop():
                self._submit_jobs()
                if more is not None and self._next_inbox_no > placeable_until:
                    highest = more()
                    if highest is None:
                        more = None
                        highest = ALL_ENTRIES
                    placeable_until = highest
                elif self._next_inbox_no == NO_ENTRY:
                    if not self._put_in_order():
                        return
                elif batch := self._next_batch(stop, placeable_until):
                    yield batch
        finally:
            for _, future in self._jobs:
                future.cancel()

    def _submit_jobs(self) -> None:
        """Read entries from the inbox and submit them, until enough jobs are under way to keep all workers busy."""
        depth = self._dispatcher.depth
        while len(self._jobs) < depth:
            limit = TEXTS_A_JOB * (depth - len(self._jobs))
            try:
                with self._database.read() as connection:
                    entries = inbox.ready(
                        connection, limit, after=self._submitted_until
                    )
            except UnreadableEntryError as error:
                self._reject_unreadable(error)
                continue
            if not entries:
                return
            self._submitted_until = entries[-1].inbox_no
            self._jobs += self._dispatcher.submit(entries)

    @property
    def _next_inbox_no(self) -> int:
        """The inbox number of the first entry in the queue; NO_ENTRY if the queue is empty."""
        if self._prepared:
            return self._prepared[0][0].inbox_no
        if self._jobs:
            entries, _ = self._jobs[0]
            return entries[0].inbox_no
        return NO_ENTRY

    def _next_batch(self, stop: Stop, placeable_until: int) -> list[PreparedEntry]:
        """Wait for the first job, and return its entries up to the inbox number `placeable_until`.

        Because a commit costs 8 ms, the entries of further jobs are added if these have ended and fit into the batch.
        """
        batch: list[PreparedEntry] = []
        while self._next_inbox_no <= placeable_until:
            if not self._prepared:
                entries, future = self._jobs[0]
                has_room = len(batch) + len(entries) <= self._batch_articles
                if batch and not (future.done() and has_room):
                    break
                self._jobs.popleft()
                prepared = self._dispatcher.result_of(entries, future, stop)
                if stop():
                    return []  # the result may be incomplete
                self._prepared.extend(zip(entries, prepared, strict=True))
            while self._prepared and self._next_inbox_no <= placeable_until:
                batch.append(self._prepared.popleft())
        return batch
