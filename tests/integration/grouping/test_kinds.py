"""The kind of an article from its page or entry to counts, SQL, JSON and explanations, on both databases."""

import json

import pytest
from sqlalchemy import text

from aggregator.cli.explain_command import explanation_text
from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.grouping.corrections.explanation import explain_article
from aggregator.model.entry import Entry
from aggregator.model.prepared import CleanArticle
from aggregator.publish.sanitise import encode_json
from aggregator.publish.story_json import story_in_list, whole_story
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories.stored_articles import (
    read_articles_of,
    read_whole_articles,
)
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    STRIKE_ELSEWHERE,
    Rig,
    record,
)
from tests.support.rows import executed, queried
from tests.support.story_checks import correct, recluster

TUNING = Tuning()
FLOOD_LATER = """Four people died when the levee on the river Arrel broke at Pennmouth on Sunday evening, the
district administration said, and two are still missing. Firefighters in boats took more than three hundred
residents off their roofs. Mayor Ilse Brandt told everybody below the market square to leave."""
PAGE = """<html><head><title>Levee breaks</title><meta property="article:section" content="{section}">
<script type="application/ld+json">{{"@type": "{type}", "headline": "Levee breaks at Pennmouth"}}</script>
</head><body><article><h1>Levee breaks at Pennmouth</h1><p>{text}</p></article></body></html>"""


def page(
    type_: str = "NewsArticle", section: str = "Region", *entry: str
) -> CleanArticle:
    html = PAGE.format(
        type=type_, section=section, text=FLOOD.replace(".", ".</p><p>", 3)
    )
    one = Entry(source="s", url="https://herald.example/1", categories=entry)
    return clean_entry(
        one,
        page=html.encode(),
        page_charset="utf-8",
        page_url="https://herald.example/1",
        seen=NOON,
        tuning=TUNING,
    ).article


@pytest.fixture
def database(sqlite: Database) -> Database:
    """Where nothing but the rules is asked; `each_kind` is of both kinds."""
    return sqlite


@pytest.fixture
def rig(database: Database) -> Rig:
    """With a report of a flood, and an opinion on it that a person put beside it."""
    made = Rig(database)
    made.take(
        record("Herald", "1", "Levee breaks at Pennmouth", FLOOD),
        record(
            "Echo",
            "1",
            "Opinion: Pennmouth deserves a levee",
            FLOOD_ELSEWHERE,
        ),
    )
    stories = list(StoryReader(database).stories(StoryFilter()).stories)
    if len(stories) > 1:
        correct(database, "merge", *(one.id for one in stories))
        made.restart()
    return made


def rows(database: Database, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in queried(database, text(sql))]


KINDS = "SELECT outlet, kind, kind_evidence FROM article ORDER BY inbox_no"
COUNTS = "SELECT article_count, outlet_count, report_count FROM v_stories"


def test_a_page_tells_its_kind_by_type_and_section() -> None:
    assert (page().kind, page().kind_evidence) == ("report", None)
    assert page("OpinionNewsArticle").kind_evidence == "type: opinionnewsarticle"
    assert page("NewsArticle", "Kommentare").kind_evidence == "section: Kommentare"
    assert page("NewsArticle", "Region", "Opinion").kind == "opinion"


def test_a_live_blog_is_one_by_its_kind_too() -> None:
    entry = Entry(source="s", title="Flood in Pennmouth: live updates", text=FLOOD)
    clean = clean_entry(entry, seen=NOON, tuning=TUNING).article
    assert (clean.is_container, clean.kind) == (True, "live_blog")


def test_the_kind_is_stored_with_its_evidence(rig: Rig) -> None:
    assert rows(rig.database, KINDS) == [
        ("Herald", "report", None),
        ("Echo", "opinion", "label: Opinion:"),
    ]
    shown = "SELECT kind FROM v_story_articles ORDER BY outlet"
    assert rows(rig.database, shown) == [("opinion",), ("report",)]


@pytest.mark.parametrize(("label", "stories"), [("", 1), ("Opinion: ", 2)])
def test_a_report_never_joins_a_story_of_opinions(
    database: Database, label: str, stories: int
) -> None:
    first = record("Echo", "1", f"{label}Pennmouth under water", FLOOD_ELSEWHERE)
    report = record("Herald", "1", "Levee breaks: Pennmouth under water", FLOOD)
    Rig(database).take(first, report)
    assert len(set(rows(database, "SELECT story FROM article"))) == stories


def test_reports_alone_decide_what_joins_their_story(rig: Rig) -> None:
    """What joins is like the report; it need not be like the opinion, which a person put beside it."""
    strike = record("Mirror", "1", "Opinion: Sennick deserves its roster", STRIKE)
    rig.take(strike)
    flood, roster = (
        row[0]
        for row in rows(rig.database, "SELECT DISTINCT story FROM article ORDER BY 1")
    )
    correct(rig.database, "merge", flood, roster)
    rig.restart()
    later = record(
        "Courier",
        "1",
        "Pennmouth: levee on the Arrel gives way",
        FLOOD_LATER,
    )
    rig.take(
        later,
        record("Post", "1", "Dockers in Sennick walk out", STRIKE_ELSEWHERE),
    )
    together = rows(rig.database, "SELECT outlet FROM article WHERE story = (SELECT story FROM article"
                    " WHERE outlet = 'Herald') ORDER BY inbox_no")  # fmt: skip
    assert [outlet for (outlet,) in together] == ["Herald", "Echo", "Mirror", "Courier"]


@pytest.mark.later
def test_a_report_stays_with_the_opinion_that_joined_it(database: Database) -> None:
    """The second look compares a report with the rest of its own story, which is an opinion."""
    rig = Rig(database)
    report = record("Herald", "1", "Levee breaks: Pennmouth under water", FLOOD)
    opinion = record("Echo", "1", "Opinion: Pennmouth under water", FLOOD_ELSEWHERE)
    rig.take(report, opinion)
    together = (
        "SELECT count(DISTINCT story) FROM article WHERE outlet IN ('Herald', 'Echo')"
    )
    assert rows(database, together) == [(1,)]
    rig.take(
        *(
            record(
                "Other", str(n), f"Number {n}", f"{n} {STRIKE[::-1]}", published=None
            )
            for n in range(70)
        )
    )
    assert rows(database, together) == [(1,)]
    moved = "SELECT count(*) FROM story_log WHERE kind = 'moved'"
    assert rows(database, moved) == [(0,)]


def test_a_revision_changes_kind_and_count(rig: Rig) -> None:
    longer = FLOOD_ELSEWHERE + " The council meets tonight."
    rig.take(record("Echo", "1", "Pennmouth deserves a levee", longer))
    assert rows(rig.database, KINDS)[1] == ("Echo", "report", None)
    assert rows(rig.database, COUNTS) == [(2, 2, 2)]


def test_json_and_explanation_name_the_kind(rig: Rig) -> None:
    reader = StoryReader(rig.database)
    [listed] = reader.stories(StoryFilter()).stories
    whole = reader.story(listed.id)
    assert [one.kind for one in story_in_list(listed).articles] == ["report", "opinion"]
    articles = json.loads(encode_json(whole_story(whole, None)))["articles"]  # type: ignore[arg-type]
    assert [one["kind_reason"] for one in articles] == [None, "label: Opinion:"]
    explained = explain_article(reader, articles[1]["id"], None, TUNING)
    assert (explained.kind, explained.kind_evidence) == ("opinion", "label: Opinion:")
    assert "kind: opinion (label: Opinion:)" in explanation_text(explained)
    assert "kind:" not in explanation_text(
        explain_article(reader, articles[0]["id"], None, TUNING)
    )


def test_grouping_knows_a_stored_and_an_incoming_opinion(rig: Rig) -> None:
    with rig.database.read() as connection:
        (stored,) = read_whole_articles(connection, "inbox_no", [2])
        stored_members = read_articles_of(connection, stored.story)
    assert stored.is_opinion
    assert [one.is_opinion for one in stored_members] == [False, True]


def test_after_a_recluster_the_stories_agree_with_their_articles(
    each_kind: Database,
) -> None:
    """Imported rows may count dates that were read in a text; those that were decided again do not."""
    database = each_kind
    rig = Rig(database)
    for number, body in enumerate((FLOOD, FLOOD_ELSEWHERE)):
        dated = f"Monday 12 October 2026, 10:0{number}\n\n{body}"
        rig.take(
            record(
                "Herald",
                str(number),
                f"Levee breaks {number}",
                dated,
                is_saved_text=True,
                published=None,
            )
        )
    dates = "SELECT published_origin, date_counts FROM article ORDER BY inbox_no"
    assert [bool(row[1]) for row in rows(database, dates)] == [
        row[0] != "text" for row in rows(database, dates)
    ]
    assert ("text", 0) in [(row[0], int(bool(row[1]))) for row in rows(database, dates)]
    executed(database, text("UPDATE article SET date_counts = (1 = 1)"))
    rig.restart()
    recluster(database)
    assert [bool(row[1]) for row in rows(database, dates)] == [
        row[0] != "text" for row in rows(database, dates)
    ]
