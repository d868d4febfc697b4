"""Whether all parts of the daemon get on: each beats, and who has not for long is stalled."""

import threading
import time
from collections.abc import Callable

import msgspec


class ServiceRules(msgspec.Struct, frozen=True, kw_only=True):
    """The section `service` of config/tuning.yaml; units stand there."""

    look_seconds: float
    stalled_seconds: float
    shown_seconds: float
    status_seconds: float


class Heart:
    """Beats of the threads that must get on. Safe to use from all of them.

    Its clock runs only while somebody looks: when the whole process did not run (SIGSTOP, a suspended or
    paused machine) nobody had the time to beat, and nobody is called stalled for it.
    """

    def __init__(
        self, stalled_seconds: float, look_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """So long without a beat is no progress; `stalled` is to be asked every `look_seconds`.

        Where nobody looked for longer, twice that counts.
        """
        self._stalled_seconds = stalled_seconds
        self._most_seconds = 2 * look_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._awake = 0.0
        self._looked_at = clock()
        self._beats: dict[str, float] = {}

    def beat(self, name: str) -> None:
        """The part `name` gets on; from its first beat to `drop` it is expected to."""
        with self._lock:
            self._beats[name] = self._now()

    def drop(self, *names: str) -> None:
        """Nothing more is expected of them."""
        with self._lock:
            for name in names:
                self._beats.pop(name, None)

    def stalled(self) -> list[str]:
        """The parts without progress."""
        with self._lock:
            self._awake, self._looked_at = self._now(), self._clock()
            return [name for name, last in self._beats.items() if self._awake - last > self._stalled_seconds]

    def _now(self) -> float:
        return self._awake + min(self._clock() - self._looked_at, self._most_seconds)
