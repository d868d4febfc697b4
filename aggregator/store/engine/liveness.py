"""A PostgreSQL connection that detects a server which accepts requests and never answers.

No timeout of the driver covers a server that was suspended or whose disk hangs. So after SILENT_SECONDS
without data, the program tries a second connection. A server that is merely slow accepts or refuses this connection.
If the attempt gets no answer either, the first connection is closed.
"""

import time
from collections.abc import Generator
from functools import partial
from typing import Any, TypeVar

import psycopg

Answer = TypeVar("Answer")
Waiting = Generator[Any, Any, Answer]

# Time without data before a second connection is tried, which takes 10 s at most (chosen)
SILENT_SECONDS = 5.0


class LivenessConnection(psycopg.Connection[Any]):
    """A connection that is closed, with OperationalError, if the server stops answering."""

    # Limit of one wait, if set, even if the server is alive: a single backend may hang.
    most_seconds: float | None = None
    _ping: Any = None

    @classmethod
    def opened(cls, **how: Any) -> "LivenessConnection":
        """Return a connection; `how` as for `psycopg.connect`."""
        connection = cls.connect(**how)
        connection._ping = partial(psycopg.connect, **how)
        return connection

    def wait(self, gen: Waiting[Answer], *args: Any, **kwargs: Any) -> Answer:
        """Watch the server during the driver's own wait, which resumes the generator every tenth of a second."""
        return super().wait(self._attend(gen), *args, **kwargs)

    def _attend(self, gen: Waiting[Answer]) -> Waiting[Answer]:
        began = heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    heard = now
                elif self.most_seconds is not None and now - began > self.most_seconds:
                    self._give_up("no answer in time")
                elif now - heard > SILENT_SECONDS:
                    try:
                        self._ping().close()
                    except psycopg.errors.ConnectionTimeout:
                        self._give_up("the server accepts requests and does not answer")
                    except psycopg.OperationalError:
                        pass  # a refusal is an answer, too
                    heard = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value

    def _give_up(self, why: str) -> None:
        self.close()
        raise psycopg.OperationalError(why)
