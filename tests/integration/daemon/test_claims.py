"""Several daemons on one Postgres share what is to be asked: each host is asked by one of them at a time."""

import datetime as dt
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import pytest
from sqlalchemy import select, update

from aggregator.config.tuning import Tuning, effective_tuning
from aggregator.daemon.poll_scheduler import PollScheduler
from aggregator.model.errors import AggregatorError
from aggregator.pipeline.poll import Poller, PollServices
from aggregator.pipeline.workers.executor import InlineExecutor
from aggregator.store.engine.database import Database
from aggregator.store.engine.writer_lease import LeaseTuning
from aggregator.store.intake.hosts import HostBackoff, HostLeases, save_host_backoffs
from aggregator.store.intake.sources import add, all_sources, save
from aggregator.store.tables import entry, host_lease, source
from tests.support.articles import NOON
from tests.support.loopback import Response, Route
from tests.support.polling import feed_source
from tests.support.rows import executed, queried, read_by, written_by
from tests.support.waiting import wait_until
from tests.support.world import Time, World

TUNING = effective_tuning().section("leases", LeaseTuning)
GAP_SECONDS = 0.15
INTERVAL_SECONDS = 1.5
HOSTS, FEEDS_A_HOST = 8, 4
ALL_TUNING = effective_tuning(
    {
        "net": {
            "host_gap_seconds": GAP_SECONDS,
            "interval_floor_seconds": INTERVAL_SECONDS,
            "quiet_stretch": 1.0,
            "jitter_share": 0.0,
        }
    }
)


@pytest.fixture
def other(shared: Database) -> Iterator[Database]:
    """The same, as another daemon opens it."""
    with closing(Database(shared.url)) as opened:
        yield opened


def of_others(claims: HostLeases, database: Database) -> frozenset[str]:
    return read_by(database, claims.of_others)


# --- claims ------------------------------------------------------------------------------------------------


def test_a_host_is_one_daemons_until_it_gives_it_back(shared: Database, other: Database) -> None:
    first, second = HostLeases(shared, TUNING), HostLeases(other, TUNING)
    assert first.take({"a.example", "b.example", "d.example"}) == {"a.example", "b.example", "d.example"}
    assert first.missing({"a.example", "c.example"}) == {"c.example"}
    assert second.take({"a.example", "c.example"}) == {"c.example"}
    assert of_others(second, other) == {"a.example", "b.example", "d.example"}
    assert of_others(first, shared) == {"c.example"}
    first.give_back(lambda host: 0.3 if host == "a.example" else 3600.0, but=["b.example"])
    assert wait_until(lambda: second.take({"a.example", "b.example"}), "its gap to be over") == {"a.example"}
    assert second.take({"b.example", "d.example"}) == set(), "the gap of the other is not over"
    assert first.missing({"a.example", "b.example"}) == {"a.example"}


def test_who_dies_loses_its_hosts_and_who_is_busy_keeps_them(shared: Database, other: Database) -> None:
    short = LeaseTuning(**{**_values(TUNING), "host_lease_seconds": 3.0, "host_renew_seconds": 2.9})
    dead, busy = HostLeases(shared, short), HostLeases(other, short)
    dead.take({"a.example"})
    busy.take({"b.example"})

    def taken_while_one_is_busy() -> set[str]:
        busy.keep(["b.example"])
        return third.take({"a.example", "b.example"})

    with closing(Database(shared.url)) as database:
        third = HostLeases(database, short)
        assert wait_until(taken_while_one_is_busy, "the claim of the dead one to end") == {"a.example"}
        dead.keep(["a.example"])
        assert dead.missing({"a.example"}) == {"a.example"}, "it knows by now"


def _values(tuning: LeaseTuning) -> dict[str, float]:
    return {name: getattr(tuning, name) for name in tuning.__struct_fields__}


def test_the_hosts_of_a_killed_daemon_are_free_at_once_and_a_gap_outlives_its_daemon(
    shared: Database, other: Database
) -> None:
    killed = Database(shared.url)
    claims, next_ones = HostLeases(killed, TUNING), HostLeases(other, TUNING)
    claims.take({"a.example", "b.example"})
    claims.give_back(lambda _host: 3600.0, but=["a.example"])
    assert next_ones.take({"a.example", "b.example"}) == set()
    killed.close()  # as a kill does, it ends the sessions and releases nothing
    assert wait_until(lambda: next_ones.take({"a.example", "b.example"}), "the lease") == {"a.example"}
    assert of_others(claims, killed) == {"a.example", "b.example"}
    assert claims.missing({"a.example"}) == {"a.example"}, "it lives, and knows what it lost"
    killed.close()


def test_nobody_waits_for_a_daemon_that_hangs_while_it_claims(shared: Database, other: Database) -> None:
    claims = HostLeases(shared, TUNING)
    claims.take({"a.example", "b.example"})
    claims.give_back(lambda _host: 0.0, but=())
    with other.write() as connection:
        connection.execute(
            select(host_lease.c.host).where(host_lease.c.host == "a.example").with_for_update()
        )
        assert claims.take({"a.example", "b.example"}) == {"b.example"}


def test_two_daemons_that_want_the_same_hosts_never_wait_for_each_other(
    shared: Database, other: Database
) -> None:
    hosts = [f"h{number}.example" for number in range(40)]
    taken: dict[str, list[str]] = defaultdict(list)

    def want(name: str, claims: HostLeases, wanted: list[str]) -> None:
        for _ in range(5):
            taken[name] += claims.take(wanted)

    threads = [
        threading.Thread(target=want, args=("first", HostLeases(shared, TUNING), hosts)),
        threading.Thread(target=want, args=("second", HostLeases(other, TUNING), hosts[::-1])),
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not set(taken["first"]) & set(taken["second"])
    assert {*taken["first"], *taken["second"]} == set(hosts)


def test_on_sqlite_all_hosts_are_the_one_daemons_own() -> None:
    alone = HostLeases(Database("sqlite:///nowhere/at-all.db"), TUNING)
    assert alone.missing({"a.example"}) == set()
    alone.keep(["a.example"])
    alone.give_back(lambda _host: 0.0, but=())


# --- rounds of two daemons ---------------------------------------------------------------------------------


class RealTime(Time):
    """The clock of this machine."""

    def __call__(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def run(self, seconds: float) -> None:
        time.sleep(seconds)


class Daemon:
    """What of a daemon asks feeds."""

    def __init__(
        self, database: Database, world: World, all_tuning: Tuning, *, leads: bool, threads: int = 4
    ) -> None:
        executor = InlineExecutor()
        self.client = world.client(all_tuning)
        services = PollServices(database, self.client, executor, all_tuning, world.time)
        poller = Poller(services, robots=False, pages="auto")
        self.rounds = PollScheduler(poller, threads=threads, arrived=lambda: None, leads=lambda: leads)
        self.rounds.take_up(world.time())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.rounds.stop()
        self.client.close()
        assert self.rounds.join(lambda: 10.0) == 0

    def _run(self) -> None:
        while not self._over.wait(0.1):
            self.rounds.tick()


def feed(number: int) -> str:
    items = "".join(
        f"<item><guid isPermaLink='false'>{number}-{n}</guid><title>Report {n} of {number}</title>"
        f"<link>http://h{number % HOSTS}.example/page-{number}-{n}</link></item>"
        for n in range(2)
    )
    return f"<rss version='2.0'><channel><title>{number}</title>{items}</channel></rss>"


def test_two_daemons_ask_each_feed_once_an_interval_and_keep_the_gaps_of_hosts(
    shared: Database, other: Database
) -> None:
    with World(RealTime()) as world:
        count = HOSTS * FEEDS_A_HOST
        for site in range(HOSTS):
            pages: dict[str, Route] = {
                "*": Response(body="<html><body><p>A page.</p></body></html>", content_type="text/html")
            }
            feeds: dict[str, Route] = {f"/{number}": feed(number) for number in range(site, count, HOSTS)}
            world.sites[f"h{site}.example"] = pages | feeds
        with shared.write() as connection:
            for number in range(count):
                add(connection, feed_source(f"http://h{number % HOSTS}.example/{number}", interval_seconds=1))
        daemons = [
            Daemon(shared, world, ALL_TUNING, leads=True),
            Daemon(other, world, ALL_TUNING, leads=False),
        ]
        for one in daemons:
            one.start()
        wait_until(lambda: pages_are_in(shared) and polls(world) >= 2 * count, "two polls of each feed")
        for one in daemons:
            one.end()
    by_host: dict[str, list[float]] = defaultdict(list)
    by_feed: dict[str, list[float]] = defaultdict(list)
    for moment, host, path in sorted(world.asked):
        by_host[host].append(moment)
        by_feed[host + path].append(moment)
    assert sum("page" in name for name in by_feed) == 2 * count
    asked_twice = [name for name, moments in by_feed.items() if "page" in name and len(moments) > 1]
    assert not asked_twice, "a page is fetched once"
    # The server sees a request some time after it was sent: on a busy machine one gap may look that much
    # shorter, but not all of them, as they would where two daemons ask a host.
    spent = [(one[-1] - one[0], (len(one) - 1) * GAP_SECONDS) for one in by_host.values()]
    assert all(seconds >= 0.9 * least for seconds, least in spent), spent
    short = [
        later - earlier < GAP_SECONDS - 0.05 for one in by_host.values() for earlier, later in pairwise(one)
    ]
    assert sum(short) <= 0.2 * len(short)
    intervals = [b - a for name, one in by_feed.items() if "page" not in name for a, b in pairwise(one)]
    assert min(intervals) >= INTERVAL_SECONDS / 2  # likewise; two that did not share would ask at any time


def test_a_host_of_quick_answers_stays_one_daemons_for_as_long_as_it_is_asked(shared: Database) -> None:
    """At no tick it is busy, since all was answered by then; at each it is asked again."""
    soon = {"leases": {"host_renew_seconds": TUNING.host_lease_seconds - 0.05}}
    ends = []
    with World() as world:
        world.sites["h0.example"] = {"*": feed(0)}
        with shared.write() as connection:
            for number in range(9):
                add(connection, feed_source(f"http://h0.example/{number}", interval_seconds=60))
        daemon = Daemon(shared, world, effective_tuning(soon | ALL_TUNING.overrides), leads=True, threads=0)
        for _ in range(3):
            daemon.rounds.tick()
            ends.append(queried(shared, select(host_lease.c.expires_at)).scalar_one())
            world.time.run(1)
            time.sleep(0.1)
        daemon.end()
    assert len(world.asked) == 6
    assert ends == sorted(set(ends)), "each tick made it longer"


def polls(world: World) -> int:
    return sum("page" not in path for _, _, path in list(world.asked))


def pages_are_in(database: Database) -> bool:
    states = set(queried(database, select(entry.c.state)).scalars())
    return states == {"ready"}


def test_what_a_host_asked_of_one_daemon_the_next_one_keeps_to(shared: Database, other: Database) -> None:
    with World() as world:
        world.sites["a.example"] = {"*": feed(0)}
        written_by(shared, add, feed_source("http://a.example/0", interval_seconds=60))
        brief = {"leases": {"host_lease_seconds": 0.5, "host_renew_seconds": 0.4}}  # of the server's clock
        late = Daemon(other, world, effective_tuning(brief), leads=False)
        with shared.write() as connection:  # said to another daemon, after this one began
            until = NOON + dt.timedelta(seconds=600)
            save_host_backoffs(connection, [HostBackoff(name="a.example", backoff_until=until)])
        late.rounds.tick()
        late.rounds.tick()
        assert world.asked == []
        world.time.run(601)
        wait_until(lambda: late.rounds.tick() or world.paths("a.example"), "the host to be asked")
        late.end()
        assert world.paths("a.example") == ["/0"]


def test_the_answer_to_a_daemon_that_was_suspended_meanwhile_changes_nothing(database: Database) -> None:
    written_by(database, add, feed_source("http://a.example/0", interval_seconds=60))
    [before] = read_by(database, all_sources)
    executed(database, update(source).values(last_polled_at=NOON, etag="newer"))
    with pytest.raises(AggregatorError, match="another process"), database.write() as connection:
        save(connection, before, before)
    assert read_by(database, all_sources)[0].etag == "newer"
