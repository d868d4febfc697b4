"""Entries to prepared articles, in workers, and what becomes of jobs that failed."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import msgspec
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.intake.jobs import (
    PrepareItem,
    PrepareJob,
    PrepareResult,
    broken_article,
    prepare,
)
from aggregator.intake.slow_pages import SlowPages
from aggregator.intake.workers.executor import Executor, InlineExecutor, WorkerTuning
from aggregator.model.errors import ReadError, UnreadableEntryError, WorkError
from aggregator.model.prepared import Prepared
from aggregator.sources.parse.files.archived_pages import with_page
from aggregator.sources.source_limits import source_tuning
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.intake.rejected import REASON

log = logging.getLogger(__name__)
# Returns whether the program ends.
Stop = Callable[[], bool]
# An archive whose server hangs must not hold up placing for each of its pages: if this process needs longer
# for a page, ...
_SLOW_READ_SECONDS = 5.0
# ... the archive is not read again for so long.
_SLOW_REST_SECONDS = 600.0
_NOT_READ = "its page: not read, since pages of this source take too long; the entry's own text is used"
# A call costs 1.2 ms whatever its size; larger jobs would wait for each other
TEXTS_A_JOB = 16


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
        """`keep_all`, `texts_here`: see Pipeline."""
        self._executor = executor
        self._tuning_json = all_tuning.to_json()
        self._keep_all = keep_all
        self._texts_here = texts_here
        self._all_tuning = all_tuning
        # Whether workers read the pages that are in files
        self._workers_read = True
        # The monotonic times until which slow archives are not read
        self._slow_until: dict[str, float] = {}
        self._deadline_seconds = all_tuning.section(
            "work", WorkerTuning
        ).parse_deadline_seconds
        self.slow_pages = SlowPages(self._deadline_seconds)
        self._unread: set[int] = set()  # entries that were sent without their page

    @property
    def depth(self) -> int:
        """Jobs that keep all workers busy: two per worker, and one."""
        return 2 * self._executor.workers + 1

    def begin(self) -> None:
        """Forget that workers could not read an archive."""
        self._workers_read = True

    def submitted(self, waiting: Sequence[InboxEntry]) -> Future[bytes]:
        """Submit a job for these entries; `answered` decodes its result."""
        # Nobody else wrote a text without markup that was handed in, in a file or a push.
        is_here = self._texts_here and all(
            each.entry.authority == "handed"
            and not (each.page or each.entry.html or each.entry.record)
            for each in waiting
        )
        executor = InlineExecutor() if is_here else self._executor
        try:
            items = []
            for entry in waiting:
                sent = entry
                if entry.page is not None and self.slow_pages.rests(entry.entry.source):
                    self._unread.add(entry.entry_no)
                    sent = replace(entry, page=None)
                elif not self._workers_read:
                    sent = self._with_page(entry)
                items.append(
                    PrepareItem(
                        entry=sent.entry,
                        seen=sent.accepted_at,
                        is_revision=sent.is_revision,
                        page=sent.page,
                        page_url=sent.page_url,
                        page_charset=sent.page_charset,
                    )
                )
            job = PrepareJob(
                items=tuple(items), tuning=self._tuning_json, keep_all=self._keep_all
            )
            return executor.submit(prepare, msgspec.msgpack.encode(job))
        # The executor was closed meanwhile, or no page
        except (WorkError, UnreadableEntryError) as error:
            failed: Future[bytes] = Future()
            failed.set_exception(error)
            return failed

    def answered(
        self,
        waiting: Sequence[InboxEntry],
        future: Future[bytes],
        stop: Stop,
    ) -> tuple[Prepared, ...]:
        """Return the result of a job; if it failed, submit each of its texts alone.

        If `stop()` becomes true, the result is incomplete and must be ignored. Raises NoWorkersError, and
        UnreadableEntryError for an entry whose archive can be read neither by the workers nor here.
        """
        try:
            result = msgspec.msgpack.decode(future.result(), type=PrepareResult)
        except WorkError as error:
            return self._after_failure(waiting, error, stop)
        if result.unread is not None:
            if self._workers_read:
                # This process reads the pages in archives from now on, in this pass over the inbox
                self._workers_read = False
                log.warning(
                    "a worker cannot read an archive: %s; this process reads it and sends its pages",
                    result.unread,
                    extra={"event": "archive_not_readable_by_worker"},
                )
            return self.answered(waiting, self.submitted(waiting), stop)
        answer: list[Prepared] = []
        for entry, prepared, seconds in zip(
            waiting, result.prepared, result.seconds, strict=True
        ):
            if entry.entry_no in self._unread:
                self._unread.remove(entry.entry_no)
                article = replace(
                    prepared.article, page_verdict="timeout", reason=_NOT_READ
                )
                answer.append(replace(prepared, article=article))
                continue
            if entry.page is not None:
                self._count_seconds(entry, seconds)
            answer.append(prepared)
        return tuple(answer)

    def _after_failure(
        self, waiting: Sequence[InboxEntry], error: WorkError, stop: Stop
    ) -> tuple[Prepared, ...]:
        """Submit each entry of a failed job alone: with its page read here, then without its page."""
        if stop():  # the workers were ended by the stop, not by a page
            return ()
        if len(waiting) > 1:
            prepared: list[Prepared] = []
            # One after another, because each may show that its source is slow.
            for entry in waiting:
                if not stop():
                    prepared += self.answered([entry], self.submitted([entry]), stop)
            return tuple(prepared)
        (entry,) = waiting
        # Perhaps its archive is slow, and not its page
        if entry.entry.record is not None:
            whole = [self._with_page(entry)]
            return self.answered(whole, self.submitted(whole), stop)
        if entry.page is not None and error.verdict == "timeout":
            self._count_seconds(entry, self._deadline_seconds)
        return (self._without_page(entry, error),)

    def _count_seconds(self, waiting: InboxEntry, seconds: float) -> None:
        source = waiting.entry.source
        if self.slow_pages.note(source, seconds):
            log.warning(
                "pages of %s take too long; for an hour the texts of its entries are used instead",
                source,
                extra={"event": "slow_pages_found", "source": source},
            )

    def _with_page(self, waiting: InboxEntry) -> InboxEntry:
        archive = "" if waiting.entry.record is None else waiting.entry.record.path
        began = time.monotonic()
        if began < self._slow_until.get(archive, 0.0):
            raise UnreadableEntryError(
                f"{REASON} (its archive is too slow)", waiting.entry_no
            )
        try:
            return replace(
                waiting, entry=with_page(waiting.entry, source_tuning(self._all_tuning))
            )
        except ReadError as error:
            if time.monotonic() - began > _SLOW_READ_SECONDS:
                self._slow_until[archive] = time.monotonic() + _SLOW_REST_SECONDS
            raise UnreadableEntryError(
                f"{REASON} ({error})", waiting.entry_no
            ) from error

    def _without_page(self, waiting: InboxEntry, error: WorkError) -> Prepared:
        """Prepare the text of the entry, after its page ended a worker; else return the verdict."""
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
            answer = self.submitted([replace(waiting, page=None)]).result()
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
