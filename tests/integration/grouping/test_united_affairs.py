"""A feed between two affairs: what unites them, and how a union falls apart again."""

from collections.abc import Iterator

import pytest

from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.grouping.storylines import nearness
from aggregator.store.engine.database import Database
from aggregator.store.stories import storyline_unions
from aggregator.store.stories.storyline_rows import Affinity, RecentStory
from tests.support.affairs_world import (
    HERALD,
    LEVEE,
    SPAM,
    STRUCK,
    VOTE,
    AffairsWorld,
)
from tests.support.articles import DYKES, FLOOD, NOON, STRIKE
from tests.support.rows import written_by
from tests.support.story_checks import correct, placing_of, undo

RULED, RULING = (
    "Court rules on the roster of the port of Sennick",
    """A judge in Calmouth stopped the new roster of dock workers in Sennick on Sunday. Night shifts may not double, the
court found. The union called off its walkout, and the forty ships at anchor may be unloaded.""",
)


@pytest.fixture
def world(database: Database) -> Iterator[AffairsWorld]:
    """Two affairs of two stories each."""
    with AffairsWorld(database) as world:
        world.report(HERALD, RULED, RULING)
        yield world


def together(world: AffairsWorld) -> set[frozenset[str]]:
    """The honest stories of each storyline, by these titles."""
    titles = {world.story_of(each): each for each in (LEVEE, VOTE, STRUCK, RULED)}
    lines = [world.storyline_of(each)["stories"] for each in titles.values()]
    return {
        frozenset(titles[one["id"]] for one in line if one["id"] in titles)
        for line in lines
    }


APART = {frozenset({LEVEE, VOTE}), frozenset({STRUCK, RULED})}
UNITED = {frozenset({LEVEE, VOTE, STRUCK, RULED})}


@pytest.mark.parametrize("times", [1, 5])
def test_articles_of_a_new_feed_between_two_affairs_unite_nothing(
    world: AffairsWorld, times: int
) -> None:
    """Each tells half of one affair and half of the other."""
    assert together(world) == APART
    sentences = [" ".join(text.split()).split(". ") for text in (FLOOD, DYKES, STRIKE)]
    for n in range(times):
        flood, dykes, strike = (part[n % 3 : n % 3 + 4] for part in sentences)
        said = ". ".join([*flood, *dykes, *strike])
        world.report(SPAM, f"Pennmouth, Sennick and what is next, part {n}", said)
        world.run(1)
    assert together(world) == APART
    world.assert_sound()


def unite(world: AffairsWorld, source: str) -> None:
    """Let an article of a source have united the two affairs."""
    line, other = world.storyline_of(LEVEE)["id"], world.storyline_of(STRUCK)["id"]
    written_by(world.database, storyline_unions.note_union, NOON, line, other, source)
    written_by(world.database, storyline_unions.storyline_rows.unite, line, other)
    assert together(world) == UNITED


def test_a_union_is_undone_on_the_page_and_stays_undone(world: AffairsWorld) -> None:
    unite(world, "feed")
    page = world.page(f"/storylines/{world.story_of(LEVEE)}")
    form = page.partition('name="kind" value="part"')[2]
    story = form.partition('name="story" value="')[2].partition('"')[0]
    assert story in map(world.story_of, (STRUCK, RULED)), "it came with the union"
    world.room.start_writing()
    world.room.post_form("/correct", kind="part", story=story, sure="yes")
    assert together(world) == APART
    assert 'value="part"' not in world.page(f"/storylines/{world.story_of(LEVEE)}")


def test_a_union_is_undone_by_a_correction_which_can_be_undone(
    world: AffairsWorld,
) -> None:
    unite(world, "feed")
    correct(world.database, "part", world.story_of(STRUCK))
    assert together(world) == APART
    undo(world.database)
    assert together(world) == UNITED


def test_what_a_feed_united_falls_apart_when_its_articles_are_forgotten(
    world: AffairsWorld,
) -> None:
    world.report(SPAM, "Win a car", "Golden Harbour gives a car to one reader.")
    article = world.stories("query=car")[0]["articles"][0]["id"]
    unite(world, world.source_of(SPAM))
    placing_of(world.database).erase(ForgetCommand(name=article))
    assert together(world) == APART


def test_what_a_feed_united_falls_apart_when_it_is_removed(
    world: AffairsWorld,
) -> None:
    unite(world, world.source_of(SPAM))
    world.room.post_form(f"/sources/{world.source_of(SPAM)}", act="remove")
    assert together(world) == APART


def test_one_story_between_two_storylines_is_in_one_pair_only() -> None:
    """Before, a single story that was near three of the others united both."""
    own = [RecentStory(name, (NOON, 0)) for name in ("a", "b", "c")]
    others = [RecentStory(name, (NOON, 0)) for name in ("x", "y", "z")]
    near = {frozenset(("a", name)): Affinity(1_000, 1) for name in ("x", "y", "z")}
    assert nearness(own, others, near) == (1_000 - 2_000 - 2_000) / 3
    assert nearness(own[:1], others, near) == 1_000, "a single story may join"
