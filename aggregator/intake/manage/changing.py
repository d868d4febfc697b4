"""Changes, pauses, resumes and removes sources, for the command line and the web."""

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from aggregator.config.settings import (
    Config,
)
from aggregator.intake.browser_access import access_of_form
from aggregator.intake.manage.configured_sources import configured_sources
from aggregator.model.clock import utc_now
from aggregator.model.errors import (
    ConflictError,
)
from aggregator.store.engine.database import Database
from aggregator.store.intake import rejected
from aggregator.store.intake import source_rows as rows
from aggregator.store.intake.source_access_rows import save_access, typed_access
from aggregator.store.intake.source_rows import (
    Source,
    update_source,
)
from aggregator.store.stories import storyline_unions


def change(
    config: Config, database: Database, source: Source, **chosen: str | int | None
) -> None:
    """Change the name, folder or interval of a source. Raises ConflictError for a source of config.yaml."""
    _refuse_configured(config, source, "change it there")
    with database.write() as connection:
        update_source(connection, source.id, **chosen)


def change_access(
    config: Config, database: Database, source: Source, fields: Mapping[str, str]
) -> None:
    """Add the headers of a form to the stored headers of a source, replace its proxy if one was typed, and poll it now.

    Stored headers for another origin, such as a site whose feed is elsewhere, are deleted. Raises ConflictError for a
    source of config.yaml, UsageError for a header or proxy that cannot be set.
    """
    _refuse_configured(config, source, "change it there")
    typed = access_of_form(source.address, fields)
    with database.write() as connection:
        before = typed_access(connection, source.id)
        typed = typed._replace(
            selectors=before.selectors, proxy=typed.proxy or before.proxy
        )
        if urlsplit(before.address)[:2] == urlsplit(source.address)[:2]:
            typed = typed._replace(headers={**before.headers, **typed.headers})
        save_access(connection, source.id, typed)
        rows.revive(connection, source.id, utc_now())


def forget_access(config: Config, database: Database, source: Source) -> None:
    """Delete the headers and the proxy that were typed for a source.

    Raises ConflictError for a source of config.yaml.
    """
    _refuse_configured(config, source, "change it there")
    with database.write() as connection:
        save_access(
            connection,
            source.id,
            typed_access(connection, source.id)._replace(headers={}, proxy=""),
        )


def pause(config: Config, database: Database, source: Source) -> None:
    """Stop polling a source. Raises ConflictError for a source of config.yaml."""
    _refuse_configured(config, source, "delete its lines there, or put # before them")
    with database.write() as connection:
        rows.pause(connection, source.id)


def resume(database: Database, source: Source) -> None:
    """Poll a source again now, if it is paused, gone, or waiting after failures."""
    with database.write() as connection:
        if source.paused and source.origin == "config":
            # The daemon paused this source because config.yaml no longer lists it, so it becomes the user's own.
            update_source(connection, source.id, origin="user")
        rows.revive(connection, source.id, utc_now())


def remove(config: Config, database: Database, source: Source) -> None:
    """Remove a source but keep its articles. Storylines that its articles united are taken apart.

    Its entries that are not placed yet are muted until the source is added again. Raises ConflictError for a source
    of config.yaml.
    """
    _refuse_configured(config, source, "delete its lines there")
    with database.write() as connection:
        rows.remove(connection, source.id)
        rejected.mute_of_removed_source(connection, source.entry_source, at=utc_now())
        rejected.clear_source(connection, source.entry_source)
        storyline_unions.take_apart_of(connection, [source.entry_source])


def rename_folder(
    config: Config, database: Database, folder: str, name: str | None
) -> None:
    """Move the sources of a folder to the folder `name`; None: take them out of their folder.

    Raises ConflictError, before anything is moved, if one of the sources is in config.yaml.
    """
    with database.read() as connection:
        every = rows.all_sources(connection)
    sources = [source for source in every if source.folder == folder]
    for source in sources:
        _refuse_configured(config, source, "change its folder there")
    with database.write() as connection:
        for source in sources:
            update_source(connection, source.id, folder=name)


def _refuse_configured(config: Config, source: Source, advice: str) -> None:
    """Raise ConflictError for a source of config.yaml, because the next start would undo the change."""
    if source.origin == "config" and not source.paused:
        raise ConflictError(
            f"{source.address} is listed in {place_in_config(config, source)}: {advice}"
        )


def place_in_config(config: Config, source: Source) -> str:
    """Return the file and line of a source in the configuration: "config.yaml, line 12"."""
    for number, configured in enumerate(configured_sources(config, datetime.now(UTC))):
        if configured.id == source.id or configured.address == source.address:
            line = config.lines.get(("sources", number))
            return f"{config.file}, line {line}" if line else str(config.file)
    return str(config.file)
