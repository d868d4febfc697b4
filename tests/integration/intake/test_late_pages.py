"""News before its page: an entry is placed with the feed's words, and decided again when its page comes."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Table, select

from aggregator.admin.evaluate import leads_of, place_records
from aggregator.admin.labelled_data import read_dataset
from aggregator.config.tuning import Tuning
from aggregator.grouping.placing.placement_result import PlacementResult
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.polling.poll import Poller
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.entry import Entry
from aggregator.model.evidence import Evidence
from aggregator.sources.fetch.client import Client
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.intake import pending_pages
from aggregator.store.intake.source_rows import add
from aggregator.store.maintenance.integrity_check import conservation_faults
from aggregator.store.tables import article, entry, story, story_log
from tests.support.articles import (
    DAY,
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    page_of,
    record,
    settled,
)
from tests.support.deep_checks import faults
from tests.support.fresh import sqlite_at
from tests.support.loopback import Resource, Response
from tests.support.polling import feed_source, poller_on
from tests.support.rows import queried, read_by, written_by
from tests.support.rss import item, rss
from tests.support.story_checks import TRIPWIRE, correct, reclustering, what_is_wrong
from tests.support.world import World

TUNING = Tuning()
WAIT = timedelta(seconds=TUNING.values("polling")["page_wait_seconds"])
URL = "http://gazette.example/1"
SUMMARY = "What a broken levee means for the lower town, and which of the roads are closed from tonight on."
LEAD = "The river Arrel broke through the levee at Pennmouth on Sunday evening."


def teaser(
    title: str = "Levee breaks at Pennmouth",
    text: str = LEAD,
    number: int = 1,
    **more: object,
) -> Entry:
    address = URL.replace("/1", f"/{number}")
    more = {"published": None, "url": address, "authority": "own"} | more
    return record("Gazette", str(number), title, text, **more)


def placed_without(rig: Rig, item: Entry) -> int:
    """Place an entry with its own words; the number of the row that waits for the page."""
    n = rig.waits(item)
    assert written_by(rig.database, pending_pages.release_copies, [n]) == 1
    assert [one.outcome for one in rig.place()] in (["founded"], ["joined"], ["copy"])
    return n


def comes(rig: Rig, n: int, page: bytes | None) -> PlacementResult:
    (placed,) = rig.comes(n, page, URL)
    return placed


def rows(database: Database, of: Table = story) -> list:
    number = of.c.get("inbox_no", of.c.get("story_no"))
    return list(
        queried(database, select(of).order_by(*([] if number is None else [number])))
    )


def is_sound(rig: Rig) -> None:
    assert list(conservation_faults(rig.database)) == []
    assert what_is_wrong(rig.database, rig.pipeline.placer) == []


# --- waiting -----------------------------------------------------------------------------------------------


def overdue(rig: Rig, after: timedelta) -> list[int]:
    with rig.database.read() as connection:
        (accepted,) = connection.execute(
            select(entry.c.accepted_at).where(entry.c.state == "page")
        ).scalars()
        return pending_pages.list_overdue_entries(connection, accepted + after, WAIT)


def test_an_entry_waits_a_minute_for_its_page(rig: Rig) -> None:
    n = rig.waits(teaser())
    assert overdue(rig, WAIT - timedelta(seconds=1)) == []
    assert overdue(rig, WAIT) == [n]
    assert overdue(rig, -2 * WAIT) == [n], "the clock was ahead"
    with rig.database.write() as connection:
        assert pending_pages.release_copies(connection, [n]) == 1
        assert pending_pages.release_copies(connection, [n]) == 0, "once"
    assert overdue(rig, 9 * WAIT) == []
    assert [one.outcome for one in rig.place()] == ["founded"]
    assert [
        one.entry_no
        for one in read_by(rig.database, pending_pages.load_due_pages, NOON + WAIT, 9)
    ] == [n]
    is_sound(rig)


def test_what_has_only_an_address_waits_on(rig: Rig) -> None:
    n = rig.waits(Entry(source="127.0.0.1", url=URL, authority="page"))
    assert written_by(rig.database, pending_pages.release_copies, [n]) == 0
    assert rig.place() == []
    assert overdue(rig, WAIT) == []
    assert comes(rig, n, page_of(FLOOD)).outcome == "founded"
    is_sound(rig)


def test_a_revision_waits_for_its_page_as_long_as_it_takes(rig: Rig) -> None:
    """The words of the feed must not replace the text."""
    comes(rig, rig.waits(teaser()), page_of(FLOOD))
    (again,) = rig.accept(teaser(text=f"{LEAD} Four died."), wants_page=[True])
    assert again.outcome == "revision"
    assert overdue(rig, 9 * WAIT) == []


def test_the_pages_of_a_first_poll_come_last_and_only_of_its_newest_entries(
    database: Database, world_client: tuple[World, Client]
) -> None:
    world, client = world_client
    most = TUNING.values("polling")["first_poll_pages"]
    moments = [NOON - timedelta(hours=n) for n in range(most + 20)]
    items = (
        item(
            f"Title {n}",
            "Some words.",
            guid=n,
            link=f"http://old.example/{n}",
            published=moment,
        )
        for n, moment in enumerate(moments)
    )
    world.sites["old.example"] = {"/feed": Resource(rss(*items))}
    poller = poller_of(database, world, client)
    source = feed_source("http://old.example/feed", pages="auto")
    written_by(database, add, source)
    poller.poll(source)
    rig = Rig(database, world.time)
    rig.accept(teaser(), wants_page=[True], bump_by_clock=True)
    due = read_by(database, pending_pages.load_due_pages, world.time(), 1000)
    assert due[0].url == URL, "news comes first"
    assert {one.url for one in due[1:]} == {
        f"http://old.example/{n}" for n in range(most)
    }
    assert len(rig.place()) == 20, "the older ones wait for nothing"


# --- errors of the server ----------------------------------------------------------------------------------


@pytest.fixture
def world_client(world: World) -> Iterator[tuple[World, Client]]:
    client = world.client(TUNING)
    yield world, client
    client.close()


def poller_of(database: Database, world: World, client: Client) -> Poller:
    return poller_on(database, client, TUNING, world.time, pages="auto")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_refuses_pages_delays_no_news_and_not_the_feed(
    database: Database, world_client: tuple[World, Client], status: int
) -> None:
    world, client = world_client
    rig = Rig(database, world.time)
    world.sites["gazette.example"] = {
        "/feed": Resource(rss()),
        "*": Response(status, {"Retry-After": "900"}),
    }
    poller = poller_of(database, world, client)
    numbers = [rig.waits(teaser(f"Title {n}", number=n)) for n in (1, 2, 3)]
    for wanted in due_now(rig, world):
        poller.fetch_page(wanted)
    world.time.run(WAIT.total_seconds() + 1)
    poller.place_without_pages(world.time())
    assert len(rig.place()) == 3
    assert not poller.place_without_pages(world.time())
    is_held = status == 429
    assert (
        client.rate_limiter.ready_in("gazette.example", is_page=True) > 600
        or not is_held
    )
    assert client.fetch("http://gazette.example/feed").status == 200
    for _ in range(6):
        world.time.run(3600)
        for wanted in due_now(rig, world):
            poller.fetch_page(wanted)
    assert [one.outcome for one in rig.place()] == ["unchanged"] * len(numbers), (
        "given up"
    )
    failed = queried(
        database, select(entry.c.entry_no).where(entry.c.page_verdict.is_not(None))
    ).all()
    assert len(failed) == 3
    is_sound(rig)


def due_now(rig: Rig, world: World) -> list[pending_pages.PendingPage]:
    return read_by(rig.database, pending_pages.load_due_pages, world.time(), 100)


# --- when the page comes -----------------------------------------------------------------------------------


def test_the_page_replaces_the_words_of_the_feed(rig: Rig) -> None:
    """Even if it does not contain them: it is the page of this entry."""
    n = placed_without(rig, teaser(text=SUMMARY))
    (before,) = rows(rig.database)
    placed = comes(rig, n, page_of(FLOOD))
    (after,) = rows(rig.database)
    assert (placed.outcome, placed.story) == ("revised", before.id)
    assert (after.id, after.bumped_at) == (before.id, before.bumped_at)
    (row,) = rows(rig.database, article)
    assert "pump station" in row.text.lower()
    assert row.role == "report"
    is_sound(rig)


@pytest.mark.parametrize(
    "page", [None, b"", page_of("A consent notice.")], ids=["none", "empty", "short"]
)
def test_a_page_without_a_text_changes_nothing(rig: Rig, page: bytes | None) -> None:
    n = placed_without(rig, teaser())
    before = settled(rig.database)
    assert comes(rig, n, page).outcome in ("unchanged", "revised")
    assert settled(rig.database)["stories"] == before["stories"]
    is_sound(rig)


@pytest.mark.parametrize(("text", "reports"), [(FLOOD, 1), (FLOOD_ELSEWHERE, 2)])
def test_a_page_of_the_same_event_merges_the_stories_without_a_bump(
    rig: Rig, text: str, reports: int
) -> None:
    """Whether it is a copy of the other story's report or another one."""
    (report,) = rig.take(record("Courier", "1", "Levee breaks at Pennmouth", FLOOD))
    n = placed_without(
        rig, teaser("Monday morning", "The paper of today in short.", published=NOON)
    )
    first, alone = rows(rig.database)
    assert alone.redirect_to is None
    placed = comes(rig, n, page_of(text))
    kept, gone = rows(rig.database)
    assert (placed.story, gone.redirect_to) == (report.story, kept.id)
    assert (kept.bumped_at, kept.article_count) == (first.bumped_at, 2)
    assert kept.report_count == reports
    late = rows(rig.database, article)[1]
    assert late.is_compared == (reports == 2)
    assert late.copy_of == (None if late.is_compared else report.article)
    assert late.role == ("report" if late.is_compared else "copy")
    (merged,) = [
        one
        for one in rows(rig.database, story_log)
        if one.kind == "merged" and one.story == kept.id
    ]
    assert ("second look" in merged.detail) == late.is_compared
    is_sound(rig)


def test_a_copy_by_its_lead_that_is_a_report_of_its_own_is_counted(rig: Rig) -> None:
    lead = " ".join(FLOOD.split()[:60])
    rig.take(record("Courier", "1", "Levee breaks at Pennmouth", lead))
    n = placed_without(rig, teaser(text=lead, published=NOON))
    assert [one.report_count for one in rows(rig.database)] == [1]
    comes(rig, n, page_of(FLOOD_ELSEWHERE))
    assert rows(rig.database, article)[1].role == "report"
    assert [
        one.report_count for one in rows(rig.database) if one.redirect_to is None
    ] == [2]
    is_sound(rig)


def test_a_page_with_many_words_of_an_agency_is_of_its_origin(rig: Rig) -> None:
    (agency,) = rig.take(record("Reuters", "1", "Levee breaks at Pennmouth", FLOOD))
    n = placed_without(rig, teaser(published=NOON))
    words = FLOOD_ELSEWHERE.split()
    comes(rig, n, page_of(f"{FLOOD} {' '.join(words)} {' '.join(words[::-1])}"))
    (row,) = [one for one in rows(rig.database, article) if one.id != agency.article]
    assert (row.role, row.copy_of, row.reuses) == ("report", None, agency.article)
    assert codecs.unpack(row.evidence, Evidence).reuse is not None
    (live,) = [one for one in rows(rig.database) if one.redirect_to is None]
    assert (live.outlet_count, live.report_count) == (2, 1)
    is_sound(rig)


def test_a_page_is_no_copy_of_its_own_copy(rig: Rig) -> None:
    """What the feed said was copied; the page has a little more."""
    lead = " ".join(FLOOD.split()[:60])
    n = placed_without(rig, teaser(text=lead, published=NOON))
    (copy,) = rig.take(record("Courier", "1", "Levee breaks at Pennmouth", lead))
    assert copy.outcome == "copy"
    comes(rig, n, page_of(" ".join(FLOOD.split()[:75])))
    assert [(one.role, one.copy_of is None) for one in rows(rig.database, article)] == [
        ("report", True),
        ("copy", False),
    ]
    assert [one.report_count for one in rows(rig.database)] == [1]
    assert faults(rig.database) == []
    is_sound(rig)


def test_a_page_that_is_a_copy_of_a_later_article_is_no_fault(rig: Rig) -> None:
    n = placed_without(
        rig, teaser("Notes from the river", "Our reporter looks back at a long night.")
    )
    (report,) = rig.take(record("Courier", "1", "Levee breaks at Pennmouth", FLOOD))
    comes(rig, n, page_of(FLOOD))
    assert rows(rig.database, article)[0].copy_of == report.article
    assert faults(rig.database) == []


def test_a_late_page_that_its_own_site_delivers_meanwhile(rig: Rig) -> None:
    """A reader's feed links to it in words of its own; its page is what the site's feed has."""
    own = record(
        "Gazette", "1", "Levee breaks at Pennmouth", FLOOD, url=URL, authority="own",
        outlet="gazette.example", )  # fmt: skip
    link = record(
        "Reader", "r1", "Why maps of rivers lie", "A thread about old maps.", url=URL, authority="foreign",
        outlet="gazette.example", )  # fmt: skip
    n = placed_without(rig, link)
    rig.take(own)
    assert len([one for one in rows(rig.database) if one.redirect_to is None]) == 2
    comes(rig, n, page_of(FLOOD))
    (live,) = [one for one in rows(rig.database) if one.redirect_to is None]
    assert (live.article_count, live.outlet_count, live.report_count) == (2, 1, 1)
    assert all(
        "pump station" in one.text.lower() for one in rows(rig.database, article)
    )
    (later,) = rig.take(replace(link, text="Buy this now."))
    assert later.outcome == "unchanged", "no authority"
    assert not any("Buy this" in one.text for one in rows(rig.database, article))
    assert faults(rig.database) == []
    is_sound(rig)


@pytest.mark.parametrize("is_changed", [True, False], ids=["words", "date"])
def test_the_first_page_of_an_article_is_no_article_of_its_own(
    rig: Rig, is_changed: bool
) -> None:
    """It was placed without; its feed changes a date or some words, and now the page is read."""
    rig.take(teaser(text=SUMMARY, published=NOON))
    before = rows(rig.database)
    later = {"published": NOON + timedelta(hours=2)} | (
        {"text": f"{SUMMARY} By our staff."} if is_changed else {}
    )
    (accepted,) = rig.accept(teaser(**{"text": SUMMARY} | later), wants_page=[True])
    assert accepted.outcome == "revision"
    assert accepted.entry_no is not None
    assert comes(rig, accepted.entry_no, page_of(FLOOD)).outcome == "revised"
    assert [(one.id, one.bumped_at) for one in rows(rig.database)] == [
        (one.id, one.bumped_at) for one in before
    ]
    (row,) = rows(rig.database, article)
    assert "pump station" in row.text.lower()
    again = rig.waits(teaser(text=SUMMARY, published=NOON + DAY))
    assert comes(rig, again, page_of(STRIKE)).outcome == "founded", (
        "the address is used again"
    )
    is_sound(rig)


@pytest.mark.parametrize(
    "page", [None, page_of("A consent notice.")], ids=["failed", "unusable"]
)
def test_without_its_page_a_changed_title_changes_nothing(
    rig: Rig, page: bytes | None
) -> None:
    comes(
        rig,
        rig.waits(teaser(text=SUMMARY, published=NOON)),
        page_of(f"{FLOOD} {FLOOD_ELSEWHERE}"),
    )
    before = settled(rig.database)
    (again,) = rig.accept(
        teaser("Levee broke", SUMMARY, published=NOON), wants_page=[True]
    )
    assert (again.outcome, again.entry_no) == ("revision", 2)
    if page is None:
        reason = {"verdict": "block", "reason": "its page: http 429"}
        written_by(
            rig.database, pending_pages.release_without_page, again.entry_no, **reason
        )
    else:
        rig.brings(again.entry_no, page, URL)
    assert [one.outcome for one in rig.place()] == ["unchanged"]
    assert settled(rig.database)["stories"] == before["stories"]
    is_sound(rig)


def test_a_revision_that_came_meanwhile_stays(rig: Rig) -> None:
    n = placed_without(rig, teaser())
    (again,) = rig.take(teaser(text=f"{FLOOD} Ferries ran again on Tuesday."))
    assert again.outcome == "revised"
    assert comes(rig, n, page_of(FLOOD)).outcome == "unchanged"
    assert "Ferries" in rows(rig.database, article)[0].text
    is_sound(rig)


def test_what_a_correction_holds_is_not_moved_by_its_page(rig: Rig) -> None:
    rig.take(record("Courier", "1", "Levee breaks at Pennmouth", FLOOD))
    rig.take(record("Harbour", "1", "Dock workers strike in Sennick", STRIKE))
    n = placed_without(
        rig, teaser("Notes from the river", "Our reporter looks back at a long night.")
    )
    _, strike, own = rows(rig.database)
    correct(rig.database, "merge", strike.id, own.id)
    rig.restart()
    assert comes(rig, n, page_of(FLOOD)).story == strike.id
    is_sound(rig)


# --- decided again -----------------------------------------------------------------------------------------


@pytest.mark.later
def test_deciding_again_gives_the_stories_of_texts_that_came_first(
    tmp_path: Path,
) -> None:
    records, found = read_dataset(TRIPWIRE), []
    for name, leads in (("at once", []), ("late", leads_of(records, TUNING))):
        with sqlite_at(tmp_path / f"{name}.db") as database:
            pipeline = Pipeline(
                database, InlineExecutor(), TUNING, Clock(), keep_all=True
            )
            place_records(leads, database, pipeline, lambda _: None)
            place_records(
                records, database, pipeline, lambda _: None, leads=leads or None
            )
            for _ in range(2):
                assigned = reclustering(database).assignments(corrected=True)
                together = {
                    frozenset(one for one in assigned if assigned[one] == its)
                    for its in assigned.values()
                }
                found.append(together)
    assert all(one == found[0] for one in found)


def test_a_page_that_leads_to_another_site_takes_no_text_away(rig: Rig) -> None:
    words = "Levee breaks. " + " ".join(FLOOD.split()[:40])
    comes(
        rig,
        rig.waits(teaser(text=words, published=NOON)),
        page_of(f"{FLOOD} {FLOOD_ELSEWHERE}"),
    )
    (whole,) = (row.text for row in rows(rig.database, article))
    again = rig.waits(teaser("Levee broke", words, published=NOON))
    assert [
        one.outcome for one in rig.comes(again, None, "https://consent.example/x")
    ] == ["unchanged"]
    assert [row.text for row in rows(rig.database, article)] == [whole]
