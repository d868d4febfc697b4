"""A server that hangs: it takes what is sent and never answers, which none of the driver's time-outs ends.

As where it was suspended, or its disk does not answer. Each wait for an answer looks at the clock. After some
seconds without a word it is asked over another connection whether it lets anybody in: a server that is only
slow does, or says why not. Only where nothing is heard there either is the first one given up.
"""

import time
from collections.abc import Generator
from functools import partial
from typing import Any, TypeVar

import psycopg

Answer = TypeVar("Answer")
Waiting = Generator[Any, Any, Answer]

SILENT_SECONDS = 5.0  # without a word; then it is asked whether it lives, which takes 10 at most (chosen)


class AttentiveConnection(psycopg.Connection[Any]):
    """Raises OperationalError, and is closed, where the server does not live any more."""

    # For an answer of a server that lives, for who is in a hurry: one of its processes alone may hang.
    most_seconds: float | None = None
    _knock: Any = None

    @classmethod
    def opened(cls, **how: Any) -> "AttentiveConnection":
        """Connect as `psycopg.connect` does."""
        connection = cls.connect(**how)
        connection._knock = partial(psycopg.connect, **how)
        return connection

    def wait(self, gen: Waiting[Answer], *args: Any, **kwargs: Any) -> Answer:
        """As the driver's own, which comes by each tenth of a second."""
        return super().wait(self._attended(gen), *args, **kwargs)

    def _attended(self, gen: Waiting[Answer]) -> Waiting[Answer]:
        began = heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    heard = now
                elif self.most_seconds is not None and now - began > self.most_seconds:
                    self._give_up("no answer came in time")
                elif now - heard > SILENT_SECONDS:
                    self._look_whether_it_lives()
                    heard = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]

    def _look_whether_it_lives(self) -> None:
        try:
            self._knock().close()
        except psycopg.errors.ConnectionTimeout:
            self._give_up("it takes what is sent and does not answer")
        except psycopg.OperationalError:
            pass  # an answer, too

    def _give_up(self, why: str) -> None:
        self.close()
        raise psycopg.OperationalError(why)
