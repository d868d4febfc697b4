"""Feeds that get a new item now and then, as long as a test runs."""

import re
from random import Random
from threading import Event, Thread

from tests.support.loopback import Resource
from tests.support.rss import item, rss

# So that what is remembered of the last thousands is full after the warm-up
SECONDS_A_NEW_ITEM = 0.25


EVENTS_AT_ONCE = 40  # of each some outlets tell; then another takes its place


REPORTS_OF_AN_EVENT = (1, 1, 1, 2, 3, 5)


_WORDS = re.findall(
    r"\w+",
    """river levee mayor rescue council harbour strike union court budget bridge storm school hospital
    minister factory fire railway election province police museum drought vaccine ferry mine reactor vote""",
)


_SYLLABLES = [
    first + last
    for first in "bdfgklmnprstvz"
    for last in ("a", "e", "i", "o", "u", "an", "er")
]


class Newsroom(Thread):
    """Writes a new item into one of the feeds every `seconds`; keeps the last `kept` of each."""

    def __init__(
        self, feeds: list[Resource], seconds: float = SECONDS_A_NEW_ITEM, kept: int = 80
    ) -> None:
        super().__init__(daemon=True)
        self._seconds = seconds
        self._kept = kept
        self.written = 0
        self.done = Event()
        self._feeds = feeds
        self._items: list[list[str]] = [[] for _ in feeds]
        self._random = Random(42)
        self._names = [
            "".join(self._random.choices(_SYLLABLES, k=3)) for _ in range(5_000)
        ]
        self._events = [self._event() for _ in range(EVENTS_AT_ONCE)]

    def run(self) -> None:
        while not self.done.wait(self._seconds):
            self.written += 1
            number = self.written % len(self._feeds)
            self._items[number] = [self._item(), *self._items[number][: self._kept - 1]]
            self._feeds[number].body = rss(*self._items[number])

    def _event(self) -> list[str]:
        """Its words, once for each report to come."""
        words = " ".join(
            self._random.sample(self._names, 30) + self._random.sample(_WORDS, 10)
        )
        return [words] * self._random.choice(REPORTS_OF_AN_EVENT)

    def _item(self) -> str:
        at = self._random.randrange(EVENTS_AT_ONCE)
        event = self._events[at].pop().split()
        if not self._events[at]:
            self._events[at] = self._event()
        words = self._random.choices(event, k=160)
        text = ". ".join(
            " ".join(words[start : start + 10]).capitalize()
            for start in range(0, 160, 10)
        )
        title = " ".join(self._random.sample(event, 6)).capitalize()
        return item(title, f"{text}.", guid=self.written)
