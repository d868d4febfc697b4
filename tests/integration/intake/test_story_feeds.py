"""The feeds of this program are no sources: its own is refused, of another one's only the links count."""

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import select

from aggregator.config.publish_settings import ServerConfig
from aggregator.config.settings import Config
from aggregator.intake.manage.adding import SourceOptions, add
from aggregator.intake.manage.feed_lists import import_opml
from aggregator.model.errors import UsageError
from aggregator.sources.fetch.client import Client
from aggregator.store.engine.database import Database
from aggregator.store.intake.sources import all_sources
from aggregator.store.tables import article, entry, observation, story
from aggregator.web.feeds.channel import Format
from tests.integration.intake.test_identity_under_stress import (
    THINGS,
    Office,
    Paper,
    Report,
    client,
)
from tests.support.articles import NOON
from tests.support.feeds import feed_of
from tests.support.loopback import LoopbackServer, Resource
from tests.support.rows import counted, queried, read_by

__all__ = ["client"]  # a fixture: pytest finds it here


@pytest.fixture
def office(database: Database, client: Client, server: LoopbackServer) -> Office:
    return Office(database, client, server)


def polled(office: Office, feed: bytes, host: str) -> str:
    """Poll what another program serves; the id of the source."""
    source = office.source(f"/{host}", host=host)
    office.server.routes[f"/{host}"] = Resource(feed, etag=None)
    (found,) = [
        one for one in read_by(office.database, all_sources) if one.id == source
    ]
    assert office.polling.poll(found).problem is None
    office.rig.place()
    return source


@pytest.mark.parametrize("form", ["rss", "atom", "jsonfeed"])
def test_a_story_feed_is_no_report_but_its_links_were_seen_there(
    office: Office, form: Format
) -> None:
    reports = [
        Report(n, title, said, NOON - dt.timedelta(hours=n))
        for n, (title, said) in enumerate(THINGS[:2])
    ]
    paper = Paper(
        reports, guid=str, url=lambda one: f"http://gazette.example/news/{one.number}"
    )
    assert (
        len(
            office.poll(
                paper,
                office.source("/gazette.example", host="gazette.example"),
                "/gazette.example",
            ).accepted
        )
        == 2
    )
    before = [counted(office.database, table) for table in (article, entry, story)]
    source = polled(office, feed_of(office.database, form), "elsewhere.example")
    assert [
        counted(office.database, table) for table in (article, entry, story)
    ] == before
    seen = select(observation.c.article).where(observation.c.source == source)
    assert set(queried(office.database, seen).scalars()) == set(
        queried(office.database, select(article.c.id)).scalars()
    )


def test_links_of_a_story_feed_to_unknown_articles_are_nothing(office: Office) -> None:
    link = "&lt;p&gt;It broke. &lt;a href=&quot;http://gazette.example/9&quot;&gt;Gazette&lt;/a&gt;&lt;/p&gt;"
    item = (
        '<guid isPermaLink="false">tag:aggregator,2026:story/abcdefghijklmnop</guid><title>Levee</title>'
        f"<description>{link}</description>"
    )
    feed = f'<rss version="2.0"><channel><title>Stories</title><item>{item}</item></channel></rss>'.encode()
    source = polled(office, feed, "elsewhere.example")
    assert [counted(office.database, table) for table in (article, entry, story)] == [
        0,
        0,
        0,
    ]
    assert not queried(
        office.database, select(observation).where(observation.c.source == source)
    ).all()


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
