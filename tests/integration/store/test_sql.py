"""SQL as an API: what docs/sql.md says of the views holds on both databases; its questions have answers."""

import asyncio
import html
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette
from sqlalchemy import text

from aggregator.model.story import StoryView
from aggregator.publish.story_json import whole_article
from aggregator.store.engine.database import Database
from aggregator.store.intake import rejected
from aggregator.store.intake.source_rows import Source, add
from aggregator.store.migrate import upgrade
from aggregator.store.read.reader import StoryReader
from tests.conftest import REPOSITORY, Postgres
from tests.support.articles import (
    DYKES,
    FLOOD,
    FLOOD_ELSEWHERE,
    HOUR,
    STRIKE,
    Clock,
    Rig,
    record,
    render_all,
)
from tests.support.fresh import sqlite_file, with_tables
from tests.support.rows import queried
from tests.support.story_checks import copied, correct, small_set

DOCUMENT = (REPOSITORY / "docs" / "sql.md").read_text(encoding="utf-8")
QUESTIONS = dict(
    re.findall(
        r"^### (\S[^\n]*\?)\n.*?^```sql\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL
    )
)
TYPES = {
    "id": {"text"},
    "text": {"text"},
    "number": {"integer", "bigint"},
    "real": {"real", "double precision"},
    "yes or no": {"integer"},
    "day": {"text"},
    "time": {"text", "timestamp with time zone"},
}
VIEWS = {
    name: re.findall(rf"`(\w+)` ({'|'.join(TYPES)})(?=[:,\n])", columns)
    for name, columns in re.findall(
        r"^### `(v_\w+)`\n(.*?)(?=^##)", DOCUMENT, re.MULTILINE | re.DOTALL
    )
}
NOW = datetime.now(UTC).replace(microsecond=0)


FLOOD_FROM_THE_AIR = """From the air the lower town of Pennmouth is a brown lake since the levee on the
Arrel broke on Sunday. The dead number four, and divers look for two missing men, according to rescue
services. Mayor Ilse Brandt has told all households below the market square to go. Helicopters and boats took
hundreds off the roofs. Engineers blame a pump station that failed at night; the water authority says it had
warned of the flood on Saturday. No train reaches Calmouth, and schools are shut for half a week."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Events, copies; what waits, was refused, was corrected; a source that fails."""
    database = with_tables(
        sqlite_file(tmp_path_factory.mktemp("sql") / "aggregator.db")
    )
    rig = Rig(database, Clock(NOW))
    rig.take(*small_set())
    rig.take(
        record(
            "Echo", "0", "Parliament votes for dykes", DYKES, published=NOW - 130 * HOUR
        )
    )
    early = record(
        "Arrel Courier",
        "1",
        "Pennmouth",
        FLOOD,
        published=NOW - 9 * HOUR,
        categories=("Floods",),
    )
    rig.take(early)
    rig.take(
        record("Calmouth Post", "2", "Levee on the Arrel breaks, Pennmouth under water", FLOOD_ELSEWHERE,
               published=NOW - 8 * HOUR),
        record("Sennick Echo", "3", "Levee on the Arrel breaks", FLOOD, published=NOW - 7 * HOUR),
        record("Vessaly Post", "4", "Pump station fails in flooded Pennmouth", FLOOD_ELSEWHERE.replace(
            "four residents were dead", "seven residents were dead"), published=NOW - 6 * HOUR),
        record("Pennmouth Star", "8", "Pennmouth flooded after levee on the Arrel breaks", FLOOD_FROM_THE_AIR,
               published=NOW - 5 * HOUR),
        record("Harbour Post", "5", "Dockers strike in Sennick", f"SENNICK (Reuters) - {STRIKE}",
               published=NOW - 5 * HOUR),
    )  # fmt: skip
    rig.accept(
        record("Sennick Echo", "6", "Waiting", STRIKE + " More.", published=None)
    )
    rig.accept(
        record(
            "Sennick Echo", "7", "", "", url="https://news.example/7", published=None
        ),
        wants_page=[True],
    )
    source = Source(
        id="s", kind="feed", address="https://news.example/feed", interval_seconds=3600, next_due_at=NOW,
        health="failing", health_cause="http 503: Service Unavailable", failures=2, name="Echo",
    )  # fmt: skip
    with database.write() as connection:
        add(connection, source)
        rejected.note(
            connection,
            source="s",
            item="broken.jsonl, line 3",
            verdict="empty",
            reason="no text",
            at=NOW,
        )
    render_all(database)
    alone = queried(
        database,
        text("SELECT id FROM v_stories WHERE article_count = 1 ORDER BY id LIMIT 2"),
    ).scalars()
    correct(database, "merge", *alone)
    render_all(database)
    yield database
    database.close()


@pytest.fixture(scope="module")
def both(filled: Database, postgres: Postgres) -> Iterator[tuple[Database, Database]]:
    """The same rows on SQLite and on Postgres."""
    address = postgres.lend()
    with closing(Database(address)) as server:
        upgrade(server)
        copied(filled, server)
        yield filled, server
    postgres.take_back(address)


def _asked(database: Database, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    with database.read() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET TIME ZONE 'UTC'"))
        result = connection.exec_driver_sql(sql)
        return list(result.keys()), [
            tuple(_plain(value) for value in row) for row in result
        ]


def _plain(value: Any) -> Any:
    """A time as SQLite writes it."""
    return (
        value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value
    )


def test_the_questions_are_all_read() -> None:
    assert len(QUESTIONS) == DOCUMENT.count("```sql") == DOCUMENT.count("?\n\n") >= 9
    assert len(VIEWS) >= 10


@pytest.mark.later
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_has_one_answer_on_both_databases(
    both: tuple[Database, Database], question: str
) -> None:
    answers = [_asked(database, QUESTIONS[question]) for database in both]
    assert answers[0] == answers[1]
    assert answers[0][1], "an answer that is empty proves nothing"


# --- the views ---------------------------------------------------------------------------------------------


def test_no_view_is_left_out(both: tuple[Database, Database]) -> None:
    lite, server = both
    _, here = _asked(
        lite, "SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name"
    )
    _, there = _asked(
        server,
        "SELECT viewname FROM pg_views WHERE schemaname = 'public' ORDER BY viewname",
    )
    assert [name for (name,) in here] == [name for (name,) in there] == sorted(VIEWS)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_the_columns_and_kinds_that_are_named(
    both: tuple[Database, Database], view: str
) -> None:
    lite, server = both
    columns, rows = _asked(server, f"SELECT * FROM {view}")
    assert (
        columns
        == _asked(lite, f"SELECT * FROM {view} LIMIT 0")[0]
        == [name for name, _ in VIEWS[view]]
    )
    assert rows, "so that its kinds are seen"
    _, types = _asked(
        server,
        f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{view}'",
    )
    kinds = dict(VIEWS[view])
    assert {name: TYPES[kinds[name]] & {type_} for name, type_ in types} == {
        n: {t} for n, t in types
    }
    stored = {"number": {"integer"}, "yes or no": {"integer"}, "real": {"real"}}
    for name, kind in VIEWS[view]:
        _, found = _asked(lite, f"SELECT DISTINCT typeof({name}) FROM {view}")
        assert {type_ for (type_,) in found} <= stored.get(kind, {"text"}) | {"null"}, (
            name
        )


@pytest.mark.parametrize("view", [name for name in VIEWS if name != "v_now"])
def test_a_view_holds_the_same_on_both(
    both: tuple[Database, Database], view: str
) -> None:
    answers = [
        sorted(_asked(database, f"SELECT * FROM {view}")[1], key=repr)
        for database in both
    ]
    assert answers[0] == answers[1]


def test_copies_are_those_of_the_json(filled: Database) -> None:
    _, rows = _asked(
        filled,
        "SELECT article_id, original FROM v_story_articles WHERE original IS NOT NULL",
    )
    reading = StoryReader(filled)
    _, ids = _asked(filled, "SELECT id FROM v_stories")
    shown = [
        one
        for (id_,) in ids
        if isinstance(found := reading.story(id_), StoryView)
        for one in found.articles
    ]
    reported = {
        (one.id, one.copy_of)
        for one in shown
        if one.copy_of is not None and one.version is None
    }
    versions = {one.id for one in shown if one.version is not None}
    assert {
        (copy, original) for copy, original in rows if copy not in versions
    } == reported
    assert len(reported) >= 5
    _, late = _asked(
        filled,
        "SELECT outlet, original_outlet, minutes_late FROM v_copies WHERE original_outlet = 'Arrel Courier'",
    )
    assert late == [("Sennick Echo", "Arrel Courier", 120)]


def test_an_original_that_goes_takes_its_copies_names_along(tmp_path: Path) -> None:
    """What SQL sees of copies follows corrections, as soon as the stories are told again."""
    database = with_tables(sqlite_file(tmp_path / "a.db"))
    rig = Rig(database, Clock(NOW))
    first, copy = rig.take(
        record(
            "Arrel Courier",
            "1",
            "Levee on the Arrel breaks",
            FLOOD,
            published=NOW - 2 * HOUR,
        ),
        record("Sennick Echo", "2", "Levee breaks", FLOOD, published=NOW - HOUR),
    )
    render_all(database)
    assert _asked(database, "SELECT original_id FROM v_copies")[1] == [(first.article,)]
    earlier = record(
        "Calmouth Post", "3", "Levee gives way", FLOOD, published=NOW - 3 * HOUR
    )
    (third,) = rig.take(earlier)
    render_all(database)
    _, rows = _asked(
        database, "SELECT article_id, original_id FROM v_copies ORDER BY minutes_late"
    )
    assert rows == [(first.article, third.article), (copy.article, third.article)]
    database.close()


def test_an_outlet_does_not_copy_itself(database: Database) -> None:
    Rig(database, Clock(NOW)).take(
        record(
            "Arrel Courier",
            "1",
            "Levee on the Arrel breaks",
            FLOOD,
            published=NOW - 2 * HOUR,
        ),
        record(
            "Arrel Courier",
            "2",
            "Levee on the Arrel breaks",
            FLOOD,
            published=NOW - HOUR,
        ),
        record("Sennick Echo", "3", "Levee on the Arrel breaks", FLOOD, published=NOW),
    )
    render_all(database)
    assert _asked(
        database, "SELECT COUNT(*) FROM v_story_articles WHERE original IS NOT NULL"
    )[1] == [(2,)]
    assert _asked(database, "SELECT outlet, original_outlet FROM v_copies")[1] == [
        ("Sennick Echo", "Arrel Courier")
    ]


def test_a_story_without_a_date_has_no_time_of_a_first_publication(
    database: Database,
) -> None:
    dated = NOW - 2 * HOUR
    rig = Rig(database, Clock(NOW))
    rig.take(
        record(
            "Arrel Courier", "1", "Levee on the Arrel breaks", FLOOD, published=dated
        ),
        record("Sennick Echo", "2", "Levee on the Arrel breaks", FLOOD, published=None),
        record(
            "Harbour Post", "3", "Dockers strike in Sennick", STRIKE, published=None
        ),
    )
    _, rows = _asked(
        database, "SELECT article_count, first_published, day FROM v_stories ORDER BY 1"
    )
    written = dated.strftime("%Y-%m-%d %H:%M:%S.%f")
    assert rows == [(1, None, f"{NOW:%Y-%m-%d}"), (2, written, f"{dated:%Y-%m-%d}")]


def test_an_article_keeps_the_id_of_its_record(database: Database) -> None:
    rig = Rig(database, Clock(NOW))
    url = "https://harbour.example/strike"
    first = record(
        "Harbour Post",
        "a",
        "Dockers strike in Sennick",
        STRIKE,
        url=url,
        record_id="r-7",
        published=None,
    )
    (placed,) = rig.take(first)
    rig.take(
        record("Other Post", "b", "Levee on the Arrel breaks", FLOOD, published=None)
    )
    asked = "SELECT record_id FROM v_story_articles ORDER BY record_id IS NULL"
    assert _asked(database, asked)[1] == [("r-7",), (None,)]
    revised = record(
        "Harbour Post",
        "a",
        "Dockers strike in Sennick",
        STRIKE + " It ended.",
        url=url,
        published=None,
    )
    (again,) = rig.take(revised)
    assert (again.article, again.outcome) == (placed.article, "revised")
    assert _asked(database, asked)[1][0] == ("r-7",), "a feed that revises it has none"
    detail = StoryReader(database).article(placed.article)
    assert detail is not None
    assert whole_article(detail.article).record_id == "r-7"


def test_moments_are_moments(both: tuple[Database, Database]) -> None:
    for database in both:
        _, (moments,) = _asked(
            database, "SELECT now, hour_ago, day_ago, week_ago, month_ago FROM v_now"
        )
        now, *before = (datetime.fromisoformat(one) for one in moments)
        assert [now - one for one in before] == [
            HOUR,
            24 * HOUR,
            168 * HOUR,
            720 * HOUR,
        ]
        _, reported = _asked(
            database,
            "SELECT COUNT(*) FROM v_stories WHERE last_published < (SELECT week_ago FROM v_now)",
        )
        _, fresh = _asked(
            database,
            "SELECT COUNT(*) FROM v_stories WHERE last_published > (SELECT day_ago FROM v_now)",
        )
        assert reported[0][0] > fresh[0][0] > 0


# --- what is asked often goes by an index ------------------------------------------------------------------

BY_INDEX = [
    "SELECT title FROM v_stories WHERE last_published >= (SELECT day_ago FROM v_now)",
    "SELECT title FROM v_stories WHERE id = 'x'",
    "SELECT title FROM v_stories ORDER BY updated DESC LIMIT 20",
    "SELECT title FROM v_story_articles WHERE story_id = 'x'",
    "SELECT title FROM v_story_articles WHERE article_id = 'x'",
    "SELECT title FROM v_story_articles WHERE effective >= (SELECT hour_ago FROM v_now)",
    "SELECT outlet FROM v_copies WHERE original_id = 'x'",
    "SELECT outlet FROM v_copies WHERE story_id = 'x'",
    "SELECT kind FROM v_story_log WHERE story_id = 'x' ORDER BY n",
    "SELECT title_after FROM v_headline_changes WHERE story_id = 'x'",
    "SELECT COUNT(*) FROM v_waiting",
]


@pytest.mark.parametrize("sql", BY_INDEX)
def test_no_table_is_read_from_end_to_end(
    both: tuple[Database, Database], sql: str
) -> None:
    lite, server = both
    plan = " | ".join(row[3] for row in _asked(lite, f"EXPLAIN QUERY PLAN {sql}")[1])
    assert not re.search(r"SCAN (article|story|story_log|entry)\b(?! USING)", plan), (
        plan
    )
    with server.read() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {sql}"))
        connection.exec_driver_sql("SET enable_seqscan = on")
    assert "Seq Scan" not in plan, plan


def test_the_longest_names_fit_into_the_indexes(database: Database) -> None:
    """Rows of an index on Postgres are bounded, and what is read has names of at most 300 characters."""
    name = "".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(300))
    (placed,) = Rig(database, Clock(NOW)).take(
        record(name, "1", "Levee breaks", FLOOD, language="en", published=None)
    )
    assert _asked(database, "SELECT article_id, outlet FROM v_story_articles")[1] == [
        (placed.article, name)
    ]


# --- other programs ----------------------------------------------------------------------------------------


def test_a_reader_may_open_the_file_while_it_is_written(filled: Database) -> None:
    reader = sqlite3.connect(f"file:{filled.file}?mode=ro", uri=True)
    before = reader.execute("SELECT COUNT(*) FROM v_sources").fetchone()
    with filled.write() as connection:
        connection.exec_driver_sql("UPDATE source SET failures = failures + 1")
        during = reader.execute(
            "SELECT COUNT(*), SUM(failures) FROM v_sources"
        ).fetchone()
    after = reader.execute("SELECT COUNT(*), SUM(failures) FROM v_sources").fetchone()
    assert before == during[:1]
    assert after[1] == during[1] + 1
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM source")
    reader.close()


def test_datasette_opens_the_file_and_shows_the_views(filled: Database) -> None:
    async def looked_at() -> tuple[
        dict[str, Any], dict[str, Any], list[dict[str, Any]], str
    ]:
        shown = Datasette([str(filled.file)])
        listed = (await shown.client.get("/aggregator.json")).json()
        counts = {
            view: (
                await shown.client.get(f"/aggregator/{view}.json?_shape=objects")
            ).json()
            for view in VIEWS
        }
        asked = [
            (await shown.client.get("/aggregator.json", params={"sql": sql})).json()
            for sql in QUESTIONS.values()
        ]
        page = await shown.client.get("/aggregator/v_stories?_sort_desc=report_count")
        assert page.status_code == 200
        return listed, counts, asked, page.text

    listed, counts, asked, page = asyncio.run(looked_at())
    assert {view["name"] for view in listed["views"]} == set(VIEWS)
    for view, found in counts.items():
        assert found["rows"], view
        assert list(found["rows"][0]) == [name for name, _ in VIEWS[view]]
    assert [bool(one["ok"] and one["rows"]) for one in asked] == [True] * len(QUESTIONS)
    _, ((title,),) = _asked(
        filled, "SELECT title FROM v_stories ORDER BY report_count DESC, id LIMIT 1"
    )
    assert title in html.unescape(page)
