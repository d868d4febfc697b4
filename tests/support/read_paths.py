"""Reads files and folders as `ingest` does, and sorts what they give."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aggregator.config.tuning import Tuning
from aggregator.model.entry import Entry
from aggregator.sources.parse.files.input_items import (
    InputEntry,
    InputItem,
    InputProblem,
    ReadOptions,
)
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.source_limits import source_tuning

TUNING = source_tuning(Tuning())


def read_path(path: Path | str, **options: Any) -> list[InputItem]:
    return list(open_source(path, ReadOptions(**{"tuning": TUNING} | options)))


def entries_of(items: Iterable[InputItem]) -> list[Entry]:
    return [one.entry for one in items if isinstance(one, InputEntry)]


def problems_of(items: Iterable[InputItem]) -> list[InputProblem]:
    return [one for one in items if isinstance(one, InputProblem)]
