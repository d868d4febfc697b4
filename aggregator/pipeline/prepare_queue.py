"""Entries between the inbox and placing, in inbox order; workers prepare them while others are placed."""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from aggregator.model.core import Prepared
from aggregator.model.errors import UnreadableEntryError
from aggregator.pipeline.prepare import TEXTS_A_JOB, PrepareDispatcher
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from aggregator.store.intake.inbox import InboxEntry

_NONE = sys.maxsize  # beyond every inbox number
_ALL = _NONE - 1

More = Callable[[], int | None]
"""Accepts more entries and returns the highest inbox number to place by now; None: there are no more."""


class PrepareQueue:
    """Jobs under way, and prepared entries that are not placed yet. For one pass over the inbox."""

    def __init__(
        self,
        database: Database,
        dispatcher: PrepareDispatcher,
        unreadable: Callable[[UnreadableEntryError], None],
        *,
        batch_articles: int,
    ) -> None:
        """`unreadable` takes an entry out of the inbox."""
        self._database = database
        self._dispatcher = dispatcher
        self._unreadable = unreadable
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
                    more, bound = (more, reached) if reached is not None else (None, _ALL)
                    continue
                if self._first == _NONE:
                    return
                batch: list[tuple[InboxEntry, Prepared]] = []
                while self._first <= bound and (
                    not batch or self._has_answer(self._batch_articles - len(batch))
                ):
                    if not self._prepared:
                        entries, future = self._jobs.popleft()
                        try:
                            answer = self._dispatcher.answered(entries, future, stop)
                        except UnreadableEntryError as error:
                            self._unreadable(error)
                            if left := [one for one in entries if one.entry_no != error.n]:
                                self._jobs.appendleft((left, self._dispatcher.submitted(left)))
                            continue
                        if stop():
                            return  # the workers may have been ended: the answer is incomplete
                        self._prepared.extend(zip(entries, answer, strict=True))
                    while self._prepared and self._first <= bound:
                        batch.append(self._prepared.popleft())
                yield batch
        finally:
            for _, future in self._jobs:
                future.cancel()

    def _submit_jobs(self) -> None:
        """Submit jobs until all workers are busy."""
        depth = self._dispatcher.depth
        while len(self._jobs) < depth:
            chunk = self._ready_after(self._last, TEXTS_A_JOB * (depth - len(self._jobs)))
            if not chunk:
                return
            self._last = chunk[-1].inbox_no
            self._dispatcher.keep_few_here(chunk)
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
