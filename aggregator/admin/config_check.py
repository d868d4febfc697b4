"""Checks of the configuration that go beyond the types of its values."""

import os.path
from collections.abc import Callable, Iterator

from aggregator.admin.backup import backup_folder
from aggregator.admin.manage_sources import configured_source
from aggregator.config.loader import lines_of, located
from aggregator.config.settings import Config
from aggregator.extract.urls import address_key
from aggregator.model.core import utc_now
from aggregator.model.errors import ConfigError, UsageError
from aggregator.pipeline.kinds.feed_kind import web_address
from aggregator.pipeline.kinds.source_kind import source_kind
from aggregator.pipeline.placement.retention import retention_plan
from aggregator.pipeline.workers.factory import refuse_missing_library
from aggregator.sources.fetch.client import user_agent
from aggregator.sources.parse.entry_builder import primary_language
from aggregator.store.search.query_syntax import parse_query


def check(config: Config) -> None:
    """Raise ConfigError with one line per mistake, each with its line number in the file.

    Checks only the configuration itself, not whether a port is free or a host responds.
    """
    from aggregator.config.webhooks import webhooks_from

    mistakes = [*_source_mistakes(config), *_query_mistakes(config)]
    for number, hook in enumerate(config.webhooks):
        try:
            web_address(hook.url.get_secret_value(), config)
        except ConfigError:  # whose words may have the address, which is a secret
            mistakes.append(f"webhooks.{number}.url: this is not an http or https address")
    checks: tuple[Callable[[], object], ...] = (
        lambda: _check_public_url(config),
        lambda: user_agent(config.fetch.contact),
        lambda: config.backup.folder is not None and backup_folder(config),
        lambda: refuse_missing_library(config.work.executor),
        lambda: retention_plan(config),
        lambda: webhooks_from(config),
    )
    for check_one in checks:
        try:
            check_one()
        except ConfigError as error:
            mistakes += str(error).splitlines()
    if mistakes:
        name = config.file.name if config.file else ""
        raise located(ConfigError("\n".join(mistakes)), lines_of(config), name)


def _check_public_url(config: Config) -> None:
    if config.public_url:
        try:
            web_address(config.public_url, config)
        except ConfigError as error:
            raise ConfigError(f"public_url: {error}") from error


def _source_mistakes(config: Config) -> Iterator[str]:
    lines, now = lines_of(config), utc_now()
    first: dict[tuple[str, str], int] = {}  # (key, value) that must be unique → index of its first source
    for number, one in enumerate(config.sources):
        at = f"sources.{number}"
        if one.language is not None and primary_language(one.language) is None:
            yield f"{at}.language: use a tag of two or three letters, such as en or pt"
        try:
            source = configured_source(number, one, config, now)
        except ConfigError as error:
            yield str(error)
            continue
        comparable = os.path.normpath if source_kind(one.kind).is_local else address_key
        place = comparable(source.address)
        same = {
            what: before
            for what, value in ((source.kind, place), ("name", one.name))
            if value is not None and (before := first.setdefault((what, value), number)) != number
        }
        # The id is derived from the name or, without a name, from the address, so it may equal a name.
        before = first.setdefault(("name", source.id), number)
        if before != number and not same:
            same["name"] = before
        for what, before in same.items():
            line = lines.get(("sources", before))
            where = f"source {before + 1}" if line is None else f"line {line}"
            yield f"{at}.{what}: the source in {where} has the same {what}"


def _query_mistakes(config: Config) -> Iterator[str]:
    for name, query in config.queries.items():
        if "query" in query.model_fields_set and not query.query.strip():
            yield f"queries.{name}.query: it is empty; give words to search for, or remove the key"
        elif not query.model_dump(exclude_defaults=True, exclude={"title", "items", "link"}):
            yield f"queries.{name}: give at least one filter, such as `query: flood`"
        try:
            if query.query:
                parse_query(query.query)
        except UsageError as error:
            yield f"queries.{name}.query: {error}"
