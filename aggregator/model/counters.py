"""Counters and histograms for `/metrics`, since the start of the process.

This module defines all of them. Figures that the database can answer are not counted. The daemon makes one
Metrics and passes it to the parts that count.
"""

import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_MAX_SERIES = 200  # sets of labels of one metric; further sets are counted as "other"


class Metric(NamedTuple):
    """A counter, or a histogram of durations if it has `buckets`, which are upper bounds in seconds."""

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
FETCHED_BYTES = Metric(
    "aggregator_fetched_bytes", "Decompressed bytes of responses", ("kind",)
)
FETCH_SECONDS = Metric(
    "aggregator_fetch_seconds",
    "Duration of requests, with redirects and the wait for the rate limiter",
    ("kind",),
    _SLOW,
)
PLACED = Metric("aggregator_placed", "Placed entries, by outcome", ("outcome",))
VERDICTS = Metric("aggregator_verdicts", "Texts of articles, by verdict", ("verdict",))
PLACING_SECONDS = Metric(
    "aggregator_placing_seconds",
    "Duration of placing a batch, with its commit",
    (),
    _QUICK,
)
WORKERS_ENDED = Metric(
    "aggregator_workers_ended", "Worker processes that ended, by cause", ("cause",)
)
TRANSACTION_SECONDS = Metric(
    "aggregator_write_transaction_seconds",
    "Duration of write transactions, with the wait for the lock",
    (),
    _QUICK,
)
TRANSACTION_RETRIES = Metric(
    "aggregator_transaction_retries", "Repeated transactions, by cause", ("cause",)
)

COUNTED: tuple[Metric, ...] = tuple(
    metric for metric in globals().values() if isinstance(metric, Metric)
)


class Metrics:
    """The metrics of a process; safe to use from any thread, with a bounded number of series.

    prometheus_client counts, in a registry that belongs to this object instead of the library's global registry. The
    library is imported when something is first counted, because most commands count nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._labels: dict[Metric, set[tuple[str, ...]]] = {
            metric: set() for metric in COUNTED
        }
        self._made: tuple[CollectorRegistry, dict[Metric, Any]] | None = None

    def count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        """Add `by` to a counter; `labels` are values in the order of `metric.labels`."""
        self.series(metric, *labels).inc(by)

    def timer(self, metric: Metric, *labels: str) -> AbstractContextManager[Any]:
        """Return a context manager that records the duration of its block, even if the block raises."""
        timer: AbstractContextManager[Any] = self.series(metric, *labels).time()
        return timer

    def series(self, metric: Metric, *labels: str) -> Any:
        """Return prometheus_client's counter or histogram for these labels.

        If the metric has too many series, new labels are counted as "other".
        """
        collector = self._collectors()[1][metric]
        if not metric.labels:
            return collector
        known = self._labels[metric]
        if labels not in known and len(known) >= _MAX_SERIES:
            labels = tuple("other" for _ in labels)
        known.add(labels)
        return collector.labels(*labels)

    @property
    def registry(self) -> "CollectorRegistry":
        """The registry that collects all metrics."""
        return self._collectors()[0]

    def _collectors(self) -> "tuple[CollectorRegistry, dict[Metric, Any]]":
        with self._lock:
            if self._made is None:
                from prometheus_client import (
                    CollectorRegistry,
                    Counter,
                    Histogram,
                    disable_created_metrics,
                )

                disable_created_metrics()  # type: ignore[no-untyped-call]  # the time of the first count of each series, a series of its own
                registry = CollectorRegistry(auto_describe=False)
                collectors: dict[Metric, Any] = {}
                for metric in COUNTED:
                    shape = metric.name, metric.help, metric.labels
                    if metric.buckets:
                        collectors[metric] = Histogram(
                            *shape, buckets=metric.buckets, registry=registry
                        )
                    else:
                        collectors[metric] = Counter(*shape, registry=registry)
                self._made = registry, collectors
            return self._made
