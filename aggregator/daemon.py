"""What runs when: start in order, a few fixed jobs, drain and stop.

    main      signals, watchdog (pinged only while scheduler and placing get on)
    scheduler (APScheduler) every second: which sources and pages are due → fetch threads (rounds.py)
    placing   one thread: inbox → stories, then the full-text index, then the merged texts
    webhooks  one thread: changes → outbox, and one for each hook that sends (publish/hooks)
    web       uvicorn

A stop breaks off what is under way: it is found again at the next start, and none of it counts as failed.
"""

import datetime as dt
import logging
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

from aggregator.config import Config, SourceConfig
from aggregator.errors import AggregatorError, AnotherDaemonError
from aggregator.net.client import Client, ClientSettings
from aggregator.net.due import first_due
from aggregator.ops.notify import Notifier, watchdog_interval_seconds
from aggregator.pipeline import Pipeline
from aggregator.polling import Polling
from aggregator.publish.settings import PublishSettings
from aggregator.rounds import TICK_SECONDS, Rounds
from aggregator.store.database import Database, shown_url
from aggregator.store.lock import writer_lock
from aggregator.store.reading import Reading
from aggregator.store.sources import Source, follow_config, source_id
from aggregator.store.telling import tell_next
from aggregator.stories.tuning import StoryRules
from aggregator.text.agencies import family_table
from aggregator.watching import Watching
from aggregator.work.executor import Executor, open_executor

if TYPE_CHECKING:
    from aggregator.publish.serve import Server

log = logging.getLogger(__name__)

IDLE_SECONDS = 1.0  # how long placing sleeps when nothing waits, unless it is woken
TOLD_AT_ONCE = 20  # stories whose merged text is worked out between two looks at the inbox
REST_SECONDS = 10  # after the database refused to write
SAME_WISH_SECONDS = 1.0  # Ctrl-C reaches make and us, and make passes it on: that is one wish
STALLED_SECONDS = 45.0  # a step of the scheduler or of placing that takes longer is no progress
STANDBY_SECONDS = 2.0  # between two tries to become the writer
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
        items=config.feeds.items,
        bump=config.feeds.bump,
        queries=config.saved_queries,
        prefer=config.publish.prefer,
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
        self._is_writer = threading.Event()
        self._heart = Heart()
        self._notifier = Notifier()
        self._lock = writer_lock(database)
        self._story_rules = config.rule_book.section("stories", StoryRules)
        self._failed: BaseException | None = None
        self._asked_to_stop = 0.0

    # --- start, run, stop ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Run until SIGTERM or SIGINT. Raises AnotherDaemonError where a second daemon has no place."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._become_writer()
        from aggregator.publish.hooks.configured import webhooks_of

        self._webhooks = webhooks_of(
            self._config,
            publish_settings(self._config),
            self._database,
            self._now,
            is_writer=self._is_writer.is_set,
            beat=lambda: self._heart.beat("webhooks"),
            failed=self._fail,
        )
        executor = open_executor(
            self._config.work.executor, self._config.work.worker_count, self._config.rule_book
        )
        client = client_of(self._config)
        # 0.1 s of imports that no other command needs
        from aggregator.publish.desk import NewsDesk
        from aggregator.publish.push import Letterbox
        from aggregator.publish.serve import Server

        book = self._config.rule_book
        letterbox = Letterbox(
            self._database,
            book,
            self._now,
            fetch_pages=self._config.fetch.pages != "never",
            arrived=self._work_to_do.set,
        )
        desk = NewsDesk(self._database, book, self._now, arrived=self._work_to_do.set)
        server = Server(Reading(self._database, book), publish_settings(self._config), letterbox, desk)
        try:
            self._follow_config()
            url = server.start()
            log.info("listening on %s, stories in %s", url, shown_url(self._database.url))
            self._run_until_stopped(executor, client, server)
        finally:
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
            if time.monotonic() - self._asked_to_stop > SAME_WISH_SECONDS:
                raise SystemExit(1)  # a second wish: at once
            return
        self._asked_to_stop = time.monotonic()
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
            if self._stop.wait(STANDBY_SECONDS):
                raise SystemExit(0)
        self._is_writer.set()

    def _follow_config(self) -> None:
        with self._database.write() as connection:
            follow_config(connection, configured_sources(self._config, self._now()))

    def _run_until_stopped(self, executor: Executor, client: Client, server: "Server") -> None:
        rounds = self._rounds(executor, client)
        placing = threading.Thread(
            target=self._place, args=(self._pipeline(executor),), name="placing", daemon=True
        )
        scheduler = _scheduler(lambda: self._tick(rounds))
        self._heart.beat("scheduler")
        self._heart.beat("placing")
        placing.start()
        scheduler.start()
        self._webhooks.start()
        self._notifier.ready("listening")
        try:
            self._watch(server)
        finally:
            self.stop()
            self._notifier.stopping()
            scheduler.shutdown(wait=False)
            rounds.stop()
            self._webhooks.stop()
            client.close()  # wakes whoever waits for a host or reads from one
            self._drain(placing, rounds, server, executor)

    def _rounds(self, executor: Executor, client: Client) -> Rounds:
        book, fetch, stops = self._config.rule_book, self._config.fetch, self._stop.is_set
        polling = Polling(
            self._database,
            client,
            executor,
            book,
            self._now,
            robots=fetch.robots,
            pages=fetch.pages,
            stops=stops,
        )
        watching = Watching(self._database, executor, book, self._now, stops)
        rounds = Rounds(
            self._database,
            client,
            polling,
            watching,
            self._now,
            threads=fetch.threads,
            arrived=self._work_to_do.set,
            stops=stops,
        )
        rounds.take_up(self._now())
        return rounds

    def _pipeline(self, executor: Executor) -> Pipeline:
        words = self._config.publish.excerpt_words
        return Pipeline(
            self._database,
            executor,
            self._config.rule_book,
            self._now,
            summary_words=words,
            families=family_table(self._config.families),
            bumps=self._config.feeds.bump,
            prefer=self._config.publish.prefer,
        )

    def _drain(self, placing: threading.Thread, rounds: Rounds, server: "Server", executor: Executor) -> None:
        """Let what is under way end, all of it within STOP_SECONDS."""
        deadline = time.monotonic() + STOP_SECONDS
        web = threading.Thread(target=server.stop, name="web-stop", daemon=True)
        web.start()
        executor.close()  # wakes whoever waits for a worker
        placing.join(STOP_SECONDS)
        left = rounds.join(lambda: deadline - time.monotonic())
        sending = self._webhooks.join(deadline - time.monotonic())
        web.join(max(0.0, deadline - time.monotonic()))
        if left or sending or placing.is_alive():
            also = ", placing" if placing.is_alive() else ""
            log.warning("left behind: %d fetches, %d webhooks%s", left, sending, also)

    def _watch(self, server: "Server") -> None:
        """The main thread: sleep, and tell systemd that we get on as long as all of us do."""
        interval = watchdog_interval_seconds()
        while not self._stop.wait(interval or 5.0):
            stalled = self._heart.stalled()
            if stalled or not server.is_serving:
                log.error("no progress in: %s", ", ".join(stalled) or "web")
            else:
                self._notifier.watchdog()

    # --- the jobs -----------------------------------------------------------------------------------------

    def _tick(self, rounds: Rounds) -> None:
        self._heart.beat("scheduler")
        rounds.tick()

    def _place(self, pipeline: Pipeline) -> None:
        """The placing thread: whatever waits, in order.

        Where the database is in trouble (full, read-only, restarting) it rests and tries again, while the
        rest of us goes on serving; any other failure ends the daemon.
        """
        try:
            in_trouble = False
            while not self._stop.is_set():
                self._heart.beat("placing")
                self._work_to_do.clear()
                try:
                    if in_trouble:
                        self._keep_the_lock(pipeline)
                    self._place_what_waits(pipeline)
                    in_trouble = False
                    self._work_to_do.wait(IDLE_SECONDS)
                except AnotherDaemonError:
                    raise
                except AggregatorError as error:
                    in_trouble = True
                    log.error("placing rests for %d s: %s", REST_SECONDS, error)  # noqa: TRY400 - in words
                    self._stop.wait(REST_SECONDS)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._failed = error
        self.stop()

    def _keep_the_lock(self, pipeline: Pipeline) -> None:
        """A server that restarted has forgotten who the writer is: take the lock again, or stand by."""
        pipeline.forget()
        if not self._database.is_sqlite:
            self._is_writer.clear()
            self._lock.release()
            self._become_writer()

    def _place_what_waits(self, pipeline: Pipeline) -> None:
        placed = 0
        for batch in pipeline.place_waiting(self._stops):
            placed += len(batch)
            self._answer(pipeline)
        if placed:
            log.info("placed %d articles", placed)
            self._notifier.status(f"placed {placed} articles")
        self._answer(pipeline)
        pipeline.index_text(self._stops)
        self._webhooks.wake()
        while not self._stops() and tell_next(self._database, TOLD_AT_ONCE, self._story_rules):
            if self._work_to_do.is_set():
                break
        pipeline.index_older(lambda: self._stops() or self._work_to_do.is_set())

    def _answer(self, pipeline: Pipeline) -> None:
        """What commands ask for, between two batches: nobody waits for an archive to be placed."""
        answered = pipeline.answer_requests(self._stops)
        if answered:
            log.info("answered %d requests", answered)

    def _stops(self) -> bool:
        """Asked by placing between two steps, so each time it asks it has got on."""
        self._heart.beat("placing")
        return self._stop.is_set()


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
