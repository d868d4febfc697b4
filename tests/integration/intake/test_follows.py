"""A story that continues an earlier one names it; the link survives merges, splits and reclustering."""

import datetime as dt

import pytest
from sqlalchemy import text

from aggregator.config.tuning import Tuning
from aggregator.store.engine.database import Database
from tests.support.articles import DYKES, FLOOD, NOON, STRIKE, Clock, Rig, record
from tests.support.rows import executed, queried
from tests.support.story_checks import (
    by_title,
    correct,
    members,
    placing_of,
    reclustering,
    undo,
)

DAY = dt.timedelta(days=1)
BROKEN, VOTED, STRUCK = (
    "Levee breaks at Pennmouth, four dead",
    "Parliament votes for dykes",
    "Dock strike",
)


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database, Clock(NOON + 20 * DAY))


def placed(rig: Rig, days: int = 5) -> Database:
    """The levee breaks; so many days later parliament votes, and dock workers strike."""
    rig.take(record("Herald", "1", BROKEN, FLOOD, published=NOON))
    rig.take(record("Echo", "2", VOTED, DYKES, published=NOON + days * DAY))
    rig.take(record("Post", "3", STRUCK, STRIKE, published=NOON + days * DAY))
    return rig.database


def links(database: Database) -> list[tuple[str, str]]:
    shown = "SELECT title, earlier_title FROM v_follows ORDER BY title"
    return [(row.title, row.earlier_title) for row in queried(database, text(shown))]


def test_what_happened_before_follows_nothing(rig: Rig) -> None:
    assert links(placed(rig, days=-5)) == []


def test_without_a_date_or_a_text_nothing_is_claimed(rig: Rig) -> None:
    rig.take(record("Herald", "1", BROKEN, FLOOD, published=NOON))
    rig.take(record("Echo", "2", VOTED, "", published=NOON + 5 * DAY))
    assert links(rig.database) == []


def test_links_lead_to_the_successor_of_a_merged_story_and_come_back(rig: Rig) -> None:
    levee, vote, strike = by_title(placed(rig), "Levee", "Parliament", "Dock strike")
    correct(rig.database, "merge", strike, levee)
    assert [earlier for _, earlier in links(rig.database)] == [BROKEN]
    correct(rig.database, "merge", levee, vote)
    assert links(rig.database) == [], "no story follows itself"
    undo(rig.database)
    undo(rig.database)
    assert links(rig.database) == [(VOTED, BROKEN)]


def test_a_column_continues_nothing(rig: Rig) -> None:
    rig.take(record("Herald", "1", BROKEN, FLOOD, published=NOON))
    rig.take(record("Echo", "2", f"Opinion: {VOTED}", DYKES, published=NOON + 5 * DAY))
    assert links(rig.database) == []


def test_a_story_that_began_earlier_continues_nothing_after_a_merge(rig: Rig) -> None:
    rig.take(record("Post", "0", STRUCK, STRIKE, published=NOON - 2 * DAY))
    rig.take(record("Herald", "1", BROKEN, FLOOD, published=NOON))
    rig.take(record("Echo", "2", VOTED, DYKES, published=NOON + 5 * DAY))
    vote, strike = by_title(rig.database, "Parliament", "Dock strike")
    assert links(rig.database) == [(VOTED, BROKEN)]
    correct(rig.database, "merge", strike, vote)
    assert links(rig.database) == []


def test_reclustering_decides_the_links_again(rig: Rig) -> None:
    database = placed(rig)
    executed(database, text("UPDATE article SET follows = NULL"))
    assert reclustering(database).take_over(placing_of(database), None).written
    assert links(database) == [(VOTED, BROKEN)]
    never = Tuning({"events": {"follows_cosine": 1.0}})
    reclustering(database, never).take_over(placing_of(database, never), None)
    assert links(database) == []
    assert len(members(database, by_title(database, "Parliament")[0])) == 1


def test_what_follows_a_story_is_found_by_its_id(rig: Rig) -> None:
    """Without going through all stories or articles."""
    (levee,) = by_title(placed(rig), "Levee")
    asked = "SELECT title FROM v_follows WHERE earlier_id = :levee"
    explain = "EXPLAIN QUERY PLAN " if rig.database.is_sqlite else "EXPLAIN "
    with rig.database.read() as connection:
        if not rig.database.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = " ".join(
            str(row)
            for row in connection.execute(text(explain + asked), {"levee": levee})
        )
    assert [
        row.title for row in queried(rig.database, text(asked), {"levee": levee})
    ] == [VOTED]
    assert "ix_article_follows" in plan
    assert "ix_story_redirect_to" in plan
    assert "SCAN " not in plan
    assert "Seq Scan" not in plan
