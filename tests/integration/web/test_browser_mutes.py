"""What the owner mutes in the browser, on both databases."""

import re
from collections.abc import Iterator

import pytest

from aggregator.store.engine.database import Database
from aggregator.store.intake import source_rows
from tests.support.articles import DAY, NOON, record
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.polling import feed_source
from tests.support.reader_client import LIST, STARRED, ReaderClient
from tests.support.rows import written_by
from tests.support.tables import each_row, rows

LEVEE, STRIKE = "Levee on the Arrel breaks in Pennmouth", "Dockers strike in Sennick"
OWNERS = ("/", "/?view=newest", "/feeds/stories.json")


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    with Newsroom(database).fill() as opened:
        opened.clock.time = NOON + DAY
        yield opened


def post(room: Newsroom, path: str, **fields: str) -> int:
    return room.post_form(path, **fields).status_code


def shown(room: Newsroom, title: str) -> set[bool]:
    """On which of the owner's pages and on his phone."""
    phone = ReaderClient(room.client.base_url, "Ada", "-")
    titles = [
        one["title"] for one in phone.get(f"stream/contents/{LIST}", n="100")["items"]
    ]
    return {title in room.get(address).text for address in OWNERS} | {title in titles}


def mute(room: Newsroom, kind: str, muted: str) -> None:
    assert post(room, "/mutes", kind=kind, muted=muted) == 303


MUTES = rows("browser_mutes", "mutes")


@pytest.mark.later
@pytest.mark.parametrize(("kind", "muted"), MUTES)
def test_a_mute_takes_stories_from_the_owners_lists_and_gives_them_back(
    room: Newsroom, kind: str, muted: str
) -> None:
    assert shown(room, STRIKE) == {True}
    mute(room, kind, muted)
    assert shown(room, STRIKE) == {False}
    assert shown(room, LEVEE) == {True}, "other outlets tell it, too"
    for address in ("/api/v1/stories", "/search?q=dockers"):
        assert STRIKE in room.get(address).text, "what asks for all is not muted"
    for address in ("/", "/feeds/stories.json"):
        assert STRIKE in room.get(address, **STRANGER).text
    key = re.search(r'name="muted" value="([^"]+)"', room.get("/mutes").text)
    assert key is not None
    assert post(room, "/mutes/remove", kind=kind, muted=key[1]) == 303
    assert shown(room, STRIKE) == {True}


def test_a_word_in_the_headline_mutes_a_story_of_several_outlets(
    room: Newsroom,
) -> None:
    assert room.stories()[LEVEE]["outlet_count"] > 1
    mute(room, "words", "levee")
    assert shown(room, LEVEE) == {False}


def test_a_story_of_several_outlets_leaves_if_each_of_its_articles_is_muted(
    room: Newsroom,
) -> None:
    mute(room, "outlets", "Arrel Courier")
    mute(room, "outlets", "Sennick Echo")
    assert shown(room, LEVEE) == {True}
    mute(room, "words", '"under water"')
    assert shown(room, LEVEE) == {False}


def test_a_source_and_a_kind_are_muted(room: Newsroom) -> None:
    feed = feed_source("https://ferry.example/feed")
    written_by(room.database, source_rows.add, feed)
    room.writer.take(
        record(
            feed.id,
            "9",
            "Ferry to Lindmar",
            "The ferry sails at noon.",
            outlet="Ferry",
            published=None,
        )
    )
    room.writer.render()
    mute(room, "sources", feed.id)
    assert shown(room, "Ferry to Lindmar") == {False}
    assert shown(room, STRIKE) == {True}
    mute(room, "kinds", "report")
    assert shown(room, STRIKE) == {False}
    assert "No story matches" in room.get("/").text


def test_a_mute_is_seen_at_once_by_a_browser_that_has_the_page(room: Newsroom) -> None:
    tag = room.get("/").headers["etag"]
    assert room.get("/", If_None_Match=tag).status_code == 304
    mute(room, "words", "dockers")
    assert room.get("/", If_None_Match=tag).status_code == 200


def test_muted_stories_are_read_when_all_are(room: Newsroom) -> None:
    mute(room, "words", "dockers")
    phone = ReaderClient(room.client.base_url, "Ada", "-")
    phone.mark_all()
    key = re.search(r'name="muted" value="([^"]+)"', room.get("/mutes").text)
    assert key is not None
    post(room, "/mutes/remove", kind="words", muted=key[1])
    assert phone.unread() == []


def test_a_starred_story_stays_among_the_starred_ones(room: Newsroom) -> None:
    phone = ReaderClient(room.client.base_url, "Ada", "-")
    (strike,) = [
        id_
        for id_, one in phone.contents(*phone.ids()).items()
        if one["title"] == STRIKE
    ]
    phone.mark(strike, add=STARRED)
    mute(room, "words", "dockers")
    assert phone.ids(STARRED) == [strike]
    assert strike not in phone.ids()


@pytest.mark.later
@each_row("browser_mutes", "what cannot be muted is refused", "kind", "muted", "why")
def test_what_cannot_be_muted_is_refused(
    room: Newsroom, kind: str, muted: str, why: str
) -> None:
    form = re.search(r'name="form" value="([^"]+)"', room.get("/mutes").text)
    assert form is not None
    answer = room.client.post(
        "/mutes", data={"form": form[1], "kind": kind, "muted": muted}
    )
    assert answer.status_code == 409
    assert why in answer.text


def test_only_who_may_change_sources_mutes(room: Newsroom) -> None:
    assert room.get("/mutes", **STRANGER).headers["location"] == "/sign-in"
    assert (
        room.client.post("/mutes", data={"kind": "words", "muted": "levee"}).status_code
        == 403
    )
    assert shown(room, LEVEE) == {True}


def test_the_page_of_a_story_mutes_its_outlets(room: Newsroom) -> None:
    page = room.get(f"/stories/{room.stories()[STRIKE]['id']}").text
    (key,) = re.findall(r'<option value="([^"]+)">Sennick Echo</option>', page)
    mute(room, "outlets", key)
    assert shown(room, STRIKE) == {False}
    assert "Outlet <bdi>Sennick Echo</bdi>" in room.get("/mutes").text
