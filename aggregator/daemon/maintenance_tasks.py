"""The maintenance tasks of the daemon; docs/operating.md lists them."""

import datetime as dt
import logging
from functools import partial
from typing import TYPE_CHECKING

from aggregator.admin import backup_folder
from aggregator.config.messages import counted
from aggregator.config.settings import Config
from aggregator.daemon.maintenance import Maintenance, MaintenanceTask
from aggregator.daemon.services import DaemonServices
from aggregator.grouping.deletion.retention import Retention, RetentionPlan
from aggregator.grouping.placing.compare_stored import compare_stored
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.prepare import Stop
from aggregator.store.read.browser_mutes import end_rested
from aggregator.store.stories.future_bumps import pull_back

if TYPE_CHECKING:
    from aggregator.deliver.threads import WebhookThreads

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0  # between two looks at the last backup and the last digest
MUTES_CHECK_SECONDS = 3600.0
OUTBOX_CHECK_SECONDS = 3600.0  # between two deletions of ended webhook deliveries


class MaintenanceTasks:
    """The tasks of one configuration."""

    def __init__(
        self,
        config: Config,
        services: DaemonServices,
        pipeline: Pipeline,
        webhooks: "WebhookThreads",
    ) -> None:
        self._config = config
        self._services = services
        self._pipeline = pipeline
        self._webhooks = webhooks
        self._digest_made: dt.datetime | None = None  # the last one that was looked at

    def maintenance(self, plan: RetentionPlan) -> Maintenance:
        """Return the schedule of all tasks."""
        batch = self._config.effective_tuning.values("placing")["batch_articles"]
        minute = self._config.effective_tuning.values("retention")["check_seconds"]
        steps = (
            MaintenanceTask(
                "checkpoint", minute, lambda _: self._services.database.truncate_log()
            ),
            MaintenanceTask("clock", minute, partial(self._correct_times, batch)),
            MaintenanceTask(
                "retention", minute, Retention(self._pipeline.placer, plan).step
            ),
            MaintenanceTask(
                "storylines",
                minute,
                lambda _: compare_stored(self._pipeline.placer),
            ),
            MaintenanceTask("mutes", MUTES_CHECK_SECONDS, self._end_mutes),
            MaintenanceTask(
                "outbox",
                OUTBOX_CHECK_SECONDS,
                lambda _: self._webhooks.dispatcher.prune(),
            ),
        )
        jobs = []
        if self._services.database.is_sqlite:
            jobs.append(MaintenanceTask("backup", LOOK_SECONDS, self._back_up))
        elif self._config.backup.every is not None:
            log.info(
                "PostgreSQL is not backed up by this program: use pg_dump (aggregator db backup prints the "
                "command); `backup: {every: never}` in config.yaml ends this message",
                extra={"event": "server_backup_left_out"},
            )
        if self._config.digest.every != "never":
            jobs.append(MaintenanceTask("digest", LOOK_SECONDS, self._make_digest))
        return Maintenance(steps, jobs, is_writer=lambda: self._services.lock.is_held)

    def _correct_times(self, batch: int, _stops: Stop) -> None:
        """Correct stories whose time is in the future because of a wrong clock."""
        now = self._services.now()
        if count := self._services.lock.fenced.transact(
            lambda writing: pull_back(writing, now, batch)
        ):
            self._pipeline.rest()  # it has rows of stories in memory
            log.warning(
                "the clock was ahead; corrected the time of %s",
                counted(count, "story", "stories"),
                extra={"event": "story_times_corrected"},
            )

    def _end_mutes(self, _stops: Stop) -> None:
        """Remove the mutes of storylines that rest."""
        now = self._services.now()
        self._services.lock.fenced.transact(lambda writing: end_rested(writing, now))

    def _back_up(self, stops: Stop) -> None:
        """Make a backup if it is due: the last one may have been made by a person."""
        now = self._services.now
        due = backup_folder.due_at(self._config, self._services.database, now())
        if due is not None and due <= now():
            backup_folder.back_up_gently(
                self._config, self._services.database, now(), stops
            )

    def _make_digest(self, _stops: Stop) -> None:
        """Store the digest that is due, once: which ones were made is in the outbox."""
        due = self._config.digest.last_due(self._services.now())
        if (
            due is not None
            and due != self._digest_made
            and self._webhooks.make_digest(due)
        ):
            self._digest_made = due
