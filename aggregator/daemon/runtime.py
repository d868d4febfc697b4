"""All threads that run under one configuration.

    scheduler   every second: sources and pages that are due → fetch threads (daemon/poll_scheduler.py)
    placing     inbox → stories, full-text index, merged texts, short tasks (daemon/writer_loop.py)
    maintenance long jobs, such as a backup (daemon/maintenance.py)
    prefetch    in a standby: prepares texts for the writer (pipeline/prefetch.py)
    webhooks    changes → outbox, and one thread per webhook that sends (web/webhooks)

The writer lease and the web server outlive a configuration and belong to the daemon. A stop interrupts work
under way; the next Runtime repeats it, and it does not count as failed.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from aggregator.admin import backup
from aggregator.admin.manage_sources import configured_sources
from aggregator.config.messages import counted
from aggregator.config.settings import Config
from aggregator.daemon.maintenance import (
    MaintenanceJob,
    MaintenanceJobs,
    MaintenanceStep,
    MaintenanceSteps,
    TaskFailures,
)
from aggregator.daemon.poll_scheduler import TICK_SECONDS, PollScheduler
from aggregator.daemon.process_memory import why_few_files
from aggregator.daemon.watchdog import ServiceTuning, Watchdog
from aggregator.daemon.writer_loop import WriterCallbacks, WriterLoop
from aggregator.extract.wire.agencies import family_table
from aggregator.model.counters import Metrics
from aggregator.model.errors import AggregatorError
from aggregator.model.health_report import ProcessState, Reload
from aggregator.pipeline.pipeline import Pipeline
from aggregator.pipeline.placement.place import Placer
from aggregator.pipeline.placement.retention import retention_plan
from aggregator.pipeline.poll import Poller
from aggregator.pipeline.prefetch import Prefetcher, PrefetchThread
from aggregator.pipeline.watch_folder import FolderWatcher
from aggregator.pipeline.workers.factory import open_executor
from aggregator.sources.fetch.client import client_of
from aggregator.store.engine.database import Database
from aggregator.store.engine.writer_lease import LeaseTuning, WriterLease
from aggregator.store.intake.sources import sync_config
from aggregator.store.maintenance.repair import ClockTuning, FutureBumpRepair
from aggregator.store.read import health_probes
from aggregator.store.read.reader import DatabaseStoryReader
from aggregator.stories.tuning import StoryTuning
from aggregator.web.settings import PublishSettings, publish_settings

if TYPE_CHECKING:
    from aggregator.daemon.health import HealthMonitor
    from aggregator.web.api.push import PushEndpoint
    from aggregator.web.editor import EditorService
    from aggregator.web.webhooks.threads import WebhookThreads

log = logging.getLogger(__name__)

_JUMP_SECONDS = 5.0  # a difference to the monotonic clock from which the clock counts as set


class DaemonServices(NamedTuple):
    """What the daemon provides to a Runtime."""

    database: Database
    lock: WriterLease
    now: Callable[[], dt.datetime]
    check_seconds: float  # interval of the watchdog
    arrived: threading.Event  # set when entries wait for placing
    placed: Callable[[int], None]  # receives the number of placed articles
    status: Callable[[str], None]  # receives the status line
    failed: Callable[[BaseException], None]  # receives the error that ends the daemon
    metrics_registry: Metrics
    started_at: dt.datetime
    last_reload: Callable[[], Reload | None]
    process: Callable[[], ProcessState]  # of the Runtime that runs


class WebServices(NamedTuple):
    """The services running the web server of a Runtime."""

    reader: DatabaseStoryReader
    settings: PublishSettings
    push_endpoint: "PushEndpoint"
    editor: "EditorService"
    health: "HealthMonitor"


class Runtime:
    """All parts of one configuration. Creating it starts nothing and changes nothing."""

    def __init__(self, config: Config, services: DaemonServices, before: "Runtime | None" = None) -> None:
        """`before`: the previous Runtime, whose indexes in memory are reused if the settings are the same.

        Raises ConfigError or another AggregatorError for a configuration that cannot be run.
        """
        self.config = config
        self._services = services
        self._stopping = threading.Event()
        self._failures = TaskFailures(time.monotonic)
        all_tuning = config.effective_tuning
        service = all_tuning.section("watchdog", ServiceTuning)
        self.watchdog = Watchdog(service.stalled_seconds, services.check_seconds)
        self._status_seconds, self._status_at = service.status_seconds, 0.0
        self._had_begun = before is not None and before.process().placing_started
        self._plan = retention_plan(config)
        self._client = client_of(config, services.metrics_registry)
        # After everything that may raise, because it must be closed.
        self._executor = open_executor(
            config.work.executor, config.work.worker_count, all_tuning, services.metrics_registry
        )
        self._webhooks = self._make_webhooks()
        self._poll_scheduler = self._make_poll_scheduler()
        self._bump_repair = FutureBumpRepair(services.lock.fenced, all_tuning.section("clock", ClockTuning))
        self._pipeline = self._make_pipeline(before)
        self.writer_loop = WriterLoop(
            services.database,
            services.lock,
            self._pipeline,
            MaintenanceSteps(self._maintenance_steps(), self._failures),
            story_tuning=all_tuning.section("stories", StoryTuning),
            standby_seconds=all_tuning.section("leases", LeaseTuning).standby_seconds,
            searchable_seconds=service.searchable_seconds,
            arrived=services.arrived,
            tell=WriterCallbacks(
                heartbeat=lambda: self.watchdog.heartbeat("placing"),
                took_over=self._took_over,
                placed=services.placed,
                indexed=self._webhooks.wake,
                failed=services.failed,
            ),
        )
        self._jobs = MaintenanceJobs(
            self._long_jobs(), self._failures, services.now, is_writer=lambda: services.lock.is_held
        )
        self._prefetch_thread = self._make_prefetch_thread()
        self._logged_without_sources = False
        self._ticking = threading.Thread(target=self._tick_each_second, name="scheduler", daemon=True)
        self._is_stopped = False  # the database did not answer the last tick

    def web_services(self) -> WebServices:
        """Return the services for the web server."""
        from aggregator.daemon.health import HealthMonitor  # 0.1 s of imports that no other command needs
        from aggregator.web.api.push import PushEndpoint
        from aggregator.web.editor import EditorService

        services = self._services
        database, now, arrived = services.database.with_read_timeout(), services.now, services.arrived.set
        all_tuning = self.config.effective_tuning
        push_endpoint = PushEndpoint(
            database, all_tuning, now, fetch_pages=self.config.fetch.pages != "never", arrived=arrived
        )
        editor = EditorService(database, all_tuning, now, arrived=arrived)
        health = HealthMonitor(self.config, database, services.metrics_registry, services.process, now)
        return WebServices(
            DatabaseStoryReader(database, all_tuning),
            publish_settings(self.config),
            push_endpoint,
            editor,
            health,
        )

    def process(self) -> ProcessState:
        """Return the state, without a query."""
        return ProcessState(
            role="writer" if self._services.lock.is_held else "standby",
            started_at=self._services.started_at,
            placing_started=self._had_begun or self.writer_loop.has_begun,
            stalled=tuple(self.watchdog.stalled()),
            trouble=self.writer_loop.trouble,
            workers=self._executor.trouble,
            last_reload=self._services.last_reload(),
            failed_tasks=self._failures.words(),
            few_files=why_few_files(),
        )

    @property
    def is_placing(self) -> bool:
        """Whether its placing thread is alive; until it ends no other Runtime may start."""
        return self.writer_loop.join(0.0)

    def start(self) -> None:
        """Start all threads. In the writer, sources and webhooks are synchronised when this returns."""
        self._poll_scheduler.take_up(self._services.now())
        self.writer_loop.start()
        self._webhooks.start()
        self._jobs.start()
        if self._prefetch_thread is not None:
            self._prefetch_thread.start()
        self.watchdog.heartbeat("scheduler")
        self._ticking.start()

    def stop(self) -> None:
        """Interrupt all work; `drain` waits for its end."""
        self._stopping.set()
        self._poll_scheduler.stop()
        self.writer_loop.stop()
        self._jobs.stop()
        if self._prefetch_thread is not None:
            self._prefetch_thread.stop()
        self._webhooks.stop()
        self._client.close()  # wakes threads that wait for a host or read from one
        self._executor.close()  # wakes threads that wait for a worker

    def drain(self, seconds: float) -> list[str]:
        """After `stop`: wait `seconds` for all threads; return what still runs, as text."""
        deadline = time.monotonic() + seconds

        def left() -> float:
            return max(0.0, deadline - time.monotonic())

        running = ["placing"] if self.writer_loop.join(left()) else []
        running += ["a maintenance task"] if self._jobs.join(left()) else []
        running += (
            ["prefetch"] if self._prefetch_thread is not None and self._prefetch_thread.join(left()) else []
        )
        if fetches := self._poll_scheduler.join(left):
            running.append(counted(fetches, "fetch", "fetches"))
        if sender := self._webhooks.join(left()):
            running.append(counted(sender, "webhook"))
        self.watchdog.drop("scheduler", "webhooks")
        return running

    # --- its parts ----------------------------------------------------------------------------------------

    def _make_webhooks(self) -> "WebhookThreads":
        from aggregator.web.webhooks.threads import webhook_threads

        services = self._services
        return webhook_threads(
            self.config,
            publish_settings(self.config),
            services.lock.fenced,
            services.now,
            is_writer=lambda: services.lock.is_held,
            heartbeat=lambda: self.watchdog.heartbeat("webhooks"),
            failed=services.failed,
        )

    def _make_prefetch_thread(self) -> PrefetchThread | None:
        """Return the prefetch thread of a standby; SQLite has no standbys."""
        services = self._services
        if services.database.is_sqlite:
            return None
        prefetcher = Prefetcher(services.database, self._executor, self.config.effective_tuning)
        return PrefetchThread(prefetcher, is_writer=lambda: services.lock.is_held)

    def _make_poll_scheduler(self) -> PollScheduler:
        config, services, stops = self.config, self._services, self._stopping.is_set
        poller = Poller(
            services.database,
            self._client,
            self._executor,
            config.effective_tuning,
            services.now,
            robots=config.fetch.robots,
            pages=config.fetch.pages,
            stops=stops,
        )
        folder_watcher = FolderWatcher(
            services.database, self._executor, config.effective_tuning, services.now, stops
        )
        return PollScheduler(
            services.database,
            self._client,
            poller,
            folder_watcher,
            services.now,
            threads=config.fetch.threads,
            arrived=services.arrived.set,
            stops=stops,
            leads=lambda: services.lock.is_held,
            all_tuning=config.effective_tuning,
        )

    def _make_pipeline(self, before: "Runtime | None") -> Pipeline:
        config = self.config
        return Pipeline(
            self._services.lock.fenced,
            self._executor,
            config.effective_tuning,
            self._services.now,
            summary_words=config.publish.excerpt_words,
            families=family_table(config.families),
            bumps=config.feeds.bump,
            bump_age_seconds=config.feeds.bump_age,
            prefer=config.publish.prefer,
            metrics_registry=self._services.metrics_registry,
            placer=before._placer_for(config) if before is not None else None,
        )

    def _placer_for(self, config: Config) -> Placer | None:
        """Return the Placer with its indexes in memory if `config` has the same settings for placing."""
        return self._pipeline.placer if _placing_settings(config) == _placing_settings(self.config) else None

    def _maintenance_steps(self) -> list[MaintenanceStep]:
        """Return the short maintenance tasks."""
        retention_job = self._pipeline.retention_job(self._plan)
        return [
            MaintenanceStep("log", self._shrink_log),
            MaintenanceStep("clock", self._correct_times),
            MaintenanceStep("retention", retention_job.step),
        ]

    def _shrink_log(self, _stops: Callable[[], bool]) -> bool:
        """Truncate the SQLite log; there is never more to do."""
        self._services.database.truncate_log()
        return False

    def _correct_times(self, _stops: Callable[[], bool]) -> bool:
        """Correct stories whose time is in the future because of a wrong clock."""
        if count := self._bump_repair.run(self._services.now()):
            stories = counted(count, "story", "stories")
            log.warning(
                "the clock was ahead; corrected the time of %s",
                stories,
                extra={"event": "story_times_corrected"},
            )
        return False

    def _long_jobs(self) -> list[MaintenanceJob]:
        """Return the long maintenance tasks."""
        config, database, now = self.config, self._services.database, self._services.now
        return [
            MaintenanceJob(
                "backup",
                lambda: backup.due_at(config, database, now()),
                lambda stops: backup.back_up_gently(config, database, now(), stops),
            )
        ]

    # --- running ------------------------------------------------------------------------------------------

    def _tick_each_second(self) -> None:
        """Tick by the monotonic clock, and detect jumps of the wall clock."""
        offset = time.time() - time.monotonic()
        while not self._stopping.is_set():
            self._tick()
            before, offset = offset, time.time() - time.monotonic()
            if abs(offset - before) > _JUMP_SECONDS:
                self._jobs.clock_jumped()
            self._stopping.wait(TICK_SECONDS)

    def _tick(self) -> None:
        self.watchdog.heartbeat("scheduler")
        try:
            self._poll_scheduler.tick()
            if time.monotonic() >= self._status_at:
                self._status_at = time.monotonic() + self._status_seconds
                self._services.status(self._status_line())
        except AggregatorError as error:  # the database does not answer; tried again in a second
            if not self._is_stopped:
                log.error("fetching failed: %s", error, extra={"event": "scheduling_failed"})  # noqa: TRY400 - in words
            self._is_stopped = True
        except Exception as error:  # noqa: BLE001 - it would fail each second, and nothing would be fetched
            self._services.failed(error)
        else:
            self._is_stopped = False

    def _status_line(self) -> str:
        """Return the status line."""
        if self.writer_loop.trouble is not None:
            return f"placing is paused: {self.writer_loop.trouble}"
        with self._services.database.read() as connection:
            states = health_probes.source_states(connection)
        polled = sum(number for state, number in states.items() if state not in ("paused", "gone", "merged"))
        if not polled and not self.config.sources and self._services.lock.is_held:
            self._log_missing_sources()
        words = (
            f"{states.get('failing', 0)} of {counted(polled, 'source')} failing" if polled else "no sources"
        )
        return words if self._services.lock.is_held else f"{words}; standby: another daemon is the writer"

    def _log_missing_sources(self) -> None:
        """Log once how to add sources, and whether a configuration file was read."""
        if self._logged_without_sources:
            return
        self._logged_without_sources = True
        log.info(
            "there are no sources yet%s; type `aggregator sources add URL` to add a feed or site, "
            "`aggregator sources import FILE.opml` to import a list of feeds, or "
            "`aggregator ingest --samples` to read the sample articles",
            "" if self.config.file else ", and no config.yaml, so the built-in defaults apply",
            extra={"event": "sources_missing"},
        )

    def _took_over(self) -> None:
        """Store the configured sources and webhooks: this process became the writer."""
        now = self._services.now()
        with self._services.lock.fenced.write() as connection:
            sync_config(connection, configured_sources(self.config, now))
        self._poll_scheduler.cap_due_times(now)
        self._webhooks.sync_webhooks()


def _placing_settings(config: Config) -> tuple[Any, ...]:
    """Return the settings that affect placing and headlines."""
    publish = config.publish
    families = sorted(family_table(config.families).items())
    return (
        config.effective_tuning.to_json(),
        publish.excerpt_words,
        families,
        config.feeds.bump,
        config.feeds.bump_age,
        publish.prefer,
    )
