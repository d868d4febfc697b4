"""A wire of invented events for simulated months: which outlet has which article, and since when.

    wire = Wire(feeds=300, days=365.0, articles_a_day=40.0, seed=1, start=time.monotonic())
    wire.feeds[0].answer(time.monotonic(), request)

Times are by the monotonic clock of the simulation; it alone never jumps.
"""

from collections.abc import Mapping
from datetime import timedelta
from random import Random
from typing import NamedTuple

from tests.support.articles import NOON
from tests.support.loopback import Request, Response
from tests.support.rss import item, rss
from tests.support.tables import rows

DAY = 86_400.0
HOUR = 3600.0
LISTED = 12  # of the newest articles, in a feed
REPEATED = 60  # and of all, where a feed tells again what it ever had
_SYLLABLES = rows("newswire", "syllables")
_SENTENCES = rows("newswire", "sentences")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_THINGS = (
    "harbour",
    "mill",
    "tunnel",
    "dam",
    "refinery",
    "bridge",
    "station",
    "hospital",
    "quarry",
)


class Item(NamedTuple):
    """An article as its feed lists it."""

    at: float
    xml: str


class Feed:
    """One outlet. Now and then it lists again what it ever had, for some days."""

    def __init__(self, number: int, start: float) -> None:
        self.host = f"o{number}.example"
        self.path = "/feed"
        self.items: list[Item] = []
        self._number = number
        self._start = start

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://{self.host}{self.path}"

    def published(self, until: float) -> int:
        """How many articles it had by then."""
        return sum(item.at <= until for item in self.items)

    def answer(self, now: float, request: Request) -> Response:
        """What it says now."""
        repeats = int((now - self._start) / DAY + self._number) % 40 < 2
        count = self.published(now)
        etag = f'"{count} {repeats}"'
        if request.headers.get("if-none-match") == etag:
            return Response(304, {"ETag": etag})
        listed = self.items[:count][-(REPEATED if repeats else LISTED) :]
        body = rss(
            *(one.xml for one in reversed(listed)), title=f"Outlet {self._number}"
        )
        return Response(
            body=body, headers={"ETag": etag}, content_type="application/rss+xml"
        )


class Wire:
    """All feeds with all they will ever have; an event is told by one to three of them within half a day."""

    def __init__(
        self, *, feeds: int, days: float, articles_a_day: float, seed: int, start: float
    ) -> None:
        chance = Random(seed)
        self.feeds = [Feed(number, start) for number in range(feeds)]
        reported = 0
        for event in range(int(days * articles_a_day)):
            if reported >= days * articles_a_day:
                break
            at = start + chance.uniform(0, days) * DAY
            facts = _facts(chance)
            for feed in chance.sample(self.feeds, chance.choice((1, 1, 2, 3))):
                since = at + chance.uniform(0, 12 * HOUR)
                feed.items.append(
                    Item(since, _xml(chance, f"{event}", facts, since - start))
                )
                reported += 1
        for feed in self.feeds:
            feed.items.sort()


def _facts(chance: Random) -> Mapping[str, object]:
    def name() -> str:
        return "".join(chance.sample(_SYLLABLES, 3)).capitalize()

    names = {key: name() for key in "prvwq"}
    numbers = {"n": chance.randint(2, 900), "m": chance.randint(2, 60)}
    return (
        names
        | numbers
        | {"d": chance.choice(_DAYS), "a": f"{name()} {chance.choice(_THINGS)}"}
    )


def _xml(chance: Random, event: str, facts: Mapping[str, object], since: float) -> str:
    text = " ".join(chance.sample(_SENTENCES, 8)).format(**facts)
    title = f"{facts['n']} hurt at {facts['a']} in {facts['p']}"
    when = NOON + timedelta(seconds=since)
    return item(title, text, guid=f"{event} {chance.getrandbits(60)}", published=when)
