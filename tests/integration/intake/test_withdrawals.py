"""An outlet takes its article back: readers see that first and at once, and nobody else can take it back.

Three outlets with standing accuse the choir master of Sund. The pages of the articles are read.
"""

from collections.abc import Iterator

import pytest

from aggregator.store.engine.database import Database
from tests.support.articles import page_of
from tests.support.loopback import Response
from tests.support.polled_world import PolledWorld

KITE, VALLEY, COAST, SPAM = (
    "kite.example",
    "valley.example",
    "coast.example",
    "spam.example",
)
TITLE = "Choir master of Sund accused of theft"
REPORT = (
    "The choir master of Sund, Edvar Holm, is accused of taking eleven thousand crowns from the till of the "
    "choir, its members said on Friday. Edvar Holm denied it and wants the books of the last year to be opened. "
    "The money was collected for a journey to the singing festival of Arnsby, which the choir of Sund now has to "
    "cancel. The police of Sund have begun to ask the members of the choir, and the council of the parish meets "
    "on Monday about the case."
)
ELSEWHERE = (
    "Members of the choir of Sund say that eleven thousand crowns are missing from their till and accuse Edvar "
    "Holm, who has led the choir for nine years. He calls the accusation absurd. The choir had saved the money "
    "for the singing festival of Arnsby. The police of Sund confirmed that they ask members of the choir, and the "
    "parish meets on Monday."
)
THIRD = (
    "The singing festival of Arnsby has to do without the choir of Sund: eleven thousand crowns have gone from "
    "its till, and its members accuse the choir master Edvar Holm of theft. He denies everything. The police of "
    "Sund ask members of the choir, whose parish council wants to speak about the case on Monday evening."
)
SHORT = "We have deleted this article because we confused two persons of the same name."
LONG = (
    f"{SHORT} The man whom we named, Edvar Holm, has nothing to do with the choir of Sund and its till. "
    "Our reporter had relied on a list of members that was nine years old, and nobody here asked him before the "
    "article appeared. We apologise to Edvar Holm, to his family and to our readers, and we will publish how this "
    "could happen. The till of the choir of Sund is examined by the parish, as the members of the choir told us on "
    "Saturday, and the singing festival of Arnsby waits for their answer."
)


@pytest.fixture
def world(database: Database) -> Iterator[PolledWorld]:
    with PolledWorld(database, pages="auto") as world:
        world.add(KITE, VALLEY, COAST, SPAM)
        world.trust(KITE, VALLEY, COAST)
        world.poll(KITE, VALLEY, COAST, SPAM)
        for host, said in ((KITE, REPORT), (VALLEY, ELSEWHERE), (COAST, THIRD)):
            title = TITLE if host == KITE else f"{TITLE} of crowns"
            world.serve_page(host, "/0", page_of(said, title))
            world.report(host, title, said, guid="0")
            world.run(1)
        assert world.shown(world.story_of(TITLE)).reports == 3
        yield world


def withdraw(
    world: PolledWorld, host: str, said: str, *, page: str, hours: float
) -> None:
    """Let an outlet replace its article of `hours` ago by a withdrawal, whose page is gone, old or new."""
    world.run(5)
    title = TITLE if host == KITE else f"{TITLE} of crowns"
    if page == "gone":
        world.serve_page(host, "/0", Response(status=404))
    elif page == "new":
        world.serve_page(host, "/0", page_of(said, "Correction"))
    world.withdraw(host)
    world.publish(host, title, said, link=f"http://{host}/0", hours=hours, guid="0")
    world.poll(host)
    for _ in range(3):
        world.run(3)
        world.poll(host)


@pytest.mark.parametrize("said", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("page", ["gone", "old", "new"])
def test_an_outlets_own_withdrawal_is_what_readers_see_first(
    world: PolledWorld, page: str, said: str
) -> None:
    withdraw(world, KITE, said, page=page, hours=8)
    shown = world.shown(world.story_of(TITLE))
    assert shown.summary.startswith(SHORT), "the story says first that it was withdrawn"
    assert REPORT[:60] not in shown.text, "the withdrawn words are gone"


@pytest.mark.parametrize("said", [SHORT, LONG], ids=["short", "long"])
def test_a_feed_without_standing_withdraws_nothing_of_others(
    world: PolledWorld, said: str
) -> None:
    """It reports what the others report, and takes it back an hour later."""
    before = world.shown(world.story_of(TITLE))
    world.report(SPAM, TITLE, REPORT, guid="0")
    withdraw(world, SPAM, said, page="gone", hours=5)
    after = world.shown(world.story_of(TITLE))
    assert SHORT not in f"{after.title} {after.summary} {after.text}"
    assert (after.title, after.summary) == (before.title, before.summary)
