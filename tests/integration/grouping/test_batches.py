"""Batches: what a later article of a batch needs of an earlier one is there, as if each had come alone."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Table, insert, select, update

from aggregator.config.tuning import Tuning
from aggregator.model.entry import Entry
from aggregator.model.evidence import Evidence
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.stories import live_stories, stored_articles
from aggregator.store.stories.live_stories import HELD_REPORTS, LiveStory
from aggregator.store.tables import (
    article,
    correction,
    link_constraint,
    sketch,
    source_history,
    story,
    story_log,
)
from tests.support.articles import (
    BLOG,
    DAY,
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
    settled,
)
from tests.support.fresh import emptied
from tests.support.rows import column, executed, queried, read_by
from tests.support.story_checks import correct, rows_of, what_is_wrong

LEVEE = record("Herald", "1", "Levee breaks at Pennmouth", FLOOD)
BRIEF = """The mountain hut at Corrie Pass was broken into on Sunday night, and a stove and forty blankets
were carried off, its warden said. Walkers had slept there until the morning before and seen no one."""
# Some articles, of which the last needs the rows of those before it.
NEEDY: dict[str, Sequence[Entry]] = {
    "a copy of a copy": (
        LEVEE,
        record("Echo", "1", "Levee breaks at Pennmouth", f"{FLOOD} Subscribers read more."),
        record("Post", "1", "Levee breaks", f"{FLOOD} Subscribers read more. Reporting by Jane Doe.",
               published=NOON + DAY),
    ),
    "a revision": (
        LEVEE,
        record("Herald", "1", "Levee breaks at Pennmouth, five dead", FLOOD.replace("ten", "eleven")),
    ),
    "a short copy, after a revision": (
        record("Port", "1", "Dock workers strike", STRIKE),
        record("Port", "1", "Dock workers strike on", STRIKE.replace("nine", "ten")),
        record("Herald", "1", "Hut at Corrie Pass broken into", BRIEF),
        record("Echo", "1", "Hut at Corrie Pass broken into", BRIEF),
    ),
    "its page, after a revision": (
        LEVEE,
        record("Herald", "1", "Levee breaks at Pennmouth, five dead", FLOOD.replace("ten", "eleven")),
        record("Post", "1", "Levee breaks at Pennmouth", FLOOD),
    ),
    "another text of the same entry": (
        LEVEE,
        record("Herald", "1", "Dock workers strike", STRIKE),
    ),
    "a first date": (
        record("Echo", "1", "Pennmouth under water", FLOOD_ELSEWHERE, published=None),
        LEVEE,
    ),
    "a report after a live blog": (
        record("Echo", "1", "Live: levee breaks at Pennmouth", BLOG),
        LEVEE,
        record("Post", "1", "Pennmouth under water", FLOOD_ELSEWHERE),
    ),
    "the same page": (
        record("Echo", "1", "Levee breaks at Pennmouth", FLOOD, url="https://herald.example/1"),
        record("Post", "7", "Levee breaks at Pennmouth", FLOOD, url="https://herald.example/1"),
    ),
}  # fmt: skip


def placed_in_batches(database: Database, entries: Sequence[Entry], size: int) -> Rig:
    """Accept all entries, and place them in batches of this size."""
    rig = Rig(database, Clock(days=3), Tuning({"placing": {"batch_articles": size}}))
    rig.accept(*entries)
    rig.place()
    return rig


@pytest.mark.later
@pytest.mark.parametrize("needs", NEEDY)
def test_an_article_finds_what_came_before_it_in_its_batch(
    database: Database, needs: str
) -> None:
    one_by_one = placed_in_batches(database, NEEDY[needs], 1)
    alone = rows_of_grouping(database)
    assert what_is_wrong(database, one_by_one.pipeline.placer) == []
    emptied(database)
    together = placed_in_batches(database, NEEDY[needs], 100)
    assert rows_of_grouping(database) == alone
    assert what_is_wrong(database, together.pipeline.placer) == []


def test_an_article_is_put_beside_one_of_its_batch_by_a_correction(
    database: Database,
) -> None:
    strike = record("Port", "1", "Dock workers strike", STRIKE)
    placed = Rig(database, Clock(days=3)).take(LEVEE, strike)
    correct(database, "merge", *(one.story for one in placed))
    made = {
        table: rows_with_names(database, table)
        for table in (correction, link_constraint)
    }
    found = []
    for size in (1, 100):
        emptied(database)
        with database.write() as connection:
            for table, rows in made.items():
                connection.execute(insert(table), rows)
        rig = placed_in_batches(database, (LEVEE, strike), size)
        assert [
            row.article_count
            for row in queried(database, select(story.c.article_count))
        ] == [2]
        assert what_is_wrong(database, rig.pipeline.placer) == []
        found.append(rows_of_grouping(database))
    assert found[0] == found[1]


def rows_of_grouping(database: Database) -> dict[str, object]:
    """All rows that placing writes, without its times and the version of the tuning, which differs."""
    rows: dict[str, object] = {**settled(database)}
    columns = [
        column
        for column in article.c
        if column.name not in {"placed_at", "seen_at", "evidence"}
    ]
    rows["articles"] = queried(
        database, select(*columns).order_by(article.c.inbox_no)
    ).all()
    packed = column(database, article.c.evidence)
    reasons = [codecs.unpack(blob, Evidence) for blob in packed]
    rows["reasons"] = [replace(one, rules_version="") for one in reasons]
    rows["whole stories"] = rows_of(database, story)
    for table in (sketch, source_history, story_log):
        rows[table.name] = rows_of(database, table, "at")
    return rows


def rows_with_names(database: Database, table: Table) -> list[dict[str, Any]]:
    """All rows of a table by their columns."""
    return [dict(row) for row in queried(database, select(table)).mappings()]


# --- long stories ------------------------------------------------------------------------------------------


def test_a_story_of_thousands_of_copies_stays_small_in_memory(
    database: Database,
) -> None:
    rig = Rig(database, Clock(days=3))
    copy = record("Echo", "1", "Levee breaks", FLOOD)
    assert [one.outcome for one in rig.take(LEVEE, copy)] == ["founded", "copy"]
    add_copies(database, 3_000)
    rig.restart()
    further = record("Post", "1", "Levee breaks at Pennmouth", FLOOD)
    assert [one.outcome for one in rig.take(further)] == ["copy"]
    window = read_by(database, rig.pipeline.placer.services.window.current)
    (live,) = (window.story(number) for number in window.numbers())
    assert (live.article_count, len(live.dates)) == (3_003, 3_003)
    assert (live.compared_count, len(live.reports)) == (1, 1)


def test_of_many_reports_the_newest_are_read_and_the_story_is_that_of_all(
    database: Database,
) -> None:
    rig = Rig(database, Clock(days=3))
    rig.take(LEVEE, record("Echo", "1", "Levee breaks", FLOOD))
    add_copies(database, 100)
    executed(
        database, update(article).values(is_compared=True, role="report", copy_of=None)
    )
    executed(
        database,
        update(article).where(article.c.inbox_no > 1_010).values(kind="opinion"),
    )
    with database.read() as connection:
        (read,) = live_stories.grown_since(connection, 0)
        halves = [LiveStory(read.number, read.id) for _ in range(2)]
        for member in stored_articles.read_articles_of(connection, read.id):
            halves[member.inbox_no % 2].take(member)
    grown, other = halves
    grown.take_in(other)
    assert (read.compared_count, len(read.reports)) == (102, HELD_REPORTS)
    for name in LiveStory.__slots__:
        assert getattr(read, name) == getattr(grown, name), name


def add_copies(database: Database, count: int) -> None:
    """Add rows like that of the second article, and count them in its story."""
    with database.write() as connection:
        row = dict(
            connection.execute(select(article).where(article.c.inbox_no == 2))
            .mappings()
            .one()
        )
        numbers = range(1_000, 1_000 + count)
        copies = [
            row | {"inbox_no": n, "id": f"copy{n}", "root_article": f"copy{n}"}
            for n in numbers
        ]
        connection.execute(insert(article), copies)
        connection.execute(
            update(story).values(article_count=2 + count, last_inbox_no=numbers[-1])
        )
