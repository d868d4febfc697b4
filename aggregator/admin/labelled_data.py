"""Labelled records: which of them report one event, as `eval` and training read them."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import chain, combinations
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec.structs import replace

from aggregator.config.messages import pluralise
from aggregator.model.errors import ReadError, UsageError
from aggregator.sources.parse.records.jsonl import LabelledRecord, read_labelled
from aggregator.sources.parse.records.record_entry import (
    RecordNotes,
    list_words,
    show_key,
)
from aggregator.sources.parse.records.record_keys import Field
from aggregator.sources.parse.records.table_file import Row, read_rows
from aggregator.sources.parse.streams.file_stream import (
    Progress,
    bounded_lines,
    decompress_stream,
    open_decompressed,
)
from aggregator.sources.parse.streams.folder_scan import suffix_of
from aggregator.store.engine.database import Database
from aggregator.store.stories import article_views, corrections, stored_articles


def labels(database: Database) -> dict[str, str]:
    """Return the story of each article that an active correction names, by article id."""
    with database.read() as connection:
        constrained = {
            constraint.article for constraint in corrections.all_constraints(connection)
        }
        return stored_articles.assigned_stories(connection, constrained)


def labelled_records(database: Database) -> Iterator[bytes]:
    """Yield one line of a dataset for each labelled article, with its text, in the order of the ids."""
    assigned_stories = labels(database)
    with database.read() as connection:
        for view in article_views.views_with_text(connection, assigned_stories):
            published: date | None = view.published
            if view.published is not None and view.published_precision == "day":
                published = view.published.date()  # midnight would be read as a time
            record = {
                "id": view.id,
                "record_id": view.record_id,
                "lang": view.language,
                "source": view.outlet,
                "url": view.url,
                "published": published,
                "title": view.title,
                "text": view.text,
                "cluster": assigned_stories[view.id],
            }
            yield msgspec.json.encode(record) + b"\n"


STANDARD_INPUT = "-"

_LINE_BYTES = 10 * 1024 * 1024

# Pairs of ids that count neither way, whether or not they are in one story
LoosePairs = frozenset[frozenset[str]]


def read_loose(name: str) -> LoosePairs:
    """Return the pairs of a file of loose groups, which has one {"ids": [...]} a line; none if `name` is "".

    Raises UsageError for another format or a file that cannot be read.
    """
    if not name:
        return frozenset()
    with usage_errors(name, 'one {"ids": [...]} a line'):
        groups = msgspec.json.Decoder(_LooseGroup).decode_lines(Path(name).read_bytes())
    return loose_pairs(group.ids for group in groups)


@contextmanager
def usage_errors(name: str, wanted: str) -> Iterator[None]:
    """Raise UsageError if the block cannot read a file, or the file is not JSON of the form `wanted`."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"{name}: {error}; write {wanted}") from error


def loose_pairs(groups: Iterable[Sequence[str]]) -> LoosePairs:
    """Return the pairs of ids within these groups."""
    pairs = chain.from_iterable(combinations(ids, 2) for ids in groups)
    return frozenset(map(frozenset, pairs))


class _LooseGroup(msgspec.Struct):
    ids: list[str]


def read_dataset(
    path: Path | str,
    stdin: BinaryIO | None = None,
    chosen: Mapping[Field, str] = {},
) -> list[LabelledRecord]:
    """Read a JSONL file or a table (also .gz, .zst; "-" is standard input).

    Return the records in placing order. `chosen` has the keys that `--map` names, by field. Raises UsageError if
    the file does not exist, is damaged, or has no record that can be read.
    """
    name = dataset_name(path)
    is_table = suffix_of(name) in (".csv", ".tsv")
    records = []
    try:
        if str(path) == STANDARD_INPUT:
            source = decompress_stream(stdin or sys.stdin.buffer, Progress())
        else:
            source = open_decompressed(path, Progress())
        with source as stream:
            rows: Iterator[tuple[int, bytes | Row | str | None]]
            rows = bounded_lines(stream, _LINE_BYTES)
            if is_table:
                rows = read_rows(stream, _LINE_BYTES, chosen)
            for number, row in rows:
                # An unreadable line has its problem in place of the row, or None if it is too long.
                content = row if isinstance(row, bytes | dict) else b""
                record = read_labelled(
                    content, file_name=name, line_number=number, chosen=chosen
                )
                if not content:
                    long = f"the line is longer than {_LINE_BYTES // 2**20} MiB"
                    record = replace(record, problem=row or long)
                records.append(record)
    except ReadError as error:
        raise UsageError(f"{name}: {error}") from error
    if not records:
        wanted = "rows below the header" if is_table else "one JSON object per line"
        raise UsageError(f"{name}: no records; write {wanted}")
    if all(record.problem for record in records):
        raise UsageError(
            f"{name}: none of its records can be read; the first: {records[0].problem}"
        )
    return sort_by_time(records)


def dataset_notes(records: Sequence[LabelledRecord]) -> list[str]:
    """Return notes on the keys of a dataset, its repeated ids, and its missing labels."""
    keys = RecordNotes({})
    for record in records:
        keys.add(record.keys)
    notes = keys.notes()
    repeated = [
        show_key(id_)
        for id_, count in Counter(record.id for record in records).items()
        if count > 1
    ]
    if repeated:
        notes.append(
            f"{pluralise(len(repeated), 'id')} of several records, each measured separately: {list_words(repeated)}"
        )
    if not any(record.cluster for record in records):
        notes.append(
            "no record has `cluster`, so there are no figures of events; if another key names the event, add "
            "--map cluster=KEY, such as --map cluster=event"
        )
    return notes


def dataset_name(path: Path | str) -> str:
    """Return the name of the dataset, which is the name of its file. Raises UsageError if there is none."""
    if str(path) == STANDARD_INPUT:
        return "stdin"
    if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for impossible names
        raise UsageError(f"{path}: there is no such file")
    if Path(path).is_dir():
        raise UsageError(f"{path}: this is a folder; eval reads files")
    return Path(path).name


def sort_by_time(records: Sequence[LabelledRecord]) -> list[LabelledRecord]:
    """Return the records in the order of placing: by time, an undated record with the record before it."""
    last = datetime.min.replace(tzinfo=UTC)
    times = []
    for record in records:
        if record.entry.published:
            last = record.entry.published.time
        times.append(last)
    placed = sorted(zip(times, records, strict=True), key=itemgetter(0))
    return [record for _, record in placed]
