"""One article's way, on one screen.

    who, when      bytes           entries          clean article       decision        story
    sources ─poll► net ─read_feed► inbox ─prepare─► text, dedup ─place► dedup, store ─► stories ─► readers
    (polling.py)                   (accept)         (stages.py)         (placing.py)

What comes in is accepted into the inbox in one short transaction; from then on it cannot be lost. Each later
step is done in the order of inbox numbers and ends in one transaction; doing it again gives the same rows.
Strangers' bytes are parsed by an executor's workers, and no transaction is open meanwhile.
"""

import datetime as dt
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future

import msgspec

from aggregator import asking
from aggregator.correcting import wish_of
from aggregator.errors import AggregatorError, UsageError, WorkError
from aggregator.forgetting import ForgetWish
from aggregator.homes import BUMPS
from aggregator.model import Prepared
from aggregator.placing import Placed, Placing, PlacingRules
from aggregator.reclustering import Reclustering, ReclusterWish, drop_scratch
from aggregator.repeating import Wanted
from aggregator.rules import RuleBook
from aggregator.stages import PrepareItem, PrepareJob, PrepareResult, broken, prepare
from aggregator.store import erasing, inbox, search
from aggregator.store.database import Database
from aggregator.store.inbox import Waiting
from aggregator.store.requests import Request
from aggregator.work.executor import Executor

log = logging.getLogger(__name__)

TEXTS_A_JOB = 16  # a worker's call costs 1.2 ms whatever is in it (hardening); more would wait for each other
INDEXED_A_TRANSACTION = 200


class _StoppedError(Exception):
    """The daemon is asked to end while it decides again."""


class Pipeline:
    """From accepted entries to stories. One thread of the process that holds the writer lock may place."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        book: RuleBook,
        now: Callable[[], dt.datetime],
        *,
        summary_words: int,
        families: Mapping[str, str] | None = None,
        bumps: Collection[str] = BUMPS,
        prefer: Sequence[str] = (),
        keep_all: bool = False,
    ) -> None:
        """`families`, `bumps` and `prefer`: see Placing.

        `keep_all` (for `eval`): every entry with any words gets a home.
        """
        self._database = database
        self._executor = executor
        self._rules_json = book.to_json()
        self._batch_articles = book.section("placing", PlacingRules).batch_articles
        self._keep_all = keep_all
        self._now = now
        self._summary_words = summary_words
        self._families = families
        self._prefer = prefer
        self._book = book
        self._asked: dict[int, Wanted] = {}  # entry to how it was asked to be prepared
        self._placing = Placing(
            database, book, now, summary_words=summary_words, families=families, bumps=bumps, prefer=prefer
        )

    def place_waiting(self, stop: Callable[[], bool] = lambda: False) -> Iterator[list[Placed]]:
        """Place all that waits, batch by batch in the order of the inbox, until nothing waits or `stop()`."""
        self._asked.clear()
        for batch in self._prepared_ahead(stop):
            left, stands = batch, False
            while left:
                placed = self._placing.place(left, as_it_is=stands)
                stands = not placed  # prepared again it must go in: nothing may hold up the line twice
                for one in placed:
                    self._asked.pop(one.n, None)
                    log.debug("placed %s as %s in %s", one.article, one.outcome, one.story)
                yield placed
                left = self._prepared_again(left[len(placed) :], stop)
                if stop():
                    return

    def forget(self) -> None:
        """Drop what is kept in memory; it is built again from the rows."""
        self._placing.forget()

    def index_text(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Bring the full-text index up to the last placed article; returns how many it took in."""
        total = 0
        while not stop():
            with self._database.write() as connection:
                count = search.index_next(connection, INDEXED_A_TRANSACTION)
            total += count
            if count < INDEXED_A_TRANSACTION:
                break
        return total

    def index_older(self, stop: Callable[[], bool] = lambda: False, *, most: int | None = None) -> int:
        """Index what waits to be indexed anew, at most about `most`; returns how many it took in."""
        total = 0
        while not stop() and (most is None or total < most):
            with self._database.write() as connection:
                count = search.index_older(connection, INDEXED_A_TRANSACTION)
            total += count
            if count < INDEXED_A_TRANSACTION:
                break
        return total

    def answer_requests(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Do what commands ask of the writer: corrections, deciding again. Returns how many were answered."""
        answered = 0
        for request in asking.waiting(self._database):
            if stop():
                break
            try:
                self._carry_out(request, stop)
            except _StoppedError:
                break  # it goes on at the next start
            except (UsageError, WorkError) as error:
                asking.refuse(self._database, self._now(), request, str(error))
            except AggregatorError:
                raise  # the database is in trouble: the request waits
            except Exception as error:  # asked again at every start, it would end every daemon
                log.exception("request %d (%s) failed", request.n, request.kind)
                words = f"it failed ({type(error).__name__}: {error}); the log of the daemon says more"
                asking.refuse(self._database, self._now(), request, words)
            answered += 1
        return answered

    def _carry_out(self, request: Request, stop: Callable[[], bool]) -> None:
        if request.kind == "correct":
            self._placing.correct(wish_of(request.payload), request.n)
            return
        if request.kind == "forget":
            self._forget(request, stop)
            return
        wish = msgspec.json.decode(request.payload, type=ReclusterWish)
        run = Reclustering(
            self._database,
            self._executor,
            self._book,
            summary_words=self._summary_words,
            now=self._now,
            families=self._families,
            prefer=self._prefer,
        )

        def step(_done: int, _total: int) -> None:
            if stop():  # asking also tells the watchdog that we get on
                raise _StoppedError

        run.take_over(self._placing, wish.since, step, request=request.n)

    def _forget(self, request: Request, stop: Callable[[], bool]) -> None:
        def step() -> None:
            if stop():
                raise _StoppedError

        drop_scratch(self._database)
        try:
            self._placing.erase(msgspec.json.decode(request.payload, type=ForgetWish), request.n, step)
        except UsageError:
            with self._database.write() as connection:
                erasing.blank_request(connection, request.n)
            raise

    # --- preparing, ahead of placing ----------------------------------------------------------------------

    def _prepared_ahead(self, stop: Callable[[], bool]) -> Iterator[list[tuple[Waiting, Prepared]]]:
        """Batches in order; while one is placed, workers prepare the next ones."""
        depth = 2 * self._executor.workers + 1
        ahead: deque[tuple[list[Waiting], Future[bytes]]] = deque()
        last = 0
        while not stop():
            while len(ahead) < depth:
                chunk = self._ready_after(last, TEXTS_A_JOB * (depth - len(ahead)))
                if not chunk:
                    break
                last = chunk[-1].inbox_no
                for start in range(0, len(chunk), TEXTS_A_JOB):
                    part = chunk[start : start + TEXTS_A_JOB]
                    ahead.append((part, self._submitted(part)))
            if not ahead:
                return
            batch: list[tuple[Waiting, Prepared]] = []
            while ahead and (not batch or self._is_next(ahead[0], len(batch))):
                waiting, future = ahead.popleft()
                prepared = self._answered(waiting, future, stop)
                if stop():
                    return  # the workers may have been ended under their jobs: this counts for nothing
                batch += zip(waiting, prepared, strict=True)
            yield batch

    def _prepared_again(
        self, left: Sequence[tuple[Waiting, Prepared]], stop: Callable[[], bool]
    ) -> list[tuple[Waiting, Prepared]]:
        """What placing left over, where what is known by now asks for it prepared in another way."""
        if not left:
            return []
        wanted = self._placing.wanted([waiting for waiting, _ in left])
        jobs = {
            waiting.n: self._submitted([waiting])
            for (waiting, _), now in zip(left, wanted, strict=True)
            if now != self._asked.get(waiting.n)
        }
        again = []
        for waiting, prepared in left:
            job = jobs.get(waiting.n)
            if job is None or stop():
                again.append((waiting, prepared))
            else:
                again += [(waiting, one) for one in self._answered([waiting], job, stop)]
        return again

    def _is_next(self, ahead: tuple[list[Waiting], Future[bytes]], taken: int) -> bool:
        """Whether the next job's answer is here and has room in the batch: a commit costs 8 ms."""
        waiting, future = ahead
        return future.done() and taken + len(waiting) <= self._batch_articles

    def _ready_after(self, last: int, limit: int) -> list[Waiting]:
        with self._database.read() as connection:
            return inbox.ready(connection, limit, after=last)

    def _submitted(self, waiting: Sequence[Waiting], *, pages: bool = True) -> Future[bytes]:
        wanted = self._placing.wanted(waiting)
        self._asked.update((one.n, how) for one, how in zip(waiting, wanted, strict=True))
        items = tuple(_item(one, how, page=pages) for one, how in zip(waiting, wanted, strict=True))
        job = PrepareJob(items=items, rules=self._rules_json, keep_all=self._keep_all)
        try:
            return self._executor.submit(prepare, msgspec.msgpack.encode(job))
        except WorkError as error:  # the executor was closed meanwhile
            closed: Future[bytes] = Future()
            closed.set_exception(error)
            return closed

    def _answered(
        self, waiting: Sequence[Waiting], future: Future[bytes], stop: Callable[[], bool]
    ) -> tuple[Prepared, ...]:
        """The answer of a job; where the job broke, each of its texts gets a job of its own.

        `stop` is asked before each of these; then the answer is worth nothing.
        """
        try:
            return msgspec.msgpack.decode(future.result(), type=PrepareResult).prepared
        except WorkError as error:
            if len(waiting) > 1:
                alone = [(one, self._submitted([one])) for one in waiting]
                return tuple(
                    found for one, job in alone if not stop() for found in self._answered([one], job, stop)
                )
            return (self._without_page(waiting[0], error),)

    def _without_page(self, waiting: Waiting, error: WorkError) -> Prepared:
        """What the entry itself says, where its page broke a worker; else the verdict on it."""
        log.warning("entry %s from %s: %s", waiting.n, waiting.entry.source, error)
        said = broken(error, waiting.entry.title)
        if waiting.page is not None:
            try:
                answer = self._submitted([waiting], pages=False).result()
            except WorkError as again:
                return Prepared(article=broken(again, waiting.entry.title))
            prepared = msgspec.msgpack.decode(answer, type=PrepareResult).prepared[0]
            own = msgspec.structs.replace(
                prepared.article,
                page_verdict=said.verdict,
                reason=f"its page: {said.reason}; the entry's own words are taken",
            )
            return msgspec.structs.replace(prepared, article=own)
        return Prepared(article=said)


def _item(waiting: Waiting, wanted: Wanted, *, page: bool) -> PrepareItem:
    return PrepareItem(
        entry=waiting.entry,
        seen=waiting.accepted_at,
        page=waiting.page if page else None,
        page_url=waiting.page_url if page else None,
        page_charset=waiting.page_charset if page else None,
        repeats=wanted.repeats,
        without_text=wanted.without_text,
    )
