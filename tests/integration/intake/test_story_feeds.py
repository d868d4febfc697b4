"""The feeds of this program are no sources: its own is refused, of another one's only the links count."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from aggregator.config.publish_settings import ServerConfig
from aggregator.config.settings import Config
from aggregator.intake.manage.adding import SourceOptions, add
from aggregator.intake.manage.feed_lists import import_opml
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Database
from aggregator.store.tables import entry, observation, story
from aggregator.web.feeds.channel import Format
from tests.support.feeds import feed_of
from tests.support.gazette import DAY
from tests.support.listed_feeds import ListedFeeds
from tests.support.loopback import LoopbackServer, Resource
from tests.support.polling import feed_source
from tests.support.rows import counted, queried
from tests.support.site_feeds import address_of

HOST = "elsewhere.example"


@pytest.fixture
def feeds(database: Database) -> Iterator[ListedFeeds]:
    with ListedFeeds(database) as feeds:
        yield feeds


def read(feeds: ListedFeeds, feed: str | bytes) -> set[str]:
    """Poll the feed of another program; return the articles that were seen there."""
    feeds.add(HOST)
    feeds.read_feed(HOST, feed, "")
    feeds.rig.place()
    source = feed_source(address_of(HOST)).id
    seen = select(observation.c.article).where(observation.c.source == source)
    return set(queried(feeds.database, seen).scalars())


@pytest.mark.parametrize("form", ["rss", "atom", "jsonfeed"])
def test_a_story_feed_is_no_report_but_its_links_were_seen_there(
    feeds: ListedFeeds, form: Format
) -> None:
    feeds.add("gazette.example")
    feeds.poll("gazette.example", *DAY[1:3])
    before = feeds.articles()
    assert len(before) == 2
    counts = [counted(feeds.database, table) for table in (entry, story)]
    seen = read(feeds, feed_of(feeds.database, form))
    assert seen == {article.id for article in before}
    assert feeds.articles() == before
    assert [counted(feeds.database, table) for table in (entry, story)] == counts


def test_links_of_a_story_feed_to_unknown_articles_are_nothing(
    feeds: ListedFeeds,
) -> None:
    link = "&lt;p&gt;It broke. &lt;a href=&quot;http://gazette.example/9&quot;&gt;Gazette&lt;/a&gt;&lt;/p&gt;"
    item = (
        '<guid isPermaLink="false">tag:aggregator,2026:story/abcdefghijklmnop</guid><title>Levee</title>'
        f"<description>{link}</description>"
    )
    feed = f'<rss version="2.0"><channel><title>Stories</title><item>{item}</item></channel></rss>'
    assert read(feeds, feed) == set()
    assert [counted(feeds.database, table) for table in (entry, story)] == [0, 0]


# --- our own address ---------------------------------------------------------------------------------------

PUBLIC = Config(
    public_url="https://news.example.org/desk",
    server=ServerConfig(host="0.0.0.0", port=8099),
)
OWN = (
    "https://news.example.org/feeds/stories.rss",
    "https://NEWS.example.org:443/desk/feeds/stories.atom?min_reports=2",
    "http://localhost:8099/feeds/stories.json",
    "http://[::1]:8099/t/secret/feeds/stories.rss",
)


@pytest.mark.parametrize("address", OWN)
def test_our_own_feed_is_refused_in_plain_words(sqlite: Database, address: str) -> None:
    with pytest.raises(UsageError, match="a feed of this program itself"):
        add(PUBLIC, sqlite, address, SourceOptions())
    with pytest.raises(ValueError, match="a feed of this program itself"):
        Config.model_validate(
            {
                **PUBLIC.model_dump(include={"public_url", "server"}),
                "sources": ({"feed": address},),
            }
        )


def test_a_list_of_feeds_is_imported_without_our_own(
    sqlite: Database, tmp_path: Path
) -> None:
    file = tmp_path / "feeds.opml"
    addresses = (
        *OWN,
        "https://gazette.example/feeds/news.rss",
        "http://localhost:8098/feeds/stories.rss",
    )
    outlines = "".join(f'<outline text="a feed" xmlUrl="{one}"/>' for one in addresses)
    file.write_text(f'<opml version="2.0"><body>{outlines}</body></opml>')
    result = import_opml(PUBLIC, sqlite, file)
    assert (result.added, len(result.refused)) == (2, len(OWN))


def test_our_own_feed_is_not_even_asked_for(
    sqlite: Database, server: LoopbackServer
) -> None:
    feed = b"<rss version='2.0'><channel><title>Stories</title><item><title>One</title></item></channel></rss>"
    server.routes["/feeds/stories.rss"] = Resource(feed)
    config = Config(server=ServerConfig(port=server.port))
    with pytest.raises(UsageError, match="a feed of this program itself"):
        add(config, sqlite, server.url("/feeds/stories.rss"), SourceOptions())
    assert server.paths() == []
