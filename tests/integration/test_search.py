"""Full text: the same words find the same articles in the same order on both databases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.errors import UsageError
from aggregator.shelf import StoryFilter
from aggregator.store import search
from aggregator.store.database import Database
from aggregator.store.reading import Reading
from aggregator.store.search import Phrase, parse_query
from aggregator.store.snippets import snippet
from aggregator.text.words import search_words
from tests.articles import FLOOD, NOON, STRIKE, Clock, Desk, record

TAIPEI = "台北發生地震,多棟建築物倒塌。消防局說,有三百人被疏散。" * 3
LYON = "Le maire de Besançon a été réélu dimanche. Les électeurs étaient nombreux à l'école."
CAIRO = "اجتمع مجلس الوزراء يوم الأحد لبحث الميزانية الجديدة وقرر رفع الأجور في القطاع العام كله."
SEOUL = "서울 시장은 월요일에 새로운 지하철 노선을 발표했다. 공사는 내년 봄에 시작된다."


@pytest.fixture
def desk(database: Database) -> Desk:
    desk = Desk(database, Clock())
    desk.take(
        record("Gazette", "flood", "Levee breaks at Pennmouth", FLOOD, published=NOON),
        record("Herald", "strike", "Dock workers strike in Sennick", STRIKE, published=NOON),
        record("Daily", "quake", "台北地震", TAIPEI, published=NOON),
        record("Journal", "vote", "Élection à Besançon", LYON, published=NOON),
        record("Nile", "budget", "الميزانية", CAIRO, published=NOON),
        record("Han", "metro", "서울 지하철", SEOUL, published=NOON),
        record(
            "Courier", "mayor", "Mayor asks for calm", STRIKE.replace("Sennick", "Pennmouth"), published=NOON
        ),
    )
    desk.pipeline.index_text()
    return desk


def found(desk: Desk, query: str, limit: int = 50) -> list[str]:
    results = Reading(desk.database).search(query, limit)
    assert results.problem is None
    return [hit.outlet or "" for hit in results.hits]


# --- the same on both databases ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "outlets"),
    [
        ("levee", ["Gazette"]),
        ("LEVEE Arrel", ["Gazette"]),
        ("levee sennick", []),
        ("union", ["Courier", "Herald"]),  # none has it in the title: the newest first
        ("pennmouth", ["Gazette", "Courier"]),  # the one with the word in its title goes first
        ("dock", ["Herald", "Courier"]),
        ('"river Arrel broke"', ["Gazette"]),
        ('"Arrel river broke"', []),
        ('"Pennmouth The river"', []),  # no phrase runs from the title into the text
        ('"breaks at" levee', ["Gazette"]),
        ("firefight*", ["Gazette"]),
        ('"four days of ra"', []),
        ('"four days of ra*"', ["Gazette"]),
        ("firefight", []),
        ("地震", ["Daily"]),
        ("發生地震", ["Daily"]),
        ("震地", []),
        ("三百人", ["Daily"]),
        ("besancon", ["Journal"]),
        ("BESANÇON reelu", ["Journal"]),
        ("electeurs etaient", ["Journal"]),
        ("l'école", ["Journal"]),
        ("الميزانية", ["Nile"]),
        ("الأجور", ["Nile"]),
        ("서울", ["Han"]),
        ("지하철*", ["Han"]),
        ("'; DROP TABLE article; --", []),
        ("title:levee OR NOT near(x)", []),
        ("AND", ["Courier", "Herald", "Gazette"]),
    ],
)
def test_what_is_found(desk: Desk, query: str, outlets: list[str]) -> None:
    assert found(desk, query) == outlets


@pytest.mark.parametrize("query", ["", '"', "***", "- _ !", "\x00"])
def test_a_search_for_no_word_is_refused_in_words(desk: Desk, query: str) -> None:
    results = Reading(desk.database).search(query, 10)
    assert results.hits == ()
    assert "at least one word" in (results.problem or "")


def test_a_limit_cuts_and_says_that_there_is_more(desk: Desk) -> None:
    reading = Reading(desk.database)
    whole = reading.search("the", 10**30)
    assert not whole.more
    for limit in range(1, len(whole.hits)):
        cut = reading.search("the", limit)
        assert cut.hits == whole.hits[:limit]
        assert cut.more


def test_a_revised_text_is_found_by_its_new_words_alone(desk: Desk) -> None:
    changed = FLOOD.replace("Mayor Ilse Brandt", "Governor Ada Quill")
    desk.take(record("Gazette", "flood", "Levee breaks at Pennmouth", changed, published=NOON))
    desk.pipeline.index_text()
    assert found(desk, "quill") == ["Gazette"]
    assert found(desk, "brandt") == []


def test_indexing_follows_the_articles_and_can_be_done_again(desk: Desk) -> None:
    with desk.database.read() as connection:
        assert search.searchable_count(connection) == 0
    desk.take(record("Post", "1", "Ferries resume", "The ferry Quillon sails again from Isk harbour today."))
    with desk.database.read() as connection:
        assert search.searchable_count(connection) == 1
    assert found(desk, "quillon") == []
    assert desk.pipeline.index_text() == 1
    assert desk.pipeline.index_text() == 0
    assert found(desk, "quillon") == ["Post"]


def test_a_very_long_text_is_indexed_to_its_bound_and_breaks_nothing(desk: Desk) -> None:
    words = " ".join(f"word{number}" for number in range(30_000))
    desk.take(record("Long", "1", "A long list of words", f"{words} " + "again and again " * 20_000))
    desk.pipeline.index_text()
    assert found(desk, "word17") == ["Long"]
    assert found(desk, '"word17 word18"') == ["Long"]
    assert found(desk, "word19000") == ["Long"]  # past the last position that Postgres keeps


def test_stories_can_be_asked_for_by_words(desk: Desk) -> None:
    reading = Reading(desk.database)
    titles = [one.title for one in reading.stories(StoryFilter(query='"river arrel"')).stories]
    assert titles == ["Levee breaks at Pennmouth"]
    with pytest.raises(UsageError, match="at least one word"):
        reading.stories(StoryFilter(query="!!"))


# --- queries -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "phrases"),
    [
        ("homs rebel*", [Phrase(words=("homs",)), Phrase(words=("rebel",), prefix=True)]),
        ('"central prison"', [Phrase(words=("central", "prison"))]),
        ('a "b c', [Phrase(words=("a",)), Phrase(words=("b", "c"))]),
        ("co-operate", [Phrase(words=("co", "operate"))]),
        ("Straße", [Phrase(words=("strasse",))]),
        ("地震", [Phrase(words=("地", "震"))]),
    ],
)
def test_queries_are_read_as_phrases(query: str, phrases: list[Phrase]) -> None:
    assert list(parse_query(query)) == phrases


@given(st.text(max_size=60))
def test_words_of_words_are_themselves(text: str) -> None:
    words = search_words(text)
    assert search_words(" ".join(words)) == words


# --- snippets ----------------------------------------------------------------------------------------------


def test_a_snippet_stands_around_the_hit_and_marks_it() -> None:
    shown, marks = snippet(STRIKE, ["mediator"])
    assert [shown[a:b] for a, b in marks] == ["mediator"]
    assert shown.startswith("… ")
    assert len(shown.split()) <= 45


def test_a_snippet_marks_what_begins_so() -> None:
    shown, marks = snippet(FLOOD, ["fire"], prefixes=["fire"])
    assert [shown[a:b] for a, b in marks] == ["Firefighters"]


def test_a_text_without_spaces_is_cut_by_characters() -> None:
    text = "天氣很好" * 400 + "台北發生地震" + "天氣很好" * 400
    shown, marks = snippet(text, ["地", "震"])
    assert "地震" in shown
    assert len(shown) < 60
    assert "".join(shown[a:b] for a, b in marks) == "地震"


@given(st.text(max_size=300), st.text(min_size=1, max_size=10))
def test_marks_are_ranges_of_the_snippet_in_order(text: str, query: str) -> None:
    words = search_words(query)
    shown, marks = snippet(text, words, prefixes=words[-1:])
    ends = [0, *(end for span in marks for end in span), len(shown)]
    assert ends == sorted(ends)
    assert all(a < b for a, b in marks)
