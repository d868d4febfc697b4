"""The picture of a story on pages, in JSON and in feeds, on both databases."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from aggregator.model.entry import Enclosure, Entry
from aggregator.store.engine.database import Database
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE, record
from tests.support.newsroom import STRANGER, Newsroom

LEVEE = "Levee on the Arrel breaks in Pennmouth"
BEHIND_TLS = {"X-Forwarded-Proto": "https"}


def with_picture(entry: Entry, url: str) -> Entry:
    picture = Enclosure(url=url, type="image/jpeg", title="The broken levee")
    return replace(entry, enclosures=(picture,))


def flood(url: str = "https://courier.example/levee.jpg") -> tuple[Entry, ...]:
    return (
        with_picture(record("Arrel Courier", "1", LEVEE, FLOOD), url),
        with_picture(
            record(
                "Calmouth Post",
                "2",
                "Pennmouth under water",
                FLOOD_ELSEWHERE,
            ),
            "https://post.example/boat.jpg",
        ),
    )


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    with Newsroom(database) as opened:
        yield opened


def take(room: Newsroom, *entries: Entry) -> str:
    """Place these, and return the path of the only story."""
    room.writer.take(*entries)
    room.writer.render()
    (story,) = room.stories().values()
    return f"/stories/{story['id']}"


@pytest.mark.later
def test_a_story_shows_the_picture_of_the_report_whose_title_it_has(
    room: Newsroom,
) -> None:
    path = take(room, *flood())
    title = next(iter(room.stories()))
    name = "levee" if title == LEVEE else "boat"
    other = "boat" if title == LEVEE else "levee"
    for address in ("/", "/?view=newest"):
        page = room.get(address).text
        assert (
            f'/{name}.jpg" alt="" loading="lazy" referrerpolicy="no-referrer">' in page
        )
        assert f'src="https://post.example/{other}.jpg"' not in page
        assert page.count("<img") == 1
    page = room.get(path).text
    assert (
        f'/{name}.jpg" alt="The broken levee" loading="lazy" referrerpolicy="no-referrer">'
        in page
    )
    assert room.stories()[title]["picture"].endswith(f"/{name}.jpg")
    assert room.read_json(f"/api/v1{path}")["picture"].endswith(f"/{name}.jpg")
    item = room.read_json("/feeds/stories.json")["items"][0]
    assert {one["url"] for one in item["attachments"]} == {
        "https://courier.example/levee.jpg",
        "https://post.example/boat.jpg",
    }


def test_strangers_see_none(room: Newsroom) -> None:
    for address in ("/", "/?view=newest", take(room, *flood())):
        assert "<img" not in room.get(address, **STRANGER).text


def test_pictures_that_are_switched_off_are_on_no_page(database: Database) -> None:
    with Newsroom(database, images="off") as room:
        for address in ("/", take(room, *flood())):
            assert "<img" not in room.get(address).text


@pytest.mark.later
@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.0.4/door.jpg",
        "https://nas/levee.jpg",
        "https://courier.example/levee.svg",
    ],
)
def test_a_picture_in_the_network_of_the_reader_or_with_scripts_is_not_asked_for(
    room: Newsroom, url: str
) -> None:
    path = take(
        room,
        with_picture(record("Arrel Courier", "1", LEVEE, FLOOD), url),
    )
    for address in ("/", path):
        assert "<img" not in room.get(address).text
    assert room.stories()[LEVEE]["picture"] is None


def test_a_page_read_by_https_asks_for_no_picture_by_http(database: Database) -> None:
    with Newsroom(database, trusted_proxies=("127.0.0.1",), host="127.0.0.1") as room:
        path = take(room, *flood("http://courier.example/levee.jpg")[:1])
        secret = room.token("desk", "read")
        assert "<img" in room.get(path, secret, **STRANGER).text
        assert "<img" not in room.get(path, secret, **BEHIND_TLS, **STRANGER).text


POST = "<p>The harbour, seen from the crane.</p>{}<p>It is quiet.</p><pre><code>make</code></pre>"


def post(html: str) -> Entry:
    return record(
        "Blog",
        "1",
        "The harbour",
        "",
        html=html,
        url="https://blog.example/harbour",
        published=None,
    )


def test_the_first_large_picture_of_a_post_is_its_picture(room: Newsroom) -> None:
    icons = (
        '<img src="/face.png" width="32" height="32"><img src="/smile.png" alt="🙂">'
    )
    path = take(
        room,
        post(POST.format(f'{icons}<img src="/crane.jpg" width="900" alt="A crane">')),
    )
    assert room.stories()["The harbour"]["picture"] == "https://blog.example/crane.jpg"
    assert (
        '<img class="thumb" src="https://blog.example/crane.jpg" alt=""'
        in room.get("/").text
    )
    assert room.get(path).text.count("crane.jpg") == 1, "the post shows it itself"


def test_a_post_without_a_picture_in_it_shows_that_of_its_feed(room: Newsroom) -> None:
    path = take(
        room, with_picture(post(POST.format("")), "https://blog.example/cover.jpg")
    )
    assert 'class="picture" src="https://blog.example/cover.jpg"' in room.get(path).text


def test_a_story_without_a_picture_has_no_place_for_one(room: Newsroom) -> None:
    path = take(
        room,
        record("Sennick Echo", "4", "Dockers strike in Sennick", STRIKE),
    )
    for address in ("/", path):
        assert "<img" not in room.get(address).text
        assert "pictured" not in room.get(address).text
