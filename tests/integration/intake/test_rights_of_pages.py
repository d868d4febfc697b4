"""What a page forbids, from its markup and headers on a real server to what our own server gives away."""

import re
from collections.abc import Iterator

import httpx
import pytest

from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.model.article import ArticleView
from aggregator.publish.output_settings import PublishSettings
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake import pending_pages
from aggregator.store.intake.source_rows import add, all_sources
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories.rendered_stories import render_next
from aggregator.stories.story_tuning import shipped_tuning
from aggregator.web.server import Server
from tests.support.articles import HOUR, NOON, Clock, Rig
from tests.support.loopback import LoopbackServer, Response
from tests.support.polling import feed_source, poller_on
from tests.support.rows import read_by, written_by
from tests.support.services import all_services
from tests.support.tables import mapping
from tests.support.waiting import PATIENCE_SECONDS

ALL_TUNING = Tuning({"net": {"fetch_deadline_seconds": 5.0, "host_gap_seconds": 0.0}})
STRANGER = {"X-Forwarded-For": "203.0.113.9"}
WORDS = 40  # of an article, title included, for strangers
DEEP = 9  # a sentence so far down that no excerpt reaches it

# A page each: how it is served, and whether its whole text may be given away.
PAGES = mapping("rights_of_pages", "pages")
_NAMES = (
    "harbour",
    "orchard",
    "tramway",
    "library",
    "quarry",
    "vineyard",
    "aqueduct",
    "lighthouse",
    "mill",
)
TOPICS = dict(zip(PAGES, _NAMES, strict=True))
WHOLE = {"/open", "/for-another"}
UNQUOTED = {"/unquoted", "/unquoted-by-header"}


def sentence(path: str, number: int) -> str:
    topic = TOPICS[path]
    return (
        f"The {topic} of Tarnow{number} was measured by {topic} engineer Ada{number} Quill{topic} "
        f"on a {topic} morning, {number} metres in all."
    )


def page(path: str, head: str) -> str:
    body = "".join(f"<p>{sentence(path, number)}</p>" for number in range(14))
    title = f"The {TOPICS[path]} is measured anew"
    return (
        f"<!doctype html><html lang=en><head><title>{title}</title>{head}"
        f'<meta property="og:image" content="https://pictures.example/{TOPICS[path]}.jpg"></head>'
        f'<body><article><h1>{title}</h1><img src="/pictures/{TOPICS[path]}.jpg">'
        f"{body}</article></body></html>"
    )


@pytest.fixture
def outlet() -> Iterator[LoopbackServer]:
    with LoopbackServer() as server:
        items = "".join(
            f"<item><guid>{path}</guid><title>The {TOPICS[path]} is measured anew</title>"
            f"<link>{server.url(path)}</link><pubDate>Mon, 12 Oct 2026 09:0{number}:00 GMT</pubDate></item>"
            for number, path in enumerate(PAGES)
        )
        server.routes["/feed"] = (
            f"<rss version='2.0'><channel><title>Gazette</title>{items}</channel></rss>"
        )
        for path, (headers, head) in PAGES.items():
            server.routes[path] = Response(
                200, headers, page(path, head), "text/html; charset=utf-8"
            )
        yield server


@pytest.fixture
def polled(database: Database, outlet: LoopbackServer) -> StoryReader:
    """A reader with the articles of the outlet's feed, pages and all."""
    clock = Clock(NOON)
    client = Client(ClientSettings(allow_private=("127.0.0.0/8",)), ALL_TUNING)
    polling = poller_on(
        database, client, ALL_TUNING, clock, lambda: False, pages="always"
    )
    written_by(database, add, feed_source(outlet.url("/feed"), pages="always"))
    (source,) = read_by(database, all_sources)
    polling.poll(source)
    for one in read_by(database, pending_pages.load_due_pages, clock() + HOUR, 100):
        assert polling.fetch_page(one)
    client.close()
    Rig(database, clock, ALL_TUNING).place()
    render_next(database, 100, shipped_tuning())
    return StoryReader(database)


def by_page(story_reader: StoryReader) -> dict[str, tuple[str, ArticleView]]:
    """Path of the page to story and article."""
    found = {}
    for listed in story_reader.stories(StoryFilter(limit=100)).stories:
        story = story_reader.story(listed.id)
        for article in story.articles:
            found["/" + (article.url or "").rpartition("/")[2]] = (story.id, article)
    return found


@pytest.mark.later
def test_nobody_else_gets_more_of_a_page_than_it_allows(polled: StoryReader) -> None:
    found = by_page(polled)
    assert found.keys() == PAGES.keys()
    assert all(
        sentence(path, DEEP) in article.text for path, (_, article) in found.items()
    )
    settings = PublishSettings(port=0, full_text="all", excerpt_words=WORDS)
    server = Server(polled, settings, all_services(polled.database))
    with httpx.Client(
        base_url=server.start(),
        headers=STRANGER,
        trust_env=False,
        timeout=PATIENCE_SECONDS,
    ) as client:
        feeds = (
            client.get("/feeds/stories.rss").text + client.get("/api/v1/stories").text
        )
        for path, (story, article) in found.items():
            answers = [
                client.get(f"/stories/{story}").text,
                client.get(f"/api/v1/stories/{story}").text,
                client.get(f"/api/v1/articles/{article.id}").text,
                client.get("/search", params={"q": TOPICS[path]}).text,
                client.get("/api/v1/search", params={"q": TOPICS[path]}).text,
                feeds,
            ]
            reported = re.sub(r"</?mark>", "", " ".join(answers))
            assert (sentence(path, DEEP) in reported) == (path in WHOLE), path
            assert (f"by {TOPICS[path]} engineer" in reported) == (
                path not in UNQUOTED
            ), path
            assert f"The {TOPICS[path]} is measured anew" in reported
            assert "<img" not in answers[0]  # pages link to pictures and load none
    server.stop()


def test_pictures_are_kept_by_reference_and_never_fetched(
    polled: StoryReader, outlet: LoopbackServer
) -> None:
    for path, (_, article) in by_page(polled).items():
        assert [one.url for one in article.media] == [
            f"https://pictures.example/{TOPICS[path]}.jpg"
        ]
    assert not any(request.path.startswith("/pictures") for request in outlet.requests)
