"""A simulated year of one installation: 300 feeds, retention, backups, reloads, the log.

The program's own rounds, pipeline, chores, backups and migrations on a real database and an injected clock,
which also jumps.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import yaml
from sqlalchemy import func, select

from aggregator.admin import backup_folder
from aggregator.config.loader import load
from aggregator.config.settings import Config
from aggregator.daemon.maintenance import Maintenance, MaintenanceTask
from aggregator.daemon.poll_scheduler import PollScheduler
from aggregator.grouping.deletion.retention import Retention, retention_plan
from aggregator.intake.configured import story_options
from aggregator.intake.manage.configured_sources import configured_sources
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.polling.page_fetch import PollServices
from aggregator.intake.polling.poll import Poller
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.publish.output_settings import publish_settings
from aggregator.store import migrate
from aggregator.store.engine.database import Database
from aggregator.store.engine.writer_lease import WriterLease
from aggregator.store.intake.source_rows import schedule, source_id
from aggregator.store.intake.source_sync import sync_config
from aggregator.store.maintenance.integrity_check import balance
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article, entry, intake_count, tombstone
from aggregator.web.health.process_tree import process_tree
from aggregator.web.server import Server
from tests.support.articles import render_all
from tests.support.deep_checks import faults
from tests.support.loopback import Request, Response
from tests.support.newswire import DAY, HOUR, Feed, Wire
from tests.support.rows import counted, queried, read_by, value, written_by
from tests.support.seeds import printed_seed
from tests.support.services import all_services
from tests.support.tuned import tune
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.world import World

WEEKS_KEPT = 5  # of the log
KEPT = 7  # backups
TURN_HOURS = 6.0  # between two looks of the writer at what waits
STAYS_BYTES = 3500  # of an article that is gone, half-empty pages included
CLOCK_BACK = HOUR
CLOCK_AHEAD = 400 * DAY


class Scale(NamedTuple):
    """How large a year is. Ages are in days."""

    feeds: int
    days: float
    articles_a_day: float
    interval: str
    texts: float
    stories: float
    backup_hours: int
    restarts: int


YEAR = Scale(
    feeds=300,
    days=365,
    articles_a_day=20,
    interval="1d",
    texts=45,
    stories=90,
    backup_hours=24,
    restarts=12,
)
SLICE = Scale(
    feeds=6,
    days=6,
    articles_a_day=10,
    interval="6h",
    texts=1,
    stories=2,
    backup_hours=12,
    restarts=3,
)


class Month(NamedTuple):
    """What an installation holds at the end of one of twelve parts of the time."""

    memory_mib: float
    database_mib: float
    backups: int
    backups_mib: float
    log_mib: float
    articles: int
    purged: int


class Installation:
    """A folder with config.yaml and a database, and the parts of the daemon, on one thread."""

    def __init__(
        self, folder: Path, database_url: str, world: World, wire: Wire, scale: Scale
    ) -> None:
        self.folder, self.url, self.world, self.wire, self.scale = (
            folder,
            database_url,
            world,
            wire,
            scale,
        )
        self.dropped: list[Feed] = []
        self.asked: dict[str, float] = {}  # hosts → when they were asked last
        self.problems: list[str] = []

    # --- its parts ----------------------------------------------------------------------------------------

    def configured(self) -> Config:
        """config.yaml anew, as it is to be by now, and read."""
        scale = self.scale
        days = {"text_after": scale.texts, "stories_after": scale.stories}
        settings: dict[str, Any] = {
            "database": self.url,
            "server": {"port": 0},
            "fetch": {"interval": scale.interval, "pages": "never", "robots": False},
            "backup": {
                "every": f"{scale.backup_hours}h",
                "keep": KEPT,
                "folder": "backups",
            },
            "retention": {name: f"{int(age * 24)}h" for name, age in days.items()},
            "sources": [
                {"feed": one.address, "outlet": one.host}
                for one in self.wire.feeds
                if one not in self.dropped
            ],
        }
        file = self.folder / "config.yaml"
        file.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return load(file)

    def start(self) -> None:
        """As `aggregator run` does: bring the tables up to date, become the writer, follow the file."""
        self.config = self.configured()
        self.database = Database(self.url)
        migrate.upgrade(self.database, keep=self._keep_before_upgrade)
        self.lock = WriterLease(self.database)
        assert self.lock.become_writer()
        self._begin()

    def reload(self) -> None:
        """As a SIGHUP does: what one configuration runs ends, and begins with the next."""
        self._end()
        self.config = self.configured()
        self._begin()

    def stop(self) -> None:
        self._end()
        self.lock.release()
        self.database.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _begin(self) -> None:
        config, database, now = self.config, self.lock.fenced, self.world.time
        all_tuning, executor = config.effective_tuning, InlineExecutor()
        self.client = self.world.client(all_tuning)
        services = PollServices(database, self.client, executor, all_tuning, now)
        poller = Poller(services, robots=False, pages="never")
        self.rounds = PollScheduler(poller, threads=0, arrived=lambda: None)
        self.pipeline = Pipeline(
            database, executor, all_tuning, now, story_options(config)
        )
        retention_job = Retention(self.pipeline.placer, retention_plan(config))
        self.maintenance = Maintenance(
            [MaintenanceTask("retention", 0.0, retention_job.step)],
            [],
            is_writer=lambda: True,
            clock=self.world.time.monotonic,
        )
        written_by(database, sync_config, configured_sources(config, now()))
        self.rounds.cap_due_times(now())
        self.server = Server(
            StoryReader(self.database, all_tuning),
            publish_settings(config),
            all_services(self.database, now, all_tuning),
        )
        self.server.start()

    def _end(self) -> None:
        self.rounds.stop()
        self.client.close()
        assert self.rounds.join(PATIENCE_SECONDS) == 0
        self.server.stop()

    def _keep_before_upgrade(self, revision: str) -> None:
        now = self.world.time()
        _, said = backup_folder.keep_before_upgrade(
            self.config, self.database, revision, now, unseen
        )
        assert "backed up the database" in said or not self.database.is_sqlite, said

    # --- its life -----------------------------------------------------------------------------------------

    def live(self, seconds: float) -> None:
        """Let so much time pass: ask what is due when it is due, and let the writer have its turns."""
        clock = self.world.time
        end = clock.monotonic() + seconds
        while clock.monotonic() < end:
            turn = min(end, clock.monotonic() + TURN_HOURS * HOUR)
            while clock.monotonic() < turn:
                self.rounds.tick()
                waiting = read_by(self.database, schedule)
                wait = (
                    (waiting[0].next_due_at - clock()).total_seconds()
                    if waiting
                    else HOUR
                )
                clock.run(min(max(1.0, wait), max(1.0, turn - clock.monotonic())))
            self.write()

    def write(self) -> None:
        """What the thread that writes does, and the one for long jobs."""
        self.asked |= {host: moment for moment, host, _ in self.world.asked}
        self.world.forget_what_was_asked()
        for _ in self.pipeline.place_waiting():
            pass
        self.pipeline.index_text()
        render_all(self.lock.fenced, self.config.effective_tuning)
        self.pipeline.index_older()
        while self.maintenance.run_step(lambda: False):
            pass
        now = self.world.time()
        due_at = backup_folder.backup_state(self.config, self.database, now).next
        if due_at is not None and due_at <= now:
            backup_folder.back_up_as_configured(self.config, self.database, now, unseen)
        self.problems += self.maintenance.failures()

    def month(self, log: "Log") -> Month:
        """What it holds now; and it serves."""
        for path in ("/", "/feeds/stories.rss", "/api/v1/stories"):
            assert (
                httpx.get(
                    self.server.url + path, trust_env=False, timeout=60
                ).status_code
                == 200
            ), path
        self.database.checkpoint_log(1.0)
        articles = counted(self.database, article)
        purged = counted(self.database, tombstone)
        kept = backup_folder.backups(self.config)
        return Month(
            memory_mib=process_tree().own_bytes / 2**20,
            database_mib=sum(
                file.stat().st_size for file in self.folder.glob("year.db*")
            )
            / 2**20,
            backups=len([one for one in kept if one.before is None]),
            backups_mib=sum(one.size_bytes for one in kept) / 2**20,
            log_mib=log.bytes / 2**20,
            articles=articles,
            purged=purged,
        )


@contextmanager
def unseen(_unit: str, _total: int | None) -> Iterator[Advance]:
    """Progress that nobody looks at."""
    yield lambda _count: None


class Log(logging.Handler):
    """What the daemon writes to its log: of each week, of the weeks that are kept."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.weeks: deque[list[str]] = deque([[]], WEEKS_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        self.weeks[-1].append(f"{record.levelname} {record.getMessage()}")

    @property
    def bytes(self) -> int:
        return sum(len(line) for week in self.weeks for line in week)

    def lines(self, level: str) -> list[str]:
        return [line for week in self.weeks for line in week if line.startswith(level)]


class Year:
    """The calendar of an installation, and what must be true at its end."""

    def __init__(
        self, folder: Path, database_url: str, world: World, scale: Scale, seed: int
    ) -> None:
        self.world, self.scale, self.start = world, scale, world.time.monotonic()
        self.wire = Wire(
            feeds=scale.feeds,
            days=scale.days,
            articles_a_day=scale.articles_a_day,
            seed=seed,
            start=self.start,
        )
        for feed in self.wire.feeds:
            world.sites[feed.host] = {"*": self._answering(feed)}
        self.at = Installation(folder, database_url, world, self.wire, scale)
        self.at.dropped = self.wire.feeds[: scale.feeds // 10]  # these begin later
        self.log = Log()
        self.months: list[Month] = []
        # Dropped for a while
        self.later = self.wire.feeds[scale.feeds // 10 : scale.feeds // 5]

    def _answering(self, feed: Feed) -> Callable[[Request], Response]:
        return lambda request: feed.answer(self._now(), request)

    def _now(self) -> float:
        return self.world.time.monotonic()

    def live(self) -> None:
        """Weeks and months go by, and on some days something happens."""
        self.at.start()
        happens: list[tuple[float, Callable[[], object]]] = [
            (0.15, self._other_feeds),
            (0.40, lambda: self.world.time.jump(-CLOCK_BACK)),
            (0.45, lambda: self.world.time.jump(8 * HOUR)),
            (0.50, self._outage),
            (0.55, self._clock_far_ahead),
            (0.60, self._all_feeds),
        ]
        happens += [
            (week / 52, lambda: self.log.weeks.append([])) for week in range(1, 53)
        ]
        restarts = self.scale.restarts
        happens += [
            ((number + 0.5) / restarts, self.at.restart) for number in range(restarts)
        ]
        happens += [(number / 12, self._end_of_month) for number in range(1, 13)]
        for share, what in sorted(happens, key=lambda one: one[0]):
            left = self.start + share * self.scale.days * DAY - self._now()
            if left > 0:
                self.at.live(left)
            what()

    def _end_of_month(self) -> None:
        self.months.append(self.at.month(self.log))
        print(
            f"{len(self.months):2}/12 {time.process_time():6.0f} s {self.months[-1]}",
            flush=True,
        )

    def _other_feeds(self) -> None:
        self.at.dropped = self.later
        self.at.reload()

    def _all_feeds(self) -> None:
        self.at.dropped = []
        self.at.reload()

    def _outage(self) -> None:
        """No network, for some days of a year."""
        self.world.offline = True
        self.at.live(self.scale.days * DAY / 100)
        self.world.offline = False
        problems = Counter(self.log.lines("WARNING"))
        assert sum(problems.values()) <= 2 * self.scale.feeds, (
            "told once, not at each try"
        )

    def _clock_far_ahead(self) -> None:
        """A dead battery: for six hours it is more than a year later, and nothing may go for that."""
        before = self._counts()
        self.world.time.jump(CLOCK_AHEAD)
        self.at.live(min(6 * HOUR, self.scale.stories * DAY / 16))
        self.world.time.jump(-CLOCK_AHEAD)
        assert self._counts()[1] == before[1], (
            "nothing is purged because a clock jumped"
        )

    def _counts(self) -> tuple[int, int]:
        month = self.at.month(self.log)
        return month.articles, month.purged

    # --- what must be true --------------------------------------------------------------------------------

    def check(self) -> None:
        at, scale = self.at, self.scale
        now = at.world.time()
        found = faults(at.database, at.config.effective_tuning, now=now)
        # notes: what came while the clock ran ahead
        assert [one for one in found if not one.is_note] == []
        reported = balance(at.database)
        print(reported)
        assert (
            reported.seen
            == reported.stored + reported.known + reported.refused_as_forgotten
        )
        assert (
            reported.stored
            == reported.placed + reported.waiting + reported.refused + reported.deleted
        )
        assert reported.waiting == 0
        assert at.problems == []
        assert self.log.lines("ERROR") == []
        self._check_that_each_came_once()
        self._check_what_is_kept(now)
        assert sorted(
            one.name
            for one in at.folder.iterdir()
            if not one.name.startswith("year.db")
        ) == [
            "backups",
            "config.yaml",
        ]
        assert all(
            one.name.endswith(".db.zst") for one in (at.folder / "backups").iterdir()
        )
        assert all(one.backups <= KEPT for one in self.months)
        assert self.months[-1].purged > 0.1 * scale.days * scale.articles_a_day, (
            "both ages were reached"
        )

    def check_that_it_is_flat(self) -> None:
        """After the first half: both ages have been reached by then, and the caches are full.

        Of an article that is gone its ids and hashes stay, by which it is refused: 1,500 bytes were measured.
        """
        middle, last = self.months[5], self.months[-1]
        stays = STAYS_BYTES * (last.purged - middle.purged) / 2**20
        assert last.memory_mib <= 1.1 * middle.memory_mib
        assert last.database_mib <= 1.15 * middle.database_mib + stays
        assert max(one.log_mib for one in self.months) <= 1.0

    def _check_that_each_came_once(self) -> None:
        """What a feed had when it was asked last is one entry each: none lost, none back."""
        rows = queried(
            self.at.database,
            select(intake_count.c.source, intake_count.c.count).where(
                intake_count.c.outcome == "new"
            ),
        )
        new: dict[str, int] = {source: int(count) for source, count in rows}
        assert value(self.at.database, func.count(), entry.c.is_revision) == 0
        listed = {one: self.at.asked[one.host] for one in self.wire.feeds}
        should = {
            source_id("feed", None, one.address): one.published(last)
            for one, last in listed.items()
        }
        assert {key: count for key, count in should.items() if count} == new

    def _check_what_is_kept(self, now: datetime) -> None:
        """Retention kept pace: nothing is much older than it may be, what is young is all there."""
        oldest = value(self.at.database, func.min(article.c.placed_at))
        age = (now - oldest.replace(tzinfo=UTC)).total_seconds() / DAY
        assert age <= self.scale.stories + 0.15 * self.scale.stories + 16, (
            "those grow for two weeks at most"
        )
        since = self._now() - 0.8 * self.scale.stories * DAY
        asked = [(one, self.at.asked[one.host]) for one in self.wire.feeds]
        young = sum(
            one.published(last) - one.published(min(since, last)) for one, last in asked
        )
        assert self.months[-1].articles >= young > 0


@contextmanager
def written_to(log: Log) -> Iterator[None]:
    """Without what pytest keeps of each line of the log: in a year that is a hundred megabytes."""
    logger = logging.getLogger("aggregator")
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(log)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = True
        logger.removeHandler(log)
        logger.setLevel(before)


def year(folder: Path, database_url: str, scale: Scale) -> list[Month]:
    """Live through it and check it; what the installation held at the end of each month."""
    seed = printed_seed()
    tuning = {
        # By numbers of articles: out of reach after some weeks of so few, not after years.
        "events": {"live_reach": 400, "undated_reach": 200},
        "copies": {"passage_reach": 400},
        "retention": {"steady_days": min(1.0, scale.texts / 8)},
    }
    with pytest.MonkeyPatch.context() as patch, World() as world:
        tune(patch, tuning)
        one = Year(folder, database_url, world, scale, seed)
        with written_to(one.log):
            one.live()
            one.check()
            if scale is not SLICE:
                one.check_that_it_is_flat()
            one.at.stop()
        return one.months


@pytest.mark.later
def test_some_days_of_an_installation(tmp_path: Path) -> None:
    year(tmp_path, f"sqlite:///{tmp_path / 'year.db'}", SLICE)


@pytest.mark.torture
@pytest.mark.timeout(0)
def test_a_year_of_three_hundred_feeds(tmp_path: Path) -> None:
    year(tmp_path, f"sqlite:///{tmp_path / 'year.db'}", YEAR)
