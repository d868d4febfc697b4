"""What the first reading placed source by source is decided again in order of time, once, and is no news."""

import datetime as dt
import logging
import random
from collections import defaultdict
from pathlib import Path

import pytest
from sqlalchemy import select, update

from aggregator.config.delivery_settings import signing_key
from aggregator.config.webhooks import Webhook
from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.intake import first_reading, sources
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import (
    article,
    change,
    counter_value,
    entry,
    outbox,
    outlet_line,
    set_counter,
    story,
)
from tests.support.articles import (
    NOON,
    Clock,
    Rig,
    flood,
    flood_elsewhere,
    record,
    strike,
)
from tests.support.deep_checks import faults
from tests.support.fresh import sqlite_at
from tests.support.outgoing import Post
from tests.support.polling import feed_source
from tests.support.receiver import SECRET, Receiver
from tests.support.rows import counted, queried, read_by, written_by
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
    rows_of,
    scratch_files,
    small_set,
    what_is_wrong,
)

DAYS = dt.timedelta(days=9)


def by_outlet() -> list[list[Entry]]:
    """The small set by outlets, in an order in which two reports of one event do not find each other."""
    feeds: dict[str, list[Entry]] = defaultdict(list)
    for item in small_set():
        feeds[item.outlet or ""].append(item)
    return [feeds[name] for name in random.Random(4).sample(sorted(feeds), len(feeds))]


def read_first(
    database: Database, feeds: list[list[Entry]], *, together: bool = False
) -> Rig:
    """A rig that has placed the feeds one by one, or all of them in order of time."""
    rig = Rig(database, Clock(NOON + DAYS))
    for items in feeds:
        rig.accept(*items, gathers=True)
        if not together:
            rig.place()
    rig.place()
    return rig


def decide_again(rig: Rig) -> None:
    assert rig.pipeline.end_first_reading()
    assert rig.pipeline.run_commands() == 1


def groups(database: Database) -> set[frozenset[str]]:
    return set(partition(database).values())


def order(database: Database) -> list[str]:
    return list(
        queried(database, select(article.c.id).order_by(article.c.inbox_no)).scalars()
    )


def bumps(database: Database) -> dict[str, dt.datetime]:
    rows = queried(
        database,
        select(story.c.id, story.c.bumped_at).where(story.c.redirect_to.is_(None)),
    )
    return {row.id: row.bumped_at for row in rows}


def test_afterwards_all_is_as_if_it_had_been_placed_in_order_of_time(
    database: Database, tmp_path: Path
) -> None:
    with sqlite_at(tmp_path / "together.db") as together:
        read_first(together, by_outlet(), together=True)
        in_order, ordered = groups(together), order(together)
    rig = read_first(database, by_outlet())
    before, bumped = partition(database), bumps(database)
    assert set(before.values()) != in_order
    lines = counted(database, outlet_line)
    decide_again(rig)
    assert groups(database) == in_order
    assert order(database) == ordered
    after = partition(database)
    assert {id_ for id_ in before if before[id_] in in_order} <= set(after)
    assert set(after) <= set(before)
    assert bumps(database) == {id_: bumped[id_] for id_ in after}
    assert counted(database, outlet_line) == lines
    assert what_is_wrong(database, rig.pipeline.placer) == []
    assert list(faults(database)) == []
    founding = select(article.c.id).join(entry, entry.c.inbox_no == article.c.inbox_no)
    assert set(
        queried(database, founding.where(entry.c.article == article.c.id)).scalars()
    ) == set(ordered)


@pytest.mark.later
def test_the_new_order_is_stored(database: Database) -> None:
    rig = read_first(database, by_outlet())
    decide_again(rig)
    before, ordered = partition(database), order(database)
    again = reclustering(database).take_over(rig.pipeline.placer, None)
    assert (again.moved, again.changed_stories) == (0, 0)
    assert (partition(database), order(database)) == (before, ordered)


@pytest.mark.later
def test_what_is_placed_next_is_decided_as_after_a_reading_in_order_of_time(
    database: Database, tmp_path: Path
) -> None:
    feeds = by_outlet()
    with sqlite_at(tmp_path / "together.db") as together:
        read_first(together, feeds[4:], together=True).take(
            *feeds[0], *feeds[1], *feeds[2], *feeds[3]
        )
        in_order = groups(together)
    rig = read_first(database, feeds[4:])
    decide_again(rig)
    rig.take(*feeds[0], *feeds[1], *feeds[2], *feeds[3])
    assert groups(database) == in_order


@pytest.mark.later
@pytest.mark.parametrize("steps", [1, 4, 20])
def test_a_daemon_that_is_stopped_meanwhile_does_it_after_its_next_start(
    sqlite: Database, tmp_path: Path, steps: int
) -> None:
    with sqlite_at(tmp_path / "together.db") as together:
        read_first(together, by_outlet(), together=True)
        in_order = groups(together)
    rig = read_first(sqlite, by_outlet())
    assert rig.pipeline.end_first_reading()
    # The last ones are within the transaction that takes over the decisions.
    before, looks = everything(sqlite), iter(range(steps))
    assert rig.pipeline.run_commands(lambda: next(looks, None) is None) == 0
    assert everything(sqlite) == before
    assert scratch_files(tmp_path) == []
    rig.restart()
    assert rig.pipeline.run_commands() == 1
    assert groups(sqlite) == in_order
    rig.restart()
    assert not rig.pipeline.end_first_reading()
    assert rig.pipeline.run_commands() == 0


@pytest.mark.later
def test_corrections_are_kept(database: Database) -> None:
    rig = read_first(database, by_outlet())
    two = by_title(database, "marathon", "goat cheese")
    (together,) = correct(database, "merge", *two).stories
    (bridge,) = by_title(database, "Hollin Bridge")
    apart = members(database, bridge)[1]
    correct(database, "split", bridge, articles=(apart,))
    rig.restart()
    united = members(database, together)
    decide_again(rig)
    stories = assigned(database)
    assert {stories[id_] for id_ in united} == {together}
    assert len(partition(database)[stories[apart]]) == 1
    assert what_is_wrong(database) == []


@pytest.mark.later
def test_texts_are_found_afterwards(database: Database) -> None:
    rig = read_first(database, by_outlet())
    rig.pipeline.index_text()
    before = {hit.article for hit in StoryReader(database).search("Hollin", 50).hits}
    assert before
    decide_again(rig)
    rig.pipeline.index_text()
    rig.pipeline.index_older()
    assert {
        hit.article for hit in StoryReader(database).search("Hollin", 50).hits
    } == before


def test_nobody_is_notified_and_no_story_moves_up(database: Database) -> None:
    """One story is merged into another one, and one is divided: both had been announced."""
    receiver = Receiver()
    post = Post(
        database,
        Webhook(name="hook", url=receiver.url(), key=signing_key(SECRET), query=None),
    )
    rig = post.rig
    for item in (
        flood_elsewhere(),
        flood(published=NOON - dt.timedelta(hours=1)),
        strike(),
    ):
        rig.accept(item, gathers=True)
        rig.place()
    levee, dock = by_title(database, "evee", "Dock")
    mistake(database, "split", levee, articles=(members(database, levee)[1],))
    mistake(
        database,
        "merge",
        dock,
        *[id_ for id_ in partition(database) if id_ not in (levee, dock)],
    )
    assert len(partition(database)) == 2
    rig.restart()
    assert not rig.pipeline.end_first_reading(), (
        "the dispatcher has not seen all changes"
    )
    post.run()
    sent, deliveries, bumped = (
        len(receiver.ids()),
        rows_of(database, outbox),
        bumps(database),
    )
    changes = counted(database, change, change.c.kind == "created")
    of_article = assigned(database)
    decide_again(rig)
    post.run()
    assert (len(receiver.ids()), rows_of(database, outbox)) == (sent, deliveries)
    assert counted(database, change, change.c.kind == "created") == changes
    assert sorted(map(len, groups(database))) == [1, 2]
    for id_, moment in bumps(database).items():
        former = {of_article[one] for one in partition(database)[id_]}
        assert moment.replace(microsecond=0) in {
            bumped[one].replace(microsecond=0) for one in former
        }
    assert what_is_wrong(database) == []
    rig.accept(
        record("Post", "3", "Ferry aground near Calmouth", "A ferry ran aground."),
        gathers=True,
    )
    rig.place()
    post.run()
    assert len(receiver.ids()) == sent + 1, "what comes next is sent"
    receiver.close()


def test_a_merged_story_redirects(sqlite: Database) -> None:
    rig = read_first(
        sqlite, [[flood_elsewhere()], [flood(published=NOON - dt.timedelta(hours=1))]]
    )
    (levee,) = partition(sqlite)
    _, other = mistake(sqlite, "split", levee, articles=(members(sqlite, levee)[1],))
    rig.restart()
    decide_again(rig)
    (kept,) = partition(sqlite)
    (gone,) = {levee, other} - {kept}
    assert redirects(sqlite) == {kept: None, gone: kept}


# --- when it is over ---------------------------------------------------------------------------------------


def test_it_is_not_over_before_every_source_was_asked(sqlite: Database) -> None:
    rig = read_first(sqlite, by_outlet())
    due = feed_source("https://gazette.example/feed", next_due_at=rig.clock())
    later = feed_source(
        "https://herald.example/feed", next_due_at=rig.clock() + dt.timedelta(hours=2)
    )
    written_by(sqlite, sources.add, due, later)
    assert not rig.pipeline.end_first_reading()
    asked = (
        update(sources.source)
        .where(sources.source.c.id == due.id)
        .values(last_polled_at=NOON)
    )
    with sqlite.write() as connection:
        connection.execute(asked)
    assert rig.pipeline.end_first_reading()


def test_it_is_not_over_while_entries_wait(sqlite: Database) -> None:
    rig = read_first(sqlite, by_outlet())
    number = rig.waits(
        flood(url="https://gazette.example/flood", authority="own"), gathers=True
    )
    assert not rig.pipeline.end_first_reading(), "for its page"
    rig.accept(strike(), gathers=True)
    assert not rig.pipeline.end_first_reading()
    rig.comes(number, None)
    assert rig.pipeline.end_first_reading()


def test_news_of_read_sources_does_not_prolong_it(sqlite: Database) -> None:
    rig = read_first(sqlite, by_outlet())
    rig.accept(flood(), gathers=True, bump_by_clock=True)
    assert rig.pipeline.end_first_reading()


def test_a_reading_in_order_of_time_is_not_decided_again(sqlite: Database) -> None:
    rig = read_first(sqlite, by_outlet(), together=True)
    before = everything(sqlite)
    assert not rig.pipeline.end_first_reading()
    assert not read_by(sqlite, first_reading.is_over, NOON + DAYS), "and it is over"
    del before["counter"]
    after = everything(sqlite)
    assert {name: after[name] for name in before} == before


def test_a_second_day_is_not_decided_again(sqlite: Database) -> None:
    feeds = by_outlet()
    rig = read_first(sqlite, feeds[2:])
    decide_again(rig)
    for items in feeds[:2]:
        rig.accept(*items, gathers=True)
        rig.place()
        assert not rig.pipeline.end_first_reading()


def test_a_database_that_began_otherwise_has_no_first_reading(sqlite: Database) -> None:
    """With an archive, or a push. Those of former versions have no row that one lasts, either."""
    feeds = by_outlet()
    rig = Rig(sqlite, Clock(NOON + DAYS))
    rig.take(*feeds[0])
    for items in feeds[1:]:
        rig.accept(*items, gathers=True)
        rig.place()
    assert not rig.pipeline.end_first_reading()
    assert read_by(sqlite, counter_value, "first_reading") == 0


def test_too_many_entries_keep_their_order(
    sqlite: Database, caplog: pytest.LogCaptureFixture
) -> None:
    rig = read_first(sqlite, by_outlet())
    written_by(sqlite, set_counter, "inbox", 20_001)
    with caplog.at_level(logging.WARNING):
        assert not rig.pipeline.end_first_reading()
    assert "20,001 entries" in caplog.text
    written_by(sqlite, set_counter, "inbox", 100)
    assert not rig.pipeline.end_first_reading(), "nor later"
