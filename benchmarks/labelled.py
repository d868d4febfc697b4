"""Labelled articles as the stories room takes them."""

import datetime as dt
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aggregator.model.core import ArticleView


def rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a .jsonl.gz, numbered from 0."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file):
            yield number, json.loads(line)


def stated_time(row: dict[str, Any]) -> dt.datetime | None:
    """When it was published, in UTC where no zone is named."""
    stated = row.get("published")
    if not stated:
        return None
    time = dt.datetime.fromisoformat(stated.replace("Z", "+00:00"))
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def report(
    number: int, row: dict[str, Any], time: dt.datetime, *, lead: str = "", text: str = ""
) -> ArticleView:
    """The record as a report of `time`; ids sort as the records stand in their file."""
    outlet = row.get("outlet") or row.get("source")
    return ArticleView(
        id=f"{number:08}",
        outlet=outlet,
        outlet_key=outlet,
        url=None,
        title=row.get("title") or "",
        published=time,
        seen=time,
        effective_at=time,
        language=row.get("lang") or row.get("language"),
        copy_of=None,
        wire=None,
        role="report",
        lead=lead,
        text=text,
    )
