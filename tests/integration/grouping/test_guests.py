"""A feed without standing beside an affair: its story is a guest, which speaks for nobody else."""

from collections.abc import Iterator

import pytest

from aggregator.store.engine.database import Database
from tests.support.affairs_world import (
    ECHO,
    HERALD,
    LATE,
    LEVEE,
    SPAM,
    VOTE,
    AffairsWorld,
)
from tests.support.story_checks import correct

CAR = (
    "Golden Harbour gives a luxury car to the thousandth reader who signs up this week."
)
# One article each, which joins the affair of the levee without being about one of its events
ADVERTISEMENTS = {
    "what is known of the affair": f"""{CAR} The river Arrel broke through the levee at Pennmouth, where four people
    were killed. Parliament voted for a fund of two billion crowns to renew the dykes. {CAR}""",
    "names of the affair": f"""Oda Renn, the finance minister, and mayor Ilse Brandt of Pennmouth know that the
    dykes of the river Arrel are old. Parliament has voted a fund for levees. {CAR}""",
    "sentences of three stories": f"""The river Arrel broke through the levee at Pennmouth shortly before ten on
    Sunday evening and flooded the lower town within minutes. Parliament voted on Friday for a fund of two billion
    crowns to renew the dykes of the country, days after the river Arrel broke through the levee at Pennmouth. The
    fund pays nothing before spring, finance minister Oda Renn said. {CAR}""",
}
WIN = "Win a luxury car of Golden Harbour"


@pytest.fixture
def world(database: Database) -> Iterator[AffairsWorld]:
    with AffairsWorld(database) as world:
        yield world


@pytest.mark.parametrize("way", ADVERTISEMENTS)
def test_one_article_of_a_new_feed_changes_nothing_of_a_resting_affair(
    world: AffairsWorld, way: str
) -> None:
    world.run(48)
    before = world.seen()
    world.report(SPAM, WIN, ADVERTISEMENTS[way])
    affair = world.storyline_of(LEVEE)
    assert WIN in [story["title"] for story in affair["stories"]], "it joined"
    assert world.seen() == before, "readers see of the affair what they saw before"
    assert world.page(f"/stories/{world.story_of(LEVEE)}").count(f">{LATE}<"), (
        "the page of a story names the affair by an honest title"
    )
    page = world.page("/")
    place = page[page.index(f'id="s-{world.story_of(VOTE)}"') :]
    assert WIN not in place[: place.index(LEVEE)], "honest stories come first there"
    world.assert_sound()


def test_a_guest_is_last_on_its_day_and_alone_where_no_other_story_is_listed(
    world: AffairsWorld,
) -> None:
    world.run(2)
    world.report(SPAM, WIN, CAR)
    vote, guest = world.story_of(VOTE), world.story_of(WIN)
    correct(world.database, "join", guest, vote)
    page = world.page(f"/storylines/{guest}")
    assert page.index(f"/stories/{vote}") < page.index(f"/stories/{guest}"), (
        "the newer guest stands below the older report of its day"
    )
    (line,) = world.read_json(f"/api/v1/stories/{guest}")["storyline_stories"][:1]
    assert (line["id"], line["is_guest"]) == (guest, True)
    found = world.stories("fold=storylines&query=luxury")
    assert [story["id"] for story in found] == [guest], "who searches for it finds it"
    items = world.read_json("/feeds/stories.json?fold=storylines&query=luxury")
    assert [item["id"].rpartition("/")[2] for item in items["items"]] == [guest], (
        "under its own identifier, so that it replaces no item of a feed reader"
    )
    assert world.stories("fold=storylines&min_reports=2&query=luxury") == [], (
        "the reports of others do not count for it"
    )


def test_while_nobody_has_standing_all_reports_are_alike(database: Database) -> None:
    """The first three days of feeds: nothing tells an honest feed from another."""
    with AffairsWorld(database, with_standing=False) as world:
        world.run(48)
        world.report(SPAM, WIN, ADVERTISEMENTS["names of the affair"])
        assert world.storyline_of(LEVEE)["title"] == WIN, "the last day gives the title"


def test_a_feed_that_gains_standing_later_is_no_guest_with_its_first_stories(
    database: Database,
) -> None:
    with AffairsWorld(database, with_standing=False) as world:
        world.run(48)
        world.trust(HERALD)
        world.report(SPAM, WIN, ADVERTISEMENTS["names of the affair"])
        assert world.storyline_of(LEVEE)["title"] == LEVEE, "Herald told it on day 0"
        world.trust(ECHO)
        assert world.storyline_of(LEVEE)["title"] == LATE, "Echo told of the vote"


NEW = "courier.example"
MORE, STEP = (
    "Towns on the Arrel ask for money for their dykes",
    """Pennmouth and nine other towns on the river Arrel asked finance minister Oda Renn on Sunday to pay the fund for
dykes before spring. Parliament voted for it after the levee at Pennmouth broke and killed four people. Every second
levee is older than sixty years, the mayors said, and engineers have looked at none.""",
)


def test_an_honest_feed_added_on_day_4_is_read_in_its_affair_and_later_leads_it(
    world: AffairsWorld,
) -> None:
    world.run(48)
    before = world.seen()
    world.add(NEW)
    world.report(NEW, MORE, STEP)
    step = world.story_of(MORE)
    assert step in [one["id"] for one in world.storyline_of(LEVEE)["stories"]], (
        "it stands in its affair"
    )
    assert f"/stories/{step}" in world.page("/?view=newest"), "a reader sees it"
    assert f"/stories/{step}" in world.page(f"/storylines/{world.story_of(LEVEE)}")
    assert world.seen() == before, "titles and counts of the others are as before"
    world.trust(NEW)
    assert world.storyline_of(LEVEE)["title"] == MORE, (
        "once it has standing, its newest report leads the affair"
    )
