"""The commands `sources list` and `sources show`."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.command_context import Context, missing_database
from aggregator.cli.output import flag
from aggregator.config.logging import one_line
from aggregator.config.messages import NO_SOURCES, pluralise

if TYPE_CHECKING:
    from aggregator.model.read_model import SourceView
from aggregator.cli.named_source import SourceName, named_source
from aggregator.text.lines import word_list


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
    from aggregator.store.read.source_list import view_sources

    with context.obj.reading() as (config, database), database.read() as connection:
        all_listed = view_sources(connection, utc_now())
        has_database = missing_database(config) is None
    shown = [source for source in all_listed if source.is_in_trouble or not failing]
    if format_ == "json":
        output.json_line({"sources": shown})
    elif format_ == "jsonl":
        output.json_lines(shown)
    elif format_ == "csv":
        output.write_csv(_COLUMNS_CSV, shown, {"articles": "article_count"})
    elif shown:
        _table(shown)
        counts = Counter(source.state for source in all_listed).most_common()
        states = ", ".join(f"{count} {state}" for state, count in counts)
        summary = f"{pluralise(len(all_listed), 'source')}: {states}"
        if not failing and any(source.is_in_trouble for source in all_listed):
            summary += (
                "; list those with problems with `aggregator sources list --failing`"
            )
        output.say(summary)
    elif all_listed:
        output.say(f"{pluralise(len(all_listed), 'source')}, none with problems")
    elif has_database:
        output.say(NO_SOURCES)


_COLUMNS_CSV = word_list("""
    id name kind url folder outlet language origin state cause problem articles per_day last_success next_due
    interval_seconds
""")


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
    from aggregator.store.read.source_list import view_sources

    with context.obj.reading() as (_, database):
        known = named_source(database, source)
        with database.read() as connection:
            texts = problem_texts(connection, known.entry_source, limit)
            sources = view_sources(connection, utc_now())
    if format_ == "jsonl":
        output.json_lines(texts)
        return
    _table([view for view in sources if view.id == known.id])
    if not texts:
        output.say("no text of this source has a problem")
        return
    rows = [
        (text.at, text.verdict, text.page_verdict, text.title or text.url, text.reason)
        for text in texts
    ]
    output.table(
        ("received", "verdict", "page", "title", "reason"),
        rows,
        wide=("title", "reason"),
    )


def _table(shown: Sequence["SourceView"]) -> None:
    """Print the sources. On a terminal, the causes of problems follow, because a column would break addresses."""
    columns = ["id", "source", "health", "a day", "last success", "articles", "cause"]
    rows = []
    notes = ""
    for source in shown:
        moved = ""
        if source.polled_url != source.url:
            moved = f"moved to {source.polled_url}"
        cause = "; ".join(filter(None, (source.problem, moved)))
        a_day = "-"
        if source.per_day is not None:  # rounded to its precision: 0.3, 4.2, 120
            a_day = f"{source.per_day:.{0 if source.per_day >= 10 else 1}f}"
        rows.append(
            (
                source.id,
                source.name,
                source.state,
                a_day,
                source.last_success,
                source.article_count,
                cause,
            )
        )
        if cause:
            notes += one_line(f"{source.name}: {cause}") + "\n"
    if output.terminal_width() is None:
        output.table(columns, rows)
        return
    output.table(columns[:-1], [row[:-1] for row in rows], wide=("source",))
    if notes:
        # Notes are not wrapped, so that an address stays whole.
        output.out(f"\n{notes}")
