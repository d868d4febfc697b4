"""Paging through the API while stories move: nothing twice, and nothing lost but to the next walk."""

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from aggregator.config.story_query import SavedQuery, StoryFilter, StoryQuery
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import story
from aggregator.web.list_query import CURSOR, next_of, read_next
from tests.support.articles import NOON, record
from tests.support.fresh import sqlite_at
from tests.support.newsroom import Newsroom, problem_of
from tests.support.rows import executed, queried
from tests.support.services import all_services

WORDS = (
    "ferry",
    "orchard",
    "council",
    "glacier",
    "opera",
    "harvest",
    "tunnel",
    "bakery",
    "comet",
)


def of(subject: str) -> str:
    """A text that shares no word with those of other subjects."""
    digests = (hashlib.sha256(f"{subject}{n}".encode()).hexdigest() for n in range(60))
    return " ".join(digest.translate(_LETTERS)[:7] for digest in digests)


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


@pytest.mark.later
def test_what_24h_means_is_settled_by_the_first_page(database: Database) -> None:
    with Newsroom(database) as room:
        for n, word in enumerate(WORDS[:4]):
            room.writer.take(record("Bote", str(n), word, of(word)))
        now = [NOON + timedelta(hours=23, minutes=50)]
        with served(room, lambda: now[0]) as client:
            first = client.get("/api/v1/stories?since=24h&limit=2").json()
            now[0] += timedelta(minutes=20)
            rest = client.get(
                f"/api/v1/stories?since=24h&limit=2&after={first['next']}"
            ).json()
            assert len(first["stories"]) == len(rest["stories"]) == 2
            assert not client.get("/api/v1/stories?since=24h").json()["stories"], (
                "a walk that begins now"
            )


def served(room: Newsroom, clock: Any) -> Any:
    """The application with a clock of the test's own."""
    from starlette.testclient import TestClient

    from aggregator.publish.output_settings import PublishSettings
    from aggregator.web.web_app import create_app

    return TestClient(
        create_app(room.reading, PublishSettings(), all_services(room.database), clock),
        base_url="http://127.0.0.1",
    )


# --- any bumps, any pages ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def story_reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with sqlite_at(tmp_path_factory.mktemp("walks") / "walks.db") as opened:
        yield opened


def put(database: Database, count: int) -> list[int]:
    """So many stories and nothing else in the database; their numbers, oldest first."""
    template = {
        "title": "x", "summary": "", "language": "en", "first_published": NOON, "last_published": NOON,
        "article_count": 1, "outlet_count": 1, "report_count": 1,
    }  # fmt: skip
    with database.write() as connection:
        connection.execute(story.delete())
        needed = {
            column.name: b"" if column.type.python_type is bytes else 0
            for column in story.columns
            if not column.nullable and column.default is None and column.name not in template
            and column.type.python_type in (bytes, int)
        }  # fmt: skip
        for n in range(1, count + 1):
            row = (
                needed
                | template
                | {
                    "story_no": n,
                    "id": f"s{n}",
                    "founding_article": f"a{n}",
                    "bumped_at": moment(n),
                }
            )
            connection.execute(insert(story).values(row))
    return list(range(1, count + 1))


def moment(turn: int) -> datetime:
    return NOON + timedelta(microseconds=turn)


@settings(
    max_examples=40,
)
@given(data=st.data(), count=st.integers(1, 12), limit=st.integers(1, 5))
def test_a_walk_shows_what_does_not_move_once(
    story_reader: Database, data: st.DataObject, count: int, limit: int
) -> None:
    """The model: a list, newest first. Between any two pages any stories are bumped, and new ones come."""
    numbers = put(story_reader, count)
    reading, turn = StoryReader(story_reader), count + 1
    moved: set[str] = set()
    shown: list[str] = []
    page = reading.stories(StoryFilter(limit=limit))
    for _ in range(2 * count + 2):
        shown += [one.id for one in page.stories]
        if page.next is None:
            break
        for n in data.draw(st.lists(st.sampled_from(numbers), max_size=3)):
            executed(
                story_reader,
                update(story)
                .where(story.c.story_no == n)
                .values(bumped_at=moment(turn)),
            )
            turn += 1
            moved.add(f"s{n}")
        page = reading.stories(StoryFilter(limit=limit, after=page.next))
    else:
        pytest.fail("the walk does not end")
    assert len(shown) == len(set(shown)), "nothing twice"
    assert {f"s{n}" for n in numbers} - moved <= set(shown), (
        "what has not moved is shown"
    )
    newest = (
        queried(story_reader, select(story.c.id).order_by(story.c.bumped_at.desc()))
        .scalars()
        .all()
    )
    assert set(newest[: len(moved)]) == moved, (
        "what has moved is at the top of the next walk"
    )


# --- the cursor --------------------------------------------------------------------------------------------


OTHER_LISTS = (
    "order=front",
    "order=newest",
    "min_reports=2",
    "query=ferry",
    "since=7d",
    "saved=two",
)


@pytest.mark.parametrize("order", ["newest", "front"])
def test_a_cursor_of_another_list_is_refused(sqlite: Database, order: str) -> None:
    """It used to answer nothing in the one order, and to begin anew in the other."""
    queries = (
        SavedQuery(min_reports=2).named("two"),
        SavedQuery(outlet="Bote").named("bote"),
    )
    with Newsroom(sqlite, queries=queries) as room:
        for n, word in enumerate(WORDS[:4]):
            room.writer.take(record("Bote", str(n), word, of(word)))
        room.writer.pipeline.index_text(lambda: False)
        here = f"/api/v1/stories?order={order}&outlet=Bote"
        after = room.read_json(f"{here}&limit=2")["next"]
        for parameter in OTHER_LISTS:
            if parameter != f"order={order}":
                answer = room.client.get(f"{here}&{parameter}&after={after}")
                words = problem_of(answer, 400)
                assert "of a list with another filter or order" in words, parameter
        rest = room.read_json(f"{here}&limit=9&after={after}")
        assert len(rest["stories"]) == 2, "a page may have another size"
        again = f"/api/v1/stories?order={order}&saved=bote&after={after}"
        assert room.read_json(again) == rest, "the same filter, written otherwise"


def test_a_page_goes_on_in_its_own_list_only(sqlite: Database) -> None:
    with Newsroom(sqlite) as room:
        for n, word in enumerate(WORDS[:4]):
            room.writer.take(record("Bote", str(n), word, of(word)))
        page = room.client.get("/?view=newest&limit=2&outlet=Bote").text
        [following] = {
            address.replace("&amp;", "&")
            for address in re.findall(r'href="(?:/)?(\?[^"]*after=[^"]*)"', page)
        }
        assert room.client.get(f"/{following}").status_code == 200
        other = room.client.get(f"/{following.replace('Bote', 'Echo')}")
        assert other.status_code == 400
        assert "another filter or order" in other.text


@settings(
    max_examples=60,
)
@given(data=st.data())
def test_every_cursor_that_the_description_allows_is_one(
    story_reader: Database, data: st.DataObject
) -> None:
    drawn = data.draw(st.from_regex(CURSOR, fullmatch=True)).strip()
    if drawn:
        digits, _, inner = drawn.split(".")
        list_hash = (next_of("1-1", NOON, StoryQuery()) or "").split(".")[1]
        _, after = read_next(f"{digits}.{list_hash}.{inner}", StoryQuery())
        StoryReader(story_reader).stories(StoryFilter(after=after))
