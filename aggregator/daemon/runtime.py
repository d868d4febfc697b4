"""All threads that run under one configuration.

    scheduler   looks every second: sources and pages that are due → fetch threads (daemon/poll_scheduler.py)
    placing     inbox → stories, full-text index, rendering, short tasks (daemon/writer_loop.py)
    maintenance long jobs, such as a backup; APScheduler's own thread schedules (daemon/writer_loop.py)
    webhooks    changes → outbox, and one thread per webhook that sends (deliver)
    summaries   asks `summarise:` for texts of stories (deliver/summariser.py)

The writer lease outlives a configuration and belongs to the daemon, which also starts the web server. A stop
interrupts work under way; the next Runtime repeats it, and it does not count as failed.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from aggregator.admin import backup_folder
from aggregator.config.messages import NO_SOURCES, counted
from aggregator.config.settings import Config
from aggregator.config.source_access import configured_access
from aggregator.daemon.maintenance import Maintenance, MaintenanceTask, Stops
from aggregator.daemon.poll_scheduler import TICK_SECONDS, PollScheduler
from aggregator.daemon.watchdog import ServiceTuning, Watchdog
from aggregator.daemon.writer_loop import WriterCallbacks, WriterLoop
from aggregator.grouping.deletion.retention import retention_plan
from aggregator.intake.configured import mutes_of, story_options
from aggregator.intake.manage.configured_sources import follow_config
from aggregator.intake.manage.feed_check import FeedReader, SourceServices
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.polling.page_fetch import PollServices
from aggregator.intake.polling.poll import Poller
from aggregator.intake.polling.quiet_polls import QuietPolls
from aggregator.intake.workers.factory import open_executor
from aggregator.model.counters import Metrics
from aggregator.model.errors import AggregatorError
from aggregator.model.health_report import ProcessState, Reload
from aggregator.publish.settings import publish_settings
from aggregator.sources.fetch.client import client_of
from aggregator.store.engine.database import Database
from aggregator.store.engine.writer_lease import WriterLease
from aggregator.store.intake import rejected
from aggregator.store.intake.sources import UNWRITTEN, all_due
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories.future_bumps import pull_back
from aggregator.stories.tuning import StoryTuning
from aggregator.web.health.monitor import HealthMonitor
from aggregator.web.health.process_tree import why_few_files

if TYPE_CHECKING:
    from aggregator.deliver.summariser import Summariser
    from aggregator.deliver.threads import WebhookThreads
    from aggregator.web.server import Server

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0  # between two looks at the last backup and the last digest
OUTBOX_CHECK_SECONDS = 3600.0  # between two deletions of ended webhook deliveries
# A difference to the monotonic clock from which the clock counts as set
_JUMP_SECONDS = 5.0


class DaemonServices(NamedTuple):
    """What the daemon provides to a Runtime."""

    database: Database
    lock: WriterLease
    now: Callable[[], dt.datetime]
    check_seconds: float  # interval of the watchdog
    arrived: threading.Event  # set when entries wait for placing
    failed: Callable[[BaseException], None]  # receives the error that ends the daemon
    rested: Callable[[], None]  # called when nothing was placed for a while
    metrics_registry: Metrics
    started_at: dt.datetime
    last_reload: Callable[[], Reload | None]


class Runtime:
    """All parts of one configuration. Creating it starts nothing and changes nothing."""

    def __init__(self, config: Config, services: DaemonServices) -> None:
        """Raises ConfigError or another AggregatorError for a configuration that cannot be run."""
        self.config = config
        self._services = services
        self._stopping = threading.Event()
        all_tuning = config.effective_tuning
        service = all_tuning.section("watchdog", ServiceTuning)
        self.watchdog = Watchdog(service.stalled_seconds, services.check_seconds)
        self._plan = retention_plan(config)
        self._configured = configured_access(config)
        self._client = client_of(config, services.metrics_registry)
        self._summariser = self._make_summariser()
        self._webhooks = self._make_webhooks()
        # After everything that may raise, because it must be closed.
        self._executor = open_executor(
            config.work.executor,
            config.work.worker_count(spared=1),
            all_tuning,
            services.metrics_registry,
        )
        self._digest_made: dt.datetime | None = None  # the last one that was looked at
        self._pipeline = Pipeline(
            services.lock.fenced,
            self._executor,
            all_tuning,
            services.now,
            story_options(config),
            metrics_registry=services.metrics_registry,
        )
        self._poll_scheduler = self._make_poll_scheduler()
        self._maintenance = self._make_maintenance()
        self.writer_loop = WriterLoop(
            services.database,
            services.lock,
            self._pipeline,
            self._maintenance,
            story_tuning=all_tuning.section("stories", StoryTuning),
            tuning=service,
            arrived=services.arrived,
            tell=WriterCallbacks(
                heartbeat=lambda: self.watchdog.heartbeat("placing"),
                took_over=self._took_over,
                rested=services.rested,
                indexed=self._webhooks.wake,
                failed=services.failed,
            ),
        )
        self._ticking = threading.Thread(
            target=self._tick_each_second, name="scheduler", daemon=True
        )
        self._is_away = False  # the database did not answer the last tick

    def web_server(self) -> "Server":
        """Return the web server, not started."""
        from aggregator.store.read.marks.read_marks import ReadMarks
        from aggregator.web.api.push_endpoint import PushEndpoint
        from aggregator.web.dependencies import Services
        from aggregator.web.editor import EditorService
        from aggregator.web.server import Server

        services = self._services
        database, now, arrived = (
            services.database.with_read_timeout(),
            services.now,
            services.arrived.set,
        )
        all_tuning = self.config.effective_tuning
        push_endpoint = PushEndpoint(
            database,
            all_tuning,
            now,
            fetch_pages=self.config.fetch.pages != "never",
            arrived=arrived,
        )
        editor = EditorService(database, all_tuning, now, arrived=arrived)
        health = HealthMonitor(
            all_tuning,
            database,
            services.metrics_registry,
            process=self.process,
            backups=lambda: backup_folder.backup_state(self.config, database, now()),
            now=now,
        )
        return Server(
            StoryReader(database, all_tuning),
            publish_settings(self.config),
            Services(
                push=push_endpoint,
                editor=editor,
                watch=health,
                marks=ReadMarks(database, now),
                sources=SourceServices(
                    self.config,
                    database,
                    FeedReader(self.config, self._client, self._executor),
                ),
            ),
        )

    def process(self) -> ProcessState:
        """Return the state, without a query."""
        return ProcessState(
            role="writer" if self._services.lock.is_held else "standby",
            started_at=self._services.started_at,
            placing_started=self.writer_loop.has_begun,
            stalled=tuple(self.watchdog.stalled()),
            trouble=self.writer_loop.trouble,
            workers=self._executor.trouble,
            last_reload=self._services.last_reload(),
            failed_tasks=self._maintenance.failures(),
            summaries=None if self._summariser is None else self._summariser.problem,
            few_files=why_few_files(),
            slow_sources=tuple(self._pipeline.slow_pages.resting()),
        )

    def start(self) -> None:
        """Start all threads. In the writer, sources and webhooks are synchronised when this returns."""
        self.writer_loop.start()
        self._webhooks.start()
        self._maintenance.start()
        self.watchdog.heartbeat("scheduler")
        self._ticking.start()

    def stop(self) -> None:
        """Interrupt all work; `drain` waits for its end."""
        self._stopping.set()
        self._poll_scheduler.stop()
        self.writer_loop.stop()
        self._maintenance.stop()
        self._webhooks.stop()
        self._client.close()  # wakes threads that wait for a host or read from one
        self._executor.close()  # wakes threads that wait for a worker

    def drain(self, seconds: float) -> list[str]:
        """After `stop`: wait `seconds` for all threads; return what still runs, as text."""
        deadline = time.monotonic() + seconds

        def left() -> float:
            return max(0.0, deadline - time.monotonic())

        running = ["placing"] if self.writer_loop.join(left()) else []
        running += ["a maintenance task"] if self._maintenance.join(left()) else []
        if fetches := self._poll_scheduler.join(left()):
            running.append(counted(fetches, "fetch", "fetches"))
        if sender := self._webhooks.join(left()):
            running.append(counted(sender, "webhook"))
        self.watchdog.drop("scheduler", "webhooks")
        return running

    # --- its parts ----------------------------------------------------------------------------------------

    def _make_webhooks(self) -> "WebhookThreads":
        from aggregator.deliver.threads import webhook_threads
        from aggregator.web.feeds.digests import digest_mail

        services = self._services
        settings = publish_settings(self.config)
        reader = StoryReader(services.lock.fenced, self.config.effective_tuning)
        return webhook_threads(
            self.config,
            settings,
            reader,
            services.lock.fenced,
            services.now,
            summariser=self._summariser,
            write_digest=partial(digest_mail, reader, settings),
            is_writer=lambda: services.lock.is_held,
            heartbeat=lambda: self.watchdog.heartbeat("webhooks"),
            failed=services.failed,
        )

    def _make_summariser(self) -> "Summariser | None":
        if self.config.summarise.url is None:
            return None
        from aggregator.deliver.summariser import summariser_of

        return summariser_of(
            self.config, self._services.lock.fenced, self._services.now
        )

    def _make_poll_scheduler(self) -> PollScheduler:
        fetch, services = self.config.fetch, self._services
        shared = PollServices(
            services.database,
            self._client,
            self._executor,
            self.config.effective_tuning,
            services.now,
            self._stopping.is_set,
            self._configured,
            quiet_polls=QuietPolls(UNWRITTEN),
            slow_pages=self._pipeline.slow_pages,
        )
        return PollScheduler(
            Poller(
                shared,
                robots=fetch.robots,
                pages=fetch.pages,
                mutes=mutes_of(self.config),
            ),
            arrived=services.arrived.set,
        )

    def _make_maintenance(self) -> Maintenance:
        """Return the maintenance tasks; docs/operating.md lists them."""
        tuning = self.config.effective_tuning
        batch = tuning.values("placing")["batch_articles"]
        minute = tuning.values("retention")["check_seconds"]
        retention = self._pipeline.retention_job(self._plan)
        steps = (
            MaintenanceTask(
                "checkpoint", minute, lambda _: self._services.database.truncate_log()
            ),
            MaintenanceTask("clock", minute, partial(self._correct_times, batch)),
            MaintenanceTask("retention", minute, retention.step),
            MaintenanceTask(
                "outbox",
                OUTBOX_CHECK_SECONDS,
                lambda _: self._webhooks.dispatcher.prune(),
            ),
        )
        jobs = [MaintenanceTask("backup", LOOK_SECONDS, self._back_up)]
        if self.config.digest.every != "never":
            jobs.append(MaintenanceTask("digest", LOOK_SECONDS, self._make_digest))
        return Maintenance(steps, jobs, is_writer=lambda: self._services.lock.is_held)

    def _correct_times(self, batch: int, _stops: Stops) -> None:
        """Correct stories whose time is in the future because of a wrong clock."""
        now = self._services.now()
        if count := self._services.lock.fenced.transact(
            lambda writing: pull_back(writing, now, batch)
        ):
            self._pipeline.rest()  # it has rows of stories in memory
            stories = counted(count, "story", "stories")
            log.warning(
                "the clock was ahead; corrected the time of %s",
                stories,
                extra={"event": "story_times_corrected"},
            )

    def _back_up(self, stops: Stops) -> None:
        """Make a backup if it is due: the last one may have been made by a person."""
        config, database, now = self.config, self._services.database, self._services.now
        due = backup_folder.due_at(config, database, now())
        if due is not None and due <= now():
            backup_folder.back_up_gently(config, database, now(), stops)

    def _make_digest(self, _stops: Stops) -> None:
        """Store the digest that is due, once: which ones were made is in the outbox."""
        due = self.config.digest.last_due(self._services.now())
        if (
            due is not None
            and due != self._digest_made
            and self._webhooks.make_digest(due)
        ):
            self._digest_made = due

    # --- running ------------------------------------------------------------------------------------------

    def _tick_each_second(self) -> None:
        """Tick by the monotonic clock, and detect jumps of the wall clock."""
        offset = time.time() - time.monotonic()
        while not self._stopping.is_set():
            self._tick()
            before, offset = offset, time.time() - time.monotonic()
            if abs(offset - before) > _JUMP_SECONDS:
                self._maintenance.clock_jumped()
            self._stopping.wait(TICK_SECONDS)

    def _tick(self) -> None:
        self.watchdog.heartbeat("scheduler")
        try:
            if self.writer_loop.is_writing:
                self._poll_scheduler.tick()
        # The database does not answer; tried again in a second
        except AggregatorError as error:
            if not self._is_away:
                log.error(  # noqa: TRY400
                    "fetching failed: %s", error, extra={"event": "scheduling_failed"}
                )
            self._is_away = True
        except Exception as error:  # noqa: BLE001 - it would fail each second, and nothing would be fetched
            self._services.failed(error)
        else:
            self._is_away = False

    def _took_over(self) -> None:
        """Store the configured sources and webhooks: this process became the writer."""
        now = self._services.now()
        with self._services.lock.fenced.write() as connection:
            follow_config(connection, self.config, now)
            has_sources = bool(all_due(connection))
        if not has_sources:
            log.info("%s", NO_SOURCES, extra={"event": "no_sources"})
        holds = mutes_of(self.config).holds
        while not self._stopping.is_set() and (
            queued := self._services.lock.fenced.transact(
                lambda writing: rejected.unmute(writing, holds)
            )
        ):
            self.watchdog.heartbeat("placing")
            entries = counted(queued, "entry", "entries")
            log.info("%s no longer muted", entries, extra={"event": "entries_unmuted"})
        self._poll_scheduler.cap_due_times(now)
        self._webhooks.dispatcher.sync_webhooks()
