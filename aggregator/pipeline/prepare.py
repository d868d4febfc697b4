"""Entries to prepared articles, by workers: how each is asked for, and what is made of a job that broke."""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.model.core import Prepared
from aggregator.model.errors import WorkError
from aggregator.pipeline.jobs import PrepareItem, PrepareJob, PrepareResult, broken_article, prepare
from aggregator.pipeline.placement.boilerplate import PrepareOptions
from aggregator.pipeline.workers.code_version import program
from aggregator.pipeline.workers.executor import Executor
from aggregator.store.intake.inbox import InboxEntry

log = logging.getLogger(__name__)

TEXTS_A_JOB = 16  # a call costs 1.2 ms whatever is in it (hardening); more would wait for each other


class PrepareDispatcher:
    """Hands entries to workers and remembers how each was asked for, until it is placed. One thread."""

    def __init__(
        self,
        executor: Executor,
        all_tuning: Tuning,
        wanted: Callable[[Sequence[InboxEntry]], list[PrepareOptions]],
        *,
        keep_all: bool = False,
    ) -> None:
        """`wanted`: how entries are to be prepared, by what is known now. `keep_all`: see Pipeline."""
        self._executor = executor
        self._rules_json = all_tuning.to_json()
        self._options = wanted
        self._keep_all = keep_all
        self._asked: dict[int, PrepareOptions] = {}  # entry to how it was asked to be prepared

    @property
    def depth(self) -> int:
        """How many jobs keep the workers in work: two for each, and one."""
        return 2 * self._executor.workers + 1

    def begin(self) -> None:
        """What was asked before is of no interest any more."""
        self._asked.clear()

    def placed(self, n: int) -> None:
        """Entry number `n` is placed."""
        self._asked.pop(n, None)

    def submitted(self, waiting: Sequence[InboxEntry], *, pages: bool = True) -> Future[bytes]:
        """A job for these entries; its answer is for `answered`."""
        wanted = self._options(waiting)
        self._asked.update((one.n, how) for one, how in zip(waiting, wanted, strict=True))
        items = tuple(_item(one, how, page=pages) for one, how in zip(waiting, wanted, strict=True))
        job = PrepareJob(items=items, tuning=self._rules_json, keep_all=self._keep_all)
        try:
            return self._executor.submit(prepare, msgspec.msgpack.encode(job))
        except WorkError as error:  # the executor was closed meanwhile
            closed: Future[bytes] = Future()
            closed.set_exception(error)
            return closed

    def answered(
        self, waiting: Sequence[InboxEntry], future: Future[bytes], stop: Callable[[], bool]
    ) -> tuple[Prepared, ...]:
        """The answer of a job; where the job broke, each of its texts gets a job of its own.

        `stop` is asked before each of these; then the answer is worth nothing. Raises NoWorkersError.
        """
        try:
            return msgspec.msgpack.decode(future.result(), type=PrepareResult).prepared
        except WorkError as error:
            if len(waiting) > 1:
                alone = [(one, self.submitted([one])) for one in waiting]
                return tuple(
                    found for one, job in alone if not stop() for found in self.answered([one], job, stop)
                )
            return (self._without_page(waiting[0], error),)

    def again(
        self, left: Sequence[tuple[InboxEntry, Prepared]], stop: Callable[[], bool]
    ) -> list[tuple[InboxEntry, Prepared]]:
        """What placing left over, where what is known by now asks for it prepared in another way."""
        if not left:
            return []
        wanted = self._options([waiting for waiting, _ in left])
        jobs = {
            waiting.n: self.submitted([waiting])
            for (waiting, _), now in zip(left, wanted, strict=True)
            if now != self._asked.get(waiting.n)
        }
        again = []
        for waiting, prepared in left:
            job = jobs.get(waiting.n)
            if job is None or stop():
                again.append((waiting, prepared))
            else:
                again += [(waiting, one) for one in self.answered([waiting], job, stop)]
        return again

    def _without_page(self, waiting: InboxEntry, error: WorkError) -> Prepared:
        """What the entry itself says, where its page broke a worker; else the verdict on it."""
        ids = {"entry": waiting.n, "source": waiting.entry.source}
        log.warning("entry %s from %s: %s", waiting.n, waiting.entry.source, error, extra=ids)
        said = broken_article(error, waiting.entry.title)
        if waiting.page is not None:
            try:
                answer = self.submitted([waiting], pages=False).result()
            except WorkError as again:
                return Prepared(article=broken_article(again, waiting.entry.title))
            prepared = msgspec.msgpack.decode(answer, type=PrepareResult).prepared[0]
            own = msgspec.structs.replace(
                prepared.article,
                page_verdict=said.verdict,
                reason=f"its page: {said.reason}; the entry's own words are taken",
            )
            return msgspec.structs.replace(prepared, article=own)
        return Prepared(article=said)


def made_for(all_tuning: Tuning) -> str:
    """What a prepared text depends on besides its entry: daemons that agree in it prepare alike."""
    parts = json.dumps([sorted(program().items()), all_tuning.to_json()])
    return hashlib.blake2b(parts.encode(), digest_size=12).hexdigest()


def _item(waiting: InboxEntry, wanted: PrepareOptions, *, page: bool) -> PrepareItem:
    return PrepareItem(
        entry=waiting.entry,
        seen=waiting.accepted_at,
        page=waiting.page if page else None,
        page_url=waiting.page_url if page else None,
        page_charset=waiting.page_charset if page else None,
        repeats=wanted.repeats,
        without_text=wanted.without_text,
    )
