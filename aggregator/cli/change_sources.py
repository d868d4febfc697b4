"""The commands of `sources` that add, remove, pause and resume a source."""

from typing import Annotated

from aggregator.cli import output
from aggregator.cli.command_context import Context
from aggregator.cli.forget_command import Yes, erase_articles
from aggregator.cli.named_source import SourceName, named_source
from aggregator.cli.output import argument, flag, option
from aggregator.model.errors import UsageError


def add(
    context: Context,
    url: Annotated[
        str,
        argument("URL", "Add the feed with this address, or the feed of this site."),
    ],
    name: Annotated[
        str,
        option(
            "--name",
            "NAME",
            "Give the source this name, which stays when its address changes.",
        ),
    ] = "",
    outlet: Annotated[
        str, option("--outlet", "NAME", "Use this name of the publisher.")
    ] = "",
    folder: Annotated[
        str, option("--folder", "NAME", "Put the source in this folder.")
    ] = "",
    interval: Annotated[
        str,
        option(
            "--interval", "15m", "Poll it at this interval (default: fetch.interval)."
        ),
    ] = "",
    language: Annotated[
        str,
        option(
            "--language",
            "en",
            "Use this language for articles that do not state theirs.",
        ),
    ] = "",
) -> None:
    """Add a feed by its address or the address of its site.

    A running daemon polls it within seconds.

    \b
    Examples:
      aggregator sources add URL
      aggregator sources add URL --name Courier --folder Europe --interval 30m
    """
    from aggregator.config.values import duration_as_typed
    from aggregator.intake.manage.adding import SourceOptions, clean_name, interval_of
    from aggregator.intake.manage.adding import add as run
    from aggregator.text.language import primary_tag

    tag = primary_tag(language)
    if language and tag is None:
        raise UsageError(
            f"--language {language}: use a tag of two or three letters, such as en or pt"
        )
    with context.obj.writing() as (config, database):
        added = run(
            config,
            database,
            url,
            SourceOptions(
                name=clean_name(name),
                outlet=clean_name(outlet),
                folder=clean_name(folder),
                language=tag,
                interval_seconds=interval_of(interval),
            ),
        )
    source, found = added.source, added.resolved
    dates = [entry.published.time for entry in found.feed.entries if entry.published]
    output.say(
        output.fill_template(
            "added_source.txt",
            source=source,
            found=found,
            how=_HOW,
            newest=max(dates, default=None),
            interval=duration_as_typed(source.interval_seconds, "hms"),
        )
    )


_HOW = {
    "declared": " (declared by the page)",
    "linked": " (linked from the page)",
    "usual": " (at a usual address)",
}


def remove(
    context: Context,
    source: SourceName,
    articles: Annotated[
        bool,
        flag("--articles", "Erase its articles, too, as `aggregator forget` does."),
    ] = False,
    yes: Yes = False,
) -> None:
    """Remove a source but keep its articles.

    With --articles they are erased permanently and refused in the future. This works also for a folder that
    was read once, with `ingest`.

    \b
    Examples:
      aggregator sources remove SOURCE
      aggregator sources remove SOURCE --articles
    """
    from aggregator.grouping.deletion.forget_articles import ForgetCommand
    from aggregator.intake.manage.changing import remove as run
    from aggregator.store.intake.source_rows import sources_named
    from aggregator.store.maintenance.erase_target import resolve_target

    with context.obj.writing() as (config, database):
        with database.read() as connection:
            is_read_once = articles and not sources_named(connection, source)
        known = None if is_read_once else named_source(database, source)

        def remove_row() -> None:
            if known is not None:
                run(config, database, known)

        name = source
        has_articles = articles
        if articles and known is not None:
            name = known.entry_source
            with database.read() as connection:
                target = resolve_target(connection, name, is_source=True)
            has_articles = bool(target.articles)
        if has_articles:
            erase_articles(
                config,
                database,
                ForgetCommand(name=name, is_source=True),
                yes=yes,
                once_confirmed=remove_row,
            )
        else:
            remove_row()
    if known is not None:
        kept = "" if articles else "; its articles remain"
        output.say(f"removed {known.shown_name} ({known.polled_url}){kept}")


def pause(context: Context, source: SourceName) -> None:
    """Stop polling a source; its history remains.

    \b
    Examples:
      aggregator sources pause SOURCE
    """
    from aggregator.intake.manage.changing import pause as run

    with context.obj.writing() as (config, database):
        known = named_source(database, source)
        run(config, database, known)
    output.say(
        f"paused {known.shown_name}; resume it with `aggregator sources resume {known.id}`"
    )


def resume(context: Context, source: SourceName) -> None:
    """Resume a source and poll it immediately.

    Use this for a source that is paused, gone, or in back-off after failures.

    \b
    Examples:
      aggregator sources resume SOURCE
    """
    from aggregator.intake.manage.changing import resume as run

    with context.obj.writing() as (_, database):
        known = named_source(database, source)
        run(database, known)
    output.say(f"resumed {known.shown_name}; a running daemon polls it within seconds")
