"""The commands `sources list` and `sources show`."""

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.context import Context, missing_database
from aggregator.cli.output import flag
from aggregator.config.logging import one_line
from aggregator.config.messages import NO_SOURCES, counted

if TYPE_CHECKING:
    from aggregator.model.read_model import SourceView
from aggregator.cli.named_source import SourceName, named_source


def list_(
    context: Context,
    failing: Annotated[
        bool, flag("--failing", "List only sources with problems.")
    ] = False,
    format_: output.ListFormat = "table",
) -> None:
    """List all sources with their health.

    The list has the last success, new entries per day, the verdicts of the texts, and the cause of a problem.

    \b
    Examples:
      aggregator sources list --failing
      aggregator sources list --format csv > sources.csv
    """
    from aggregator.model.clock import utc_now
    from aggregator.store.read.source_list import listed

    with context.obj.reading() as (config, database), database.read() as connection:
        all_listed = listed(connection, utc_now())
        has_database = missing_database(config) is None
    shown = [source for source in all_listed if source.is_in_trouble or not failing]
    if format_ == "json":
        output.json_line({"sources": shown})
    elif format_ == "jsonl":
        for source in shown:
            output.json_line(source)
    elif format_ == "csv":
        names = (
            "article_count" if name == "articles" else name for name in _COLUMNS_CSV
        )
        output.write_csv(_COLUMNS_CSV, map(attrgetter(*names), shown))
    elif shown:
        _table(shown)
        states = ", ".join(
            f"{n} {state}"
            for state, n in Counter(source.state for source in all_listed).most_common()
        )
        has_more = not failing and any(source.is_in_trouble for source in all_listed)
        hint = (
            "; list those with problems with `aggregator sources list --failing`"
            if has_more
            else ""
        )
        output.say(f"{counted(len(all_listed), 'source')}: {states}{hint}")
    elif all_listed:
        output.say(f"{counted(len(all_listed), 'source')}, none with problems")
    elif has_database:
        output.say(NO_SOURCES)


_COLUMNS_CSV = (
    "id", "name", "kind", "url", "folder", "outlet", "language", "origin", "state", "cause", "problem",
    "articles", "per_day", "last_success", "next_due", "interval_seconds",
)  # fmt: skip


def show_(
    context: Context,
    source: SourceName,
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, help="Show at most this many texts.")
    ] = 20,
    format_: output.TableOrJsonl = "table",
) -> None:
    """Show a source and its texts with problems.

    These are rejected texts, headlines without a text, and failed pages, the newest first, each with its
    reason.

    \b
    Examples:
      aggregator sources show SOURCE
      aggregator sources show SOURCE --limit 100 --format jsonl
    """
    from aggregator.model.clock import utc_now
    from aggregator.store.read.health.problem_texts import problem_texts
    from aggregator.store.read.source_list import listed

    with context.obj.reading() as (_, database):
        known = named_source(database, source)
        with database.read() as connection:
            texts = problem_texts(connection, known.entry_source, limit)
            (row,) = (
                view for view in listed(connection, utc_now()) if view.id == known.id
            )
    if format_ == "jsonl":
        for text in texts:
            output.json_line(text)
        return
    _table([row])
    if not texts:
        output.say("no text of this source has a problem")
        return
    columns = ("received", "verdict", "page", "title", "reason")
    rows = [
        [view.at, view.verdict, view.page_verdict, view.title or view.url, view.reason]
        for view in texts
    ]
    output.table(columns, rows, wide=("title", "reason"))


def _table(shown: Sequence["SourceView"]) -> None:
    """Print the sources; on a terminal the causes of problems follow, as a column would break addresses."""
    columns = ["id", "source", "health", "a day", "last success", "articles", "cause"]
    rows = [
        (
            view.id,
            view.name,
            view.state,
            _rate(view),
            view.last_success,
            view.article_count,
            _cause(view),
        )
        for view in shown
    ]
    if output.terminal_width() is None:
        output.table(columns, rows)
        return
    output.table(columns[:-1], [row[:-1] for row in rows], wide=("source",))
    if notes := [f"{view.name}: {cause}" for view in shown if (cause := _cause(view))]:
        # Not wrapped: an address stays whole
        output.out("\n".join(["", *map(one_line, notes), ""]))


def _rate(one: "SourceView") -> str:
    """Return the new entries a day, rounded to their precision: 0.3, 4.2, 120."""
    rate = one.per_day
    return "-" if rate is None else f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"


def _cause(one: "SourceView") -> str:
    moved = f"moved to {one.polled_url}" if one.polled_url != one.url else ""
    return "; ".join(part for part in (one.problem or "", moved) if part)
