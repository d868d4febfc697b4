"""One long ingestion that is killed all along: nothing lost, nothing doubled, the same stories and feeds.

The first three fifths are an archive for `aggregator ingest`, the rest a folder that the daemon watches. A
kill hits the process or one of its workers. The reference is the same run that nobody disturbs, on SQLite.
"""

import os
import random
from contextlib import closing
from pathlib import Path

import pytest

from aggregator.store.engine.database import Database
from tests.support.deep_checks import faults
from tests.support.kill_records import records
from tests.support.kills import CARELESS, assert_same
from tests.support.long_ingest import LongIngest, Material, Outcome, placed
from tests.support.seeds import drawn

ARTICLES = int(os.environ.get("AGGREGATOR_KILL_ARTICLES") or 20_000)
KILLS = int(os.environ.get("AGGREGATOR_KILLS") or 200)
THIN = 200
THIN_KILLS = 4


def undisturbed(place: Path, count: int) -> tuple[Material, Outcome, int]:
    """The material, what a quiet run leaves of it, and the number of the last article."""
    material = Material.of(place, records(count))
    url = f"sqlite:///{place / 'quiet.db'}"
    (place / "quiet").mkdir()
    left = LongIngest(place / "quiet", material, url).undisturbed()
    return material, left, placed(url)


def assert_nothing_lost(place: Path, count: int, kills: int, url: str, rng: random.Random) -> None:
    material, expected, end = undisturbed(place, count)
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


@pytest.mark.torture  # half a minute: in `make test` stand the slices of test_kill.py
@pytest.mark.timeout(600)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_killed_in_ingest_and_in_the_daemon_nothing_is_lost(tmp_path: Path, database_url: str) -> None:
    assert_nothing_lost(tmp_path, THIN, THIN_KILLS, database_url, drawn("long, thin"))


@pytest.mark.torture
@pytest.mark.timeout(6 * 3600)
def test_two_hundred_kills_in_one_long_ingestion(tmp_path: Path, database_url: str) -> None:
    assert_nothing_lost(tmp_path, ARTICLES, KILLS, database_url, drawn("long"))


@pytest.mark.torture
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_same_harness_finds_losses_where_the_rule_is_broken(tmp_path: Path, database_url: str) -> None:
    material, expected, end = undisturbed(tmp_path, ARTICLES // 10)
    (tmp_path / "killed").mkdir()
    careless = LongIngest(tmp_path / "killed", material, database_url, CARELESS)
    left = careless.killed(drawn("long, careless"), KILLS // 5, end=end)
    print(f"{left.kills}, {len(expected.rows['articles']) - len(left.rows['articles'])} articles lost")
    with pytest.raises(AssertionError):
        assert_same(left.rows, expected.rows)
