"""Has workers prepare articles from entries, and decides what to do with jobs that failed."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import groupby

import msgspec
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.intake.jobs import (
    PrepareJob,
    PrepareResult,
    broken_article,
    prepare,
)
from aggregator.intake.slow_pages import SlowPages
from aggregator.intake.workers.executor import Executor, InlineExecutor, WorkerTuning
from aggregator.model.errors import WorkError
from aggregator.model.prepared import Prepared
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.intake.inbox import InboxEntry

log = logging.getLogger(__name__)
# Returns whether the program ends.
Stop = Callable[[], bool]
# Entries, and the encoded PrepareResult that a worker returns for them
Job = tuple[list[InboxEntry], Future[bytes]]
_NOT_READ = "its page: not read, since pages of this source take too long; the entry's own text is used"
# A call costs 1.2 ms whatever its size. Larger jobs would wait for each other.
TEXTS_A_JOB = 16
# Compressed results that wait for the turn of their entries may take this much memory, which is enough for some ten
# thousand items of feeds (chosen).
_AHEAD_BYTES = 32 << 20


class _PackedResult(FrozenStruct):
    """A PrepareResult whose parts stay encoded."""

    prepared: tuple[msgspec.Raw, ...]
    seconds: tuple[float, ...]


class ResultsAhead:
    """The results of entries that were prepared before their turn to be placed.

    They stay right while they wait, because an entry does not change.
    """

    def __init__(self) -> None:
        # The PrepareResult of each entry alone, encoded and compressed, by the number of the entry
        self._results: dict[int, bytes] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._results)

    def __contains__(self, entry: InboxEntry) -> bool:
        return entry.entry_no in self._results

    @property
    def is_full(self) -> bool:
        return self._bytes >= _AHEAD_BYTES

    def keep(self, entries: Sequence[InboxEntry], result: bytes) -> None:
        """Keep the result of a job for each of its entries."""
        packed = msgspec.msgpack.decode(result, type=_PackedResult)
        for entry, prepared, seconds in zip(
            entries, packed.prepared, packed.seconds, strict=True
        ):
            one = _PackedResult(prepared=(prepared,), seconds=(seconds,))
            # zstandard returns bytes in a buffer for the worst case, two and a half times their size. A copy occupies
            # only their size.
            compressed = memoryview(
                codecs.compress_bytes(msgspec.msgpack.encode(one))
            ).tobytes()
            self._results[entry.entry_no] = compressed
            self._bytes += len(compressed)

    def take(self, entry: InboxEntry) -> bytes:
        """Remove the result of an entry and return it."""
        compressed = self._results.pop(entry.entry_no)
        self._bytes -= len(compressed)
        return codecs.decompress_bytes(compressed)

    def clear(self) -> None:
        """Forget all results: a first reading has ended, or another process places its entries."""
        self._results.clear()
        self._bytes = 0


class PrepareDispatcher:
    """Submits entries to workers and reads their results. For one thread."""

    def __init__(
        self,
        executor: Executor,
        all_tuning: Tuning,
        *,
        keep_all: bool = False,
        texts_here: bool = False,
    ) -> None:
        """`keep_all` and `texts_here` are explained in Pipeline."""
        self._executor = executor
        self._tuning_json = all_tuning.to_json()
        self._keep_all = keep_all
        self._texts_here = texts_here
        self._deadline_seconds = all_tuning.section(
            "work", WorkerTuning
        ).parse_deadline_seconds
        self.slow_pages = SlowPages(self._deadline_seconds)
        self._unread: set[int] = set()  # entries that were sent without their page
        self.ahead = ResultsAhead()

    @property
    def depth(self) -> int:
        """The number of jobs that keep all workers busy: two for each worker, and one more."""
        return 2 * self._executor.workers + 1

    def submit(self, waiting: Sequence[InboxEntry]) -> list[Job]:
        """Return jobs for these entries, in order; an entry that was prepared ahead becomes a job that has ended."""
        jobs: list[Job] = []
        for is_ahead, group in groupby(waiting, self.ahead.__contains__):
            entries = list(group)
            size = 1 if is_ahead else TEXTS_A_JOB
            for start in range(0, len(entries), size):
                part = entries[start : start + size]
                job: Future[bytes] = Future()
                if is_ahead:
                    job.set_result(self.ahead.take(part[0]))
                else:
                    job = self._submitted(part)
                jobs.append((part, job))
        return jobs

    def _submitted(self, waiting: Sequence[InboxEntry]) -> Future[bytes]:
        # Texts that were handed in, in a file or a push, do not come from strangers' servers, and without markup they
        # need no HTML parser.
        is_here = self._texts_here and all(
            each.entry.authority == "handed" and not (each.page or each.entry.html)
            for each in waiting
        )
        sent = []
        for entry in waiting:
            if entry.page is not None and self.slow_pages.rests(entry.entry.source):
                self._unread.add(entry.entry_no)
                sent.append(replace(entry, page=None))
            else:
                sent.append(entry)
        executor = InlineExecutor() if is_here else self._executor
        try:
            return executor.submit(prepare, self._job(sent))
        except WorkError as error:  # the executor was closed meanwhile
            failed: Future[bytes] = Future()
            failed.set_exception(error)
            return failed

    def prepare_ahead(self, gathered: Sequence[InboxEntry], stop: Stop) -> None:
        """Prepare entries before their turn to be placed; `submit` uses the results.

        If a job fails, its entries are prepared again in their turn.
        """
        jobs = []
        for start in range(0, len(gathered), TEXTS_A_JOB):
            entries = gathered[start : start + TEXTS_A_JOB]
            with suppress(WorkError):
                job = self._executor.submit(prepare, self._job(entries))
                jobs.append((entries, job))
        for entries, job in jobs:
            if stop():
                return
            with suppress(WorkError):
                self.ahead.keep(entries, job.result())

    def _job(self, entries: Sequence[InboxEntry]) -> bytes:
        return msgspec.msgpack.encode(
            PrepareJob(
                items=tuple(entries), tuning=self._tuning_json, keep_all=self._keep_all
            )
        )

    def result_of(
        self,
        waiting: Sequence[InboxEntry],
        future: Future[bytes],
        stop: Stop,
    ) -> Sequence[Prepared]:
        """Return the prepared articles of a job; if the job failed, submit each of its entries alone.

        If `stop()` becomes true, the result may be incomplete and must be ignored. Raises NoWorkersError.
        """
        try:
            result = msgspec.msgpack.decode(future.result(), type=PrepareResult)
        except WorkError as error:
            return self._after_failure(waiting, error, stop)
        answer = []
        for entry, prepared, seconds in zip(
            waiting, result.prepared, result.seconds, strict=True
        ):
            if entry.entry_no in self._unread:
                self._unread.remove(entry.entry_no)
                article = replace(
                    prepared.article, page_verdict="timeout", reason=_NOT_READ
                )
                prepared = replace(prepared, article=article)  # noqa: PLW2901
            elif entry.page is not None:
                self._count_seconds(entry, seconds)
            answer.append(prepared)
        return answer

    def _after_failure(
        self, waiting: Sequence[InboxEntry], error: WorkError, stop: Stop
    ) -> Sequence[Prepared]:
        """Submit each entry of a failed job alone; if a single entry failed, submit it without its page."""
        if stop():  # the workers were ended by the stop, not by a page
            return ()
        if len(waiting) > 1:
            prepared: list[Prepared] = []
            # They are submitted one after another, because each may show that the pages of its source are slow.
            for entry in waiting:
                if not stop():
                    prepared += self.result_of([entry], self._submitted([entry]), stop)
            return prepared
        (entry,) = waiting
        if entry.page is not None and error.verdict == "timeout":
            self._count_seconds(entry, self._deadline_seconds)
        return [self._without_page(entry, error)]

    def _count_seconds(self, waiting: InboxEntry, seconds: float) -> None:
        source = waiting.entry.source
        if self.slow_pages.note(source, seconds):
            log.warning(
                "pages of %s take too long; for an hour the texts of its entries are used instead",
                source,
                extra={"event": "slow_pages_found", "source": source},
            )

    def _without_page(self, waiting: InboxEntry, error: WorkError) -> Prepared:
        """Prepare an entry without the page that made its job fail.

        If it has no page or fails again, return an article without text, with the verdict on the failure.
        """
        ids = {"entry": waiting.entry_no, "source": waiting.entry.source}
        log.warning(
            "entry %s from %s: %s",
            waiting.entry_no,
            waiting.entry.source,
            error,
            extra={"event": "page_extraction_failed", **ids},
        )
        broken = broken_article(error, waiting.entry.title)
        if waiting.page is None:
            return Prepared(article=broken)
        try:
            answer = self._submitted([replace(waiting, page=None)]).result()
        except WorkError as again:
            return Prepared(article=broken_article(again, waiting.entry.title))
        prepared = msgspec.msgpack.decode(answer, type=PrepareResult).prepared[0]
        return replace(
            prepared,
            article=replace(
                prepared.article,
                page_verdict=broken.verdict,
                reason=f"its page: {broken.reason}; the entry's own text is used",
            ),
        )
