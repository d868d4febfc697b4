"""The command stories: lists stories as a table, JSON or CSV."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aggregator.cli import filters, output
from aggregator.cli.context import Context, missing_database

if TYPE_CHECKING:
    from aggregator.model.core import StoryView
    from aggregator.model.read_model import StoryPage

# Columns of the CSV, and the attribute of `StoryView` in each.
_CSV = {
    "id": "id",
    "title": "title",
    "articles": "article_count",
    "outlets": "outlet_count",
    "reports": "report_count",
    "first_published": "first_published",
    "last_published": "last_published",
    "updated": "updated",
    "language": "language",
    "summary": "summary",
}


def stories(
    context: Context,
    query: filters.Query = "",
    since: filters.Since = "",
    until: filters.Until = "",
    min_outlets: filters.MinOutlets = 1,
    min_reports: filters.MinReports = 1,
    outlet: filters.Outlet = "",
    folder: filters.Folder = "",
    language: filters.Language = "",
    saved: filters.Saved = "",
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="List at most N stories.")] = 50,
    after: Annotated[
        str,
        typer.Option("--next", metavar="CURSOR", help="Continue after the `next` of an earlier JSON list."),
    ] = "",
    format_: output.ListFormat = "table",
) -> None:
    """List stories, the last bumped first.

    The table counts articles (art), outlets (out) and independent reports (rep).

    \b
    Examples:
      aggregator stories --since 7d --min-reports 2
      aggregator stories --query '"central bank" rate*' --language en
      aggregator stories --limit 1000000 --format csv > stories.csv
    """
    from msgspec.structs import replace

    from aggregator.store.read.reader import DatabaseStoryReader
    from aggregator.store.read.statistics import statistics

    with context.obj.reading() as (config, database):
        story_filter = filters.story_filter(
            config,
            limit=limit,
            saved=saved,
            query=query,
            since=since,
            until=until,
            min_outlets=min_outlets,
            min_reports=min_reports,
            outlet=outlet,
            folder=folder,
            language=language,
        )
        pages = DatabaseStoryReader(database).pages(replace(story_filter, after=after or None))
        any_printed = _print(pages, format_)
        stored = 0 if any_printed else dict(statistics(database))["stories"]
    if any_printed or format_ != "table":
        return
    if stored:
        output.say(f"No story matches these filters ({stored} stored).")
    elif missing_database(config) is None:
        output.say("No stories yet. Read articles with `aggregator ingest FOLDER`.")


def _print(pages: "Iterator[StoryPage]", format_: str) -> bool:
    """Print the stories page by page; returns whether there was any."""
    first = next(pages)
    pages = chain([first], pages)
    if format_ == "json":
        _json(pages)
        return bool(first.stories)
    counted = _Counted(story for page in pages for story in page.stories)
    if format_ == "jsonl":
        from aggregator.web.story_json import jsonl

        for one in counted:
            output.out(jsonl([one]))
    elif format_ == "csv":
        output.write_csv(tuple(_CSV), ([getattr(one, name) for name in _CSV.values()] for one in counted))
    else:
        _table(counted)
    return counted.any


class _Counted:
    """An iterator over stories that records whether there was any."""

    def __init__(self, stories: "Iterable[StoryView]") -> None:
        self._stories = stories
        self.any = False

    def __iter__(self) -> "Iterator[StoryView]":
        for one in self._stories:
            self.any = True
            yield one


def _json(pages: "Iterable[StoryPage]") -> None:
    """Print `{"stories": [...], "next": cursor|null}` page by page, the same bytes as the API answers."""
    from aggregator.web.sanitise import encode_json
    from aggregator.web.story_json import story_in_list

    comma, cursor = b"", None
    output.out(b'{"stories":[')
    for page in pages:
        for one in page.stories:
            output.out(comma + encode_json(story_in_list(one)))
            comma = b","
        cursor = page.next
    output.out(b'],"next":' + encode_json(cursor) + b"}\n")


def _table(stories: "Iterable[StoryView]") -> None:
    columns = ("id", "last report", "art", "out", "rep", "title")
    rows: Iterator[tuple[Any, ...]] = (
        (s.id, s.last_published, s.article_count, s.outlet_count, s.report_count, s.title) for s in stories
    )
    first = next(rows, None)
    if first is not None:
        output.table(
            columns, chain([first], rows), cut=("title",), spare=("out", "art", "last report", "rep")
        )
