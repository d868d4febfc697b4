"""What a file gives, row by row: entries, problems, and what is noted of its keys."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.sources.parse.files.input_items import (
    InputEntry,
    InputProblem,
    ReadOptions,
)
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.parse.records.record_entry import RecordNotes, parse_mapping
from aggregator.sources.source_limits import source_tuning
from tests.support.tables import named_parts, named_rows, repeated

ROWS = named_rows("read_files")


@pytest.mark.parametrize("name", ROWS)
def test_a_file_gives_what_stands_in_it(tmp_path: Path, name: str) -> None:
    row: dict[str, Any] = ROWS[name]
    text = row.get("text", repeated(row.get("parts", {})))
    text += "\n".join(map(json.dumps, row.get("records", ())))
    (tmp_path / row["file"]).write_bytes(text.encode(row.get("encoding", "utf-8")))
    tuning = replace(source_tuning(Tuning()), **row.get("limits", {}))
    chosen = parse_mapping(row.get("map", []))
    reading = ReadOptions(tuning=tuning, chosen=chosen)
    problems, entries, notes = [], [], RecordNotes(chosen)
    for item in open_source(tmp_path / row["file"], reading):
        if isinstance(item, InputProblem):
            place = item.where.rpartition(", ")[2]
            problems.append(f"{place}: {item.verdict or ''} {item.reason}")
        else:
            assert isinstance(item, InputEntry)
            entries.append(item.entry)
            notes.add(item.keys)
    if "entries" in row or "notes" not in row:
        wanted = row.get("entries", [])
        assert named_parts(entries, wanted) == wanted
    for found, words in zip(problems, row.get("problems", []), strict=True):
        assert words in found
    if "notes" in row:
        assert notes.notes() == row["notes"]
