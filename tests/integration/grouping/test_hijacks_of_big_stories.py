"""Honest latecomers to a story of many reports are told and counted; who steals or names others lifts no count.

Advertisements in such stories are in test_attack_matrix.py.
"""

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text

from aggregator.store.engine.database import Database
from aggregator.store.tables import article
from aggregator.text.sentences import sentences_of
from tests.support.big_story import (
    ADVERTISED,
    LATER,
    STORIES,
    BigStory,
    feed_of,
    needs_events,
    of_feed,
)
from tests.support.rows import queried
from tests.support.tables import each_row

pytestmark = needs_events


@pytest.mark.parametrize(
    ("outlet", "dateline"),
    [("spam.example", "LONDON (Reuters) - "), ("reuters.com", "")],
)
@pytest.mark.parametrize("event", STORIES)
def test_an_unknown_outlet_makes_no_agency_the_origin_of_what_it_copies_and_no_topic(
    database: Database, event: str, outlet: str, dateline: str
) -> None:
    """Neither by a dateline nor by links to the agency."""
    story = BigStory(database, event)
    before = story.shown()
    after = story.takes(
        *(
            replace(
                of_feed("spam.example", f"{row.title}", dateline + row.text, LATER),
                guid=str(n),
                outlet=outlet,
                categories=("Slimona",),
            )
            for n, row in enumerate(story.reports)
        )
    )
    assert after.text.count("\n- ") >= before.text.count("\n- ")
    assert after.articles > before.articles
    assert after.reports == before.reports
    topics = text("SELECT topic FROM v_story_topics WHERE story_id = :id").bindparams(
        id=story.id
    )
    assert queried(database, topics).scalars().all() == []


@pytest.mark.parametrize("named", ["valley.example", "spam.example"])
@pytest.mark.parametrize("event", STORIES)
def test_who_lists_the_address_of_a_known_outlet_before_it_keeps_no_report_of_it_out(
    database: Database, event: str, named: str
) -> None:
    story = BigStory(database, event, known=("valley.example",))
    address, report = "https://valley.example/report", story.withheld
    sentences = [one for said in sentences_of(report["text"]) for one in said]
    stolen = " ".join((*sentences[:3], ADVERTISED))
    before = story.shown()
    story.takes(
        replace(
            of_feed("spam.example", report["title"], stolen, LATER),
            url=address,
            outlet=named,
        )
    )
    own = of_feed("valley.example", report["title"], report["text"], LATER)
    after = story.takes(replace(own, url=address, authority="own"))
    assert (after.articles, after.outlets) == (before.articles + 1, before.outlets + 1)
    assert "Slimona" not in after.text
    a = article.c
    written = select(a.role, a.counts_as_report, a.is_little_known, a.source, a.outlet)
    (row,) = queried(database, written.where(a.url == address)).all()
    assert row == ("report", True, False, feed_of("valley.example"), "valley.example")


@pytest.mark.parametrize("event", STORIES)
def test_a_late_reprint_of_a_small_outlet_joins_and_is_told_and_counted(
    database: Database, event: str
) -> None:
    story = BigStory(database, event)
    before = story.shown()
    after = story.takes(
        of_feed("valley.example", story.last.title, story.last.text, LATER)
    )
    assert after._replace(text="") == before._replace(
        text="", articles=before.articles + 1, outlets=before.outlets + 1
    )
    assert "valley.example" in after.text


@pytest.mark.parametrize("event", STORIES)
def test_a_report_of_a_small_outlet_joins_and_is_told_and_counted(
    database: Database, event: str
) -> None:
    story = BigStory(database, event)
    before = story.shown()
    own = of_feed(
        "valley.example", story.withheld["title"], story.withheld["text"], LATER
    )
    after = story.takes(own)
    assert (after.articles, after.outlets) == (before.articles + 1, before.outlets + 1)
    assert before.reports <= after.reports <= before.reports + 1, (
        "some share a quarter of their words with one"
    )
    assert "valley.example: " in after.text or "valley.example," in after.text


@each_row(
    "hijacks_of_big_stories",
    "two reprints of small outlets count as one outlet until they are known",
    "known",
    "more",
)
def test_two_reprints_of_small_outlets_count_as_one_outlet_until_they_are_known(
    database: Database, known: tuple[str, ...], more: int
) -> None:
    story = BigStory(database, "ecb-7-plus", known=known)
    before = story.shown()
    reprints = [
        of_feed(f"{n}.example", story.last.title, story.last.text, LATER)
        for n in ("hill", "dale")
    ]
    assert story.takes(*reprints).outlets == before.outlets + more
