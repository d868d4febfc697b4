"""The rounds: who is handed out, whatever some hosts and clocks do; and a simulated week of 2,000 feeds."""

import itertools
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import event, update

from aggregator.config.tuning import Tuning
from aggregator.daemon.poll_scheduler import PollScheduler
from aggregator.intake.polling.page_fetch import PollServices
from aggregator.intake.polling.poll import Poller
from aggregator.intake.polling.quiet_polls import QuietPolls
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.errors import AggregatorError
from aggregator.sources.fetch.client import MAX_REDIRECTS, Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import (
    UNWRITTEN,
    Source,
    add,
    all_sources,
    revive,
    save,
    schedule,
    source_id,
)
from aggregator.store.tables import source
from tests.support.articles import NOON, Rig, record
from tests.support.loopback import LoopbackServer, Request, Response, redirect
from tests.support.rows import executed, read_by, written_by
from tests.support.rss import item, rss
from tests.support.seeds import printed_seed
from tests.support.waiting import PATIENCE_SECONDS
from tests.support.world import Time, World

DAY = 86400.0
HOUR = 3600.0


def rounds_of(
    database: Database,
    client: Client,
    all_tuning: Tuning,
    now: Any,
    threads: int = 0,
    **more: Any,
) -> PollScheduler:
    services = PollServices(database, client, InlineExecutor(), all_tuning, now, **more)
    poller = Poller(services, robots=False, pages="never")
    return PollScheduler(poller, threads=threads, arrived=lambda: None)


def source_of(address: str, **more: Any) -> Source:
    values = {"interval_seconds": 3600, "next_due_at": NOON, "pages": "never"} | more
    kind = "feed" if address.startswith("http") else "folder"
    return Source(
        id=source_id(kind, None, address), kind=kind, address=address, **values
    )


def fill(database: Database, sources: list[Source]) -> None:
    with database.write() as connection:
        for one in sources:
            add(connection, one)


def reports(*numbers: int, feed: str = "a") -> str:
    items = (
        item(f"Report {n} of {feed}", f"Words of {n} in {feed}.", guid=f"{feed}-{n}")
        for n in numbers
    )
    return rss(*items, title=feed)


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    made = world.client(Tuning())
    yield made
    made.close()


# --- who is handed out -------------------------------------------------------------------------------------


def test_a_host_with_a_thousand_feeds_does_not_keep_the_others_waiting(
    database: Database, world: World, client: Client
) -> None:
    early = NOON - timedelta(hours=5)
    world.sites["big.example"] = {"*": reports(1)}
    fill(
        database,
        [source_of(f"http://big.example/{n}", next_due_at=early) for n in range(1000)],
    )
    for number in range(20):
        world.sites[f"h{number}.example"] = {"/feed": reports(1, feed=str(number))}
    fill(database, [source_of(f"http://h{n}.example/feed") for n in range(20)])
    rounds_of(database, client, Tuning(), world.time).tick()
    asked = Counter(host for _, host, _ in world.asked)
    assert len(asked) == 21
    assert asked["big.example"] == 2


# --- polls that bring nothing ------------------------------------------------------------------------------


def times_of(database: Database) -> tuple[Any, ...]:
    (only,) = read_by(database, all_sources)
    return only.next_due_at, only.last_polled_at


class QuietDays:
    """A feed or a folder without news, looked at every ten minutes."""

    def __init__(
        self, database: Database, world: World, client: Client, address: str
    ) -> None:
        self.database, self.world, self.client = database, world, client
        world.sites["quiet.example"] = {"/feed": reports(1)}
        fill(database, [source_of(address, interval_seconds=600)])
        self.start()

    def start(self) -> None:
        quiet_polls, time = QuietPolls(UNWRITTEN), self.world.time
        self.rounds = rounds_of(
            self.database, self.client, Tuning(), time, quiet_polls=quiet_polls
        )

    def pass_by(self, seconds: float) -> int:
        """Tick each minute; return how many ticks wrote something."""
        wrote = 0
        for _ in range(int(seconds / 60)):
            before = self.database.data_version()
            self.rounds.tick()
            wrote += self.database.data_version() != before
            self.world.time.run(60)
        return wrote

    @property
    def polls(self) -> int:
        return len(self.world.paths("quiet.example"))


@pytest.fixture(params=["feed", "folder"])
def quiet(
    sqlite: Database,
    world: World,
    client: Client,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> QuietDays:
    address = (
        "http://quiet.example/feed"
        if request.param == "feed"
        else str(tmp_path / "articles")
    )
    (tmp_path / "articles").mkdir()
    return QuietDays(sqlite, world, client, address)


def test_polls_that_bring_nothing_are_written_once_an_hour(quiet: QuietDays) -> None:
    quiet.pass_by(HOUR)  # the first poll is written, and what it brought
    assert quiet.pass_by(10 * HOUR) <= 10
    if quiet.polls:
        assert quiet.polls >= 15, "they are asked as often as before"


def test_the_end_of_a_daemon_writes_the_times_of_its_polls(quiet: QuietDays) -> None:
    quiet.pass_by(1500)
    while times_of(quiet.database)[0] + timedelta(minutes=1) > quiet.world.time():
        quiet.pass_by(60)  # until it was polled after that, and brought nothing
    quiet.rounds.stop()
    quiet.rounds.join(0)
    due_at, polled_at = times_of(quiet.database)
    assert polled_at < quiet.world.time() < due_at
    polls = quiet.polls
    quiet.start()
    quiet.rounds.tick()
    assert quiet.polls == polls, "the next daemon does not ask at once"


def test_a_command_counts_more_than_the_last_quiet_poll(
    sqlite: Database, world: World, client: Client
) -> None:
    quiet = QuietDays(sqlite, world, client, "http://quiet.example/feed")
    quiet.pass_by(HOUR + 60)
    polls = quiet.polls
    (only,) = read_by(sqlite, all_sources)
    written_by(sqlite, revive, only.id, world.time())
    quiet.pass_by(120)
    assert quiet.polls == polls + 1
    world.sites["quiet.example"] = {"/feed": reports(1, 2)}
    quiet.pass_by(HOUR)
    (only,) = read_by(sqlite, all_sources)
    assert only.entries_new == 2, "what comes then is written"


def test_what_a_command_writes_last_outlives_the_end_of_the_daemon(
    sqlite: Database, world: World, client: Client
) -> None:
    quiet = QuietDays(sqlite, world, client, "http://quiet.example/feed")
    quiet.pass_by(1500)
    (only,) = read_by(sqlite, all_sources)
    written_by(sqlite, revive, only.id, world.time() - timedelta(hours=3))
    quiet.rounds.stop()
    quiet.rounds.join(0)
    assert times_of(sqlite)[0] == world.time() - timedelta(hours=3)


def test_no_row_seems_to_be_overdue_for_hours(
    sqlite: Database, world: World, client: Client
) -> None:
    """A source that became slow is asked early by a command, and answers that nothing is new."""
    quiet = QuietDays(sqlite, world, client, "http://quiet.example/feed")
    quiet.pass_by(DAY)
    for _ in range(6):
        (only,) = read_by(sqlite, all_sources)
        written_by(sqlite, revive, only.id, world.time())
        quiet.pass_by(300)
        for _ in range(40):
            quiet.pass_by(300)
            assert times_of(sqlite)[0] > world.time() - UNWRITTEN


def test_after_the_clock_went_back_a_quiet_source_is_polled(
    sqlite: Database, world: World, client: Client
) -> None:
    quiet = QuietDays(sqlite, world, client, "http://quiet.example/feed")
    quiet.pass_by(HOUR + 1800)
    polls = quiet.polls
    world.time.jump(-40 * DAY)
    quiet.pass_by(5 * HOUR)
    assert quiet.polls > polls


# --- hosts that are held -----------------------------------------------------------------------------------


def test_a_held_host_is_not_asked_and_holds_no_other(
    sqlite: Database, world: World, client: Client
) -> None:
    for number in range(4):
        world.sites[f"h{number}.example"] = {"/feed": reports(1, feed=str(number))}
    world.sites["big.example"] = {"*": reports(1)}
    fill(sqlite, [source_of(f"http://big.example/{n}") for n in range(200)])
    fill(sqlite, [source_of(f"http://h{n}.example/feed") for n in range(4)])
    client.rate_limiter.asked_to_wait("big.example", "http://big.example/", 429, 600.0)
    rounds = rounds_of(sqlite, client, Tuning(), world.time)
    rounds.cap_due_times(world.time())
    for _ in range(3):
        rounds.tick()
        world.time.run(1)
    assert {host for _, host, _ in world.asked} == {f"h{n}.example" for n in range(4)}
    world.time.run(600)
    rounds.tick()
    assert len(world.paths("big.example")) == 2


def test_a_thousand_pages_of_a_held_host_do_not_hide_the_others(
    sqlite: Database, world: World, client: Client
) -> None:
    world.sites = {"big.example": {"*": "a page"}, "other.example": {"/1": "a page"}}
    rig = Rig(sqlite, world.time, Tuning())
    crowd = [
        record(
            "big",
            str(n),
            f"Title {n}",
            "",
            url=f"http://big.example/{n}",
            published=None,
        )
        for n in range(1100)
    ]
    last = record(
        "other", "1", "Title", "", url="http://other.example/1", published=None
    )
    rig.accept(*crowd, wants_page=[True] * len(crowd))
    rig.accept(last, wants_page=[True])
    client.rate_limiter.asked_to_wait("big.example", "http://big.example/", 429, 3600.0)
    rounds = rounds_of(sqlite, client, Tuning(), world.time)
    rounds.cap_due_times(world.time())
    for _ in range(4):
        rounds.tick()
        world.time.run(1)
    assert [host for _, host, _ in world.asked] == ["other.example"]


def test_the_answer_to_a_daemon_that_was_suspended_meanwhile_changes_nothing(
    database: Database,
) -> None:
    written_by(database, add, source_of("http://a.example/0"))
    [before] = read_by(database, all_sources)
    executed(database, update(source).values(last_polled_at=NOON, etag="newer"))
    with (
        pytest.raises(AggregatorError, match="another process"),
        database.write() as connection,
    ):
        save(connection, before, before)
    assert read_by(database, all_sources)[0].etag == "newer"


def test_while_nothing_is_due_and_nothing_stored_a_tick_reads_no_table(
    sqlite: Database, world: World, client: Client
) -> None:
    """What another process stores is noticed by the next tick, and a clock that is set back or ahead."""
    for host in ("a", "b"):
        world.sites[f"{host}.example"] = {"/feed": reports(1, feed=host)}
    fill(sqlite, [source_of("http://a.example/feed")])
    rounds = rounds_of(sqlite, client, Tuning(), world.time)
    statements: list[str] = []

    @event.listens_for(sqlite.engine, "before_cursor_execute")
    def _noted(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    for _ in range(3):
        rounds.tick()
        world.time.run(1)
    assert statements
    statements.clear()
    for _ in range(30):
        rounds.tick()
        world.time.run(1)
    assert statements == []

    other = Database(sqlite.url)
    fill(other, [source_of("http://b.example/feed")])
    other.close()
    rounds.tick()
    assert world.paths("b.example") == ["/feed"]
    before = len(world.paths("a.example"))
    world.time.run(5 * HOUR)
    rounds.tick()
    assert len(world.paths("a.example")) == before + 1


def live(rounds: PollScheduler, time: Time, database: Database, seconds: float) -> None:
    """Let so much time pass: a tick whenever something is due, and one a second where something waits."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        rounds.tick()
        waiting = read_by(database, schedule)
        wait = (waiting[0].next_due_at - time()).total_seconds() if waiting else HOUR
        time.run(min(max(1.0, wait), HOUR, max(1.0, end - time.monotonic())))


def polled(world: World) -> dict[str, list[float]]:
    found = defaultdict(list)
    for moment, host, path in world.asked:
        found[host + path].append(moment)
    return found


@pytest.mark.parametrize("jump", [-HOUR, 8 * HOUR, -400 * DAY, 400 * DAY])
def test_a_clock_that_jumps_starves_nobody_and_brings_nobody_twice(
    sqlite: Database, world: World, client: Client, jump: float
) -> None:
    count = 8
    for number in range(count):
        world.sites[f"h{number}.example"] = {"/feed": reports(1, feed=str(number))}
    moments = [NOON + timedelta(minutes=5 * n) for n in range(count)]
    fill(
        sqlite,
        [
            source_of(f"http://h{n}.example/feed", next_due_at=moments[n])
            for n in range(count)
        ],
    )
    rounds = rounds_of(sqlite, client, Tuning(), world.time)
    live(rounds, world.time, sqlite, 3 * HOUR)
    jumped = world.time.monotonic()
    world.time.jump(jump)
    live(rounds, world.time, sqlite, 9 * HOUR)
    for moments_of_one in polled(world).values():
        after = [moment for moment in moments_of_one if moment > jumped]
        assert after, "starved"
        assert after[0] - jumped <= 5.5 * HOUR
        gaps = [later - earlier for earlier, later in itertools.pairwise(after)]
        assert all(HOUR <= gap <= 4.5 * HOUR for gap in gaps)
    minutes = Counter(
        int((moment - jumped) // 60)
        for moment, _, _ in world.asked
        if moment > jumped + 60
    )
    assert max(minutes.values()) <= 6, "not all at once"


def drips_beside_good(
    database: Database, deadline: float, count: int
) -> tuple[float, int]:
    """Seconds until all good feeds are read, on real threads and a real clock; how many bad ones ended."""
    all_tuning = Tuning({"net": {"fetch_deadline_seconds": deadline}})
    drip = Response(body=b"x" * 100_000, drip_seconds=0.2)
    bad = [LoopbackServer({"*": drip}) for _ in range(count)]
    good = [LoopbackServer({"*": reports(1)}) for _ in range(count)]
    now = lambda: datetime.now(UTC)  # noqa: E731
    early = now() - timedelta(hours=1)  # the bad ones stand first in the line
    fill(database, [source_of(one.url("/feed"), next_due_at=early) for one in bad])
    fill(database, [source_of(one.url("/feed"), next_due_at=now()) for one in good])
    client = Client(ClientSettings(allow_private=("127.0.0.0/8",)), all_tuning)
    rounds = rounds_of(database, client, all_tuning, now, threads=64)
    addresses = {one.url("/feed") for one in good}
    began = time.monotonic()
    while time.monotonic() - began < 10 * deadline:
        rounds.tick()
        sources = read_by(database, all_sources)
        if all(one.health == "ok" for one in sources if one.address in addresses):
            break
        time.sleep(min(1.0, deadline / 20))
    seconds = time.monotonic() - began
    ended = sum(one.failures > 0 for one in sources if one.address not in addresses)
    assert threading.active_count() < 400
    rounds.stop()
    client.close()
    assert rounds.join(PATIENCE_SECONDS) == 0
    for server in [*bad, *good]:
        server.close()
    return seconds, ended


@pytest.mark.later
def test_servers_that_drip_do_not_hold_up_the_good_ones(sqlite: Database) -> None:
    """Held up, the good ones would come after the bad ones, which end at their deadline."""
    seconds, ended = drips_beside_good(sqlite, deadline=PATIENCE_SECONDS, count=24)
    assert ended == 0, f"the good ones waited {seconds:.1f} s for the end of bad ones"


# --- what is logged ----------------------------------------------------------------------------------------


def test_an_empty_file_does_not_make_the_poll_of_its_folder_a_failure(
    sqlite: Database,
    world: World,
    client: Client,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    for name, text in [
        ("a.txt", "Words of a report."),
        ("b.txt", ""),
        ("c.json", " \n"),
        ("d.xml", "\n"),
    ]:
        (folder / name).write_text(text)
        os.utime(folder / name, (NOON.timestamp() - HOUR,) * 2)
    fill(sqlite, [source_of(str(folder), interval_seconds=10)])
    rounds = rounds_of(sqlite, client, Tuning(), world.time)
    rounds.cap_due_times(world.time())
    with caplog.at_level("INFO", "aggregator.daemon.poll_scheduler"):
        for _ in range(3):
            rounds.tick()
            world.time.run(60)
    logged = [
        (record.__dict__["event"], record.levelname, record.message)
        for record in caplog.records
    ]
    (rejected, polled) = logged
    assert rejected[:2] == ("input_rejected", "WARNING")
    assert rejected[2].endswith("d.xml: there is nothing in it (and 2 more)")
    assert polled[:2] == ("source_polled", "INFO")
    assert ": 1 new" in polled[2]
    (source,) = read_by(sqlite, all_sources)
    assert (
        source.health,
        source.failures,
        source.entries_new,
        source.entries_rejected,
    ) == ("ok", 0, 1, 3)


# --- a week ------------------------------------------------------------------------------------------------

WAYS = ("503", "429", "404", "410", "page", "dns", "refused", "loop", "endless")


class Feed:
    """One of the many: when it breaks, in which way, and when it has news. Times by the monotonic clock."""

    def __init__(
        self,
        number: int,
        host: str,
        way: str | None,
        chance: Random,
        start: float,
        days: float,
    ) -> None:
        self.number, self.host, self.path, self.way = number, host, f"/{number}", way
        self.broken: list[tuple[float, float]] = []
        at = start + chance.uniform(0.05, 0.3) * days * DAY
        longest = 10 * HOUR if self.way == "410" else days * DAY / 3
        while self.way is not None and at < start + days * DAY * 0.9:
            end = at + chance.uniform(0.05, 1.0) * longest
            self.broken.append((at, end))
            at = end + chance.uniform(0.2, 0.5) * days * DAY
        gap = chance.choice([8 * HOUR, DAY, 3 * DAY, 10 * DAY])
        self.news = [start]
        while self.news[-1] < start + days * DAY:
            self.news.append(self.news[-1] + chance.expovariate(1 / gap) + 60)

    def is_broken(self, now: float) -> bool:
        return any(begin <= now < end for begin, end in self.broken)

    def answer(self, now: float, request: Request) -> Response:
        # These two are not even asked
        if self.is_broken(now) and self.way not in ("dns", "refused"):
            return self._fault()
        newest = sum(moment <= now for moment in self.news)
        etag = f'"{newest}"'
        if request.headers.get("if-none-match") == etag:
            return Response(304, {"ETag": etag})
        numbers = range(max(0, newest - 12), newest)
        return Response(
            body=reports(*reversed(numbers), feed=str(self.number)),
            headers={"ETag": etag},
        )

    def _fault(self) -> Response:
        faults = {
            "503": Response(503, {"Retry-After": "7200"}),
            "429": Response(429, {"Retry-After": "900"}),
            "404": Response(404),
            "410": Response(410),
            "page": Response(
                body="<html><body><p>We are working on it.</p></body></html>"
            ),
            "loop": redirect(self.path),
            "endless": Response(body=b"x" * 200_000),
        }
        return faults[self.way or ""]


class Many:
    """So many feeds for so many days, and what must be true of them afterwards."""

    def __init__(
        self,
        database: Database,
        world: World,
        feeds: int,
        days: float,
        seed: int,
        *,
        each: int,
        hours: int,
    ) -> None:
        """One in `each` feeds is broken; all are to be asked every so many `hours`."""
        self.hours = hours
        self.world, self.database, self.days = world, database, days
        chance = Random(seed)
        self.start = self.offline_since = self.online_again = world.time.monotonic()
        self.feeds = []
        for number in range(feeds):
            # The broken are alone on their hosts; the others share: one host has a twentieth of all.
            way = WAYS[number // each % len(WAYS)] if number % each == 0 else None
            host = (
                f"h{number}"
                if way
                else "big"
                if number % 20 == 1
                else f"s{number % (feeds // 8)}"
            )
            self.feeds.append(
                Feed(number, f"{host}.example", way, chance, self.start, days)
            )
        self.at = {(one.host, one.path): one for one in self.feeds}
        for one in self.feeds:
            world.sites[one.host] = {"*": self._answer}
        self.all_tuning = Tuning({"net": {"wire_cap_bytes": 100_000}})
        self.client = world.client(self.all_tuning)
        fill(
            database,
            [
                source_of(
                    f"http://{one.host}{one.path}",
                    interval_seconds=hours * 3600,
                    next_due_at=NOON
                    + timedelta(seconds=chance.uniform(0, hours * HOUR)),
                )
                for one in self.feeds
            ],
        )

    def _answer(self, request: Request) -> Response:
        host = request.headers["host"]
        return self.at[host, request.path].answer(self.world.time.monotonic(), request)

    def live(self) -> None:
        """The whole time, with a clock that jumps twice and a night without a network."""
        rounds = rounds_of(self.database, self.client, self.all_tuning, self.world.time)
        rounds.cap_due_times(self.world.time())
        pieces = [(0.3, -HOUR), (0.25, 8 * HOUR), (0.1, 0.0), (0.05, 0.0), (0.3, 0.0)]
        for number, (share, jump) in enumerate(pieces):
            self.world.offline = number == 3
            if self.world.offline:
                self.offline_since = self.world.time.monotonic()
            self.online_again = self.world.time.monotonic()
            end = self.world.time.monotonic() + share * self.days * DAY
            while self.world.time.monotonic() < end:
                self._go_along()
                live(
                    rounds,
                    self.world.time,
                    self.database,
                    min(HOUR, end - self.world.time.monotonic()),
                )
            self.world.time.jump(jump)

    def _go_along(self) -> None:
        """Names that lead nowhere, ports that are closed, at this time."""
        now = self.world.time.monotonic()
        broken = [one for one in self.feeds if one.is_broken(now)]
        self.world.down = {one.host for one in broken if one.way == "dns"}
        self.world.closed = {one.host for one in broken if one.way == "refused"}

    def check(self) -> None:
        asked = polled(self.world)
        tuning = self.all_tuning.values("net")
        assert len(asked) == len(self.feeds), "every feed was asked"
        self._check_rate(tuning["host_gap_seconds"], MAX_REDIRECTS)
        rows = {one.address: one for one in read_by(self.database, all_sources)}
        now = self.world.time.monotonic()
        for one in self.feeds:
            row = rows[f"http://{one.host}{one.path}"]
            moments = asked[one.host + one.path]
            for _, end in one.broken:
                latest = self._read_again(end)
                if latest < now and not one.is_broken(latest):
                    assert any(end <= moment <= latest for moment in moments), (
                        one.way,
                        end,
                    )
            if one.way is None:
                assert row.health == "ok", (one.host, row.health_cause)
                for earlier, later in itertools.pairwise(moments):
                    assert later - earlier <= self._longest(earlier, later), "stalled"
                assert len(moments) <= self.days * 24 / self.hours + 2, (
                    "asked more often than it may be"
                )
                seen = sum(moment <= moments[-1] for moment in one.news)
                assert row.entries_new == seen, "news were missed"

    def _read_again(self, end: float) -> float:
        """When a feed that recovered at `end` must have been read: after its longest back-off at the latest.

        An hour more for the clock that went back, one for what is looked up only so often; over our own
        outage that too, and an interval, within which the feeds are asked again one after the other.
        """
        latest = end + DAY + 2 * HOUR
        if latest < self.offline_since or end > self.online_again:
            return latest
        return latest + self.online_again - self.offline_since + self.hours * HOUR * 1.1

    def _longest(self, earlier: float, later: float) -> float:
        """The longest time a good feed may be left alone: the end of a quiet spell, and an hour of the clock.

        Over the outage as well: that, and a back-off that is no longer than the failing was, or an interval.
        """
        quiet = 4 * self.hours * HOUR * 1.1 + HOUR
        if later < self.offline_since or earlier > self.online_again:
            return quiet
        outage = self.online_again - self.offline_since
        return quiet + outage + max(outage, self.hours * HOUR) * 1.1

    def _check_rate(self, gap: float, redirects: int) -> None:
        """No host sees more requests than one a gap; the steps of one redirect are paid for afterwards."""
        by_host = defaultdict(list)
        for moment, host, _ in self.world.asked:
            by_host[host].append(moment)
        for host, moments in by_host.items():
            has_loops = any(one.way == "loop" for one in self.feeds if one.host == host)
            burst = redirects + 1 if has_loops else 1
            for first, last in zip(moments, moments[burst:], strict=False):
                assert last - first >= gap - 1e-6, host

    def busiest_minute(self) -> int:
        """The most requests in one minute after the night without a network."""
        since = [moment - self.online_again for moment, _, _ in self.world.asked]
        return max(
            Counter(int(moment // 60) for moment in since if moment >= 0).values()
        )


def week(
    database: Database,
    feeds: int,
    days: float,
    seed: int,
    *,
    each: int = 10,
    hours: int = 1,
) -> None:
    with World() as world:
        many = Many(database, world, feeds, days, seed, each=each, hours=hours)
        began = time.monotonic()
        many.live()
        many.check()
        print(
            f"{feeds} feeds, {days} days: {len(world.asked)} requests, after the outage at most "
            f"{many.busiest_minute()} in a minute, {time.monotonic() - began:.0f} s"
        )
        # Evenly spread it would be a sixtieth of the feeds a minute.
        assert many.busiest_minute() <= max(10, feeds / 60 * 4)
        many.client.close()


@pytest.mark.later
def test_a_day_and_a_half_of_a_few_feeds(sqlite: Database) -> None:
    week(sqlite, feeds=30, days=1.5, seed=4, each=3)


@pytest.mark.torture
def test_a_week_of_two_thousand_feeds(sqlite: Database) -> None:
    week(sqlite, 2000, 7.0, printed_seed(), hours=3)
