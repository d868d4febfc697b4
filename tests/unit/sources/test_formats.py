"""Archives that the usual programs write, and tables, are read without being told how."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from aggregator.model.entry import Entry
from aggregator.model.errors import UsageError
from aggregator.sources.parse.files.input_items import (
    InputEntry,
    InputItem,
)
from aggregator.sources.parse.records.record_entry import RecordNotes, parse_mapping
from tests.conftest import REPOSITORY
from tests.support.read_paths import entries_of, problems_of, read_path
from tests.support.tables import each_row

FILES = REPOSITORY / "tests" / "data" / "archives"
# One article in the forms of other services, as their documents name the keys
SERVICES = FILES / "services"
TITLE, ADDRESS = "Ice closes the harbour of Orm", "https://kite.example/ice"
TEXT = (
    "The harbour of Orm was closed on Monday because ice had covered the basin, the master of the port said. "
    "Ferries to the islands are cancelled until Thursday, and 1,400 people wait in the town."
)
DAY = date(2026, 11, 23)


def reasons(items: list[InputItem]) -> list[str]:
    return [item.reason for item in problems_of(items)]


def notes(items: list[InputItem]) -> str:
    counts = RecordNotes({})
    for item in items:
        if isinstance(item, InputEntry):
            counts.add(item.keys)
    return "\n".join(counts.notes())


def words_of(entry: Entry) -> str:
    return f"{entry.text or ''}{entry.html or ''}"


@each_row("formats", "the archive of a program is read", "name", "author", "outlet")
def test_the_archive_of_a_program_is_read(
    name: str, author: str | None, outlet: str | None
) -> None:
    (entry,) = entries_of(read_path(FILES / name))
    assert (entry.title, entry.url) == (
        "Dam repairs begin in Lindmar",
        "https://kite.example/dam",
    )
    assert "four months after a crack" in words_of(entry)
    assert "4.2 million crowns" in words_of(entry)
    assert entry.published is not None
    assert entry.published.time.date() == date(2026, 11, 25)
    assert (entry.author, entry.outlet) == (author, outlet), (
        "without a name it is the site of the address"
    )


def test_a_saved_page_has_its_address_and_not_the_date_of_saving() -> None:
    (entry,) = entries_of(read_path(FILES / "saved.mhtml"))
    assert (entry.title, entry.url) == (
        "Dam repairs begin in Lindmar",
        "https://kite.example/dam",
    )
    assert (entry.outlet, entry.published, entry.is_page) == (None, None, True)


# --- others of the kind, as their documents name the keys ---------------------------------------------------


@pytest.mark.parametrize("file", sorted(SERVICES.iterdir()), ids=lambda file: file.stem)
@pytest.mark.parametrize("indent", [None, 1])
def test_the_form_of_another_service_is_read(
    tmp_path: Path, file: Path, indent: int | None
) -> None:
    (tmp_path / "a.json").write_text(
        json.dumps(json.loads(file.read_text("utf-8")), indent=indent)
    )
    (entry,) = entries_of(read_path(tmp_path / "a.json"))
    outlet = None if file.stem == "webz" else "Kite Daily"
    assert (entry.title, entry.url, entry.outlet) == (TITLE, ADDRESS, outlet)
    assert TEXT in words_of(entry)
    assert entry.published is not None
    assert entry.published.time.date() == DAY
    assert entry.author == "Ada Quill"


@each_row("formats", "a date is read in the forms of programs", "written")
def test_a_date_is_read_in_the_forms_of_programs(
    tmp_path: Path, written: object
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"title": TITLE, "pub_date": written}))
    (entry,) = entries_of(read_path(tmp_path / "a.jsonl"))
    assert entry.published is not None
    assert entry.published.time.replace(microsecond=0) == datetime.fromisoformat(
        "2026-11-23T08:00Z"
    )


@each_row("formats", "authors are a text a list or objects", "written", "names")
def test_authors_are_a_text_a_list_or_objects(
    tmp_path: Path, written: object, names: str | None
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"title": TITLE, "authors": written}))
    assert [entry.author for entry in entries_of(read_path(tmp_path / "a.jsonl"))] == [
        names
    ]


# --- what was read, and what not ----------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["headline", "a=b", "title=", "title:headline", ""])
def test_a_mistyped_map_is_refused(words: str) -> None:
    with pytest.raises(UsageError, match="FIELD=KEY"):
        parse_mapping([words])


# --- ids ----------------------------------------------------------------------------------------------------


@each_row("formats", "the id of a record is kept as text", "given", "kept")
def test_the_id_of_a_record_is_kept_as_text(
    tmp_path: Path, given: object, kept: str | None
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": given, "title": TITLE}))
    assert [
        entry.record_id for entry in entries_of(read_path(tmp_path / "a.jsonl"))
    ] == [kept]


@each_row("formats", "an id or a date that cannot be read is said", "record", "note")
def test_an_id_or_a_date_that_cannot_be_read_is_said(
    tmp_path: Path, record: dict[str, object], note: str
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"title": TITLE, **record}))
    seen = datetime.fromisoformat("2026-11-28T00:00Z")
    assert note in notes(read_path(tmp_path / "a.jsonl", seen=seen)).split("\n")


# --- tables -------------------------------------------------------------------------------------------------


def test_a_table_gives_an_article_a_row() -> None:
    items = read_path(FILES / "table.csv")
    rows = entries_of(items)
    assert [row.title for row in rows] == [
        "Dam repairs begin in Lindmar",
        "Goat fair called off",
    ]
    assert [row.record_id for row in rows] == ["1", "2"]
    assert {row.outlet for row in rows} == {"Kite Daily"}
    assert [str(row.published.time.date()) for row in rows if row.published] == [
        "2026-11-25",
        "2026-11-24",
    ]
    assert notes(items).startswith(
        "read `publication` as outlet, `content` as text, `date` as published"
    )


@each_row("formats", "a table without a header is refused whole", "data", "words")
def test_a_table_without_a_header_is_refused_whole(
    tmp_path: Path, data: str, words: str
) -> None:
    (tmp_path / "a.csv").write_bytes(data.encode())
    (reason,) = reasons(read_path(tmp_path / "a.csv"))
    assert words in reason


# --- dates of tables ---------------------------------------------------------------------------------------


def days(tmp_path: Path, values: list[str], **more: Any) -> list[str | None]:
    (tmp_path / "a.csv").write_text(
        "\n".join(["title,pubday", *(f"T{value},{value}" for value in values)])
    )
    chosen = parse_mapping(["published=pubday"])
    published = [
        row.published
        for row in entries_of(read_path(tmp_path / "a.csv", chosen=chosen, **more))
    ]
    return [None if one is None else f"{one.time:%m-%d %H}" for one in published]


@each_row(
    "formats",
    "the values of a column settle the order of day and month",
    "values",
    "read",
)
def test_the_values_of_a_column_settle_the_order_of_day_and_month(
    tmp_path: Path, values: list[str], read: list[str | None]
) -> None:
    assert days(tmp_path, values) == read
