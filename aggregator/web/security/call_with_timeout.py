"""Questions that may hang, for answers that may not: probes ask, and hear in time that nobody answers."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from aggregator.model.errors import AggregatorError

Found = TypeVar("Found")

_STUCK = 5  # times the patience; what did not answer by then is left alone, and asked anew ...
_THREADS = 3  # ... unless so many are left alone already


class NoAnswerError(AggregatorError):
    """Nothing came within the patience."""


class Prompt:
    """Asks one question at a time, in threads of its own: a server whose threads all hang still answers.

    Who asks while the same question is under way shares its answer. For one event loop.
    """

    def __init__(self, patience_seconds: float, what: str = "the database") -> None:
        """`what` does not answer, in the words of the error."""
        self._patience = patience_seconds
        self._what = what
        self._under_way: asyncio.Future[Any] | None = None
        self._began = 0.0
        self._left_alone = 0
        self._lock = threading.Lock()

    async def ask(self, question: Callable[[], Found]) -> Found:
        """The answer, or what `question` raised. Raises NoAnswerError after the patience."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] | None = self._under_way
        if future is None or future.done() or future.get_loop() is not loop or self._is_stuck(loop.time()):
            if self._left_alone >= _THREADS:
                raise self._no_answer()
            future = self._begun(question, loop)
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(future)
        except TimeoutError as error:
            raise self._no_answer() from error

    def _is_stuck(self, now: float) -> bool:
        return now - self._began > _STUCK * self._patience

    def _no_answer(self) -> NoAnswerError:
        return NoAnswerError(f"{self._what} did not answer within {self._patience:g} s")

    def _begun(self, question: Callable[[], Found], loop: asyncio.AbstractEventLoop) -> asyncio.Future[Found]:
        future: asyncio.Future[Found] = loop.create_future()
        # Where nobody waits any more, what it raised is nobody's business.
        future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        self._under_way, self._began = future, loop.time()
        with self._lock:
            self._left_alone += 1  # while it runs
        threading.Thread(target=self._run, args=(question, future, loop), name="probe", daemon=True).start()
        return future

    def _run(
        self, question: Callable[[], Found], future: asyncio.Future[Found], loop: asyncio.AbstractEventLoop
    ) -> None:
        try:
            outcome: Found | Exception = question()
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            outcome = error
        finally:
            with self._lock:
                self._left_alone -= 1
        with suppress(RuntimeError):  # the server stopped meanwhile
            loop.call_soon_threadsafe(_end, future, outcome)


def _end(future: asyncio.Future[Any], outcome: object) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
