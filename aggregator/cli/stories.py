"""The command stories: any number of them, as a table or for programs."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aggregator.cli import filters, output
from aggregator.cli.context import Settings, missing_database

if TYPE_CHECKING:
    from aggregator.model.core import StoryView
    from aggregator.model.read_model import StoryPage

# Columns of the CSV, and the part of a story that each holds.
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


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(stories)


def stories(
    context: typer.Context,
    query: filters.Query = "",
    since: filters.Since = "",
    until: filters.Until = "",
    min_outlets: filters.MinOutlets = 1,
    min_reports: filters.MinReports = 1,
    outlet: filters.Outlet = "",
    folder: filters.Folder = "",
    language: filters.Language = "",
    saved: filters.Saved = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="N", help="At most so many; any number.")
    ] = 50,
    after: Annotated[
        str, typer.Option("--next", metavar="CURSOR", help="Go on where a list in JSON ended: its `next`.")
    ] = "",
    format_: Annotated[
        Literal["table", "json", "jsonl", "csv"], typer.Option("--format", metavar="table|json|jsonl|csv")
    ] = "table",
) -> None:
    """The newest stories.

    The table counts articles (art), outlets (out) and independent reports (rep).

    \b
    Examples:
      aggregator stories --since 7d --min-reports 2
      aggregator stories --query '"central bank" rate*' --language en
      aggregator stories --limit 1000000 --format csv > stories.csv
    """
    from msgspec.structs import replace

    from aggregator.store.read.reader import DatabaseStoryReader
    from aggregator.store.read.table_counts import statistics

    settings: Settings = context.obj
    with settings.reading() as (config, database):
        wanted = filters.story_filter(
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
        pages = DatabaseStoryReader(database).pages(replace(wanted, after=after or None))
        any_shown = _shown(pages, format_)
        stored = 0 if any_shown else dict(statistics(database))["stories"]
    if any_shown or format_ != "table":
        return
    if stored:
        output.say(f"no story matches these filters ({stored} stored)")
    elif missing_database(config) is None:
        output.say("no stories yet; read some articles with: aggregator ingest FOLDER")


def _shown(pages: "Iterator[StoryPage]", format_: str) -> bool:
    """Print them as they come; whether there was any."""
    first = next(pages)
    pages = chain([first], pages)
    if format_ == "json":
        _json(pages)
        return bool(first.stories)
    counted = _Counted(story for page in pages for story in page.stories)
    if format_ == "jsonl":
        _jsonl(counted)
    elif format_ == "csv":
        output.write_csv(tuple(_CSV), ([getattr(one, name) for name in _CSV.values()] for one in counted))
    else:
        _table(counted)
    return counted.any


class _Counted:
    """What passes, and whether anything did."""

    def __init__(self, stories: "Iterable[StoryView]") -> None:
        self._stories = stories
        self.any = False

    def __iter__(self) -> "Iterator[StoryView]":
        for one in self._stories:
            self.any = True
            yield one


def _json(pages: "Iterable[StoryPage]") -> None:
    """`{"stories": [...], "next": cursor|null}`, byte by byte what `story_json.page_json` writes at once."""
    import msgspec

    from aggregator.web.sanitise import without_bidi
    from aggregator.web.story_json import story_in_list

    comma, cursor = b"", None
    output.out(b'{"stories":[')
    for page in pages:
        for one in page.stories:
            output.out(comma + without_bidi(msgspec.json.encode(story_in_list(one))))
            comma = b","
        cursor = page.next
    output.out(b'],"next":' + msgspec.json.encode(cursor) + b"}\n")


def _jsonl(stories: "Iterable[StoryView]") -> None:
    from aggregator.web import story_json

    for one in stories:
        output.out(story_json.jsonl([one]))


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
