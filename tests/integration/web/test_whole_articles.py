"""Audio and video of articles, and whole articles for programs of the owner, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest

from aggregator.model.entry import Enclosure, Entry
from aggregator.store.engine.database import Database
from aggregator.web.feeds.channel import ENDINGS
from aggregator.web.jinja import environment
from tests.support.articles import DAY, NOON, record
from tests.support.feed_rules import feed_faults
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.reader_client import signed_in
from tests.support.tables import each_row

AUDIO = "https://pod.example/12.mp3"
NOTES = (
    """<p>Ada and Jo talk about <a href="/crane">the crane</a>.</p><pre><code>make harbour
make crane</code></pre>"""
    + "<p>And about the weather, which was bad for a week.</p>" * 12
)


def episode(html: str = NOTES) -> Entry:
    return record(
        "Pod",
        "12",
        "Episode 12: the crane",
        "",
        html=html,
        url="https://pod.example/12",
        enclosures=(
            Enclosure(url=AUDIO, type="audio/mpeg", length_bytes=24_300_000),
            Enclosure(url="https://pod.example/12.mp4", type="video", title="Filmed"),
        ),
    )


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    with Newsroom(database) as opened:
        opened.writer.take(episode())
        opened.writer.render()
        yield opened


def path_of(room: Newsroom) -> str:
    (story,) = room.stories().values()
    return f"/stories/{story['id']}"


@pytest.mark.later
def test_the_page_links_to_audio_and_video_with_their_length(room: Newsroom) -> None:
    page = room.get(path_of(room)).text
    assert (
        f'<a href="{AUDIO}" type="audio/mpeg" rel="noopener noreferrer nofollow ugc">Audio, 24.3 MB</a>'
        in page
    )
    assert page.count(AUDIO) == 1
    assert ">Video</a>" in page
    assert "Filmed" in page


def test_an_article_of_a_title_and_audio_has_them_too(database: Database) -> None:
    with Newsroom(database) as room:
        room.writer.take(episode(""))
        assert "Audio, 24.3 MB" in room.get(path_of(room)).text


def test_programs_get_them(room: Newsroom) -> None:
    (article,) = room.read_json(f"/api/v1{path_of(room)}")["articles"]
    assert article["enclosures"] == [
        {"url": AUDIO, "type": "audio/mpeg", "length_bytes": 24_300_000, "title": ""},
        {
            "url": "https://pod.example/12.mp4",
            "type": "video/mp4",
            "length_bytes": None,
            "title": "Filmed",
        },
    ]
    assert (
        f'<enclosure url="{AUDIO}" length="24300000" type="audio/mpeg"/>'
        in room.get("/feeds/stories.rss").text
    )
    phone = signed_in(room)
    (item,) = phone.get("stream/contents/user/-/state/com.google/reading-list")["items"]
    assert {"href": AUDIO, "type": "audio/mpeg", "length": 24_300_000} in item[
        "enclosure"
    ]


@pytest.mark.later
@pytest.mark.parametrize("form", ["rss", "atom", "json"])
def test_the_owners_feeds_have_whole_articles_and_those_of_others_the_excerpt(
    room: Newsroom, form: str
) -> None:
    address = f"/feeds/stories.{form}"
    others = room.get(address, **STRANGER)
    whole = room.get(address)
    assert "make crane" in whole.text
    here = f"{room.server.url}{address}"
    assert feed_faults(ENDINGS[form], whole.content, here, NOON + DAY) == []
    assert "make crane" not in others.text
    secret = room.token("desk", "read")
    assert room.get(address, secret, **STRANGER).text == whole.text
    assert "make crane" in room.get(f"/t/{secret}{address}", **STRANGER).text
    assert "make crane" not in room.get(address, **STRANGER).text, (
        "not even after it was read whole"
    )
    tag = whole.headers["etag"]
    assert room.get(address, If_None_Match=tag).status_code == 304
    assert room.get(address, If_None_Match=tag, **STRANGER).status_code == 200


def test_the_owners_json_has_the_html(room: Newsroom) -> None:
    path = f"/api/v1{path_of(room)}"
    (article,) = room.read_json(path)["articles"]
    assert (
        '<a href="https://pod.example/crane" rel="noopener noreferrer nofollow">'
        in article["html"]
    )
    assert (
        room.read_json(f"/api/v1/articles/{article['id']}")["html"] == article["html"]
    )
    assert room.get(path, **STRANGER).json()["articles"][0]["html"] is None


def test_html_of_an_article_that_is_plain_text_is_its_paragraphs(
    database: Database,
) -> None:
    with Newsroom(database) as room:
        room.writer.take(
            record(
                "Wire",
                "1",
                "Fares",
                "Fares rise by 4 % & more.\nFrom May on.",
            )
        )
        (article,) = room.read_json(f"/api/v1{path_of(room)}")["articles"]
        assert (
            article["html"] == "<p>Fares rise by 4 % &amp; more.</p><p>From May on.</p>"
        )


@each_row("whole_articles", "a link says what it leads to", "type_", "length", "words")
def test_a_link_says_what_it_leads_to(
    type_: str, length: int | None, words: str
) -> None:
    reference = Enclosure(url=AUDIO, type=type_, length_bytes=length)
    macros: Any = environment().get_template("parts.html").module
    assert macros.enclosure_words(reference) == words
