"""Full text: the same words find the same articles on both databases, each in its own order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Connection, text

from aggregator.config.story_query import StoryFilter
from aggregator.extract.language.search_tokens import search_words
from aggregator.model.entry import Outlet
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.search import index, story_search
from aggregator.store.search.query import Phrase, parse_query
from aggregator.store.search.snippets import snippet
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    STRIKE,
    Rig,
    record,
)
from tests.support.rows import read_by, unindexed_count
from tests.support.tables import each_row, numbered

TAIPEI = "台北發生地震,多棟建築物倒塌。消防局說,有三百人被疏散。" * 3
LYON = "Le maire de Besançon a été réélu dimanche. Les électeurs étaient nombreux à l'école."
CAIRO = "اجتمع مجلس الوزراء يوم الأحد لبحث الميزانية الجديدة وقرر رفع الأجور في القطاع العام كله."
SEOUL = "서울 시장은 월요일에 새로운 지하철 노선을 발표했다. 공사는 내년 봄에 시작된다."


@pytest.fixture
def rig(database: Database) -> Rig:
    return filled(database)


@pytest.fixture(scope="module")
def story_reader(of_module: Database) -> Rig:
    """The same, for all that only read."""
    return filled(of_module)


def filled(database: Database) -> Rig:
    """Articles in several scripts, indexed."""
    rig = Rig(database)
    rig.take(
        record("Gazette", "flood", "Levee breaks at Pennmouth", FLOOD),
        record("Herald", "strike", "Dock workers strike in Sennick", STRIKE),
        record("Daily", "quake", "台北地震", TAIPEI),
        record("Journal", "vote", "Élection à Besançon", LYON),
        record("Nile", "budget", "الميزانية", CAIRO),
        record("Han", "metro", "서울 지하철", SEOUL),
        record(
            "Courier",
            "mayor",
            "Mayor asks for calm",
            STRIKE.replace("Sennick", "Pennmouth"),
        ),
    )
    rig.pipeline.index_text()
    return rig


def found(rig: Rig, query: str) -> list[str]:
    """The outlets of what is found, sorted."""
    results = StoryReader(rig.database).search(query, 50)
    assert results.problem is None
    return sorted(hit.outlet or "" for hit in results.hits)


# --- the same on both databases ----------------------------------------------------------------------------


@pytest.mark.later
@each_row("search", "what is found", "query", "outlets")
def test_what_is_found(story_reader: Rig, query: str, outlets: list[str]) -> None:
    assert found(story_reader, query) == sorted(outlets)


@pytest.mark.parametrize(
    ("query", "best"), [("pennmouth", "Gazette"), ("dock", "Herald")]
)
def test_what_has_the_word_in_its_headline_comes_first(
    story_reader: Rig, query: str, best: str
) -> None:
    hits = StoryReader(story_reader.database).search(query, 10).hits
    assert len(hits) == 2
    assert hits[0].outlet == best


@pytest.mark.parametrize("query", ["", '"', "***", "- _ !", "\x00"])
def test_a_search_for_no_word_is_refused_in_words(
    story_reader: Rig, query: str
) -> None:
    results = StoryReader(story_reader.database).search(query, 10)
    assert results.hits == ()
    assert "at least one word" in (results.problem or "")


@each_row(
    "search",
    "a search that finds nothing names the nearest known words",
    "query",
    "nearest",
)
def test_a_search_that_finds_nothing_names_the_nearest_known_words(
    story_reader: Rig, query: str, nearest: str | None
) -> None:
    results = StoryReader(story_reader.database).search(query, 10)
    assert (results.nearest or "").strip('"') == (nearest or "")
    assert (results.hits == ()) or results.nearest is None
    assert StoryReader(story_reader.database).nearest_search(query) == results.nearest


def test_a_search_of_many_words_with_all_their_forms_is_answered(
    story_reader: Rig,
) -> None:
    words = [
        f"{first}{second}ating"
        for first in "bcdfghklmnprst"
        for second in ("a", "e", "i", "o", "ou")
    ]
    either = " OR ".join([*words, *(f"x{word}" for word in words), "levees"])
    assert found(story_reader, either) == ["Gazette"]
    assert found(story_reader, " ".join(words[:32])) == []
    refused = StoryReader(story_reader.database).search(" OR ".join([either] * 8), 10)
    assert "too long" in (refused.problem or "")


def test_a_limit_cuts_and_says_that_there_is_more(story_reader: Rig) -> None:
    reading = StoryReader(story_reader.database)
    whole = reading.search("the", 10**30)
    assert not whole.more
    for limit in range(1, len(whole.hits)):
        cut = reading.search("the", limit)
        assert cut.hits == whole.hits[:limit]
        assert cut.more


@pytest.mark.later
def test_indexing_follows_the_articles_and_can_be_done_again(rig: Rig) -> None:
    assert read_by(rig.database, unindexed_count) == 0
    rig.take(
        record(
            "Post",
            "1",
            "Ferries resume",
            "The ferry Quillon sails again from Isk harbour today.",
            published=None,
        )
    )
    assert read_by(rig.database, unindexed_count) == 1
    assert found(rig, "quillon") == []
    assert rig.pipeline.index_text() == 1
    assert rig.pipeline.index_text() == 0
    assert found(rig, "quillon") == ["Post"]


@pytest.mark.later
def test_a_very_long_text_is_indexed_to_its_bound_and_breaks_nothing(rig: Rig) -> None:
    words = " ".join(numbered("word%n", 30_000))
    rig.take(
        record(
            "Long",
            "1",
            "A long list of words",
            f"{words} " + "again and again " * 20_000,
            published=None,
        )
    )
    rig.pipeline.index_text()
    assert found(rig, "word17") == ["Long"]
    assert found(rig, '"word17 word18"') == ["Long"]
    # Past the last position that Postgres keeps
    assert found(rig, "word19000") == ["Long"]


LATE = (
    "filler and more " * 9_000
    + "then the bridge of Sennick opened its second span at dawn "
)


@pytest.mark.later
def test_a_phrase_is_found_wherever_it_stands_in_a_long_text(rig: Rig) -> None:
    """Postgres keeps 16,383 places, and 255 of one word."""
    rig.take(record("Long", "1", "A long text about nothing", LATE * 2, published=None))
    rig.pipeline.index_text()
    assert found(rig, '"bridge of sennick opened"') == ["Long"]
    assert found(rig, '"sennick of bridge opened"') == []
    assert found(rig, '"the bridge" levee') == []
    assert found(rig, 'title:"long text"') == ["Long"]
    assert found(rig, 'title:"bridge of sennick"') == []
    assert found(rig, 'filler -"bridge of sennick"') == []
    reading = StoryReader(rig.database)
    assert (
        len(reading.stories(StoryFilter(query='"bridge of sennick opened"')).stories)
        == 1
    )


@pytest.mark.later
def test_a_text_of_more_words_than_postgres_takes_is_indexed_in_part(rig: Rig) -> None:
    every = [chr(0x4E00 + number) for number in range(20_000)]
    pairs = (
        (at, (at * 7919 + turn * 31 + 13) % 20_000)
        for turn in range(5)
        for at in range(20_000)
    )
    text = "".join(every[first] + every[second] for first, second in pairs)
    rig.take(record("Long", "1", "All characters", text, published=None))
    rig.pipeline.index_text()
    assert found(rig, f"{text[100:104]}") == ["Long"]
    assert found(rig, f"{text[-4:]}") == []


@pytest.mark.later
def test_an_index_that_is_made_anew_answers_meanwhile_newest_first(rig: Rig) -> None:
    with rig.database.write() as connection:
        empty_index(connection)
        connection.execute(
            text("UPDATE counter SET value = 7 WHERE name = 'unindexed'")
        )
    assert found(rig, "the") == []
    assert StoryReader(rig.database).search("the", 5).partial, "and says so"
    rig.take(
        record(
            "Post",
            "1",
            "Ferries resume",
            "The ferry Quillon sails again from Isk harbour today.",
            published=None,
        )
    )
    rig.pipeline.index_text()
    assert found(rig, "the") == ["Post"], "what is new does not wait for what is old"
    rig.take(
        record(
            "Gazette",
            "flood",
            "Levee breaks at Pennmouth",
            FLOOD.replace("Brandt", "Quill"),
            published=None,
        )
    )
    assert found(rig, "quill") == [], "not indexed yet, and so not taken out"
    with rig.database.write() as connection:
        assert unindexed_count(connection) == 7
        assert index.index_older(connection, 2) == 2
    assert found(rig, "the") == ["Courier", "Post"]
    assert rig.pipeline.index_older() == 5
    assert rig.pipeline.index_older() == 0
    assert found(rig, "quill") == ["Gazette"]
    assert found(rig, "brandt") == []
    assert not StoryReader(rig.database).search("the", 5).partial
    assert read_by(rig.database, unindexed_count) == 0


def empty_index(connection: Connection) -> None:
    """As the migration leaves it."""
    if connection.dialect.name == "sqlite":
        connection.execute(
            text("INSERT INTO article_search(article_search) VALUES ('delete-all')")
        )
    else:
        connection.execute(text("DELETE FROM article_search"))


def test_words_and_marks_follow_a_revision(rig: Rig) -> None:
    changed = FLOOD.replace("Mayor Ilse Brandt", "Governor Ada Quill")
    assert found(rig, "levee author:nobody") == []
    title = "Levee breaks at Pennmouth"
    rig.take(record("Gazette", "flood", title, changed, author="Ada Nobody"))
    assert [found(rig, word) for word in ("quill", "brandt")] == [["Gazette"], []]
    assert found(rig, "levee author:nobody") == ["Gazette"]
    assert found(rig, "title:levee outlet:gazette") == ["Gazette"]
    assert found(rig, "levee outlet:herald") == []


@pytest.mark.later
def test_results_are_stories_with_their_best_articles(rig: Rig) -> None:
    rig.take(
        record(
            "Echo",
            "1",
            "Pennmouth under water after levee fails",
            FLOOD_ELSEWHERE,
        )
    )
    rig.pipeline.index_text()
    results = StoryReader(rig.database).search("levee", 10)
    (flood,) = results.stories
    assert flood.found == 2
    assert {hit.outlet for hit in flood.hits} == {"Gazette", "Echo"}
    assert flood.hits == results.hits
    assert (flood.article_count, flood.report_count) == (2, 2)
    (first, *_) = StoryReader(rig.database).search("pennmouth", 1).stories
    assert first.id == flood.id


@pytest.mark.later
def test_only_so_many_of_the_newest_articles_are_ranked(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story_search, "RANKED", 2)
    rig.take(record("Echo", "1", "Under water", FLOOD_ELSEWHERE))
    rig.pipeline.index_text()
    hits = StoryReader(rig.database).search("pennmouth", 1).hits
    assert [hit.outlet for hit in hits] != ["Gazette"], "it is older than two others"
    assert found(rig, "pennmouth") == ["Courier", "Echo", "Gazette"], (
        "a longer list than is ranked by rule is ranked whole"
    )


@pytest.mark.later
def test_stories_can_be_asked_for_by_words(rig: Rig) -> None:
    reading = StoryReader(rig.database)
    titles = [
        one.title for one in reading.stories(StoryFilter(query='"river arrel"')).stories
    ]
    assert titles == ["Levee breaks at Pennmouth"]
    for empty in ("!!", 'outlet:"', 'author:"!"', "outlet:_", 'lang:" "'):
        with pytest.raises(UsageError, match="at least one word"):
            reading.stories(StoryFilter(query=empty))
    assert len(reading.stories(StoryFilter(query='levee outlet:""')).stories) == 1
    with pytest.raises(UsageError, match="after"):
        reading.stories(StoryFilter(query="-after:2024"))


@pytest.mark.later
def test_words_are_excluded_from_lists_of_stories(rig: Rig) -> None:
    """An article that is not indexed yet may have them, so its story is not shown."""
    rig.take(record("Echo", "1", "Town under water", FLOOD_ELSEWHERE))
    rig.pipeline.index_text()
    rig.take(record("Last", "1", "A kite festival", "Kites flew over the hills."))
    reading = StoryReader(rig.database)

    def shown(query: str) -> set[str]:
        wanted = StoryFilter(query=query, limit=50)
        titles = {one.title for one in reading.stories(wanted).stories}
        front = reading.list_stories(
            tuple(one.id for one in reading.rank_front_page(wanted))
        )
        assert titles == {one.title for one in front}, (
            "a list and the front page are the same stories"
        )
        return titles

    everything = shown("-nobody")
    assert len(everything) == 6
    assert everything - shown("-breaks") == {"Levee breaks at Pennmouth"}, (
        "one of its articles has it not"
    )
    assert everything - shown("-firefighters") == set(), "nor has its headline"
    assert everything - shown("-outlet:gazette") == set(), (
        "another outlet has the story, too"
    )
    assert everything - shown("-outlet:gazette -outlet:echo") == {
        "Levee breaks at Pennmouth"
    }
    assert everything - shown("-union") == {"Dock workers strike in Sennick"}


# --- queries -----------------------------------------------------------------------------------------------


@each_row("search", "queries are read as phrases", "query", "phrases")
def test_queries_are_read_as_phrases(query: str, phrases: list[str]) -> None:
    expected = [
        Phrase(words=tuple(one.rstrip("*").split()), prefix=one.endswith("*"))
        for one in phrases
    ]
    assert [term.any_of[0][0] for term in parse_query(query).terms] == expected


@given(st.text(max_size=60))
def test_words_of_words_are_themselves(text: str) -> None:
    words = search_words(text)
    assert search_words(" ".join(words)) == words


# --- snippets ----------------------------------------------------------------------------------------------


def test_a_snippet_stands_around_the_hit_and_marks_it() -> None:
    shown, marks = snippet(STRIKE, [Phrase(words=("mediator",))])
    assert [shown[a:b] for a, b in marks] == ["mediator"]
    assert shown.startswith("… ")
    assert len(shown.split()) <= 45


def test_a_snippet_marks_what_begins_so() -> None:
    shown, marks = snippet(FLOOD, [Phrase(words=("fire",), prefix=True)])
    assert [shown[a:b] for a, b in marks] == ["Firefighters"]


def test_a_text_without_spaces_is_cut_by_characters() -> None:
    text = "天氣很好" * 400 + "台北發生地震" + "天氣很好" * 400
    shown, marks = snippet(text, [Phrase(words=("地震",))])
    assert "地震" in shown
    assert len(shown) < 60
    assert "".join(shown[a:b] for a, b in marks) == "地震"


@given(st.text(max_size=300), st.text(min_size=1, max_size=10))
def test_marks_are_ranges_of_the_snippet_in_order(text: str, query: str) -> None:
    words = tuple(search_words(query))
    shown, marks = snippet(text, [Phrase(words=words, prefix=True)] if words else [])
    ends = [0, *(end for span in marks for end in span), len(shown)]
    assert ends == sorted(ends)
    assert all(a < b for a, b in marks)


@pytest.mark.later
@pytest.mark.parametrize("name", ["faz.net", "FAZ.net", "Frankfurter"])
def test_an_outlet_is_found_by_its_key_and_its_name(rig: Rig, name: str) -> None:
    outlet = Outlet(key="faz.net", name="Frankfurter Allgemeine")
    entry = record("feed", "1", "Dock workers strike", STRIKE)
    (placed,) = rig.take(replace(entry, resolved_outlet=outlet))
    rig.pipeline.index_text()
    reading = StoryReader(rig.database)
    assert [
        one.id for one in reading.stories(StoryFilter(query=f"outlet:{name}")).stories
    ] == [placed.story]
