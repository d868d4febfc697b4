"""The invented live blogs and look-alikes of tests/data/live, read as the program reads them."""

import datetime as dt
from collections.abc import Sequence
from functools import cache
from typing import Any

import yaml

from aggregator.config.tuning import Tuning
from aggregator.extract.article import clean_entry
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.live_text import ArticleTimes, entries_of
from aggregator.model.core import CleanArticle, Entry, Published, TimedEntry
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "tests" / "data" / "live"
SEEN = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


@cache
def cases(name: str) -> tuple[dict[str, Any], ...]:
    """The cases of one file."""
    return tuple(yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))


def read(case: dict[str, Any], all_tuning: Tuning | None = None) -> CleanArticle:
    """The article of a case."""
    given = case.get("entry", {})
    page = case["body"].encode() if case["kind"] == "page" else None
    entry = Entry(source="s", text=None if page else case["body"], is_saved_text=page is None, **given)
    return clean_entry(
        entry,
        page=page,
        page_charset="utf-8",
        page_url=given.get("url"),
        seen=SEEN,
        tuning=all_tuning or Tuning(),
    ).article


def reported(article: CleanArticle) -> list[tuple[str | None, str, str]]:
    """Day, clock and text of its entries."""
    return [
        (
            str(one.day) if one.day else None,
            f"{one.clock_minutes // 60:02}:{one.clock_minutes % 60:02}",
            one.text,
        )
        for one in article.timed
    ]


def is_right(case: dict[str, Any], all_tuning: Tuning | None = None) -> bool:
    """Whether every entry is found, in the right order and on the right day; of a look-alike: nothing is."""
    article = read(case, all_tuning)
    if case.get("is_live") is False:
        return not article.timed and not article.is_container
    found, wanted = reported(article), case["entries"]
    return (
        article.is_container
        and [one[:2] for one in found] == [(day, clock) for day, clock, _ in wanted]
        and all(one[2].startswith(words) for one, (_, _, words) in zip(found, wanted, strict=True))
    )


def timed_entries(
    paragraphs: Sequence[str], tuning: ExtractTuning, *, published: Published | None = None
) -> tuple[TimedEntry, ...]:
    """The entries of a text that is not announced as a live blog."""
    return entries_of(paragraphs, tuning, ArticleTimes(published=published), announced=False)
