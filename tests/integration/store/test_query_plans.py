"""No list, search or look-up goes through a whole table of stories or articles, on either database.

The statements are those that the program sends: they are overheard while it is asked, and then explained.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import Connection, Text, cast, insert, literal, select, text, update

from aggregator.config.story_query import StoryFilter, StoryQuery
from aggregator.config.tuning import Tuning
from aggregator.grouping.storylines import join_nearest
from aggregator.store.engine.database import Database
from aggregator.store.intake import source_rows
from aggregator.store.intake.source_rows import source_id
from aggregator.store.maintenance import erase_target, erased_rows, expired_rows
from aggregator.store.read import story_list
from aggregator.store.read.health import database_status
from aggregator.store.read.reader import StoryReader
from aggregator.store.read.story_filter import matching_stories
from aggregator.store.stories.corrections import Constraints
from aggregator.store.stories.rendered_stories import render_next
from aggregator.store.tables import article, story, story_subject
from aggregator.stories.story_tuning import shipped_tuning
from tests.support.articles import DAY, NOON, Rig, record
from tests.support.fresh import sqlite_file, with_tables
from tests.support.polling import feed_source
from tests.support.rows import overheard, read_by, written_by
from tests.support.tables import mapping, numbered, rows

STORIES = 3_000  # so many that no planner prefers to read all of them
LARGE = {
    "story",
    "story_log",
    "story_subject",
    "affinity",
    "article",
    "article_search",
    "sketch",
}
LARGE |= {"entry", "change"}


def fill(database: Database) -> None:
    """Stories of one report each, copied from a placed one; every hundredth says that it has more."""
    rig = Rig(database)
    feed = feed_source("https://ports.example/feed", folder="Ports")
    written_by(database, source_rows.add, feed)
    rig.take(
        record(
            feed.id,
            "1",
            "Ferry runs aground",
            "The ferry ran aground off Lind.",
        )
    )
    with database.write() as connection:
        one = connection.execute(select(story)).one()._asdict()
        report = connection.execute(select(article)).one()._asdict()
        stories, articles = [], []
        for n in range(2, STORIES):
            at = NOON - n * timedelta(minutes=7)
            many = 1 if n % 100 else n // 100
            own = {
                "story_no": n,
                "id": f"story{n}",
                "founding_article": f"article{n}",
                "last_inbox_no": n,
            }
            times = {"first_published": at, "last_published": at, "bumped_at": at}
            counts = {"article_count": many, "report_count": many, "outlet_count": many}
            stories.append(one | own | times | counts)
            names = {
                "inbox_no": n,
                "id": f"article{n}",
                "root_article": f"article{n}",
                "story": f"story{n}",
            }
            which = {
                "outlet": f"Outlet {n % 40}",
                "language": "de" if n % 30 == 0 else "en",
            }
            which["source"] = feed.id if n % 60 == 0 else f"source {n % 20}"
            which["kind"] = "opinion" if n % 300 == 0 else "report"
            when = {"effective_at": at, "seen_at": at}
            articles.append(
                report | names | which | when | {"text": f"Ferry {n % 50} sails."}
            )
        connection.execute(insert(story), stories)
        connection.execute(insert(article), articles)
        last = {"n": STORIES}
        connection.execute(
            text("UPDATE counter SET value = :n WHERE name IN ('entry', 'inbox')"), last
        )
    rig.pipeline.index_text()
    rig.render()
    with database.write() as connection:
        by_two = update(story).where(story.c.story_no.between(2, STORIES - 1))
        line = literal("l").concat(cast(story.c.story_no / 2, Text))
        connection.execute(by_two.values(storyline=line))
        connection.execute(
            insert(story_subject),
            [
                {
                    "story_no": n,
                    "kind": kind,
                    "position": 9,
                    "key": key,
                    "label": key.title(),
                    "outlets": 2,
                }
                for n in range(2, STORIES)
                for kind, key in (("name", f"skipper {n // 3}"), ("topic", "ports"))
            ],
        )
        connection.execute(text("ANALYZE"))


@pytest.fixture(scope="module")
def database(of_module: Database) -> Database:
    fill(of_module)
    return of_module


ASKING = ("SELECT", "WITH", "DELETE FROM sketch")


def plans(connection: Connection, sent: list[Any]) -> list[Any]:
    """How SQLite goes about each statement."""
    return [
        connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values).all()
        for one, values in sent
    ]


def scanned(connection: Connection, statement: str, values: Any) -> set[str]:
    """The large tables that the database would read from one end to the other for this."""
    if connection.dialect.name == "sqlite":
        (rows,) = plans(connection, [(statement, values)])
        # Through an index in its order is no scan of the table; a virtual table says of itself what it does.
        scans = [
            re.match(r"SCAN (\w+)(?! .*(USING|VIRTUAL TABLE))", row[-1]) for row in rows
        ]
        return {found[1] for found in scans if found} & LARGE
    # So few rows are read whole, whatever the indexes; this asks whether there is another way.
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    plan = connection.exec_driver_sql(
        f"EXPLAIN (FORMAT JSON) {statement}", values
    ).scalar_one()
    read = json.loads(plan) if isinstance(plan, str) else plan
    whole = [one for one in _nodes(read[0]["Plan"]) if one["Node Type"] == "Seq Scan"]
    return {one["Relation Name"] for one in whole} & LARGE


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)


def reading(ask: Callable[[StoryReader], object]) -> Callable[[Database], object]:
    return lambda database: ask(StoryReader(database))


def calling(method: str, *given: Any) -> Callable[[Database], object]:
    return reading(lambda reader: getattr(reader, method)(*given))


def asked(query: str) -> Callable[[Database], object]:
    wanted = StoryQuery.read(dict(parse_qsl(query))).story_filter(NOON, 50)
    return reading(lambda reader: reader.stories(wanted))


def matching_some(database: Database) -> set[str]:
    with database.read() as connection:
        wanted = StoryFilter(query="ferry", language="en", outlet="Outlet 7")
        return matching_stories(connection, wanted, numbered("story%n", range(2, 300)))


def to_forget_by_address(database: Database) -> erase_target.EraseTarget:
    return read_by(database, erase_target.resolve_target, "https://ports.example/7")


def what_probes_ask(database: Database) -> object:
    return read_by(database, database_status.read_status, NOON, Tuning())


BOUNDS = StoryFilter(outlet="outlet 7", since=NOON - 2 * DAY)
FILTERS = rows("query_plans", "filters")
CASES: dict[str, Callable[[Database], object]] = {
    **{query: asked(query) for query in FILTERS},
    **{name: calling(*call) for name, call in mapping("query_plans", "calls").items()},
    "search, within": reading(lambda reader: reader.search("ferry", 20, BOUNDS)),
    "the front page": reading(lambda reader: reader.rank_front_page(StoryFilter(), ())),
    "the front page, min_reports": reading(
        lambda one: one.rank_front_page(StoryFilter(min_reports=2), ())
    ),
    "joining a storyline": lambda database: read_by(
        database, join_nearest, Constraints(), "story7", NOON, [20, 30, 40]
    ),
    "what is forgotten by address": to_forget_by_address,
    "those that are unrendered": lambda database: render_next(
        database, 5, shipped_tuning()
    ),
    "the oldest text": lambda database: read_by(
        database, expired_rows.find_expired_story, "text", 10_000
    ),
    "the oldest story": lambda database: read_by(
        database, expired_rows.find_expired_story, "all", 10_000
    ),
    "among some": matching_some,
    "how it does": what_probes_ask,
}


@pytest.mark.later
@pytest.mark.parametrize("case", CASES)
def test_no_whole_table_is_read(database: Database, case: str) -> None:
    with overheard(database, *ASKING) as sent:
        CASES[case](database)
    assert sent
    with database.read() as connection:
        for statement, values in sent:
            tables = scanned(connection, statement, values)
            assert not tables, f"{tables} read from end to end by: {statement[:2000]}"


def test_entries_of_an_article_are_not_sought_among_all_of_one_state(
    database: Database,
) -> None:
    """SQLite prefers the index of the state where it has no statistics: .15 s at a million."""
    if not database.is_sqlite:
        pytest.skip("a server has statistics")
    with overheard(database, *ASKING) as sent, database.write() as connection:
        erased_rows.slim_entries(connection, ["article7"])
        (plan,) = plans(connection, sent)
    assert "ix_entry_article" in plan[0][-1]


def test_the_oldest_text_is_found_without_those_that_are_deleted(
    tmp_path: Path,
) -> None:
    """Without statistics, as a daemon's file is; with them either index does while all have texts."""
    file = sqlite_file(tmp_path / "new.db")
    with closing(with_tables(file)) as fresh, fresh.read() as connection:
        with overheard(fresh, *ASKING) as sent:
            expired_rows.find_expired_story(connection, "text", 10_000)
            expired_rows.count_expired_stories(connection, "text", 10_000)
        with overheard(fresh, *ASKING) as asked:
            expired_rows.last_expired_number(connection, "text", 86_400, NOON)
        found = plans(connection, sent)
        young, _ = plans(connection, asked)
    assert len(found) == 2
    for plan in found:
        assert any("ix_article_with_text (inbox_no<?)" in row[-1] for row in plan)
    assert "USING INDEX ix_article_with_text" in young[0][-1]
    assert not any("TEMP B-TREE" in row[-1] for row in young)


@pytest.mark.later
def test_new_words_of_an_article_replace_its_sketch_without_reading_all_sketches(
    database: Database,
) -> None:
    source = source_id("feed", None, "https://ports.example/feed")
    words = "The ferry ran aground off Lind island. Two tugs from Isk harbour pulled it free at noon."
    rig = Rig(database)
    with overheard(database, *ASKING) as sent:
        rig.take(record(source, "1", "Ferry runs aground", words))
    deleted = [one for one in sent if one[0].startswith("DELETE FROM sketch")]
    assert deleted
    with database.read() as connection:
        for statement, values in deleted:
            assert not scanned(connection, statement, values), statement


@pytest.mark.parametrize(
    "case", ["", "min_reports=2", "language=en", 'query="ferry 17"', "the front page"]
)
def test_lists_leave_texts_and_terms_where_they_are(
    database: Database, case: str
) -> None:
    with overheard(database, *ASKING) as sent:
        CASES[case](database)
    for statement, _ in sent:
        named = re.findall(r"\b(?:article|story)\.(\w+)", statement.split("FROM", 1)[0])
        heavy = {"text", "rendered", "evidence", "terms", "signature"}
        assert not heavy.intersection(named)


def test_the_check_tells_a_scan(database: Database) -> None:
    assert read_by(
        database, scanned, "SELECT inbox_no FROM article WHERE url = 'x'", ()
    ) == {"article"}


# --- in steps ----------------------------------------------------------------------------------------------


def test_a_page_that_has_to_look_too_far_is_short_and_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story_list, "_SCANNED_AT_ONCE", 500)
    monkeypatch.setattr(story_list, "FEW_WITH_WORDS", 10)
    reader = StoryReader(database)
    found, after, pages = [], None, 0
    while pages == 0 or after is not None:
        page = reader.stories(StoryFilter(query='"ferry 17"', limit=1000, after=after))
        found += [one.id for one in page.stories]
        after, pages = page.next, pages + 1
    assert pages == 3, "a thousand stories were looked at for each"
    monkeypatch.undo()
    whole = [
        one.id
        for one in reader.stories(StoryFilter(query='"ferry 17"', limit=1000)).stories
    ]
    assert found == whole == numbered("story%n", range(17, STORIES, 50))
    assert len(reader.stories(StoryFilter(query='"ferry 17"', limit=30)).stories) == 30


@pytest.mark.later
@pytest.mark.parametrize("few", [0, 5, 10_000])
def test_by_its_own_index_or_on_the_way_the_answer_is_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(story_list, "FEW", few)
    monkeypatch.setattr(story_list, "FEW_WITH_WORDS", few)
    reader = StoryReader(database)

    def numbers(**wanted: Any) -> list[int]:
        page = reader.stories(StoryFilter(limit=1000, **wanted))
        return [
            int(one.id.removeprefix("story"))
            for one in page.stories
            if one.id.startswith("story")
        ]

    assert numbers(language="de") == list(range(30, STORIES, 30))
    assert numbers(query='"ferry 17"') == list(range(17, STORIES, 50))
    assert numbers(min_reports=7) == list(range(700, STORIES, 100))
    assert numbers(min_outlets=7) == list(range(700, STORIES, 100))
    assert numbers(min_reports=2, language="de") == list(range(300, STORIES, 300))
    assert numbers(until=NOON - 14 * DAY) == list(range(2880, STORIES))
    assert numbers(since=NOON - 14 * DAY, until=NOON - 13.5 * DAY) == list(
        range(2778, 2881)
    )
    assert numbers(until=NOON - 13 * DAY, min_reports=28) == [2800, 2900]
    assert numbers(until=NOON - 14 * DAY, language="de") == list(
        range(2880, STORIES, 30)
    )
    assert numbers(query="ferry -17 -18", outlet="Outlet 7")[:3] == [7, 47, 87]
    assert numbers(query="ferry -20", language="de") == [
        n for n in range(30, STORIES, 30) if n % 50 != 20
    ]
