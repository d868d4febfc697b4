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


@pytest.mark.parametrize(
    ("first", "waited", "hours", "then"),
    [
        pytest.param(
            ("gazette.example", "thief.example"), 1, 5, ("gazette.example", "thief.example"),
            id="it states an earlier date",
        ),
        pytest.param(
            (), 0.5, 0, ("thief.example", "gazette.example"),
            id="the original is polled later, with a date after the last poll of its feed",
        ),
    ],
)  # fmt: skip
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


def test_in_a_first_reading_dates_are_believed(world: PolledWorld) -> None:
    world.run(1)
    world.publish("thief.example", TITLE, FLOOD)
    world.poll("thief.example")
    world.add("herald.example")
    world.publish("herald.example", TITLE, FLOOD, hours=2)
    world.poll("herald.example")
    assert world.originals()["thief.example"] == "herald.example"
