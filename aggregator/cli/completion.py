"""What a shell is offered after TAB: names and ids of what is there; nothing where that cannot be read."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import typer

from aggregator.model.errors import AggregatorError

if TYPE_CHECKING:
    from aggregator.config.settings import Config
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
