"""Reads files of JSON records: one per line, a list, or one after the other."""

from collections.abc import Iterator

import msgspec

from aggregator.model.errors import ReadError
from aggregator.sources.parse.feeds import json_feed
from aggregator.sources.parse.files.input_items import (
    SNIFFED_BYTES,
    FileIdentity,
    InputEntry,
    InputFeed,
    InputItems,
    InputProblem,
    ReadOptions,
    too_long_input,
)
from aggregator.sources.parse.records.jsonl import (
    as_record,
    decoded_json,
    decoded_record,
    values,
)
from aggregator.sources.parse.records.record_entry import (
    read_record,
)
from aggregator.sources.parse.records.record_keys import records_in
from aggregator.sources.parse.streams.file_stream import (
    BLANK,
    Stream,
    bounded_lines,
    pass_empty_lines,
)


def read_records(
    stream: Stream, place: FileIdentity, reading: ReadOptions
) -> InputItems:
    """Read one record per line, or a list if the file begins with one."""
    if _begins_list(stream):
        yield from _document_of_records(stream, place, reading)
    else:
        yield from _lines(stream, 1, place, reading)


def _begins_list(stream: Stream) -> bool:
    return stream.peek(SNIFFED_BYTES)[:SNIFFED_BYTES].lstrip(BLANK)[:1] == b"["


def _lines(
    stream: Stream, first: int, place: FileIdentity, reading: ReadOptions
) -> InputItems:
    """Read one record per line, beginning with line number `first`; empty lines are skipped."""
    limit = reading.tuning.max_article_bytes
    for number, line in bounded_lines(stream, limit, first):
        if line is None:
            yield too_long_input(f"{place.where}, line {number}", limit)
        else:
            yield from _records_of(line, f"line {number}", place, reading)


def read_json(stream: Stream, place: FileIdentity, reading: ReadOptions) -> InputItems:
    """Read a JSON Feed, a list of records, one record spread over several lines, or JSONL with a wrong extension."""
    if _begins_list(stream):
        yield from _document_of_records(stream, place, reading)
        return
    first = b""
    number = 0
    while not first.strip(BLANK):
        while passed := pass_empty_lines(stream):
            number += passed
        line = stream.readline(reading.tuning.max_article_bytes + 1)
        if not line:
            break
        first = line
        number += 1
    try:
        record = decoded_record(first)
    except ReadError:
        yield from _document_of_records(stream, place, reading, first)
        return
    if json_feed.is_json_feed(record):
        yield InputFeed(data=first, source=place.name, where=place.where)
        return
    yield from _records_of(record, f"line {number}", place, reading)
    yield from _lines(stream, number + 1, place, reading)


def _document_of_records(
    stream: Stream, place: FileIdentity, reading: ReadOptions, first: bytes = b""
) -> InputItems:
    """Read a document as a whole: a list of records, records one after the other, or a JSON Feed.

    `first` has the bytes that were already read from `stream`.
    """
    limit = reading.tuning.max_feed_bytes
    data = first + stream.read(max(0, limit + 1 - len(first)))
    if len(data) > limit:
        yield too_long_input(
            place.where,
            limit,
            "; write each record on a line of its own: such a file may have any length",
        )
        return
    count = 0
    try:
        for count, (value, chars) in enumerate(values(data), start=1):
            if count == 1 and json_feed.is_json_feed(value):
                yield InputFeed(data=data, source=place.name, where=place.where)
                return
            yield from _records_of(value, f"record {count}", place, reading, chars)
    except ReadError as error:
        yield InputProblem(
            where=f"{place.where}, record {count + 1}", reason=str(error)
        )


def _records_of(
    raw: object, spot: str, place: FileIdentity, reading: ReadOptions, chars: int = 0
) -> Iterator[InputEntry | InputProblem]:
    """Read the records in `raw`: a line (undecoded bytes), or a JSON value that took `chars` characters."""
    where = f"{place.where}, {spot}"
    limit = reading.tuning.max_article_bytes
    try:
        value = decoded_json(raw) if isinstance(raw, bytes) else raw
    except ReadError as error:
        yield InputProblem(where=where, reason=str(error))
        return
    records = records_in(value, reading.chosen)
    if len(records) == 1 and chars > limit:
        yield too_long_input(where, limit)
        return
    around = where if spot.startswith("line") else place.where
    for number, record in enumerate(records, start=1):
        if len(records) > 1:
            where = f"{around}, record {number}"
        if chars > limit and len(msgspec.json.encode(record)) > limit:
            yield too_long_input(where, limit)
        else:
            yield entry_or_problem(record, where, place, reading)


def entry_or_problem(
    value: object,
    where: str,
    place: FileIdentity,
    reading: ReadOptions,
    *,
    is_row: bool = False,
) -> InputEntry | InputProblem:
    name = place.name.rpartition("/")[2]
    try:
        entry, keys = read_record(
            as_record(value),
            chosen=reading.chosen,
            file_name=name,
            seen=reading.seen,
            is_row=is_row,
        )
    except ReadError as error:
        return InputProblem(where=where, reason=str(error))
    return InputEntry(entry=entry, where=where, keys=keys)
