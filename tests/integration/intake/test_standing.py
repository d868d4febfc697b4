"""A feed is believed when it has agreed with others on three days, and not for what it published alone."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from aggregator.model.core import StoryView
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article
from aggregator.web.pages.views import report_groups
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE, STRIKE_ELSEWHERE, record
from tests.support.polled_world import PolledWorld
from tests.support.rows import queried

EVENTS = (
    ("Levee on the Arrel breaks at Pennmouth", FLOOD, FLOOD_ELSEWHERE),
    ("Dock workers walk out in Sennick", STRIKE, STRIKE_ELSEWHERE),
    (
        "Ferry to Lind runs aground near Hollen",
        "The ferry to Lind ran aground on a sandbank near Hollen with ninety passengers on Friday.",
        "Ninety passengers of the ferry to Lind waited on a sandbank near Hollen for the tide on Friday.",
    ),
    ("Court stops the bypass of Arnsby", "The court stopped the bypass of Arnsby for its bats.", ""),
)


@pytest.fixture
def world(database: Database) -> Iterator[PolledWorld]:
    with PolledWorld(database) as world:
        world.add("gazette.example", "herald.example", "stranger.example")
        world.poll("gazette.example", "herald.example", "stranger.example")
        yield world


def test_three_days_of_agreement_give_standing_and_articles_alone_do_not(world: PolledWorld) -> None:
    for title, said, said_elsewhere in EVENTS:
        world.publish("gazette.example", title, said)
        for number in range(12):
            about = f"Harmless item {number} of {title[:5]}"
            world.publish("stranger.example", about, f"Nothing but {about.lower()} happened here today.")
        world.poll("gazette.example", "stranger.example")
        world.run(1)
        world.publish("herald.example", f"{title}, again", said_elsewhere or said)
        world.poll("herald.example")
        world.run(23)
    known = select(article.c.url).where(article.c.is_little_known.is_(False))
    assert {url.split("/")[2] for url in queried(world.database, known).scalars()} == {"herald.example"}
    (last,) = queried(world.database, known).scalars()
    assert last.endswith("/3")


def test_a_stranger_gives_no_title_beside_who_has_standing(world: PolledWorld) -> None:
    world.trust("gazette.example", "herald.example")
    title, said, said_elsewhere = EVENTS[0]
    world.publish("gazette.example", title, said)
    world.publish("herald.example", f"{title}, four dead", said_elsewhere)
    world.poll("gazette.example", "herald.example")
    before = world.shown(world.story_of(title))
    world.run(1)
    for number in range(12):
        copied = " ".join((said, *[f"Golden Harbour pays {number} free spins."] * 4))
        world.publish("stranger.example", title, copied, hours=3)
        world.publish("stranger.example", title, f"Golden Harbour pays {number} free spins for a deposit.")
    world.poll("stranger.example")
    after = world.shown(world.story_of(title))
    assert after.articles > before.articles
    assert (after.title, after.summary, after.reports) == (before.title, before.summary, before.reports)
    assert after.outlets <= before.outlets + 1
    assert "Golden Harbour" not in after.text
    found = StoryReader(world.database).story(world.story_of(title))
    assert isinstance(found, StoryView)
    *_, last = report_groups(found.articles, None)
    assert (last.is_folded, len(last.lines)) == (True, 1)


def test_on_the_first_day_of_feeds_a_file_is_believed_no_more_than_they_are(world: PolledWorld) -> None:
    title, said, said_elsewhere = EVENTS[0]
    world.publish("gazette.example", title, said)
    world.publish("herald.example", f"{title}, four dead", said_elsewhere)
    world.poll("gazette.example", "herald.example")
    before = world.shown(world.story_of(title))
    world.run(1)
    first = said.split(". ")[0]
    world.rig.take(
        *(
            record(
                "ingest", str(n), title, f"{first}. Golden Harbour pays {n} free spins.", outlet=f"Paper {n}"
            )
            for n in range(12)
        )
    )
    after = world.shown(world.story_of(title))
    assert (after.title, after.summary, after.reports) == (before.title, before.summary, before.reports)
    assert after.outlets <= before.outlets + 1
    assert "Golden Harbour" not in after.text
