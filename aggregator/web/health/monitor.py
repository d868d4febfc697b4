"""The state of the daemon, and its problems as text.

Reading the snapshot of the database may take as long as the database needs; a probe waits for it within a
limit (probes.py). The report needs memory only.
"""

from collections.abc import Callable
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from aggregator import __version__
from aggregator.config.tuning import Tuning
from aggregator.model.clock import Clock
from aggregator.model.counters import Metrics
from aggregator.model.health_report import (
    BackupState,
    HealthReport,
    HealthSnapshot,
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
from aggregator.web.health.metrics import Scrape
from aggregator.web.health.process_tree import process_tree

# The database must answer a probe within this time; usual probes wait 5 to 10 s (chosen).
PROBE_SECONDS = 2.0


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
        self._all_tuning = all_tuning

    def probe_write(self) -> None:
        """See `Database.probe_write`."""
        self._database.probe_write()

    def snapshot(self) -> HealthSnapshot:
        """Read the state of the database. Raises AggregatorError if it does not answer."""
        now = self._now()
        with self._database.read() as connection:
            return HealthSnapshot(
                at=now,
                stored=database_status.read_status(
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
        now = self._now()
        findings = [*of_process(process)]
        problems = [*findings]
        writable = right_tables = False
        if snapshot is None:
            words = f"the database did not answer within {PROBE_SECONDS:g} s"
            advice = "journalctl -u aggregator -n 100; check its server or disk"
            findings.insert(0, problem(words, advice))
            problems.insert(0, findings[0])
        else:
            writable = snapshot.why_not_writable is None
            right_tables = snapshot.revision == newest_revision()
            if not right_tables:
                words = "the database was changed by another version of this program; start the daemon again"
                problems.append(problem(words, "systemctl restart aggregator"))
            problems += of_database(
                why_not_writable=snapshot.why_not_writable,
                stored=snapshot.stored,
                backup=snapshot.backup,
            )
            if self._database.file is not None:
                problems += of_file(
                    self._all_tuning,
                    self._database.file,
                    free_disk_bytes=snapshot.place.free_disk_bytes,
                    log_bytes=snapshot.place.log_bytes,
                )
        status: Literal["ok", "degraded", "down"] = "degraded" if problems else "ok"
        if not writable:
            status = "down"
        return HealthReport(
            status=status,
            role=process.role,
            version=__version__,
            rules_version=self._all_tuning.version,
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
