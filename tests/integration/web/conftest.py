"""Newsrooms that most tests over HTTP ask: two stories, and corrections are carried out."""

from collections.abc import Iterator

import pytest

from aggregator.config.story_query import SavedQuery
from aggregator.store.engine.database import Database
from tests.support.articles import DAY, NOON
from tests.support.newsroom import Newsroom
from tests.support.reader_client import ReaderClient, signed_in


@pytest.fixture
def room(sqlite: Database) -> Iterator[Newsroom]:
    with Newsroom(sqlite).fill().start_writing() as opened:
        yield opened


@pytest.fixture
def either(database: Database) -> Iterator[Newsroom]:
    """The same on both kinds of database."""
    with Newsroom(database).fill().start_writing() as opened:
        yield opened


@pytest.fixture
def small_room(grouped: Database) -> Iterator[Newsroom]:
    """63 articles of the small set."""
    bridges = SavedQuery(query="bridge").named("bridges")
    with Newsroom(grouped, queries=(bridges,)) as opened:
        opened.clock.time = NOON + 10 * DAY
        opened.writer.pipeline.index_text(lambda: False)
        yield opened


@pytest.fixture
def phone(small_room: Newsroom) -> ReaderClient:
    return signed_in(small_room)
