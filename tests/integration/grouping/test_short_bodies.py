"""A feed that gives a sentence below its headline joins the story."""

from datetime import datetime, timedelta

import pytest

from aggregator.store.engine.database import Database
from tests.support.articles import NOON, Rig, record
from tests.support.tables import mapping

# (language, title and body of the first outlet, then of the second)
SHORT_BODIES = mapping("short_bodies", "short bodies")


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize("name", SHORT_BODIES)
def test_two_short_bodies_of_few_words_in_common_under_nearly_one_headline_are_one_story(
    sqlite: Database, name: str
) -> None:
    language, title, body, other_title, other_body = SHORT_BODIES[name]
    rig = Rig(sqlite)
    (first,) = rig.take(
        record("Herald", "1", title, body, language=language, published=at(0))
    )
    (second,) = rig.take(
        record(
            "Post", "2", other_title, other_body, language=language, published=at(120)
        )
    )
    assert (second.outcome, second.story) == ("joined", first.story)
