"""JSONL records, for `ingest` and for `eval`."""

import json
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.model.entry import Entry
from aggregator.model.errors import ReadError
from aggregator.sources.parse.records.jsonl import decoded_record, read_labelled
from aggregator.sources.parse.records.record_entry import entry_of_record
from tests.support.tables import each_row, mapping, named_parts


def read(record: object, **more: object) -> Entry:
    return read_line(json.dumps(record), **more)


def read_line(line: bytes | str, **more: object) -> Entry:
    return entry_of_record(decoded_record(line), file_name="batch.jsonl", **more)  # type: ignore[arg-type]


RECORDS_READ = mapping("records", "records")


@pytest.mark.parametrize("name", RECORDS_READ)
def test_what_is_read_of_a_record(name: str) -> None:
    row = RECORDS_READ[name]
    assert named_parts(read(row["record"]), row["gives"]) == row["gives"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{}", "empty"),
        ('{"title": " ", "text": null}', "empty"),
        ('{"id": 1, "url": "javascript:alert(1)"}', "empty"),
        ("[1]", "not a record"),
        ('{"title": "T"', "not JSON"),
        ("[" * 100_000, "nested"),
    ],
)
def test_what_is_no_record_is_refused(line: str, words: str) -> None:
    with pytest.raises(ReadError, match=words):
        read_line(line)


def test_a_time_ahead_of_our_clock_is_absurd_where_the_clock_is_known() -> None:
    record = {"title": "T", "published": "2031-01-01T00:00:00Z"}
    assert read(record).published is not None
    assert (
        read(record, seen=datetime.fromisoformat("2026-01-01T00:00Z")).published is None
    )


@pytest.mark.parametrize(
    "line",
    [
        b'\xef\xbb\xbf{"title": "Caf\xc3\xa9"}\r\n',
        b'{"title": "Caf\\u00e9\\ud800"}',
        b'{"title": "Caf\\u00e9\\u0000", "n": NaN}',
        b'{"title": "Caf\\u00e9\x01"}',
    ],
)
def test_broken_characters_do_not_lose_the_record(line: bytes) -> None:
    assert read_line(line).title == "Café"


def test_a_record_in_an_older_encoding_is_still_a_record() -> None:
    entry = read_line(b'{"title": "Caf\xe9 by the sea"}')
    assert entry.title.startswith("Caf")
    assert entry.title.endswith(" by the sea")


@pytest.mark.parametrize(
    "value",
    ["-6.0e307", "1e30", "1" + "0" * 30, "NaN", "-Infinity", "true", '"::"', '"— !"'],
)
def test_signs_alone_and_what_is_no_number_of_anybodys_are_as_good_as_missing(
    value: str,
) -> None:
    with pytest.raises(ReadError, match="empty"):
        read_line(f'{{"html": {value}}}')


def test_labels_for_eval() -> None:
    line = json.dumps({"id": "x1", "title": "T", "cluster": "c1", "copy_of": "x0"})
    labelled = read_labelled(line, file_name="gold", line_number=1, chosen={})
    assert (labelled.id, labelled.cluster, labelled.copy_of, labelled.problem) == (
        "x1",
        "c1",
        "x0",
        None,
    )
    assert labelled.entry.title == "T"


@each_row("records", "eval rejects nothing", "line", "name")
def test_eval_rejects_nothing(line: str, name: str) -> None:
    labelled = read_labelled(line, file_name="gold", line_number=4, chosen={})
    assert labelled.id == name
    assert (labelled.problem is None) == (labelled.entry.title == "T")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
NAMES = st.sampled_from(
    [
        "id",
        "url",
        "outlet",
        "source",
        "title",
        "text",
        "html",
        "published",
        "lang",
        "author",
        "copy_of",
    ]
)
RECORDS = st.dictionaries(NAMES, VALUES).map(lambda record: json.dumps(record).encode())


@pytest.mark.later
@settings(max_examples=300)
@given(st.binary(max_size=200) | RECORDS | st.text(max_size=50))
def test_any_line_gives_an_entry_or_a_read_error(line: bytes | str) -> None:
    labelled = read_labelled(line, file_name="batch.jsonl", line_number=1, chosen={})
    assert labelled.id.encode()
    try:
        entry = read_line(line)
    except ReadError:
        assert labelled.problem is not None
    else:
        assert labelled.entry == entry
        assert (
            entry.title + (entry.text or "") + (entry.guid or "") + entry.source
        ).encode()
        assert "\0" not in entry.title + (entry.text or "")
