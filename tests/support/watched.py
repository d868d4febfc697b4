"""A server over a database whose health a test describes."""

from pathlib import Path
from typing import Any

import httpx
import yaml
from msgspec import convert
from prometheus_client.parser import text_string_to_metric_families as read_metrics

from aggregator.admin.backup_folder import backup_state
from aggregator.config.loader import load
from aggregator.model.counters import Metrics
from aggregator.model.health_report import ProcessState
from aggregator.publish.output_settings import publish_settings
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.web.health.monitor import HealthMonitor
from aggregator.web.server import Server
from tests.support.articles import Clock, Rig
from tests.support.services import all_services
from tests.support.waiting import PATIENCE_SECONDS


class Watched:
    """A server over a database, with a daemon that says what a test has it say."""

    def __init__(self, folder: Path, database: Database, **settings: Any) -> None:
        file = folder / "watched.yaml"
        given = {
            "database": database.url,
            "server": {"port": 0},
            "backup": {"every": "never"},
        }
        file.write_text(yaml.safe_dump(given | settings))
        config = self.config = load(file)
        self.clock = Clock()
        self.database = database
        self.metrics_registry = Metrics()
        self.says()
        all_tuning = config.effective_tuning
        self.vitals = HealthMonitor(
            all_tuning,
            database,
            self.metrics_registry,
            process=lambda: self.process,
            backups=lambda: backup_state(config, database, self.clock()),
            now=self.clock,
        )
        self.rig = Rig(database, self.clock, all_tuning)
        self.server = Server(
            StoryReader(database, all_tuning),
            publish_settings(config),
            all_services(database, self.clock, all_tuning, watch=self.vitals),
        )
        self.client = httpx.Client(
            base_url=self.server.start(), trust_env=False, timeout=PATIENCE_SECONDS
        )

    def says(self, **more: Any) -> None:
        """What the daemon says of itself from now on: that it is well, but for `more`."""
        given = {"role": "writer", "started_at": self.clock(), "placing_started": True}
        self.process = convert(given | more, ProcessState)

    def metrics(self) -> dict[str, float]:
        """Every sample, by its name and labels."""
        answer = self.client.get("/metrics")
        assert answer.status_code == 200
        return {
            _key(sample.name, sample.labels): sample.value
            for family in read_metrics(answer.text)
            for sample in family.samples
        }

    def close(self) -> None:
        self.client.close()
        self.server.stop()


def _key(name: str, labels: dict[str, str]) -> str:
    return name + "".join(
        f"{{{label}={value}}}" for label, value in sorted(labels.items())
    )
