"""Names and topics of stories: found when a story is rendered, kept through merges and splits."""

import pytest
from sqlalchemy import text

from aggregator.config.story_query import StoryFilter
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.model.story import StoryView
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from tests.support.articles import DAY, DYKES, FLOOD, NOON, STRIKE, Clock, Rig, record
from tests.support.rows import queried
from tests.support.story_checks import by_title, placing_of

LEVEE, VOTED, STRUCK = (
    "Levee breaks at Pennmouth, four dead",
    "Parliament votes for dykes",
    "Dock strike in Sennick",
)
PUMPS = "Pump station at Pennmouth failed unseen"
INQUIRY = """The water authority was told months ago that the levee at Pennmouth may break and that the pump
station there was failing, a letter shows. The engineers of Pennmouth had asked for a new motor, and the
authority in Calmouth had put them off. A court is to hear those who signed the letter."""


@pytest.fixture
def rig(database: Database) -> Rig:
    rig = Rig(database, Clock(days=20))
    rig.take(
        record("Herald", "1", LEVEE, FLOOD, categories=("Floods", "News")),
        record(
            "Echo",
            "2",
            VOTED,
            DYKES,
            published=NOON + 5 * DAY,
            categories=("Politics",),
        ),
        record(
            "Post",
            "3",
            STRUCK,
            STRIKE,
            published=NOON + 8 * DAY,
            categories=("Economy", "Floods"),
        ),
        record("Mail", "4", PUMPS, INQUIRY, published=NOON - 18 * DAY),
    )
    rig.render()
    return rig


def _titles(rig: Rig, **wanted: str) -> set[str]:
    return {
        one.title
        for one in StoryReader(rig.database).stories(StoryFilter(**wanted)).stories
    }


def test_the_views_have_the_same_rows(rig: Rig) -> None:
    links = queried(
        rig.database,
        text("SELECT relation, COUNT(*) FROM v_story_links GROUP BY relation"),
    )
    assert dict(tuple(row) for row in links) == {"earlier": 1, "later": 1}
    topics = queried(
        rig.database, text("SELECT topic, COUNT(*) FROM v_story_topics GROUP BY topic")
    )
    assert dict(tuple(row) for row in topics) == {
        "Floods": 2,
        "Politics": 1,
        "Economy": 1,
    }
    names = queried(
        rig.database,
        text("SELECT name, outlets FROM v_story_names WHERE name = 'Pennmouth'"),
    )
    assert [tuple(row) for row in names] == [("Pennmouth", 1), ("Pennmouth", 1)]


@pytest.mark.later
def test_names_topics_and_kinds_are_filters(rig: Rig) -> None:
    assert _titles(rig, name="pennmouth") == {LEVEE, PUMPS}
    assert _titles(rig, topic="FLOODS") == {LEVEE, STRUCK}
    assert _titles(rig, topic="Floods", name="Pennmouth") == {LEVEE}
    assert _titles(rig, topic="Flood") == set()
    rig.take(
        record(
            "Herald",
            "9",
            "Opinion: the port must open",
            STRIKE[::-1],
            published=NOON + 9 * DAY,
        )
    )
    assert _titles(rig, kind="opinion") == {"Opinion: the port must open"}
    assert len(_titles(rig, kind="report")) == 4
    rig.pipeline.index_text()
    assert len(_titles(rig, topic="Floods", kind="report")) == 2


def test_lists_have_names_and_topics(rig: Rig) -> None:
    (levee,) = (
        StoryReader(rig.database)
        .stories(StoryFilter(name="Pennmouth", topic="floods"))
        .stories
    )
    assert levee.topics == ("Floods",)
    assert "Pennmouth" in [one.name for one in levee.names]


@pytest.mark.later
def test_a_topic_is_listed_that_three_outlets_share(rig: Rig) -> None:
    assert StoryReader(rig.database).topics() == (), (
        "Herald and Post alone write of floods"
    )
    again = record(
        "Mail",
        "5",
        PUMPS,
        INQUIRY[::-1],
        published=NOON + 15 * DAY,
        categories=("Floods",),
    )
    rig.take(again)
    rig.render()
    assert StoryReader(rig.database).topics() == ("Floods",)


@pytest.mark.later
def test_forgetting_removes_names_at_once(rig: Rig) -> None:
    placing_of(rig.database).erase(ForgetCommand(name="Mail"))
    assert _titles(rig, name="Pennmouth") == {LEVEE}
    (levee,) = by_title(rig.database, "Levee")
    found = StoryReader(rig.database).story(levee)
    assert isinstance(found, StoryView)
    assert [one.title for one in found.later] == [VOTED]
