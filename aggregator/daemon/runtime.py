"""Everything that one configuration runs, from its begin to its end.

    scheduler one thread, every second: which sources and pages are due → fetch threads
    (daemon/poll_scheduler.py)
    placing   one thread: inbox → stories, then the full-text index, the merged texts, chores
    (daemon/writer_loop.py)
    chores    one thread: long jobs, such as a backup (daemon/maintenance.py)
    preparing one thread, where another daemon is the writer: texts for that one, ahead of it
    (pipeline/prefetch.py)
    webhooks  one thread: changes → outbox, and one for each hook that sends (publish/hooks)

What outlives a configuration (lock, web server) is the daemon's and lent to it. A stop breaks off what
is under way: it is found again by the next shift, and none of it counts as failed.
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
from aggregator.daemon.maintenance import Failures, Job, Jobs, Step, Steps
from aggregator.daemon.poll_scheduler import TICK_SECONDS, Rounds
from aggregator.daemon.watchdog import Heart, ServiceRules
from aggregator.daemon.writer_loop import Tell, Writing
from aggregator.extract.wire.agencies import family_table
from aggregator.model.counters import Tally
from aggregator.model.errors import AggregatorError
from aggregator.model.health_report import Process, Reload
from aggregator.pipeline.pipeline import Pipeline
from aggregator.pipeline.placement.place import Placing
from aggregator.pipeline.placement.retention import retention_plan
from aggregator.pipeline.poll import Polling
from aggregator.pipeline.prefetch import Ahead, Helping
from aggregator.pipeline.watch_folder import Watching
from aggregator.pipeline.workers.factory import open_executor
from aggregator.sources.fetch.client import client_of
from aggregator.store.engine.database import Database
from aggregator.store.engine.writer_lease import SharingRules, WriterLock
from aggregator.store.intake.sources import follow_config
from aggregator.store.maintenance.repair import Bumps, ClockRules
from aggregator.store.read import health_gauges
from aggregator.store.read.reader import Reading
from aggregator.stories.tuning import StoryRules
from aggregator.web.settings import PublishSettings, publish_settings

if TYPE_CHECKING:
    from aggregator.daemon.health import Vitals
    from aggregator.web.api.push import Letterbox
    from aggregator.web.editor import NewsDesk
    from aggregator.web.webhooks.threads import Webhooks

log = logging.getLogger(__name__)

_JUMP_SECONDS = 5.0  # by so much the clock moves against the monotonic one where somebody set it


class Lent(NamedTuple):
    """What the daemon lends to a shift."""

    database: Database
    lock: WriterLock
    now: Callable[[], dt.datetime]
    look_seconds: float  # how often the daemon looks at who gets on
    arrived: threading.Event  # set when something waits to be placed
    placed: Callable[[int], None]  # told how many articles were placed
    status: Callable[[str], None]  # told now and then how it goes, in a few words
    failed: Callable[[BaseException], None]  # told of what ends the daemon
    tally: Tally
    began_at: dt.datetime
    last_reload: Callable[[], Reload | None]
    process: Callable[[], Process]  # how the shift does that runs


class Front(NamedTuple):
    """What the web server of a shift shows and takes."""

    shelf: Reading
    settings: PublishSettings
    letterbox: "Letterbox"
    desk: "NewsDesk"
    watch: "Vitals"


class Shift:
    """One configuration at work. Not started by itself; made, it has changed nothing."""

    def __init__(self, config: Config, lent: Lent, before: "Shift | None" = None) -> None:
        """`before`: the shift that ended or is to end, whose memory is taken over where it would be the same.

        Raises ConfigError or another AggregatorError for a configuration that cannot be run.
        """
        self.config = config
        self._lent = lent
        self._stopping = threading.Event()
        self._failures = Failures(time.monotonic)
        book = config.rule_book
        service = book.section("service", ServiceRules)
        self.heart = Heart(service.stalled_seconds, lent.look_seconds)
        self._status_seconds, self._status_at = service.status_seconds, 0.0
        self._had_begun = before is not None and before.process().placing_began
        self._plan = retention_plan(config)
        self._client = client_of(config, lent.tally)
        # After all that may raise: nobody would close it.
        self._executor = open_executor(config.work.executor, config.work.worker_count, book, lent.tally)
        self._webhooks = self._made_webhooks()
        self._rounds = self._made_rounds()
        self._bumps = Bumps(lent.lock.fenced, book.section("clock", ClockRules))
        self._pipeline = self._made_pipeline(before)
        self.writing = Writing(
            lent.database,
            lent.lock,
            self._pipeline,
            Steps(self._steps(), self._failures),
            story_rules=book.section("stories", StoryRules),
            standby_seconds=book.section("sharing", SharingRules).standby_seconds,
            shown_seconds=service.shown_seconds,
            arrived=lent.arrived,
            tell=Tell(
                beat=lambda: self.heart.beat("placing"),
                took_over=self._took_over,
                placed=lent.placed,
                indexed=self._webhooks.wake,
                failed=lent.failed,
            ),
        )
        self._jobs = Jobs(self._long_jobs(), self._failures, lent.now, is_writer=lambda: lent.lock.is_held)
        self._helping = self._made_helping()
        self._told_without_sources = False
        self._ticking = threading.Thread(target=self._tick_each_second, name="scheduler", daemon=True)
        self._stands_still = False  # at the last tick the database was in trouble

    def front(self) -> Front:
        """What is to be shown while this shift runs."""
        from aggregator.daemon.health import Vitals  # 0.1 s of imports that no other command needs
        from aggregator.web.api.push import Letterbox
        from aggregator.web.editor import NewsDesk

        lent = self._lent
        database, now, arrived = lent.database.hurried(), lent.now, lent.arrived.set
        book = self.config.rule_book
        letterbox = Letterbox(
            database, book, now, fetch_pages=self.config.fetch.pages != "never", arrived=arrived
        )
        desk = NewsDesk(database, book, now, arrived=arrived)
        watch = Vitals(self.config, database, lent.tally, lent.process, now)
        return Front(Reading(database, book), publish_settings(self.config), letterbox, desk, watch)

    def process(self) -> Process:
        """How it does, as far as it knows without asking anybody."""
        return Process(
            role="writer" if self._lent.lock.is_held else "standby",
            began_at=self._lent.began_at,
            placing_began=self._had_begun or self.writing.has_begun,
            stalled=tuple(self.heart.stalled()),
            trouble=self.writing.trouble,
            workers=self._executor.trouble,
            last_reload=self._lent.last_reload(),
            chores=self.failed_chores,
        )

    @property
    def is_placing(self) -> bool:
        """Whether its placing thread is alive; no other shift may begin meanwhile."""
        return self.writing.join(0.0)

    @property
    def failed_chores(self) -> tuple[str, ...]:
        """The chores that failed at their last try, in words."""
        return self._failures.words()

    def start(self) -> None:
        """Begin all of it. The writer's sources and hooks are the configuration's when this returns."""
        self._rounds.take_up(self._lent.now())
        self.writing.start()
        self._webhooks.start()
        self._jobs.start()
        if self._helping is not None:
            self._helping.start()
        self.heart.beat("scheduler")
        self._ticking.start()

    def stop(self) -> None:
        """Start nothing more and break off what is under way; `drain` waits for its end."""
        self._stopping.set()
        self._rounds.stop()
        self.writing.stop()
        self._jobs.stop()
        if self._helping is not None:
            self._helping.stop()
        self._webhooks.stop()
        self._client.close()  # wakes whoever waits for a host or reads from one
        self._executor.close()  # wakes whoever waits for a worker

    def drain(self, seconds: float) -> list[str]:
        """After `stop`: wait so long for all threads; what is left behind, in words."""
        deadline = time.monotonic() + seconds

        def left() -> float:
            return max(0.0, deadline - time.monotonic())

        behind = ["placing"] if self.writing.join(left()) else []
        behind += ["a chore"] if self._jobs.join(left()) else []
        behind += ["preparing"] if self._helping is not None and self._helping.join(left()) else []
        if fetches := self._rounds.join(left):
            behind.append(counted(fetches, "fetch", "fetches"))
        if sending := self._webhooks.join(left()):
            behind.append(counted(sending, "webhook"))
        self.heart.drop("scheduler", "webhooks")
        return behind

    # --- its parts ----------------------------------------------------------------------------------------

    def _made_webhooks(self) -> "Webhooks":
        from aggregator.web.webhooks.from_config import webhooks_of

        lent = self._lent
        return webhooks_of(
            self.config,
            publish_settings(self.config),
            lent.lock.fenced,
            lent.now,
            is_writer=lambda: lent.lock.is_held,
            beat=lambda: self.heart.beat("webhooks"),
            failed=lent.failed,
        )

    def _made_helping(self) -> Helping | None:
        """What a daemon that stands by does for the writer; of SQLite there is none."""
        lent = self._lent
        if lent.database.is_sqlite:
            return None
        ahead = Ahead(lent.database, self._executor, self.config.rule_book)
        return Helping(ahead, is_writer=lambda: lent.lock.is_held)

    def _made_rounds(self) -> Rounds:
        config, lent, stops = self.config, self._lent, self._stopping.is_set
        polling = Polling(
            lent.database,
            self._client,
            self._executor,
            config.rule_book,
            lent.now,
            robots=config.fetch.robots,
            pages=config.fetch.pages,
            stops=stops,
        )
        watching = Watching(lent.database, self._executor, config.rule_book, lent.now, stops)
        return Rounds(
            lent.database,
            self._client,
            polling,
            watching,
            lent.now,
            threads=config.fetch.threads,
            arrived=lent.arrived.set,
            stops=stops,
            leads=lambda: lent.lock.is_held,
            book=config.rule_book,
        )

    def _made_pipeline(self, before: "Shift | None") -> Pipeline:
        config = self.config
        return Pipeline(
            self._lent.lock.fenced,
            self._executor,
            config.rule_book,
            self._lent.now,
            summary_words=config.publish.excerpt_words,
            families=family_table(config.families),
            bumps=config.feeds.bump,
            prefer=config.publish.prefer,
            tally=self._lent.tally,
            placing=before._placing_for(config) if before is not None else None,
        )

    def _placing_for(self, config: Config) -> Placing | None:
        """What this shift has in memory, where another one with `config` would have the same."""
        return self._pipeline.placing if _choices(config) == _choices(self.config) else None

    def _steps(self) -> list[Step]:
        """The small chores of the writer."""
        retaining = self._pipeline.retaining(self._plan)
        return [
            Step("log", self._shrink_log),
            Step("clock", self._pull_back),
            Step("retention", retaining.step),
        ]

    def _shrink_log(self, _stops: Callable[[], bool]) -> bool:
        """Nothing more is to be done now, whatever came of it."""
        self._lent.database.shrink_log()
        return False

    def _pull_back(self, _stops: Callable[[], bool]) -> bool:
        """Stories that a wrong clock put before all others."""
        if count := self._bumps.look(self._lent.now()):
            said = counted(count, "story with a time to come is", "stories with a time to come are")
            log.warning("the clock was ahead: %s dated now", said)
        return False

    def _long_jobs(self) -> list[Job]:
        """The long ones."""
        config, database, now = self.config, self._lent.database, self._lent.now
        return [
            Job(
                "backup",
                lambda: backup.due_at(config, database, now()),
                lambda stops: backup.back_up_gently(config, database, now(), stops),
            )
        ]

    # --- what happens -------------------------------------------------------------------------------------

    def _tick_each_second(self) -> None:
        """By the monotonic clock: the clock of the machine may jump, and what is due follows from it."""
        ahead = time.time() - time.monotonic()
        while not self._stopping.is_set():
            self._tick()
            before, ahead = ahead, time.time() - time.monotonic()
            if abs(ahead - before) > _JUMP_SECONDS:
                self._jobs.clock_jumped()
            self._stopping.wait(TICK_SECONDS)

    def _tick(self) -> None:
        self.heart.beat("scheduler")
        try:
            self._rounds.tick()
            if time.monotonic() >= self._status_at:
                self._status_at = time.monotonic() + self._status_seconds
                self._lent.status(self._in_words())
        except AggregatorError as error:  # the database is in trouble; in a second it is asked again
            if not self._stands_still:
                log.error("nothing is fetched meanwhile: %s", error)  # noqa: TRY400 - in words
            self._stands_still = True
        except Exception as error:  # noqa: BLE001 - else it would fail each second, and nothing be fetched
            self._lent.failed(error)
        else:
            self._stands_still = False

    def _in_words(self) -> str:
        """How it goes, for one line."""
        if self.writing.trouble is not None:
            return f"placing rests: {self.writing.trouble}"
        with self._lent.database.read() as connection:
            states = health_gauges.source_states(connection)
        asked = sum(number for state, number in states.items() if state not in ("paused", "gone", "merged"))
        if not asked and not self.config.sources and self._lent.lock.is_held:
            self._tell_what_to_read()
        words = f"{states.get('failing', 0)} of {counted(asked, 'source')} failing" if asked else "no sources"
        return words if self._lent.lock.is_held else f"{words}; standing by: another daemon places"

    def _tell_what_to_read(self) -> None:
        """Once: how to add sources, and whether a configuration file was read."""
        if self._told_without_sources:
            return
        self._told_without_sources = True
        log.info(
            "there are no sources yet%s; type `aggregator sources add URL` to add a feed or site, "
            "`aggregator sources import FILE.opml` to import a list of feeds, or "
            "`aggregator ingest --samples` to read the sample articles",
            "" if self.config.file else ", and no config.yaml, so the built-in defaults apply",
        )

    def _took_over(self) -> None:
        """This process became the writer: from now on its configuration counts."""
        now = self._lent.now()
        with self._lent.lock.fenced.write() as connection:
            follow_config(connection, configured_sources(self.config, now))
        self._rounds.pull_in(now)
        self._webhooks.follow()


def _choices(config: Config) -> tuple[Any, ...]:
    """What decides where an article goes and what its story is called."""
    publish = config.publish
    families = sorted(family_table(config.families).items())
    return config.rule_book.to_json(), publish.excerpt_words, families, config.feeds.bump, publish.prefer
