"""Digests: what they contain, when they are made, once, and how mail, page and feed show them."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from aggregator.config.delivery_settings import DigestConfig
from aggregator.config.settings import Config
from aggregator.config.story_query import SavedQuery, StoryFilter
from aggregator.config.webhook_settings import DigestReader
from aggregator.model.read_model import Digest, DigestStory
from aggregator.publish.output_settings import PublishSettings
from aggregator.store.engine.database import Database
from aggregator.store.read.browser_mutes import BrowserMutes
from aggregator.store.read.reader import StoryReader
from aggregator.web.feeds.digest_feeds import digest_text, digest_title
from aggregator.web.web_app import create_app
from tests.support.articles import (
    HOUR,
    NOON,
    flood,
    flood_copied,
    flood_elsewhere,
    strike,
)
from tests.support.deep_checks import faults
from tests.support.mail_server import MailServer, plain_text
from tests.support.outgoing import SETTINGS, Post
from tests.support.rows import overheard
from tests.support.services import all_services
from tests.support.story_checks import correct
from tests.support.tables import each_row
from tests.support.written_stories import WrittenStories, the_ferry


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as made:
        yield made


def readers(
    server: MailServer, *to: str, query: SavedQuery | None = None
) -> list[DigestReader]:
    return [
        DigestReader(
            name=f"digest:{one}",
            url=f"{server.address}&to={quote(one)}",
            query=query,
            address=one,
        )
        for one in ("", *to)
    ]


class Desk(Post):
    """A database with readers of the digest. The list of digests has no sender."""

    def __init__(self, database: Database, recipients: list[DigestReader]) -> None:
        super().__init__(database, *recipients)
        self.sendings = self.sendings[1:]

    def digest(self) -> list[str] | None:
        """As the maintenance task does when a digest is due."""
        made = self.filling.make_digest(self.clock())
        self.run()
        return made

    def next_digest(self) -> list[str] | None:
        """Likewise an hour later."""
        self.clock.time += HOUR
        return self.digest()


def test_most_new_reports_first_and_each_digest_once(
    database: Database, server: MailServer
) -> None:
    desk = Desk(database, readers(server, "anna@b.example", "ben@b.example"))
    desk.rig.take(strike(), flood(), flood_elsewhere(), flood_copied())
    assert desk.next_digest() == ["digest:anna@b.example", "digest:ben@b.example"]
    assert sorted(str(mail["To"]) for mail in server.taken) == [
        "anna@b.example",
        "ben@b.example",
    ]
    text = plain_text(server.taken[0])
    assert text.index("Levee breaks at Pennmouth") < text.index(
        "Dock workers strike in Sennick"
    )
    assert "3 articles · 3 outlets · 2 independent reports (2 new)" in text
    assert "Pennmouth under water after levee fails" in text
    assert "Mirror" not in text, "a copy is no report"
    assert server.taken[0]["Subject"] == "Stories: Digest of 12 Oct 2026"
    assert len(set(server.ids())) == 2
    for _ in range(3):
        assert desk.digest() == []
    assert desk.next_digest() == [], "nothing is new"
    assert len(server.taken) == 2
    assert faults(database) == []


def test_the_mail_lacks_what_the_owner_muted_in_the_browser_and_the_list_has_it(
    database: Database, server: MailServer
) -> None:
    BrowserMutes(database).add("words", "dock*")
    desk = Desk(database, readers(server, "anna@b.example"))
    desk.rig.take(strike(), flood())
    assert desk.next_digest() == ["digest:anna@b.example"]
    text = plain_text(server.taken[0])
    assert "Pennmouth" in text
    assert "Sennick" not in text
    (listed,) = StoryReader(database).digests(SETTINGS.digest_filter, 1)
    assert "Dock workers strike in Sennick" in {
        one.story.title for one in listed.stories
    }
    desk.rig.take(flood_elsewhere())
    desk.clock.time += HOUR
    BrowserMutes(database).add("words", "pennmouth")
    assert desk.digest() == [], "all that is new is muted"
    assert len(server.taken) == 1


def test_the_next_digest_begins_where_the_last_one_ended(
    database: Database, server: MailServer
) -> None:
    desk = Desk(database, readers(server, "anna@b.example"))
    desk.rig.take(flood())
    desk.next_digest()
    desk.rig.take(strike())
    desk.next_digest()
    texts = [plain_text(mail) for mail in server.taken]
    assert ["Pennmouth" in text for text in texts] == [True, False]
    assert ["Sennick" in text for text in texts] == [False, True]
    assert "from 12 Oct 2026, 13:00 to 12 Oct 2026, 14:00 UTC" in texts[1]


def test_a_query_chooses_and_waits_for_the_index(
    database: Database, server: MailServer
) -> None:
    desk = Desk(
        database,
        readers(
            server, "anna@b.example", query=SavedQuery(query="pennmouth").named("q")
        ),
    )
    desk.rig.take(flood(), strike())
    desk.clock.time += HOUR
    assert desk.filling.make_digest(desk.clock()) is None
    desk.rig.pipeline.index_text(lambda: False)
    assert desk.digest() == ["digest:anna@b.example"]


def test_nothing_that_was_there_before_and_nothing_to_a_server_that_refuses(
    database: Database, server: MailServer
) -> None:
    Desk(database, []).rig.take(strike())
    desk = Desk(database, readers(server, "anna@b.example"))
    assert desk.next_digest() == []
    server.answer = lambda: "554 no"
    desk.rig.take(flood())
    desk.next_digest()
    desk.clock.time += HOUR
    desk.run()
    (problem,) = desk.problems()
    assert problem.startswith("digest anna@b.example: failing since ")
    server.answer = lambda: "250 taken"
    desk.clock.time += HOUR
    desk.run()
    assert "Pennmouth" in plain_text(server.taken[0])


def test_a_merged_story_is_there_once_with_its_reports(
    database: Database, server: MailServer
) -> None:
    desk = Desk(database, readers(server, "anna@b.example"))
    desk.rig.take(flood(), strike())
    page = StoryReader(database).stories(SavedQuery().story_filter(NOON, 10))
    correct(database, "merge", *(one.id for one in page.stories))
    desk.next_digest()
    assert "2 articles · 2 outlets · 2 independent reports (2 new)" in plain_text(
        server.taken[0]
    )
    (digest,) = StoryReader(database).digests(SETTINGS.digest_filter, 5)
    assert [one.new_reports for one in digest.stories] == [2]


def test_changes_of_a_digest_are_read_once_until_the_next(
    database: Database, server: MailServer
) -> None:
    desk = Desk(database, readers(server))
    desk.rig.take(flood())
    desk.next_digest()
    reader = StoryReader(database)

    def wanted(now: datetime) -> StoryFilter:
        return SavedQuery().story_filter(now, 10)

    with overheard(database) as sent:
        (first,) = reader.digests(wanted, 5)
        assert reader.digests(wanted, 5) == (first,)
        assert (
            sum("JOIN story AS story_then" in statement for statement, _ in sent) == 1
        )
        desk.rig.take(flood_elsewhere())
        (second,) = reader.digests(wanted, 5)
    assert sum("JOIN story AS story_then" in statement for statement, _ in sent) == 2
    assert second.stories[0].story.report_count == 2


def test_times_of_its_query_are_relative_to_the_digest(
    database: Database, server: MailServer
) -> None:
    query = SavedQuery(since="24h").named("today")
    desk = Desk(database, readers(server, "anna@b.example", query=query))
    desk.rig.take(flood())
    desk.next_digest()
    settings = SETTINGS.model_copy(update={"digest_query": query})
    client = TestClient(
        create_app(
            StoryReader(database),
            settings,
            all_services(database),
            lambda: NOON + 72 * HOUR,
        ),
        base_url="http://127.0.0.1:8080",
    )
    assert "Pennmouth" in client.get("/digest").text, (
        "the page of a digest stays as it was"
    )
    assert "Pennmouth" in client.get("/feeds/digest.atom").text


# --- page and feed -----------------------------------------------------------------------------------------


def site(*digests: Digest, settings: PublishSettings = SETTINGS) -> TestClient:
    class Made(WrittenStories):
        def digests(
            self, wanted: Callable[[datetime], StoryFilter], most: int
        ) -> tuple[Digest, ...]:
            return digests[:most]

    made = Made()
    return TestClient(
        create_app(made, settings, all_services(made.database), lambda: NOON),
        base_url="http://127.0.0.1:8080",
    )


def ferry() -> Digest:
    story, _ = the_ferry()
    return Digest(
        since=NOON - 24 * HOUR,
        until=NOON,
        stories=(DigestStory(story=story, new_reports=2),),
    )


def test_page_and_feeds_have_the_stories() -> None:
    client, story = site(ferry()), ferry().stories[0].story
    page = client.get("/digest")
    assert page.status_code == 200
    assert f"https://news.example/stories/{story.id}" in page.text
    assert 'href="/digest"' in client.get("/sources").text
    (item,) = json.loads(client.get("/feeds/digest.json").text)["items"]
    assert item["id"] == "tag:aggregator,2026:digest/20261012T120000Z"
    assert "2 new" in item["content_html"]
    for ending in ("rss", "atom"):
        answer = client.get(f"/feeds/digest.{ending}")
        assert "Digest of 12 Oct 2026" in answer.text
        again = client.get(
            f"/feeds/digest.{ending}", headers={"If-None-Match": answer.headers["etag"]}
        )
        assert again.status_code == 304
    assert client.get("/feeds/digest.pdf").status_code == 404


@each_row("digests", "a digest is of the day where it is due", "zone", "day")
def test_a_digest_is_of_the_day_where_it_is_due(zone: str, day: int) -> None:
    settings = SETTINGS.model_copy(update={"digest_timezone": zone})
    hours = 8 if day == 13 else -4 if day == 11 else 0
    digest = replace(ferry(), until=NOON + hours * HOUR)
    assert digest_title(digest, settings) == f"Digest of {day} Oct 2026"


def test_without_digests_there_is_neither() -> None:
    off = site(settings=PublishSettings())
    assert [off.get(path).status_code for path in ("/digest", "/feeds/digest.rss")] == [
        404,
        404,
    ]
    assert "/digest" not in off.get("/sources").text
    assert "There is no digest yet" in site().get("/digest").text


def test_titles_are_limited_to_the_words_of_an_excerpt() -> None:
    text = digest_text(ferry(), PublishSettings(excerpt_words=2, digest_stories=5))
    listed = [line for line in text.splitlines() if line.startswith("   - ")]
    assert listed
    assert all(len(line.split(": ", 1)[1].split()) <= 3 for line in listed)


# --- when --------------------------------------------------------------------------------------------------


@each_row("digests", "the time is local", "every", "at", "now", "due")
def test_the_time_is_local(every: str, at: str, now: str, due: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    digest = DigestConfig.model_validate(
        {"every": every, "at": at, "timezone": "Europe/Berlin"}
    )
    found = digest.last_due(datetime.fromisoformat(now).replace(tzinfo=zone))
    assert found == datetime.fromisoformat(due).replace(tzinfo=zone).astimezone(UTC)


def test_every_hour_of_a_year_has_a_digest_that_moves_only_forward() -> None:
    digest = DigestConfig(every="daily", at="02:30", timezone="America/New_York")
    now = datetime.fromisoformat("2026-01-01T00:00Z")
    seen = [
        due for hour in range(365 * 24) if (due := digest.last_due(now + hour * HOUR))
    ]
    assert len(seen) == 365 * 24
    assert seen == sorted(seen)
    assert len(set(seen)) == 366
    assert Config().digest.last_due(now) is None
