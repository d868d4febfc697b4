"""Counters and histograms for `/metrics`, since the start of the process.

This module defines all of them. What the database can answer is not counted. The daemon makes one Metrics and
passes it to the parts that count.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

import msgspec

_MAX_SERIES = 200  # label sets of one metric; further ones are counted as "other"


class Metric(NamedTuple):
    """A counter, or a histogram of durations with `buckets`, upper bounds in seconds."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_QUICK = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SLOW = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)

FETCHES = Metric(
    "aggregator_fetches",
    "Requests for feeds, pages and robots.txt, by outcome",
    ("kind", "outcome"),
)
FETCHED_BYTES = Metric("aggregator_fetched_bytes", "Decompressed bytes of responses", ("kind",))
FETCH_SECONDS = Metric(
    "aggregator_fetch_seconds",
    "Duration of requests, with redirects and the wait for the rate limiter",
    ("kind",),
    _SLOW,
)
PLACED = Metric("aggregator_placed", "Placed entries, by outcome", ("outcome",))
VERDICTS = Metric("aggregator_verdicts", "Texts of articles, by verdict", ("verdict",))
PLACING_SECONDS = Metric(
    "aggregator_placing_seconds", "Duration of placing a batch, with its commit", (), _QUICK
)
WORKERS_ENDED = Metric("aggregator_workers_ended", "Worker processes that ended, by cause", ("cause",))
TRANSACTION_SECONDS = Metric(
    "aggregator_write_transaction_seconds",
    "Duration of write transactions, with the wait for the lock",
    (),
    _QUICK,
)
TRANSACTION_RETRIES = Metric("aggregator_transaction_retries", "Repeated transactions, by cause", ("cause",))

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
    """One series. `value` is the sum; `buckets`, of a histogram, are not cumulative and end with +Inf."""

    labels: tuple[str, ...]
    value: float
    buckets: tuple[int, ...] = ()


class Metrics:
    """The metrics of a process; safe to use from any thread, with a bounded number of series."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: dict[Metric, dict[tuple[str, ...], float]] = {metric: {} for metric in COUNTED}
        self._buckets: dict[Metric, dict[tuple[str, ...], list[int]]] = {metric: {} for metric in COUNTED}

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add `by` to a counter; `labels` are values in the order of `metric.labels`."""
        with self._lock:
            totals = self._totals[metric]
            labels = _bounded_labels(labels, totals)
            totals[labels] = totals.get(labels, 0) + by

    def observe(self, metric: Metric, seconds: float, *labels: str) -> None:
        """Record a duration in a histogram."""
        with self._lock:
            totals = self._totals[metric]
            labels = _bounded_labels(labels, totals)
            totals[labels] = totals.get(labels, 0) + seconds
            counts = self._buckets[metric].setdefault(labels, [0] * (len(metric.buckets) + 1))
            counts[bisect_left(metric.buckets, seconds)] += 1

    @contextmanager
    def timer(self, metric: Metric, *labels: str) -> Iterator[None]:
        """Record the duration of the block, also where it raises."""
        began = monotonic()
        try:
            yield
        finally:
            self.observe(metric, monotonic() - began, *labels)

    def read(self, metric: Metric) -> list[MetricSample]:
        """Return all series of a metric, sorted by labels."""
        with self._lock:
            buckets = self._buckets[metric]
            return [
                MetricSample(labels, value, tuple(buckets.get(labels, ())))
                for labels, value in sorted(self._totals[metric].items())
            ]


def _bounded_labels(labels: tuple[str, ...], totals: dict[tuple[str, ...], float]) -> tuple[str, ...]:
    """Return `labels`, or "other" for a new series of a metric that has too many."""
    return labels if labels in totals or len(totals) < _MAX_SERIES else tuple("other" for _ in labels)
