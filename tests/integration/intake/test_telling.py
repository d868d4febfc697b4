"""What stories show is chosen after placing, on both databases."""

from sqlalchemy import select, text

from aggregator.config.story_query import StoryFilter
from aggregator.model.story import StoryView
from aggregator.publish.story_json import whole_story
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories.rendered_stories import render_next, unrendered_of_several
from aggregator.store.tables import story
from aggregator.stories.story_tuning import shipped_tuning
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    STRIKE,
    Rig,
    record,
)
from tests.support.rows import queried, read_by

TUNING = shipped_tuning()


def filled(database: Database) -> Database:
    """A story of two reports and one of one, not told yet."""
    Rig(database).take(
        record(
            "Arrel Courier",
            "1",
            "Levee on the Arrel breaks in Pennmouth",
            FLOOD,
        ),
        record(
            "Calmouth Post",
            "2",
            "Pennmouth under water",
            FLOOD_ELSEWHERE,
        ),
        record("Sennick Echo", "4", "Dockers strike in Sennick", STRIKE),
    )
    return database


def texts(database: Database) -> dict[str, str | None]:
    rows = queried(
        database, select(story.c.id, story.c.text).where(story.c.redirect_to.is_(None))
    ).all()
    return {row.id: row.text for row in rows}


def tell_all(database: Database, tuning: object = TUNING, limit: int = 10) -> int:
    assert isinstance(tuning, type(TUNING))
    return sum(iter(lambda: render_next(database, limit, tuning), 0))


def test_each_story_is_rendered_once(database: Database) -> None:
    filled(database)
    assert None in texts(database).values()
    assert tell_all(database) == 2
    assert None not in texts(database).values()
    assert render_next(database, 10, TUNING) == 0


def test_stories_of_several_articles_can_be_rendered_alone(database: Database) -> None:
    filled(database)
    several = read_by(database, unrendered_of_several)
    assert [render_next(database, 10, TUNING, of=several) for _ in range(2)] == [1, 0]
    assert [
        id_ for id_, shown in texts(database).items() if shown is not None
    ] == several
    assert tell_all(database) == 1


def test_sql_reads_a_story_of_one_article_in_that_article(database: Database) -> None:
    filled(database)
    asked = text("SELECT article_count, text FROM v_stories ORDER BY article_count")
    assert queried(database, asked).all() == [(1, None), (2, None)]
    tell_all(database)
    assert sorted(texts(database).values(), key=lambda one: len(one or ""))[0] == ""
    alone, several = queried(database, asked).all()
    assert tuple(alone) == (1, " ".join(STRIKE.split("\n"))), (
        "the lines of a wrapped text are joined"
    )
    lead, *others = several.text.split("\n\n")
    assert lead.split()[0] in FLOOD + FLOOD_ELSEWHERE
    assert len(others) >= 1


def test_sql_and_json_have_one_text_of_a_story(database: Database) -> None:
    filled(database)
    tell_all(database)
    reader = StoryReader(database)
    (id_,) = (one.id for one in reader.stories(StoryFilter(min_outlets=2)).stories)
    in_sql = queried(
        database, text("SELECT text FROM v_stories WHERE id = :id").bindparams(id=id_)
    ).scalar()
    whole = reader.story(id_)
    assert isinstance(whole, StoryView)
    assert whole_story(whole, reader.text(id_)).text == in_sql
