"""Which article of a text is the original, and that `role` and `copy_of` say the same of every article."""

from datetime import datetime, timedelta
from random import Random

import pytest
from sqlalchemy import select

import aggregator
from aggregator.config.story_query import StoryFilter
from aggregator.model.article import ArticleView
from aggregator.model.entry import Entry, Published
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article
from tests.support.articles import (
    COLUMN,
    DYKES,
    FLOOD,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
    render_all,
)
from tests.support.rows import queried
from tests.support.story_checks import (
    assigned,
    correct,
    recluster,
    undo,
)

TEXTS = {
    "flood": ("Levee breaks at Pennmouth", FLOOD),
    "strike": ("Dock workers strike in Sennick", STRIKE),
    "stadium": ("Why is it so hard to say no?", COLUMN),
    "dykes": ("Parliament votes for dykes", DYKES),
}
PAPERS = ("Courier", "Echo", "Siren", "Gazette", "Bell")
DAY = "2026-10-12"


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database, Clock(days=3))


def rows(seed: int = 5, edits: int = 0) -> list[dict[str, str]]:
    """Each text in each paper, all of one day, mixed; with `edits` each paper has some words of its own."""
    mixed = Random(seed)
    listed = []
    for name, (title, text) in TEXTS.items():
        for number, paper in enumerate(PAPERS):
            own = (
                f" {paper} has a desk of {number + 3} people on it in the square."
                * min(number, edits)
            )
            row = {
                "id": f"{name}-{paper}",
                "title": title,
                "text": text + own,
                "outlet": paper,
            }
            listed.append(row | {"published": DAY})
    mixed.shuffle(listed)
    return listed


def first_of(listed: list[dict[str, str]]) -> dict[str, str]:
    """The id of the first row with the text of a row, by the id of that row."""
    first: dict[str, str] = {}
    for row in listed:
        first.setdefault(row["id"].partition("-")[0], row["id"])
    return {row["id"]: first[row["id"].partition("-")[0]] for row in listed}


def entries(listed: list[dict[str, str]]) -> list[Entry]:
    day = Published(time=datetime.fromisoformat(f"{DAY}T00:00Z"), precision="day")
    return [
        record(
            row["outlet"],
            row["id"],
            row["title"],
            row["text"],
            published=day,
            record_id=row["id"],
        )
        for row in listed
    ]


def shown(database: Database) -> list[ArticleView]:
    """All articles as readers get them; each alone says the same as in its list."""
    reader = StoryReader(database)
    listed = [
        one
        for page in reader.pages(StoryFilter(limit=1000))
        for story in page.stories
        for one in story.articles
    ]
    for one in listed:
        detail = reader.article(one.id)
        assert detail is not None
        assert (detail.article.role, detail.article.copy_of) == (one.role, one.copy_of)
    return listed


def contradictions(database: Database) -> list[tuple[str, str | None]]:
    """The articles with the current text of which one of `role` and `copy_of` says copy and the other not."""
    told = [
        one
        for one in shown(database)
        if one.role in ("report", "copy") and one.version is None
    ]
    return [
        (one.role, one.copy_of)
        for one in told
        if (one.role == "copy") != (one.copy_of is not None)
    ]


def originals(articles: list[ArticleView]) -> dict[str | None, str | None]:
    record_ids = {one.id: one.record_id for one in articles}
    return {one.record_id: record_ids[one.copy_of or one.id] for one in articles}


@pytest.mark.later
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_of_one_day_the_first_that_came_is_the_original(rig: Rig, seed: int) -> None:
    listed = rows(seed)
    for at in range(0, len(listed), 6):  # in some transactions
        rig.take(*entries(listed[at : at + 6]))
    articles = shown(rig.database)
    assert originals(articles) == first_of(listed)
    assert contradictions(rig.database) == []
    stored = queried(
        rig.database, select(article.c.id, article.c.role, article.c.copy_of)
    ).all()
    assert {row.id: (row.role, row.copy_of) for row in stored} == {
        one.id: (one.role, one.copy_of) for one in articles
    }, "as it was placed"
    render_all(rig.database)
    stored = queried(rig.database, select(article.c.id, article.c.original)).all()
    assert {row.id: row.original for row in stored} == {
        one.id: one.copy_of for one in articles
    }


@pytest.mark.later
def test_it_holds_after_corrections_and_recluster(rig: Rig) -> None:
    listed = rows()
    rig.take(*entries(listed))
    copies = [one for one in shown(rig.database) if one.copy_of is not None]
    story = assigned(rig.database)
    split = correct(
        rig.database, "split", story[copies[0].id], articles=(copies[0].id,)
    )
    assert contradictions(rig.database) == []
    original = copies[1].copy_of
    assert original is not None
    correct(rig.database, "split", story[original], articles=(original,))
    assert contradictions(rig.database) == []
    recluster(rig.database)
    assert contradictions(rig.database) == []
    correct(rig.database, "merge", *split.stories)
    undo(rig.database)
    undo(rig.database)
    undo(rig.database)
    assert contradictions(rig.database) == []
    recluster(rig.database)
    assert originals(shown(rig.database)) == first_of(listed)
    assert contradictions(rig.database) == []


def test_a_text_that_came_later_and_is_older_is_the_report(rig: Rig) -> None:
    late, early = NOON, NOON - timedelta(hours=5)
    rig.take(record("Echo", "1", "Levee breaks at Pennmouth", FLOOD, published=late))
    rig.take(
        record("Courier", "2", "Levee breaks at Pennmouth", FLOOD, published=early)
    )
    rig.take(record("Reuters", "3", "Levee breaks at Pennmouth", FLOOD, published=late))
    by_outlet = {one.outlet: one for one in shown(rig.database)}
    assert {outlet: one.role for outlet, one in by_outlet.items()} == {
        "Echo": "copy",
        "Courier": "copy",
        "Reuters": "report",
    }
    assert contradictions(rig.database) == []


@pytest.mark.parametrize("edits", [0, 1])
def test_records_that_are_grouped_in_memory_name_the_same_original(edits: int) -> None:
    listed = rows(edits=edits)
    grouped = aggregator.group_records(listed)
    assert {one.id: one.copy_of or one.id for one in grouped} == first_of(listed)
