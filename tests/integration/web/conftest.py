"""Newsrooms that most tests over HTTP ask: two stories, and corrections are carried out."""

from collections.abc import Iterator

import pytest

from aggregator.store.engine.database import Database
from tests.support.newsroom import Newsroom


@pytest.fixture
def room(sqlite: Database) -> Iterator[Newsroom]:
    with Newsroom(sqlite).fill().start_writing() as opened:
        yield opened


@pytest.fixture
def either(database: Database) -> Iterator[Newsroom]:
    """The same on both kinds of database."""
    with Newsroom(database).fill().start_writing() as opened:
        yield opened
