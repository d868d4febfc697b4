"""Storylines over HTTP: the API, feeds that name and follow them, the page, and the story page."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from aggregator.publish.output_settings import PublishSettings
from aggregator.store.engine.database import Database
from aggregator.store.read.browser_mutes import end_rested
from aggregator.store.tables import story
from aggregator.web.web_app import create_app
from tests.support.articles import (
    DAY,
    DYKES,
    FLOOD,
    FLOOD_ELSEWHERE,
    HOUR,
    NOON,
    STRIKE,
    record,
)
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.reader_client import LIST, STARRED, signed_in
from tests.support.rows import executed, written_by
from tests.support.services import all_services
from tests.support.story_checks import by_title, correct


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    with Newsroom(database) as newsroom:
        newsroom.clock.time = NOON + 6 * DAY
        newsroom.writer.take(
            record("Herald", "1", "Levee breaks at Pennmouth", FLOOD),
            record(
                "Echo",
                "2",
                "Parliament votes for dykes",
                DYKES,
                published=NOON + 5 * DAY,
            ),
            record(
                "Post", "3", "Dock strike in Sennick", STRIKE, published=NOON + 5 * DAY
            ),
        )
        newsroom.writer.render()
        yield newsroom


def test_the_api_has_storylines_and_the_one_of_any_story(room: Newsroom) -> None:
    levee, vote, strike = by_title(room.database, "Levee", "Parliament", "Dock")
    line = {
        "id": levee,
        "title": "Parliament votes for dykes",
        "story_count": 2,
        "day_outlet_count": 1,
        "day_report_count": 1,
    }
    listed = room.read_json("/api/v1/storylines")
    updated = listed["storylines"][0].pop("updated")
    assert listed == {"storylines": [line], "next": None}
    for id_ in (levee, vote):
        one = room.read_json(f"/api/v1/storylines/{id_}")
        assert [story["id"] for story in one.pop("stories")] == [vote, levee]
        assert one == {**line, "updated": updated}
    alone = room.read_json(f"/api/v1/storylines/{strike}")
    assert (alone["id"], alone["story_count"]) == (strike, 1)
    assert room.get("/api/v1/storylines/nothing").status_code == 404
    whole = room.read_json(f"/api/v1/stories/{levee}")
    assert whole["storyline"] == line
    assert [one["id"] for one in whole["storyline_stories"]] == [vote, levee]
    assert [one["id"] for one in whole["later"]] == [vote]
    assert (whole["earlier"], whole["related"]) == ([], [])
    lists = room.read_json("/api/v1/stories")["stories"]
    shown = {story["id"]: story["storyline"] for story in lists}
    assert shown == {levee: line, vote: line, strike: None}


def test_feeds_name_the_storyline_of_an_item(room: Newsroom) -> None:
    levee, strike = by_title(room.database, "Levee", "Dock")
    rss = room.get("/feeds/stories.rss").text
    assert rss.count(f'/storylines">{levee}</category>') == 2
    assert f">{strike}</category>" not in rss
    assert room.get("/feeds/stories.atom").text.count(f'term="{levee}"') == 2
    items = room.read_json("/feeds/stories.json")["items"]
    lines = [item.get("_storyline", {}).get("id", "") for item in items]
    assert sorted(lines) == ["", levee, levee]


def test_clients_of_the_reader_api_see_no_labels_of_storylines(room: Newsroom) -> None:
    """A client lists each label as a folder; the Atom of a stream names the storyline as feeds do."""
    levee, _, strike = by_title(room.database, "Levee", "Parliament", "Dock")
    phone = signed_in(room)
    assert phone.get("tag/list")["tags"] == [{"id": STARRED}]
    items = phone.contents(*phone.ids()).values()
    assert [item["categories"] for item in items] == [[LIST]] * 3
    atom = phone.http.get(f"/reader/atom/{LIST}").text
    scheme = re.findall(r'scheme="([^"]*/storylines)" term="([^"]*)"', atom)
    assert scheme == [(str(room.client.base_url.join("storylines")), levee)] * 2
    assert f'term="{strike}"' not in atom


@pytest.mark.parametrize("ending", ["rss", "atom", "json"])
def test_a_storyline_is_followed_by_a_feed_of_its_stories(
    room: Newsroom, ending: str
) -> None:
    levee, vote, strike = by_title(room.database, "Levee", "Parliament", "Dock")
    feed = room.get(f"/storylines/{vote}.{ending}")
    assert feed.status_code == 200
    assert f"story/{levee}" in feed.text
    assert f"story/{vote}" in feed.text
    assert f"story/{strike}" not in feed.text
    again = room.get(
        f"/storylines/{vote}.{ending}", **{"If-None-Match": feed.headers["ETag"]}
    )
    assert again.status_code == 304
    assert room.get(f"/storylines/nothing.{ending}").status_code == 404


def test_the_stories_of_a_day_of_a_storyline_are_in_the_order_of_the_times_shown(
    room: Newsroom,
) -> None:
    """A report that came late moves a story in the lists, and tells nothing about the course of things."""
    levee, vote = by_title(room.database, "Levee", "Parliament")
    for id_, published, bumped in ((levee, 1, 5), (vote, 3, 4)):
        times = {
            "last_published": NOON + 5 * DAY + published * HOUR,
            "bumped_at": NOON + 5 * DAY + bumped * HOUR,
        }
        executed(room.database, update(story).where(story.c.id == id_).values(times))
    page = room.get(f"/storylines/{vote}").text
    assert page.count('<section class="day"') == 1
    assert page.index(f"/stories/{vote}") < page.index(f"/stories/{levee}")


def test_a_storyline_has_a_page_by_day_and_its_stories_lead_there(
    room: Newsroom,
) -> None:
    levee, vote, strike = by_title(room.database, "Levee", "Parliament", "Dock")
    page = room.get(f"/storylines/{vote}").text
    assert page.index(f"/stories/{vote}") < page.index(f"/stories/{levee}")
    assert f"/stories/{strike}" not in page
    assert "2 stories" in page
    assert f"/storylines/{levee}.rss" in page
    story = room.get(f"/stories/{levee}").text
    assert f"/storylines/{levee}" in story
    assert "Parliament votes for dykes" in story
    assert "/storylines/" not in room.get(f"/stories/{strike}").text
    assert room.get("/storylines/nothing").status_code == 404
    assert room.client.get(f"/storylines/{vote}", headers=STRANGER).status_code == 200


def test_days_of_a_storyline_stand_once_and_the_newest_first(sqlite: Database) -> None:
    with Newsroom(sqlite) as room:
        for hours, outlet, title, text in (
            (0, "Herald", "Levee breaks at Pennmouth", FLOOD),
            (11, "Echo", "Dock strike in Sennick", STRIKE),
            (13, "Post", "Levee breaks at Pennmouth", FLOOD_ELSEWHERE),
        ):
            room.clock.time = time = NOON + hours * HOUR
            room.writer.take(record(outlet, outlet, title, text, published=time))
        levee, strike = by_title(sqlite, "Levee", "Dock")
        correct(sqlite, "join", levee, strike)
        room.writer.render()
        page = room.get(f"/storylines/{levee}").text
    shown = re.findall(r">(\w+), 1\d October 2026|href=\"/stories/(\w+)\"", page)
    assert list(dict.fromkeys(day or story for day, story in shown)) == [
        "Tuesday",
        levee,
        "Monday",
        strike,
    ]


def test_a_storyline_has_one_place_on_the_front_page(room: Newsroom) -> None:
    levee, vote, strike = by_title(room.database, "Levee", "Parliament", "Dock")
    page = room.get("/").text
    assert f'id="s-{vote}"' in page
    assert f'id="s-{strike}"' in page
    assert f'id="s-{levee}"' not in page
    place = page[page.index(f'id="s-{vote}"') :]
    assert f"/stories/{levee}" in place[: place.index("</article>")]
    assert f'id="s-{levee}"' in room.get("/?view=newest").text
    ranked = room.read_json("/api/v1/stories?order=front")["stories"]
    assert {story["id"] for story in ranked} == {vote, strike}


def test_of_a_long_storyline_two_lines_and_the_rest_are_named(room: Newsroom) -> None:
    levee, vote, strike = by_title(room.database, "Levee", "Parliament", "Dock")
    others = {
        "Glassworks shuts": "Furnaces at Ostvik went cold after gas prices rose and buyers left.",
        "Chess title won": "Ada Quill beat the champion in nineteen moves with a bishop sacrifice.",
        "Comet seen": "Astronomers at the Skarn observatory photographed a green comet at dawn.",
        "Cheese protected": "Shepherds may alone sell their smoked goat cheese under its old name.",
    }
    room.writer.take(
        *(record(title, "1", title, said) for title, said in others.items())
    )
    told = by_title(room.database, *others)
    correct(room.database, "join", levee, *told)
    services = all_services(room.database)
    owner = TestClient(
        create_app(room.reading, PublishSettings(), services, room.clock),
        base_url="http://127.0.0.1",
    )
    page = owner.get("/").text
    place = page[page.index(f'id="s-{vote}"') :]
    place = place[: place.index("</article>")]
    assert place.count("/stories/") >= 3
    assert f'/storylines/{levee}">3 more since 12 Oct' in place
    assert strike not in place
    room.clock.time = NOON + HOUR
    assert re.search(r">\d more since 12:00<", owner.get("/").text)


def test_storylines_are_corrected_by_form_and_by_the_api_and_the_page_offers_undo(
    room: Newsroom,
) -> None:
    levee, vote, strike = by_title(room.database, "Levee", "Parliament", "Dock")

    def stories_of(id_: str) -> list[str]:
        listed = room.read_json(f"/api/v1/storylines/{id_}")["stories"]
        return sorted(story["id"] for story in listed)

    for page in (f"/stories/{vote}", f"/storylines/{levee}"):
        assert 'name="kind" value="leave"' in room.get(page).text
    assert 'value="leave"' not in room.get(f"/stories/{strike}").text
    room.start_writing()
    leave = {"kind": "leave", "story": vote}
    asked = room.post_form("/correct", **leave)
    assert "Take this story out of its storyline?" in asked.text
    left = room.post_form("/correct", **leave, sure="yes")
    assert left.headers["location"] == f"/storylines/{vote}?done=1"
    assert stories_of(levee) == [levee]
    assert "/corrections/1/undo" in room.get(left.headers["location"]).text
    room.post_form("/corrections/1/undo")
    assert stories_of(levee) == sorted([levee, vote])
    join = {"kind": "join", "story": vote, "address": f"http://a.example/s/{strike}"}
    assert "one storyline?" in room.post_form("/correct", **join).text
    secret = room.token("editor", "admin")

    def status(**correction: object) -> int:
        asked = room.ask("POST", "/api/v1/corrections", secret, json=correction)
        return asked.status_code

    assert status(kind="join", stories=[strike, levee]) == 200
    assert stories_of(vote) == sorted([levee, vote, strike])
    assert status(kind="leave", story=strike) == 200
    assert stories_of(strike) == [strike]
    assert status(kind="leave", story=strike) == 409


def test_a_muted_storyline_leaves_the_owners_lists_until_it_rests(
    room: Newsroom,
) -> None:
    levee, vote, strike = by_title(room.database, "Levee", "Parliament", "Dock")

    def shown() -> set[frozenset[str]]:
        """Return which stories the owner's lists have; one set if they agree."""
        addresses = ("/", "/?view=newest", "/?view=unread", "/feeds/stories.json")
        texts = [room.get(address).text for address in addresses]
        ids = (levee, vote, strike)
        return {frozenset(id_ for id_ in ids if id_ in text) for text in texts}

    everything = {frozenset({levee, vote, strike})}
    assert shown() == everything
    room.post_form("/mutes", kind="storylines", muted=vote)
    assert shown() == {frozenset({strike})}
    assert "Storyline <bdi>Parliament votes for dykes" in room.get("/mutes").text
    for page in (f"/stories/{levee}", f"/storylines/{levee}"):
        assert "Show it again" in room.get(page).text
    assert vote in room.client.get("/?view=newest", headers=STRANGER).text
    assert vote in room.get("/api/v1/stories").text
    room.post_form("/mutes/remove", kind="storylines", muted=levee)
    assert shown() == everything
    secret = room.token("editor", "admin")
    mute = f"/api/v1/storylines/{vote}/mute"
    assert room.ask("PUT", mute, secret).status_code == 204
    assert shown() == {frozenset({strike})}
    assert room.ask("DELETE", mute, secret).status_code == 204
    assert shown() == everything
    assert room.ask("PUT", mute, secret).status_code == 204
    assert room.ask("PUT", "/api/v1/storylines/none/mute", secret).status_code == 404
    assert room.ask("PUT", mute).status_code in (401, 403)
    assert shown() == {frozenset({strike})}
    for days, remains in ((12, True), (14, False)):
        since = room.clock.time + (days - 14) * DAY
        written_by(room.database, end_rested, since)
        assert bool(room.reading.mutes()) is remains
    assert shown() == everything


def test_folded_lists_have_one_story_a_storyline_and_feeds_its_identifier(
    room: Newsroom,
) -> None:
    levee, vote, strike = by_title(room.database, "Levee", "Parliament", "Dock")

    def listed(parameters: str) -> list[str]:
        stories = room.read_json(f"/api/v1/stories?{parameters}")["stories"]
        return sorted(story["id"] for story in stories)

    def items(parameters: str) -> dict[str, str]:
        feed = room.read_json(f"/feeds/stories.json?{parameters}")
        return {item["id"].rpartition("/")[2]: item["url"] for item in feed["items"]}

    assert listed("") == sorted([levee, vote, strike])
    assert listed("fold=storylines") == sorted([vote, strike])
    # Of the stories that match, the last bumped one stands for the others.
    assert listed("fold=storylines&outlet=herald") == [levee]
    first = room.read_json("/api/v1/stories?fold=storylines&limit=1")
    assert first["next"]
    rest = listed(f"fold=storylines&limit=1&after={first['next']}")
    assert {first["stories"][0]["id"], *rest} == {vote, strike}
    folded = items("fold=storylines")
    assert {*folded} == {levee, strike}, "the identifier is that of the founder"
    assert folded[levee].endswith(f"/storylines/{levee}")
    assert folded[strike].endswith(f"/stories/{strike}")
    # The last day of the affair has two reports, of which each story has one.
    assert listed("fold=storylines&min_reports=2") == []
    correct(room.database, "join", strike, vote)
    assert listed("min_reports=2") == []
    both = listed("fold=storylines&min_reports=2&min_outlets=2")
    assert both in ([vote], [strike])
    assert listed("fold=storylines&min_reports=3") == []
    assert [*items("fold=storylines")] == [levee]
    assert f'id="s-{both[0]}"' in room.get("/?min_reports=2").text
