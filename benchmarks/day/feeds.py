"""The real feeds as a feed reader sees them: poll by poll, with new entries, edits, ETag and 304.

A feed is cut into its items as bytes, and the bytes between them are kept, so a feed that shows all of its items
is served unchanged. Only the dates differ: they are moved as if the feeds had been fetched when the run begins.
"""

import html
import json
import random
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.loopback import LoopbackServer, Request, Resource, Response

FETCHED = datetime(2026, 2, 18, 3, 31, tzinfo=UTC)  # when the feeds were fetched
# Only items that were not older than this when the feeds were fetched are held back and shown later as new.
NEWS_AGE = timedelta(days=7)
# The first poll of a feed does not show this share of its items, the newest ones ...
HELD_SHARE = 0.25
MOST_HELD = 6  # ... but at most this many
ITEMS_A_POLL = 2  # at most this many new items appear in one poll
# The share of the feeds with recent items that change the title of a known item in a round
EDITED_SHARE = 0.2
EDIT = ", officials say"  # added to a title

_ITEM = re.compile(rb"<((?:[a-z]+:)?(?:item|entry))[\s>].*?</\1>", re.DOTALL)
_TITLE = re.compile(
    rb"(<title(?:\s[^>]*)?>(?:<!\[CDATA\[)?)(.*?)((?:\]\]>)?</title>)", re.DOTALL
)
_JSON_TITLE = re.compile(rb'("title": ?")((?:[^"\\]|\\.)*)(")')
_DATE_NAMES = rb"(?:pubDate|published|updated|modified|lastBuildDate|date)"
_DATE = re.compile(
    rb"(<(?:[a-z]+:)?" + _DATE_NAMES + rb"(?:\s[^>]*)?>\s*)([^<]+?)(\s*</)"
)
_JSON_DATE = re.compile(rb'("date_(?:published|modified)": ?")([^"]+)(")')


def read_date(text: str) -> datetime | None:
    """Read a date of RFC 822 or ISO 8601, in UTC if it has no zone; None if it has neither format."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def moved_date(text: str, span: timedelta) -> str:
    """Return the date that is later by `span`, in the same format; unchanged if it cannot be read.

    Midnight means a date without a time, so it is moved by whole days.
    """
    moment = read_date(text)
    if moment is None:
        return text
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        span = timedelta(days=span.days)
    moment += span
    if not text[:4].isdigit():
        return format_datetime(moment)
    if len(text) == len("2026-02-18"):
        return moment.date().isoformat()
    return moment.isoformat()


class Feed:
    """One feed: its bytes, cut into items."""

    def __init__(self, file: str, address: str, name: str, body: bytes) -> None:
        """`address` becomes an http address, because the server has no TLS."""
        self.file = file
        self.address = "http" + address.removeprefix("https").removeprefix("http")
        self.name = name
        self.body = body
        self.is_json = body.lstrip()[:1] == b"{"
        if self.is_json:
            self.items = [
                json.dumps(item).encode() for item in json.loads(body)["items"]
            ]
        else:
            self.items = [match.group() for match in _ITEM.finditer(body)]

    def shown(self, items: Mapping[int, bytes]) -> bytes:
        """Return the feed with only these items, given by their places in the feed."""
        if self.is_json:
            shown = [json.loads(items[place]) for place in sorted(items)]
            return json.dumps({**json.loads(self.body), "items": shown}).encode()
        places = iter(range(len(self.items)))
        return _ITEM.sub(lambda _: items.get(next(places), b""), self.body)

    def date_of(self, place: int) -> datetime | None:
        """Return the earliest date of an item, which is its date of publication."""
        pattern = _JSON_DATE if self.is_json else _DATE
        dates = [
            read_date(match[2].decode())
            for match in pattern.finditer(self.items[place])
        ]
        return min((date for date in dates if date is not None), default=None)

    def moved(self, span: timedelta) -> "Feed":
        """Return the feed with all dates later by `span`."""

        def later(match: re.Match[bytes]) -> bytes:
            return (
                match[1]
                + moved_date(match[2].decode("utf-8", "replace"), span).encode()
                + match[3]
            )

        pattern = _JSON_DATE if self.is_json else _DATE
        return Feed(self.file, self.address, self.name, pattern.sub(later, self.body))

    def edited(self, item: bytes) -> bytes:
        """Return the item with a longer title."""
        pattern = _JSON_TITLE if self.is_json else _TITLE
        return pattern.sub(rb"\1\2" + EDIT.encode() + rb"\3", item, count=1)


def real_feeds(data: Path) -> list[Feed]:
    """Read the feeds in the data folder, with the addresses and names of addresses.tsv."""
    lines = (
        (data / "feeds" / "addresses.tsv").read_text(encoding="utf-8").splitlines()[1:]
    )
    feeds = []
    for line in lines:
        file, address, name = line.split("\t")
        body = (data / "feeds" / "real" / file).read_bytes()
        feeds.append(Feed(file, address, html.unescape(name), body))
    return feeds


@dataclass(frozen=True)
class Plan:
    """The round in which each item of a feed appears (0: the first poll), and in which its title is edited."""

    appears: Mapping[int, int]
    edited: Mapping[int, int]

    def changes_in(self, number: int) -> bool:
        """Return whether the feed has changed since the round before."""
        return number in self.appears.values() or number in self.edited.values()

    def new_in(self, number: int) -> list[int]:
        """Return the items that appear in a round."""
        return [place for place, appears in self.appears.items() if appears == number]


def plan_of(feed: Feed, rounds: int, chance: random.Random) -> Plan:
    """Distribute the newest items of a feed over the rounds, the oldest of them first, one or two at a time."""
    dates = {place: feed.date_of(place) for place in range(len(feed.items))}
    oldest = FETCHED - NEWS_AGE
    recent = [
        place for place, date in dates.items() if date is not None and date >= oldest
    ]
    recent.sort(key=lambda place: (dates[place], -place))
    count = min(
        MOST_HELD, int(len(feed.items) * HELD_SHARE), len(recent), rounds * ITEMS_A_POLL
    )
    held = recent[len(recent) - count :]
    sizes: list[int] = []
    while sum(sizes) < count:
        left, polls_left = count - sum(sizes), rounds - len(sizes)
        least = max(1, left - (polls_left - 1) * ITEMS_A_POLL)
        sizes.append(chance.randint(least, min(ITEMS_A_POLL, left)))
    appears = dict.fromkeys(dates, 0)
    waiting = iter(held)
    for size, number in zip(
        sizes, sorted(chance.sample(range(1, rounds + 1), len(sizes))), strict=True
    ):
        for _ in range(size):
            appears[next(waiting)] = number
    edited: dict[int, int] = {}
    known = [place for place in recent if appears[place] == 0]
    for number in range(1, rounds + 1):
        if known and chance.random() < EDITED_SHARE:
            edited.setdefault(chance.choice(known), number)
    return Plan(appears, edited)


@dataclass
class FeedServer:
    """All feeds behind one HTTP proxy on loopback, so that they keep their hosts. Other addresses get a 404.

    `number` is the round whose items are shown, and `stamp` is appended to each XML feed. `answers` has the time
    (monotonic, in seconds) at which a feed was first sent with a body in a round, by file and round.
    """

    feeds: list[Feed]
    plans: dict[str, Plan]
    number: int = 0
    stamp: str = ""
    answers: dict[tuple[str, int], float] = field(default_factory=dict)
    polls: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_address = {feed.address: feed for feed in self.feeds}
        self._lock = threading.Lock()
        self.body_of = cache(self._body_of)
        self.server = LoopbackServer({"*": self._answer})

    def plan(self, feed: Feed) -> Plan:
        return self.plans[feed.file]

    def asked_in(self, number: int) -> int:
        """Return how many feeds were requested in a round."""
        with self._lock:
            return sum(asked == number for _, asked in self.polls)

    def close(self) -> None:
        self.server.close()

    def _body_of(self, file: str, number: int) -> bytes:
        feed = next(feed for feed in self.feeds if feed.file == file)
        plan = self.plan(feed)
        items: dict[int, bytes] = {}
        for place, item in enumerate(feed.items):
            if plan.appears[place] <= number:
                is_edited = place in plan.edited and plan.edited[place] <= number
                items[place] = feed.edited(item) if is_edited else item
        return feed.shown(items)

    def _answer(self, request: Request) -> Response:
        self.server.requests.clear()  # the list would grow
        parts = urlsplit(request.path)
        host = parts.netloc or request.headers.get("host", "")
        address = f"http://{host}{parts.path}" + (
            f"?{request.query}" if request.query else ""
        )
        feed = self._by_address.get(address)
        if feed is None:
            return Response(404)
        number = self.number
        body = self.body_of(feed.file, number)
        if not feed.is_json:
            body += self.stamp.encode()
        answer = Resource(body)(request)
        with self._lock:
            key = feed.file, number
            self.polls[key] = self.polls.get(key, 0) + 1
            if answer.status == 200:
                self.answers.setdefault(key, time.monotonic())
        return answer
