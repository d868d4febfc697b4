"""Known answers in ten languages: the same from both databases, each in its own order."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.config.story_query import StoryFilter
from aggregator.model.errors import UsageError
from aggregator.model.read_model import SearchResults
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.search import match
from aggregator.store.search.index_rows import AUTHOR, LANGUAGE, OUTLET, mark_tokens
from aggregator.store.search.query import Query, parse_query
from aggregator.store.search.searchable_text import SearchableText
from tests.conftest import REPOSITORY, Postgres
from tests.support.articles import Clock, Rig, record
from tests.support.fresh import with_tables
from tests.support.tables import each_row

DATA = REPOSITORY / "tests" / "data" / "search"
ARTICLES = [
    json.loads(line) for line in (DATA / "articles.jsonl").read_text().splitlines()
]
QUERIES = [
    json.loads(line) for line in (DATA / "queries.jsonl").read_text().splitlines()
]


def filled(address: str) -> Database:
    """A database with all the articles, indexed."""
    database = with_tables(Database(address))
    rig = Rig(database, Clock(days=1))
    rig.take(
        *(
            record(
                one["id"],
                one["id"],
                one["title"],
                one["text"],
                language=one["language"],
                author=f"Ada {one['id'][:2]}",
                published=datetime.fromisoformat(one["published"]),
            )
            for one in ARTICLES
        )
    )
    rig.pipeline.index_text()
    return database


@pytest.fixture(scope="module")
def both(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> list[Database]:
    file = tmp_path_factory.mktemp("search") / "search.db"
    return [filled(f"sqlite:///{file}"), filled(postgres.make())]


def answers(
    both: list[Database], query: str, bounds: StoryFilter | None = None
) -> list[str]:
    """The outlets of what is found, sorted; each article has one of its own."""
    first, second = (
        StoryReader(database).search(query, 50, bounds or StoryFilter())
        for database in both
    )
    assert first.problem is None
    assert unordered(first) == unordered(second)
    return sorted(hit.outlet or "" for hit in first.hits)


def unordered(results: SearchResults) -> dict[str, object]:
    """The same without the order, which is each database's own."""
    hits = sorted(results.hits, key=lambda hit: hit.article)
    stories = sorted(results.stories, key=lambda found: found.id)
    return {**msgspec.structs.asdict(results), "hits": hits, "stories": stories}


@pytest.mark.later
@pytest.mark.parametrize("asked", QUERIES, ids=lambda asked: asked["query"])
def test_known_answers(both: list[Database], asked: dict[str, Any]) -> None:
    assert answers(both, asked["query"]) == sorted(asked["found"])


def test_bounds_say_the_same_as_words(both: list[Database]) -> None:
    tenth = datetime.fromisoformat("2026-10-10T04:00Z")
    assert answers(both, "الأجور", StoryFilter(until=tenth)) == ["ar-strike"], (
        "both ends are included"
    )
    assert answers(both, "الأجور", StoryFilter(since=tenth)) == [
        "ar-budget",
        "ar-strike",
    ]
    assert answers(both, "الأجور", StoryFilter(since=tenth + timedelta(seconds=1))) == [
        "ar-budget"
    ]
    assert answers(both, "地震", StoryFilter(language="ja")) == ["ja-quake"]
    assert answers(both, "地震", StoryFilter(outlet="zh-quake")) == ["zh-quake"]
    assert answers(both, "outlet:zh-quake") == ["zh-quake"]
    assert answers(both, 'author:"ada de" title:köln') == ["de-election", "de-tram"]
    assert answers(both, "lang:de after:2026-10-11") == ["de-minister", "de-tram"]
    assert answers(both, "outlet:zh-quake OR lang:vi") == ["vi-storm", "zh-quake"]
    assert answers(both, "after:2027", None) == []


@each_row(
    "search_languages", "marks show what was found in every script", "query", "marked"
)
def test_marks_show_what_was_found_in_every_script(
    both: list[Database], query: str, marked: list[str]
) -> None:
    (hit,) = StoryReader(both[0]).search(query, 5).hits
    assert [hit.snippet[a:b] for a, b in hit.marks] == marked


# --- whatever is typed -------------------------------------------------------------------------------------

_TYPED = st.lists(
    st.one_of(
        st.sampled_from(
            [
                piece
                for one in ARTICLES
                for piece in (*one["title"].split(), *one["text"].split()[:12])
            ]
            + [
                "地震",
                "台",
                "OR",
                "-",
                '"',
                "title:",
                "lang:de",
                "after:2026-10-11",
                "*",
                "Köln*",
            ]
        ),
        st.text(max_size=8),
    ),
    max_size=6,
).flatmap(
    lambda parts: st.sampled_from(["", " "]).map(lambda between: between.join(parts))
)


@pytest.mark.later
@settings(
    max_examples=60,
)
@given(typed=_TYPED)
def test_any_text_is_answered_alike_and_as_the_texts_say(
    both: list[Database], typed: str
) -> None:
    results = [StoryReader(database).search(typed, 50) for database in both]
    assert unordered(results[0]) == unordered(results[1])
    if results[0].problem is not None:
        with pytest.raises(UsageError, match=re.escape(results[0].problem)):
            parse_query(typed)
        return
    query = parse_query(typed)
    assert {hit.outlet for hit in results[0].hits} == {
        one["id"] for one in ARTICLES if _fits(query, one)
    }


def _fits(query: Query, one: dict[str, str]) -> bool:
    """By the texts alone, without any index."""
    at = datetime.fromisoformat(one["published"])
    text = SearchableText(
        one["title"],
        one["text"],
        title=one["title"],
        tokens=[
            *mark_tokens(OUTLET, one["id"]),
            *mark_tokens(AUTHOR, f"Ada {one['language']}"),
            *mark_tokens(LANGUAGE, one["language"]),
        ],
    )
    return (
        text.fits(query)
        and (query.since is None or at >= query.since)
        and (query.before is None or at < query.before)
    )


@pytest.mark.parametrize(
    "typed", ["地震", '"台北市" -xyz', "köln OR 台北", "lang:ar", "أطفال", "title:köln"]
)
def test_matches_among_a_few_articles_are_found(
    both: list[Database], typed: str
) -> None:
    query = parse_query(typed)
    for database in both:
        with database.read() as connection:
            every = match.find_newest(connection, query, 100, reach=100)
            assert every
            numbers = range(1, len(ARTICLES) + 1)
            assert match.find_among(connection, query, numbers) == set(every)
            assert match.find_among(connection, query, every[:1]) == set(every[:1])
            assert match.find_all(connection, query, len(ARTICLES)) == every
            assert match.find_all(connection, query, 0) is None
            around = {min(every) - 1, max(every) + 1}
            assert match.find_among(connection, query, around) == set()


def test_phrases_are_looked_for_among_the_newest_with_their_words(
    both: list[Database],
) -> None:
    # Articles 9 to 12 hold في somewhere
    query = parse_query('"في المئة" OR "في شرق" OR "في ميناء"')
    for database in both:
        with database.read() as connection:
            assert match.find_newest(connection, query, 10, reach=100) == [11, 10, 9]
            assert match.find_newest(connection, query, 2, reach=100) == [11, 10]
            assert match.find_newest(connection, query, 10, reach=2) == [11, 10]
            assert match.find_newest(connection, query, 10, reach=1) == [11]
