"""Links of feeds of the internet into the network of a reader are text; a feed of that network keeps its own."""

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from aggregator.store.engine.database import Database
from aggregator.store.stories import article_views
from aggregator.store.tables import article
from tests.support.articles import STRIKE
from tests.support.polled_world import PolledWorld
from tests.support.rows import queried, read_by
from tests.support.tables import rows

PRIVATE = rows("private_links", "private")
PUBLIC = "http://gazette.example/more"


@pytest.fixture
def world(database: Database) -> Iterator[PolledWorld]:
    with PolledWorld(database) as world:
        yield world


def stored(world: PolledWorld, title: str) -> tuple[str | None, str, list[str]]:
    """Its address, its HTML and the addresses of its media."""
    named = select(article.c.story).where(article.c.title == title)
    story = queried(world.database, named).scalar_one()
    (view,) = read_by(world.database, article_views.views_of_stories, [story], "html")[
        story
    ]
    html = view.html.html if view.html else ""
    return view.url, html, [reference.url for reference in view.media]


@pytest.mark.parametrize("address", PRIVATE)
def test_links_of_a_public_feed_into_private_networks_are_text(
    world: PolledWorld, address: str
) -> None:
    said = f'<p>{STRIKE}</p><ul><li><a href="{address}">here</a></li><li><a href="{PUBLIC}">there</a></li></ul>'
    sound = f'<enclosure url="{address}" type="audio/mpeg" length="1"/>'
    world.add("gazette.example")
    world.report("gazette.example", "Strike", said, link=address, more=sound)
    url, html, media = stored(world, "Strike")
    assert (url, media) == (None, [])
    assert "here" in html
    assert html.count("<a ") == html.count(f'href="{PUBLIC}"') == 1


def test_a_feed_of_the_own_network_keeps_its_links(world: PolledWorld) -> None:
    address = "http://10.0.0.1/wiki"
    world.add("feeds.internal")
    said = f'<p>{STRIKE}</p><ul><li><a href="{address}">here</a></li></ul>'
    world.report("feeds.internal", "Strike", said, link="http://feeds.internal/1")
    url, html, _ = stored(world, "Strike")
    assert url == "http://feeds.internal/1"
    assert f'href="{address}"' in html
