"""The state of the daemon, its problems as text, and the metrics of `/metrics`, each declared once.

prometheus_client counts events and writes the text; its global registry is not used. Labels are states and
causes, never addresses or titles.

Only the snapshot is read from the database, which may take long; probes limit how long they wait for it (probes.py).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from aggregator import __version__
from aggregator.config.tuning import Tuning
from aggregator.model.clock import Clock
from aggregator.model.counters import Metrics
from aggregator.model.health_report import (
    BackupState,
    HealthReport,
    HealthSnapshot,
    HealthStatus,
    ProcessState,
)
from aggregator.store.engine.database import Database
from aggregator.store.migrate import newest_revision
from aggregator.store.read.health import database_status
from aggregator.store.read.health.health_probes import (
    of_database,
    of_file,
    of_process,
    problem,
)
from aggregator.web.health.process_tree import ProcessTree, process_tree


class Gauge(NamedTuple):
    """A number without labels. `at` is the path of its value; the metric is left out if the value is None."""

    name: str
    at: str
    help: str


def _gauges_of(table: str) -> tuple[Gauge, ...]:
    """Return the gauges of a table, whose lines have a name, a path and a help text."""
    return tuple(Gauge(*line.split(maxsplit=2)) for line in table.splitlines())


OF_THE_PROCESS = _gauges_of("""\
aggregator_start_time_seconds process.started_at Start time of the process
aggregator_writer process.is_writer 1 for the writer, 0 for a standby
aggregator_ready condition.ready 1 while /readyz answers 200
aggregator_writable condition.writable 1 while articles can be accepted, see /healthz
aggregator_problems condition.problems Problems on /status
aggregator_stalled_threads process.stalled Stalled threads
aggregator_placing_paused process.is_backing_off 1 while placing waits for the database or the workers
aggregator_reload_failed process.reload_failed 1 after a failed reload of the configuration
aggregator_failed_maintenance_tasks process.failed_tasks Maintenance tasks that failed at their last run
aggregator_memory_bytes memory.own_bytes Resident memory of the daemon without its workers
aggregator_workers_memory_bytes memory.workers_bytes Resident memory of the workers
aggregator_workers memory.workers Worker processes
aggregator_open_files memory.open_files Open files and connections of the daemon
aggregator_threads memory.threads Threads of the daemon
""")
OF_THE_DATABASE = _gauges_of("""\
aggregator_inbox_oldest_seconds stored.oldest_seconds Age of the oldest entry that waits for placing
aggregator_last_placed_timestamp_seconds stored.last_placed Time of the last placement
aggregator_article_number stored.articles Number of the last article
aggregator_sources_due stored.due_sources Overdue sources
aggregator_sources_late_seconds stored.late_seconds Delay of the most overdue source
aggregator_window_seconds stored.window_seconds Time that memory holds stories, at the present rate
aggregator_window_hours stored.window_hours The same in hours; it leaves with version 0.3
aggregator_unindexed_articles stored.unindexed Articles that are not indexed yet
aggregator_uncompared_articles stored.uncompared Articles that may be compared for storylines after an upgrade
aggregator_unrendered_stories stored.unrendered Stories that are not rendered yet, at most 1,000
aggregator_commands_waiting stored.requests_waiting Commands that wait for the writer
aggregator_webhook_deliveries_waiting stored.deliveries_waiting Webhook deliveries that wait
aggregator_webhooks_failing stored.hooks_failing Webhooks that fail or are gone
aggregator_database_bytes place.size_bytes Size of the database
aggregator_database_log_bytes place.log_bytes Size of the SQLite log (-wal)
aggregator_database_free_page_bytes place.free_page_bytes Size of the free pages of the SQLite file
aggregator_disk_free_bytes place.free_disk_bytes Free space on the file system of the SQLite file
aggregator_backup_timestamp_seconds backup.last Time of the last backup
aggregator_backup_every_seconds backup.every_seconds Configured interval of backups
aggregator_backup_bytes backup.size_bytes Size of the last backup
""")
DATABASE_UP = "aggregator_database_up"
INBOX = "aggregator_inbox_entries"
SOURCES = "aggregator_sources"
BUILD = "aggregator_build"


@dataclass(frozen=True, eq=False)
class Scrape(Collector):
    """The content of one scrape; `snapshot` is None if the database did not answer."""

    process: ProcessState
    condition: HealthReport
    memory: ProcessTree
    snapshot: HealthSnapshot | None
    counted: Metrics

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            BUILD,
            "Version of the program and its rules",
            value={"version": __version__, "rules": self.condition.rules_version},
        )
        yield from _gauges(OF_THE_PROCESS, self)
        yield from self.counted.registry.collect()
        yield GaugeMetricFamily(
            DATABASE_UP,
            "1 if the database answered this scrape",
            value=self.snapshot is not None,
        )
        if self.snapshot is not None:
            yield from _gauges(OF_THE_DATABASE, self.snapshot)
            stored = self.snapshot.stored
            yield _by_label(
                INBOX,
                "Entries that are not placed yet, by what they wait for",
                "waits_for",
                stored.inbox,
            )
            yield _by_label(SOURCES, "Sources by their state", "state", stored.sources)


def _gauges(gauges: Iterable[Gauge], of: object) -> Iterator[Metric]:
    for gauge in gauges:
        part, name = gauge.at.split(".")
        holder = getattr(of, part)
        value = None if holder is None else getattr(holder, name)
        # A time becomes Unix time, and a tuple its length.
        if isinstance(value, datetime):
            value = value.timestamp()
        elif isinstance(value, tuple):
            value = len(value)
        if value is not None:
            yield GaugeMetricFamily(gauge.name, gauge.help, value=value)


def _by_label(name: str, words: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=(label,))
    for value, number in sorted(values.items()):
        family.add_metric((value,), number)
    return family


# The database must answer a probe within this time; usual probes wait 5 to 10 s (chosen).
PROBE_SECONDS = 2.0


@dataclass(eq=False)
class HealthMonitor:
    """State of one daemon. `snapshot` may wait for the database; the other methods do not wait.

    `process` returns the state that only the daemon knows, and must not wait. `backups` reads the folder of the
    backups, which may be on a disk that does not answer.
    """

    all_tuning: Tuning
    database: Database
    metrics_registry: Metrics
    process: Callable[[], ProcessState]
    backups: Callable[[], BackupState]
    now: Clock

    def snapshot(self) -> HealthSnapshot:
        """Read the state of the database. Raises AggregatorError if it does not answer."""
        now = self.now()
        with self.database.read() as connection:
            return HealthSnapshot(
                at=now,
                stored=database_status.read_status(
                    connection, now, self.all_tuning, self.process().slow_sources
                ),
                place=database_status.place(self.database),
                why_not_writable=self.database.why_not_writable(connection),
                revision=database_status.revision(connection),
            )

    def metrics(
        self, snapshot: HealthSnapshot | None, accept: str
    ) -> tuple[bytes, str]:
        """Return all metrics, in the format that the header `accept` asks for, and the content type."""
        # `auto_describe` would collect everything once more at registration, to learn the names.
        registry = CollectorRegistry(auto_describe=False)
        registry.register(
            Scrape(
                self.process(),
                self.condition(snapshot),
                process_tree(),
                snapshot,
                self.metrics_registry,
            )
        )
        encoder, content_type = choose_encoder(accept)
        return encoder(registry), content_type

    def condition(self, snapshot: HealthSnapshot | None) -> HealthReport:
        """Return the report; `snapshot` is None if the database did not answer."""
        process = self.process()
        now = self.now()
        findings = [*of_process(process)]
        problems = [*findings]
        writable = right_tables = False
        if snapshot is None:
            findings.insert(
                0,
                problem(
                    f"the database did not answer within {PROBE_SECONDS:g} s",
                    "journalctl -u aggregator -n 100; check its server or disk",
                ),
            )
            problems.insert(0, findings[0])
        else:
            writable = snapshot.why_not_writable is None
            right_tables = snapshot.revision == newest_revision()
            if not right_tables:
                problems.append(
                    problem(
                        "the database was changed by another version of this program; start the daemon again",
                        "systemctl restart aggregator",
                    )
                )
            problems += of_database(
                why_not_writable=snapshot.why_not_writable,
                stored=snapshot.stored,
                backup=snapshot.backup,
            )
            if self.database.file is not None:
                problems += of_file(
                    self.all_tuning,
                    self.database.file,
                    free_disk_bytes=snapshot.place.free_disk_bytes,
                    log_bytes=snapshot.place.log_bytes,
                )
        status: HealthStatus = "degraded" if problems else "ok"
        if not writable:
            status = "down"
        return HealthReport(
            status=status,
            role=process.role,
            version=__version__,
            rules_version=self.all_tuning.version,
            uptime_seconds=max(0.0, (now - process.started_at).total_seconds()),
            writable=writable,
            ready=right_tables
            and not process.stalled
            and (process.role == "standby" or process.placing_started),
            problems=tuple(finding.what for finding in problems),
            process_findings=tuple(findings),
            stored=snapshot.stored if snapshot else None,
            place=snapshot.place if snapshot else None,
            backup=snapshot.backup if snapshot else None,
            last_reload=process.last_reload,
        )
