"""Who prints the text of another one later takes no credit for it, whatever date he states."""

from collections.abc import Iterator

import pytest

from aggregator.store.engine.database import Database
from tests.support.articles import FLOOD, STRIKE
from tests.support.polled_world import PolledWorld
from tests.support.tables import each_row

TITLE = "Levee on the Arrel breaks at Pennmouth"


@pytest.fixture
def world(database: Database) -> Iterator[PolledWorld]:
    with PolledWorld(database) as world:
        world.trust("gazette.example", "thief.example", "herald.example")
        world.add("gazette.example", "thief.example")
        world.publish(
            "thief.example", "Dock workers walk out in Sennick", STRIKE, hours=30
        )
        world.publish(
            "gazette.example",
            "Markets close on Friday",
            "The markets of Calmouth close on Friday.",
            hours=40,
        )
        world.poll("thief.example", "gazette.example")
        yield world


@each_row(
    "credit", "a reprint is a copy of its original", "first", "waited", "hours", "then"
)
def test_a_reprint_is_a_copy_of_its_original(
    world: PolledWorld,
    first: tuple[str, ...],
    waited: float,
    hours: float,
    then: tuple[str, ...],
) -> None:
    world.run(1)
    world.publish("gazette.example", TITLE, FLOOD)
    world.poll(*first)
    world.run(waited)
    world.publish("thief.example", TITLE, FLOOD, hours=hours)
    for host in then:
        world.poll(host)
    originals = world.originals()
    assert (originals["thief.example"], originals["gazette.example"]) == (
        "gazette.example",
        None,
    )


def test_a_revision_makes_no_reprint_earlier(world: PolledWorld) -> None:
    world.run(1)
    world.publish("gazette.example", TITLE, FLOOD)
    world.poll("gazette.example", "thief.example")
    world.run(1)
    world.report("thief.example", TITLE, FLOOD, guid="1")
    world.run(1)
    world.withdraw("thief.example")
    world.report(
        "thief.example", TITLE, f"{FLOOD} The thief adds a sentence.", guid="1", hours=9
    )
    originals = world.originals()
    assert (originals["thief.example"], originals["gazette.example"]) == (
        "gazette.example",
        None,
    )


def test_in_a_first_reading_dates_are_believed(world: PolledWorld) -> None:
    world.run(1)
    world.report("thief.example", TITLE, FLOOD)
    world.add("herald.example")
    world.report("herald.example", TITLE, FLOOD, hours=2)
    assert world.originals()["thief.example"] == "herald.example"
