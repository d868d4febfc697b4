"""Words that a visitor, a client or a saved query does not want to read about, on both databases."""

from collections.abc import Iterator

import pytest

from aggregator.config.story_query import SavedQuery
from aggregator.store.engine.database import Database
from tests.support.articles import DAY, NOON
from tests.support.newsroom import Newsroom
from tests.support.reader_client import signed_in

LEVEE, STRIKE = "Levee on the Arrel breaks in Pennmouth", "Dockers strike in Sennick"


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    dry = SavedQuery(query="-levee").named("dry")
    with Newsroom(database, queries=(dry,)).fill() as opened:
        opened.clock.time = NOON + DAY
        yield opened


@pytest.mark.later
def test_a_query_that_only_excludes_works_wherever_stories_are_read(
    room: Newsroom,
) -> None:
    phone = signed_in(room, "ada")
    (strike,) = phone.ids("user/-/label/dry")
    assert phone.contents(strike)[strike]["title"] == STRIKE
    lists = ("/?", "/?view=newest&", "/api/v1/stories?", "/feeds/stories.json?")
    for chosen in ("saved=dry", "query=-levee", "query=-arrel+-outlet:nobody"):
        for address in lists:
            answer = room.get(address + chosen)
            assert answer.status_code == 200
            assert STRIKE in answer.text, address
            assert LEVEE not in answer.text, address
    words = "-levee+-pennmouth"
    for address in (
        f"/search?q={words}",
        f"/api/v1/search?query={words}",
        "/feeds/dry.atom",
    ):
        assert STRIKE in room.get(address).text
        assert LEVEE not in room.get(address).text
