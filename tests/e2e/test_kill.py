"""kill -9 at any moment: what was begun is ended by the next start, as if nothing had happened.

Every round is a fresh database. A real `aggregator ingest` is killed at random moments and started again
until it ends; then all that is settled must equal what an undisturbed run leaves, ids included, whatever the
number of workers and whichever the database.
"""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from aggregator.store.tables import article
from tests.conftest import Postgres
from tests.support import forked
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE
from tests.support.deep_checks import faults
from tests.support.kill_records import records
from tests.support.kills import (
    CARELESS,
    WAYS,
    Settled,
    Way,
    assert_same,
    children_of,
    left_in,
)
from tests.support.long_ingest import LongIngest, Material, Outcome, placed
from tests.support.loopback import LoopbackServer, Response
from tests.support.rows import queried, read_by
from tests.support.seeds import drawn
from tests.support.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.later

ARTICLES = 150
ROUNDS = int(os.environ.get("AGGREGATOR_KILL_ROUNDS") or 10)  # of the full count
LONG_ARTICLES = int(os.environ.get("AGGREGATOR_KILL_ARTICLES") or 20_000)
LONG_KILLS = int(os.environ.get("AGGREGATOR_KILLS") or 200)


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of others where they are there, else invented ones; with copies, revisions, a live blog."""
    file = tmp_path_factory.mktemp("kill") / "articles.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in records(ARTICLES)))
    return file


def start(folder: Path, *arguments: str) -> forked.Process:
    """The program, which writes what it says to a file."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AGGREGATOR_")}
    with Path(os.devnull).open("rb") as nothing, (folder / "said.log").open("wb") as log:
        return forked.start(arguments, folder, environment, (nothing.fileno(), log.fileno(), log.fileno()))


def ended(folder: Path, running: forked.Process) -> None:
    """Wait for a run that must end well; it may have refused something."""
    assert running.wait() in (0, 3), (folder / "said.log").read_text()


class Bench:
    """Makes databases, runs the program on them and looks at what it left."""

    def __init__(self, folder: Path, articles: Path, make: Callable[[], str]) -> None:
        self._folder = folder
        self._articles = articles
        self._make = make

    def start(self, way: Way, url: str) -> forked.Process:
        return start(self._folder, "ingest", str(self._articles), *self._arguments(way, url))

    def start_careless(self, way: Way, url: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [*CARELESS, "ingest", str(self._articles), *self._arguments(way, url)]
        nothing = subprocess.DEVNULL
        return subprocess.Popen(command, env=os.environ | environment, stdout=nothing, stderr=nothing)

    def _arguments(self, way: Way, url: str) -> tuple[str, ...]:
        return ("--config", str(way.config(self._folder)), "--database", url)

    def undisturbed(self, way: Way) -> tuple[Settled, float]:
        """What a run that nobody disturbs leaves, and how many seconds it took."""
        url, started = self._make(), time.monotonic()
        ended(self._folder, self.start(way, url))
        return left_in(url), time.monotonic() - started

    def killed_often(
        self, rng: random.Random, way: Way, seconds: tuple[float, float], *, kills: int
    ) -> Settled:
        """Killed at `kills` random moments, so many seconds after each start, then left alone."""
        url = self._make()
        for _ in range(kills):
            running = self.start(way, url)
            try:
                running.wait(timeout=rng.uniform(*seconds))
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
            else:
                break  # it was quicker than the killer
        ended(self._folder, self.start(way, url))
        return left_in(url)

    def workers_killed(self, rng: random.Random, way: Way, *, kills: int) -> tuple[Settled, int]:
        """One of its workers is killed now and then; how often that was, beside what was left."""
        url, done = self._make(), 0
        running = self.start(way, url)
        while running.poll() is None and done < kills:
            time.sleep(rng.uniform(0.3, 0.6))
            if workers := children_of(running.pid):
                os.kill(rng.choice(workers), signal.SIGKILL)
                done += 1
        ended(self._folder, running)
        return left_in(url), done


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, articles: Path) -> tuple[Settled, float]:
    """What a quiet run leaves, on SQLite: the same must come of all others, on Postgres too."""
    folder = tmp_path_factory.mktemp("undisturbed")
    return Bench(folder, articles, lambda: f"sqlite:///{folder / 'quiet.db'}").undisturbed(WAYS["inline"])


@pytest.fixture(params=["sqlite", "postgres"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, articles: Path) -> Bench:
    if request.param == "postgres":
        postgres: Postgres = request.getfixturevalue("postgres")
        return Bench(tmp_path, articles, postgres.make)
    numbers = iter(range(10_000))
    return Bench(tmp_path, articles, lambda: f"sqlite:///{tmp_path / f'{next(numbers)}.db'}")


# --- the thin slice ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bench", "way"), [("sqlite", "inline"), ("postgres", "one")], indirect=["bench"])
def test_killed_and_started_again_it_ends_like_a_run_undisturbed(
    bench: Bench, way: str, undisturbed: tuple[Settled, float]
) -> None:
    expected, seconds = undisturbed
    assert_same(bench.killed_often(drawn(way), WAYS[way], (0.2, 0.8 * seconds), kills=3), expected)


@pytest.mark.torture
def test_a_program_that_breaks_the_rule_is_found_out(
    tmp_path: Path, articles: Path, undisturbed: tuple[Settled, float]
) -> None:
    expected, _ = undisturbed
    quiet, careless, is_careless = (tmp_path / name for name in ("quiet.db", "careless.db", "is careless"))
    bench = Bench(tmp_path, articles, lambda: "")
    assert bench.start_careless(WAYS["inline"], f"sqlite:///{quiet}").wait() in (0, 3)
    assert_same(left_in(f"sqlite:///{quiet}"), expected)  # nothing but kills tells the two apart
    running = bench.start_careless(WAYS["inline"], f"sqlite:///{careless}", CARELESS_FILE=str(is_careless))
    wait_until(lambda: is_careless.exists() or running.poll() is not None, "it to be careless")
    assert running.poll() is None, "it ended before it was ever careless"
    running.kill()
    running.wait()
    assert bench.start_careless(WAYS["inline"], f"sqlite:///{careless}").wait() in (0, 3)
    assert left_in(f"sqlite:///{careless}") != expected, "a lost batch must be noticed"


def test_killed_while_it_waits_for_a_page_it_goes_on_with_that_page(tmp_path: Path) -> None:
    with LoopbackServer() as server:
        items = "".join(
            f"<item><guid>{n}</guid><title>{word} at Isk</title><link>{server.url(f'/{n}')}</link></item>"
            for n, word in enumerate(("Levee breaks", "Dock workers strike", "Ferry sails"))
        )
        server.routes["/feed"] = f"<rss version='2.0'><channel>{items}</channel></rss>"
        texts = (FLOOD, STRIKE, FLOOD_ELSEWHERE)
        pages = [page_of(text) for text in texts]
        server.routes |= {"/0": pages[0], "/1": pages[1], "/2": Response(delay_seconds=10 * PATIENCE_SECONDS)}
        (tmp_path / "config.yaml").write_text(
            "fetch: {allow_private: [127.0.0.0/8], host_gap: 0s, robots: false}\nwork: {executor: inline}\n"
        )
        running = start(tmp_path, "ingest", server.url("/feed"))
        wait_until(lambda: "/2" in server.paths() or running.poll() is not None, "it to ask for the page")
        assert running.poll() is None
        running.kill()
        running.wait()
        server.routes["/2"] = pages[2]
        ended(tmp_path, start(tmp_path, "ingest", server.url("/feed")))
    url = f"sqlite:///{tmp_path / 'aggregator.db'}"
    held = queried(url, select(article.c.text)).scalars().all()
    assert read_by(url, inbox.waiting_count) == 0
    assert len(held) == len(texts)
    assert all(any(text.split("\n")[-1] in one for one in held) for text in texts), "each by its page"


def page_of(text_of: str) -> Response:
    paragraphs = "".join(f"<p>{line}</p>" for line in text_of.split("\n"))
    body = f"<html><body><article><h1>News</h1>{paragraphs}</article></body></html>"
    return Response(body=body, content_type="text/html")


# --- the full count ----------------------------------------------------------------------------------------


@pytest.mark.torture
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("way", WAYS)
def test_many_rounds_of_kills(bench: Bench, way: str, undisturbed: tuple[Settled, float]) -> None:
    expected, _ = undisturbed
    left, seconds = bench.undisturbed(WAYS[way])
    assert_same(left, expected)
    rng = drawn(f"many {way}")
    for _ in range(ROUNDS):
        moments = (0.1, rng.uniform(0.3, 1.0) * seconds)
        assert_same(bench.killed_often(rng, WAYS[way], moments, kills=rng.randint(2, 8)), expected)


@pytest.mark.torture
@pytest.mark.timeout(7200)
def test_many_rounds_of_killed_workers(bench: Bench, undisturbed: tuple[Settled, float]) -> None:
    expected, _ = undisturbed
    rng = drawn("many workers")
    for _ in range(ROUNDS):
        left, _ = bench.workers_killed(rng, rng.choice([WAYS["one"], WAYS["two"]]), kills=rng.randint(1, 6))
        assert_same(left, expected)


# --- one long ingestion ------------------------------------------------------------------------------------
# The first three fifths are an archive for `aggregator ingest`, the rest a folder that the daemon watches. A
# kill hits the process or one of its workers. The reference is the same run that nobody disturbs, on SQLite.


def read_undisturbed(place: Path, count: int) -> tuple[Material, Outcome, int]:
    """The material, what a quiet run leaves of it, and the number of the last article."""
    material = Material.of(place, records(count))
    url = f"sqlite:///{place / 'quiet.db'}"
    (place / "quiet").mkdir()
    left = LongIngest(place / "quiet", material, url).undisturbed()
    return material, left, placed(url)


def assert_nothing_lost(place: Path, count: int, kills: int, url: str, rng: random.Random) -> None:
    material, expected, end = read_undisturbed(place, count)
    (place / "killed").mkdir()
    left = LongIngest(place / "killed", material, url).killed(rng, kills, end=end)
    print(f"{left.kills} of {kills}, {len(left.rows['articles']):,} articles")
    assert sum(left.kills.values()) == kills
    assert left.kills["ingest"]
    assert left.kills["daemon"]
    assert_same(left.rows, expected.rows)
    assert left.feeds == expected.feeds
    with closing(Database(url)) as database:
        assert [fault.what for fault in faults(database)] == []


@pytest.mark.torture  # half a minute: in `make test` stand the slices above
@pytest.mark.timeout(600)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_killed_in_ingest_and_in_the_daemon_nothing_is_lost(tmp_path: Path, database_url: str) -> None:
    assert_nothing_lost(tmp_path, 200, 4, database_url, drawn("long, thin"))


@pytest.mark.torture
@pytest.mark.timeout(6 * 3600)
def test_two_hundred_kills_in_one_long_ingestion(tmp_path: Path, database_url: str) -> None:
    assert_nothing_lost(tmp_path, LONG_ARTICLES, LONG_KILLS, database_url, drawn("long"))


@pytest.mark.torture
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_same_harness_finds_losses_where_the_rule_is_broken(tmp_path: Path, database_url: str) -> None:
    material, expected, end = read_undisturbed(tmp_path, LONG_ARTICLES // 10)
    (tmp_path / "killed").mkdir()
    careless = LongIngest(tmp_path / "killed", material, database_url, CARELESS)
    left = careless.killed(drawn("long, careless"), LONG_KILLS // 5, end=end)
    print(f"{left.kills}, {len(expected.rows['articles']) - len(left.rows['articles'])} articles lost")
    with pytest.raises(AssertionError):
        assert_same(left.rows, expected.rows)
