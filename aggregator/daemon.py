"""What runs when: start in order, a few fixed jobs, drain and stop.

    main      signals, watchdog (pinged only while scheduler and placing get on)
    scheduler (APScheduler) every second: which sources and pages are due → fetch threads
    placing   one thread: inbox → stories, then the full-text index, then the merged texts
    web       uvicorn

When a source is due is a column of its row, so restarts and thousands of sources cost the scheduler nothing.
"""

import datetime as dt
import logging
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import FrameType
from typing import Any

from aggregator.config import Config, SourceConfig
from aggregator.errors import AggregatorError, AnotherDaemonError
from aggregator.net.client import Client, ClientSettings
from aggregator.net.due import first_due
from aggregator.ops.notify import Notifier, watchdog_interval_seconds
from aggregator.pipeline import Pipeline
from aggregator.polling import Polled, Polling
from aggregator.publish.serve import Server
from aggregator.publish.settings import PublishSettings
from aggregator.store import inbox
from aggregator.store.database import Database, shown_url
from aggregator.store.lock import writer_lock
from aggregator.store.reading import Reading
from aggregator.store.sources import Source, due, follow_config, source_id
from aggregator.store.telling import tell_next
from aggregator.work.executor import Executor, open_executor

log = logging.getLogger(__name__)

TICK_SECONDS = 1
IDLE_SECONDS = 1.0  # how long placing sleeps when nothing waits, unless it is woken
TOLD_AT_ONCE = 20  # stories whose merged text is worked out between two looks at the inbox
STALLED_SECONDS = 45.0  # a step of the scheduler or of placing that takes longer is no progress
STOP_SECONDS = 8.0  # what is under way may end in this time; then it is left (nothing of it is lost)


def utc_now() -> dt.datetime:
    """The clock of the daemon."""
    return dt.datetime.now(dt.UTC)


def publish_settings(config: Config) -> PublishSettings:
    """What the output rooms need of the configuration."""
    return PublishSettings(
        host=config.server.host,
        port=config.server.port,
        public_url=config.public_url or "",
        allowed_hosts=config.server.allowed_hosts,
        title=config.publish.title,
        excerpt_words=config.publish.excerpt_words,
        full_text=config.publish.full_text,
        index=config.publish.index,
        link=config.feeds.link,
    )


def client_of(config: Config) -> Client:
    """The HTTP client as configured."""
    overrides: dict[str, dict[str, Any]] = {name: dict(values) for name, values in config.rules.items()}
    overrides.setdefault("net", {}).setdefault("host_gap_seconds", float(config.fetch.host_gap))
    from aggregator.rules import rule_book

    settings = ClientSettings(contact=config.fetch.contact, allow_private=config.fetch.allow_private)
    return Client(settings, rule_book(overrides))


def configured_sources(config: Config, now: dt.datetime) -> list[Source]:
    """The sources of the configuration file as rows; each feed's first poll at a moment of its own."""
    return [_source_of(item, config, now) for item in config.sources]


def _source_of(item: SourceConfig, config: Config, now: dt.datetime) -> Source:
    kind = "feed" if item.feed is not None else "folder"
    address = item.feed if item.feed is not None else str(config.path(item.folder or ""))
    id_ = source_id(kind, item.name, address)
    interval = item.interval or (config.fetch.interval if kind == "feed" else config.folders.interval)
    return Source(
        id=id_,
        kind="feed" if item.feed is not None else "folder",
        address=address,
        name=item.name,
        outlet=item.outlet,
        folder=item.group,
        language=item.language,
        timezone=item.timezone,
        interval_seconds=interval,
        pages=item.pages or "auto",
        origin="config",
        next_due_at=first_due(id_, now, spread_seconds=min(interval, 30) if kind == "feed" else 0),
    )


class Heart:
    """Beats of the threads that must get on; the watchdog asks whether all of them beat lately."""

    def __init__(self) -> None:
        self._beats: dict[str, float] = {}

    def beat(self, name: str) -> None:
        self._beats[name] = time.monotonic()

    def stalled(self) -> list[str]:
        """The names that did not beat for STALLED_SECONDS."""
        now = time.monotonic()
        return [name for name, last in self._beats.items() if now - last > STALLED_SECONDS]


class Daemon:
    """One running daemon."""

    def __init__(self, config: Config, database: Database, now: Callable[[], dt.datetime] = utc_now) -> None:
        self._config = config
        self._database = database
        self._now = now
        self._stop = threading.Event()
        self._work_to_do = threading.Event()
        self._heart = Heart()
        self._notifier = Notifier()
        self._lock = writer_lock(database)
        self._busy: set[str] = set()
        self._failed: BaseException | None = None

    # --- start, run, stop ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until SIGTERM or SIGINT. Raises AnotherDaemonError where a second daemon has no place."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._become_writer()
        executor = open_executor(
            self._config.work.executor, self._config.work.worker_count, self._config.rule_book
        )
        client = client_of(self._config)
        server = Server(Reading(self._database), publish_settings(self._config))
        try:
            self._follow_config()
            url = server.start()
            log.info("listening on %s, stories in %s", url, shown_url(self._database.url))
            self._run_until_stopped(executor, client, server)
        finally:
            self._notifier.stopping()
            client.close()
            server.stop()
            executor.close()
            self._lock.release()
        if self._failed is not None:
            raise self._failed
        log.info("stopped")

    def stop(self) -> None:
        """Ask the daemon to end; `run` returns soon after."""
        self._stop.set()
        self._work_to_do.set()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set():
            raise SystemExit(1)  # the second signal: at once
        log.info("%s: stopping", signal.Signals(number).name)
        self.stop()

    def _become_writer(self) -> None:
        """Take the writer lock. On Postgres a second daemon stands by until the first one is gone."""
        said = False
        while not self._lock.acquire():
            if self._database.is_sqlite:
                raise AnotherDaemonError(
                    f"another daemon works on {shown_url(self._database.url)}; stop that one first "
                    "(ingest, stories and the like work beside it)"
                )
            if not said:
                log.info("another daemon is the writer; standing by")
                said = True
            if self._stop.wait(5.0):
                raise SystemExit(0)

    def _follow_config(self) -> None:
        with self._database.write() as connection:
            follow_config(connection, configured_sources(self._config, self._now()))

    def _run_until_stopped(self, executor: Executor, client: Client, server: Server) -> None:
        book = self._config.rule_book
        fetch = self._config.fetch
        polling = Polling(
            self._database, client, executor, book, self._now, robots=fetch.robots, pages=fetch.pages
        )
        pipeline = Pipeline(
            self._database, executor, book, self._now, summary_words=self._config.publish.excerpt_words
        )
        placing = threading.Thread(target=self._place, args=(pipeline,), name="placing", daemon=True)
        with ThreadPoolExecutor(fetch.threads, thread_name_prefix="fetch") as threads:
            scheduler = _scheduler(lambda: self._tick(polling, threads))
            self._heart.beat("scheduler")
            self._heart.beat("placing")
            placing.start()
            scheduler.start()
            self._notifier.ready("listening")
            try:
                self._watch(server)
            finally:
                scheduler.shutdown(wait=False)
                client.close()  # wakes whoever waits for a host
                threads.shutdown(wait=False, cancel_futures=True)
                placing.join(STOP_SECONDS)

    def _watch(self, server: Server) -> None:
        """The main thread: sleep, and tell systemd that we get on as long as all of us do."""
        interval = watchdog_interval_seconds()
        while not self._stop.wait(interval or 5.0):
            stalled = self._heart.stalled()
            if stalled or not server.is_serving:
                log.error("no progress in: %s", ", ".join(stalled) or "web")
            else:
                self._notifier.watchdog()

    # --- the jobs -----------------------------------------------------------------------------------------

    def _tick(self, polling: Polling, threads: ThreadPoolExecutor) -> None:
        """Hand what is due to the fetch threads; what finds no free thread waits for a later tick."""
        self._heart.beat("scheduler")
        free = 2 * self._config.fetch.threads - len(self._busy)
        if free <= 0 or self._stop.is_set():
            return
        now = self._now()
        with self._database.read() as connection:
            folders = due(connection, "folder", now, free)
            feeds = due(connection, "feed", now, free)
            pages = inbox.pages_wanted(connection, now, free)
        jobs: list[tuple[str, Callable[[], object]]] = []
        jobs += [(f"source {one.id}", _bound(self._look, polling, one)) for one in folders]
        jobs += [(f"source {one.id}", _bound(self._poll, polling, one)) for one in feeds]
        jobs += [(f"page {one.n}", _bound(self._page, polling, one)) for one in pages]
        for name, job in [item for item in jobs if item[0] not in self._busy][:free]:
            self._busy.add(name)
            threads.submit(job).add_done_callback(_bound(self._done, name))

    def _poll(self, polling: Polling, source: Source) -> None:
        started = time.monotonic()
        self._report(source, polling.poll(source), time.monotonic() - started)

    def _look(self, polling: Polling, source: Source) -> None:
        started = time.monotonic()
        self._report(source, polling.look(source), time.monotonic() - started)

    def _report(self, source: Source, polled: Polled, seconds: float) -> None:
        """One line a poll, where there is something to say."""
        if polled.accepted:
            self._work_to_do.set()
        if polled.problem is not None:
            log.warning("%s: %s", source.shown_name, polled.problem)
        elif polled.accepted:
            log.info(
                "%s: %d new, %d known (%.1f s)",
                source.shown_name,
                len(polled.accepted),
                polled.known,
                seconds,
            )
        else:
            log.debug("%s: nothing new (%.1f s)", source.shown_name, seconds)

    def _page(self, polling: Polling, wanted: inbox.PageWanted) -> None:
        if polling.fetch_page(wanted):
            self._work_to_do.set()

    def _done(self, name: str, future: Future[object]) -> None:
        self._busy.discard(name)
        if not future.cancelled() and (error := future.exception()) is not None:
            log.error("%s: %s", name, error, exc_info=None if isinstance(error, AggregatorError) else error)

    def _place(self, pipeline: Pipeline) -> None:
        """The placing thread: whatever waits, in order; a failure it cannot get over ends the daemon."""
        try:
            while not self._stop.is_set():
                self._heart.beat("placing")
                self._work_to_do.clear()
                self._place_what_waits(pipeline)
                self._work_to_do.wait(IDLE_SECONDS)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._failed = error
            self.stop()

    def _place_what_waits(self, pipeline: Pipeline) -> None:
        placed = 0
        for batch in pipeline.place_waiting(self._stop.is_set):
            placed += len(batch)
            self._heart.beat("placing")
        if placed:
            log.info("placed %d articles", placed)
            self._notifier.status(f"placed {placed} articles")
        pipeline.index_text(self._stop.is_set)
        while not self._stop.is_set() and tell_next(self._database, TOLD_AT_ONCE):
            self._heart.beat("placing")
            if self._work_to_do.is_set():
                break


def _bound(function: Callable[..., Any], *first: Any) -> Callable[..., Any]:
    """`function` with its first arguments given: a loop's variable must not change under a job."""
    return lambda *rest: function(*first, *rest)


def _scheduler(tick: Callable[[], None]) -> Any:
    """APScheduler with its defaults put right, in this one place.

    Its own would drop a job that comes a second late without a word (misfire_grace_time 1), and run a burst
    of missed ones after a suspended machine wakes (coalesce off).
    """
    from apscheduler.executors.pool import ThreadPoolExecutor as Jobs
    from apscheduler.schedulers.background import BackgroundScheduler

    scheduler = BackgroundScheduler(
        timezone=dt.UTC,
        executors={"default": Jobs(2)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    scheduler.add_job(tick, "interval", seconds=TICK_SECONDS, id="tick", next_run_time=utc_now())
    return scheduler
