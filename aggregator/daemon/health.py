"""The state of the daemon: a snapshot of the database, and the problems as text.

Reading the snapshot may take as long as the database needs; a probe waits for it within a limit
(web/health.py). The report needs memory only.
"""

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from aggregator import __version__
from aggregator.admin.backup import backup_state
from aggregator.config.settings import Config
from aggregator.daemon.process_memory import process_tree
from aggregator.model.counters import Metrics
from aggregator.model.health_report import (
    BackupState,
    Finding,
    HealthCheckTuning,
    HealthReport,
    HealthSnapshot,
    ProcessState,
)
from aggregator.store.engine.database import Database
from aggregator.store.maintenance.retention import progress
from aggregator.store.migrate import newest_revision
from aggregator.store.read import health_probes
from aggregator.store.read.health_probes import of_database, of_process, problem


class HealthMonitor:
    """State of one daemon. `snapshot` may wait for the database; the other methods do not wait."""

    def __init__(
        self,
        config: Config,
        database: Database,
        metrics_registry: Metrics,
        process: Callable[[], ProcessState],
        now: Callable[[], dt.datetime],
    ) -> None:
        """`process` returns the state that only the daemon knows; it must not wait."""
        self._config = config
        self._database = database
        self._now = now
        self.metrics_registry = metrics_registry
        self.process = process
        all_tuning = config.effective_tuning
        self.tuning = all_tuning.section("health_checks", HealthCheckTuning)
        self.rules_version = all_tuning.version
        self._recovered_after: int = all_tuning.values("webhooks")["recovered_after"]
        self._events: Counter[str] = Counter()  # events of the story log since the start, by kind
        self._log_read_to: int | None = None
        self._counting = threading.Lock()

    def snapshot(self) -> HealthSnapshot:
        """Read the state of the database. Raises AggregatorError if it does not answer."""
        now = self._now()
        before = self._log_read_to
        with self._database.read() as connection:
            end = health_probes.log_end(connection)
            lines = {} if before is None else health_probes.log_kinds(connection, before, end)
            found = HealthSnapshot(
                at=now,
                stored=health_probes.stored(connection, now, self._recovered_after),
                place=health_probes.place(self._database, connection),
                sources=tuple(health_probes.sources(connection, self.tuning.sources_labelled)),
                why_not_writable=self._database.why_not_writable(connection),
                revision=health_probes.revision(connection),
                retention=progress(connection),
            )
        return msgspec.structs.replace(found, events=self._counted(before, end, lines))

    def backups(self) -> BackupState:
        """Return the state of the backups. Their folder may be on a disk that does not answer."""
        return backup_state(self._config, self._database, self._now())

    def _counted(self, before: int | None, end: int, lines: dict[str, int]) -> dict[str, int]:
        """Return all events since the first snapshot; of two concurrent snapshots one is counted."""
        with self._counting:
            if self._log_read_to == before:
                self._events.update(lines)
                self._log_read_to = end
            return dict(self._events)

    def metrics(self, snapshot: HealthSnapshot | None, accept: str) -> tuple[bytes, str]:
        """Return all metrics in the format of the header `accept`, and its content type."""
        from aggregator.daemon.metrics import Scrape, exposition  # 0.1 s of imports, only for a scrape

        condition, memory = self.condition(snapshot), process_tree()
        scrape = Scrape(
            self.process(), condition, memory, snapshot, self.metrics_registry, self.rules_version
        )
        return exposition(scrape, accept)

    def condition(self, snapshot: HealthSnapshot | None) -> HealthReport:
        """Return the report; `snapshot` is None if the database did not answer."""
        process, now = self.process(), self._now()
        own = tuple(of_process(process))
        if snapshot is None:
            words = f"the database did not answer within {self.tuning.probe_seconds:g} s"
            own = (problem(words, "journalctl -u aggregator -n 100; check its server or disk"), *own)
        problems = (*own, *(self._of_the_database(snapshot) if snapshot else ()))
        writable = snapshot is not None and snapshot.why_not_writable is None
        right_tables = snapshot is not None and snapshot.revision == newest_revision()
        return HealthReport(
            status="down" if snapshot is None or not writable else "degraded" if problems else "ok",
            role=process.role,
            version=__version__,
            rules_version=self.rules_version,
            uptime_seconds=max(0.0, (now - process.started_at).total_seconds()),
            writable=writable,
            ready=right_tables
            and not process.stalled
            and (process.role == "standby" or process.placing_started),
            problems=tuple(one.what for one in problems),
            process_problems=tuple(one.what for one in own),
            process_findings=own,
            stored=None if snapshot is None else snapshot.stored,
            place=None if snapshot is None else snapshot.place,
            backup=None if snapshot is None else snapshot.backup,
            retention=None if snapshot is None else snapshot.retention,
            last_reload=process.last_reload,
        )

    def _of_the_database(self, snapshot: HealthSnapshot) -> Iterator[Finding]:
        if snapshot.revision != newest_revision():
            words = "the database was changed by another version of this program; start the daemon again"
            yield problem(words, "systemctl restart aggregator")
        yield from of_database(
            self.tuning,
            why_not_writable=snapshot.why_not_writable,
            stored=snapshot.stored,
            place=snapshot.place,
            file=self._database.file,
            backup=snapshot.backup,
        )
