"""Placing: events, copies, containers, revisions; the same rows from the same input, on both databases."""

import itertools
from datetime import date
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace
from sqlalchemy import select, update

from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.sources.parse.files.input_items import InputEntry, ReadOptions
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.source_limits import source_tuning
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox, pending_pages
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article, story
from tests.support.articles import (
    BLOG,
    DAY,
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    flood,
    flood_elsewhere,
    record,
    settled,
    strike,
)
from tests.support.deep_checks import faults
from tests.support.rows import column, executed, overheard, queried, read_by, value
from tests.support.story_checks import what_is_wrong


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database, Clock(days=3))


def test_two_reports_of_one_event_are_one_story_and_another_event_is_another(
    rig: Rig,
) -> None:
    placed = rig.take(flood(), flood_elsewhere(), strike())
    assert [one.outcome for one in placed] == ["founded", "joined", "founded"]
    stories = StoryReader(rig.database).stories(StoryFilter()).stories
    assert sorted(
        (one.article_count, one.outlet_count, one.report_count) for one in stories
    ) == [
        (1, 1, 1),
        (2, 2, 2),
    ]


def test_a_reprint_is_a_copy_and_no_further_report_it_does_not_bump_and_does_not_weigh(
    rig: Rig,
) -> None:
    rig.take(flood())
    (before,) = StoryReader(rig.database).stories(StoryFilter()).stories
    text = FLOOD + " Subscribers read more."
    placed = rig.take(
        record("Courier", "9", "Four die in flood", text, published=NOON + DAY)
    )
    assert [one.outcome for one in placed] == ["copy"]
    (found,) = StoryReader(rig.database).stories(StoryFilter()).stories
    assert (found.article_count, found.outlet_count, found.report_count) == (2, 2, 1)
    assert {one.role for one in found.articles} == {"report", "copy"}
    assert found.updated == before.updated
    weighs = select(article.c.is_compared).order_by(article.c.inbox_no)
    assert queried(rig.database, weighs).scalars().all() == [True, False]


def test_a_reprint_of_a_live_blog_is_a_live_blog(rig: Rig) -> None:
    title = "Live blog: levee breaks at Pennmouth on the Arrel"
    rig.take(record("Live Desk", "1", title, BLOG))
    rig.take(record("Courier", "1", title, BLOG))
    rig.take(flood())
    assert column(rig.database, article.c.role) == ["container", "container", "report"]
    (found,) = StoryReader(rig.database).stories(StoryFilter()).stories
    assert (found.article_count, found.report_count) == (3, 1)


def test_a_revision_keeps_id_and_home_and_is_logged(rig: Rig) -> None:
    (first,) = rig.take(flood())
    changed = replace(flood(), text=FLOOD.replace("Four people", "Five people"))
    (second,) = rig.take(changed)
    assert (second.outcome, second.article, second.story) == (
        "revised",
        first.article,
        first.story,
    )
    assert [one.outcome for one in rig.take(changed)] == []
    assert "Five people" in value(rig.database, article.c.text)


def test_several_texts_under_one_address_are_taken_once_each_however_often_they_come(
    rig: Rig,
) -> None:
    address = "https://gazette.example/live"
    texts = {"a": FLOOD, "b": STRIKE, "c": FLOOD_ELSEWHERE[:400] + STRIKE[:100]}
    entries = [
        record("Gazette", guid, f"Live {guid}", text, url=address)
        for guid, text in texts.items()
    ]
    assert len({one.article for one in rig.take(*entries)}) == 3
    before = settled(rig.database)
    for again in (entries, entries[::-1], entries[1:]):
        assert rig.take(*again) == []
    assert settled(rig.database)["articles"] == before["articles"]


def test_what_nothing_of_a_batch_reads_is_written_by_one_statement_for_each_table(
    rig: Rig,
) -> None:
    # Reads what a process reads once
    for number, text in enumerate((FLOOD, FLOOD_ELSEWHERE, STRIKE)):
        rig.take(
            record(
                "Gazette",
                str(number),
                "Levee breaks at Pennmouth",
                text,
            )
        )
    fair = "Bakers from nine towns met at the autumn fair in Orsk and showed bread from old kinds of rye. "
    chess = "Mirela Dodan won the open chess title of Vantra after a draw in the last round on Sunday night. "
    with overheard(rig.database) as sent:
        placed = rig.take(
            record(
                "Gazette",
                "fair",
                "Bakers meet at the fair in Orsk",
                fair * 3,
            ),
            record(
                "Gazette",
                "chess",
                "Mirela Dodan wins chess title of Vantra",
                chess * 3,
            ),
        )
    statements = [" ".join(statement.split()[:3]) for statement, _ in sent]
    assert [one.outcome for one in placed] == ["founded"] * 2
    for table in ("outlet_line", "story_log", "change"):
        assert statements.count(f"INSERT INTO {table}") == 1, table
    for table in ("story", "article", "sketch"):
        assert statements.count(f"INSERT INTO {table}") == 2, table


@pytest.mark.later
@pytest.mark.parametrize("pause", ["restart", "rest"])
def test_memory_is_derived_a_restart_and_a_rest_decide_alike(
    rig: Rig, data: Path, pause: str
) -> None:
    entries = shuffled_records(data, 120)
    half = len(entries) // 2
    rig.take(*entries[:half])
    if pause == "rest":
        rig.pipeline.free_memory()
    else:
        rig.restart()
    rig.take(*entries[half:])
    restarted = settled(rig.database)
    with rig.database.write() as connection:
        above = (
            "change",
            "story_log",
            "observation",
            "identity_key",
            "entry",
            "sketch",
        )
        for table in (*above, "article", "story"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        connection.exec_driver_sql("UPDATE counter SET value = 0")
    rig.restart()
    rig.take(*entries)
    assert settled(rig.database) == restarted


def test_numbers_of_sources_do_not_leak_addresses_into_ids(rig: Rig) -> None:
    (placed,) = rig.take(record("Gazette", "1", "Levee breaks", FLOOD))
    assert len(placed.article) == len(placed.story) == 16
    # Nothing of the id is read from the row again
    executed(rig.database, update(article).values(url=None))
    assert rig.take(record("Gazette", "1", "Levee breaks", FLOOD)) == []


def shuffled_records(data: Path, count: int) -> list:
    found = open_source(
        data / "events-fulltext.jsonl.gz",
        ReadOptions(tuning=source_tuning(Tuning()), seen=NOON),
    )
    entries = [item.entry for item in found if isinstance(item, InputEntry)]
    return Random(11).sample(entries, count)


def seeds(data: Path) -> list:
    found = open_source(
        data / "seeds", ReadOptions(tuning=source_tuning(Tuning()), seen=NOON)
    )
    return [item.entry for item in found if isinstance(item, InputEntry)]


def test_an_entry_whose_article_was_placed_while_it_waited_adds_nothing(
    database: Database,
) -> None:
    rig = Rig(database)
    (first,) = rig.accept(
        record(
            "Port", "1", "Strike", STRIKE, url="https://port.example/1", published=None
        ),
        wants_page=[True],
    )
    (later,) = rig.take(
        record(
            "Port",
            "1",
            "Strike",
            f"{STRIKE} Ferries ran.",
            url="https://port.example/1",
            published=None,
        )
    )
    with database.write() as connection:
        assert first.entry_no is not None
        pending_pages.release_without_page(
            connection, first.entry_no, verdict=None, reason="it does not answer"
        )
    (waited,) = rig.place()
    assert (later.outcome, waited.outcome) == ("founded", "unchanged")
    assert waited.article == later.article
    assert read_by(database, inbox.waiting_count) == 0


# --- when a story happened ---------------------------------------------------------------------------------


@pytest.mark.parametrize("undated_first", [True, False])
def test_a_story_of_files_is_as_old_as_its_articles_with_a_date(
    rig: Rig, undated_first: bool
) -> None:
    undated = record(
        "Herald",
        "1",
        "Pennmouth under water after levee fails",
        FLOOD_ELSEWHERE,
        published=None,
    )
    for one in [undated, flood()] if undated_first else [flood(), undated]:
        rig.take(one)
    row = queried(rig.database, select(story)).one()
    assert row.article_count == 2
    assert row.first_published == row.last_published == NOON
    assert row.bumped_at.replace(microsecond=0) == NOON
    assert faults(rig.database, now=rig.clock()) == []


def test_an_undated_push_is_news_and_stays_where_it_is_listed(rig: Rig) -> None:
    undated = record(
        "Herald",
        "1",
        "Pennmouth under water after levee fails",
        FLOOD_ELSEWHERE,
        published=None,
    )
    rig.accept(undated, bump_by_clock=True)
    rig.place()
    rig.take(flood())
    row = queried(rig.database, select(story)).one()
    assert (row.article_count, row.last_published) == (2, NOON)
    assert row.bumped_at > NOON + 3 * DAY


@pytest.mark.later
@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_seeds_are_one_story_in_every_order_of_the_day_of_the_one_with_a_date(
    sqlite: Database, data: Path, order: tuple[int, ...]
) -> None:
    rig = Rig(sqlite)
    entries = seeds(data)
    for place in order:
        rig.take(entries[place])
    assert what_is_wrong(sqlite, rig.pipeline.placer) == []
    (only,) = StoryReader(sqlite).stories(StoryFilter()).stories
    assert only.article_count == 4
    assert {
        only.first_published.date(),
        only.last_published.date(),
        only.updated.date(),
    } == {date(2024, 12, 6)}


def test_a_wrong_declared_language_keeps_no_reports_apart(rig: Rig) -> None:
    """Software for weblogs declares "en-US" until somebody changes it."""
    first = record(
        "Blatt",
        "1",
        "Hafenkran in Lindmar umgestürzt",
        "Ein Kran ist am Mittwoch im Hafen von Lindmar umgestürzt.",
        language="en-US",
    )
    second = record(
        "Bote",
        "1",
        "Kran im Hafen von Lindmar umgestürzt",
        "Im Hafen von Lindmar ist am Mittwoch ein Kran umgefallen.",
        language="de",
    )
    rig.take(first, second)
    (found,) = StoryReader(rig.database).stories(StoryFilter(language="de")).stories
    assert found.report_count == 2
