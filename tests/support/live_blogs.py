"""The invented live blogs and look-alikes of tests/data/live, read as the program reads them."""

from datetime import datetime
from functools import cache
from typing import Any

import yaml

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.model.entry import Entry
from aggregator.model.prepared import CleanArticle
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "tests" / "data" / "live"
SEEN = datetime.fromisoformat("2026-06-01T00:00Z")


@cache
def cases(name: str) -> tuple[dict[str, Any], ...]:
    """The cases of one file."""
    return tuple(yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))


def read(case: dict[str, Any], all_tuning: Tuning | None = None) -> CleanArticle:
    """The article of a case."""
    given = case.get("entry", {})
    page = case["body"].encode() if case["kind"] == "page" else None
    entry = Entry(
        source="s",
        text=None if page else case["body"],
        is_saved_text=page is None,
        **given,
    )
    return clean_entry(
        entry,
        page=page,
        page_charset="utf-8",
        page_url=given.get("url"),
        seen=SEEN,
        tuning=all_tuning or Tuning(),
    ).article


def is_right(case: dict[str, Any], all_tuning: Tuning | None = None) -> bool:
    """Whether it is recognised as what it is: a live blog, or a look-alike."""
    return read(case, all_tuning).is_container == case.get("is_live", True)
