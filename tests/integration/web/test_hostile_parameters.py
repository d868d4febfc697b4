"""Whatever stands in an address, the answer is 2xx, 3xx or 4xx: all routes of the app, both databases."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aggregator.store.engine.database import Database
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.tables import mapping

PARAMETERS = mapping("hostile_parameters", "parameters")
VALUES = st.one_of(
    *(st.sampled_from(odd) for odd in mapping("hostile_parameters", "values").values()),
    st.text(max_size=300),
    st.just("x" * 5000),
)


class Room(Newsroom):
    """One with a token that opens everything."""

    secret = ""


@pytest.fixture
def room(database: Database) -> Iterator[Room]:
    with Room(database) as opened:
        opened.fill()
        opened.secret = opened.token("editor", "admin")
        yield opened


@st.composite
def _addresses(draw: st.DrawFn) -> str:
    path = draw(st.sampled_from(sorted(PARAMETERS)))
    names = draw(st.lists(st.sampled_from(PARAMETERS[path]), max_size=4))
    asked = "&".join(f"{name}={_quoted(draw(VALUES))}" for name in names)
    return path.format(_quoted(draw(VALUES))[:2000] if "{}" in path else "") + (
        f"?{asked}" if asked else ""
    )


def _quoted(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"), safe="")


@pytest.mark.later
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@example("/api/v1/stories?query=before:0001")
@example("/?query=before:0001")
@example("/search?q=before:0001")
@example("/feeds/stories.rss?query=before:0001")
@example("/feeds/stories.rss?query=before:0001")
@example("/api/v1/search?query=before:0001")
@example("/api/v1/search?query=levee&until=9999-12-31")
@example("/api/v1/search?query=levee+before:0001-01-01")
@example("/?query=outlet%3A%22")
@example("/search?q=author:%22!%22")
@example("/explain/levee%00")
@example("/stories/levee%00")
@example("/api/v1/articles/levee%00")
@example("/t/levee%00/")
@example("/feeds/levee%00.rss")
@given(_addresses())
def test_no_address_is_a_fault_of_the_program(room: Room, address: str) -> None:
    for headers in ({}, STRANGER, {"Authorization": f"Bearer {room.secret}"}):
        answer = room.client.get(address, headers=headers)
        assert 200 <= answer.status_code < 500, (
            address,
            answer.status_code,
            answer.text[:300],
        )
