"""Reports of one capital and day: sharing a country and a day does not make two happenings one event."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select

from aggregator.store.tables import article
from tests.support.articles import NOON, Rig, record
from tests.support.rows import queried

# event, hours after noon, title, text
Report = tuple[str, float, str, str]

TRIAL: list[Report] = [
    (
        "trial",
        0,
        "Alleged plot: one officer reaches court in Ostrel, five still awaited",
        "One of six people accused of plotting against the government of Karvia arrived at the high court in Ostrel "
        "on Tuesday under heavy guard. The others, among them a retired admiral, were still awaited, officials said.",
    ),
    (
        "trial",
        2.5,
        "Trial opens after Karvia charges six over plot against government",
        "The trial of six men accused of planning to overthrow the government of Karvia last year opened in Ostrel on "
        "Tuesday. Prosecutors say that a retired admiral led the group; all of them deny the charges.",
    ),
    (
        "trial",
        5,
        "Karvia: admiral pleads not guilty as trial over plot begins",
        "Retired admiral Benno Tark pleaded not guilty on Tuesday as he and five others went on trial in Ostrel, "
        "accused of a plot to seize power in Karvia last year.",
    ),
]
BREAD: list[Report] = [
    (
        "bread",
        1,
        "Karvia raises price of bread for the third time this year",
        "Bread becomes eight percent dearer in Karvia from Wednesday, the ministry of trade in Ostrel said on Tuesday. "
        "It is the third increase of this year; bakers announced a protest.",
    ),
]
TUNNEL: list[Report] = [
    (
        "tunnel",
        1.5,
        "Karvia and Lunden sign treaty on a tunnel under the strait",
        "The foreign ministers of Karvia and Lunden signed a treaty on a railway tunnel under the strait in Ostrel on "
        "Tuesday. Digging is to begin next year.",
    ),
]


def stories_of(rig: Rig, reports: Sequence[Report]) -> dict[str, set[str]]:
    """Take in the reports in this order; return the events of each story by its id."""
    for number, (event, hours, title, text) in enumerate(reports):
        rig.take(
            record(
                f"outlet {number}",
                f"{event} {number}",
                title,
                text,
                published=NOON + hours * timedelta(hours=1),
                language="en",
            )
        )
    event_of = {title: event for event, _, title, _ in reports}
    events = defaultdict(set)
    for row in queried(rig.database, select(article.c.title, article.c.story)):
        events[row.story].add(event_of[row.title])
    return dict(events)


@pytest.mark.parametrize(
    "reports",
    [
        [TRIAL[0], *BREAD, *TRIAL[1:]],
        [*BREAD, *TRIAL],
        [*TRIAL, *BREAD],
        [TRIAL[0], *TUNNEL],
        [TRIAL[0], *BREAD, TRIAL[1], *TUNNEL, TRIAL[2]],
    ],
    ids=[
        "the price of bread between the first reports of a trial",
        "the price of bread first",
        "the price of bread last",
        "a treaty between two countries",
        "three reports of a trial among three other happenings",
    ],
)
def test_one_capital_and_one_day_do_not_make_one_event(
    rig: Rig, reports: list[Report]
) -> None:
    events = stories_of(rig, reports)
    mixed = [found for found in events.values() if len(found) > 1]
    assert not mixed, f"these events share a story: {mixed}"


def test_the_reports_of_the_trial_find_each_other_beside_the_price_of_bread(
    rig: Rig,
) -> None:
    events = stories_of(rig, [TRIAL[0], *BREAD, *TRIAL[1:]])
    assert sorted(map(sorted, events.values())) == [["bread"], ["trial"]]
