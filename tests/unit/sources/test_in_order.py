"""Archives in the order of time: whatever lies in the file however, with little memory and nothing lost."""

import base64
import gzip
import json
import resource
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.tuning import Tuning
from aggregator.model.entry import Entry, Published
from aggregator.model.errors import NotWritableError
from aggregator.sources.parse.files.input_items import (
    InputEntry,
    InputItem,
    InputProblem,
    ReadOptions,
)
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.parse.files.sort_by_time import sort_by_time
from aggregator.sources.parse.streams.file_stream import Progress
from aggregator.sources.source_limits import source_tuning
from tests.support.warc import answer, warc_record

TUNING = source_tuning(Tuning())
DAY = datetime.fromisoformat("2026-03-01T00:00Z")


def entry(number: int, day: int | None, file: str) -> InputItem:
    published = None if day is None else Published(time=DAY + timedelta(days=day))
    return InputEntry(
        entry=Entry(source="s", guid=str(number), text="x" * 10, published=published),
        where=file,
        file=file,
    )


def found_of(kinds: list[int | None], file: str) -> list[InputItem]:
    """A day is an article of that day, None one without a date, -1 a problem and -2 a feed."""
    made: list[InputItem] = []
    for number, kind in enumerate(kinds):
        if kind == -1:
            made.append(InputProblem(where=f"{file} {number}", reason="no", file=file))
        elif kind == -2:
            made.append(
                InputProblem(where=file, reason=str(number), verdict="empty", file=file)
            )
        else:
            made.append(entry(number, kind, file))
    return made


@pytest.mark.later
@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.integers(-2, 9)), max_size=30), max_size=3
    )
)
def test_each_file_is_sorted_by_itself_and_equal_times_stay_as_they_lie(
    files: list[list[int | None]],
) -> None:
    given_ = [
        one
        for name, kinds in enumerate(files)
        for one in found_of(kinds, f"{name}.jsonl")
    ]
    expected = []
    for name, kinds in enumerate(files):
        last, keyed = -100, []
        for number, kind in enumerate(kinds):
            last = kind if kind is not None and kind >= 0 else last
            keyed.append((last, number))
        of_file = found_of(kinds, f"{name}.jsonl")
        expected += [of_file[number] for _, number in sorted(keyed)]
    assert list(sort_by_time(iter(given_), Progress())) == expected


def test_a_full_disk_is_an_error_in_words() -> None:
    ordered = sort_by_time(long_archive(), Progress())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(NotWritableError, match="set TMPDIR"):
            list(ordered)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_name_that_is_no_text_harms_nothing() -> None:
    found = [entry(number, 5 - number, "\udcff.jsonl") for number in range(4)]
    ordered = list(sort_by_time(iter(found), Progress()))
    assert [one.entry.guid for one in ordered if isinstance(one, InputEntry)] == [
        "3",
        "2",
        "1",
        "0",
    ]


@pytest.mark.parametrize("name", ["dump.jsonl.gz", "dump.warc.gz"])
def test_a_dump_that_begins_with_the_newest_is_given_from_the_oldest(
    tmp_path: Path, name: str
) -> None:
    days = [DAY + timedelta(days=9 - number) for number in range(10)]
    if "jsonl" in name:
        lines = [
            {
                "id": str(at),
                "title": "T",
                "text": "words " * 20,
                "published": at.isoformat(),
            }
            for at in days
        ]
        data = gzip.compress(
            "".join(json.dumps(line) + "\n" for line in lines).encode()
        )
    else:
        page = answer(b"<html><body><p>words</p></body></html>", kind="text/html")
        dated = [
            warc_record("response", page, f"https://o.example/{number}").replace(
                b"WARC-Record-ID",
                f"WARC-Date: {at:%Y-%m-%dT%H:%M:%SZ}\r\nWARC-Record-ID".encode(),
            )
            for number, at in enumerate(days)
        ]
        data = b"".join(gzip.compress(one) for one in dated)
    (tmp_path / name).write_bytes(data)
    progress = Progress()
    reported, shares = [], []
    for one in sort_by_time(
        open_source(tmp_path / name, ReadOptions(tuning=TUNING, progress=progress)),
        progress,
    ):
        reported.append(
            one.entry.published.time if one.entry.published else one.archived_at
        )
        shares.append(progress.read_bytes)
    assert reported == days[::-1]
    assert shares == sorted(set(shares)), "progress tells what was handed on"
    assert shares[-1] == progress.total_bytes == len(data)


@pytest.mark.later
def test_memory_does_not_hold_a_long_archive() -> None:
    ordered = sort_by_time(long_archive(), Progress())
    before = resident_bytes()
    first = next(ordered)
    grown = resident_bytes() - before
    assert first.entry.guid == "3999"
    assert grown < 16_000_000, "of 40 million characters"
    assert sum(1 for _ in ordered) == 3999


def long_archive() -> Iterator[InputItem]:
    """The newest first; none of the texts can be compressed much."""
    rng = Random(3)
    for number in range(4000):
        text = base64.b64encode(rng.randbytes(7_500)).decode()
        published = Published(time=DAY - timedelta(hours=number))
        entry = Entry(source="s", guid=str(number), text=text, published=published)
        yield InputEntry(entry=entry, where="a", file="a")


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
