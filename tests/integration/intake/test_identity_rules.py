"""Who may give an article its words, which folders and feeds are the same: rules that later work rests on."""

import datetime as dt
import os
from pathlib import Path

import pytest
from sqlalchemy import select

from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.intake.folder_names import known_as, known_folder
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article
from tests.support.articles import (
    FLOOD,
    NOON,
    STRIKE,
    Clock,
    Rig,
    page_of,
    record,
    settled,
)
from tests.support.fresh import sqlite_at
from tests.support.rows import queried

ADDRESS = "https://gazette.example/levee"


@pytest.fixture
def rig(sqlite: Database) -> Rig:
    return Rig(sqlite, Clock(NOON + dt.timedelta(days=3)))


def texts(rig: Rig) -> list[tuple[str, str | None]]:
    rows = queried(
        rig.database,
        select(article.c.text, article.c.outlet).order_by(article.c.inbox_no),
    )
    return [(row.text, row.outlet) for row in rows]


def own(text: str = FLOOD) -> Entry:
    return record(
        "own",
        "1",
        "Levee breaks",
        text,
        url=ADDRESS,
        authority="own",
        outlet="Gazette",
        published=NOON,
    )


def linked(text: str, guid: str = "x") -> Entry:
    return record(
        "rival",
        guid,
        "Levee, they say",
        text,
        url=ADDRESS,
        authority="foreign",
        outlet="Agg",
        published=NOON,
    )


def test_a_link_whose_page_is_known_meanwhile_is_that_article_for_ever(
    rig: Rig,
) -> None:
    n = rig.waits(linked("", "x"))
    rig.take(own())
    assert [one.outcome for one in rig.comes(n, page_of(FLOOD, "Levee"), ADDRESS)] == [
        "unchanged"
    ]
    assert rig.take(linked(STRIKE, "x")) == [], (
        "its GUID means the site's own article now"
    )
    assert len(texts(rig)) == 1


def test_a_copy_of_a_dead_story_is_decided_alike_before_and_after_a_restart(
    rig: Rig, tmp_path: Path
) -> None:
    all_tuning = Tuning({"events": {"live_reach": 3}})
    entries = [
        record("Gazette", "flood", "Levee breaks at Pennmouth", FLOOD, published=NOON)
    ]
    entries += [
        record(
            "Post",
            str(n),
            f"Note {n}",
            f"Number {n}: " + " ".join(f"w{n}x{i}" for i in range(60)),
        )
        for n in range(8)
    ]
    entries.append(
        record("Courier", "copy", "Levee breaks at Pennmouth", FLOOD, published=NOON)
    )
    small = Rig(rig.database, rig.clock, all_tuning)
    for entry in entries:
        small.take(entry)
    with sqlite_at(tmp_path / "restarted.db") as fresh:
        other = Rig(fresh, Clock(NOON + dt.timedelta(days=3)), all_tuning)
        for entry in entries:
            other.restart()
            other.take(entry)
        assert settled(fresh) == settled(rig.database)


def test_two_folders_of_one_name_are_two_and_a_moved_one_is_the_same(
    database: Database, tmp_path: Path
) -> None:
    first, second, moved = (
        tmp_path / "a" / "news",
        tmp_path / "b" / "news",
        tmp_path / "c" / "news",
    )
    first.mkdir(parents=True)
    second.mkdir(parents=True)
    with database.write() as connection:
        assert known_folder(connection, first, os.path.isdir) == "news"
        assert known_folder(connection, second, os.path.isdir) == "news#2"
        moved.parent.mkdir()
        first.rename(moved)
        assert known_folder(connection, moved, os.path.isdir) == "news"
        assert known_folder(connection, second, os.path.isdir) == "news#2"
    entry = Entry(source="news", guid="x.txt", text=FLOOD)
    assert known_as(entry, second, "news#2").source == "news#2"
    spoken = record("Gazette", "1", "Levee", FLOOD)
    assert known_as(spoken, second, "news#2") == spoken


def test_the_site_of_an_address_goes_before_what_a_page_calls_itself(rig: Rig) -> None:
    page = (
        '<html><head><meta property="og:site_name" content="The Gazette Online"></head>'
        f"<body><article><h1>Levee breaks at Pennmouth</h1><p>{FLOOD}</p></article></body></html>"
    )
    n = rig.waits(
        record("feed", "1", "Levee", "", url=ADDRESS, authority="own", outlet=None)
    )
    rig.comes(n, page.encode(), ADDRESS)
    rig.take(
        record(
            "feed",
            "2",
            "Strike",
            STRIKE,
            url=ADDRESS + "/2",
            authority="own",
            outlet=None,
        )
    )
    assert {outlet for _, outlet in texts(rig)} == {"gazette.example"}


def test_stories_are_found_by_an_outlet_whatever_its_case(rig: Rig) -> None:
    rig.take(record("Écho du Nord", "1", "Strike", STRIKE, published=NOON))
    for asked in ("Écho du Nord", "écho du nord", "ÉCHO DU NORD"):
        assert (
            len(StoryReader(rig.database).stories(StoryFilter(outlet=asked)).stories)
            == 1
        )
