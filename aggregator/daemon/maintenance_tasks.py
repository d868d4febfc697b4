"""The maintenance tasks of the daemon: short steps of the placing thread, and jobs in threads of their own."""

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.admin import backup_folder
from aggregator.config.messages import pluralise
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

LOOK_SECONDS = 10.0  # between two checks whether a backup or a digest is due
MUTES_CHECK_SECONDS = 3600.0
OUTBOX_CHECK_SECONDS = 3600.0  # between two deletions of ended webhook deliveries


def maintenance(
    config: Config,
    services: DaemonServices,
    pipeline: Pipeline,
    webhooks: "WebhookThreads",
    plan: RetentionPlan,
) -> Maintenance:
    """Return the schedule of all tasks of one configuration."""
    batch = config.effective_tuning.values("placing")["batch_articles"]
    minute = config.effective_tuning.values("retention")["check_seconds"]
    window = timedelta(days=config.effective_tuning.values("events")["window_days"])
    database = services.database
    fenced = services.lock.fenced
    now = services.now
    digest_made = None  # when the digest that this process made last was due

    def correct_times(_stops: Stop) -> None:
        """Correct stories whose time is in the future because of a wrong clock."""
        time = now()
        if count := fenced.transact(lambda writing: pull_back(writing, time, batch)):
            pipeline.free_memory()  # the rows of these stories in memory are outdated
            log.warning(
                "the clock was ahead; corrected the time of %s",
                pluralise(count, "story", "stories"),
                extra={"event": "story_times_corrected"},
            )

    def end_mutes(_stops: Stop) -> None:
        """Remove the mutes of storylines without a report in the window, because no article can join them."""
        since = now() - window
        fenced.transact(lambda writing: end_rested(writing, since))

    def back_up(stops: Stop) -> None:
        """Make a backup if one is due; a person may have made one since the last check."""
        due = backup_folder.backup_state(config, database, now()).next
        if due is not None and due <= now():
            backup_folder.back_up_gently(config, database, now(), stops)

    def make_digest(_stops: Stop) -> None:
        """Store the digest that is due, once. After a restart, the outbox tells whether it was made already."""
        nonlocal digest_made
        due = config.digest.last_due(now())
        if due is not None and due != digest_made and webhooks.make_digest(due):
            digest_made = due

    steps = (
        MaintenanceTask("checkpoint", minute, lambda _: database.truncate_log()),
        MaintenanceTask("clock", minute, correct_times),
        MaintenanceTask("retention", minute, Retention(pipeline.placer, plan).step),
        MaintenanceTask(
            "storylines", minute, lambda _: compare_stored(pipeline.placer)
        ),
        MaintenanceTask("mutes", MUTES_CHECK_SECONDS, end_mutes),
        MaintenanceTask(
            "outbox", OUTBOX_CHECK_SECONDS, lambda _: webhooks.dispatcher.prune()
        ),
    )
    jobs = []
    if database.is_sqlite:
        jobs.append(MaintenanceTask("backup", LOOK_SECONDS, back_up))
    elif config.backup.every is not None:
        log.info(
            "PostgreSQL is not backed up by this program: use pg_dump (aggregator db backup prints the "
            "command); `backup: {every: never}` in config.yaml ends this message",
            extra={"event": "server_backup_left_out"},
        )
    if config.digest.every != "never":
        jobs.append(MaintenanceTask("digest", LOOK_SECONDS, make_digest))
    return Maintenance(steps, jobs, is_writer=lambda: services.lock.is_held)
