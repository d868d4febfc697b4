"""Short reports of one morning: a place, a person, a team or a count tells two of them apart."""

from collections import defaultdict
from datetime import timedelta

from sqlalchemy import select

from aggregator.cli.explain_command import explanation_text
from aggregator.config.tuning import Tuning
from aggregator.grouping.corrections.explanation import explain_article
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article
from tests.support.articles import NOON, Rig, record
from tests.support.rows import queried
from tests.support.tables import rows

MORNING = rows("short_reports", "morning")


def test_accidents_of_one_kind_at_two_places_are_two_events(rig: Rig) -> None:
    for minutes, (event, outlet, title, text) in enumerate(MORNING):
        published = NOON + minutes * timedelta(minutes=20)
        rig.take(
            record(
                outlet,
                f"{event} {outlet}",
                title,
                text,
                published=published,
                language="en",
            )
        )
    rows = queried(
        rig.database, select(article.c.id, article.c.title, article.c.story)
    ).all()
    stories = defaultdict(set)
    for row in rows:
        stories[row.story].update(
            event for event, _, title, _ in MORNING if title == row.title
        )
    assert all(len(events) == 1 for events in stories.values()), stories
    first, other = (
        next(row.id for row in rows if row.title == MORNING[at][2]) for at in (0, 2)
    )
    reader = StoryReader(rig.database, Tuning())
    text = explanation_text(explain_article(reader, first, other, Tuning()))
    assert "Bramley and Oxted differ" in text
