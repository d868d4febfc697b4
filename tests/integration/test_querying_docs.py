"""The SQL of docs/querying.md runs on both databases and has answers; the views have the columns named."""

import datetime as dt
import re

import pytest
from sqlalchemy import text

from aggregator.store.database import Database
from aggregator.store.sources import Source, add
from tests.articles import FLOOD, FLOOD_ELSEWHERE, NOON, STRIKE, Clock, Desk, record
from tests.conftest import REPOSITORY

DOCUMENT = (REPOSITORY / "docs" / "querying.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"^(\S[^\n]*\?[^\n]*)\n\n```sql\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
VIEWS = re.findall(r"^\| `(v_\w+)` \|[^|]*\| (.*) \|$", DOCUMENT, re.MULTILINE)


@pytest.fixture
def filled(database: Database) -> Database:
    """A story with two reports and a reprint, another story, a source that fails."""
    desk = Desk(database, Clock())
    hour = dt.timedelta(hours=1)
    desk.accept(
        record("Arrel Courier", "1", "Levee on the Arrel breaks in Pennmouth", FLOOD, published=NOON),
        record("Calmouth Post", "2", "Pennmouth under water", FLOOD_ELSEWHERE, published=NOON + hour),
        record("Sennick Echo", "3", "Levee on the Arrel breaks", FLOOD, published=NOON + 2 * hour),
        record("Sennick Echo", "4", "Dockers strike in Sennick", STRIKE, published=NOON),
    )
    desk.place()
    source = Source(
        id="s", kind="feed", address="https://news.example/feed", interval_seconds=3600, next_due_at=NOON,
        health="failing", health_cause="http 503: Service Unavailable", failures=2,
    )  # fmt: skip
    with database.write() as connection:
        add(connection, source)
    return database


def test_every_question_has_an_answer(filled: Database) -> None:
    assert len(QUESTIONS) == DOCUMENT.count("```sql") >= 5
    for question, sql in QUESTIONS:
        with filled.read() as connection:
            rows = connection.execute(text(sql)).all()
        assert rows, question


def test_who_was_first_and_who_printed_whose_text(filled: Database) -> None:
    answers = dict(QUESTIONS)
    with filled.read() as connection:
        first = connection.execute(
            text(answers["Who was first with a story that others reported too?"])
        ).all()
        printed = connection.execute(text(answers["Who printed whose text?"])).all()
    assert [tuple(row) for row in first] == [("Arrel Courier", 1)]
    assert [tuple(row) for row in printed] == [("Sennick Echo", "Arrel Courier", 1)]


def test_views_have_the_columns_that_are_named(filled: Database) -> None:
    assert len(VIEWS) == 4
    for view, columns in VIEWS:
        with filled.read() as connection:
            found = connection.execute(text(f"SELECT * FROM {view}"))
        assert set(found.keys()) == set(re.findall(r"`(\w+)`", columns)), view
