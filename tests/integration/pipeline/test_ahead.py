"""Daemons that stand by prepare texts ahead of the one that places: same stories, whoever prepared what."""

import random
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import func, select, update

from aggregator.config.tuning import Tuning, effective_tuning
from aggregator.model.core import Entry
from aggregator.model.errors import WorkError
from aggregator.pipeline.pipeline import Pipeline
from aggregator.pipeline.prefetch import Prefetcher
from aggregator.pipeline.prepare import made_for
from aggregator.pipeline.workers.executor import InlineExecutor, JobFunction
from aggregator.store.engine.database import Database
from aggregator.store.intake import prefetched
from aggregator.store.tables import prefetched as rows
from tests.conftest import Postgres
from tests.support.articles import NOON, Clock, Rig, record, settled
from tests.support.fresh import sqlite_at
from tests.support.kill_records import invented
from tests.support.rows import counted, executed, queried, written_by

ARTICLES = 150
FOOTER = "Sign up for the letter of the Gazette, which comes every morning at six."
EAGER = {"prefetch": {"left_to_writer": 0}}  # a small inbox will do


class Counting(InlineExecutor):
    """Counts the texts that it was asked to prepare; told to, it breaks on every job."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.jobs = 0
        self._breaks = breaks

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        self.jobs += 1
        if not self._breaks:
            return super().submit(function, job)
        broken: Future[bytes] = Future()
        broken.set_exception(WorkError("died", "on purpose"))
        return broken


def entries() -> list[Entry]:
    """With a line that one outlet repeats: from the twentieth on, what is to be taken out is learnt."""
    return [
        record(
            one["source"],
            one["id"],
            one["title"],
            one["text"] + (f"\n\n{FOOTER}" if one["source"] == "Gazette" else ""),
        )
        for one in invented(ARTICLES)
    ]


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    address = postgres.lend(has_tables=True)
    with closing(Database(address)) as opened:
        yield opened
    postgres.take_back(address)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one daemon makes of it."""
    with sqlite_at(tmp_path_factory.mktemp("alone") / "one.db") as one:
        Rig(one, Clock()).take(*entries())
        return settled(one)


def helper(database: Database, name: str = "helper", *, all_tuning: Tuning | None = None) -> Prefetcher:
    return Prefetcher(database, InlineExecutor(), all_tuning or effective_tuning(EAGER), holder=name)


def placing(database: Database, executor: InlineExecutor | None = None) -> Pipeline:
    """Another daemon, of the same rules."""
    return Pipeline(database, executor or InlineExecutor(), effective_tuning(EAGER), Clock())


def without_rules(found: dict[str, Any]) -> str:
    """The version of the rules is in the evidence, and these tests have a rule of their own."""
    text = repr(found)
    return text.replace(effective_tuning(EAGER).version, effective_tuning().version)


def test_what_was_prepared_elsewhere_is_used_and_gives_the_same_stories(
    database: Database, alone: dict[str, Any]
) -> None:
    Rig(database, Clock()).accept(*entries())
    first, second = helper(database, "first"), helper(database, "second")
    assert first.step() + second.step() > 64
    while first.step() + second.step():
        pass
    holders = queried(database, select(rows.c.holder, func.count()).group_by(rows.c.holder)).all()
    done = queried(database, select(func.count(rows.c.result))).scalar_one()
    assert {holder for holder, _ in holders} == {"first", "second"}
    assert sum(count for _, count in holders) == done == ARTICLES
    own = Counting()
    list(placing(database, own).place_waiting())
    assert without_rules(settled(database)) == without_rules(alone)
    assert 0 < own.jobs < ARTICLES / 2, "only what was prepared before its outlet's lines were learnt"
    assert counted(database, rows) == 0


def test_helpers_of_two_versions_do_not_prepare_against_each_other(database: Database) -> None:
    Rig(database, Clock()).accept(*entries()[:10])
    one = helper(database, "one")
    other = helper(database, "other", all_tuning=effective_tuning({**EAGER, "events": {"packed_terms": 40}}))
    assert one.step() == 10
    assert (other.step(), one.step()) == (0, 0)
    executed(database, update(rows).values(expires_at=NOON))
    assert other.step() == 10, "the one that places may be of its version"


def test_helpers_that_come_and_go_change_nothing(database: Database, alone: dict[str, Any]) -> None:
    """Some stop between claim and answer, some have other rules, some break; meanwhile another one places."""
    seed = random.randrange(10**6)
    print(f"{seed=}")
    rng = random.Random(seed)
    other = effective_tuning({**EAGER, "events": {"packed_terms": 40}})
    Rig(database, Clock()).accept(*entries())
    helper(database, all_tuning=other).step()
    for _ in range(6):
        match rng.randrange(4):
            case 0:
                helper(database, all_tuning=other).step()
            case 1:
                Prefetcher(database, Counting(breaks=True), effective_tuning(EAGER), holder="broken").step()
            case 2:  # killed in the middle: claimed, and never prepared
                written_by(
                    database,
                    prefetched.claim,
                    "gone",
                    code_version=made_for(effective_tuning(EAGER)),
                    seconds=3600.0,
                    skip=0,
                    most=20,
                )
            case _:
                helper(database).step()
        if rng.random() < 0.5:
            next(placing(database).place_waiting(), None)
    list(placing(database).place_waiting())
    assert without_rules(settled(database)) == without_rules(alone)
    assert counted(database, rows) == 0
