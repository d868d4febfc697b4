"""Repetition of transactions that conflict with others."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from aggregator.model.counters import TRANSACTION_RETRIES, Metrics
from aggregator.model.errors import (
    DatabaseAwayError,
    DatabaseBusyError,
    DatabaseLockedError,
)

# Attempts of a transaction that conflicts with others: some 1.5 s in all (chosen)
_TRIES = 5
# Before the second attempt; doubled before each further one, less up to half at random.
_PAUSE_SECONDS = 0.1
_CAUSES = {DatabaseBusyError: "busy", DatabaseAwayError: "away"}

Result = TypeVar("Result")


def repeated(
    unit: Callable[[], Result], metrics: Metrics, most_seconds: float
) -> Result:
    """Call `unit` until it succeeds, a few times and at most for some seconds; see `Database.again`."""
    started = time.monotonic()
    pause = _PAUSE_SECONDS
    for tried in range(1, _TRIES + 1):
        try:
            return unit()
        except DatabaseLockedError:
            raise  # the wait for the lock was the timeout
        except (DatabaseBusyError, DatabaseAwayError) as error:
            is_unknown = isinstance(error, DatabaseAwayError) and error.commit_unknown
            is_over = time.monotonic() - started > most_seconds
            if is_unknown or is_over or tried == _TRIES:
                raise
            metrics.count(TRANSACTION_RETRIES, _CAUSES[type(error)])
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        pause *= 2
    raise AssertionError("unreachable: the last try returns or raises")
