"""Lists of the API beside stories: folders, topics, saved queries; the order of the front page; methods."""

import re

import pytest

from aggregator.config.story_query import SavedQuery, StoryFilter
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import add, all_sources, remove
from tests.support.articles import FLOOD, record
from tests.support.newsroom import STRANGER, Newsroom, problem_of
from tests.support.polling import feed_source
from tests.support.rows import read_by, written_by
from tests.support.tables import mapping


def test_folders_topics_and_saved_queries_are_listed(database: Database) -> None:
    queries = (
        SavedQuery(title="Harbours", query="dock", min_reports=2, name="Arrel").named(
            "ports"
        ),
        SavedQuery(since="24h", items=7).named("today"),
    )
    with Newsroom(database, queries=queries) as room:
        for name, folder in (
            ("a", "Ports"),
            ("b", "Arts"),
            ("c", None),
            ("d", "Ports"),
        ):
            written_by(
                database,
                add,
                feed_source(f"https://{name}.example/f", name=name, folder=folder),
            )
        assert room.read_json("/api/v1/folders") == {"folders": ["Arts", "Ports"]}
        assert room.read_json("/api/v1/topics") == {
            "topics": list(room.reading.topics())
        }
        listed = room.read_json("/api/v1/queries")
        first = {"query": "dock", "min_reports": 2, "name": "Arrel"}
        assert listed == {
            "queries": [
                {"name": "ports", "title": "Harbours", "parameters": first},
                {"name": "today", "title": "today", "parameters": {"since": "24h"}},
            ]
        }
        for query in listed["queries"]:
            room.client.get(
                "/api/v1/stories", params=query["parameters"]
            ).raise_for_status()


def _ids_of_page(room: Newsroom, address: str) -> set[str]:
    page = room.client.get(address)
    page.raise_for_status()
    return set(re.findall(r'<h\d id="t-(\w+)"', page.text))


def _take_story(room: Newsroom, number: int) -> None:
    """Place an article that is like no other one."""
    text = " ".join(f"{word}{number}" for word in FLOOD.split()[:60])
    room.writer.take(
        record(
            f"Paper {number}",
            f"u{number}",
            f"Pump{number} of lock{number}",
            text,
            published=None,
        )
    )


@pytest.mark.later
def test_stories_come_in_the_order_of_the_front_page(either: Newsroom) -> None:
    for number in range(5):
        _take_story(either, number)
    either.writer.render()
    ranking = [one.id for one in either.reading.rank_front_page(StoryFilter())]
    newest = [one["id"] for one in either.read_json("/api/v1/stories")["stories"]]
    assert len(ranking) >= 4
    assert set(ranking) == set(newest)
    assert ranking != newest, "the story of several reports is above newer ones"
    assert [
        one["id"] for one in either.read_json("/api/v1/stories?order=front")["stories"]
    ] == ranking
    assert [
        one["id"] for one in either.read_json("/api/v1/stories?order=newest")["stories"]
    ] == newest

    read: list[str] = []
    address, number = "/api/v1/stories?order=front&limit=2", 1
    while True:
        page = either.read_json(address)
        ids = [one["id"] for one in page["stories"]]
        assert set(ids) == _ids_of_page(either, f"/?limit=2&page={number}")
        read += ids
        if page["next"] is None:
            break
        address, number = (
            f"/api/v1/stories?order=front&limit=2&after={page['next']}",
            number + 1,
        )
    assert read == ranking
    assert "order must be '', 'newest' or 'front': 'x'" in problem_of(
        either.get("/api/v1/stories?order=x"), 400
    )


def test_stories_of_one_weight_are_all_listed(sqlite: Database) -> None:
    """Undated texts of files have one time each; whatever ranks they have, none is lost between pages."""
    with Newsroom(sqlite) as room:
        for number in range(7):
            _take_story(room, number)
        with sqlite.write() as connection:
            connection.exec_driver_sql(
                "UPDATE story SET bumped_at = (SELECT min(bumped_at) FROM story)"
            )
        ranking = [one.id for one in room.reading.rank_front_page(StoryFilter())]
        assert len(ranking) == 7
        read, after = [], ""
        while after is not None:
            page = room.read_json(f"/api/v1/stories?order=front&limit=2&after={after}")
            read += [one["id"] for one in page["stories"]]
            after = page["next"]
        assert read == ranking


@pytest.mark.parametrize("gone", ["the last of the page", "the whole page"])
def test_a_list_of_sources_goes_on_where_sources_were_removed(
    database: Database, gone: str
) -> None:
    with Newsroom(database) as room:
        for name in ("Arrel", "courier", "Echo", "post", "Ünion"):
            written_by(
                database,
                add,
                feed_source(f"https://{name[0]}.example/f?key=k3y", name=name),
            )
        written_by(
            database, add, feed_source("https://u:s3cret@dock.example/f?key=k3y")
        )
        first = room.get("/api/v1/sources?limit=3", **STRANGER).json()
        assert [one["name"] for one in first["sources"]] == [
            "Arrel",
            "courier",
            "dock.example",
        ]
        assert "://" not in bytes.fromhex(first["next"]).decode()
        listed = [one["id"] for one in first["sources"]]
        for one in read_by(database, all_sources):
            if one.id in (listed if gone == "the whole page" else listed[-1:]):
                written_by(database, remove, one.id)
        rest = room.read_json(f"/api/v1/sources?limit=3&after={first['next']}")
        assert [one["name"] for one in rest["sources"]] == ["Echo", "post", "Ünion"]
        assert rest["next"] is None


METHODS = mapping("api_lists", "methods")


@pytest.mark.later
@pytest.mark.parametrize("path", METHODS)
def test_each_address_says_its_methods(room: Newsroom, path: str) -> None:
    asked = room.ask("OPTIONS", path)
    assert (asked.status_code, asked.headers["allow"], asked.content) == (
        204,
        METHODS[path],
        b"",
    )
    refused = room.ask("PUT", path)
    assert (refused.status_code, refused.headers["allow"]) == (405, METHODS[path])
    assert room.ask("OPTIONS", "/api/v1/nothing").status_code == 404
