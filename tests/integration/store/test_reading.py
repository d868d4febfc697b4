"""The reading side: filters, pages that hold still while stories move, and one story whole."""

import pytest
from sqlalchemy import insert, select, update

from aggregator.config.story_query import StoryFilter
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Database
from aggregator.store.intake import source_rows
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories.rendered_stories import render_next
from aggregator.store.tables import article, source
from aggregator.stories.story_tuning import shipped_tuning
from tests.support.articles import (
    DAY,
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
)
from tests.support.polling import feed_source
from tests.support.rows import executed, written_by

FERRY = """Die Fähre von Isk nach Tavelle fährt seit Montag wieder. Die Reederei hatte den Betrieb im
September eingestellt, weil ein Schaden an der Welle des Schiffes gefunden worden war. Die
Reparatur in der Werft von Brask hat elf Wochen gedauert und rund zwei Millionen Kronen gekostet.
Pendler mussten in dieser Zeit einen Umweg von siebzig Kilometern über die Brücke bei Orrin
nehmen. Der Bürgermeister von Tavelle dankte den Busfahrern."""


@pytest.fixture
def rig(database: Database) -> Rig:
    rig = Rig(database, Clock(days=10))
    rig.take(
        record(
            "Gazette",
            "1",
            "Levee breaks at Pennmouth, four dead",
            FLOOD,
        ),
        record(
            "Herald",
            "1",
            "Pennmouth under water after levee fails",
            FLOOD_ELSEWHERE,
        ),
        record(
            "Herald",
            "2",
            "Dock workers strike in Sennick",
            STRIKE,
            published=NOON + 2 * DAY,
        ),
        record(
            "Bote",
            "3",
            "Fähre nach Tavelle fährt wieder",
            FERRY,
            published=NOON + 4 * DAY,
            language="de",
        ),
    )
    rig.pipeline.index_text()
    return rig


def titles(rig: Rig, **wanted: object) -> set[str]:
    page = StoryReader(rig.database).stories(StoryFilter(**wanted))  # type: ignore[arg-type]
    return {one.title.split()[0] for one in page.stories}


def flood_of(rig: Rig) -> set[str]:
    return titles(rig, min_outlets=2)


# --- filters -----------------------------------------------------------------------------------------------


def test_filters_choose_and_can_be_joined(rig: Rig) -> None:
    flood = flood_of(rig)
    everything = titles(rig)
    assert len(flood) == 1
    assert len(everything) == 3
    assert titles(rig, min_reports=2) == flood
    assert titles(rig, min_reports=3) == set()
    assert titles(rig, outlet="gazette") == flood
    assert titles(rig, outlet="Herald") == flood | {"Dock"}
    assert titles(rig, outlet="Nobody") == set()
    assert titles(rig, language="de") == {"Fähre"}
    assert titles(rig, query="levee") == flood
    assert titles(rig, query="levee", outlet="Bote") == set()
    assert titles(rig, outlet="Herald", min_outlets=2) == flood


@pytest.mark.later
def test_a_folder_is_that_of_the_source(rig: Rig) -> None:
    feed = feed_source("https://a.example/feed", folder="Ports")
    written_by(rig.database, source_rows.add, feed)
    rig.take(
        record(
            feed.id,
            "9",
            "Harbour pilots join",
            FERRY[::-1].replace(".", " "),
        )
    )
    assert titles(rig, folder="Ports") == {"Harbour"}
    assert titles(rig, folder="Hills") == set()
    with rig.database.write() as connection:
        row = connection.execute(select(source)).mappings().one()
        others = [
            dict(row) | {"id": f"other{n}", "address": f"https://o{n}.example/"}
            for n in range(66_000)
        ]
        connection.execute(insert(source), others)
    assert titles(rig, folder="Ports") == {"Harbour"}, (
        "also of more feeds than a list of SQL may have"
    )


# --- pages -------------------------------------------------------------------------------------------------


@pytest.mark.later
@pytest.mark.parametrize(
    "cursor",
    ["x", "", "ä", "!!!!", "٣-١", "1-\n1", "999999999999999999-1"]
    + [f"63931000000000000{end}" for end in ("", "-9999999999999999999", "--1")],
)
def test_a_cursor_that_is_none_of_ours_is_refused_in_words(
    rig: Rig, cursor: str
) -> None:
    with pytest.raises(UsageError, match="invalid cursor"):
        StoryReader(rig.database).stories(StoryFilter(after=cursor))


def test_a_list_that_is_read_again_has_what_was_written_meanwhile(rig: Rig) -> None:
    reader = StoryReader(rig.database)
    before = reader.stories(StoryFilter()).stories
    changed = before[0].articles[0].id
    executed(
        rig.database,
        update(article).where(article.c.id == changed).values(outlet_name="New Name"),
    )
    after = reader.stories(StoryFilter()).stories
    named = {one.id: one.outlet for story in after for one in story.articles}
    assert [id_ for id_, outlet in named.items() if outlet == "New Name"] == [changed]
    assert after[1:] == before[1:]


def test_any_number_may_be_asked_for(rig: Rig) -> None:
    assert (
        len(StoryReader(rig.database).stories(StoryFilter(limit=10**30)).stories) == 3
    )


# --- one story ---------------------------------------------------------------------------------------------


def test_one_story_is_whole_and_one_that_never_was_is_none(rig: Rig) -> None:
    reading = StoryReader(rig.database)
    (listed,) = reading.stories(StoryFilter(min_outlets=2)).stories
    found = reading.story(listed.id)
    assert {one.text for one in found.articles} == {FLOOD, FLOOD_ELSEWHERE} or all(
        "levee" in one.text.casefold() for one in found.articles
    )
    assert all(one.evidence is not None for one in found.articles)
    assert all(one.text == "" for one in listed.articles), "lists carry no texts"
    assert reading.text(listed.id).title == listed.title
    assert reading.story("nosuchstory") is None
    assert reading.text("nosuchstory") is None


def test_an_article_is_explained_by_id_and_by_address(rig: Rig) -> None:
    reading = StoryReader(rig.database)
    rig.take(
        record(
            "Post",
            "a",
            "Wholly new matter",
            STRIKE[::-1],
            url="https://post.example/a",
        )
    )
    by_address = reading.explained_article("https://post.example/a")
    by_id = reading.explained_article(by_address.article.id)
    assert by_id == by_address
    assert by_id.evidence.stage == "founded"
    assert reading.explained_article("nobody") is None


def test_the_word_of_change_changes_with_every_story_and_only_then(rig: Rig) -> None:
    reading = StoryReader(rig.database)
    before = reading.last_change()
    assert reading.last_change() == before
    rig.take(
        record(
            "Gazette",
            "1",
            "Levee breaks at Pennmouth, four dead",
            FLOOD,
        )
    )
    assert reading.last_change() == before, "the same again changes nothing"
    rig.take(record("Post", "n", "Wholly new matter", FERRY[::-1]))
    assert reading.last_change() != before
    for story_id in ("", reading.stories(StoryFilter()).stories[0].id):
        before = reading.last_change(story_id)
        rig.pipeline.index_text()
        if story_id:
            assert render_next(rig.database, 50, shipped_tuning())
        assert reading.last_change(story_id) != before, (
            "its words can be found, its topics are known"
        )


def test_health_counts_what_waits(rig: Rig) -> None:
    reading = StoryReader(rig.database)
    assert (reading.state().waiting, reading.state().writable) == (0, True)
    rig.accept(record("Post", "w", "Waiting", STRIKE, published=None))
    assert reading.state().waiting == 1
