"""A feed that links to other sites is one outlet until these have said the same."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from aggregator.config.story_query import StoryFilter
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, page_of
from tests.support.feeds import feed_of
from tests.support.loopback import redirect
from tests.support.polled_world import PolledWorld
from tests.support.rows import queried
from tests.support.site_feeds import ALL_TUNING

TITLE = "Levee on the Arrel breaks at Pennmouth"
AGENCIES = ("Reuters", "AP", "AFP", "dpa", "ANSA")


@pytest.fixture
def world(database: Database) -> Iterator[PolledWorld]:
    with PolledWorld(database, pages="auto") as world:
        world.add("planet.example")
        world.poll("planet.example")
        yield world


def articles(world: PolledWorld) -> list[tuple[str, str]]:
    """Outlet and title of each article, in the order in which they came."""
    columns = select(article.c.outlet, article.c.title).order_by(article.c.inbox_no)
    return [tuple(row) for row in queried(world.database, columns)]


def wording(number: int) -> str:
    """An account of the flood in words of its own, of an agency."""
    sentences = FLOOD.split(". ")
    moved = sentences[number % len(sentences) :] + sentences[: number % len(sentences)]
    agency = AGENCIES[number % len(AGENCIES)]
    return f"PENNMOUTH ({agency}) - {'. '.join(moved)}. Witness {number} saw {number + 2} boats on the Arrel."


def front_page(world: PolledWorld) -> list[str]:
    """The titles of the stories on the front page, the first one first."""
    reader = StoryReader(world.database, ALL_TUNING)
    ranking = reader.rank_front_page(StoryFilter())
    return [one.title for one in reader.list_stories(tuple(one.id for one in ranking))]


def test_a_story_that_one_feed_tells_for_many_sites_is_below_all_others(
    world: PolledWorld,
) -> None:
    world.add("blog.example")
    world.report(
        "blog.example", "Notes on bread", "Rye wants a longer rest than wheat."
    )
    world.run(2)
    for number in range(40):
        world.publish(
            "planet.example",
            TITLE,
            wording(number),
            link=f"http://site{number}.example/flood",
        )
    world.poll("planet.example")
    assert front_page(world) == ["Notes on bread", TITLE]
    world.report("blog.example", "Levee breaks at Pennmouth", wording(50))
    assert front_page(world) == [TITLE, "Notes on bread"], "a blog tells it, too"


def test_single_items_of_a_list_of_links_stay_where_they_are(
    world: PolledWorld,
) -> None:
    world.add("blog.example")
    world.report(
        "blog.example", "Notes on bread", "Rye wants a longer rest than wheat."
    )
    world.run(2)
    world.report("planet.example", TITLE, FLOOD, link="http://gazette.example/flood")
    assert front_page(world) == [TITLE, "Notes on bread"]


def test_what_a_feed_says_for_a_site_is_shown_as_by_way_of_it(
    world: PolledWorld,
) -> None:
    world.publish("planet.example", TITLE, FLOOD, link="http://gazette.example/flood")
    world.serve_page(
        "herald.example", "/strike", page_of(FLOOD_ELSEWHERE, "Floods elsewhere")
    )
    world.report(
        "planet.example", "Strike", "A teaser.", link="http://herald.example/strike"
    )
    world.rig.render()
    written = feed_of(world.database).decode()
    assert "via planet.example" in written
    assert "via herald.example" not in written
    stories = StoryReader(world.database, ALL_TUNING).stories(StoryFilter())
    shown = {
        article.outlet_key: article.outlet
        for one in stories.stories
        for article in one.articles
    }
    assert shown == {
        "planet.example": "via planet.example",
        "herald.example": "herald.example",
    }


def test_with_their_pages_read_entries_are_of_their_sites_and_in_their_words(
    world: PolledWorld,
) -> None:
    for number, said in enumerate((FLOOD, FLOOD_ELSEWHERE)):
        site = f"site{number}.example"
        world.serve_page(site, "/flood", page_of(said, "Pennmouth under water"))
        world.publish(
            "planet.example",
            f"Lucky Casino {number}",
            "A teaser.",
            link=f"http://{site}/flood",
            more="<category>Casino</category>",
        )
    world.poll("planet.example")
    assert sorted(articles(world)) == [
        ("site0.example", "Pennmouth under water"),
        ("site1.example", "Pennmouth under water"),
    ]
    shown = world.shown(world.story_of("Pennmouth under water"))
    assert (shown.outlets, shown.reports) == (2, 2)


@pytest.mark.parametrize("declared", ["", "http://gazette.example/"])
def test_words_of_a_feed_are_its_own_while_the_page_is_not_read(
    world: PolledWorld, declared: str
) -> None:
    """Also if the feed declares that site as its own."""
    world.declare("planet.example", declared)
    world.report(
        "planet.example",
        "Lucky Casino opens",
        FLOOD,
        link="http://gazette.example/casino",
    )
    assert articles(world) == [("planet.example", "Lucky Casino opens")]


@pytest.mark.parametrize("headline", ["", "Gazette", "Loading..."])
def test_a_page_without_a_headline_leaves_the_feed_its_words(
    world: PolledWorld, headline: str
) -> None:
    page = page_of(FLOOD, "").replace(
        b"<body>", f"<title>{headline}</title><body>".encode()
    )
    world.serve_page("gazette.example", "/flood", page)
    world.report(
        "planet.example", TITLE, "A levee broke.", link="http://gazette.example/flood"
    )
    assert articles(world) == [("planet.example", TITLE)]


def test_a_page_to_which_another_channel_of_the_site_leads_is_not_of_that_channel(
    world: PolledWorld,
) -> None:
    world.serve_page("medium.com", "/@ada/flood", redirect("/@spam/flood"))
    world.serve_page("medium.com", "/@spam/flood", page_of(FLOOD, TITLE))
    world.serve_page(
        "medium.com", "/@ada/own", page_of(FLOOD_ELSEWHERE, "Floods elsewhere")
    )
    for path in ("flood", "own"):
        world.publish(
            "planet.example", path, "A teaser.", link=f"http://medium.com/@ada/{path}"
        )
    world.poll("planet.example")
    assert {title: outlet for outlet, title in articles(world)} == {
        TITLE: "planet.example",
        "Floods elsewhere": "medium.com/@ada",
    }


def test_a_page_to_which_another_site_of_its_publisher_leads_is_its_own(
    world: PolledWorld,
) -> None:
    for number, (place, text) in enumerate(
        (("bbc.com", FLOOD), ("spam.example", FLOOD_ELSEWHERE))
    ):
        world.serve_page("bbc.co.uk", f"/{number}", redirect(f"http://{place}/flood"))
        world.serve_page(place, "/flood", page_of(text, f"Pennmouth floods {number}"))
        world.publish(
            "planet.example",
            f"Feed {number}",
            "A teaser.",
            link=f"http://bbc.co.uk/{number}",
        )
    world.poll("planet.example")
    assert sorted(articles(world)) == [
        ("bbc.co.uk", "Pennmouth floods 0"),
        ("planet.example", "Feed 1"),
    ]


def test_a_later_page_gives_the_article_to_its_site_and_a_revision_never_back(
    world: PolledWorld,
) -> None:
    link = "http://gazette.example/flood"
    world.world.down.add("gazette.example")
    world.report("planet.example", TITLE, "A levee broke.", link=link, guid="1")
    assert articles(world) == [("planet.example", TITLE)]
    world.serve_page("gazette.example", "/flood", page_of(FLOOD, TITLE))
    world.world.down.clear()
    world.run(1)
    world.poll("planet.example")
    assert articles(world) == [("gazette.example", TITLE)]
    world.serve_page("gazette.example", "/flood", b"")
    world.withdraw("planet.example")
    world.publish(
        "planet.example",
        "Lucky Casino opens",
        f"{FLOOD} Lucky Casino.",
        link=link,
        guid="1",
    )
    world.run(1)
    world.poll("planet.example")
    assert articles(world) == [("gazette.example", TITLE)]


@pytest.mark.parametrize("planet", ["planet.example", "planet.xn--p1ai"])
def test_the_feed_of_the_site_itself_takes_its_article(
    world: PolledWorld, planet: str
) -> None:
    link = "http://gazette.example/flood"
    if planet != "planet.example":
        world.add(planet)
        world.poll(planet)
    world.report(planet, TITLE, f"{FLOOD} {FLOOD_ELSEWHERE}", link=link)
    assert articles(world) == [(planet, TITLE)]
    world.add("gazette.example")
    world.report("gazette.example", TITLE, f"{FLOOD} {FLOOD_ELSEWHERE}", link=link)
    assert articles(world) == [("gazette.example", TITLE)]
