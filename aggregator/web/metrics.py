"""The state of the daemon: its problems as text, and the metrics of `/metrics`, each declared once.

Reading the snapshot of the database may take as long as the database needs; a probe waits for it within a
limit (web/health.py). The report needs memory only. prometheus_client counts events and writes the text; its
global registry is not used. Labels are states and causes, never addresses or titles.
"""

import datetime as dt
import errno
import os
import resource
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from aggregator import __version__
from aggregator.config.tuning import Tuning
from aggregator.model.core import Clock
from aggregator.model.counters import Metrics
from aggregator.model.health_report import (
    BackupState,
    Finding,
    HealthReport,
    HealthSnapshot,
    ProcessState,
)
from aggregator.store.engine.database import Database
from aggregator.store.migrate import newest_revision
from aggregator.store.read.health import database_status
from aggregator.store.read.health.probes import (
    of_database,
    of_file,
    of_process,
    problem,
)

# For the database to answer a probe; usual probes wait 5 to 10 (chosen)
PROBE_SECONDS = 2.0
_FEW_FILES = 0.9  # of what may be open
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessTree(NamedTuple):
    """Resident bytes count shared pages once per process; files and threads are those of this process."""

    own_bytes: int
    workers_bytes: int
    workers: int
    open_files: int
    threads: int


def process_tree() -> ProcessTree:
    """Return the current values (Linux); 0 for those that the system does not have."""
    threads = _names_in(Path("/proc/self/task"))
    # Each thread lists the processes that it started.
    children = {
        pid
        for one in threads
        for pid in _read(Path(f"/proc/self/task/{one}/children")).split()
    }
    sizes = [size for size in map(_resident, children) if size]
    return ProcessTree(
        _resident("self"), sum(sizes), len(sizes), open_files(), len(threads)
    )


def open_files() -> int:
    """Return the open files of this process; the limit if even /proc cannot be opened."""
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError as error:
        return (
            resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            if error.errno == errno.EMFILE
            else 0
        )


def why_few_files() -> str | None:
    """Return a message if 90 % of the allowed files are open."""
    count, most = open_files(), resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most < 0 or count < most * _FEW_FILES:
        return None
    return f"{count} of {most} files and connections are open: raise LimitNOFILE= in the unit, or `ulimit -n`"


def _resident(process: str) -> int:
    fields = _read(Path(f"/proc/{process}/statm")).split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def _names_in(folder: Path) -> list[str]:
    try:
        return [one.name for one in folder.iterdir()]
    except OSError:
        return []


def _read(file: Path) -> str:
    """Return the content of a file in /proc; "" if it does not exist."""
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""


class Gauge(NamedTuple):
    """A number without labels. `at`: the path of its value; None leaves the metric out."""

    name: str
    at: str
    help: str


def _gauges_of(table: str) -> tuple[Gauge, ...]:
    """Read lines of name, path and help."""
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
aggregator_window_hours stored.window_hours Hours that memory holds stories, at the present rate
aggregator_unindexed_articles stored.unindexed Articles that are not indexed yet
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
class _Scrape(Collector):
    """What one scrape shows; `snapshot` is None if the database did not answer."""

    process: ProcessState
    condition: HealthReport
    memory: ProcessTree
    snapshot: HealthSnapshot | None
    counted: Metrics

    def collect(self) -> Iterator[Metric]:
        build = {"version": __version__, "rules": self.condition.rules_version}
        yield InfoMetricFamily(
            BUILD, "Version of the program and its rules", value=build
        )
        yield from _gauges(OF_THE_PROCESS, self)
        yield from self.counted.registry.collect()
        answered = self.snapshot is not None
        yield GaugeMetricFamily(
            DATABASE_UP, "1 if the database answered this scrape", value=answered
        )
        if self.snapshot is not None:
            yield from _of_the_database(self.snapshot)


def _gauges(gauges: Iterable[Gauge], of: object) -> Iterator[Metric]:
    for gauge in gauges:
        part, name = gauge.at.split(".")
        holder = getattr(of, part)
        value = None if holder is None else _number(getattr(holder, name))
        if value is not None:
            yield GaugeMetricFamily(gauge.name, gauge.help, value=value)


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
        INBOX,
        "Entries that are not placed yet, by what they wait for",
        "waits_for",
        snapshot.stored.inbox,
    )
    yield _by_label(SOURCES, "Sources by their state", "state", snapshot.stored.sources)


def _by_label(name: str, words: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=(label,))
    for value, number in sorted(values.items()):
        family.add_metric((value,), number)
    return family


class HealthMonitor:
    """State of one daemon. `snapshot` may wait for the database; the other methods do not wait."""

    def __init__(
        self,
        all_tuning: Tuning,
        database: Database,
        metrics_registry: Metrics,
        *,
        process: Callable[[], ProcessState],
        backups: Callable[[], BackupState],
        now: Clock,
    ) -> None:
        """`process` returns the state that only the daemon knows, and must not wait.

        `backups` reads the folder of the backups, which may be on a disk that does not answer.
        """
        self._database = database
        self._now = now
        self.metrics_registry = metrics_registry
        self.process = process
        self.backups = backups
        self.rules_version = all_tuning.version
        self._all_tuning = all_tuning

    def snapshot(self) -> HealthSnapshot:
        """Read the state of the database. Raises AggregatorError if it does not answer."""
        now = self._now()
        with self._database.read() as connection:
            return HealthSnapshot(
                at=now,
                stored=database_status.stored(
                    connection, now, self._all_tuning, self.process().slow_sources
                ),
                place=database_status.place(self._database),
                why_not_writable=self._database.why_not_writable(connection),
                revision=database_status.revision(connection),
            )

    def metrics(
        self, snapshot: HealthSnapshot | None, accept: str
    ) -> tuple[bytes, str]:
        """Return all metrics in the format of the header `accept`, else as text, and its content type."""
        # Without `auto_describe` the collector is not asked once more for the names when it is registered.
        registry = CollectorRegistry(auto_describe=False)
        registry.register(
            _Scrape(
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
        process, now = self.process(), self._now()
        own = tuple(of_process(process))
        if snapshot is None:
            words = f"the database did not answer within {PROBE_SECONDS:g} s"
            own = (
                problem(
                    words, "journalctl -u aggregator -n 100; check its server or disk"
                ),
                *own,
            )
        problems = (*own, *(self._of_the_database(snapshot) if snapshot else ()))
        writable = snapshot is not None and snapshot.why_not_writable is None
        right_tables = snapshot is not None and snapshot.revision == newest_revision()
        return HealthReport(
            status="down"
            if snapshot is None or not writable
            else "degraded"
            if problems
            else "ok",
            role=process.role,
            version=__version__,
            rules_version=self.rules_version,
            uptime_seconds=max(0.0, (now - process.started_at).total_seconds()),
            writable=writable,
            ready=right_tables
            and not process.stalled
            and (process.role == "standby" or process.placing_started),
            problems=tuple(one.what for one in problems),
            process_findings=own,
            stored=None if snapshot is None else snapshot.stored,
            place=None if snapshot is None else snapshot.place,
            backup=None if snapshot is None else snapshot.backup,
            last_reload=process.last_reload,
        )

    def _of_the_database(self, snapshot: HealthSnapshot) -> Iterator[Finding]:
        if snapshot.revision != newest_revision():
            words = "the database was changed by another version of this program; start the daemon again"
            yield problem(words, "systemctl restart aggregator")
        yield from of_database(
            why_not_writable=snapshot.why_not_writable,
            stored=snapshot.stored,
            backup=snapshot.backup,
        )
        if self._database.file is not None:
            place = snapshot.place
            yield from of_file(
                self._all_tuning,
                self._database.file,
                free_disk_bytes=place.free_disk_bytes,
                log_bytes=place.log_bytes,
            )
