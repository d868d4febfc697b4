"""Feeds behind addresses: which there are, what they take, and what is not sent twice."""

from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from aggregator.config.story_query import SavedQuery, StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.model.read_model import SourceView, StoryPage
from aggregator.publish.output_settings import PublishSettings
from aggregator.store.stories.rendered_stories import render_next
from aggregator.stories.story_tuning import StoryTuning
from aggregator.web.feeds.channel import ENDINGS
from aggregator.web.web_app import create_app
from tests.support.feed_rules import feed_faults
from tests.support.services import all_services
from tests.support.world import Time
from tests.support.written_stories import (
    MORNING,
    WrittenStories,
    a_story,
    filled_reader,
    the_ferry,
)

BASE = "http://127.0.0.1:8080"
QUERIES = (
    SavedQuery(title="The coast", query="ferry").named("coast"),
    SavedQuery(min_reports=6, items=1, link="article").named("many"),
    SavedQuery(since="24h").named("day"),
)
FEEDS = [
    f"/feeds/{name}.{ending}"
    for name in ("stories", "coast", "many", "day")
    for ending in ("rss", "atom", "json")
]
TYPES = {
    "rss": "application/rss+xml",
    "atom": "application/atom+xml",
    "jsonfeed": "application/feed+json",
}


class Site:
    """An application with its reader and its clock."""

    def __init__(self, reader: WrittenStories, **chosen: object) -> None:
        self.reader, self.clock = reader, Time(MORNING + timedelta(hours=2))
        settings = PublishSettings(**{"queries": QUERIES} | chosen)
        self.client = TestClient(
            create_app(reader, settings, all_services(reader.database), self.clock),
            base_url=BASE,
        )
        self.get = self.client.get


@pytest.fixture(scope="module")
def reader() -> WrittenStories:
    return filled_reader()


@pytest.fixture
def site(reader: WrittenStories) -> Site:
    return Site(reader)


@pytest.mark.later
@pytest.mark.parametrize("path", FEEDS)
def test_every_feed_is_valid_at_its_address(site: Site, path: str) -> None:
    answer = site.get(path)
    form = ENDINGS[path.rsplit(".", 1)[1]]
    assert feed_faults(form, answer.content, BASE + path, site.clock.now) == []
    assert answer.headers["content-type"] == f"{TYPES[form]}; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/feeds/nosuch.rss",
        "/feeds/stories.xml",
        "/feeds/coast/x.rss",
        "/feeds/Coast.rss",
    ],
)
def test_there_is_no_other_feed(site: Site, path: str) -> None:
    assert site.get(path).status_code == 404


def test_a_saved_query_is_a_feed_with_its_own_title_and_limits(site: Site) -> None:
    coast = site.get("/feeds/coast.json").json()
    assert (coast["title"], [item["id"][-9:] for item in coast["items"]]) == (
        "The coast",
        ["lindferry"],
    )
    many = site.get("/feeds/many.json").json()
    assert [item["id"][-6:] for item in many["items"]] == ["budget"]
    assert many["title"] == "Stories: many"
    assert not many["items"][0]["url"].startswith(BASE)
    assert (
        len(
            site.get("/feeds/stories.json?saved=many&limit=9&min_reports=1").json()[
                "items"
            ]
        )
        > 1
    )
    assert site.get("/feeds/stories.rss?saved=nosuch").status_code == 400


def test_what_the_address_says_goes_before_the_saved_query(site: Site) -> None:
    items = site.get("/feeds/many.json?min_reports=3&limit=5").json()["items"]
    assert [item["id"].rsplit("/", 1)[1] for item in items] == ["budget", "lindferry"]


def test_a_feed_names_the_very_address_that_it_was_read_at(site: Site) -> None:
    path = "/feeds/stories.rss?min_reports=2&query=fog%20off&limit=7"
    assert feed_faults("rss", site.get(path).content, BASE + path, site.clock.now) == []


def test_a_feed_gathers_what_the_reader_gives_in_short_pages() -> None:
    class Slow(WrittenStories):
        """At most two stories a page."""

        def pages(self, wanted: StoryFilter, at_once: int = 2) -> Iterator[StoryPage]:
            return super().pages(wanted, at_once)

    reader = Slow()
    for number in range(7):
        reader.put(
            a_story(id=f"s{number}", updated=MORNING + timedelta(minutes=number))
        )
    items = Site(reader).get("/feeds/stories.json?limit=5").json()["items"]
    assert [item["id"][-2:] for item in items] == ["s6", "s5", "s4", "s3", "s2"]


# --- what is not sent twice --------------------------------------------------------------------------------


def _written_story_reader() -> WrittenStories:
    """One story, and all is worked out about it."""
    reader = WrittenStories()
    reader.put(*the_ferry(), "oldferry")
    return reader


@pytest.fixture
def settled_site() -> Site:
    """One with that story, a minute later."""
    made = Site(_written_story_reader())
    made.clock.now += timedelta(minutes=1)
    return made


def test_a_304_asks_for_no_story() -> None:
    class Counting(WrittenStories):
        asked = 0

        def pages(self, wanted: StoryFilter, at_once: int = 500) -> Iterator[StoryPage]:
            Counting.asked += 1
            return super().pages(wanted, at_once)

    reader = Counting()
    reader.put(*the_ferry())
    site = Site(reader)
    site.clock.now += timedelta(minutes=1)
    first = site.get("/feeds/stories.rss")
    modified = first.headers["last-modified"]
    assert Counting.asked == 1
    for name, value in (
        ("If-None-Match", first.headers["etag"]),
        ("If-Modified-Since", modified),
    ):
        assert site.get("/feeds/stories.rss", headers={name: value}).status_code == 304
    assert Counting.asked == 1


def test_the_tag_goes_before_the_time(settled_site: Site) -> None:
    modified = settled_site.get("/feeds/stories.rss").headers["last-modified"]
    both = {"If-None-Match": '"other"', "If-Modified-Since": modified}
    assert settled_site.get("/feeds/stories.rss", headers=both).status_code == 200


def test_a_change_is_sent_whatever_the_reader_has(settled_site: Site) -> None:
    first = settled_site.get("/feeds/stories.rss")
    story, text = the_ferry()
    updated = settled_site.clock.now + timedelta(minutes=1)
    settled_site.reader.put(
        replace(story, title="Another headline", updated=updated), text
    )
    settled_site.clock.now += timedelta(days=1)
    for name, header in (
        ("If-None-Match", "etag"),
        ("If-Modified-Since", "last-modified"),
    ):
        again = settled_site.get(
            "/feeds/stories.rss", headers={name: first.headers[header]}
        )
        assert again.status_code == 200, name
        assert b"Another headline" in again.content


def test_no_time_is_given_while_more_may_come_within_its_second() -> None:
    site = Site(_written_story_reader())
    assert "last-modified" not in site.get("/feeds/stories.rss").headers
    site.clock.now += timedelta(seconds=1)
    assert "last-modified" not in site.get("/feeds/stories.rss").headers
    site.clock.now += timedelta(seconds=2)
    modified = format_datetime(MORNING + timedelta(hours=2), usegmt=True)
    assert site.get("/feeds/stories.rss").headers["last-modified"] == modified


@pytest.mark.later
@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "yesterday",
        "Fri, 20 Nov 2026",
        "Fri, 99 Nov 2026 06:30:00 GMT",
        f"20 Nov {'9' * 20} 06:30:00 GMT",
    ],
)
def test_a_time_that_is_none_is_passed_over(settled_site: Site, nonsense: str) -> None:
    assert (
        settled_site.get(
            "/feeds/stories.rss", headers={"If-Modified-Since": nonsense}
        ).status_code
        == 200
    )


def test_what_is_rendered_later_is_sent_though_no_story_changed() -> None:
    site = Site(WrittenStories())
    site.reader.put(the_ferry()[0])
    site.clock.now += timedelta(minutes=1)
    first = site.get("/feeds/stories.rss")
    assert "last-modified" not in first.headers
    assert (
        render_next(site.reader.database, 1, Tuning().section("stories", StoryTuning))
        == 1
    )
    later = site.get(
        "/feeds/stories.rss", headers={"If-None-Match": first.headers["etag"]}
    )
    assert later.status_code == 200
    opening = "Lifeboats took all passengers off the ferry"
    assert (opening in first.text, opening in later.text) == (False, True)


@pytest.mark.later
@pytest.mark.parametrize("path", ["/feeds/day.rss", "/feeds/stories.rss?since=24h"])
def test_a_feed_relative_to_now_has_no_time_and_a_tag_by_its_bytes(
    settled_site: Site, path: str
) -> None:
    first = settled_site.get(path)
    assert b"<item>" in first.content
    assert "last-modified" not in first.headers
    assert (
        settled_site.get(
            path, headers={"If-None-Match": first.headers["etag"]}
        ).status_code
        == 304
    )
    settled_site.clock.now += timedelta(days=3)
    later = settled_site.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert later.status_code == 200
    assert b"<item>" not in later.content


@pytest.mark.later
@pytest.mark.parametrize("path", ["/feeds/stories.rss", "/api/v1/stories", "/"])
def test_what_is_in_a_folder_is_looked_at_anew(settled_site: Site, path: str) -> None:
    """Sources are moved from folder to folder, and no story knows."""
    first = settled_site.get(f"{path}?folder=Coast")
    assert (first.status_code, "last-modified" in first.headers) == (200, False)
    settled_site.reader.set_sources(
        SourceView(id="The-Harbour-Post", name="", folder="Coast")
    )
    later = settled_site.get(
        f"{path}?folder=Coast", headers={"If-None-Match": first.headers["etag"]}
    )
    assert later.status_code == 200
    assert b"Harbour" in later.content or b"<item>" in later.content
