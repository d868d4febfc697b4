"""The page of a source: its articles, newest first, and its health, on both databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import html
from msgspec.structs import replace

from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import Source, add
from aggregator.web.pages.sources_page import ENTRIES_A_PAGE
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, HOUR, NOON, STRIKE, record
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.polling import feed_source, folder_source
from tests.support.rows import written_by
from tests.support.tables import numbered

FEED = "https://potter.example/feed?key=k3y"


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    with Newsroom(database) as opened:
        yield opened


@pytest.fixture
def potter(room: Newsroom) -> Source:
    source = feed_source(FEED, name="Potter", folder="Crafts", health="ok")
    written_by(room.database, add, source)
    return source


def post(source: Source, number: int, text: str = "", **given: Any) -> Entry:
    words = f"Kiln {number} was fired for the {number}th time, and its pots are for sale in town {number}."
    given = {
        "url": f"https://potter.example/{number}",
        "published": NOON + number * HOUR,
    } | given
    title = given.pop("title", f"Kiln number {number}")
    return record(
        source.id, str(number), title, text or words, outlet="Potter", **given
    )


def page_of(room: Newsroom, path: str, **headers: str) -> html.HtmlElement:
    answer = room.get(path, **headers)
    assert answer.status_code == 200, answer.text
    return html.fromstring(answer.text)


def titles(page: html.HtmlElement) -> list[str]:
    return [heading.text_content().strip() for heading in page.xpath("//main//h2[a]")]


@pytest.mark.later
def test_its_articles_are_listed_newest_first_fifty_a_page(
    room: Newsroom, potter: Source
) -> None:
    many = ENTRIES_A_PAGE + 2
    room.writer.take(*(post(potter, number) for number in range(many)))
    names = [f"Kiln number {number}" for number in reversed(range(many))]
    first = page_of(room, f"/sources/{potter.id}")
    assert titles(first) == names[:ENTRIES_A_PAGE]
    (older,) = first.xpath("//a[@rel='next']/@href")
    second = page_of(room, older)
    assert titles(second) == names[ENTRIES_A_PAGE:]
    assert second.xpath("//a[@rel='prev']/@href") == [f"/sources/{potter.id}?page=1"]
    assert not second.xpath("//a[@rel='next']")
    assert "52 articles" in first.text_content()
    assert (
        "There are no older articles."
        in page_of(room, f"/sources/{potter.id}?page=99").text_content()
    )


def test_a_title_leads_to_the_story_and_the_original_stands_beside_it(
    room: Newsroom, potter: Source
) -> None:
    room.writer.take(post(potter, 1), post(potter, 2, published=None))
    stories = {title: story["id"] for title, story in room.stories().items()}
    page = page_of(room, f"/sources/{potter.id}")
    links = page.xpath("//main//h2/a/@href")
    assert set(links) == {f"/stories/{id_}" for id_ in stories.values()}
    assert set(page.xpath("//a[@class='original']/@href")) == {
        "https://potter.example/1",
        "https://potter.example/2",
    }
    times = {
        article.findtext(".//h2/a"): article.findtext(".//time")
        for article in page.iter("article")
    }
    assert times["Kiln number 1"] == "12 Oct, 13:00", "the time of publication"
    assert times["Kiln number 2"].startswith("undated, seen ")


def test_strangers_see_excerpts_and_no_address(room: Newsroom, potter: Source) -> None:
    room.writer.take(post(potter, 1, " ".join(numbered("word%n", 90))))
    for path in ("/sources", f"/sources/{potter.id}"):
        page = page_of(room, path, **STRANGER).text_content()
        assert "Potter" in page
        assert "k3y" not in page
        assert "potter.example/feed" not in page
        assert "word60" not in page
        assert "Change this source" not in page
    assert "Change this source" in page_of(room, f"/sources/{potter.id}").text_content()
    shown = room.get(f"/sources/{potter.id}", room.token("reads", "read")).text
    assert "potter.example/feed" in shown
    assert "k3y" not in shown
    assert "Change this source" not in shown


@pytest.mark.parametrize("id_", ["nobody", "preview", "%00", "a" * 41])
def test_an_unknown_source_is_not_found(room: Newsroom, id_: str) -> None:
    assert room.get(f"/sources/{id_}").status_code == 404


@pytest.mark.later
@pytest.mark.parametrize("number", ["0", "-1", "x", "", "9" * 9, "9" * 40, "٣"])
def test_any_number_is_a_page(room: Newsroom, potter: Source, number: str) -> None:
    room.writer.take(post(potter, 1))
    for view in ("", "unread", "saved", "x"):
        assert (
            room.get(f"/sources/{potter.id}?page={number}&view={view}").status_code
            == 200
        )


def test_outlets_are_linked_to_their_source_on_lists_and_stories(
    room: Newsroom, potter: Source
) -> None:
    room.writer.take(
        post(potter, 1, FLOOD, title="Levee on the Arrel breaks in Pennmouth"),
        record(
            "Calmouth Post",
            "2",
            "Pennmouth under water",
            FLOOD_ELSEWHERE,
        ),
        post(potter, 3),
    )
    address = f"/sources/{potter.id}"
    for path in (
        "/",
        "/?view=newest",
        *(f"/stories/{one['id']}" for one in room.stories().values()),
    ):
        page = page_of(room, path)
        names = {
            link.text_content() for link in page.xpath(f"//main//a[@href='{address}']")
        }
        assert names == {"Potter"}, path
    secret = room.token("path", "read")
    page = page_of(room, f"/t/{secret}/?view=newest")
    assert page.xpath(f"//main//a[@href='/t/{secret}{address}']")


def test_folders_are_sections_of_the_front_page_and_lead_to_their_own(
    room: Newsroom, potter: Source
) -> None:
    weaver = feed_source("https://weaver.example/feed", name="Weaver", folder="Cloth")
    written_by(room.database, add, weaver)
    room.writer.take(
        *(post(potter, number) for number in range(1, 4)),
        record(
            weaver.id,
            "1",
            "Loom number 1",
            "The loom was threaded with flax.",
        ),
        record(
            "Nobody",
            "1",
            "Ships sail",
            "Four ships left the harbour of Sennick.",
        ),
    )
    page = page_of(room, "/")
    headings = [
        heading.text_content() for heading in page.xpath("//section[@class='group']/h2")
    ]
    assert headings == ["Crafts", "Cloth", "Other stories"]
    (address,) = page.xpath("//section[@class='group']/h2/a[text()='Cloth']/@href")
    own = page_of(room, address)
    assert [
        link.text_content()
        for link in own.xpath("//article//*[self::h2 or self::h3]/a")
    ] == ["Loom number 1"]
    assert (
        page_of(room, "/?folder=Crafts").xpath("string(//section[@class='group']/h2)")
        == "Earlier"
    )


def test_a_story_is_in_the_folder_of_most_of_its_outlets(room: Newsroom) -> None:
    for name, folder in (
        ("Ada", "B"),
        ("Bea", "B"),
        ("Cid", "A"),
        ("Dan", "A"),
        ("Eva", None),
    ):
        written_by(
            room.database,
            add,
            feed_source(f"https://{name}.example/f", folder_name=name, folder=folder),
        )
    room.writer.take(
        *(
            record(name, "1", "Levee breaks at Pennmouth", FLOOD)
            for name in ("Ada", "Bea", "Cid")
        ),
        *(
            record(name, "2", "Dockers strike in Sennick", STRIKE)
            for name in ("Bea", "Dan", "Eva")
        ),
        record(
            "Eva",
            "3",
            "Loom number 1",
            "The loom was threaded with flax.",
        ),
    )
    ids = {title: story["id"] for title, story in room.stories().items()}
    assert len(ids) == 3
    folders = room.reading.story_sources(tuple(ids.values())).folders
    assert folders == {
        ids["Levee breaks at Pennmouth"]: "B",
        ids["Dockers strike in Sennick"]: "A",
    }


def mailed() -> Entry:
    said = "The kiln of the potter was fired."
    return record("mail", "1", "Kiln number 7", said, published=None)


def test_a_watched_folder_has_a_page(room: Newsroom) -> None:
    folder = replace(folder_source(Path("/srv/mail")), folder_name="mail")
    written_by(room.database, add, folder)
    room.writer.take(mailed())
    assert titles(page_of(room, f"/sources/{folder.id}")) == ["Kiln number 7"]


def test_the_articles_of_a_folder_that_was_moved_are_of_the_present_one(
    room: Newsroom,
) -> None:
    """The former one is paused, and has the same name of the folder."""
    former, present = (
        replace(folder_source(Path(path)), folder_name="mail", folder=folder)
        for path, folder in (("/srv/mail", "Before"), ("/srv/letters", "Now"))
    )
    written_by(room.database, add, replace(former, paused=True), present)
    room.writer.take(mailed())
    (story,) = room.stories().values()
    sources = room.reading.story_sources((story["id"],))
    assert set(sources.by_outlet[story["id"]].values()) == {present.id}
    assert sources.folders == {story["id"]: "Now"}
    page = room.get("/").text
    assert f"/sources/{present.id}" in page
    assert f"/sources/{former.id}" not in page


def test_the_first_words_of_a_source_without_articles(
    room: Newsroom, potter: Source
) -> None:
    page = page_of(room, f"/sources/{potter.id}")
    assert "Nothing of this source was read yet." in page.text_content()
