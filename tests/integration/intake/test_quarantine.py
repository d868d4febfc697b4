"""Quarantine: one entry that cannot be placed, or one damaged row, delays no other entry and is not lost."""

import gc

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text, update

from aggregator.config.tuning import Tuning
from aggregator.grouping.window import Window
from aggregator.intake.recluster.rebuild import rebuild
from aggregator.model.errors import DamagedError
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article, entry, story
from tests.support.articles import FLOOD, NOON, STRIKE, Clock, Rig, record, render_all
from tests.support.deep_checks import faults
from tests.support.rows import column, executed, queried, value
from tests.support.story_checks import differences, placing_of, recluster

LEVEE = record("Herald", "1", "Levee breaks", " ".join(FLOOD.split()))
REPRINT = record("Post", "1", "Levee breaks at Pennmouth", FLOOD)
DOCKS = record("Port", "1", "Dock workers strike", STRIKE)


def states(database: Database) -> dict[int, str]:
    return {
        row.entry_no: row.state
        for row in queried(
            database, select(entry.c.entry_no, entry.c.state).order_by(entry.c.entry_no)
        )
    }


def damage(database: Database) -> bytes:
    """Damage what a story is computed from; what it was."""
    details: bytes = value(database, article.c.details)
    executed(database, update(article).values(details=b"\xc1"))
    return details


def mend(database: Database, details: bytes) -> None:
    """Undo `damage`."""
    first = update(article).where(article.c.inbox_no == 1)
    executed(database, first.values(details=details))


def memory_is_that_of_the_rows(rig: Rig) -> bool:
    """Whether the window in memory is the one that would be read; it has stories."""
    with rig.database.read() as connection:
        kept = rig.pipeline.placer.services.window.current(connection)
        fresh = placing_of(rig.database).services.window.current(connection)
    return bool(kept.numbers()) and differences(kept, fresh) == []


def read_windows() -> dict[int, Window]:
    """The windows in memory that have stories, by identity."""
    gc.collect()
    return {
        id(one): one for one in gc.get_objects() if isinstance(one, Window) and len(one)
    }


@pytest.mark.later
def test_entries_that_fail_keep_no_window_in_memory(database: Database) -> None:
    Rig(database).take(LEVEE)
    damage(database)
    rig, of_others = Rig(database), read_windows()
    rig.accept(*(replace(REPRINT, source=str(n), guid=str(n)) for n in range(4)))
    with pytest.raises(DamagedError) as failed:
        rig.place()
    assert failed.value.__cause__ is not None
    assert read_windows().keys() <= of_others.keys()


@pytest.mark.later
def test_what_cannot_be_placed_is_set_aside_and_waits_again_once_it_can(
    database: Database,
) -> None:
    Rig(database).take(LEVEE)
    details = damage(database)
    rig = Rig(database)
    rig.accept(REPRINT)
    with pytest.raises(DamagedError, match=r"cannot be placed .*aggregator db check"):
        rig.place()
    assert states(database)[2] == "ready", "nothing says that it is the entry's fault"
    rig.accept(DOCKS)
    assert [one.outcome for one in rig.place()] == ["refused", "founded"]
    assert states(database) == {1: "done", 2: "refused", 3: "done"}
    mend(database, details)
    assert any("in quarantine" in one.what for one in faults(database, now=NOON))
    rebuild(database, Tuning())
    assert states(database)[2] == "ready"
    assert [one.outcome for one in Rig(database).place()] == ["copy"]
    assert not [
        one.what for one in faults(database, now=NOON) if "quarantine" in one.what
    ]


def test_a_batch_that_fails_is_halved_until_its_culprit_is_alone(
    database: Database,
) -> None:
    Rig(database).take(LEVEE)
    details = damage(database)
    rig = Rig(database)
    for number in range(11):
        words = f"{STRIKE} Quay {number} was empty."
        rig.accept(
            record(
                f"Port {number}",
                "1",
                f"Dock workers strike, day {number}",
                words,
            )
        )
        if number == 6:
            rig.accept(REPRINT)
    outcomes = [one.outcome for one in rig.place()]
    assert (len(outcomes), outcomes.index("refused"), outcomes.count("refused")) == (
        12,
        7,
        1,
    )
    assert [no for no, state in states(database).items() if state != "done"] == [9]
    assert memory_is_that_of_the_rows(rig)
    mend(database, details)
    assert all("quarantine" in one.what for one in faults(database, now=NOON))
    log = [
        row.article
        for row in queried(
            database, text("SELECT article FROM story_log WHERE kind <> 'headline'")
        )
    ]
    assert len(log) == len(set(log)) == 12


def test_many_entries_of_one_feed_that_fail_hold_up_nobody(database: Database) -> None:
    Rig(database).take(LEVEE)
    damage(database)
    rig = Rig(database, Clock(), Tuning({"placing": {"batch_articles": 3}}))
    rig.take(DOCKS)
    for number in range(7):
        rig.accept(
            record(
                "Post",
                str(number),
                f"Levee breaks, part {number}",
                FLOOD,
            )
        )
    rig.accept(record("Wharf", "1", "Ships wait", f"{STRIKE} Cranes stood still."))
    assert {one.outcome for one in rig.place()[:-1]} == {"refused"}
    assert set(list(states(database).values())[-8:-1]) == {"refused"}
    assert list(states(database).values())[-1] == "done"
    assert memory_is_that_of_the_rows(rig)


def test_an_entry_whose_words_are_damaged_is_refused(database: Database) -> None:
    rig = Rig(database)
    rig.accept(LEVEE)
    rig.accept(DOCKS)
    executed(
        database,
        update(entry)
        .where(entry.c.entry_no == 1)
        .values(payload=b"\x28\xb5\x2f\xfdnonsense"),
    )
    assert [one.outcome for one in rig.place()] == ["founded"]
    assert states(database) == {1: "refused", 2: "done"}


def test_damaged_terms_of_a_report_pause_placing_until_they_are_computed_again(
    database: Database,
) -> None:
    Rig(database).take(LEVEE)
    executed(database, update(article).values(terms=b"nonsense!"))
    rig = Rig(database)
    rig.accept(DOCKS)
    with pytest.raises(DamagedError, match=r"cannot be placed .*aggregator db check"):
        rig.place()
    assert states(database)[2] == "ready"
    recluster(database)
    assert [one.outcome for one in Rig(database).place()] == ["founded"]


def test_a_damaged_rendering_is_repeated(database: Database) -> None:
    Rig(database).take(LEVEE, DOCKS)
    render_all(database)
    executed(
        database,
        text("UPDATE story SET rendered = :junk WHERE story_no = 1"),
        {"junk": b"nonsense"},
    )
    reading = StoryReader(database)
    damaged, sound = column(database, story.c.id)
    assert list(reading.rendered((damaged, sound))) == [sound]
    assert reading.text(damaged).lead
