"""Filter options that several commands share, and shell completion of ids and names."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli.output import option
from aggregator.model.errors import AggregatorError

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.store.engine.database import Database
    from aggregator.web.filters import ParsedFilter


_MOST = 30  # completed story ids: the newest, in the order of `aggregator stories`
_MOST_COUNTED = 1000  # outlets or reports, as in config.yaml and the API

Completion = tuple[str, str]  # the completed word and its description, which some shells show


def _completing(
    find: Callable[["Config", str], Iterable[Completion]],
) -> Callable[[typer.Context, str], list[Completion]]:
    """Return the completion of Typer for a function of the configuration and of what was typed so far."""

    def complete(context: typer.Context, incomplete: str) -> list[Completion]:
        from aggregator.cli.context import Settings

        typed = context.find_root().params
        settings = Settings(config=typed.get("config"), database=typed.get("database"), log_format="text")
        try:
            return [one for one in find(settings.load(), incomplete) if one[0].startswith(incomplete)]
        except AggregatorError:
            return []  # completion shows no errors; the command itself reports them

    return complete


@_completing
def complete_saved(config: "Config", _: str) -> Iterable[Completion]:
    """Return the names of the saved queries of config.yaml."""
    return ((one.name, one.title or "") for one in config.queries.values())


@_completing
def complete_story(config: "Config", incomplete: str) -> Iterable[Completion]:
    """Return the ids of the newest stories, with their headlines."""
    from aggregator.store.read.reader import newest_stories

    with _existing_database(config) as database:
        yield from newest_stories(database, incomplete, _MOST)


@_completing
def complete_source(config: "Config", _: str) -> Iterable[Completion]:
    """Return the ids of the sources, with their names."""
    from aggregator.store.intake.sources import all_sources

    with _existing_database(config) as database, database.read() as connection:
        yield from ((one.id, one.shown_name) for one in all_sources(connection))


@contextmanager
def _existing_database(config: "Config") -> "Iterator[Database]":
    """Open the database without upgrading it. Raises AggregatorError if there is none."""
    from aggregator.cli.context import missing_database
    from aggregator.store.engine.database import Database
    from aggregator.store.migrate import check

    if missing_database(config) is not None:
        raise AggregatorError("there is no database yet")
    with closing(Database(config.database_url)) as database:
        check(database)
        yield database


Saved = Annotated[
    str,
    option(
        "--saved",
        "NAME",
        "Use a saved query of config.yaml; other options override its parts.",
        autocompletion=complete_saved,
    ),
]
Query = Annotated[str, option("--query", "TEXT", 'Select stories with these words, or with a "phrase".')]
Since = Annotated[str, option("--since", "TIME", "Select stories since then: 24h, 7d, or a date.")]
Until = Annotated[str, option("--until", "TIME", "Select stories until then: 24h, 7d, or a date.")]
MinOutlets = Annotated[
    int | None,
    option("--min-outlets", "N", "Select stories with at least N outlets.", min=1, max=_MOST_COUNTED),
]
MinReports = Annotated[
    int | None,
    option(
        "--min-reports", "N", "Select stories with at least N independent reports.", min=1, max=_MOST_COUNTED
    ),
]
Outlet = Annotated[str, option("--outlet", "NAME", "Select stories with an article by this outlet.")]
Folder = Annotated[
    str, option("--folder", "NAME", "Select stories with an article of this folder of sources.")
]
Language = Annotated[
    str, option("--language", "TAG", "Select stories with an article in this language, such as en.")
]
Name = Annotated[str, option("--name", "NAME", "Select stories about this person, place or body.")]
Topic = Annotated[str, option("--topic", "TOPIC", "Select stories on this topic.")]
Kind = Annotated[str, option("--kind", "KIND", "Select stories with an article of this kind: opinion, ...")]


_NAMES = (
    "query", "since", "until", "min_outlets", "min_reports", "outlet", "folder", "language", "name", "topic",
    "kind",
)  # fmt: skip


def typed(*options: str | int | None) -> dict[str, str]:
    """Return the filters that were typed; `options`: the values of all, in the order of `_NAMES`."""
    named = zip(_NAMES, options, strict=True)
    return {name: str(value) for name, value in named if value is not None and value != ""}


def parsed(
    config: "Config", typed: Mapping[str, str], limit: int, saved: str = "", *, is_feed: bool = False
) -> "ParsedFilter":
    """Return the filter of the options, as of the parameters of an address; they override the query `saved`.

    Raises UsageError for an invalid time or kind and for an unknown saved query.
    """
    from aggregator.web.filters import parse_filter

    query = config.saved_query(saved) if saved else None
    now = dt.datetime.now(dt.UTC)
    return parse_filter(typed.items(), now, default_limit=limit, saved=query, is_feed=is_feed)
