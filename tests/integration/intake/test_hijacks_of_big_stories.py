"""Advertisements in a story of many reports are not told and lift no count; honest latecomers are both."""

import gzip
import json
import os
import random
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from sqlalchemy import select, text

from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.tables import article
from aggregator.text.sentences import sentences_of
from tests.support.articles import NOON, Clock, Rig, record, trust
from tests.support.rows import queried
from tests.support.story_checks import what_is_wrong

DATA = Path(
    os.environ.get("AGGREGATOR_DATA", Path(__file__).parents[4] / "shared" / "data")
)
EVENTS = DATA / "events-lookalikes.jsonl.gz"
pytestmark = pytest.mark.skipif(
    not EVENTS.exists(), reason=f"no {EVENTS.name} in {DATA}"
)

STORIES = [
    "ecb-7-plus",
    *(
        pytest.param(one, marks=pytest.mark.later)
        for one in ("ecb-21-plus", "ecb-25-plus", "ecb-27-ecb")
    ),
]
ADVERTISEMENTS = (
    "Slimona helped 4,000 customers of the Golden Harbour pharmacy lose twelve kilos in a month.",
    "The Golden Harbour pharmacy sells three bottles of Slimona for 29 dollars until Sunday.",
    "Doctor Ruth Sellers recommends Slimona to patients in 40 countries.",
    "The secret of Slimona is a berry from the Carpathian mountains, which burns fat while people sleep.",
    "Golden Harbour delivers every bottle of Slimona free of charge within two days.",
)
ADVERTISED = " ".join(ADVERTISEMENTS)
LATER = NOON + timedelta(hours=6)


class Shown(NamedTuple):
    """What readers get of a story."""

    title: str
    summary: str
    text: str
    articles: int
    outlets: int
    reports: int


class BigStory:
    """A story of known feeds; two reports of its event have not come yet."""

    def __init__(
        self,
        database: Database,
        event: str,
        *,
        are_known: bool = True,
        known: tuple[str, ...] = (),
    ) -> None:
        with gzip.open(EVENTS, "rt", encoding="utf-8") as lines:
            records = [one for one in map(json.loads, lines) if one["cluster"] == event]
        *came, self.withheld, self.withheld_too = (
            one for one in records if len(one["text"].split()) > 40
        )
        self.rig = Rig(database, Clock(NOON))
        outlets = [one["source"] or one["id"] for one in came]
        trust(
            database,
            [feed_of(outlet) for outlet in (*known, *(outlets if are_known else ()))],
        )
        self.rig.take(
            *(
                of_feed(
                    outlet,
                    one["title"],
                    one["text"],
                    NOON + timedelta(minutes=20 * place),
                )
                for place, (outlet, one) in enumerate(zip(outlets, came, strict=True))
            )
        )
        homes = [row.story for row in queried(database, select(article.c.story))]
        self.id = max(homes, key=homes.count)
        told = select(article.c.title, article.c.text).where(
            article.c.story == self.id, article.c.role == "report"
        )
        self.reports = queried(database, told.order_by(article.c.inbox_no)).all()
        *_, self.last = [row for row in self.reports if len(row.text.split()) > 60]

    def shown(self) -> Shown:
        self.rig.render()
        columns = "title, summary, text, article_count, outlet_count, report_count"
        view = text(f"SELECT {columns} FROM v_stories WHERE id = :id").bindparams(
            id=self.id
        )
        return Shown(*queried(self.rig.database, view).one())

    def takes(self, *entries: Entry) -> Shown:
        """The story after these entries and those of the next hours, with which a second look comes."""
        self.rig.clock.time = max(self.rig.clock.time, LATER)
        self.rig.take(*entries)
        self.rig.take(
            *(of_feed(f"{n}.example", "", f"Nothing {n}", LATER) for n in range(40))
        )
        assert what_is_wrong(self.rig.database, self.rig.pipeline.placer) == []
        return self.shown()


def feed_of(outlet: str) -> str:
    return f"https://{outlet}/feed"


def of_feed(outlet: str, title: str, said: str, when: Any) -> Entry:
    more: dict[str, Any] = {
        "outlet": outlet,
        "authority": "foreign",
        "language": "en",
        "published": when,
    }
    return record(feed_of(outlet), f"{outlet} {title}", title, said, **more)


def hijack(way: str, title: str, said: str) -> list[Entry]:
    sentences = [sentence for paragraph in sentences_of(said) for sentence in paragraph]
    between = [
        f"{one} {ADVERTISEMENTS[n // 2 % len(ADVERTISEMENTS)]}" if n % 2 else one
        for n, one in enumerate(sentences)
    ]
    texts = {
        "headline": ADVERTISED,
        "first sentence": f"{sentences[0]} {ADVERTISED}",
        "two sentences": f"{' '.join(sentences[:2])} {ADVERTISED}",
        "three sentences": f"{' '.join(sentences[:3])} {ADVERTISED}",
        "advertisements below": "\n".join((said, *ADVERTISEMENTS)),
        "advertisements between": "\n".join(between),
        "earlier date": "\n".join((said, *ADVERTISEMENTS)),
        "forty outlets": f"{' '.join(sentences[:3])} {ADVERTISED}",
    }
    when = NOON - timedelta(hours=2) if way == "earlier date" else LATER
    count = 40 if way == "forty outlets" else 1
    return [of_feed(f"spam{n}.example", title, texts[way], when) for n in range(count)]


WAYS = (
    "headline",
    "first sentence",
    "two sentences",
    "three sentences",
    "advertisements below",
    "advertisements between",
    "earlier date",
    "forty outlets",
)


@pytest.mark.later
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("event", STORIES)
def test_a_hijack_is_not_told_and_adds_one_outlet_at_most(
    database: Database, event: str, way: str
) -> None:
    story = BigStory(database, event)
    before = story.shown()
    after = story.takes(*hijack(way, story.last.title, story.last.text))
    assert (after.title, after.summary, after.reports) == (
        before.title,
        before.summary,
        before.reports,
    )
    assert after.outlets <= before.outlets + 1
    assert "Slimona" not in after.text
    assert "Golden Harbour" not in after.text


@pytest.mark.parametrize("event", STORIES)
def test_forty_outlets_that_mix_the_sentences_of_reports_are_not_told_and_count_as_one(
    database: Database, event: str
) -> None:
    story = BigStory(database, event)
    before = story.shown()
    told = [
        one for row in story.reports for said in sentences_of(row.text) for one in said
    ]
    mixed = [
        " ".join(
            (*random.Random(n).sample(told, 7), ADVERTISEMENTS[n % len(ADVERTISEMENTS)])
        )
        for n in range(40)
    ]
    after = story.takes(
        *(
            of_feed(f"spam{n}.example", story.last.title, one, LATER)
            for n, one in enumerate(mixed)
        )
    )
    assert (after.title, after.summary, after.reports) == (
        before.title,
        before.summary,
        before.reports,
    )
    assert after.outlets <= before.outlets + 1
    assert "Slimona" not in after.text
    names = text("SELECT name FROM v_story_names WHERE story_id = :id").bindparams(
        id=story.id
    )
    assert "Slimona" not in queried(database, names).scalars().all()


@pytest.mark.parametrize(
    ("outlet", "dateline"),
    [("spam.example", "LONDON (Reuters) - "), ("reuters.com", "")],
)
@pytest.mark.parametrize("event", STORIES)
def test_an_unknown_outlet_makes_no_agency_the_origin_of_what_it_copies_and_no_topic(
    database: Database, event: str, outlet: str, dateline: str
) -> None:
    """Neither by a dateline nor by links to the agency."""
    story = BigStory(database, event)
    before = story.shown()
    after = story.takes(
        *(
            msgspec.structs.replace(
                of_feed("spam.example", f"{row.title}", dateline + row.text, LATER),
                guid=str(n),
                outlet=outlet,
                categories=("Slimona",),
            )
            for n, row in enumerate(story.reports)
        )
    )
    assert after.text.count("\n- ") >= before.text.count("\n- ")
    assert after.articles > before.articles
    assert after.reports == before.reports
    topics = text("SELECT topic FROM v_story_topics WHERE story_id = :id").bindparams(
        id=story.id
    )
    assert queried(database, topics).scalars().all() == []


@pytest.mark.parametrize("event", STORIES)
def test_an_advertisement_within_the_sentences_of_a_report_is_not_told(
    database: Database, event: str
) -> None:
    story = BigStory(database, event)
    told = [one for said in sentences_of(story.withheld["text"]) for one in said]
    within = [
        f"{one.rstrip('.')}, while Slimona of Golden Harbour costs 29 dollars."
        for one in told[:12]
    ]
    after = story.takes(
        of_feed("spam.example", story.withheld["title"], " ".join(within), LATER)
    )
    assert "Slimona" not in after.text
    assert "29 dollars" not in after.text


@pytest.mark.parametrize("named", ["valley.example", "spam.example"])
@pytest.mark.parametrize("event", STORIES)
def test_who_lists_the_address_of_a_known_outlet_before_it_keeps_no_report_of_it_out(
    database: Database, event: str, named: str
) -> None:
    story = BigStory(database, event, known=("valley.example",))
    address, report = "https://valley.example/report", story.withheld
    sentences = [one for said in sentences_of(report["text"]) for one in said]
    stolen = " ".join((*sentences[:3], ADVERTISED))
    before = story.shown()
    story.takes(
        msgspec.structs.replace(
            of_feed("spam.example", report["title"], stolen, LATER),
            url=address,
            outlet=named,
        )
    )
    own = of_feed("valley.example", report["title"], report["text"], LATER)
    after = story.takes(msgspec.structs.replace(own, url=address, authority="own"))
    assert (after.articles, after.outlets) == (before.articles + 1, before.outlets + 1)
    assert "Slimona" not in after.text
    a = article.c
    written = select(a.role, a.counts_as_report, a.is_little_known, a.source, a.outlet)
    (row,) = queried(database, written.where(a.url == address)).all()
    assert row == ("report", True, False, feed_of("valley.example"), "valley.example")


@pytest.mark.later
@pytest.mark.parametrize("way", WAYS)
def test_on_the_first_day_no_source_is_known_and_it_is_not_told_either(
    sqlite: Database, way: str
) -> None:
    story = BigStory(sqlite, "ecb-25-plus", are_known=False)
    before = story.shown()
    after = story.takes(*hijack(way, story.last.title, story.last.text))
    assert (after.title, after.reports) == (before.title, before.reports)
    assert after.outlets <= before.outlets + 1
    assert "Slimona" not in after.text


@pytest.mark.parametrize("event", STORIES)
def test_a_late_reprint_of_a_small_outlet_joins_and_is_told_and_counted(
    database: Database, event: str
) -> None:
    story = BigStory(database, event)
    before = story.shown()
    after = story.takes(
        of_feed("valley.example", story.last.title, story.last.text, LATER)
    )
    assert after._replace(text="") == before._replace(
        text="", articles=before.articles + 1, outlets=before.outlets + 1
    )
    assert "valley.example" in after.text


@pytest.mark.parametrize("event", STORIES)
def test_a_report_of_a_small_outlet_joins_and_is_told_and_counted(
    database: Database, event: str
) -> None:
    story = BigStory(database, event)
    before = story.shown()
    own = of_feed(
        "valley.example", story.withheld["title"], story.withheld["text"], LATER
    )
    after = story.takes(own)
    assert (after.articles, after.outlets) == (before.articles + 1, before.outlets + 1)
    assert before.reports <= after.reports <= before.reports + 1, (
        "some share a quarter of their words with one"
    )
    assert "valley.example: " in after.text or "valley.example," in after.text


def test_two_reprints_of_small_outlets_count_as_one_outlet_until_they_are_known(
    database: Database,
) -> None:
    story = BigStory(database, "ecb-7-plus")
    before = story.shown()
    reprints = [
        of_feed(f"{n}.example", story.last.title, story.last.text, LATER)
        for n in ("hill", "dale")
    ]
    assert story.takes(*reprints).outlets == before.outlets + 1


@pytest.mark.later
def test_outlets_that_are_known_count_each(database: Database) -> None:
    story = BigStory(database, "ecb-7-plus", known=("hill.example", "dale.example"))
    before = story.shown()
    reprints = [
        of_feed(f"{n}.example", story.last.title, story.last.text, LATER)
        for n in ("hill", "dale")
    ]
    assert story.takes(*reprints).outlets == before.outlets + 2
