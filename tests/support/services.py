"""All services of a web server over a database, for tests that ask for its pages, feeds and JSON."""

from typing import Any

from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.intake.manage.feed_check import FeedReader, SourceServices
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.clock import Clock, utc_now
from aggregator.model.counters import Metrics
from aggregator.model.health_report import BackupState, ProcessState
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.read.marks.read_marks import ReadMarks
from aggregator.web.api.push_endpoint import PushEndpoint
from aggregator.web.dependencies import Services
from aggregator.web.editor import EditorService
from aggregator.web.health.monitor import HealthMonitor


def all_services(
    database: Database,
    now: Clock = utc_now,
    all_tuning: Tuning | None = None,
    **own: Any,
) -> Services:
    """The services of a daemon that is well and fetches nothing; `own` replaces some of them."""
    tuning = all_tuning or Tuning()
    started = now()
    config = Config()
    reader = FeedReader(config, Client(ClientSettings(), tuning), InlineExecutor())
    services = Services(
        push=PushEndpoint(database, tuning, now),
        editor=EditorService(database, tuning, now),
        watch=HealthMonitor(
            tuning,
            database,
            Metrics(),
            process=lambda: ProcessState(
                role="writer", started_at=started, placing_started=True
            ),
            backups=BackupState,
            now=now,
        ),
        marks=ReadMarks(database, now),
        sources=SourceServices(config, database, reader),
    )
    return services._replace(**own)
