"""The filters of the command line, alike for every command that shows stories.

What a shell is offered after TAB: names and ids of what is there; nothing where that cannot be read.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.model.errors import AggregatorError

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.model.read_model import StoryFilter
    from aggregator.store.engine.database import Database


_MOST = 30  # ids offered: the newest, as `aggregator stories` shows them first

Offer = tuple[str, str]  # what completes the word, and what it is, for shells that show that


def complete_saved(context: typer.Context, incomplete: str) -> list[Offer]:
    """Names of the saved queries of config.yaml."""
    return _offered(
        context, incomplete, lambda config: ((one.name, one.title or "") for one in config.saved_queries)
    )


def complete_story(context: typer.Context, incomplete: str) -> list[Offer]:
    """Ids of the newest stories, with their headlines."""

    def newest(config: "Config") -> Iterator[Offer]:
        from aggregator.store.read.id_lookup import newest_stories

        with closing(_there(config)) as database:
            yield from newest_stories(database, incomplete, _MOST)

    return _offered(context, incomplete, newest)


def complete_source(context: typer.Context, incomplete: str) -> list[Offer]:
    """Ids of the sources, with their names."""

    def all_of(config: "Config") -> Iterator[Offer]:
        from aggregator.store.intake.sources import all_sources

        with closing(_there(config)) as database, database.read() as connection:
            yield from ((one.id, one.shown_name) for one in all_sources(connection))

    return _offered(context, incomplete, all_of)


def _there(config: "Config") -> "Database":
    """The database, as it is: a shell's question upgrades nothing. Raises AggregatorError where none is."""
    from aggregator.cli.context import missing_database
    from aggregator.store.engine.database import Database
    from aggregator.store.migrate import check

    if missing_database(config) is not None:
        raise AggregatorError("there is no database yet")
    database = Database(config.database_url)
    check(database)
    return database


def _offered(
    context: typer.Context, incomplete: str, offers: "Callable[[Config], Iterator[Offer]]"
) -> list[Offer]:
    from aggregator.cli.context import Settings

    typed = context.find_root().params
    settings = Settings(config=typed.get("config"), database=typed.get("database"), log_format="text")
    try:
        return [one for one in offers(settings.load()) if one[0].startswith(incomplete)]
    except AggregatorError:
        return []  # a shell that asks what there is shows no errors; the command itself will


Saved = Annotated[
    str,
    typer.Option(
        "--saved",
        metavar="NAME",
        help="A query of config.yaml; other options go before it.",
        autocompletion=complete_saved,
    ),
]
Query = Annotated[str, typer.Option("--query", metavar="TEXT", help='Words; "two words" stand side by side.')]
Since = Annotated[str, typer.Option("--since", metavar="TIME", help="24h, 7d, or a date.")]
Until = Annotated[str, typer.Option("--until", metavar="TIME", help="24h, 7d, or a date.")]
MinOutlets = Annotated[
    int, typer.Option("--min-outlets", min=1, metavar="N", help="At least so many outlets.")
]
MinReports = Annotated[
    int, typer.Option("--min-reports", min=1, metavar="N", help="At least so many independent reports.")
]
Outlet = Annotated[str, typer.Option("--outlet", metavar="NAME", help="With an article by this outlet.")]
Folder = Annotated[
    str, typer.Option("--folder", metavar="NAME", help="With an article of this folder of sources.")
]
Language = Annotated[
    str, typer.Option("--language", metavar="TAG", help="With an article in this language: en.")
]


def story_filter(
    config: "Config",
    *,
    limit: int,
    saved: str = "",
    query: str = "",
    since: str = "",
    until: str = "",
    min_outlets: int = 1,
    min_reports: int = 1,
    outlet: str = "",
    folder: str = "",
    language: str = "",
) -> "StoryFilter":
    """The stories that the options ask for, laid over a saved query where one is named.

    A number of 1, which restricts nothing, is as good as none. Raises UsageError for a time that is none, and
    for a name that no query has.
    """
    import msgspec

    from aggregator.model.read_model import StoryFilter

    now = dt.datetime.now(dt.UTC)
    below = config.saved_query(saved).wanted(now, limit) if saved else StoryFilter(limit=limit)
    given = {
        "query": query,
        "since": output.moment(since, now) if since else None,
        "until": output.end(until, now) if until else None,
        "min_outlets": min_outlets if min_outlets > 1 else None,
        "min_reports": min_reports if min_reports > 1 else None,
        "outlet": outlet,
        "folder": folder,
        "language": language,
    }
    return msgspec.structs.replace(below, **{name: value for name, value in given.items() if value})
