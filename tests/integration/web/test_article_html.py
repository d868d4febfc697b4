"""Articles as they were written, on pages and phones, on both databases."""

from collections.abc import Iterator

import pytest

from aggregator.model.entry import Enclosure, Entry
from aggregator.store.engine.database import Database
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE, record
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.reader_client import signed_in
from tests.support.tables import numbered

POST = """<p>We moved the <a href="/db">database</a> to a new machine last week.</p><h2>How</h2>
<pre><code>pg_dump --format=custom old
pg_restore new
</code></pre><ul><li>no downtime</li></ul><img src="/graph.png" alt="A graph">
<script>steal()</script>"""
ADDRESS = "https://blog.example/moving"


def post(html: str = POST) -> Entry:
    return record(
        "Blog", "1", "Moving a database", "", html=html, url=ADDRESS, published=None
    )


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    with Newsroom(database) as opened:
        opened.writer.take(post())
        opened.writer.render()
        yield opened


def page_of(room: Newsroom, **headers: str) -> str:
    (story,) = room.stories().values()
    return room.get(f"/stories/{story['id']}", **headers).text


@pytest.mark.later
def test_a_post_is_read_as_it_was_written(room: Newsroom) -> None:
    page = page_of(room)
    assert (
        "<pre><code>pg_dump --format=custom old\npg_restore new\n</code></pre>" in page
    )
    assert "<ul><li>no downtime</li></ul>" in page
    assert 'href="https://blog.example/db" rel="noopener noreferrer nofollow"' in page
    assert (
        '<img alt="A graph" src="https://blog.example/graph.png" loading="lazy"' in page
    )
    assert "steal" not in page


def test_strangers_get_the_excerpt_and_no_picture(room: Newsroom) -> None:
    page = page_of(room, **STRANGER)
    assert "pg_restore" not in page
    assert "<img" not in page


def test_only_the_owners_pages_may_ask_other_sites_for_pictures(room: Newsroom) -> None:
    (story,) = room.stories().values()
    path = f"/stories/{story['id']}"
    assert (
        "img-src 'self' https: http:;"
        in room.get(path).headers["content-security-policy"]
    )
    assert (
        "img-src 'self';"
        in room.get(path, **STRANGER).headers["content-security-policy"]
    )


def test_pictures_can_be_switched_off(database: Database) -> None:
    with Newsroom(database, images="off") as room:
        room.writer.take(post())
        page = page_of(room)
        assert "graph.png" not in page
        assert "pg_restore" in page
        (story,) = room.stories().values()
        assert (
            "img-src 'self';"
            in room.get(f"/stories/{story['id']}").headers["content-security-policy"]
        )


def test_a_phone_gets_it_whole(room: Newsroom) -> None:
    phone = signed_in(room)
    (item,) = phone.get("stream/contents/user/-/state/com.google/reading-list")["items"]
    content = item["summary"]["content"]
    assert "pg_dump --format=custom old\npg_restore new\n" in content
    assert "https://blog.example/graph.png" in content


SOUND = Enclosure(
    url="https://blog.example/talk.mp3", type="audio/mpeg", length_bytes=1234
)
FILM = Enclosure(url="https://blog.example/talk.mp4", type="video/mp4")
PICTURE = Enclosure(url="https://blog.example/graph.webp", type="image/webp")
MEDIA = (SOUND, FILM, PICTURE)


@pytest.mark.parametrize("images", ["direct", "off"])
def test_a_phone_gets_the_media_of_a_single_article(
    database: Database, images: str
) -> None:
    with Newsroom(database, images=images) as room:
        podcast = record(
            "Blog", "1", "A talk", STRIKE, url=ADDRESS, enclosures=MEDIA, published=None
        )
        flood = record(
            "Echo", "1", "Levee breaks", FLOOD, enclosures=MEDIA, published=None
        )
        room.writer.take(
            podcast,
            flood,
            record(
                "Post", "1", "Pennmouth under water", FLOOD_ELSEWHERE, published=None
            ),
        )
        phone = signed_in(room)
        items = {item["title"]: item for item in phone.get("stream/contents")["items"]}
        *pictures, sound, film = items.pop("A talk")["enclosure"]
        assert sound == {"href": SOUND.url, "type": "audio/mpeg", "length": 1234}
        assert film == {"href": FILM.url, "type": "video/mp4"}
        shown = [{"href": PICTURE.url, "type": "image/webp"}]
        assert pictures == (shown if images == "direct" else [])
        assert [item["enclosure"] for item in items.values()] == [[]], (
            "a story has reports of several"
        )


@pytest.mark.later
@pytest.mark.parametrize("images", ["direct", "off"])
@pytest.mark.parametrize("ending", ["rss", "atom", "json"])
def test_feeds_name_no_pictures_where_they_are_switched_off(
    database: Database, images: str, ending: str
) -> None:
    with Newsroom(database, images=images) as room:
        room.writer.take(
            record(
                "Blog",
                "1",
                "A talk",
                "",
                html=POST + STRIKE,
                url=ADDRESS,
                enclosures=MEDIA,
                published=None,
            )
        )
        feed = room.get(f"/feeds/stories.{ending}", room.token("me", "read")).text
        assert ("graph.webp" in feed) == (images == "direct")
        assert "talk.mp3" in feed
        items = str(signed_in(room).get("stream/contents"))
        assert ("graph.png" in items, "graph.webp" in items) == (
            images == "direct",
            images == "direct",
        )


@pytest.mark.later
def test_what_was_cut_is_said_on_pages_and_phones(database: Database) -> None:
    with Newsroom(database) as room:
        room.writer.take(post("".join(numbered(f"<h2>%n</h2><p>{STRIKE}</p>", 500))))
        notice = "The rest of this article is too long to be kept."
        assert notice in page_of(room)
        (item,) = signed_in(room).get("stream/contents")["items"]
        assert notice in item["summary"]["content"]


def test_a_revision_brings_its_own(room: Newsroom) -> None:
    room.writer.take(
        post(POST.replace("no downtime", "an hour of downtime, in the end"))
    )
    assert "an hour of downtime" in page_of(room)
    assert "no downtime" not in page_of(room)
