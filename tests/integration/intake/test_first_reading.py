"""What first polls bring waits until every source was asked, is placed in order of time, and is no news."""

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import func, select, update

from aggregator.config.delivery_settings import signing_key
from aggregator.config.tuning import Tuning
from aggregator.config.webhook_settings import Webhook
from aggregator.intake.jobs import PrepareJob, prepare
from aggregator.intake.prepare import PrepareDispatcher
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.intake import source_rows
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.read.reader import StoryReader
from aggregator.store.search import index
from aggregator.store.tables import (
    article,
    change,
    command,
    entry,
    outbox,
    outlet_line,
    story,
)
from tests.support.articles import (
    HOUR,
    NOON,
    Rig,
    flood,
    flood_elsewhere,
    page_of,
    record,
    strike,
)
from tests.support.deep_checks import faults
from tests.support.first_polls import FIRST_POLL, Reading, SlowClock
from tests.support.fresh import sqlite_at
from tests.support.outgoing import Post
from tests.support.polling import feed_source
from tests.support.receiver import SECRET, Receiver
from tests.support.rows import column, counted, queried, written_by
from tests.support.story_checks import (
    assigned,
    by_title,
    correct,
    everything,
    members,
    mistake,
    partition,
    reclustering,
    redirects,
    scratch_files,
    small_set,
    what_is_wrong,
)

DAYS = timedelta(days=9)
MINUTE = timedelta(seconds=61)


def by_outlet() -> list[list[Entry]]:
    """The small set by outlets, in an order in which two reports of one event do not find each other.

    Only days are declared: with hours, each report finds the others in any order.
    """
    feeds: dict[str, list[Entry]] = defaultdict(list)
    for item in small_set():
        day = item.published and replace(item.published, precision="day")
        feeds[item.outlet or ""].append(replace(item, published=day))
    return [feeds[name] for name in Random(4).sample(sorted(feeds), len(feeds))]


@pytest.fixture
def together(tmp_path: Path) -> Iterator[Database]:
    """A database that has placed all feeds together, in order of time."""
    with sqlite_at(tmp_path / "together.db") as database:
        rig = Rig(database, SlowClock(NOON + DAYS))
        for items in by_outlet():
            rig.accept(*items, gathers=True)
        rig.place()
        yield database


def read_late(database: Database, feeds: Sequence[list[Entry]]) -> Rig:
    """A rig with a first reading of which half was placed after a minute, then the rest."""
    clock = SlowClock(NOON + DAYS)
    rig = Rig(database, clock)
    reading = Reading(rig, feeds)
    reading.poll(len(feeds) // 2)
    clock.time += MINUTE
    rig.place()
    reading.poll(len(feeds) - len(feeds) // 2)
    rig.place()
    return rig


def end_reading(rig: Rig) -> None:
    """Let the first reading end and its decisions be made anew."""
    assert rig.pipeline.end_first_reading()
    assert rig.pipeline.run_commands() == 1


def groups(database: Database) -> set[frozenset[str]]:
    return set(partition(database).values())


def order(database: Database) -> list[str]:
    return column(database, article.c.id)


def recent_first(database: Database) -> list[str]:
    """The articles in order of placing, but those of the last sixty days before all others."""
    times = {
        row.id: row.effective_at
        for row in queried(database, select(article.c.id, article.c.effective_at))
    }
    since = max(times.values()) - timedelta(days=60)
    ordered = order(database)
    assert times[ordered[0]] < since
    return sorted(ordered, key=lambda id_: times[id_] < since)


def last_days(database: Database) -> list[str]:
    """The articles of the newest three days, in the order of placing."""
    newest = select(func.max(article.c.effective_at))
    since = queried(database, newest).scalar_one() - timedelta(hours=72)
    chosen = select(article.c.id).where(article.c.effective_at >= since)
    return list(queried(database, chosen.order_by(article.c.inbox_no)).scalars())


def titles(database: Database) -> list[str]:
    reading = StoryReader(database, now=lambda: NOON + DAYS).first_reading(100)
    assert reading is not None
    return [read.title for read in reading.entries]


# --- a list that is read within a minute ------------------------------------------------------------------


def test_it_waits_until_every_source_was_asked_and_is_decided_once(
    database: Database, together: Database
) -> None:
    feeds = by_outlet()
    rig = Rig(database, SlowClock(NOON + DAYS))
    reading = Reading(rig, feeds)
    reading.poll(len(feeds) - 1)
    assert rig.place() == []
    assert not rig.pipeline.end_first_reading()
    reading.poll()
    rig.place()
    assert groups(database) == groups(together)
    assert order(database) == recent_first(together)
    assert rig.pipeline.end_first_reading()
    assert counted(database, command) == 0, "it is not decided again"
    assert StoryReader(database).first_reading() is None
    assert what_is_wrong(database, rig.pipeline.placer) == []


class Counting(InlineExecutor):
    """Counts the entries that are prepared, and says whether its workers were ended."""

    entries = 0
    has_rested = False

    def end_idle_workers(self) -> None:
        self.has_rested = True

    def submit(self, function: Any, job: bytes) -> Any:
        if function is prepare:
            self.entries += len(msgspec.msgpack.decode(job, type=PrepareJob).items)
        return super().submit(function, job)


def take_turns(rig: Rig) -> None:
    """Do what can be done by now, as the daemon does."""
    is_done = False
    while not is_done:
        batches = list(rig.pipeline.place_waiting(gathers=True))
        is_done = not batches and rig.pipeline.gathered_at > time.monotonic()


def test_entries_are_prepared_once_while_other_sources_are_asked(
    database: Database, together: Database
) -> None:
    feeds = by_outlet()
    executor = Counting()
    rig = Rig(database, SlowClock(NOON + DAYS), executor=executor)
    reading = Reading(rig, feeds)
    reading.poll(len(feeds) - 1)
    take_turns(rig)
    assert order(database) == []
    assert executor.entries == counted(database, entry)
    assert not executor.has_rested
    reading.poll()
    take_turns(rig)
    assert executor.has_rested, "placing takes most memory, and needs no worker now"
    assert executor.entries == counted(database, entry)
    assert groups(database) == groups(together)
    assert order(database) == recent_first(together)


def test_a_damaged_entry_is_refused_and_the_others_are_placed(
    database: Database,
) -> None:
    rig = Rig(database, SlowClock(NOON + DAYS))
    Reading(rig, [[flood()], [strike()]]).poll(2)
    with database.write() as connection:
        last = connection.execute(select(func.max(entry.c.entry_no))).scalar_one()
        damaged = update(entry).where(entry.c.entry_no == last)
        connection.execute(damaged.values(payload=b"damaged"))
    take_turns(rig)
    states = select(entry.c.state).order_by(entry.c.entry_no)
    assert list(queried(database, states).scalars()) == ["done", "refused"]


def test_what_was_prepared_before_serves_one_entry_and_others_are_prepared() -> None:
    executor = Counting()
    dispatcher = PrepareDispatcher(executor, Tuning())
    first, twin, other = (
        InboxEntry(
            entry_no=number,
            inbox_no=0,
            article=str(number),
            is_revision=False,
            bump_by_clock=False,
            accepted_at=NOON,
            entry=item,
        )
        for number, item in enumerate((flood(), flood(), strike()))
    )
    dispatcher.prepare_ahead([first, twin], stop=lambda: False)
    assert executor.entries == 2
    job = [twin, other, first]
    prepared = []
    for part, answer in dispatcher.submit(job):
        prepared += dispatcher.result_of(part, answer, stop=lambda: False)
    titles = [one.article.title for one in prepared]
    assert titles == [flood().title, strike().title, flood().title]
    assert prepared[0] == prepared[2]
    assert executor.entries == 3
    assert len(dispatcher.ahead) == 0


def test_what_was_read_is_listed_by_time_until_it_is_placed(database: Database) -> None:
    rig = Rig(database, SlowClock(NOON + DAYS))
    reading = Reading(
        rig,
        [
            [flood(published=NOON - HOUR)],
            [flood_elsewhere()],
            [strike()],
        ],
    )
    reading.poll()
    shown = StoryReader(database, now=rig.clock).first_reading(100)
    assert shown is not None
    assert (shown.asked, shown.sources) == (1, 3)
    (read,) = shown.entries
    assert (read.title, read.outlet) == (flood().title, "Gazette")
    assert read.time == NOON - HOUR
    reading.poll()
    assert titles(database) == [flood_elsewhere().title, flood().title]
    reading.poll()
    rig.place()
    assert titles(database) == []


def test_what_is_pushed_meanwhile_is_placed_at_once(database: Database) -> None:
    rig = Rig(database, SlowClock(NOON + DAYS))
    reading = Reading(rig, [[flood()], [flood_elsewhere()]])
    reading.poll()
    rig.take(strike())
    assert order(database) == [strike_id(database)]
    assert titles(database) == [flood().title]
    reading.poll()
    rig.place()
    assert len(order(database)) == 3


def strike_id(database: Database) -> str:
    found = select(article.c.id).where(article.c.title == strike().title)
    return str(queried(database, found).scalar_one())


def test_a_push_of_what_was_read_is_placed_after_it(database: Database) -> None:
    rig = Rig(database, SlowClock(NOON + DAYS))
    Reading(rig, [[flood()], [flood_elsewhere()]]).poll()
    rig.accept(flood())
    rig.accept(strike())
    rig.place()
    numbers = select(entry.c.entry_no).where(entry.c.inbox_no.is_not(None))
    numbered = [*queried(database, numbers.order_by(entry.c.inbox_no)).scalars()]
    assert numbered == sorted(numbered)
    assert what_is_wrong(database, rig.pipeline.placer) == []


def test_a_source_that_is_due_later_is_not_waited_for(sqlite: Database) -> None:
    rig = Rig(sqlite, SlowClock(NOON + DAYS))
    later = feed_source(
        "https://herald.example/feed", next_due_at=rig.clock() + timedelta(hours=2)
    )
    written_by(sqlite, source_rows.add, later)
    Reading(rig, [[flood()]]).poll()
    assert len(rig.place()) == 1
    assert rig.pipeline.end_first_reading()


def test_pages_that_have_their_turn_later_leave_all_in_order_of_time(
    database: Database,
) -> None:
    """What is older than sixty days is placed last only where nothing comes after it."""
    rig = Rig(database, SlowClock(NOON + DAYS))
    old = [report(n, timedelta(days=100 + n)) for n in range(5)]
    Reading(rig, [[*old, *(report(n, n * HOUR) for n in range(10, 14))]]).poll()
    pages = [report(n, n * HOUR) for n in range(20, 32)]
    accepted = rig.accept(*pages, wants_page=[True] * 12, gathers=True, poll=FIRST_POLL)
    for one in accepted:
        assert one.entry_no is not None
        page = page_of(f"Page {one.entry_no} of {len(pages)} is here. " * 5)
        rig.brings(one.entry_no, page)
    rig.place()
    times = column(database, article.c.effective_at)
    assert len(times) == 21
    assert times[0] == min(times)
    assert rig.pipeline.end_first_reading()
    rig.pipeline.run_commands()
    times = column(database, article.c.effective_at)
    assert times == sorted(times)


def report(number: int, age: timedelta) -> Entry:
    """A report like no other."""
    words = " ".join(f"{word}{number}" for word in ["harbour", "valley", "lantern"])
    return record(
        "s", f"g{number}", words.title(), f"{words}. " * 9, published=NOON - age
    )


def test_it_is_over_after_ten_minutes_whatever_was_not_asked(sqlite: Database) -> None:
    clock = SlowClock(NOON + DAYS)
    rig = Rig(sqlite, clock)
    Reading(rig, [[flood()], [strike()]]).poll()
    clock.time += timedelta(minutes=11)
    assert len(rig.place()) == 1
    assert rig.pipeline.end_first_reading()


def test_it_is_not_over_while_a_page_is_due(sqlite: Database) -> None:
    rig = Rig(sqlite, SlowClock(NOON + DAYS))
    page = flood(url="https://gazette.example/flood", authority="own")
    Reading(rig, [[strike()]]).poll()
    number = rig.waits(page, gathers=True, poll=FIRST_POLL)
    rig.place()
    assert not rig.pipeline.end_first_reading()
    rig.comes(number, None)
    assert rig.pipeline.end_first_reading()


def test_many_new_sources_of_a_database_with_stories_are_a_first_reading(
    database: Database,
) -> None:
    rig = Rig(database, SlowClock(NOON + DAYS))
    rig.take(strike())
    reading = Reading(rig, [[flood()], [flood_elsewhere()]] + [[]] * 20)
    reading.poll()
    assert rig.place() == []
    reading.poll()
    assert {*titles(database)} == {flood().title, flood_elsewhere().title}


def test_one_new_source_of_a_database_with_stories_is_none(database: Database) -> None:
    rig = Rig(database, SlowClock(NOON + DAYS))
    rig.take(strike())
    Reading(rig, [[flood()], [flood_elsewhere()]]).poll()
    assert len(rig.place()) == 1
    assert StoryReader(database).first_reading() is None


def test_webhooks_are_told_of_what_comes_afterwards_alone(database: Database) -> None:
    receiver = Receiver()
    post = Post(
        database,
        Webhook(name="hook", url=receiver.url(), key=signing_key(SECRET), query=None),
    )
    rig = post.rig
    Reading(rig, [[flood()], [strike()]]).poll(2)
    rig.place()
    post.run()
    assert rig.pipeline.end_first_reading()
    post.run()
    assert receiver.ids() == []
    rig.accept(
        record(
            "Post",
            "3",
            "Ferry aground near Calmouth",
            "A ferry ran aground.",
            published=None,
        ),
        gathers=True,
    )
    rig.place()
    post.run()
    assert len(receiver.ids()) == 1
    receiver.close()


# --- sources that are late ---------------------------------------------------------------------------------


def test_after_a_minute_what_was_read_is_placed(database: Database) -> None:
    clock = SlowClock(NOON + DAYS)
    rig = Rig(database, clock)
    Reading(rig, [[flood()], [strike()]]).poll()
    assert rig.place() == []
    clock.time += MINUTE
    assert len(rig.place()) == 1
    assert titles(database) == []
    assert not rig.pipeline.end_first_reading()


def test_days_of_late_sources_are_decided_again_in_order_of_time(
    database: Database, together: Database
) -> None:
    rig = read_late(database, by_outlet())
    rig.pipeline.index_text()
    before, lines = partition(database), counted(database, outlet_line)
    assert set(before.values()) != groups(together)
    bumps = bump_times(database)
    hits = {hit.article for hit in StoryReader(database).search("Hollin", 50).hits}
    assert hits
    end_reading(rig)
    assert groups(database) == groups(together)
    assert last_days(database) == last_days(together)
    after = partition(database)
    assert set(after) <= set(before), "founders keep ids"
    assert bump_times(database) == {id_: bumps[id_] for id_ in after}, "nobody sees it"
    assert counted(database, outlet_line) == lines
    assert {
        hit.article for hit in StoryReader(database).search("Hollin", 50).hits
    } == hits, "at once, without the index being built again"
    assert rig.pipeline.index_text() == rig.pipeline.index_older() == 0
    assert what_is_wrong(database, rig.pipeline.placer) == []
    assert faults(database) == []


def bump_times(database: Database) -> dict[str, datetime]:
    rows = queried(
        database,
        select(story.c.id, story.c.bumped_at).where(story.c.redirect_to.is_(None)),
    )
    return {row.id: row.bumped_at for row in rows}


@pytest.mark.later
def test_articles_that_are_not_indexed_yet_are_found_afterwards(
    database: Database,
) -> None:
    """A kill between placing and indexing leaves some."""
    rig = read_late(database, by_outlet())
    written_by(database, index.index_next, 7)
    end_reading(rig)
    rig.pipeline.index_text()
    assert faults(database) == []
    numbers = {hit.article for hit in StoryReader(database).search("the", 500).hits}
    assert numbers <= set(order(database))


@pytest.mark.later
def test_the_new_order_is_stored(database: Database) -> None:
    rig = read_late(database, by_outlet())
    end_reading(rig)
    before, ordered = partition(database), order(database)
    again = reclustering(database).take_over(rig.pipeline.placer, None)
    assert (again.moved, again.changed_stories) == (0, 0)
    assert (partition(database), order(database)) == (before, ordered)


@pytest.mark.later
@pytest.mark.parametrize("steps", [1, 4, 20])
def test_a_daemon_that_is_stopped_meanwhile_does_it_after_its_next_start(
    sqlite: Database, together: Database, tmp_path: Path, steps: int
) -> None:
    rig = read_late(sqlite, by_outlet())
    assert rig.pipeline.end_first_reading()
    # The last ones are within the transaction that takes over the decisions.
    before, looks = everything(sqlite), iter(range(steps))
    assert rig.pipeline.run_commands(lambda: next(looks, None) is None) == 0
    assert everything(sqlite) == before
    assert scratch_files(tmp_path) == []
    rig.restart()
    assert rig.pipeline.run_commands() == 1
    assert groups(sqlite) == groups(together)
    rig.restart()
    assert not rig.pipeline.end_first_reading()
    assert rig.pipeline.run_commands() == 0


def test_a_merged_story_redirects(sqlite: Database) -> None:
    rig = read_late(sqlite, [[flood_elsewhere()], [flood(published=NOON - HOUR)]])
    (levee,) = partition(sqlite)
    _, other = mistake(sqlite, "split", levee, articles=(members(sqlite, levee)[1],))
    rig.restart()
    end_reading(rig)
    (kept,) = partition(sqlite)
    (gone,) = {levee, other} - {kept}
    assert redirects(sqlite) == {kept: None, gone: kept}


@pytest.mark.later
def test_corrections_are_kept(database: Database) -> None:
    rig = read_late(database, by_outlet())
    two = by_title(database, "marathon", "goat cheese")
    (together,) = correct(database, "merge", *two).stories
    (bridge,) = by_title(database, "Hollin Bridge")
    apart = members(database, bridge)[1]
    correct(database, "split", bridge, articles=(apart,))
    rig.restart()
    united = members(database, together)
    end_reading(rig)
    stories = assigned(database)
    assert {stories[id_] for id_ in united} == {together}
    assert len(partition(database)[stories[apart]]) == 1
    assert what_is_wrong(database) == []


@pytest.mark.later
def test_webhooks_are_not_told_what_was_decided_again(database: Database) -> None:
    receiver = Receiver()
    post = Post(
        database,
        Webhook(name="hook", url=receiver.url(), key=signing_key(SECRET), query=None),
    )
    feeds = by_outlet()
    reading = Reading(post.rig, feeds)
    reading.poll(len(feeds) // 2)
    post.clock.time += MINUTE
    post.rig.place()
    reading.poll(len(feeds) - len(feeds) // 2)
    post.rig.place()
    post.run()
    changes = counted(database, change, change.c.kind == "created")
    assert post.rig.pipeline.end_first_reading()
    assert post.rig.pipeline.run_commands() == 1
    post.run()
    assert (receiver.ids(), counted(database, outbox)) == ([], 0)
    assert counted(database, change, change.c.kind == "created") == changes
    receiver.close()
