"""One URL is one article, whichever feed delivers it: feeds on loopback, and entries that are handed in."""

import datetime as dt
from dataclasses import replace

import msgspec
import pytest
from sqlalchemy import select

from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.model.entry import Entry, Published
from aggregator.sources.fetch.client import Client
from aggregator.store.engine.database import Database
from aggregator.store.intake import pending_pages
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article, entry, observation
from aggregator.stories.counting.originals import originals_with_copies
from tests.integration.intake.test_identity_under_stress import (
    THINGS,
    Office,
    Paper,
    Report,
    client,
)
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Rig,
    page_of,
    record,
)
from tests.support.deep_checks import faults
from tests.support.loopback import LoopbackServer
from tests.support.rows import queried, read_by

__all__ = ["client"]  # a fixture: pytest finds it here

URL = "http://gazette.example/news/{n}"
TRACKED = "http://www.gazette.example/news/{n}?utm_source=rss&at_medium=feed"


@pytest.fixture
def database(sqlite: Database) -> Database:
    """Where nothing but the rules is asked; `each_kind` is of both kinds."""
    return sqlite


@pytest.fixture
def office(database: Database, client: Client, server: LoopbackServer) -> Office:
    return Office(database, client, server)


@pytest.fixture
def rig(office: Office) -> Rig:
    return office.rig


def paper(name: str, text: str = FLOOD, *, url: str = URL, more: str = "") -> Paper:
    """A feed with one report of some length and two of one sentence."""
    titles = [
        ("Levee breaks at Pennmouth", text),
        *((title, said + more) for title, said in THINGS[:2]),
    ]
    reports = [
        Report(number, title, said, NOON - dt.timedelta(hours=1 + number))
        for number, (title, said) in enumerate(titles)
    ]
    return Paper(
        reports,
        guid=lambda one: f"{name}-{one.number}",
        url=lambda one: url.format(n=one.number),
    )


GAZETTE, BRIDGE, PLANET = "gazette.example", "bridge.test", "planet.test"


def add(office: Office, host: str) -> str:
    return office.source(f"/{host}", host=host)


def poll(office: Office, given: Paper, source: str, host: str) -> int:
    """Poll the feed; return how many entries were accepted."""
    return len(office.poll(given, source, f"/{host}").accepted)


def is_sound(office: Office) -> bool:
    return not list(faults(office.database))


def authorities(office: Office) -> set[str]:
    chosen = select(observation.c.source).where(observation.c.is_authoritative)
    return set(queried(office.database, chosen).scalars())


# --- two feeds ---------------------------------------------------------------------------------------------


@pytest.mark.later
@pytest.mark.parametrize(
    "hosts", [(GAZETTE, BRIDGE), (BRIDGE, GAZETTE), (BRIDGE, PLANET)]
)
@pytest.mark.parametrize("second_url", [URL, TRACKED], ids=["same", "tracked"])
def test_one_url_in_two_feeds_is_one_article(
    office: Office, hosts: tuple[str, str], second_url: str
) -> None:
    first, second = hosts
    poll(office, paper(first), add(office, first), first)
    before = office.output()
    two = add(office, second)
    is_own_site = second == GAZETTE  # whose articles they are from then on
    assert poll(office, paper(second, url=second_url), two, second) == 3 * is_own_site
    assert poll(office, paper(second, url=second_url), two, second) == 0
    assert office.count(article) == 3
    if is_own_site:
        assert set(office.column(article.c.outlet, article.c.inbox_no)) == {GAZETTE}
    else:
        assert office.output() == before
    assert office.column(article.c.url, article.c.inbox_no) == [
        URL.format(n=n) for n in (2, 1, 0)
    ]
    assert is_sound(office)


def test_the_same_title_and_minute_under_one_url_is_one_article(office: Office) -> None:
    """An aggregator has two sentences of its own, the site another summary."""
    bridge, planet, gazette = (
        add(office, BRIDGE),
        add(office, PLANET),
        add(office, GAZETTE),
    )
    poll(
        office,
        paper(BRIDGE, "Water stands in the lower town.", more=" By the bridge."),
        bridge,
        BRIDGE,
    )
    assert (
        poll(
            office,
            paper(PLANET, FLOOD_ELSEWHERE, more=" By the planet."),
            planet,
            PLANET,
        )
        == 0
    )
    assert poll(office, paper(GAZETTE, FLOOD), gazette, GAZETTE) == 3
    assert office.count(article) == 3
    assert FLOOD[:60] in office.column(article.c.text, article.c.inbox_no)[2]
    assert authorities(office) == {gazette}
    assert poll(office, paper(BRIDGE, STRIKE, more=" A lie."), bridge, BRIDGE) == 0, (
        "no authority any more"
    )
    assert (
        poll(office, paper(PLANET, STRIKE, more=" Another lie."), planet, PLANET) == 0
    )
    assert (
        poll(office, paper(GAZETTE, FLOOD + " A new last sentence."), gazette, GAZETTE)
        > 0
    )
    assert office.count(article) == 3
    assert is_sound(office)


def test_another_text_under_one_url_stays_another_article(office: Office) -> None:
    """A rival lists the URL first, with words of its own: the site's article is not the rival's."""
    planet, gazette = add(office, PLANET), add(office, GAZETTE)
    lies = paper(PLANET, STRIKE)
    lies.reports = [replace(lies.reports[0], title="Buy this now")]
    poll(office, lies, planet, PLANET)
    own = paper(GAZETTE)
    own.reports = own.reports[:1]
    assert poll(office, own, gazette, GAZETTE) == 1
    assert office.column(article.c.title, article.c.inbox_no) == [
        "Buy this now",
        "Levee breaks at Pennmouth",
    ]
    lies.reports = [replace(lies.reports[0], text=STRIKE + " More.")]
    poll(office, lies, planet, PLANET)
    assert (
        office.column(article.c.title, article.c.inbox_no)[1]
        == "Levee breaks at Pennmouth"
    )


def test_a_column_of_a_foreign_feed_is_new_every_day(office: Office) -> None:
    """The address and the words are always the same; a second feed has the same items."""

    def days(host: str, count: int) -> Paper:
        reports = [
            Report(
                day,
                "Weather today",
                "Sunny spells and light wind.",
                NOON - dt.timedelta(days=9 - day),
            )
            for day in range(count)
        ]
        return Paper(
            reports[::-1],
            guid=lambda one: f"{host}-{one.number}",
            url=lambda one: URL.format(n="weather"),
        )

    bridge, planet = add(office, BRIDGE), add(office, PLANET)
    for count in range(1, 5):
        assert poll(office, days(BRIDGE, count), bridge, BRIDGE) == 1
        assert poll(office, days(PLANET, count), planet, PLANET) == 0
    assert len(set(office.column(entry.c.article))) == 4


# --- handed in ---------------------------------------------------------------------------------------------


def own(text: str = FLOOD, **more: object) -> Entry:
    given = record(
        "own",
        "1",
        "Levee breaks",
        text,
        url=URL.format(n=1),
        authority="own",
        outlet=None,
        published=NOON,
    )
    return msgspec.structs.replace(given, **more)


def linked(text: str = FLOOD, source: str = "bridge", **more: object) -> Entry:
    given = record(
        source, f"{source}/1", "Levee breaks", text, url=TRACKED.format(n=1), authority="foreign",
        outlet=None, published=NOON,
    )  # fmt: skip
    return msgspec.structs.replace(given, **more)


ENDING = " The post Levee breaks appeared first on Gazette."


@pytest.mark.parametrize(
    "title", ["Levee breaks", "Gazette: Levee breaks at Pennmouth"]
)
def test_nearly_the_same_words_under_one_url_are_one_article(
    rig: Rig, title: str
) -> None:
    """A feed service appends a line and has its own title and date."""
    later = msgspec.structs.replace(
        linked(FLOOD + ENDING),
        title=title,
        published=Published(time=NOON + dt.timedelta(minutes=7)),
    )
    rig.take(later)
    assert [one.outcome for one in rig.take(own())] == ["revised"]
    assert [
        one.outcome for one in rig.take(linked(FLOOD + " ...", "planet", title="Levee"))
    ] == []
    (row,) = queried(rig.database, select(article)).all()
    assert (row.title, row.copy_of) == ("Levee breaks", None)
    assert "appeared first" not in row.text
    assert rig.take(msgspec.structs.replace(later, text=STRIKE)) == [], (
        "no authority any more"
    )
    assert [
        one.outcome for one in rig.take(own(FLOOD + " Two are missing still."))
    ] == ["revised"]


def test_a_change_before_the_site_was_found_to_have_the_article(office: Office) -> None:
    """Both wait together: the second one is still of the article that the first one turns out to be."""
    rig = office.rig
    rig.take(linked(FLOOD + ENDING, title="Levee", published=None))
    rig.accept(own())
    rig.accept(own(FLOOD + " Two are missing still."))
    assert [one.outcome for one in rig.place()] == ["revised", "revised"]
    (row,) = queried(rig.database, select(article)).all()
    assert row.text.endswith("missing still.")
    assert is_sound(office)


def test_two_feeds_of_aggregators_with_nearly_the_same_words(rig: Rig) -> None:
    rig.take(linked())
    (placed,) = rig.take(
        linked(FLOOD + ENDING, "planet", title="Levee", published=None)
    )
    assert placed.outcome == "unchanged"
    assert rig.take(linked(STRIKE, "planet", title="Levee", published=None)) == [], (
        "it did not come first"
    )
    assert queried(rig.database, select(article.c.copy_of)).scalars().all() == [None]


def test_an_entry_that_waits_for_its_page_is_the_article_that_the_site_delivers(
    rig: Rig,
) -> None:
    (waiting,) = rig.accept(linked("A short lead."), wants_page=[True])
    assert [one.outcome for one in rig.take(own())] == ["founded"]
    with rig.database.write() as connection:
        assert waiting.entry_no is not None
        pending_pages.give_up(connection, waiting.entry_no, verdict=None, reason="429")
    assert [one.outcome for one in rig.place()] == ["unchanged"]
    (row,) = queried(rig.database, select(article)).all()
    assert (row.id, row.title) == (waiting.article, "Levee breaks")


def test_the_page_that_only_the_site_gets_is_a_revision(rig: Rig) -> None:
    """The page does not contain the summary that both feeds have; nothing else says that it is the same."""
    summary = "What a broken levee means for the lower town, and which roads are closed from tonight on."
    rig.take(linked(summary, published=None))
    (accepted,) = rig.accept(own(summary), wants_page=[True])
    assert accepted.outcome == "revision"
    assert accepted.entry_no is not None
    placed = rig.comes(
        accepted.entry_no, page_of(FLOOD, "Levee breaks"), URL.format(n=1)
    )
    assert [one.outcome for one in placed] == ["revised"]
    (row,) = queried(rig.database, select(article)).all()
    assert "three hundred residents" in " ".join(row.text.split())


def test_tracking_parameters_never_replace_an_address(rig: Rig) -> None:
    rig.take(own())
    changed = own(FLOOD + " Two are missing still.", url=TRACKED.format(n=1))
    assert [one.outcome for one in rig.take(changed)] == ["revised"]
    assert queried(rig.database, select(article.c.url)).scalars().all() == [
        URL.format(n=1)
    ]


def test_within_one_source_and_url_nothing_is_a_copy(rig: Rig) -> None:
    """A feed lists a link again a day later: an article of its own, as its GUID says, but no reprint."""
    again = NOON + dt.timedelta(days=1)
    # In one story
    rig = Rig(rig.database, rig.clock, Tuning({"events": {"threshold": -4.0}}))
    rig.take(linked())
    rig.take(
        linked(
            FLOOD + ENDING, guid="again", title="Levee", published=Published(time=again)
        )
    )
    assert (
        queried(rig.database, select(article.c.copy_of, article.c.role)).all()
        == [(None, "report")] * 2
    )
    (story,) = StoryReader(rig.database).stories(StoryFilter()).stories
    assert story.report_count == 1


# --- parts of a page ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", [GAZETTE, BRIDGE])
def test_items_that_differ_in_the_fragment_have_no_page_of_their_own(
    office: Office, host: str
) -> None:
    office.server.routes["/changes"] = (
        f"<html><body><article><p>{FLOOD}</p></article></body></html>"
    )
    page = office.server.url("/changes", GAZETTE)
    given = paper(host)
    given.reports = [
        replace(one, text=f"Short note {one.number}.") for one in given.reports
    ]
    given.url = lambda one: f"{page}#note-{one.number}"
    source = office.source(f"/{host}", host=host, pages="always")
    poll(office, given, source, host)
    given.reports = [
        Report(9, "Another note", "Short note 9.", NOON - dt.timedelta(minutes=1)),
        *given.reports,
    ]
    assert poll(office, given, source, host) == 1
    assert read_by(office.database, pending_pages.due_pages, office.clock(), 10) == []
    assert office.column(article.c.text, article.c.inbox_no) == [
        f"Short note {number}." for number in (2, 1, 0, 9)
    ]


def test_a_fragment_that_only_tracks_leaves_an_item_its_page(office: Office) -> None:
    given = paper(GAZETTE)
    given.url = lambda one: f"{URL.format(n=one.number)}#xtor=RSS-1"
    source = office.source(f"/{GAZETTE}", pages="always")
    poll(office, given, source, GAZETTE)
    assert (
        len(read_by(office.database, pending_pages.due_pages, office.clock(), 10)) == 3
    )


def test_a_copy_within_one_outlet_and_one_of_another_are_under_one_original(
    rig: Rig,
) -> None:
    rig.take(
        record(
            "Gazette",
            "1",
            "Levee breaks",
            FLOOD,
            url="http://gazette.example/a",
            published=NOON,
        )
    )
    later = NOON + dt.timedelta(minutes=5)
    rig.take(
        record(
            "Gazette",
            "2",
            "Levee breaks",
            FLOOD,
            url="http://gazette.example/b",
            published=later,
        )
    )
    rig.take(
        record(
            "Herald",
            "1",
            "Levee breaks",
            FLOOD,
            url="http://herald.example/b",
            published=later,
        )
    )
    reader = StoryReader(rig.database)
    (story,) = reader.stories(StoryFilter()).stories
    whole = reader.story(story.id)
    ((original, copies),) = originals_with_copies(whole.articles)
    assert (original.outlet, sorted(copy.outlet for copy in copies)) == (
        "Gazette",
        ["Gazette", "Herald"],
    )
    assert (whole.outlet_count, whole.report_count) == (2, 1)
