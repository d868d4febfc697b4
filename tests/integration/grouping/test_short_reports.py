"""Short reports of one morning: a place, a person, a team or a count tells two of them apart."""

import datetime as dt
from collections import defaultdict

from sqlalchemy import select

from aggregator.cli.explain_command import explanation_text
from aggregator.config.tuning import Tuning
from aggregator.grouping.corrections.explanation import explanation
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article
from tests.support.articles import NOON, Rig, record
from tests.support.rows import queried

MORNING = [
    (
        "planes a",
        "Kite Daily",
        "Small plane crashes near Bramley, pilot killed",
        (
            "A single-engine plane crashed in a field near Bramley on Saturday "
            "morning, killing the pilot, police said. The cause is being "
            "investigated."
        ),
    ),
    (
        "planes a",
        "Harbour Post",
        "Pilot dies in light aircraft crash at Bramley",
        (
            "The pilot of a light aircraft died when it came down in a field "
            "outside Bramley on Saturday morning."
        ),
    ),
    (
        "planes b",
        "Lindmar Times",
        "Small plane crashes near Oxted, two killed",
        (
            "A twin-engine plane crashed in woodland near Oxted on Saturday, "
            "killing both people on board, police said. The cause is being "
            "investigated."
        ),
    ),
    (
        "planes b",
        "Radio Arrel",
        "Two dead after light aircraft crashes at Oxted",
        (
            "Two people died when their light aircraft came down in woods outside "
            "Oxted on Saturday."
        ),
    ),
    (
        "mines a",
        "Kite Daily",
        "Twelve trapped after coal mine collapse in Lens",
        (
            "Twelve miners were trapped underground after part of a coal mine "
            "collapsed in Lens on Saturday, rescue services said."
        ),
    ),
    (
        "mines a",
        "Radio Arrel",
        "Rescuers search for twelve miners in Lens",
        (
            "Rescuers were searching for twelve coal miners after a tunnel "
            "collapsed at a pit in Lens."
        ),
    ),
    (
        "mines b",
        "Globe Wire",
        "Seven trapped after gold mine collapse in Obuasi",
        (
            "Seven miners were trapped underground after part of an illegal gold "
            "mine collapsed in Obuasi on Saturday, rescue services said."
        ),
    ),
    (
        "mines b",
        "Morning Sentinel",
        "Rescuers search for seven gold miners in Obuasi",
        (
            "Rescuers were searching for seven men after a tunnel caved in at an "
            "illegal gold mine in Obuasi."
        ),
    ),
]


def test_accidents_of_one_kind_at_two_places_are_two_events(rig: Rig) -> None:
    for minutes, (event, outlet, title, text) in enumerate(MORNING):
        published = NOON + minutes * dt.timedelta(minutes=20)
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
    text = explanation_text(explanation(reader, first, other, Tuning()))
    assert "Bramley and Oxted differ" in text
