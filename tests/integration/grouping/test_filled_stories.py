"""A feed without standing that sends hundreds of copies fills a story for itself, and for nobody else."""

import pytest

from aggregator.config.tuning import Tuning
from aggregator.store.engine.database import Database
from aggregator.store.tables import article, story
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, NOON, Rig, trust
from tests.support.big_story import feed_of, of_feed
from tests.support.rows import value
from tests.support.story_checks import what_is_wrong

HERALD, POST, ECHO, SPAM = (
    f"{name}.example" for name in ("herald", "post", "echo", "spam")
)
LEVEE, UNDER_WATER, SEARCH = (
    "Levee breaks at Pennmouth, four dead",
    "Pennmouth under water after levee breach",
    "Rescuers search Pennmouth after levee on the Arrel breaks",
)
SEARCHED = """Rescue teams in boats searched the drowned streets of Pennmouth for two people who have been missing
since the Arrel broke its levee. Mayor Brandt let everyone below the market square leave at once. Engineers say a
failed pump station let the river rise further. The bodies of four victims were found, the railway to Calmouth stays
shut, and classes begin again on Wednesday at the earliest."""
CAP = 80


@pytest.fixture
def rig(database: Database) -> Rig:
    """Herald told of the levee, and then came more copies of it by one new feed than a story may have articles."""
    return Rig(database, all_tuning=Tuning({"events": {"story_cap": CAP}}))


def flood(rig: Rig, sender: str) -> str:
    """Send a report by Herald and many copies by one feed; return the story."""
    rig.take(of_feed(HERALD, LEVEE, FLOOD, NOON))
    copies = [
        of_feed(sender, f"{LEVEE}, item {n}", f"{FLOOD} Item {n} of this page.", NOON)
        for n in range(CAP + 10)
    ]
    rig.take(*copies)
    filled = story_of(rig, LEVEE)
    assert value(rig.database, story.c.article_count, story.c.id == filled) > CAP
    return filled


def story_of(rig: Rig, title: str) -> str:
    return str(value(rig.database, article.c.story, article.c.title == title))


@pytest.mark.parametrize("restarts", [False, True])
def test_the_next_honest_report_still_joins_its_story(rig: Rig, restarts: bool) -> None:
    trust(rig.database, map(feed_of, (HERALD, POST)))
    filled = flood(rig, SPAM)
    if restarts:
        rig.restart()
    rig.take(of_feed(POST, UNDER_WATER, FLOOD_ELSEWHERE, NOON))
    assert story_of(rig, UNDER_WATER) == filled, "Post has standing"
    rig.take(of_feed(ECHO, SEARCH, SEARCHED, NOON))
    assert story_of(rig, SEARCH) == filled, "Echo is new, and sent nothing before"
    assert value(rig.database, story.c.report_count, story.c.id == filled) >= 2
    assert what_is_wrong(rig.database, rig.pipeline.placer) == []


def test_who_filled_it_adds_no_further_report(rig: Rig) -> None:
    trust(rig.database, map(feed_of, (HERALD, POST)))
    filled = flood(rig, SPAM)
    rig.take(of_feed(SPAM, UNDER_WATER, FLOOD_ELSEWHERE, NOON))
    assert story_of(rig, UNDER_WATER) != filled


def test_while_nobody_has_standing_other_feeds_still_join(rig: Rig) -> None:
    filled = flood(rig, SPAM)
    rig.take(of_feed(POST, UNDER_WATER, FLOOD_ELSEWHERE, NOON))
    assert story_of(rig, UNDER_WATER) == filled


def test_articles_of_sources_with_standing_still_fill_a_story(rig: Rig) -> None:
    trust(rig.database, map(feed_of, (HERALD, POST, ECHO)))
    filled = flood(rig, ECHO)
    rig.take(of_feed(POST, UNDER_WATER, FLOOD_ELSEWHERE, NOON))
    assert story_of(rig, UNDER_WATER) != filled
