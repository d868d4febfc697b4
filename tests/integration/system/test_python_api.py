"""The Python API (docs/research.md) as a program uses it: its examples hold, and what is wrong is said."""

import doctest
import json
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import aggregator
from aggregator import python_api
from aggregator.store.engine.database import Database
from tests.conftest import REPOSITORY
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Rig,
    record,
    render_all,
)
from tests.support.fresh import with_tables
from tests.support.programs import run_program
from tests.support.tables import each_row, rows

RECORDS: list[dict[str, Any]] = [
    {
        "id": "later",
        "title": "Pennmouth under water",
        "text": FLOOD_ELSEWHERE,
        "published": "2026-10-12T09:00Z",
    },
    {
        "id": "first",
        "title": "Levee breaks at Pennmouth",
        "text": FLOOD,
        "published": "2026-10-12T06:00Z",
    },
    {
        "id": "copy",
        "title": "Levee breaks at Pennmouth",
        "text": FLOOD,
        "published": "2026-10-12T10:00Z",
    },
    {
        "id": "strike",
        "title": "Dockers walk out",
        "text": STRIKE,
        "published": "2026-10-12T07:00Z",
    },
]
PAGE = f"""<html lang="en"><head><title>Levee breaks at Pennmouth</title>
<meta property="article:published_time" content="2026-10-12T06:00:00+02:00"></head>
<body><article><h1>Levee breaks at Pennmouth</h1><p>{FLOOD}</p></article></body></html>"""


@pytest.fixture
def filled(database: Database) -> Database:
    rig = Rig(database)
    rig.take(
        record(
            "Courier",
            "1",
            "Levee breaks at Pennmouth",
            FLOOD,
            published=NOON - timedelta(hours=5),
        ),
        record(
            "Echo",
            "2",
            "Pennmouth under water",
            FLOOD_ELSEWHERE,
            published=NOON - timedelta(hours=4),
        ),
        record(
            "Post",
            "3",
            "Dockers walk out",
            STRIKE,
            published=NOON - timedelta(hours=3),
        ),
    )
    render_all(database)
    return database


# --- the examples ------------------------------------------------------------------------------------------


def test_the_examples_of_the_docstrings_hold() -> None:
    result = doctest.testmod(python_api)
    assert (result.failed, result.attempted > 8) == (0, True)


def test_the_examples_of_the_document_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with_tables(Database("sqlite:///aggregator.db")).close()
    result = doctest.testfile(
        str(REPOSITORY / "docs" / "research.md"), module_relative=False
    )
    assert (result.failed, result.attempted > 3) == (0, True)


def test_to_import_the_package_loads_none_of_it() -> None:
    code = "import aggregator, sys; print(*sys.modules)"
    done = run_program([sys.executable, "-c", code], check=True)
    assert [
        name for name in done.stdout.split() if name.startswith("aggregator.")
    ] == []
    assert "msgspec" not in done.stdout.split()
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        aggregator.nothing_of_the_kind  # noqa: B018


# --- grouping ----------------------------------------------------------------------------------------------


def test_records_are_grouped_in_time_and_returned_in_their_order() -> None:
    later, first, copy, strike = aggregator.group_records(iter(RECORDS))
    assert [one.id for one in (later, first, copy, strike)] == [
        one["id"] for one in RECORDS
    ]
    assert later.story == first.story == copy.story != strike.story
    assert (later.copy_of, first.copy_of, copy.copy_of) == (None, None, "first")
    assert later.score is not None
    assert (first.score, copy.score, strike.score) == (None, None, None)


@pytest.mark.later
def test_it_is_what_eval_assigns(tmp_path: Path) -> None:
    lines = "".join(json.dumps(one) + "\n" for one in RECORDS)
    (tmp_path / "set.jsonl").write_text(lines, encoding="utf-8")
    words = [
        sys.executable,
        "-m",
        "aggregator",
        "eval",
        "set.jsonl",
        "--assignments",
        "out.jsonl",
    ]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    subprocess.run(
        words, cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    written = [
        json.loads(line)
        for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    ]
    by_id = {one.id: one for one in aggregator.group_records(RECORDS)}
    for line in written:
        own = by_id[line["id"]]
        assert (line["copy_of"], line["score"]) == (own.copy_of, own.score)
    stories = {line["id"]: line["story"] for line in written}
    for one in RECORDS:
        is_together = stories[one["id"]] == stories["first"]
        assert is_together == (by_id[one["id"]].story == by_id["first"].story)


def test_values_may_be_those_of_python_and_of_data_frames() -> None:
    own_id = uuid.uuid4()
    dates: list[dict[str, Any]] = [
        {
            "id": own_id,
            "title": "Dockers walk out",
            "text": STRIKE,
            "published": datetime.now(UTC),
        },
        {
            "id": 7,
            "title": "Dockers walk out",
            "text": f"{STRIKE} {FLOOD_ELSEWHERE}",
            "published": date(2020, 1, 2),
        },
        {
            "id": 8.0,
            "title": "Levee breaks",
            "text": FLOOD,
            "published": float("nan"),
            "outlet": None,
        },
        {"id": "\ud800", "title": "Lone surrogate", "text": FLOOD_ELSEWHERE},
    ]
    assigned = aggregator.group_records(dates)
    assert [one.id for one in assigned] == [str(own_id), "7", "8", "?"]
    assert assigned[0].story != assigned[1].story, "years lie between them"


@pytest.mark.parametrize(
    ("records", "words"),
    [
        *(
            (RECORDS[:good] + records, words)
            for good, records, words in rows("python_api", "what cannot be grouped is named")
        ),
        ([RECORDS[0], RECORDS[1], RECORDS[0]], "record 3 has the id of an earlier one: 'later'"),
        ([{"id": "a", "title": "Bytes", "html": b"<p>text"}], "record 1 cannot be read .*bytes"),
        ([RECORDS[0] | {"published": "soonish"}], "record 1, 'later': `published` is no date .*: `soonish`"),
    ],
)  # fmt: skip
def test_what_cannot_be_grouped_is_named(records: Any, words: str) -> None:
    with pytest.raises(aggregator.AggregatorError, match=words):
        aggregator.group_records(records)


@pytest.mark.later
def test_keys_of_other_names_are_mapped() -> None:
    own = [
        {
            "nr": one["id"],
            "title": one["title"],
            "volltext": one["text"],
            "tag": one["published"],
        }
        for one in RECORDS
    ]
    assigned = aggregator.group_records(
        own, map={"id": "nr", "text": "volltext", "published": "tag"}
    )
    assert assigned == aggregator.group_records(RECORDS)
    titles = aggregator.group_records(
        [{"id": 1, "title": "Dam", "volltext": FLOOD}], map={"text": ""}
    )
    assert [one.id for one in titles] == ["1"]
    with pytest.raises(aggregator.AggregatorError, match="`tag` is no date"):
        aggregator.group_records(
            [own[0] | {"tag": "soonish"}],
            map={"id": "nr", "text": "volltext", "published": "tag"},
        )
    with pytest.raises(aggregator.AggregatorError, match="FIELD is one of id, url"):
        aggregator.group_records(own, map={"body": "volltext"})
    with pytest.raises(
        aggregator.AggregatorError,
        match="no key `nosuch`, which `map` names; the keys are `id`, `title`, `text`",
    ):
        aggregator.group_records(RECORDS, map={"text": "nosuch"})
    nested = [{"id": 1, "title": "Dam", "data": {"volltext": FLOOD}}]
    assert aggregator.group_records(nested, map={"text": "data.volltext"})


@pytest.mark.later
def test_a_missing_date_of_a_data_frame_is_none() -> None:
    class NotATime:
        def __str__(self) -> str:
            return "NaT"

    for missing in (NotATime(), None, "", " ", float("nan")):
        assert aggregator.group_records([RECORDS[0] | {"published": missing}])


def test_a_data_frame_itself_is_refused_with_what_to_give() -> None:
    class Frame(list[str]):
        def to_dict(self) -> None: ...

    with pytest.raises(
        aggregator.AggregatorError, match=r"frame\.to_dict\('records'\)"
    ):
        aggregator.group_records(Frame(["id", "title"]))  # type: ignore[arg-type]


def test_the_package_lists_its_names() -> None:
    assert {*aggregator.__all__} <= {*dir(aggregator)}


# --- extraction --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [PAGE, PAGE.encode(), PAGE.encode("utf-16")])
def test_a_page_is_extracted(page: str | bytes) -> None:
    article = aggregator.extract_article(page, url="https://courier.example/levee")
    assert (article.verdict, article.title, article.language) == (
        "ok",
        "Levee breaks at Pennmouth",
        "en",
    )
    assert article.published == "2026-10-12T04:00:00Z"
    assert " ".join(FLOOD.split()) in article.text


@pytest.mark.parametrize(
    "page",
    ["", b"", b"\x00\x01\x02\xff" * 40, "no markup", "<" * 100_000, "\ud800<p>x"],
)
def test_any_page_has_a_verdict(page: str | bytes) -> None:
    article = aggregator.extract_article(page)
    assert article.verdict not in ("ok", "stub")
    assert article.reason


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(aggregator.AggregatorError, match="no address of a page"):
        aggregator.extract_article(PAGE, url="courier.example/levee")


# --- reading a database ------------------------------------------------------------------------------------


def test_stories_and_articles_of_a_database_are_read_with_filters(
    filled: Database,
) -> None:
    with aggregator.open_database(filled.url) as database:
        stories = list(database.stories())
        articles = list(database.articles())
        (flood,) = database.stories(min_reports=2)
        by_time = [
            one.title for one in database.stories(since=NOON - timedelta(hours=3))
        ]
        assert len(list(database.stories(limit=1))) == 1
        assert list(database.stories(query="zeppelin", until=date(1999, 1, 1))) == []
    assert len(stories) == 2
    assert (flood.report_count, flood.outlet_count, len(flood.articles)) == (2, 2, 2)
    assert by_time == ["Dockers walk out"]
    assert {(one.story, one.id) for one in articles} == {
        (one.id, own.id) for one in stories for own in one.articles
    }
    assert {one.story_title for one in articles} == {one.title for one in stories}


def test_a_path_opens_a_file_that_is_never_written(sqlite: Database) -> None:
    assert sqlite.file is not None
    before = sqlite.data_version()
    database = aggregator.open_database(sqlite.file)
    assert list(database.stories()) == []
    database.close()
    assert sqlite.data_version() == before


def test_a_restored_backup_opens_and_stays_as_it_is(
    sqlite: Database, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(str(sqlite.file))) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    before = copy.read_bytes()
    copy.chmod(0o400)
    with aggregator.open_database(f"sqlite:///{copy}") as database:
        assert list(database.articles()) == []
    assert copy.read_bytes() == before
    assert not copy.with_name("copy.db-wal").exists()


@pytest.fixture
def no_databases(tmp_path: Path) -> Iterator[dict[str, str]]:
    (tmp_path / "text.db").write_text("no database " * 100)
    (tmp_path / "empty.db").touch()
    yield {name: str(tmp_path / f"{name}.db") for name in ("missing", "text", "empty")}
    assert not (tmp_path / "missing.db").exists()


@each_row("python_api", "what is no database is named", "name", "words")
def test_what_is_no_database_is_named(
    no_databases: dict[str, str], name: str, words: str
) -> None:
    with pytest.raises(aggregator.AggregatorError, match=words):
        aggregator.open_database(no_databases[name])


def test_filters_that_cannot_be_read_are_named_at_once(filled: Database) -> None:
    with aggregator.open_database(filled.url) as database:
        with pytest.raises(aggregator.AggregatorError, match="since must be like"):
            database.stories(since="lately")
        with pytest.raises(
            aggregator.AggregatorError, match="unknown parameter 'outlets'"
        ):
            database.stories(outlets="Courier")
