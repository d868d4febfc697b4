"""The labels that readers give to stories over the Google Reader API, on both databases."""

import pytest
from sqlalchemy import select

from aggregator.config.story_query import SavedQuery
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.store.engine.database import Database
from aggregator.store.intake import source_rows
from aggregator.store.read.marks import mark_rows, read_marks
from aggregator.store.tables import read_mark, story
from tests.support.articles import STRIKE, record
from tests.support.newsroom import Newsroom
from tests.support.polling import feed_source
from tests.support.reader_client import LIST, READ, STARRED, ReaderClient, signed_in
from tests.support.rows import queried, value, written_by
from tests.support.story_checks import by_title, correct, members, placing_of, undo

LATER, PORTS = "user/-/label/read later", "user/-/label/Ports & ships"
BRIDGES = "user/-/label/bridges"  # of a saved query


def tags(phone: ReaderClient) -> list[str]:
    """The labels that are no folders and no saved queries."""
    star, *listed = phone.get("tag/list")["tags"]
    assert star == {"id": STARRED}
    return [
        tag["id"] for tag in listed if tag["type"] == "tag" and tag["id"] != BRIDGES
    ]


def number_of(small_room: Newsroom, title: str) -> str:
    (id_,) = by_title(small_room.database, title)
    return str(value(small_room.database, story.c.story_no, story.c.id == id_))


@pytest.mark.later
def test_a_label_is_kept_and_comes_back_wherever_a_client_looks(
    phone: ReaderClient,
) -> None:
    first, second, third, *_ = phone.ids()
    phone.mark(first, second, add=LATER)
    phone.mark(second, third, add="user/1234/label/Ports  & ships")
    assert tags(phone) == [PORTS, LATER]
    assert phone.ids(LATER) == phone.ids(LATER, n=1) == [first, second]
    assert phone.ids("user/1234/label/Ports & ships") == [second, third]
    for item in (
        *phone.contents(second).values(),
        phone.get(f"stream/contents/{LATER}")["items"][1],
    ):
        assert {PORTS, LATER} <= set(item["categories"])
    assert (phone.count(LATER), phone.count(PORTS)) == (2, 2)

    phone.mark(second, add=READ, remove=LATER)
    assert phone.ids(LATER) == [first]
    assert phone.ids(PORTS) == [second, third]
    assert phone.unread(PORTS) == [third]
    assert phone.ids(PORTS, it=READ) == [second]
    phone.mark(second, add=STARRED)
    assert phone.ids(PORTS, it=STARRED) == phone.ids(STARRED) == [second]


def test_labels_belong_to_one_reader(small_room: Newsroom, phone: ReaderClient) -> None:
    phone.mark(phone.ids()[0], add=LATER)
    other = signed_in(small_room, "Grace")
    assert tags(other) == []
    assert other.post("disable-tag", s=LATER)[0] == 404
    assert other.http.get(f"/reader/api/0/stream/contents/{LATER}").status_code == 404
    assert tags(phone) == [LATER]


def test_a_label_is_renamed_joined_with_another_and_removed(
    small_room: Newsroom, phone: ReaderClient
) -> None:
    first, second, third, *_ = phone.ids()
    phone.mark(first, second, add=LATER)
    phone.mark(second, third, add=PORTS)
    assert phone.post("rename-tag", s=LATER, dest="user/-/label/soon") == (200, "OK")
    assert tags(phone) == [PORTS, "user/-/label/soon"]
    assert phone.ids("user/-/label/soon") == [first, second]
    assert phone.post("rename-tag", s="user/-/label/soon", dest=PORTS) == (200, "OK")
    assert tags(phone) == [PORTS]
    assert phone.ids(PORTS) == [first, second, third]
    phone.mark(third, add=STARRED)
    assert phone.post("disable-tag", s=PORTS) == (200, "OK")
    assert tags(phone) == []
    assert phone.ids(STARRED) == [third], "the star stays"
    assert len(queried(small_room.database, select(read_mark)).all()) == 1
    assert (
        phone.post("disable-tag", s=PORTS)[0]
        == phone.post("rename-tag", s=PORTS, dest=LATER)[0]
        == 404
    )
    assert (
        phone.http.get("/reader/api/0/disable-tag", params={"s": PORTS}).status_code
        == 405
    )


@pytest.mark.later
@pytest.mark.parametrize(
    "name", ["", " ", "a/b", "two\nlines\x00", "state/com.google/read", "x" * 101]
)
def test_a_name_that_cannot_be_is_refused_in_words(
    phone: ReaderClient, name: str
) -> None:
    (first, *_) = phone.ids()
    status, text = phone.post("edit-tag", i=first, a=f"user/-/label/{name}")
    assert (status, "1 to 100 printable characters" in text) == (400, True)
    phone.mark(first, add=LATER)
    assert phone.post("rename-tag", s=LATER, dest=f"user/-/label/{name}")[0] == 400
    assert tags(phone) == [LATER]
    assert first in phone.unread()


@pytest.mark.later
def test_folders_and_saved_queries_come_before_labels(database: Database) -> None:
    with Newsroom(
        database, queries=(SavedQuery(query="bridge").named("bridges"),)
    ) as opened:
        opened.fill()
        phone = signed_in(opened)
        first, second = phone.ids()
        phone.mark(first, add=PORTS)
        assert phone.ids(PORTS) == [first]
        feed = feed_source("https://ports.example/feed", folder="Ports & ships")
        written_by(database, source_rows.add, feed)
        opened.writer.take(record(feed.id, "1", "Ferries late", STRIKE[::-1]))
        (late,) = {*phone.ids()} - {first, second}
        assert phone.ids(PORTS) == [late], "the folder, not the label of this name"
        assert PORTS not in phone.contents(first)[first]["categories"]
        assert tags(phone) == []
        assert [
            tag["type"] for tag in phone.get("tag/list")["tags"] if tag["id"] == PORTS
        ] == ["folder"]
        for tag, words in (
            (PORTS, "is a folder of sources"),
            (BRIDGES, "is a saved query"),
        ):
            for call, form in (
                ("edit-tag", {"i": first, "a": tag}),
                ("edit-tag", {"i": first, "r": tag}),
                ("rename-tag", {"s": tag, "dest": LATER}),
                ("rename-tag", {"s": LATER, "dest": tag}),
                ("disable-tag", {"s": tag}),
            ):
                status, text = phone.post(call, **form)
                if tag == PORTS and form.get("s") == PORTS:
                    assert status == 403, "only scope admin changes folders"
                else:
                    assert (status, words in text) == (400, True), (call, form)
        phone.mark(first, add=LATER)
        assert phone.post("rename-tag", s=LATER, dest=PORTS)[0] == 400
        assert phone.ids(LATER) == [first]


def test_labels_are_bounded(
    small_room: Newsroom, phone: ReaderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = {
        "MOST_LABELS": 3,
        "MOST_LABELS_OF_STORY": 2,
        "MOST_KEPT": 2,
        "MOST_MARKS": 4,
    }
    for name, bound in bounds.items():
        owner = mark_rows if hasattr(mark_rows, name) else read_marks
        monkeypatch.setattr(owner, name, bound)
    ids = phone.ids()
    phone.mark(ids[0], add="user/-/label/a")
    phone.mark(ids[0], add="user/-/label/b")
    assert "at most 2 labels" in phone.post("edit-tag", i=ids[0], a="user/-/label/c")[1]
    phone.mark(ids[1], add="user/-/label/c")
    assert (
        "there are 3 labels" in phone.post("edit-tag", i=ids[1], a="user/-/label/d")[1]
    )
    phone.mark(ids[1], add="user/-/label/a")
    for form in ({"a": "user/-/label/a"}, {"a": STARRED}):
        assert "starred or labelled" in phone.post("edit-tag", i=ids[2], **form)[1]
    phone.mark(*ids[2:8], add=READ)
    assert phone.ids("user/-/label/a") == ids[:2], "what is kept is no mark that may go"
    assert tags(phone) == [f"user/-/label/{name}" for name in "abc"]


def test_a_merged_story_has_the_labels_of_both_until_they_are_taken_off(
    small_room: Newsroom, phone: ReaderClient
) -> None:
    ids = by_title(small_room.database, "Hollin Bridge", "goat cheese")
    bridge, goat = (
        number_of(small_room, title) for title in ("Hollin Bridge", "goat cheese")
    )
    phone.mark(bridge, add=PORTS)
    phone.mark(goat, add=LATER)
    phone.mark(goat, add=STARRED)
    correct(small_room.database, "merge", *ids)
    assert phone.ids(LATER) == phone.ids(PORTS) == phone.ids(STARRED) == [bridge]
    phone.mark(bridge, remove=LATER)
    phone.mark(bridge, remove=STARRED)
    assert tags(phone) == [PORTS]
    assert phone.ids(STARRED) == []
    undo(small_room.database)
    assert phone.ids(LATER) == [goat]
    assert phone.ids(PORTS) == [bridge]


def test_labels_go_with_the_story(small_room: Newsroom, phone: ReaderClient) -> None:
    (bridge,) = by_title(small_room.database, "Hollin Bridge")
    phone.mark(number_of(small_room, "Hollin Bridge"), add=LATER)
    phone.mark(number_of(small_room, "goat cheese"), add=PORTS)
    for article in members(small_room.database, bridge):
        placing_of(small_room.database).erase(ForgetCommand(name=article))
    assert tags(phone) == [PORTS]
    assert len(queried(small_room.database, select(read_mark)).all()) == 1


def test_a_client_may_ask_to_make_a_label_before_it_gives_it(
    phone: ReaderClient,
) -> None:
    """Readrops makes a folder so; it appears with its first story."""
    assert phone.post("edit-tag", a=LATER) == (200, "OK")
    assert tags(phone) == []


def test_what_no_client_may_mark_by_mistake(phone: ReaderClient) -> None:
    assert phone.post("mark-all-as-read", s=LIST, ts="soon")[0] == 400
    assert phone.unread() == phone.ids()
