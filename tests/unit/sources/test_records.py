"""JSONL records, for `ingest` and for `eval`."""

import datetime as dt
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.model.entry import Entry
from aggregator.model.errors import ReadError
from aggregator.sources.parse.records.jsonl import decoded_record, read_labelled
from aggregator.sources.parse.records.record_entry import entry_of_record
from tests.support.tables import rows


def read(record: object, **more: object) -> Entry:
    return read_line(json.dumps(record), **more)


def read_line(line: bytes | str, **more: object) -> Entry:
    return entry_of_record(decoded_record(line), file_name="batch.jsonl", **more)  # type: ignore[arg-type]


def test_a_full_record() -> None:
    where = {
        "id": "a1",
        "url": "https://example.org/a1",
        "published": "2026-02-27T10:00:00+01:00",
    }
    who = {
        "outlet": "Harbour Post",
        "source": "ignored beside outlet",
        "author": "Ada Quill",
    }
    words = {
        "title": "Lock &amp; gate",
        "text": "The lock gate was mended.\r\nIt holds.",
        "lang": "en-GB",
    }
    entry = read(where | who | words | {"cluster": "c9", "whatever": [1, 2]})
    assert (entry.source, entry.outlet, entry.guid) == (
        "Harbour Post",
        "Harbour Post",
        "a1",
    )
    assert (entry.title, entry.text) == (
        "Lock & gate",
        "The lock gate was mended.\nIt holds.",
    )
    assert entry.published.time == dt.datetime(2026, 2, 27, 9, tzinfo=dt.UTC)
    assert (entry.language, entry.author, entry.authority) == (
        "en",
        "Ada Quill",
        "handed",
    )


def test_without_an_outlet_the_file_is_the_source() -> None:
    entry = read({"title": "T", "source": None})
    assert (entry.source, entry.outlet, entry.guid, entry.published) == (
        "batch.jsonl",
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    "record",
    rows("records", "any one of them is enough"),
)
def test_any_one_of_them_is_enough(record: dict[str, str]) -> None:
    assert read(record).source == "batch.jsonl"


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


@pytest.mark.parametrize(
    "published", ["1712-01-01", "never", "99999-01-01T00:00:00Z", {"at": 1}, True, None]
)
def test_absurd_times_are_unknown(published: object) -> None:
    assert read({"title": "T", "published": published}).published is None


def test_a_time_ahead_of_our_clock_is_absurd_where_the_clock_is_known() -> None:
    record = {"title": "T", "published": "2031-01-01T00:00:00Z"}
    assert read(record).published is not None
    assert read(record, seen=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).published is None


def test_html_that_is_a_page_is_known_as_one() -> None:
    assert read({"html": "<html><body><p>x</p></body></html>"}).is_page
    assert not read({"html": "<p>x</p>"}).is_page


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


def test_whole_numbers_are_ids() -> None:
    assert [
        read({"id": given, "title": "T"}).guid for given in (7, 7.0, "7", True)
    ] == ["7", "7", "7", None]


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


@pytest.mark.parametrize(
    ("line", "name"),
    rows("records", "eval rejects nothing"),
)
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
@settings(max_examples=300, deadline=None)
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
