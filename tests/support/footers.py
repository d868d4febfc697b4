"""Articles of outlets that end each text with the same line."""

from datetime import timedelta
from random import Random

from sqlalchemy import select

from aggregator.model.entry import Entry
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.stories.stored_articles import ArticleDetails
from aggregator.store.tables import article
from tests.support.articles import NOON, record
from tests.support.rows import queried

# Of three outlets: two of them have a footer that is learnt after twenty of theirs
ARTICLES = 75


FOOTERS = {
    "Lantern": "The Lantern has been read on this coast since the year 1871.",
    "Beacon": "The Beacon is printed in Orrin on paper from its own forests.",
}


NOUNS = (
    "ferry",
    "mill",
    "harbour",
    "tramway",
    "library",
    "orchard",
    "quarry",
    "tower",
    "market",
    "archive",
)


DEEDS = (
    "opens again",
    "is sold",
    "burns down",
    "gets a new roof",
    "closes early",
    "wins a prize",
    "floods",
)


PLACES = (
    "Pennmouth",
    "Sennick",
    "Calmouth",
    "Orrin",
    "Tavelle",
    "Brask",
    "Isk",
    "Lower Hume",
)


def mentions(rng: Random) -> tuple[str, list[str]]:
    """An invented event: a headline and its sentences."""
    noun, deed, place = rng.choice(NOUNS), rng.choice(DEEDS), rng.choice(PLACES)
    words = [f"{rng.choice(NOUNS)} {rng.randint(100, 9999)}" for _ in range(6)]
    said = [
        f"The {noun} of {place} {deed}, the council said on day {rng.randint(1, 99)} of its session."
    ]
    for n, word in enumerate(words):
        said.append(
            f"A {word} was named by {rng.choice(PLACES)} as the reason number {n}."
        )
    return f"The {noun} of {place} {deed}", said


def articles_of(count: int, seed: int = 11) -> list[Entry]:
    """Articles of two outlets with a footer each, and of one without; some events have two reports."""
    rng, found = Random(seed), []
    for number in range(count):
        outlet = ("Lantern", "Beacon", "Courier")[number % 3]
        title, said = mentions(rng)
        text = "\n".join([*said, *([FOOTERS[outlet]] if outlet in FOOTERS else [])])
        day = NOON - timedelta(days=number % 9)
        found.append(record(outlet, str(number), title, text, published=day))
    return found


def taken_out(database: Database, outlet: str) -> list[tuple[str, ...]]:
    """The lines taken out of the outlet's articles, in the order of their placing."""
    details = select(article.c.details).where(article.c.outlet == outlet)
    rows = queried(database, details.order_by(article.c.inbox_no))
    return [
        tuple(one.text for one in codecs.unpack(row.details, ArticleDetails).repeated)
        for row in rows
    ]
