"""kill -9 at any moment: what was begun is ended by the next start, as if nothing had happened.

Every round is a fresh database. A real `aggregator ingest` is killed at random moments and started again
until it ends; then all that is settled must equal what an undisturbed run leaves, ids included, whatever the
number of workers and whichever the database.
"""

import gzip
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from aggregator.store import inbox
from aggregator.store.database import Database
from aggregator.store.matching import newest
from aggregator.store.search import unindexed_count
from aggregator.store.tables import article, entry, lsh_band, outlet_line, revision, story_log
from aggregator.text.query import parse_query
from tests.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE, settled
from tests.conftest import REPOSITORY, Postgres
from tests.loopback import LoopbackServer, Response

ARTICLES = 300
HONEST = [str(Path(sys.executable).with_name("aggregator"))]
CARELESS = [sys.executable, "-m", "tests.e2e.careless_ingest"]
SECONDS_AN_INGEST = 240
SEED = int(os.environ.get("AGGREGATOR_KILL_SEED") or random.SystemRandom().randrange(2**32))

ROUNDS = int(os.environ.get("AGGREGATOR_KILL_ROUNDS") or 40)  # of the full count

Settled = dict[str, list[tuple[Any, ...]]]


class Way(NamedTuple):
    """How the pure stages run."""

    executor: str
    workers: int

    def config(self, folder: Path) -> Path:
        file = folder / "config.yaml"
        file.write_text(f"work:\n  executor: {self.executor}\n  workers: {self.workers}\n")
        return file


WAYS = {"two": Way("processes", 2), "one": Way("processes", 1), "inline": Way("inline", 1)}


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 records of others where they are there, else invented ones; with copies, revisions, a live blog."""
    file = tmp_path_factory.mktemp("kill") / "articles.jsonl"
    given = Path(os.environ.get("AGGREGATOR_DATA", REPOSITORY.parent / "shared" / "data"))
    dataset = REPOSITORY / given / "events-fulltext.jsonl.gz"
    records = taken(dataset, ARTICLES) if dataset.is_file() else invented(ARTICLES)
    file.write_text("".join(json.dumps(one) + "\n" for one in with_hard_cases(records)))
    return file


class Bench:
    """Makes databases, runs the program on them and looks at what it left."""

    def __init__(self, folder: Path, articles: Path, make: Callable[[], str]) -> None:
        self._folder = folder
        self._articles = articles
        self._make = make

    def start(self, command: list[str], way: Way, url: str) -> subprocess.Popen[bytes]:
        arguments = ["--config", str(way.config(self._folder)), "--database", url]
        return subprocess.Popen(
            [*command, "ingest", str(self._articles), *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def undisturbed(self, way: Way) -> tuple[Settled, float]:
        """What a run that nobody disturbs leaves, and how many seconds it took."""
        url, started = self._make(), time.monotonic()
        ended(self.start(HONEST, way, url))
        return left_in(url), time.monotonic() - started

    def killed_often(
        self,
        rng: random.Random,
        way: Way,
        seconds: tuple[float, float],
        *,
        kills: int,
        command: list[str] = HONEST,
    ) -> Settled:
        """Killed at `kills` random moments, so many seconds after each start, then left alone."""
        url = self._make()
        for _ in range(kills):
            running = self.start(command, way, url)
            try:
                running.wait(timeout=rng.uniform(*seconds))
            except subprocess.TimeoutExpired:
                running.kill()
                running.communicate()
            else:
                break  # it was quicker than the killer
        ended(self.start(command, way, url))
        return left_in(url)

    def workers_killed(self, rng: random.Random, way: Way, *, kills: int) -> tuple[Settled, int]:
        """One of its workers is killed now and then; how often that was, beside what was left."""
        url, done = self._make(), 0
        running = self.start(HONEST, way, url)
        while running.poll() is None and done < kills:
            time.sleep(rng.uniform(0.3, 0.6))
            if workers := children_of(running.pid):
                os.kill(rng.choice(workers), signal.SIGKILL)
                done += 1
        ended(running)
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


def rounds(name: str) -> random.Random:
    """Random moments that can be had again: AGGREGATOR_KILL_SEED=the printed number."""
    print(f"AGGREGATOR_KILL_SEED={SEED} ({name})")
    return random.Random(f"{SEED} {name}")


# --- the thin slice ----------------------------------------------------------------------------------------


@pytest.mark.timeout(SECONDS_AN_INGEST)
@pytest.mark.parametrize(
    ("bench", "way"), [("sqlite", "two"), ("sqlite", "inline"), ("postgres", "one")], indirect=["bench"]
)
def test_killed_and_started_again_it_ends_like_a_run_undisturbed(
    bench: Bench, way: str, undisturbed: tuple[Settled, float]
) -> None:
    expected, seconds = undisturbed
    assert_same(bench.killed_often(rounds(way), WAYS[way], (0.2, 0.8 * seconds), kills=3), expected)


@pytest.mark.timeout(SECONDS_AN_INGEST)
@pytest.mark.parametrize("bench", ["sqlite"], indirect=True)
def test_a_killed_worker_is_replaced_and_leaves_no_trace(
    bench: Bench, undisturbed: tuple[Settled, float]
) -> None:
    left, kills = bench.workers_killed(rounds("workers"), WAYS["one"], kills=2)
    assert kills
    assert_same(left, undisturbed[0])


@pytest.mark.timeout(SECONDS_AN_INGEST)
def test_a_program_that_breaks_the_rule_is_found_out(
    tmp_path: Path, articles: Path, undisturbed: tuple[Settled, float]
) -> None:
    expected, _ = undisturbed
    files = iter(tmp_path / f"{number}.db" for number in range(10_000))
    bench = Bench(tmp_path, articles, lambda: f"sqlite:///{next(files)}")
    quiet = bench.killed_often(rounds("quiet"), WAYS["inline"], (0, 0), kills=0, command=CARELESS)
    assert_same(quiet, expected)  # nothing but kills tells the two apart
    careless = tmp_path / "careless.db"
    running = bench.start(CARELESS, WAYS["inline"], f"sqlite:///{careless}")
    while running.poll() is None and not has_done_entries_without_a_story(careless):
        time.sleep(0.005)
    assert running.poll() is None, "it ended before it was ever careless"
    running.kill()
    running.communicate()
    ended(bench.start(CARELESS, WAYS["inline"], f"sqlite:///{careless}"))
    assert left_in(f"sqlite:///{careless}") != expected, "a lost batch must be noticed"


def has_done_entries_without_a_story(file: Path) -> bool:
    """Whether the database is just now in the state that the transaction rule forbids."""
    if not file.exists():
        return False
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            return bool(
                database.execute("SELECT 1 FROM entry WHERE state = 'done' AND outcome IS NULL").fetchone()
            )
    except sqlite3.OperationalError:
        return False  # no tables yet


@pytest.mark.timeout(SECONDS_AN_INGEST)
def test_killed_while_it_waits_for_a_page_it_goes_on_with_that_page(tmp_path: Path) -> None:
    with LoopbackServer() as server:
        items = "".join(
            f"<item><guid>{n}</guid><title>{word} at Isk</title><link>{server.url(f'/{n}')}</link></item>"
            for n, word in enumerate(("Levee breaks", "Dock workers strike", "Ferry sails"))
        )
        server.routes["/feed"] = f"<rss version='2.0'><channel>{items}</channel></rss>"
        texts = (FLOOD, STRIKE, FLOOD_ELSEWHERE)
        pages = [page_of(text) for text in texts]
        server.routes |= {"/0": pages[0], "/1": pages[1], "/2": Response(delay_seconds=60)}
        (tmp_path / "config.yaml").write_text(
            "fetch: {allow_private: [127.0.0.0/8], host_gap: 0s, robots: false}\nwork: {executor: inline}\n"
        )
        command = [*HONEST, "ingest", server.url("/feed")]
        running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        while "/2" not in server.paths():
            assert running.poll() is None
            time.sleep(0.02)
        running.kill()
        running.communicate()
        server.routes["/2"] = pages[2]
        ended(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    database = Database(f"sqlite:///{tmp_path / 'aggregator.db'}")
    with database.read() as connection:
        held = connection.execute(select(article.c.text)).scalars().all()
        waiting = inbox.waiting_count(connection)
    database.close()
    assert waiting == 0
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
    rng = rounds(f"many {way}")
    for _ in range(ROUNDS):
        moments = (0.1, rng.uniform(0.3, 1.0) * seconds)
        assert_same(bench.killed_often(rng, WAYS[way], moments, kills=rng.randint(2, 8)), expected)


@pytest.mark.torture
@pytest.mark.timeout(7200)
def test_many_rounds_of_killed_workers(bench: Bench, undisturbed: tuple[Settled, float]) -> None:
    expected, _ = undisturbed
    rng = rounds("many workers")
    for _ in range(ROUNDS):
        left, _ = bench.workers_killed(rng, rng.choice([WAYS["one"], WAYS["two"]]), kills=rng.randint(1, 6))
        assert_same(left, expected)


# --- looking -----------------------------------------------------------------------------------------------


def ended(running: subprocess.Popen[bytes]) -> None:
    """Wait for a run that must end well."""
    said, _ = running.communicate(timeout=SECONDS_AN_INGEST)
    assert running.returncode == 0, said.decode()


def left_in(url: str) -> Settled:
    """All that must be the same in a database after the same input, clocks and the rows' own order aside."""
    database = Database(url)
    logged = select(story_log.c.story, story_log.c.kind, story_log.c.article, story_log.c.detail)
    entries = select(entry.c.inbox_no, entry.c.state, entry.c.article, entry.c.outcome)
    with database.read() as connection:
        rows = {
            "log": connection.execute(logged.order_by(story_log.c.n)).all(),
            "entries": connection.execute(entries.order_by(entry.c.inbox_no)).all(),
            "bands": connection.execute(select(lsh_band).order_by(*lsh_band.c)).all(),
            "texts": connection.execute(
                select(article.c.n, article.c.text, article.c.details).order_by(article.c.n)
            ).all(),
            "repeated lines": connection.execute(select(outlet_line).order_by(*outlet_line.c[:2])).all(),
            "revisions": connection.execute(
                select(revision.c.article, revision.c.number, revision.c.text).order_by(*revision.c[:2])
            ).all(),
            "found": [(n,) for n in newest(connection, parse_query("the"), 10_000, reach=10_000)],
            "not indexed": [(unindexed_count(connection),)],
            "indexed": [(n,) for n in newest(connection, parse_query("after:1900"), 10_000, reach=10_000)],
        }
    whole = settled(database) | {name: [tuple(row) for row in held] for name, held in rows.items()}
    database.close()
    return whole


def assert_same(left: Settled, expected: Settled) -> None:
    """Say which table differs and where first, not 300 articles."""
    for name, rows in expected.items():
        found = left[name]
        differing = [pair for pair in zip(found, rows, strict=False) if pair[0] != pair[1]]
        assert not differing, f"{name}: {len(differing)} rows differ, the first: {differing[0]}"
        assert len(found) == len(rows), f"{name}: {len(found)} rows instead of {len(rows)}"


def children_of(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*"):
        try:
            found += [int(one) for one in (task / "children").read_text().split()]
        except OSError:
            continue  # the thread ended meanwhile
    return found


# --- what is read ------------------------------------------------------------------------------------------


def taken(dataset: Path, count: int) -> list[dict[str, Any]]:
    with gzip.open(dataset, "rt") as lines:
        return [json.loads(line) for _, line in zip(range(count), lines, strict=False)]


def with_hard_cases(records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Reprints, corrected texts, a reused id, a live blog and an outlet's footer among the articles."""
    for number, one in enumerate(records):
        yield one
        if number % 7 == 3:  # more than twenty: the footer is learnt on the way
            footed = f"{one['text']}\n{FOOTER}"
            yield one | {"id": f"footer {number}", "source": "Footer Post", "text": footed}
        if number % 25 == 7:
            yield one | {"id": f"reprint {number}", "url": None, "source": "Morning Reprint"}
        if number % 40 == 13:
            yield one | {"text": f"{one['text']} A sentence was added later."}
        if number % 60 == 20:
            yield one | {"title": "Another matter", "text": records[number - 9]["text"]}
        if number % 50 == 30:
            yield {"id": f"live {number}", "source": "Ticker", "title": f"Live blog: {one['title']}"} | live(
                one
            )


def live(one: dict[str, Any]) -> dict[str, Any]:
    sentences = one["text"].split(". ")[:6]
    lines = [f"{hour}.15 p.m.: {words}." for hour, words in enumerate(sentences, start=1)]
    return {"text": "\n\n".join(lines), "published": one["published"]}


FOOTER = "The Footer Post is printed in Orrin on paper from its own forests."
PLACES = ("Pennmouth", "Sennick", "Calmouth", "Orrin", "Tavelle", "Brask", "Lower Hume", "Isk")
MATTERS = (
    ("levee", "The river rose {n} metres and {w} houses stood under water, the fire service of {p} said."),
    ("strike", "Dock workers of {p} walked out over the roster; {n} ships and {w} lorries were waiting."),
    ("court", "Judges in {p} gave the former mayor {n} years over a contract worth {w} million crowns."),
    ("fire", "A fire in the mill of {p} burnt for {n} hours; {w} people were taken to safety by boat."),
    ("vote", "Voters of {p} refused the new tramway by {n} votes after {w} months of quarrel."),
)
SAID = (
    "Witnesses had noticed the first signs {n} days before.",
    "A spokeswoman said that {w} inquiries were under way.",
    "The council of {p} meets on Thursday.",
    "{w} residents signed a letter of protest.",
    "Trains from {p} run again since the evening.",
    "The insurer puts the damage at {n} million crowns.",
)


def invented(count: int) -> list[dict[str, Any]]:
    """Articles about invented events, two or three to an event."""
    rng, records = random.Random(5), []
    while len(records) < count:
        word, opening = rng.choice(MATTERS)
        facts = {"p": rng.choice(PLACES), "n": rng.randint(2, 60), "w": rng.randint(2, 900)}
        day = f"2026-03-{rng.randint(1, 28):02}"
        for outlet in rng.sample(("Gazette", "Herald", "Courier", "Post"), rng.randint(1, 3)):
            said = " ".join([opening, *rng.sample(SAID, 4)]).format(**facts)
            title = f"{word.capitalize()} in {facts['p']}: {facts['w']} concerned"
            number = len(records)
            records.append(
                {
                    "id": str(number),
                    "url": None,
                    "source": outlet,
                    "published": day,
                    "title": title,
                    "text": said,
                }
            )
    return records[:count]
