"""What the owner marks on pages as read and saved, and shares with phones; on both databases."""

import re
from collections.abc import Iterator

import httpx
import pytest
from lxml import html
from sqlalchemy import select

from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import add
from aggregator.store.tables import read_mark, reader
from tests.support.articles import HOUR, NOON, record
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.polling import feed_source
from tests.support.reader_client import READ, STARRED, ReaderClient
from tests.support.rows import queried, written_by
from tests.support.story_checks import correct

FEED = feed_source("https://potter.example/feed", name="Potter")


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    """Four posts of a potter, hour by hour."""
    written_by(database, add, FEED)
    with Newsroom(database) as opened:
        opened.clock.time = NOON + 10 * HOUR
        for number in range(1, 5):
            text = f"Kiln {number} was fired for the {number}th time, and its pots are for sale in {number}."
            title, published = f"Kiln number {number}", NOON + number * HOUR
            post = record(
                FEED.id, str(number), title, text, outlet="Potter", published=published
            )
            opened.writer.take(post)
        opened.writer.pipeline.index_text(lambda: False)
        yield opened


def page_of(room: Newsroom, path: str, **headers: str) -> html.HtmlElement:
    answer = room.get(path, **headers)
    assert answer.status_code == 200, answer.text
    return html.fromstring(answer.text)


def listed(room: Newsroom, path: str) -> list[str]:
    """The numbers of the posts on a page."""
    links = page_of(room, path).xpath(
        "//*[contains(@class, 'story')]//*[self::h2 or self::h3]/a"
    )
    return [link.text_content().removeprefix("Kiln number ") for link in links]


def story_of(room: Newsroom, number: int) -> str:
    return str(room.stories()[f"Kiln number {number}"]["id"])


def state(room: Newsroom, number: int, path: str = "/") -> set[str]:
    """How a story is marked on a page."""
    (shown,) = page_of(room, path).xpath(f"//*[@data-story='{story_of(room, number)}']")
    return {"is-read", "is-saved"} & set(shown.get("class").split())


def press(
    room: Newsroom, path: str, act: str, number: int | None = None
) -> httpx.Response:
    """Submit the form of a page as a browser does, by a button of a story, or by that for all above."""
    page = page_of(room, path)
    (form,) = page.xpath("//form[@id='marks']")
    fields = {field.get("name"): field.get("value") for field in form.iter("input")}
    among = (
        f"//*[@data-story='{story_of(room, number)}']"
        if number
        else "//p[@class='all-read']"
    )
    (button,) = page.xpath(f"{among}//button[@form='marks'][@name='{act}']")
    return room.client.post(
        form.get("action"), data=fields | {act: button.get("value")}
    )


@pytest.mark.later
def test_a_story_is_marked_and_unmarked_on_every_page_that_lists_it(
    room: Newsroom,
) -> None:
    story = story_of(room, 2)
    paths = (
        "/",
        "/?view=newest",
        f"/sources/{FEED.id}",
        f"/stories/{story}",
        "/search?q=kiln",
    )
    for path in paths:
        assert state(room, 2, path) == set(), path
        answer = press(room, path, "read", 2)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            f"{path}#s-{story}",
        )
        press(room, path, "save", 2)
        assert all(state(room, 2, each) == {"is-read", "is-saved"} for each in paths), (
            path
        )
        assert state(room, 3, "/") == set()
        press(room, path, "unread", 2)
        press(room, path, "unsave", 2)


def test_lists_of_unread_and_saved_stories(room: Newsroom) -> None:
    press(room, "/", "read", 2)
    press(room, "/", "save", 3)
    for place, first in (
        ("/?", "/?view=newest"),
        (f"/sources/{FEED.id}?", f"/sources/{FEED.id}"),
    ):
        assert listed(room, first) == ["4", "3", "2", "1"]
        assert listed(room, f"{place}view=unread") == ["4", "3", "1"]
        assert listed(room, f"{place}view=saved") == ["3"]
    assert listed(room, "/?view=unread&query=kiln&limit=2") == ["4", "3"]
    (older,) = page_of(room, "/?view=unread&limit=2").xpath("//a[@rel='next']/@href")
    assert listed(room, older) == ["1"]


def test_all_above_are_marked_at_once_and_none_below(room: Newsroom) -> None:
    press(room, "/?view=newest&limit=2", "read")
    assert listed(room, "/?view=unread") == ["2", "1"]
    press(room, "/?view=unread", "read")
    page = page_of(room, "/?view=unread")
    assert "All stories are read" in page.text_content()
    assert not page.xpath("//p[@class='all-read']")


def test_looking_changes_nothing(room: Newsroom) -> None:
    story = story_of(room, 2)
    for path in ("/", f"/stories/{story}", "/?view=unread", f"/sources/{FEED.id}"):
        room.get(path)
    assert room.get(f"/marks?read={story}").status_code == 405
    assert queried(room.database, select(reader.c.name)).first() is None
    assert state(room, 2) == set()


@pytest.mark.later
def test_strangers_see_and_set_no_marks(room: Newsroom) -> None:
    press(room, "/", "read", 2)
    press(room, "/", "save", 2)
    story, secret = story_of(room, 2), room.token("friend", "read")
    form = page_of(room, "/").xpath("//form[@id='marks']/input[@name='form']/@value")[0]
    given = {"form": form, "unread": story}
    for headers in (STRANGER, {"Authorization": f"Bearer {secret}"}):
        for path in (
            "/",
            "/?view=saved",
            f"/stories/{story}",
            f"/sources/{FEED.id}?view=saved",
        ):
            page = room.client.get(path, headers=headers).text
            assert not re.search("is-read|is-saved|/marks|view=unread", page), path
        assert (
            len(
                html.fromstring(
                    room.client.get("/?view=saved", headers=headers).text
                ).xpath("//h3")
            )
            == 4
        )
        assert (
            room.client.post("/marks", data=given, headers=headers).status_code == 403
        )
    for wrong in ({"form": "0" * 64}, {"form": ""}):
        assert room.client.post("/marks", data=given | wrong).status_code == 403
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert room.client.post("/marks", data=given, headers=foreign).status_code == 403
    assert state(room, 2) == {"is-read", "is-saved"}


def test_the_owner_has_the_same_marks_with_a_token_from_elsewhere(
    room: Newsroom,
) -> None:
    press(room, "/", "read", 2)
    cookie = {"Cookie": f"aggregator_token={room.token('owner', 'admin')}"} | STRANGER
    page = html.fromstring(room.client.get("/", headers=cookie).text)
    assert [one.get("data-story") for one in page.find_class("is-read")] == [
        story_of(room, 2)
    ]
    form = page.xpath("//form[@id='marks']/input[@name='form']/@value")[0]
    sent = room.client.post(
        "/marks", data={"form": form, "read": story_of(room, 3)}, headers=cookie
    )
    assert sent.status_code == 303
    assert state(room, 3) == {"is-read"}


@pytest.mark.later
@pytest.mark.parametrize(
    "back", ["//evil.example/", "https://evil.example", "", "\\\\evil.example", "x"]
)
def test_the_form_leads_to_no_other_site(room: Newsroom, back: str) -> None:
    form = page_of(room, "/").xpath("//form[@id='marks']/input[@name='form']/@value")[0]
    sent = room.client.post(
        "/marks", data={"form": form, "back": back, "read": "nosuch../"}
    )
    assert (sent.status_code, sent.headers["location"]) == (303, "/")
    assert not queried(room.database, select(read_mark)).first()


# --- phones ------------------------------------------------------------------------------------------------


@pytest.mark.later
def test_a_phone_of_the_owner_has_the_marks_of_the_pages(room: Newsroom) -> None:
    base = room.client.base_url
    here = ReaderClient(base, "Ada", "anything")
    elsewhere = ReaderClient(base, "phone", room.token("admin", "admin"))
    named = ReaderClient(base, "Owner", room.token("reads", "read"))
    newest = here.ids()
    press(room, "/", "read", 4)
    press(room, "/", "save", 3)
    for phone in (here, elsewhere, named):
        assert phone.get("user-info")["userName"] == "owner"
        assert phone.unread() == newest[1:]
        assert phone.ids(STARRED) == [newest[1]]
    elsewhere.mark(newest[2], add=READ)
    here.mark(newest[1], remove=STARRED)
    assert (state(room, 2), state(room, 3)) == ({"is-read"}, set())


@pytest.mark.later
def test_other_readers_keep_their_own_marks(room: Newsroom) -> None:
    base = room.client.base_url
    ada = ReaderClient(base, "Ada", room.token("reads", "read"))
    ada.mark(ada.ids()[0], add=READ)
    press(room, "/", "read", 1)
    for again in (
        ReaderClient(base, "ada", "anything"),
        ReaderClient(base, "ada", room.token("a", "admin")),
    ):
        assert again.unread() == ada.unread() == ada.ids()[1:]
    assert state(room, 4) == set()


@pytest.mark.later
def test_a_merge_is_followed_when_the_owner_marks_again(room: Newsroom) -> None:
    press(room, "/", "save", 1)
    press(room, "/", "read", 4)
    correct(room.database, "merge", story_of(room, 2), story_of(room, 1))
    press(room, "/", "read", 3)
    assert len(page_of(room, "/?view=saved").find_class("is-saved")) == 1
