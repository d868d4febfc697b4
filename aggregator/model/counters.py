"""Counts of what happened since the process began, for `/metrics`.

What is counted stands here, in one place; what can be asked of the database is not counted at all. One Tally
a process is made by the daemon and handed down to whoever counts.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

import msgspec

_MOST_SERIES = 200  # label values of one metric; further ones are counted as "other"


class Metric(NamedTuple):
    """Something that is counted. `buckets`: upper bounds in seconds, of a duration; () for a count."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_QUICK = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)

FETCHES = Metric(
    "aggregator_fetches",
    "Requests for feeds, pages and robots.txt, by what came of them",
    ("kind", "outcome"),
)
FETCHED_BYTES = Metric("aggregator_fetched_bytes", "Bytes of answers, unpacked", ("kind",))
FETCH_SECONDS = Metric(
    "aggregator_fetch_seconds",
    "How long a request took, redirects and waiting its turn included",
    ("kind",),
    _SLOW,
)
PLACED = Metric("aggregator_placed", "Entries that were placed, by what became of them", ("outcome",))
VERDICTS = Metric("aggregator_verdicts", "Texts of articles, by the verdict on them", ("verdict",))
PLACING_SECONDS = Metric(
    "aggregator_placing_seconds", "How long placing a batch took, its commit included", (), _QUICK
)
WORKERS_ENDED = Metric("aggregator_workers_ended", "Worker processes that ended, by cause", ("cause",))
TRANSACTION_SECONDS = Metric(
    "aggregator_write_transaction_seconds", "How long writing transactions took, waiting included", (), _QUICK
)
TRANSACTION_RETRIES = Metric(
    "aggregator_transaction_retries", "Transactions that were done again, by cause", ("cause",)
)

COUNTED: tuple[Metric, ...] = (
    FETCHES,
    FETCHED_BYTES,
    FETCH_SECONDS,
    PLACED,
    VERDICTS,
    PLACING_SECONDS,
    WORKERS_ENDED,
    TRANSACTION_SECONDS,
    TRANSACTION_RETRIES,
)


class MetricSample(msgspec.Struct, frozen=True):
    """One series: `value` is the sum; of a duration `buckets` count each bound and "more", not summed up."""

    labels: tuple[str, ...]
    value: float
    buckets: tuple[int, ...] = ()


class Metrics:
    """Counts, from any thread. Never fails and never grows without bound."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: dict[Metric, dict[tuple[str, ...], float]] = {metric: {} for metric in COUNTED}
        self._buckets: dict[Metric, dict[tuple[str, ...], list[int]]] = {metric: {} for metric in COUNTED}

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Count `by` more; `labels` in the order of the metric's."""
        with self._lock:
            totals = self._totals[metric]
            labels = _bounded_labels(labels, totals)
            totals[labels] = totals.get(labels, 0) + by

    def observe(self, metric: Metric, seconds: float, *labels: str) -> None:
        """Note a duration."""
        with self._lock:
            totals = self._totals[metric]
            labels = _bounded_labels(labels, totals)
            totals[labels] = totals.get(labels, 0) + seconds
            counts = self._buckets[metric].setdefault(labels, [0] * (len(metric.buckets) + 1))
            counts[bisect_left(metric.buckets, seconds)] += 1

    @contextmanager
    def timer(self, metric: Metric, *labels: str) -> Iterator[None]:
        """Note how long the block took, also where it raised."""
        began = monotonic()
        try:
            yield
        finally:
            self.observe(metric, monotonic() - began, *labels)

    def read(self, metric: Metric) -> list[MetricSample]:
        """All series of a metric, by their labels."""
        with self._lock:
            buckets = self._buckets[metric]
            return [
                MetricSample(labels, value, tuple(buckets.get(labels, ())))
                for labels, value in sorted(self._totals[metric].items())
            ]


def _bounded_labels(labels: tuple[str, ...], known: dict[tuple[str, ...], float]) -> tuple[str, ...]:
    """The same labels; where a metric has very many already, one series for all new ones."""
    return labels if labels in known or len(known) < _MOST_SERIES else tuple("other" for _ in labels)
