"""`/metrics`: everything in the form that Prometheus reads, each metric declared once.

The library writes the text; its global registry and collectors are not used. Labels are states, causes, names
of webhooks and ids of sources, never addresses or titles.
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
    """A number without labels. `at`: where it stands; a value that is not known leaves the metric out."""

    name: str
    help: str
    at: str


OF_THE_PROCESS = (
    Gauge("aggregator_start_time_seconds", "When the process began", "process.started_at"),
    Gauge("aggregator_writer", "1 for the daemon that places, 0 for one that stands by", "process.is_writer"),
    Gauge("aggregator_ready", "1 while it serves from the right tables: /readyz", "condition.ready"),
    Gauge("aggregator_writable", "1 while articles can be accepted: /healthz", "condition.writable"),
    Gauge("aggregator_problems", "How many problems /status names", "condition.problems"),
    Gauge("aggregator_stalled_threads", "Parts of the daemon that do not get on", "process.stalled"),
    Gauge(
        "aggregator_placing_rests",
        "1 while the database keeps placing from going on",
        "process.is_backing_off",
    ),
    Gauge(
        "aggregator_reload_failed", "1 while a changed config.yaml is not taken up", "process.reload_failed"
    ),
    Gauge(
        "aggregator_failed_chores",
        "Backups and the like that failed at their last try",
        "process.failed_tasks",
    ),
    Gauge("aggregator_memory_bytes", "Resident memory of the daemon without its workers", "memory.own_bytes"),
    Gauge("aggregator_workers_memory_bytes", "Resident memory of its workers", "memory.workers_bytes"),
    Gauge("aggregator_workers", "Worker processes", "memory.workers"),
    Gauge("aggregator_open_files", "Open files and connections of the daemon", "memory.open_files"),
    Gauge("aggregator_threads", "Threads of the daemon", "memory.threads"),
)
OF_THE_DATABASE = (
    Gauge(
        "aggregator_inbox_oldest_seconds", "Age of the oldest entry without a place", "stored.oldest_seconds"
    ),
    Gauge(
        "aggregator_last_placed_timestamp_seconds", "When the last article was placed", "stored.last_placed"
    ),
    Gauge("aggregator_article_number", "Number of the last article", "stored.articles"),
    Gauge("aggregator_sources_due", "Sources that should have been asked by now", "stored.due_sources"),
    Gauge("aggregator_sources_late_seconds", "How late the latest of them is", "stored.late_seconds"),
    Gauge("aggregator_unindexed_articles", "Articles that search does not find yet", "stored.unindexed"),
    Gauge("aggregator_untold_stories", "Stories without a merged text, at most 1,000", "stored.untold"),
    Gauge("aggregator_requests_waiting", "Wishes that wait for the writer", "stored.requests_waiting"),
    Gauge("aggregator_webhook_deliveries_waiting", "Deliveries that wait", "stored.deliveries_waiting"),
    Gauge("aggregator_webhooks_failing", "Webhooks that fail or are gone", "stored.hooks_failing"),
    Gauge("aggregator_database_bytes", "Size of the database", "place.size_bytes"),
    Gauge("aggregator_database_log_bytes", "Size of SQLite's log (-wal)", "place.log_bytes"),
    Gauge("aggregator_database_free_page_bytes", "Free pages in SQLite's file", "place.free_page_bytes"),
    Gauge("aggregator_disk_free_bytes", "Free space where SQLite's file is", "place.free_disk_bytes"),
    Gauge("aggregator_backup_timestamp_seconds", "When the last backup was made", "backup.last"),
    Gauge("aggregator_backup_every_seconds", "How often one is to be made", "backup.every_seconds"),
    Gauge("aggregator_backup_bytes", "Size of the last backup", "backup.size_bytes"),
)
ANSWERS = "aggregator_database_answers"
INBOX = "aggregator_inbox_entries"
SOURCES = "aggregator_sources"
SOURCE_UP = "aggregator_source_up"
SOURCE_SUCCESS = "aggregator_source_last_success_timestamp_seconds"
SOURCE_ENTRIES = "aggregator_source_entries"
EVENTS = "aggregator_story_events"
RETENTION = "aggregator_retention_reached"
BUILD = "aggregator_build"


class Exposition(NamedTuple):
    """The bytes of an answer and their type."""

    body: bytes
    content_type: str


class Now(NamedTuple):
    """The state of the process at a scrape."""

    process: ProcessState
    condition: HealthReport
    memory: ProcessTree


def exposition(
    now: Now, look: HealthSnapshot | None, metrics_registry: Metrics, rules_version: str, accept: str
) -> Exposition:
    """All metrics in the form that `accept` (a header) asks for; plain text 0.0.4 by default."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_MetricsCollector(now, look, metrics_registry, rules_version))
    encoder, content_type = choose_encoder(accept)
    return Exposition(encoder(registry), content_type)


class _MetricsCollector(Collector):
    """One scrape."""

    def __init__(
        self, now: Now, look: HealthSnapshot | None, metrics_registry: Metrics, rules_version: str
    ) -> None:
        self._now = now
        self._look = look
        self._tally = metrics_registry
        self._rules_version = rules_version

    def describe(self) -> Iterable[Metric]:
        return ()  # registering would collect everything once more to learn the names

    def collect(self) -> Iterator[Metric]:
        now, look = self._now, self._look
        build = {"version": __version__, "rules": self._rules_version}
        yield InfoMetricFamily(BUILD, "What runs", value=build)
        yield from _gauges(OF_THE_PROCESS, now)
        for metric in COUNTED:
            yield self._counted(metric)
        yield GaugeMetricFamily(ANSWERS, "1 where the database answered this scrape", value=look is not None)
        if look is not None:
            yield from _of_the_database(look)

    def _counted(self, metric: Counted) -> Metric:
        series = self._tally.read(metric)
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
    """Prometheus wants each bucket with all below it."""
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
    """Of a time the seconds since 1970, of a list its length."""
    if isinstance(value, dt.datetime):
        return value.timestamp()
    if isinstance(value, tuple):
        return len(value)
    assert value is None or isinstance(value, int | float), value
    return value


def _of_the_database(look: HealthSnapshot) -> Iterator[Metric]:
    yield from _gauges(OF_THE_DATABASE, look)
    yield _by_label(INBOX, "Entries without a place, by what they wait for", "waits_for", look.stored.inbox)
    yield _by_label(SOURCES, "Sources by their state", "state", look.stored.sources)
    events = CounterMetricFamily(EVENTS, "Lines of the stories' log, by what happened", labels=("kind",))
    for kind, number in sorted(look.events.items()):
        events.add_metric((kind,), number)
    yield events
    yield _by_label(RETENTION, "How far each step of retention came", "step", look.retention or {})
    yield from _of_the_sources(look)


def _by_label(name: str, words: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=(label,))
    for value, number in sorted(values.items()):
        family.add_metric((value,), number)
    return family


def _of_the_sources(look: HealthSnapshot) -> Iterator[Metric]:
    up = GaugeMetricFamily(SOURCE_UP, "1 for a source whose last look succeeded", labels=("source",))
    success = GaugeMetricFamily(SOURCE_SUCCESS, "When a source was last read", labels=("source",))
    entries = CounterMetricFamily(
        SOURCE_ENTRIES, "Entries of a source since it was added", labels=("source", "outcome")
    )
    for one in look.sources:
        up.add_metric((one.id,), one.health in ("ok", "new", "paused"))
        if one.last_success is not None:
            success.add_metric((one.id,), one.last_success)
        for outcome, number in (("new", one.new), ("known", one.known), ("refused", one.refused)):
            entries.add_metric((one.id, outcome), number)
    yield from (up, success, entries)


def names() -> frozenset[str]:
    """Every name under which a sample can come: what alert rules may ask for."""
    gauges = {gauge.name for gauge in (*OF_THE_PROCESS, *OF_THE_DATABASE)}
    gauges |= {ANSWERS, INBOX, SOURCES, SOURCE_UP, SOURCE_SUCCESS, RETENTION, f"{BUILD}_info"}
    counters = {f"{name}_total" for name in (SOURCE_ENTRIES, EVENTS)}
    for metric in COUNTED:
        ends = ("_bucket", "_sum", "_count") if metric.buckets else ("_total",)
        counters |= {metric.name + end for end in ends}
    return frozenset(gauges | counters)
