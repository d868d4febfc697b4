"""The metrics of `/metrics`, each declared once.

prometheus_client writes the text; its global registry and collectors are not used. Labels are states, causes
and ids of sources, never addresses or titles.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from aggregator import __version__
from aggregator.daemon.process_memory import ProcessTree
from aggregator.model.counters import COUNTED, Metrics
from aggregator.model.counters import Metric as Counted
from aggregator.model.health_report import HealthReport, HealthSnapshot, ProcessState


class Gauge(NamedTuple):
    """A number without labels. `at`: the path of its value; None leaves the metric out."""

    name: str
    help: str
    at: str


OF_THE_PROCESS = (
    Gauge("aggregator_start_time_seconds", "Start time of the process", "process.started_at"),
    Gauge("aggregator_writer", "1 for the writer, 0 for a standby", "process.is_writer"),
    Gauge("aggregator_ready", "1 while /readyz answers 200", "condition.ready"),
    Gauge("aggregator_writable", "1 while articles can be accepted, see /healthz", "condition.writable"),
    Gauge("aggregator_problems", "Problems on /status", "condition.problems"),
    Gauge("aggregator_stalled_threads", "Stalled threads", "process.stalled"),
    Gauge(
        "aggregator_placing_paused",
        "1 while placing waits for the database or the workers",
        "process.is_backing_off",
    ),
    Gauge(
        "aggregator_reload_failed", "1 after a failed reload of the configuration", "process.reload_failed"
    ),
    Gauge(
        "aggregator_failed_maintenance_tasks",
        "Maintenance tasks that failed at their last run",
        "process.failed_tasks",
    ),
    Gauge("aggregator_memory_bytes", "Resident memory of the daemon without its workers", "memory.own_bytes"),
    Gauge("aggregator_workers_memory_bytes", "Resident memory of the workers", "memory.workers_bytes"),
    Gauge("aggregator_workers", "Worker processes", "memory.workers"),
    Gauge("aggregator_open_files", "Open files and connections of the daemon", "memory.open_files"),
    Gauge("aggregator_threads", "Threads of the daemon", "memory.threads"),
)
OF_THE_DATABASE = (
    Gauge(
        "aggregator_inbox_oldest_seconds",
        "Age of the oldest entry that waits for placing",
        "stored.oldest_seconds",
    ),
    Gauge("aggregator_last_placed_timestamp_seconds", "Time of the last placement", "stored.last_placed"),
    Gauge("aggregator_article_number", "Number of the last article", "stored.articles"),
    Gauge("aggregator_sources_due", "Overdue sources", "stored.due_sources"),
    Gauge("aggregator_sources_late_seconds", "Delay of the most overdue source", "stored.late_seconds"),
    Gauge("aggregator_unindexed_articles", "Articles that are not indexed yet", "stored.unindexed"),
    Gauge(
        "aggregator_unrendered_stories",
        "Stories that are not rendered yet, at most 1,000",
        "stored.unrendered",
    ),
    Gauge("aggregator_commands_waiting", "Commands that wait for the writer", "stored.requests_waiting"),
    Gauge(
        "aggregator_webhook_deliveries_waiting", "Webhook deliveries that wait", "stored.deliveries_waiting"
    ),
    Gauge("aggregator_webhooks_failing", "Webhooks that fail or are gone", "stored.hooks_failing"),
    Gauge("aggregator_database_bytes", "Size of the database", "place.size_bytes"),
    Gauge("aggregator_database_log_bytes", "Size of the SQLite log (-wal)", "place.log_bytes"),
    Gauge(
        "aggregator_database_free_page_bytes",
        "Size of the free pages of the SQLite file",
        "place.free_page_bytes",
    ),
    Gauge(
        "aggregator_disk_free_bytes",
        "Free space on the file system of the SQLite file",
        "place.free_disk_bytes",
    ),
    Gauge("aggregator_backup_timestamp_seconds", "Time of the last backup", "backup.last"),
    Gauge("aggregator_backup_every_seconds", "Configured interval of backups", "backup.every_seconds"),
    Gauge("aggregator_backup_bytes", "Size of the last backup", "backup.size_bytes"),
)
DATABASE_UP = "aggregator_database_up"
INBOX = "aggregator_inbox_entries"
SOURCES = "aggregator_sources"
SOURCE_UP = "aggregator_source_up"
SOURCE_SUCCESS = "aggregator_source_last_success_timestamp_seconds"
SOURCE_ENTRIES = "aggregator_source_entries"
EVENTS = "aggregator_story_events"
RETENTION = "aggregator_retention_reached"
BUILD = "aggregator_build"


class Exposition(NamedTuple):
    """The body of a response and its content type."""

    body: bytes
    content_type: str


class Now(NamedTuple):
    """The state of the process at a scrape."""

    process: ProcessState
    condition: HealthReport
    memory: ProcessTree


def exposition(
    now: Now, snapshot: HealthSnapshot | None, metrics_registry: Metrics, rules_version: str, accept: str
) -> Exposition:
    """Return all metrics in the format of the header `accept`; plain text 0.0.4 by default."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_MetricsCollector(now, snapshot, metrics_registry, rules_version))
    encoder, content_type = choose_encoder(accept)
    return Exposition(encoder(registry), content_type)


class _MetricsCollector(Collector):
    """One scrape."""

    def __init__(
        self, now: Now, snapshot: HealthSnapshot | None, metrics_registry: Metrics, rules_version: str
    ) -> None:
        self._now = now
        self._snapshot = snapshot
        self._metrics = metrics_registry
        self._rules_version = rules_version

    def describe(self) -> Iterable[Metric]:
        return ()  # registering would collect everything once more to learn the names

    def collect(self) -> Iterator[Metric]:
        now, snapshot = self._now, self._snapshot
        build = {"version": __version__, "rules": self._rules_version}
        yield InfoMetricFamily(BUILD, "Version of the program and its rules", value=build)
        yield from _gauges(OF_THE_PROCESS, now)
        for metric in COUNTED:
            yield self._counted(metric)
        yield GaugeMetricFamily(
            DATABASE_UP, "1 if the database answered this scrape", value=snapshot is not None
        )
        if snapshot is not None:
            yield from _of_the_database(snapshot)

    def _counted(self, metric: Counted) -> Metric:
        series = self._metrics.read(metric)
        if not metric.buckets:
            counter = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
            for one in series:
                counter.add_metric(one.labels, one.value)
            return counter
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for one in series:
            histogram.add_metric(one.labels, _summed_up(metric.buckets, one.buckets), one.value)
        return histogram


def _summed_up(bounds: tuple[float, ...], counts: tuple[int, ...]) -> list[tuple[str, float]]:
    """Return cumulative buckets, as Prometheus expects."""
    names = [*(str(bound) for bound in bounds), "+Inf"]
    return [(name, float(sum(counts[: place + 1]))) for place, name in enumerate(names)]


def _gauges(gauges: Iterable[Gauge], of: object) -> Iterator[Metric]:
    for gauge in gauges:
        value = _number(reduce(_part, gauge.at.split("."), of))
        if value is not None:
            yield GaugeMetricFamily(gauge.name, gauge.help, value=value)


def _part(of: object, name: str) -> object:
    return None if of is None else getattr(of, name)


def _number(value: object) -> float | None:
    """Return the Unix time of a time, the length of a tuple, else the value."""
    if isinstance(value, dt.datetime):
        return value.timestamp()
    if isinstance(value, tuple):
        return len(value)
    assert value is None or isinstance(value, int | float), value
    return value


def _of_the_database(snapshot: HealthSnapshot) -> Iterator[Metric]:
    yield from _gauges(OF_THE_DATABASE, snapshot)
    yield _by_label(
        INBOX, "Entries that are not placed yet, by what they wait for", "waits_for", snapshot.stored.inbox
    )
    yield _by_label(SOURCES, "Sources by their state", "state", snapshot.stored.sources)
    events = CounterMetricFamily(EVENTS, "Events of the story log, by kind", labels=("kind",))
    for kind, number in sorted(snapshot.events.items()):
        events.add_metric((kind,), number)
    yield events
    yield _by_label(
        RETENTION, "Article number that each step of retention has reached", "step", snapshot.retention or {}
    )
    yield from _of_the_sources(snapshot)


def _by_label(name: str, words: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=(label,))
    for value, number in sorted(values.items()):
        family.add_metric((value,), number)
    return family


def _of_the_sources(snapshot: HealthSnapshot) -> Iterator[Metric]:
    up = GaugeMetricFamily(SOURCE_UP, "1 for a source whose last poll succeeded", labels=("source",))
    success = GaugeMetricFamily(
        SOURCE_SUCCESS, "Time of the last successful poll of a source", labels=("source",)
    )
    entries = CounterMetricFamily(
        SOURCE_ENTRIES, "Entries of a source since it was added", labels=("source", "outcome")
    )
    for one in snapshot.sources:
        up.add_metric((one.id,), one.health in ("ok", "new", "paused"))
        if one.last_success is not None:
            success.add_metric((one.id,), one.last_success)
        for outcome, number in (("new", one.new), ("known", one.known), ("refused", one.refused)):
            entries.add_metric((one.id, outcome), number)
    yield from (up, success, entries)


def names() -> frozenset[str]:
    """Return the names of all samples, which alert rules may use."""
    gauges = {gauge.name for gauge in (*OF_THE_PROCESS, *OF_THE_DATABASE)}
    gauges |= {DATABASE_UP, INBOX, SOURCES, SOURCE_UP, SOURCE_SUCCESS, RETENTION, f"{BUILD}_info"}
    counters = {f"{name}_total" for name in (SOURCE_ENTRIES, EVENTS)}
    for metric in COUNTED:
        ends = ("_bucket", "_sum", "_count") if metric.buckets else ("_total",)
        counters |= {metric.name + end for end in ends}
    return frozenset(gauges | counters)
