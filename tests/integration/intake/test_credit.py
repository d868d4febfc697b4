"""Who prints the text of another one later takes no credit for it, whatever date he states."""

from collections.abc import Iterator

import pytest

from aggregator.store.engine.database import Database
from tests.support.articles import FLOOD, STRIKE
from tests.support.polled_world import PolledWorld

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


def test_a_reprint_that_states_an_earlier_date_than_its_original_is_a_copy_of_it(
    world: PolledWorld,
) -> None:
    world.run(1)
    world.publish("gazette.example", TITLE, FLOOD)
    world.poll("gazette.example", "thief.example")
    world.run(1)
    world.publish("thief.example", TITLE, FLOOD, hours=5)
    world.poll("gazette.example", "thief.example")
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
    world.publish("thief.example", TITLE, FLOOD, guid="1")
    world.poll("thief.example")
    world.run(1)
    world.withdraw("thief.example")
    world.publish(
        "thief.example", TITLE, f"{FLOOD} The thief adds a sentence.", guid="1", hours=9
    )
    world.poll("thief.example")
    originals = world.originals()
    assert (originals["thief.example"], originals["gazette.example"]) == (
        "gazette.example",
        None,
    )


def test_an_original_that_is_polled_after_its_reprint_keeps_its_credit(
    world: PolledWorld,
) -> None:
    """Its date is after the last poll of its feed."""
    world.run(1)
    world.publish("gazette.example", TITLE, FLOOD)
    world.run(0.5)
    world.publish("thief.example", TITLE, FLOOD)
    world.poll("thief.example")
    world.poll("gazette.example")
    originals = world.originals()
    assert (originals["thief.example"], originals["gazette.example"]) == (
        "gazette.example",
        None,
    )


def test_in_a_first_reading_dates_are_believed(world: PolledWorld) -> None:
    world.run(1)
    world.publish("thief.example", TITLE, FLOOD)
    world.poll("thief.example")
    world.add("herald.example")
    world.publish("herald.example", TITLE, FLOOD, hours=2)
    world.poll("herald.example")
    assert world.originals()["thief.example"] == "herald.example"
