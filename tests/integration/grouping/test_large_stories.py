"""A story of very many articles: its row says what its articles say, whatever comes in which order."""

from datetime import timedelta
from random import Random

import pytest

from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.stories.article_views import SHOWN_MEMBERS
from aggregator.store.tables import story
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, NOON, Clock, Rig, record
from tests.support.rows import column
from tests.support.story_checks import what_is_wrong

# Agencies, outlets of one publisher, outlets in several spellings, and an unknown one.
PAPERS = ("Courier", "courier", "Echo", "Reuters", "Bell", "waz.de", "Siren", None)


def _copies(count: int) -> list[Entry]:
    """Reprints in any order of time, some without a date, some before the first one."""
    mixed = Random(7)
    copies = []
    for number in range(count):
        paper = mixed.choice(PAPERS)
        published = NOON + timedelta(minutes=mixed.randrange(-90, 900))
        copy = record(
            f"{paper} {number % 3}",
            str(number),
            "Levee breaks at Pennmouth",
            FLOOD,
            outlet=paper,
            published=None if number % 9 == 0 else published,
            language="en",
        )
        copies.append(copy)
    return copies


@pytest.mark.later
def test_the_row_of_a_flood_is_that_of_its_articles(database: Database) -> None:
    rig = Rig(database, Clock(days=2))
    rig.take(record("Courier 0", "first", "Levee breaks", FLOOD))
    copies = _copies(SHOWN_MEMBERS + 40)
    for start in range(0, len(copies), 8):
        rig.take(*copies[start : start + 8])
        if start >= SHOWN_MEMBERS:
            assert what_is_wrong(database) == []
    rig.take(
        record("Gazette", "own", "Levee breaks", FLOOD_ELSEWHERE),
        record("Herald", "own", "Levee breaks at Pennmouth", FLOOD),
    )
    assert what_is_wrong(database, rig.pipeline.placer) == []
    assert max(column(database, story.c.article_count)) > SHOWN_MEMBERS + 40
