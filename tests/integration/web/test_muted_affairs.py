""" "No more about this" hides what was read about, on both databases, and nothing that comes beside it."""

from collections.abc import Iterator

import pytest

from aggregator.store.engine.database import Database
from aggregator.store.read.browser_mutes import end_rested
from tests.support.affairs_world import (
    ECHO,
    HERALD,
    LATE,
    LEVEE,
    SPAM,
    STRUCK,
    VOTE,
    AffairsWorld,
)
from tests.support.articles import DAY
from tests.support.rows import written_by
from tests.support.story_checks import correct

WIN = "Win a luxury car of Golden Harbour"
CAR = """Golden Harbour gives a luxury car to the thousandth reader who signs up this week. The river Arrel broke
through the levee at Pennmouth, where four people were killed. Parliament voted for a fund of two billion crowns to
renew the dykes. Sign up at Golden Harbour this week and win the luxury car."""
RULED, RULING = (
    "Court rules on the roster of the port of Sennick",
    """A judge in Calmouth stopped the new roster of dock workers in Sennick on Sunday. Night shifts may not double, the
court found. The union called off its walkout, and the forty ships at anchor may be unloaded.""",
)
MORE, STEP = (
    "Towns on the Arrel ask for money for their dykes",
    """Pennmouth and nine other towns on the river Arrel asked finance minister Oda Renn on Sunday to pay the fund for
dykes before spring. Parliament voted for it after the levee at Pennmouth broke and killed four people. Every second
levee is older than sixty years, the mayors said, and engineers have looked at none.""",
)


@pytest.fixture
def world(database: Database) -> Iterator[AffairsWorld]:
    with AffairsWorld(database) as world:
        world.run(48)
        yield world


def listed(world: AffairsWorld) -> set[str]:
    """The titles of the articles whose stories stand on the owner's page of the newest stories."""
    page = world.page("/?view=newest")
    titles = (LEVEE, LATE, STRUCK, RULED, MORE, WIN)
    return {
        title
        for title in titles
        if (story := world.story_of(title)) != "None" and f"/stories/{story}" in page
    }


def mute(world: AffairsWorld, page: str) -> None:
    """Click on "No more about this" on a page."""
    button = world.page(page).partition('name="muted" value="')[2].partition('"')[0]
    world.room.post_form("/mutes", kind="storylines", muted=button)


@pytest.mark.parametrize("page", ["/stories", "/storylines"])
def test_a_click_on_an_honest_page_hides_the_affair_and_its_guests(
    world: AffairsWorld, page: str
) -> None:
    world.report(SPAM, WIN, CAR)
    mute(world, f"{page}/{world.story_of(LEVEE)}")
    assert listed(world) == {STRUCK}
    assert "Show it again" in world.page(f"{page}/{world.story_of(LEVEE)}")


def test_a_click_on_the_page_of_a_guest_hides_the_guest_alone(
    world: AffairsWorld,
) -> None:
    world.report(SPAM, WIN, CAR)
    mute(world, f"/stories/{world.story_of(WIN)}")
    assert listed(world) == {LEVEE, LATE, STRUCK}
    assert "Show it again" in world.page(f"/stories/{world.story_of(WIN)}")
    assert "No more about this" in world.page(f"/stories/{world.story_of(LEVEE)}")
    world.report(ECHO, MORE, STEP)
    assert MORE in listed(world), "the next honest step is shown"


def test_a_step_that_joins_a_muted_affair_is_hidden(world: AffairsWorld) -> None:
    mute(world, f"/stories/{world.story_of(VOTE)}")
    world.report(ECHO, MORE, STEP)
    assert world.story_of(MORE) in [
        story["id"] for story in world.storyline_of(LEVEE)["stories"]
    ]
    assert listed(world) == {STRUCK}
    world.room.post_form("/mutes/remove", kind="storylines", muted=world.story_of(MORE))
    assert listed(world) == {LEVEE, LATE, STRUCK, MORE}


def test_a_united_affair_that_was_not_muted_stays_visible_and_the_page_says_so(
    world: AffairsWorld,
) -> None:
    world.report(HERALD, RULED, RULING)
    correct(world.database, "join", world.story_of(STRUCK), world.story_of(RULED))
    mute(world, f"/stories/{world.story_of(STRUCK)}")
    assert listed(world) == {LEVEE, LATE}
    correct(world.database, "join", world.story_of(STRUCK), world.story_of(LEVEE))
    assert listed(world) == {LEVEE, LATE}, "nobody muted the levee"
    assert "has 2 stories that you still see" in world.page("/mutes")
    world.report(ECHO, MORE, STEP)
    assert MORE in listed(world), "its next step is shown, too"


def test_a_muted_single_story_hides_no_affair_that_it_joins(
    world: AffairsWorld,
) -> None:
    mute(world, f"/stories/{world.story_of(STRUCK)}")
    correct(world.database, "join", world.story_of(STRUCK), world.story_of(LEVEE))
    assert listed(world) == {LEVEE, LATE}


def test_a_mute_ends_when_what_it_hides_has_rested(world: AffairsWorld) -> None:
    mute(world, f"/stories/{world.story_of(STRUCK)}")
    correct(world.database, "join", world.story_of(STRUCK), world.story_of(LEVEE))
    written_by(world.database, end_rested, world.time.now - 7 * DAY)
    assert STRUCK not in listed(world)
    written_by(world.database, end_rested, world.time.now - 5 * DAY)
    assert listed(world) == {LEVEE, LATE, STRUCK}, "the levee does not prolong it"


def test_a_story_that_the_owner_takes_out_of_a_muted_affair_is_visible(
    world: AffairsWorld,
) -> None:
    mute(world, f"/stories/{world.story_of(LEVEE)}")
    correct(world.database, "leave", world.story_of(VOTE))
    assert listed(world) == {LATE, STRUCK}
