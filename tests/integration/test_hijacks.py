"""A text that has nothing to do with a story does not join it under the headline of one of its reports."""

import pytest

from aggregator.store.engine.database import Database
from tests import articles
from tests.articles import NOON, Clock, Rig, record

HEADLINE = "Levee on the Arrel breaks, Pennmouth under water"
FLOOD, FLOOD_ELSEWHERE, STRIKE = (
    " ".join(text.split()) for text in (articles.FLOOD, articles.FLOOD_ELSEWHERE, articles.STRIKE)
)
ADVERTISEMENTS = (
    """Slimona drops helped me lose twelve kilos in a month, and my doctor could not believe it. Order
three bottles today and pay for two. Thousands of happy customers write to us every week. The
secret is a berry from the mountains, which burns fat while you sleep. Free delivery ends tonight,
so do not wait. Results may differ.""",
    """Play at Golden Harbour casino and get two hundred free spins with your first deposit. Our slots
pay out more than any others, and winners get their money within an hour. Sign up with the code
LEVEL and double your chances. Play responsibly. Bonus conditions apply to all new accounts that
are opened before the end of the month.""",
    """Invest two hundred and fifty euros and watch the robot trade for you. Ordinary families earn four
thousand a week with this system that banks want to forbid. A television host revealed it live on
air. Register now, there are only thirty places left in your region. An adviser will call you to
explain the first steps.""",
    """Looking for a reliable used car? Marlow Motors has four hundred checked vehicles on its lot, all
with a year of warranty. We take your old car in part exchange and finance the rest from ninety
nine a month. Visit us on Saturday for a test drive and a sausage. Our workshop changes your
winter tyres while you wait.""",
)


@pytest.fixture
def rig(database: Database) -> Rig:
    rig = Rig(database, Clock(NOON))
    rig.take(
        record("Herald", "1", HEADLINE, FLOOD, published=NOON),
        record("Post", "2", "Four dead as Pennmouth is flooded", FLOOD_ELSEWHERE, published=NOON),
        record("Echo", "3", "Pennmouth levee gives way", FLOOD, published=NOON),
    )
    return rig


@pytest.mark.parametrize("body", [*ADVERTISEMENTS, STRIKE])
@pytest.mark.parametrize("title", [HEADLINE, "Four dead as Pennmouth is flooded"])
def test_an_advertisement_under_the_headline_and_minute_of_a_report_stays_out(
    rig: Rig, title: str, body: str
) -> None:
    (placed,) = rig.take(
        record("Unknown", "x", title, " ".join(body.split()), url="https://spam.example/x", published=NOON)
    )
    assert placed.outcome == "founded"


@pytest.mark.parametrize("body", ADVERTISEMENTS)
@pytest.mark.parametrize("times", [1, 3])
def test_a_body_that_begins_with_its_headline_does_not_join_by_it(rig: Rig, body: str, times: int) -> None:
    text = f"{HEADLINE}. " * times + " ".join(body.split())
    (placed,) = rig.take(record("Unknown", "x", HEADLINE, text, url="https://spam.example/x", published=NOON))
    assert placed.outcome == "founded"


def test_the_bare_headline_is_a_report_of_the_story(rig: Rig) -> None:
    """What stays out is the text, not the headline."""
    (placed,) = rig.take(record("Unknown", "x", HEADLINE, "", published=NOON))
    assert placed.outcome == "joined"
