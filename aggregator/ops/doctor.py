"""`aggregator doctor`: what is wrong, and what to type next."""

import datetime as dt
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from aggregator.config import Config
from aggregator.errors import AggregatorError, DatabaseOutdatedError
from aggregator.listing import ListedSource, listed
from aggregator.model import Noun
from aggregator.sources.feeds import parser_versions
from aggregator.store.database import Database, shown_url
from aggregator.store.migrate import check
from aggregator.store.outbox import problems
from aggregator.store.reading import Reading

_REFUSALS_TOLD = 5
_FREE_BYTES_WANTED = 100 * 1024 * 1024  # hardening P3: below that, start is refused


class Finding(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """One thing that was looked at; `advice` says what to type where it is not well."""

    level: Literal["ok", "warning", "problem"]
    what: str
    advice: str = ""


def examine(config: Config) -> Iterator[Finding]:
    """Look at the configuration, the place of the database, the database and the sources."""
    file = config.file or "the built-in defaults"
    yield Finding(level="ok", what=f"configuration: {file}, {len(config.sources)} sources")
    yield Finding(level="ok", what=f"parsers: {parser_versions()}")
    yield from _folders(config)
    yield from _place(config)
    yield from _database(config)


def _folders(config: Config) -> Iterator[Finding]:
    for path in _missing_folders(config):
        yield Finding(level="problem", what=f"watched folder {path} is not there", advice=f"mkdir -p {path}")


def _missing_folders(config: Config) -> list[Path]:
    folders = [config.path(source.folder) for source in config.sources if source.folder is not None]
    return [path for path in folders if not path.is_dir()]


def _place(config: Config) -> Iterator[Finding]:
    database = Database(config.database_url)
    file = database.file
    if file is None:
        return
    folder = file.parent
    if not os.access(folder if folder.is_dir() else _nearest(folder), os.W_OK):
        advice = f"chown it to this user, or set `database:` in {config.file or 'config.yaml'}"
        yield Finding(level="problem", what=f"{folder} cannot be written", advice=advice)
    free = shutil.disk_usage(_nearest(folder)).free
    if free < _FREE_BYTES_WANTED:
        yield Finding(
            level="problem", what=f"only {free // 2**20} MiB are free in {folder}", advice="make room"
        )


def _nearest(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.is_dir())


def _database(config: Config) -> Iterator[Finding]:
    database = Database(config.database_url)
    shown = shown_url(config.database_url)
    if database.file is not None and not database.file.exists():
        yield Finding(level="ok", what=f"database: {shown} is made at the first use")
        return
    try:
        check(database)
        state = Reading(database).state()
        with database.read() as connection:
            sources = listed(connection, dt.datetime.now(dt.UTC), config.rule_book)
        with database.read() as connection:
            hooks = problems(connection, config.rule_book.values("hooks")["recovered_after"])
        refused = Reading(database).refusals(_REFUSALS_TOLD)
    except AggregatorError as error:
        outdated = isinstance(error, DatabaseOutdatedError)
        advice = "aggregator db upgrade" if outdated else "see `database:` in config.yaml"
        yield Finding(level="problem", what=str(error), advice=advice)
        return
    finally:
        database.close()
    yield Finding(level="ok", what=f"database: {shown}, {state.waiting} articles wait")
    if not state.writable:
        yield Finding(level="problem", what="; ".join(state.problems), advice="chown or chmod the file")
    yield from _sources(sources, {str(path) for path in _missing_folders(config)})
    for said in hooks:
        advice = "aggregator webhooks list, then aggregator webhooks test NAME"
        yield Finding(level="warning", what=said, advice=advice)
    for one in refused:
        advice = "mend it and read it again; it is then told no more"
        yield Finding(level="warning", what=f"{one.item}: {one.reason}", advice=advice)


def _sources(sources: Sequence[ListedSource], told: set[str]) -> Iterator[Finding]:
    """Sources in trouble, but for the folders that were `told` already."""
    if not sources:
        advice = "aggregator sources add URL, or name some in config.yaml"
        yield Finding(level="ok", what="sources: none yet", advice=advice)
    for one in sources:
        if one.is_in_trouble and one.url not in told:
            yield Finding(
                level="warning", what=f"source {one.name}: {one.problem or one.state}", advice=_advice(one)
            )


def _advice(one: ListedSource) -> str:
    if one.kind == "folder":
        return f"ls -ld {one.url}"
    if one.state == "gone":
        return f"aggregator sources remove {one.id}, or where it is back: aggregator sources resume {one.id}"
    if one.state == "flood":
        return "nothing: it is stored, and not announced"
    return f"aggregator sources check {one.asked_at}"
