"""All threads that run under one configuration.

    scheduler   looks every second: sources and pages that are due → fetch threads (daemon/poll_scheduler.py)
    placing     inbox → stories, full-text index, rendering, short tasks (daemon/writer_loop.py)
    maintenance long jobs, such as a backup; APScheduler's own thread schedules (daemon/maintenance.py)
    webhooks    changes → outbox, and one thread per webhook that sends (deliver)

The writer lease outlives a configuration and belongs to the daemon, which also starts the web server. A stop
interrupts work under way; the next Runtime repeats it, and it does not count as failed.
"""

import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from aggregator.admin import backup_folder
from aggregator.config.configured_access import configured_access
from aggregator.config.messages import NO_SOURCES, pluralise
from aggregator.config.settings import Config
from aggregator.daemon.clock_check import newest_own_date, why_clock_is_behind
from aggregator.daemon.due_jobs import TICK_SECONDS
from aggregator.daemon.maintenance_tasks import maintenance
from aggregator.daemon.poll_scheduler import PollScheduler
from aggregator.daemon.services import DaemonServices
from aggregator.daemon.watchdog import ServiceTuning, Watchdog
from aggregator.daemon.writer_loop import WriterLoop
from aggregator.grouping.deletion.retention import retention_plan
from aggregator.intake.configured import mutes_of, story_options
from aggregator.intake.manage.configured_sources import follow_config
from aggregator.intake.manage.feed_check import FeedReader, SourceServices
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.polling.page_fetch import PollServices
from aggregator.intake.polling.poll import Poller
from aggregator.intake.polling.quiet_polls import QuietPolls
from aggregator.intake.workers.factory import open_executor
from aggregator.model.errors import AggregatorError
from aggregator.model.health_report import ProcessState
from aggregator.publish.output_settings import publish_settings
from aggregator.sources.fetch.client import client_of
from aggregator.store.intake import rejected
from aggregator.store.intake.source_rows import UNWRITTEN, all_due
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import counter_value
from aggregator.web.health.monitor import HealthMonitor
from aggregator.web.health.process_tree import why_few_files

if TYPE_CHECKING:
    from aggregator.deliver.threads import WebhookThreads
    from aggregator.web.server import Server

log = logging.getLogger(__name__)

# The clock counts as set if, between two ticks, it moved this much more or less than the monotonic clock.
_JUMP_SECONDS = 5.0


class Runtime:
    """All parts of one configuration. Creating it starts nothing and changes nothing."""

    def __init__(self, config: Config, services: DaemonServices) -> None:
        """Raises ConfigError or another AggregatorError for a configuration that cannot be run."""
        self.config = config
        self._services = services
        self._stopping = threading.Event()
        self.watchdog = Watchdog(
            config.effective_tuning.section("watchdog", ServiceTuning).stalled_seconds,
            services.check_seconds,
        )
        plan = retention_plan(config)
        configured = configured_access(config)
        self._client = client_of(config, services.metrics_registry)
        self._webhooks = self._make_webhooks()
        # The executor comes after the parts that may raise an error, because it must be closed.
        self._executor = open_executor(
            config.work.executor,
            config.work.worker_count(spared=1),
            config.effective_tuning,
            services.metrics_registry,
        )
        self._pipeline = Pipeline(
            services.lock.fenced,
            self._executor,
            config.effective_tuning,
            services.now,
            story_options(config),
            metrics_registry=services.metrics_registry,
        )
        self._poll_scheduler = PollScheduler(
            Poller(
                PollServices(
                    services.database,
                    self._client,
                    self._executor,
                    config.effective_tuning,
                    services.now,
                    self._stopping.is_set,
                    configured,
                    quiet_polls=QuietPolls(UNWRITTEN),
                    slow_pages=self._pipeline.slow_pages,
                ),
                robots=config.fetch.robots,
                pages=config.fetch.pages,
                mutes=mutes_of(config),
            ),
            arrived=services.arrived.set,
        )
        self._maintenance = maintenance(
            config, services, self._pipeline, self._webhooks, plan
        )
        self.writer_loop = WriterLoop(
            services,
            config.effective_tuning,
            self._pipeline,
            self._maintenance,
            heartbeat=lambda: self.watchdog.heartbeat("placing"),
            took_over=self._took_over,
            indexed=self._webhooks.wake,
        )
        self._ticking = threading.Thread(
            target=self._tick_each_second, name="scheduler", daemon=True
        )
        self._is_away = False  # the database did not answer the last tick
        self._newest_own_date = newest_own_date()
        # Why no first reading begins
        self._clock_problem: str | None = None

    def web_server(self) -> "Server":
        """Return the web server, not started."""
        from aggregator.store.read.marks.read_marks import ReadMarks
        from aggregator.web.api.push_endpoint import PushEndpoint
        from aggregator.web.dependencies import Services
        from aggregator.web.editor import EditorService
        from aggregator.web.server import Server

        services = self._services
        database = services.database.with_read_timeout()
        now = services.now
        arrived = services.arrived.set
        all_tuning = self.config.effective_tuning
        return Server(
            StoryReader(database, all_tuning),
            publish_settings(self.config),
            Services(
                push=PushEndpoint(
                    database,
                    all_tuning,
                    now,
                    fetch_pages=self.config.fetch.pages != "never",
                    arrived=arrived,
                ),
                editor=EditorService(database, all_tuning, now, arrived=arrived),
                watch=HealthMonitor(
                    all_tuning,
                    database,
                    services.metrics_registry,
                    process=self.process,
                    backups=lambda: backup_folder.backup_state(
                        self.config, database, now()
                    ),
                    now=now,
                ),
                marks=ReadMarks(database, now),
                sources=SourceServices(
                    self.config,
                    database,
                    FeedReader(self.config, self._client, self._executor),
                ),
            ),
        )

    def process(self) -> ProcessState:
        """Return the state of the process, without a query to the database."""
        return ProcessState(
            role="writer" if self._services.lock.is_held else "standby",
            started_at=self._services.started_at,
            placing_started=self.writer_loop.has_begun,
            stalled=tuple(self.watchdog.stalled()),
            trouble=self.writer_loop.trouble,
            workers=self._executor.trouble,
            last_reload=self._services.last_reload(),
            failed_tasks=self._maintenance.failures(),
            few_files=why_few_files(),
            clock_problem=self._clock_problem,
            slow_sources=tuple(self._pipeline.slow_pages.resting()),
        )

    def start(self) -> None:
        """Start all threads.

        When this returns, a writer whose database answers has stored the configured sources and webhooks.
        """
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
        """After `stop`, wait at most `seconds` for all threads; return the parts that still run, in words."""
        deadline = time.monotonic() + seconds

        def left() -> float:
            return max(0.0, deadline - time.monotonic())

        running = []
        if self.writer_loop.join(left()):
            running.append("placing")
        if self._maintenance.join(left()):
            running.append("a maintenance task")
        if fetches := self._poll_scheduler.join(left()):
            running.append(pluralise(fetches, "fetch", "fetches"))
        if sender := self._webhooks.join(left()):
            running.append(pluralise(sender, "webhook"))
        self.watchdog.drop("scheduler", "webhooks")
        return running

    def _make_webhooks(self) -> "WebhookThreads":
        """Return the threads that send, not started. Raises ConfigError for a bad recipient."""
        from aggregator.config.webhook_settings import DIGEST, recipients_from
        from aggregator.deliver.delivery_bodies import DeliveryWriter
        from aggregator.deliver.dispatcher import WebhookDispatcher
        from aggregator.deliver.sender import WebhookSender
        from aggregator.deliver.threads import WebhookThreads
        from aggregator.deliver.transmit import Transmitter, outgoing_client
        from aggregator.web.feeds.digest_feeds import digest_mail

        services = self._services
        database = services.lock.fenced
        now = services.now
        all_tuning = self.config.effective_tuning
        settings = publish_settings(self.config)
        reader = StoryReader(database, all_tuning)
        recipients = recipients_from(self.config)
        transmitter = Transmitter(outgoing_client(self.config), all_tuning, now)
        writer = DeliveryWriter(
            reader, settings, all_tuning, partial(digest_mail, reader, settings)
        )
        senders = {
            recipient.name: WebhookSender(
                database, recipient, writer, transmitter, all_tuning, now
            )
            for recipient in recipients
            if recipient.name != DIGEST
        }
        return WebhookThreads(
            WebhookDispatcher(database, recipients, all_tuning, now),
            senders,
            transmitter.close,
            is_writer=lambda: services.lock.is_held,
            heartbeat=lambda: self.watchdog.heartbeat("webhooks"),
            failed=services.failed,
        )

    def _tick_each_second(self) -> None:
        """Tick by the monotonic clock, and detect jumps of the wall clock."""
        offset = time.time() - time.monotonic()
        while not self._stopping.is_set():
            self.watchdog.heartbeat("scheduler")
            try:
                if self.writer_loop.is_writing and not self._waits_for_clock():
                    self._poll_scheduler.tick()
            # The database does not answer; the next tick tries again.
            except AggregatorError as error:
                if not self._is_away:
                    log.error(  # noqa: TRY400
                        "fetching failed: %s",
                        error,
                        extra={"event": "scheduling_failed"},
                    )
                self._is_away = True
            except Exception as error:  # noqa: BLE001 - it would fail each second, and nothing would be fetched
                self._services.failed(error)
            else:
                self._is_away = False
            before = offset
            offset = time.time() - time.monotonic()
            if abs(offset - before) > _JUMP_SECONDS:
                self._maintenance.clock_jumped()
            self._stopping.wait(TICK_SECONDS)

    def _waits_for_clock(self) -> bool:
        """Return whether a first reading must wait, because the clock is behind the program's own files."""
        services = self._services
        problem = why_clock_is_behind(services.now(), self._newest_own_date)
        if problem is not None:
            with services.database.read() as connection:
                if counter_value(connection, "entry"):
                    problem = None
        if problem is not None and self._clock_problem is None:
            log.warning("%s", problem, extra={"event": "clock_behind"})
        self._clock_problem = problem
        return problem is not None

    def _took_over(self) -> None:
        """Apply the configuration to the database, because this process became the writer.

        Store the configured sources and webhooks, queue the entries that are no longer muted, and correct due times
        that are too far ahead.
        """
        now = self._services.now()
        with self._services.lock.fenced.write() as connection:
            follow_config(connection, self.config, now)
            sources = all_due(connection)
        if not sources:
            log.info("%s", NO_SOURCES, extra={"event": "no_sources"})
        holds = mutes_of(self.config).holds
        while not self._stopping.is_set() and (
            queued := self._services.lock.fenced.transact(
                lambda writing: rejected.unmute(writing, holds)
            )
        ):
            self.watchdog.heartbeat("placing")
            log.info(
                "%s no longer muted",
                pluralise(queued, "entry", "entries"),
                extra={"event": "entries_unmuted"},
            )
        self._poll_scheduler.cap_due_times(now)
        self._webhooks.dispatcher.sync_webhooks()
