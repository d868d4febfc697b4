"""Nothing is lost on the way, at any moment: a random life of an inbox, counted after each step."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, update

from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.grouping.deletion.retention import Retention, RetentionPlan
from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.intake import acceptance, pending_pages
from aggregator.store.intake.identity.identify import PollContext
from aggregator.store.intake.pending_pages import PendingPage
from aggregator.store.maintenance.integrity_check import balance, conservation_faults
from aggregator.store.tables import article, entry, intake_count
from tests.support.articles import Clock, Rig, record
from tests.support.deep_checks import faults
from tests.support.kill_records import invented
from tests.support.rows import column, executed, written_by
from tests.support.seeds import drawn
from tests.support.story_checks import placing_of

STEPS = 40


class Life:
    """What may happen to an inbox, in any order."""

    def __init__(self, database: Database, rng: Random) -> None:
        self.database = database
        self.rng = rng
        self.clock = Clock()
        self.rig = Rig(database, self.clock)
        self.reported = [
            record(
                one["source"],
                one["id"],
                one["title"],
                one["text"],
                url=f"https://{one['source']}.example/{one['id']}",
                published=None,
            )
            for one in invented(60)
        ]

    def step(self) -> None:
        """One thing that may happen."""
        ways: tuple[Callable[[], object], ...] = (
            self.come,
            self.come,
            self.be_polled,
            self.wait_for_pages,
            self.have_pages,
            self.rig.place,
            self.rig.place,
            self.be_empty,
            self.forget,
            self.grow_old,
        )
        self.rng.choice(ways)()

    def some(self) -> list[Entry]:
        """Entries, some of them known, some with other words."""
        chosen = self.rng.choices(self.reported, k=self.rng.randint(1, 8))
        return [
            replace(one, text=f"{one.text} Later more was said.")
            if self.rng.random() < 0.2
            else one
            for one in chosen
        ]

    def come(self) -> None:
        self.rig.accept(*self.some())

    def be_polled(self) -> None:
        entries = [replace(one, source="feed", authority="own") for one in self.some()]
        poll = PollContext(outlet=None)
        written_by(
            self.database,
            acceptance.accept,
            entries,
            seen=[self.clock()] * len(entries),
            wants_page=[False] * len(entries),
            bump_by_clock=True,
            poll=poll,
        )

    def wait_for_pages(self) -> None:
        entries = self.some()
        self.rig.accept(*entries, wants_page=[True] * len(entries))

    def have_pages(self) -> None:
        with self.database.write() as connection:
            due_pages: list[PendingPage] = pending_pages.load_due_pages(
                connection, self.clock(), 3
            )
            for one in due_pages:
                pending_pages.release_without_page(
                    connection, one.entry_no, verdict=None, reason="it does not answer"
                )

    def be_empty(self) -> None:
        self.rig.take(
            record("Void", str(self.rng.randrange(1000)), "", "", published=None)
        )

    def forget(self) -> None:
        ids = column(self.database, article.c.id)
        if ids:
            placing_of(self.database).erase(ForgetCommand(name=self.rng.choice(ids)))
            self.rig.restart()

    def grow_old(self) -> None:
        """A year goes by, and retention does what it may."""
        self.clock.time += timedelta(days=self.rng.choice((1, 200)))
        placing = self.rig.pipeline.placer
        plan = RetentionPlan(text_after=90 * 86_400, stories_after=190 * 86_400)
        retention_job = Retention(placing, plan, is_asked=True)
        for _ in range(20):
            if not retention_job.step():
                break


@pytest.mark.later
def test_what_came_is_stored_known_or_refused_at_any_moment(database: Database) -> None:
    life = Life(database, drawn("life", database.is_sqlite))
    for _ in range(STEPS):
        life.step()
        assert list(conservation_faults(database)) == []
        reported = balance(database)
        assert (
            reported.seen
            == reported.stored + reported.known + reported.refused_as_forgotten
        )
        assert (
            reported.stored
            == reported.placed + reported.waiting + reported.refused + reported.deleted
        )
    now = max(life.clock(), datetime.now(UTC))
    assert [one.what for one in faults(database, now=now) if not one.is_note] == []


def test_deleted_entries_are_still_counted(database: Database) -> None:
    Rig(database).take(
        record("Void", "1", "", "", published=None),
        record("Void", "2", "", "", published=None),
    )
    executed(database, delete(entry).where(entry.c.entry_no == 1))
    assert [one.rows for one in conservation_faults(database)] == [1]
    with database.write() as connection:
        of_void = intake_count.c.source == "Void", intake_count.c.outcome == "new"
        connection.execute(update(intake_count).where(*of_void).values(deleted=1))
    assert list(conservation_faults(database)) == []
    assert balance(database).deleted == 1
