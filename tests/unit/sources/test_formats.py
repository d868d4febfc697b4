"""Archives that the usual programs write, and tables, are read without being told how."""

import codecs
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aggregator.config.tuning import Tuning
from aggregator.model.entry import Entry
from aggregator.model.errors import UsageError
from aggregator.sources.parse.files.input_items import (
    InputEntry,
    InputItem,
    InputProblem,
    ReadOptions,
)
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.parse.records.record_entry import RecordNotes, mapping_of
from aggregator.sources.source_limits import source_tuning
from tests.conftest import REPOSITORY
from tests.support.tables import rows

TUNING = source_tuning(Tuning())
FILES = REPOSITORY / "tests" / "data" / "archives"
# One article in the forms of other services, as their documents name the keys
SERVICES = FILES / "services"
TITLE, ADDRESS = "Ice closes the harbour of Orm", "https://kite.example/ice"
TEXT = (
    "The harbour of Orm was closed on Monday because ice had covered the basin, the master of the port said. "
    "Ferries to the islands are cancelled until Thursday, and 1,400 people wait in the town."
)
HTML = f"<p>{TEXT}</p>"
DAY = dt.date(2026, 11, 23)


def found(path: Path, **more: Any) -> list[InputItem]:
    return list(open_source(path, ReadOptions(tuning=TUNING, **more)))


def entries(items: list[InputItem]) -> list[Entry]:
    return [item.entry for item in items if isinstance(item, InputEntry)]


def reasons(items: list[InputItem]) -> list[str]:
    return [item.reason for item in items if isinstance(item, InputProblem)]


def notes(items: list[InputItem]) -> str:
    counts = RecordNotes()
    for item in items:
        if isinstance(item, InputEntry):
            counts.add(item.keys)
    return "\n".join(counts.notes())


def words_of(entry: Entry) -> str:
    return f"{entry.text or ''}{entry.html or ''}"


@pytest.mark.parametrize(
    ("name", "author", "outlet"),
    rows("formats", "the archive of a program is read"),
)
def test_the_archive_of_a_program_is_read(
    name: str, author: str | None, outlet: str | None
) -> None:
    (entry,) = entries(found(FILES / name))
    assert (entry.title, entry.url) == (
        "Dam repairs begin in Lindmar",
        "https://kite.example/dam",
    )
    assert "four months after a crack" in words_of(entry)
    assert "4.2 million crowns" in words_of(entry)
    assert entry.published is not None
    assert entry.published.time.date() == dt.date(2026, 11, 25)
    assert (entry.author, entry.outlet) == (author, outlet), (
        "without a name it is the site of the address"
    )


# --- others of the kind, as their documents name the keys ---------------------------------------------------


@pytest.mark.parametrize("file", sorted(SERVICES.iterdir()), ids=lambda file: file.stem)
@pytest.mark.parametrize("indent", [None, 1])
def test_the_form_of_another_service_is_read(
    tmp_path: Path, file: Path, indent: int | None
) -> None:
    (tmp_path / "a.json").write_text(
        json.dumps(json.loads(file.read_text("utf-8")), indent=indent)
    )
    (entry,) = entries(found(tmp_path / "a.json"))
    outlet = None if file.stem == "webz" else "Kite Daily"
    assert (entry.title, entry.url, entry.outlet) == (TITLE, ADDRESS, outlet)
    assert TEXT in words_of(entry)
    assert entry.published is not None
    assert entry.published.time.date() == DAY
    assert entry.author == "Ada Quill"


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (
            {"feeds": [{"title": "Kite Daily", "items": [{"body": TEXT * 9}]}]},
            "`items`",
        ),
        ({"data": {"feed": {"articles": [{"title": TITLE, "text": TEXT}]}}}, "`data`"),
        ({"data": {"title": TITLE, "text": TEXT}}, "`data`"),
    ],
    ids=["a list in a list", "a list three deep", "a record in an object"],
)
def test_records_that_are_nested_deeper_are_refused_by_name(
    tmp_path: Path, data: dict[str, Any], named: str
) -> None:
    file = tmp_path / "nested.json"
    file.write_text(json.dumps(data))
    (reason,) = reasons(found(file))
    assert named in reason


def test_a_record_in_an_object_is_read_by_the_path_of_its_keys(tmp_path: Path) -> None:
    file = tmp_path / "nested.json"
    file.write_text(json.dumps({"data": {"title": TITLE, "body": TEXT}}))
    chosen = mapping_of(["title=data.title,text=data.body"])
    (entry,) = entries(found(file, chosen=chosen))
    assert (entry.title, words_of(entry)) == (TITLE, TEXT)


def test_a_list_of_addresses_gives_headlines(tmp_path: Path) -> None:
    """GDELT says when it saw an article; exports of lists to read say only when it was saved."""
    seen = {
        "url": ADDRESS,
        "title": TITLE,
        "seendate": "20261123T080000Z",
        "domain": "kite.example",
    }
    (tmp_path / "gdelt.json").write_text(json.dumps({"articles": [seen]}))
    (tmp_path / "pocket.csv").write_text(
        f"title,url,time_added,tags,status\n{TITLE},{ADDRESS},1795420800,,unread\n"
    )
    (tmp_path / "instapaper.csv").write_text(
        f"URL,Title,Selection,Folder,Timestamp\n{ADDRESS},{TITLE},,Unread,1795420800\n"
    )
    (tmp_path / "graph.csv").write_text(
        "GKGRECORDID,SourceCommonName,DocumentIdentifier,outletName,title,dateAdded\n"
        f"20261123-1,kite.example,{ADDRESS},Kite Daily,{TITLE},20261123080000\n"
    )
    (tmp_path / "events.tsv").write_text(
        f"GLOBALEVENTID\tSOURCEURL\tDATEADDED\ttitle\n1\t{ADDRESS}\t20261123080000\t{TITLE}\n"
    )
    for name in ("graph.csv", "events.tsv"):
        (entry,) = entries(found(tmp_path / name))
        assert (entry.title, entry.url) == (TITLE, ADDRESS)
        assert entry.published is not None, name
        assert entry.published.time.date() == DAY
    days = []
    for name in ("gdelt.json", "pocket.csv", "instapaper.csv"):
        (entry,) = entries(found(tmp_path / name))
        assert (entry.title, entry.url, words_of(entry)) == (TITLE, ADDRESS, "")
        days.append(entry.published and entry.published.time.date())
    assert days == [DAY, None, None]


@pytest.mark.parametrize(
    "written",
    rows("formats", "a date is read in the forms of programs"),
)
def test_a_date_is_read_in_the_forms_of_programs(
    tmp_path: Path, written: object
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"title": TITLE, "pub_date": written}))
    (entry,) = entries(found(tmp_path / "a.jsonl"))
    assert entry.published is not None
    assert entry.published.time.replace(microsecond=0) == dt.datetime(
        2026, 11, 23, 8, tzinfo=dt.UTC
    )


@pytest.mark.parametrize(
    ("written", "names"),
    rows("formats", "authors are a text a list or objects"),
)
def test_authors_are_a_text_a_list_or_objects(
    tmp_path: Path, written: object, names: str | None
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"title": TITLE, "authors": written}))
    assert [entry.author for entry in entries(found(tmp_path / "a.jsonl"))] == [names]


def test_the_keys_of_the_program_win(tmp_path: Path) -> None:
    own = {
        "title": "Own",
        "text": "Own text.",
        "url": ADDRESS,
        "published": "2026-11-23",
        "source": "Own Post",
    }
    others = {
        "headline": "No",
        "maintext": "No",
        "link": "https://no.example/",
        "date": "2020-01-01",
    }
    (tmp_path / "a.jsonl").write_text(
        json.dumps(
            {**others, **own, "publisher": "No", "lang": "en", "inLanguage": "de"}
        )
    )
    (entry,) = entries(found(tmp_path / "a.jsonl"))
    assert (entry.title, entry.text, entry.url, entry.outlet) == (
        "Own",
        "Own text.",
        ADDRESS,
        "Own Post",
    )
    assert (entry.language, entry.published and entry.published.time.year) == (
        "en",
        2026,
    )


# --- what was read, and what not ----------------------------------------------------------------------------


def test_it_says_once_what_was_read_as_what_and_what_not(tmp_path: Path) -> None:
    record = {
        "title": TITLE,
        "maintext": TEXT,
        "image_url": "https://kite.example/x",
        "cluster": "c",
        "lang": "en",
    }
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps(record) for _ in range(1200))
    )
    assert (
        notes(found(tmp_path / "a.jsonl"))
        == "read `maintext` as text\nnot read: `image_url` (1,200 records)"
    )


def test_a_text_under_an_unknown_key_is_no_headline(tmp_path: Path) -> None:
    records = [
        {"title": TITLE, "bericht": TEXT + TEXT},
        {"title": TITLE, "teile": [{"absatz": TEXT + TEXT}], "description": "Ice."},
        {
            "title": TITLE,
            "bild": "https://kite.example/" + "x" * 300,
            "schlüssel": "ab" * 200,
            "note": "short",
        },
        {"überschrift": TITLE, "nummer": 7},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    items = found(tmp_path / "a.jsonl")
    assert [entry.title for entry in entries(items)] == [TITLE]
    first, empty = reasons(items)[0], reasons(items)[-1]
    assert "--map text=bericht" in first
    assert "its keys are `überschrift`, `nummer`" in empty


def test_keys_are_named_by_hand(tmp_path: Path) -> None:
    chosen = mapping_of(["title=überschrift,text=inhalt.lang", "pub_day=published"])
    record = {
        "überschrift": TITLE,
        "inhalt": {"lang": TEXT},
        "pub_day": "2026-11-23",
        "title": "Not this one",
    }
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    (entry,) = entries(found(tmp_path / "a.jsonl", chosen=chosen))
    assert (entry.title, entry.text) == (TITLE, TEXT)
    assert entry.published is not None
    (tmp_path / "b.jsonl").write_text(
        json.dumps({"title": TITLE, "bericht": TEXT + TEXT})
    )
    assert (
        entries(found(tmp_path / "b.jsonl", chosen=mapping_of(["text="])))[0].text
        is None
    ), "titles alone"


@pytest.mark.parametrize("words", ["headline", "a=b", "title=", "title:headline", ""])
def test_a_mistyped_map_is_refused(words: str) -> None:
    with pytest.raises(UsageError, match="FIELD=KEY"):
        mapping_of([words])


# --- ids ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        *rows("formats", "the id of a record is kept as text"),
        (float("nan"), None),
        ("x" * 1024, "x" * 1024),
    ],
)
def test_the_id_of_a_record_is_kept_as_text(
    tmp_path: Path, given: object, kept: str | None
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": given, "title": TITLE}))
    assert [entry.record_id for entry in entries(found(tmp_path / "a.jsonl"))] == [kept]


def test_an_id_that_is_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "x" * 1025, "title": TITLE}))
    assert reasons(found(tmp_path / "a.jsonl")) == [
        "the id of the record is longer than 1,024 characters"
    ]


@pytest.mark.parametrize(
    ("record", "note"),
    [
        *rows("formats", "an id or a date that cannot be read is said"),
        ({"id": float("nan")}, "`id`: 1 id not kept, e.g. `nan`"),
        (
            {"published": "x" * 1000},
            "`published`: 1 date not understood, e.g. `" + "x" * 100 + "`",
        ),
    ],
)
def test_an_id_or_a_date_that_cannot_be_read_is_said(
    tmp_path: Path, record: dict[str, object], note: str
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"title": TITLE, **record}))
    seen = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)
    assert note in notes(found(tmp_path / "a.jsonl", seen=seen)).split("\n")


def test_only_what_no_other_key_says_is_lost(tmp_path: Path) -> None:
    record = {
        "title": TITLE,
        "uuid": True,
        "id": 5,
        "published": "soon",
        "date": "2026-11-23",
    }
    (tmp_path / "a.jsonl").write_text(
        json.dumps(record) + "\n" + json.dumps({"title": TITLE})
    )
    assert "not kept" not in notes(found(tmp_path / "a.jsonl"))
    assert "not understood" not in notes(found(tmp_path / "a.jsonl"))


# --- tables -------------------------------------------------------------------------------------------------


def test_a_table_gives_an_article_a_row() -> None:
    items = found(FILES / "table.csv")
    rows = entries(items)
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


HEADS = "Headline;Body;Pub Date;Source"
BODY = f'"Ice; the harbour";"{TEXT}\r\n\r\nA second ""paragraph"".";23.11.2026 08:00;Kite Täglich\r\n'


def tables() -> Iterator[tuple[str, str, bytes]]:
    whole = f"{HEADS}\r\n{BODY}"
    yield "semicolon with BOM", "a.csv", codecs.BOM_UTF8 + whole.encode()
    yield "Latin-1", "a.csv", whole.encode("latin-1")
    yield "UTF-16", "a.csv", whole.encode("utf-16")
    yield (
        "tabs",
        "a.tsv",
        whole.replace("Ice; the", "Ice, the")
        .replace(";", "\t")
        .replace("Ice,", "Ice;")
        .encode(),
    )
    yield "on standard input or as text", "a.txt", whole.encode()
    yield (
        "blank lines and cells",
        "a.csv",
        f"{HEADS};\r\n\r\n{BODY.strip()};\r\n\r\n".encode(),
    )


@pytest.mark.parametrize(
    ("name", "data"), [pytest.param(*rest, id=title) for title, *rest in tables()]
)
def test_separators_and_encodings_are_found(
    tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / name).write_bytes(data)
    (row,) = entries(found(tmp_path / name))
    assert (row.title, row.outlet) == ("Ice; the harbour", "Kite Täglich")
    assert row.text == f'{TEXT}\n\nA second "paragraph".'
    assert row.published is not None
    assert row.published.time.date() == DAY


@pytest.mark.parametrize(
    ("data", "words"),
    [
        *rows("formats", "a table without a header is refused whole"),
        ("x" * 300_000, "must name its columns"),
    ],
)
def test_a_table_without_a_header_is_refused_whole(
    tmp_path: Path, data: str, words: str
) -> None:
    (tmp_path / "a.csv").write_bytes(data.encode())
    (reason,) = reasons(found(tmp_path / "a.csv"))
    assert words in reason


def test_columns_are_named_by_hand(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"naam;inhoud\n{TITLE};{TEXT}\n")
    (row,) = entries(
        found(tmp_path / "a.csv", chosen=mapping_of(["title=naam,text=inhoud"]))
    )
    assert (row.title, row.text) == (TITLE, TEXT)
    (reason,) = reasons(found(tmp_path / "a.csv", chosen=mapping_of(["title=name"])))
    assert (
        reason
        == "there is no column `name`, which --map names; the columns are `naam`, `inhoud`"
    )


def test_ragged_rows_are_refused_one_by_one(tmp_path: Path) -> None:
    rows = [
        "title,text,date",
        "A,words,2026-11-23,more",
        "B",
        "C,words of C,2026-11-23,,",
        'D,"bro"ken,2026-11-23',
        "E,words of E,nan",
        'F,"never closed,2026',
        "G,lost,x",
    ]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    items = found(tmp_path / "a.csv")
    assert [row.title for row in entries(items)] == ["C", "E"]
    assert [
        item.where.rpartition(" ")[2]
        for item in items
        if isinstance(item, InputProblem)
    ] == list("2357")
    assert "the row has 4 cells, and the header 3" in reasons(items)[0]
    assert "what is behind it is not read" in reasons(items)[-1]


def test_a_name_that_stands_twice_keeps_the_first(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("title,title,Text,\nFirst,Second,words,9\n")
    items = found(tmp_path / "a.csv")
    assert [(row.title, row.text) for row in entries(items)] == [("First", "words")]
    assert "`title (2)` (1 record), `column 4` (1 record)" in notes(items)


def test_long_cells_are_read_and_longer_lines_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        f'title,text\nLong,"{"word " * 200_000}"\nNext,words\n'
    )
    assert [len(row.text or "") for row in entries(found(tmp_path / "a.csv"))] == [
        999_999,
        5,
    ]
    small = msgspec.structs.replace(TUNING, max_article_bytes=100_000)
    (problem,) = reasons(
        list(open_source(tmp_path / "a.csv", ReadOptions(tuning=small)))
    )
    assert problem.startswith("line 2 is longer than")


# --- dates of tables ---------------------------------------------------------------------------------------


def days(tmp_path: Path, values: list[str], **more: Any) -> list[str | None]:
    (tmp_path / "a.csv").write_text(
        "\n".join(["title,pubday", *(f"T{value},{value}" for value in values)])
    )
    chosen = mapping_of(["published=pubday"])
    published = [
        row.published
        for row in entries(found(tmp_path / "a.csv", chosen=chosen, **more))
    ]
    return [None if one is None else f"{one.time:%m-%d %H}" for one in published]


@pytest.mark.parametrize(
    ("values", "read"),
    rows("formats", "the values of a column settle the order of day and month"),
)
def test_the_values_of_a_column_settle_the_order_of_day_and_month(
    tmp_path: Path, values: list[str], read: list[str | None]
) -> None:
    assert days(tmp_path, values) == read


def test_each_column_has_its_own_order_and_texts_stay_as_they_are(
    tmp_path: Path,
) -> None:
    text = "3/4/2026 was a good day for goats."
    rows = [
        "title,text,date,datePublished",
        f"A,{text},3/4/2026,",
        f"B,31/3/2026 {text},,3/4/2026",
    ]
    (tmp_path / "a.csv").write_text(
        "\n".join([*rows, "C,words,25/3/2026,", "D,words,,3/25/2026"])
    )
    rows_read = entries(found(tmp_path / "a.csv"))
    assert [
        row.published and f"{row.published.time:%m-%d}" for row in rows_read[:2]
    ] == ["04-03", "03-04"]
    assert rows_read[0].text == text


def test_a_row_that_cannot_be_read_ends_neither_the_order_nor_the_table(
    tmp_path: Path,
) -> None:
    long = "w" * 300
    (tmp_path / "a.csv").write_text(
        f"title,date\nA,3/4/2026\nB\nC,13/4/2026\n{long},1/1/2026\n"
    )
    small = msgspec.structs.replace(TUNING, max_article_bytes=200)
    items = list(open_source(tmp_path / "a.csv", ReadOptions(tuning=small)))
    assert [row.published and row.published.time.month for row in entries(items)] == [
        4,
        4,
    ]
    assert len(reasons(items)) == 2


def test_a_header_without_rows_is_said(tmp_path: Path) -> None:
    for name in ("a.csv", "on standard input"):
        (tmp_path / name).write_text("id,title,text\n\n")
        assert reasons(found(tmp_path / name)) == ["there is no row below its header"]


def test_a_spreadsheet_is_to_be_saved_as_csv(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04" + bytes(100))
    (reason,) = reasons(found(tmp_path / "a.xlsx"))
    assert reason.endswith("save it as CSV")


@pytest.mark.parametrize("name", ["a.xlsx", "a.md", "a.parquet"])
def test_an_unknown_suffix_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(
        TEXT.encode() if name == "a.md" else b"PK\x03\x04" + bytes(100)
    )
    (reason,) = reasons(found(tmp_path / name))
    assert f"files that end in .{name[2:]} are not read" in reason
