"""kill -9 at any moment: what was begun is ended by the next start, as if nothing had happened.

A real `aggregator ingest` and a real daemon are killed at random moments, they or one of their workers, and
started again until all is read; then all that is settled must equal what an undisturbed run leaves, ids
included, whatever the number of workers and whichever the database.
"""

import os
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from aggregator.store.tables import article
from tests.support import forked
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE
from tests.support.daemon_process import WORKER, WORKERS
from tests.support.deep_checks import faults
from tests.support.kill_records import records
from tests.support.kills import CARELESS, assert_same
from tests.support.long_ingest import LongIngest, Material, Outcome, placed
from tests.support.loopback import LoopbackServer, Response
from tests.support.rows import queried, read_by
from tests.support.rss import item, rss
from tests.support.seeds import drawn
from tests.support.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.later

LONG_ARTICLES = int(os.environ.get("AGGREGATOR_KILL_ARTICLES") or 20_000)
LONG_KILLS = int(os.environ.get("AGGREGATOR_KILLS") or 200)
INLINE = {"executor": "inline"}


# --- one ingestion -----------------------------------------------------------------------------------------
# The first three fifths are an archive for `aggregator ingest`, the rest a folder that the daemon watches. A
# kill hits the process or one of its workers. The reference is a run that nobody disturbs, on SQLite and
# without workers.


def read_undisturbed(place: Path, count: int) -> tuple[Material, Outcome, int]:
    """The material, what a quiet run leaves of it, and the number of the last article."""
    material = Material.of(place, records(count))
    url = f"sqlite:///{place / 'quiet.db'}"
    (place / "quiet").mkdir()
    left = LongIngest(place / "quiet", material, url, INLINE).undisturbed()
    return material, left, placed(url)


def assert_nothing_lost(
    place: Path,
    url: str,
    work: dict[str, Any],
    rng: Random,
    *,
    articles: int,
    kills: int,
) -> None:
    material, expected, end = read_undisturbed(place, articles)
    (place / "killed").mkdir()
    left = LongIngest(place / "killed", material, url, work).killed(rng, kills, end=end)
    print(f"{left.kills} of {kills}, {len(left.rows['articles']):,} articles")
    assert sum(left.kills.values()) == kills
    assert left.kills["ingest"]
    assert left.kills["daemon"]
    assert_same(left.rows, expected.rows)
    assert left.feeds == expected.feeds
    with closing(Database(url)) as database:
        assert [fault.what for fault in faults(database)] == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("database_url", "work"),
    [("sqlite", INLINE), ("postgres", WORKER)],
    indirect=["database_url"],
)
def test_killed_in_ingest_and_in_the_daemon_nothing_is_lost(
    tmp_path: Path, database_url: str, work: dict[str, Any]
) -> None:
    assert_nothing_lost(
        tmp_path, database_url, work, drawn("thin"), articles=100, kills=3
    )


@pytest.mark.torture
@pytest.mark.timeout(6 * 3600)
def test_two_hundred_kills_in_one_long_ingestion(
    tmp_path: Path, database_url: str
) -> None:
    rng = drawn("long")
    assert_nothing_lost(
        tmp_path, database_url, WORKERS, rng, articles=LONG_ARTICLES, kills=LONG_KILLS
    )


@pytest.mark.torture
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_same_harness_finds_losses_where_the_rule_is_broken(
    tmp_path: Path, database_url: str
) -> None:
    material, expected, end = read_undisturbed(tmp_path, LONG_ARTICLES // 10)
    (tmp_path / "killed").mkdir()
    careless = LongIngest(
        tmp_path / "killed", material, database_url, WORKERS, CARELESS
    )
    left = careless.killed(drawn("long, careless"), LONG_KILLS // 5, end=end)
    assert left.rows["articles"]
    with pytest.raises(AssertionError):
        assert_same(left.rows, expected.rows)


# --- while it waits for a page -----------------------------------------------------------------------------


def start(folder: Path, *arguments: str) -> forked.Process:
    """The program, which writes what it says to a file."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AGGREGATOR_")
    }
    with (
        Path(os.devnull).open("rb") as nothing,
        (folder / "said.log").open("wb") as log,
    ):
        return forked.start(
            arguments,
            folder,
            environment,
            (nothing.fileno(), log.fileno(), log.fileno()),
        )


def ended(folder: Path, running: forked.Process) -> None:
    """Wait for a run that must end well; it may have refused something."""
    assert running.wait() in (0, 3), (folder / "said.log").read_text()


def test_killed_while_it_waits_for_a_page_it_goes_on_with_that_page(
    tmp_path: Path,
) -> None:
    with LoopbackServer() as server:
        titles = (
            "Levee breaks at Isk",
            "Dock workers strike at Isk",
            "Ferry sails at Isk",
        )
        items = (
            item(title, guid=n, link=server.url(f"/{n}"))
            for n, title in enumerate(titles)
        )
        server.routes["/feed"] = rss(*items)
        texts = (FLOOD, STRIKE, FLOOD_ELSEWHERE)
        pages = [page_of(text) for text in texts]
        server.routes |= {
            "/0": pages[0],
            "/1": pages[1],
            "/2": Response(delay_seconds=10 * PATIENCE_SECONDS),
        }
        (tmp_path / "config.yaml").write_text(
            "fetch: {allow_private: [127.0.0.0/8], host_gap: 0s, robots: false}\nwork: {executor: inline}\n"
        )
        running = start(tmp_path, "ingest", server.url("/feed"))
        wait_until(
            lambda: "/2" in server.paths() or running.poll() is not None,
            "it to ask for the page",
        )
        assert running.poll() is None
        running.kill()
        running.wait()
        server.routes["/2"] = pages[2]
        ended(tmp_path, start(tmp_path, "ingest", server.url("/feed")))
    url = f"sqlite:///{tmp_path / 'aggregator.db'}"
    held = queried(url, select(article.c.text)).scalars().all()
    assert read_by(url, inbox.waiting_count) == 0
    assert len(held) == len(texts)
    assert all(any(text.split("\n")[-1] in one for one in held) for text in texts), (
        "each by its page"
    )


def page_of(text_of: str) -> Response:
    paragraphs = "".join(f"<p>{line}</p>" for line in text_of.split("\n"))
    body = f"<html><body><article><h1>News</h1>{paragraphs}</article></body></html>"
    return Response(body=body, content_type="text/html")
