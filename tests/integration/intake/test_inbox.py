"""The inbox: what is known changes nothing, what is new cannot be lost, and order is kept."""

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from aggregator.config.tuning import Tuning
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.prepare import PrepareDispatcher
from aggregator.intake.workers.executor import WorkerTuning
from aggregator.intake.workers.process_pool import ProcessExecutor
from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.intake import acceptance, inbox, rejected
from aggregator.store.tables import entry, rejected_input
from tests.support.articles import FLOOD, NOON, STRIKE, Rig, record
from tests.support.rows import column, queried, read_by, written_by
from tests.support.worker_processes import process_ids


def test_the_same_entry_again_is_known_and_leaves_no_row(rig: Rig) -> None:
    flood = record("Gazette", "1", "Levee breaks", FLOOD, published=None)
    first, second = rig.accept(flood), rig.accept(flood)
    assert [one.outcome for one in first + second] == ["new", "known"]
    assert first[0].article == second[0].article
    assert second[0].entry_no is None
    assert read_by(rig.database, inbox.waiting_count) == 1


def test_entries_without_guid_and_address_are_known_by_their_words(rig: Rig) -> None:
    plain = Entry(source="x.jsonl", title="Levee breaks", text=FLOOD, outlet="Gazette")
    spaced = replace(plain, text=FLOOD.replace(" ", "  "), title="LEVEE  breaks")
    elsewhere = replace(plain, outlet="Herald")
    assert [one.outcome for one in rig.accept(plain, spaced, elsewhere)] == [
        "new",
        "known",
        "new",
    ]


def test_a_stop_while_texts_are_prepared_blames_no_text(
    rig: Rig, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    rig.accept(
        record("feed", "1", "Levee", FLOOD, published=None),
        record("feed", "2", "Strike", STRIKE, published=None),
    )
    waiting = read_by(database, inbox.ready, 10)
    executor = ProcessExecutor(1, Tuning().section("work", WorkerTuning))
    dispatcher = PrepareDispatcher(executor, Tuning())
    jobs = dispatcher.submit(waiting) + dispatcher.submit(waiting[:1])
    executor.close()
    for part, job in jobs:
        assert dispatcher.result_of(part, job, lambda: True) == ()
    assert not caplog.records


@pytest.mark.later
def test_texts_without_markup_are_prepared_without_workers(
    rig: Rig, database: Database
) -> None:
    texts = [
        record(
            f"feed {n}", str(n), f"Levee {n}", f"{FLOOD} Number {n}.", published=None
        )
        for n in range(5)
    ]
    page = record("feed", "page", "Strike", "", html=f"<p>{STRIKE}</p>", published=None)
    executor = ProcessExecutor(1, Tuning().section("work", WorkerTuning))
    rig.pipeline = Pipeline(database, executor, Tuning(), rig.clock, texts_here=True)
    try:
        assert len(rig.take(*texts[:3])) == 3
        assert process_ids(executor) == []
        assert len(rig.take(*texts[3:], page)) == 3  # markup is for workers only
        assert len(process_ids(executor)) == 1
    finally:
        executor.close()


def test_nothing_half_done_is_left_by_a_transaction_that_fails(rig: Rig) -> None:
    flood, strike = (
        record("Gazette", "1", "Levee", FLOOD, published=None),
        record("Gazette", "2", "Strike", STRIKE, published=None),
    )

    def accept_and_fail() -> None:
        with rig.database.write() as connection:
            acceptance.accept(connection, [flood, strike], seen=[NOON, NOON])
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        accept_and_fail()
    assert queried(rig.database, select(entry)).all() == []
    assert [one.entry_no for one in rig.accept(flood, strike)] == [1, 2]


def test_a_refusal_is_noted_once_and_forgotten_when_it_comes_in_after_all(
    rig: Rig,
) -> None:
    with rig.database.write() as connection:
        for reason in ("the file is empty", "the file is still empty"):
            rejected.note(
                connection,
                source="ingest",
                item="x.txt",
                verdict="empty",
                reason=reason,
                at=NOON,
            )
    assert column(rig.database, rejected_input.c.reason) == ["the file is still empty"]
    written_by(rig.database, rejected.clear_files, files=["x.txt"])
    assert queried(rig.database, select(rejected_input)).all() == []
