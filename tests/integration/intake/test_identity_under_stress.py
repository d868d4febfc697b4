"""Outlets that change everything but their articles: nothing old may come back into the output.

Every poll is a real one: a server on loopback, the client, the inbox, placing, and the feed that readers get.
"""

import datetime as dt
import html
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import feedparser
import pytest
from sqlalchemy import delete, select

from aggregator.config.tuning import Tuning
from aggregator.intake.polling.poll_result import PollResult
from aggregator.model.story import StoryView
from aggregator.publish.sanitise import encode_json
from aggregator.publish.story_json import whole_story
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox, pending_pages
from aggregator.store.intake.identity import identify
from aggregator.store.intake.source_sync import sync_config
from aggregator.store.intake.sources import add, all_sources, remove
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import (
    article,
    entry,
    identity_key,
    known_items,
    story_log,
)
from aggregator.store.tables import observation as sightings
from aggregator.store.tables import source as sources
from tests.support.articles import FLOOD, NOON, STRIKE, Clock, Rig, render_all, settled
from tests.support.deep_checks import faults
from tests.support.feeds import feed_of
from tests.support.loopback import LoopbackServer, Resource
from tests.support.polling import feed_source, poller_on
from tests.support.rows import counted, queried, read_by, written_by

ALL_TUNING = Tuning({"net": {"fetch_deadline_seconds": 5.0, "host_gap_seconds": 0.0}})

THINGS = (
    (
        "Ferry to Lind runs aground",
        "The ferry lay on the sandbank until the evening tide lifted it off again.",
    ),
    (
        "Mill in Hollen gets a new owner",
        "The paper mill goes to three of its engineers, who keep all jobs.",
    ),
    (
        "Court stops the bypass of Arnsby",
        "The judges missed a count of the bats that live under the old bridge.",
    ),
    (
        "Swimmers take four medals in Kell",
        "Two relays came in first, and the youngest swimmer was only sixteen.",
    ),
    (
        "Bakers of Tarn strike for sleep",
        "Nobody wants to knead at two in the morning any more, their union says.",
    ),
)


@dataclass(frozen=True)
class Report:
    """An article as its outlet has it."""

    number: int
    title: str
    text: str
    published: dt.datetime | None


def reports(*, dated: bool = True, long: bool = True) -> list[Report]:
    """Five different ones and the flood, an hour apart."""
    reported = [("Levee breaks at Pennmouth", FLOOD), *THINGS]
    return [
        Report(
            number=number,
            title=title,
            text=text if number == 0 else f"{text} {tail(number)}" if long else text,
            published=NOON - dt.timedelta(hours=1 + number) if dated else None,
        )
        for number, (title, text) in enumerate(reported)
    ]


def tail(number: int) -> str:
    """Words enough for an article, different in each."""
    return " ".join(f"w{number}x{word}" for word in range(60)) + "."


@dataclass
class Paper:
    """An outlet's feed. What it says of an article is up to `guid` and `url`; None leaves it out."""

    reports: list[Report]
    guid: Callable[[Report], str | None] = lambda one: f"tag:{one.number}"
    url: Callable[[Report], str | None] = lambda one: (
        f"http://gazette.example/news/{one.number}"
    )
    body: Callable[[Report], str] = lambda one: f"<p>{one.text}</p>"
    more: str = ""  # in each item
    polls: int = 0

    def feed(self) -> bytes:
        items = "".join(self.item(one) for one in self.reports)
        built = f"<description>{self.polls}</description>"
        return f"<rss version='2.0'><channel><title>Gazette</title>{built}{items}</channel></rss>".encode()

    def item(self, one: Report) -> str:
        guid, url = self.guid(one), self.url(one)
        parts = [f"<title>{html.escape(one.title)}</title>"]
        if guid is not None:
            parts.append(f"<guid isPermaLink='false'>{html.escape(guid)}</guid>")
        if url is not None:
            parts.append(f"<link>{html.escape(url)}</link>")
        if one.published is not None:
            parts.append(f"<pubDate>{format_datetime(one.published)}</pubDate>")
        parts.append(f"<description>{html.escape(self.body(one))}</description>")
        return f"<item>{''.join(parts)}{self.more}</item>"


@dataclass
class Office:
    """The program with its sources, on one database."""

    database: Database
    client: Client
    server: LoopbackServer
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.rig = Rig(self.database, self.clock, ALL_TUNING)
        self.polling = poller_on(self.database, self.client, ALL_TUNING, self.clock)

    def source(self, path: str = "/feed", **more: Any) -> str:
        """A new feed at this path; its id."""
        address = self.server.url(path, more.pop("host", "gazette.example"))
        made = feed_source(address, **({"pages": "never"} | more))
        written_by(self.database, add, made)
        return made.id

    def poll(self, paper: Paper, id_: str, path: str = "/feed") -> PollResult:
        """Serve the paper as it is now, ask for it, and place what came."""
        paper.polls += 1
        self.server.routes[path] = Resource(paper.feed(), etag=None)
        (source,) = [
            one for one in read_by(self.database, all_sources) if one.id == id_
        ]
        polled = self.polling.poll(source)
        assert polled.problem is None
        self.rig.place()
        return polled

    def output(self) -> list[tuple[str, ...]]:
        """The items of our feed as a reader sees them; links follow an article that moved."""
        feed = feedparser.parse(feed_of(self.database))
        return [
            (
                one.id,
                one.title,
                one.published,
                re.sub(r'href="[^"]*"', "", one.description),
            )
            for one in feed.entries
        ]

    def left(self) -> dict[str, Any]:
        """What must stay as it is: articles, stories, output; and nothing was even accepted."""
        counts = {
            table.name: counted(self.database, table)
            for table in (article, entry, story_log)
        }
        placed = settled(self.database)
        return {
            "counts": counts,
            "articles": placed["articles"],
            "stories": placed["stories"],
            "output": self.output(),
        }

    def count(self, table: Any) -> int:
        return counted(self.database, table)

    def column(self, column: Any, *order: Any) -> list[Any]:
        return list(queried(self.database, select(column).order_by(*order)).scalars())


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    settings = ClientSettings(allow_private=("127.0.0.0/8",))
    made = Client(
        settings, ALL_TUNING, resolve=lambda _name, _port, _seconds: ["127.0.0.1"]
    )
    yield made
    made.close()


@pytest.fixture
def everywhere(database: Database, client: Client, server: LoopbackServer) -> Office:
    """On both databases."""
    return Office(database, client, server)


@pytest.fixture
def office(sqlite: Database, client: Client, server: LoopbackServer) -> Office:
    """On SQLite: where nothing but the rules is asked."""
    return Office(sqlite, client, server)


def fresh(paper: Paper) -> Callable[[Report], str]:
    """GUIDs that are new at every poll."""
    return lambda one: f"urn:{paper.polls}:{one.number}"


def at(form: str) -> Callable[[Report], str]:
    """Addresses of one form."""
    return lambda one: form.format(
        n=one.number, slug=re.sub(r"\W+", "-", one.title.lower())
    )


STRESSES: dict[str, Callable[[Paper], Any]] = {
    "another scheme of GUIDs": lambda paper: {
        "guid": lambda one: f"https://gazette.example/?p={one.number}"
    },
    "https": lambda paper: {"url": at("https://gazette.example/news/{n}")},
    "www": lambda paper: {"url": at("https://www.gazette.example/news/{n}")},
    "a trailing slash": lambda paper: {"url": at("https://gazette.example/news/{n}/")},
    "AMP": lambda paper: {"url": at("https://gazette.example/amp/news/{n}")},
    "the mobile site": lambda paper: {"url": at("https://m.gazette.example/news/{n}")},
    "trackers": lambda paper: {
        "url": at("https://gazette.example/news/{n}?utm_source=rss&fbclid=x{n}")
    },
    "a suffix": lambda paper: {"url": at("https://gazette.example/news/{n}.html")},
    "from ?id= to a slug": lambda paper: {
        "url": at("https://gazette.example/story/{slug}")
    },
    "a new system": lambda paper: {
        "guid": lambda one: f"node/{one.number}",
        "url": at("https://gazette.example/node/{n}/{slug}"),
        "body": lambda one: (
            f"<div class='c'><p>{one.text}</p></div><img src='https://gazette.example/{one.number}'>"
        ),
    },
    "another order": lambda paper: {"reports": paper.reports[::-1]},
    "a new domain, a new system, another order": lambda paper: {
        "guid": lambda one: f"post-{one.number}",
        "url": at("https://gazette.test/{n}-{slug}"),
        "reports": paper.reports[2:] + paper.reports[:2],
    },
    "no GUIDs": lambda paper: {"guid": lambda one: None},
    "neither": lambda paper: {"guid": lambda one: None, "url": lambda one: None},
    "GUIDs again": lambda paper: {"guid": lambda one: f"z{one.number}"},
    "another port": lambda paper: {"url": at("http://gazette.example:8081/n/{n}")},
    "half of it, the other half new again": lambda paper: {
        "guid": lambda one: f"y{one.number % 2}{one.number}",
        "url": lambda one: (
            f"http://gazette.example:8081/n/{one.number}"
            if one.number % 2
            else f"http://gazette.example/x/{one.number}"
        ),
    },
}


@pytest.mark.later
@pytest.mark.parametrize("dated", [True, False], ids=["dated", "undated"])
def test_nothing_comes_back_whatever_changes_about_the_keys(
    everywhere: Office, *, dated: bool
) -> None:
    paper, source = Paper(reports(dated=dated)), everywhere.source(outlet="Gazette")
    assert len(everywhere.poll(paper, source).accepted) == 6
    before = everywhere.left()
    assert len(before["output"]) == 6
    for name, stress in STRESSES.items():
        paper = replace(paper, **stress(paper))
        for again in range(2):
            polled = everywhere.poll(paper, source)
            assert (polled.accepted, polled.known) == ((), 6), (name, again)
    assert everywhere.left() == before


NEVER_THE_SAME: dict[str, Callable[[Paper], Callable[[Report], str | None]]] = {
    "addresses": lambda paper: paper.url,
    "no addresses": lambda paper: lambda one: None,
    "new addresses": lambda paper: (
        lambda one: f"http://gazette.example/s{paper.polls}/{one.number}"
    ),
}


@pytest.mark.later
@pytest.mark.parametrize("urls", NEVER_THE_SAME)
@pytest.mark.parametrize("long", [True, False], ids=["long", "short"])
def test_guids_and_addresses_that_are_new_at_every_poll_bring_nothing_back(
    everywhere: Office, urls: str, *, long: bool
) -> None:
    paper = Paper(reports(long=long, dated=urls == "new addresses"))
    paper.guid, paper.url = fresh(paper), NEVER_THE_SAME[urls](paper)
    source = everywhere.source()
    everywhere.poll(paper, source)
    before = everywhere.left()
    keys = []
    for _ in range(30):
        assert everywhere.poll(paper, source).accepted == ()
        keys.append(everywhere.count(identity_key))
    assert everywhere.left() == before
    assert keys[-1] == keys[-3], "keys without end are not kept"


def test_a_feed_whose_guids_always_change_still_tells_edits_and_news(
    office: Office,
) -> None:
    paper = Paper(reports())
    paper.guid = fresh(paper)
    source = office.source()
    for _ in range(5):
        office.poll(paper, source)
    edited = replace(paper.reports[0], text=FLOOD.replace("Four people", "Five people"))
    retitled = replace(
        paper.reports[1], title="Ferry to Lind runs aground, nobody hurt"
    )
    news = Report(9, "Dock workers strike in Sennick", STRIKE, NOON)
    paper.reports = [news, edited, retitled, *paper.reports[2:]]
    polled = office.poll(paper, source)
    assert (len(polled.accepted), polled.revised) == (3, 2)
    assert office.count(article) == 7
    assert office.column(entry.c.outcome).count("revised") == 2


def test_links_follow_to_a_new_system(office: Office) -> None:
    paper, source = Paper(reports()), office.source()
    office.poll(paper, source)
    paper.guid, paper.url = (
        (lambda one: f"n{one.number}"),
        at("https://gazette.test/{slug}"),
    )
    office.poll(paper, source)
    assert "https://gazette.test" not in "".join(office.column(article.c.url)), (
        "that is another site"
    )
    paper.guid, paper.url = (
        (lambda one: f"m{one.number}"),
        at("https://gazette.example/{slug}"),
    )
    office.poll(paper, source)
    assert set(office.column(article.c.url)) == {
        paper.url(one) for one in paper.reports
    }


def test_a_new_address_leaves_the_database_sound_and_is_the_one_that_readers_get(
    everywhere: Office,
) -> None:
    """Two outlets move to https and other paths; one of them prints what the other wrote."""
    papers = {
        "gazette": Paper(reports()),
        "herald": Paper([replace(reports()[0], published=NOON)]),
    }
    ids = {
        host: everywhere.source(f"/{host}", host=f"{host}.example") for host in papers
    }
    for start in ("http://{host}.example/news/", "https://{host}.example/archive/"):
        for host, paper in papers.items():
            paper.url = at(start.format(host=host) + "{n}")
            everywhere.poll(paper, ids[host], f"/{host}")
        render_all(everywhere.database, ALL_TUNING)
        assert [
            fault.what
            for fault in faults(
                everywhere.database, ALL_TUNING, now=dt.datetime.now(dt.UTC)
            )
        ] == []
    moved = {paper.url(one) for paper in papers.values() for one in paper.reports}
    assert set(everywhere.column(article.c.url)) == moved
    reading = StoryReader(everywhere.database)
    (flood,) = everywhere.column(article.c.story, article.c.inbox_no)[-1:]
    whole = reading.story(flood)
    assert isinstance(whole, StoryView)
    reported = json.loads(encode_json(whole_story(whole, reading.text(flood))))
    (printed,) = (one for one in reported["articles"] if one["copy_of"])
    assert printed["url"] == "https://herald.example/archive/0"


def test_a_new_system_that_dates_all_articles_anew_is_no_news(office: Office) -> None:
    paper, source = Paper(reports()), office.source()
    office.poll(paper, source)
    before = office.left()
    paper.reports = [replace(one, published=NOON) for one in paper.reports]
    paper.guid, paper.url = (
        (lambda one: f"n{one.number}"),
        at("http://gazette.example/{slug}"),
    )
    for _ in range(2):
        assert office.poll(paper, source).accepted == ()
    assert office.left() == before


def test_a_section_feed_that_only_repeats_the_main_one_brings_nothing(
    office: Office,
) -> None:
    """Its GUIDs are new and their articles known, at every poll; they came by another feed first."""
    reported = [
        Report(n, f"Notice {n} of the harbour", tail(n), NOON) for n in range(20)
    ]
    main, section = office.source("/main"), office.source("/section")
    for first in range(0, 20, 4):
        paper = Paper(reported[first : first + 4])
        office.poll(paper, main, "/main")
        paper.guid = lambda one: f"section/{one.number}"
        office.poll(paper, section, "/section")
    assert office.count(article) == 20


@pytest.mark.parametrize("more", [{"outlet": "Gazette"}, {}], ids=["outlet", "nothing"])
@pytest.mark.parametrize("how", ["paused", "removed", "failing"])
def test_a_feed_that_is_entered_at_its_new_address_is_the_same(
    office: Office, more: dict[str, str], how: str
) -> None:
    paper, old = Paper(reports()), office.source(**more)
    office.poll(paper, old)
    before = office.left()
    with office.database.write() as connection:
        if how == "paused":
            connection.execute(sources.update().values(origin="config"))
            sync_config(connection, [])
        elif how == "failing":
            connection.execute(sources.update().values(health="failing"))
        else:
            remove(connection, old)
    paper.guid = lambda one: f"n{one.number}"
    if more:  # the outlet is known, so its words tell
        paper.url = at("https://herald.test/{slug}")
    new = office.source("/moved", host="gazette.example", **more)
    for _ in range(2):
        assert office.poll(paper, new, "/moved").accepted == ()
    assert office.left() == before


def test_two_outlets_that_print_the_same_are_two(office: Office) -> None:
    """The words alone never make two sources one while both are asked."""
    office.poll(Paper(reports()), office.source())
    other = Paper(reports(), url=at("http://herald.test/{n}"))
    office.poll(other, office.source("/other", host="herald.test"), "/other")
    assert office.count(article) == 12


def test_one_entry_in_three_section_feeds_is_one_article(office: Office) -> None:
    for section in ("top", "world", "local"):
        paper = Paper(reports(), guid=lambda one, at=section: f"{at}/{one.number}")
        # Another address too: told by its words, within one outlet
        if section == "local":
            paper.url = at("http://gazette.example/local/{n}")
        source = office.source(f"/{section}", outlet="Gazette")
        office.poll(paper, source, f"/{section}")
        office.poll(paper, source, f"/{section}")
    assert office.count(article) == 6
    assert all("/news/" in url for url in office.column(article.c.url)), (
        "the link is the first feed's"
    )


# --- what must not be taken for the same -------------------------------------------------------------------


def weather(day: int, text: str, *, dated: bool = True) -> Report:
    published = NOON - dt.timedelta(days=9 - day) if dated else None
    return Report(day, "Weather today in Pennmouth", text, published)


@pytest.mark.parametrize(
    ("text", "dated"),
    [
        (lambda day: "Sunny spells and light wind from the west.", True),
        (lambda day: f"Sunny spells and light wind from the west. {tail(0)}", True),
        (lambda day: f"Day {day}. {tail(day)}", True),
        (lambda day: f"Day {day}. {tail(day)}", False),
    ],
    ids=["same words", "same long words", "other words", "undated"],
)
def test_a_column_that_comes_back_daily_is_new_every_day(
    office: Office, text: Callable[[int], str], *, dated: bool
) -> None:
    """Also on the day when all the others come under new keys.

    Undated, with the same words, nobody can tell it from one notice under new GUIDs.
    """
    others = reports()[1:]
    paper = Paper([weather(0, text(0), dated=dated), *others])
    source = office.source()
    office.poll(paper, source)
    for day in range(1, 5):
        paper.reports = [weather(day, text(day), dated=dated), *others]
        paper.guid = lambda one, day=day: (
            f"w{day}" if one.title.startswith("Weather") else f"o{one.number}"
        )
        paper.url = lambda one, day=day: (
            f"http://gazette.example/weather/{day}"
            if one.title.startswith("Weather")
            else f"http://gazette.example/{one.number}"
        )
        assert len(office.poll(paper, source).accepted) == 1
    assert len(set(office.column(entry.c.article))) == 5 + 5


def test_many_notices_under_one_title_and_one_minute_stay_many(office: Office) -> None:
    """Police reports: the title says nothing, the date is that of the day."""
    reported = [
        Report(n, "Report of the police", "", NOON - dt.timedelta(hours=9))
        for n in range(12)
    ]
    paper, source = Paper(reported[:1]), office.source()
    for last in range(1, 13):
        paper.reports = reported[max(0, last - 4) : last]
        assert len(office.poll(paper, source).accepted) == 1
    assert len(set(office.column(entry.c.article))) == 12


def test_episodes_with_one_description_stay_apart(office: Office) -> None:
    said = "A talk about what happened this week, with guests, every Friday. " + tail(1)
    reported = [Report(n, f"Episode {n} of the talk", said, None) for n in range(12)]
    paper, source = Paper(reported[:4]), office.source()
    office.poll(paper, source)
    for first in range(1, 9):
        paper.reports = reported[first : first + 4]
        office.poll(paper, source)
    assert len(set(office.column(entry.c.article))) == 12


def test_entries_that_share_one_address_are_identified_by_their_guids(
    everywhere: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aggregator.intake")
    for path, address in (
        ("/a", "http://gazette.example/"),
        ("/b", "http://gazette.example/all?x=1"),
    ):
        paper = Paper(
            [replace(one, number=one.number) for one in reports()],
            url=lambda one, to=address: to,
        )
        if path == "/b":
            paper.reports = [
                replace(
                    one,
                    title=f"B {one.title}",
                    text=f"{one.title} {tail(90 + one.number)}",
                )
                for one in paper.reports
            ]
        source = everywhere.source(path)
        for _ in range(3):
            everywhere.poll(paper, source, path)
    assert everywhere.count(article) == 12
    assert "different entries share a GUID or an address" in caplog.text


def test_the_home_page_is_the_address_of_no_article(office: Office) -> None:
    """One entry at a time, so that no poll shows that they share it; the texts are of one build."""
    paper, source = (
        Paper([], url=lambda one: "http://www.gazette.example/?utm_source=rss"),
        office.source(),
    )
    for one in reports(dated=False):
        paper.reports = [replace(one, text=f"{FLOOD} It is number {one.number}.")]
        assert len(office.poll(paper, source).accepted) == 1
    assert len(set(office.column(entry.c.article))) == 6


def test_a_key_that_says_nothing_is_nobodys_when_a_page_claims_it(
    office: Office,
) -> None:
    paper = Paper(reports()[:3], url=lambda one: "http://gazette.example/all?x=1")
    office.poll(paper, office.source())
    with office.database.write() as connection:
        (void,) = connection.execute(
            select(identity_key.c.key).where(identity_key.c.article == identify.NOBODY)
        ).scalars()
        assert inbox.claim(connection, bytes(void), "claimant") == "claimant"


def test_guids_that_are_all_the_same_are_no_guids(office: Office) -> None:
    short = [replace(one, text="") for one in reports()]
    daily = [
        Report(10 + day, "Weather today", "", NOON - dt.timedelta(days=day))
        for day in range(4)
    ]
    paper, source = Paper([*short, *daily], guid=lambda one: "0"), office.source()
    for _ in range(3):
        office.poll(paper, source)
    assert len(set(office.column(entry.c.article))) == 10
    paper.url = lambda one: None
    assert office.poll(paper, source).accepted == (), "known by title and minute"
    other = Paper(daily, guid=paper.guid, url=paper.url)
    assert len(office.poll(other, office.source("/other"), "/other").accepted) == 4


def test_a_guid_that_is_used_again_for_other_news_is_another_article(
    everywhere: Office,
) -> None:
    paper, source = (
        Paper(reports()[:1], guid=lambda one: "top", url=lambda one: None),
        everywhere.source(),
    )
    everywhere.poll(paper, source)
    former = paper.reports
    paper.reports = [Report(1, "Dock workers strike in Sennick", STRIKE, NOON)]
    for _ in range(2):
        everywhere.poll(paper, source)
    paper.reports = former  # that is an article already
    everywhere.poll(paper, source)
    assert everywhere.column(article.c.title, article.c.inbox_no) == [
        "Levee breaks at Pennmouth",
        "Dock workers strike in Sennick",
    ]


# --- rivals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_keys", [True, False])
@pytest.mark.parametrize("outlet", [None, "Rival"])
def test_a_rival_cannot_change_what_it_claims(
    office: Office, outlet: str | None, *, has_keys: bool
) -> None:
    """At once, or, without GUIDs and addresses, once it has repeated all; it says that it is the Gazette."""
    paper = (
        Paper(reports())
        if has_keys
        else Paper(reports(), lambda one: None, lambda one: None)
    )
    office.poll(paper, office.source(outlet="Gazette"))
    before = queried(
        office.database, select(article).order_by(article.c.inbox_no)
    ).all()
    rival = replace(paper, more="<source url='x'>Gazette</source>")
    source = office.source("/rival", host="rival.test", outlet=outlet)
    if has_keys:
        rival.reports = [
            replace(one, text=f"A lie. {tail(50 + one.number)}")
            for one in paper.reports
        ]
    for body in (rival.body, lambda one: f"<p>{one.text} More.</p>"):
        rival.body = body
        office.poll(rival, source, "/rival")
    after = queried(office.database, select(article).order_by(article.c.inbox_no)).all()
    assert after[: len(before)] == before


def test_an_address_that_unwraps_to_another_site_is_no_claim(office: Office) -> None:
    """A search engine's feed: read from its site, with its addresses, about everybody's articles."""
    paper = Paper(reports())
    office.poll(paper, office.source(outlet="Gazette"))
    lie = [
        replace(one, text=f"A lie. {tail(50 + one.number)}") for one in paper.reports
    ]
    wrapped = Paper(
        lie,
        url=lambda one: (
            f"https://www.google.com/url?url=http://gazette.example/news/{one.number}"
        ),
    )
    source = office.source("/alerts", host="www.google.com")
    for more in ("", " More."):
        wrapped.body = lambda one, more=more: one.text + more
        office.poll(wrapped, source, "/alerts")
    assert office.count(article) == 6
    assert not [text for text in office.column(article.c.text) if "A lie" in text]


def test_a_canonical_link_to_another_site_is_only_a_hint(office: Office) -> None:
    paper = Paper(reports()[:1])
    office.poll(paper, office.source(outlet="Gazette"))
    page = (
        "<html><head><link rel='canonical' href='http://gazette.example/news/0'></head><body><article>"
        f"<h1>Strike in Sennick</h1><p>{STRIKE}</p></article></body></html>"
    )
    office.server.routes["/strike"] = page
    rival = Paper(
        [Report(1, "Strike in Sennick", "Short.", NOON)],
        url=lambda one: office.server.url("/strike", "rival.test"),
    )
    source = office.source("/rival", host="rival.test", pages="always")
    office.poll(rival, source, "/rival")
    (due_pages,) = read_by(office.database, pending_pages.due_pages, office.clock(), 10)
    office.polling.fetch_page(due_pages)
    office.rig.place()
    assert office.count(article) == 2
    assert office.column(article.c.title, article.c.inbox_no) == [
        "Levee breaks at Pennmouth",
        "Strike in Sennick",
    ]


# --- words that change -------------------------------------------------------------------------------------


def test_going_back_to_former_words_is_followed_but_not_for_ever(
    everywhere: Office,
) -> None:
    first = reports()[0]
    second = replace(first, text=FLOOD.replace("Four people", "Five people"))
    paper, source = Paper([first]), everywhere.source()
    outcomes = []
    for turn in range(12):
        paper.reports = [second if turn % 2 else first]
        outcomes.append(everywhere.poll(paper, source).revised)
        if turn < 4:
            now = "Five" if turn % 2 else "Four"
            assert now in everywhere.column(article.c.text)[0]
    assert outcomes[:5] == [0, 1, 1, 1, 1]
    assert sum(outcomes) == 4, "two servers that disagree"
    assert everywhere.count(article) == 1


def test_both_words_in_one_feed_are_no_going_back(office: Office) -> None:
    first = reports()[0]
    second = replace(first, text=FLOOD.replace("Four people", "Five people"))
    paper, source = Paper([second, first]), office.source()
    office.poll(paper, source)
    for _ in range(3):
        assert office.poll(paper, source).accepted == ()


def rewritten(office: Office, count: int) -> None:
    reported = [
        Report(
            n,
            f"Item{n} of the council{n}",
            f"Decision {n}. {tail(n)}",
            NOON - dt.timedelta(minutes=n),
        )
        for n in range(count)
    ]
    paper, source = Paper(reported), office.source()
    office.poll(paper, source)
    ids = office.column(article.c.story, article.c.inbox_no)
    items = [one[0] for one in office.output()]
    paper.reports = [
        replace(one, text=one.text.replace("Decision", "Final decision"))
        for one in reported
    ]
    polled = office.poll(paper, source)
    assert polled.revised == count
    assert office.column(article.c.story, article.c.inbox_no) == ids
    assert office.column(entry.c.outcome).count("revised") == count
    assert sorted(one[0] for one in office.output()) == sorted(items)


@pytest.mark.later
def test_a_feed_that_rewrites_all_its_entries_keeps_their_stories(
    everywhere: Office,
) -> None:
    rewritten(everywhere, 30)


@pytest.mark.torture
def test_a_thousand_rewritten_entries_keep_their_stories(everywhere: Office) -> None:
    rewritten(everywhere, 1000)


def test_an_archive_under_new_keys_is_matched_before_it_is_a_flood(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aggregator.intake")
    reported = [
        Report(
            n,
            f"Item{n} of the council{n}",
            f"Decision {n}. {tail(n)}",
            NOON - dt.timedelta(days=30 + n),
        )
        for n in range(40)
    ]
    paper, source = Paper(reported[:15]), office.source()
    office.poll(paper, source)
    before = office.output()
    paper.reports = reported
    paper.guid, paper.url = (
        (lambda one: f"n{one.number}"),
        at("http://gazette.example/archive/{n}"),
    )
    polled = office.poll(paper, source)
    assert (len(polled.accepted), polled.known) == (25, 15)
    after = {one[0]: one for one in office.output()}
    assert all(after[one[0]] == one for one in before), "what was there is as it was"
    newest = max(parsedate_to_datetime(one[2]) for one in before)
    assert all(parsedate_to_datetime(one[2]) <= newest for one in after.values()), (
        "nothing is announced"
    )
    assert "25 old entries at once; stored, not announced" in caplog.text


@pytest.mark.parametrize(
    "when", ["Tue, 13 Oct 2026 20:00:00 GMT", "Sat, 01 Jan 0001 00:00:00 GMT"]
)
def test_a_date_that_cannot_be_changes_nothing_but_itself(
    office: Office, when: str
) -> None:
    class Wrong(Paper):
        def item(self, one: Report) -> str:
            return re.sub(
                "<pubDate>.*?</pubDate>",
                f"<pubDate>{when}</pubDate>",
                super().item(one),
            )

    paper, source = Wrong(reports()[:2]), office.source()
    office.poll(paper, source)
    before = office.left()
    for guid in ("tag", "new"):
        paper.guid = lambda one, guid=guid: f"{guid}:{one.number}"
        assert office.poll(paper, source).accepted == ()
    assert office.left() == before
    assert office.column(article.c.published) == [None, None]


def test_pages_are_not_fetched_again_when_only_keys_changed(office: Office) -> None:
    teaser = [replace(one, text=one.text[:140]) for one in reports()]
    paper, source = Paper(teaser), office.source(pages="always")
    paper.url = lambda one: office.server.url(f"/p/{one.number}", "gazette.example")
    assert len(office.poll(paper, source).accepted) == 6
    for guid, path in (("a", "q"), ("b", "q"), ("b", "r"), ("c", "s")):
        paper.guid = lambda one, guid=guid: f"{guid}{one.number}"
        paper.url = lambda one, path=path: office.server.url(
            f"/{path}/{one.number}", "gazette.example"
        )
        assert office.poll(paper, source).accepted == (), (guid, path)


def test_killed_before_the_end_of_the_transaction_nothing_of_a_migration_is_left(
    everywhere: Office,
) -> None:
    paper, source = Paper(reports()), everywhere.source()
    everywhere.poll(paper, source)
    before = settled(everywhere.database)
    paper.guid, paper.url = (
        (lambda one: f"n{one.number}"),
        at("http://gazette.example/{slug}"),
    )
    broken = everywhere.database.write

    class KilledError(Exception):
        pass

    @contextmanager
    def dying(**more: bool) -> Iterator[Any]:
        with broken(**more) as connection:
            yield connection
            raise KilledError

    everywhere.database.write = dying  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        everywhere.poll(paper, source)
    everywhere.database.write = broken  # type: ignore[method-assign]
    assert settled(everywhere.database) == before
    assert everywhere.poll(paper, source).accepted == ()
    assert len(everywhere.column(article.c.id)) == 6


def test_after_an_upgrade_what_a_feed_shows_next_is_no_change(
    everywhere: Office,
) -> None:
    """The observations of an older program do not have the contents of a feed."""
    paper, source = Paper(reports()), everywhere.source(outlet="Gazette")
    everywhere.poll(paper, source)
    before = everywhere.left()
    with everywhere.database.write() as connection:
        connection.execute(sightings.update().values(contents=b""))
        connection.execute(delete(known_items))
    assert everywhere.poll(paper, source).accepted == ()
    paper = replace(paper, **STRESSES["a new system"](paper))
    polled = everywhere.poll(paper, source)
    assert (polled.accepted, polled.known) == ((), 6)
    assert everywhere.left() == before
    paper.reports = [
        replace(paper.reports[0], text=f"{FLOOD} Later."),
        *paper.reports[1:],
    ]
    assert everywhere.poll(paper, source).revised == 1
