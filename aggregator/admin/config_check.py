"""Checks of the configuration that go beyond the types of its values."""

import os.path
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from aggregator.admin.backup import backup_folder
from aggregator.admin.manage_sources import configured_source
from aggregator.config.loader import lines_of, located
from aggregator.config.settings import Config
from aggregator.extract.urls import address_key
from aggregator.model.core import utc_now
from aggregator.model.errors import ConfigError, FetchError, UsageError
from aggregator.pipeline.placement.retention import retention_plan
from aggregator.pipeline.workers.factory import refuse_missing_library
from aggregator.sources.fetch.client import user_agent
from aggregator.sources.fetch.transport import parsed
from aggregator.sources.limits import net_tuning
from aggregator.sources.parse.entry_builder import primary_language
from aggregator.store.search.query_syntax import parse_query


def check(config: Config) -> None:
    """Raise ConfigError with one line per mistake, each with its line number in the file.

    Checks only the configuration itself, not whether a port is free or a host responds.
    """
    from aggregator.config.webhooks import webhooks_from

    cap = net_tuning(config.effective_tuning).url_cap_chars
    mistakes = [*_source_mistakes(config, cap), *_query_mistakes(config)]
    if config.public_url:
        mistakes += _address_mistakes("public_url", config.public_url, cap)
    for number, hook in enumerate(config.webhooks):
        if any(_address_mistakes("", hook.url.get_secret_value(), cap)):  # the address is a secret
            mistakes.append(f"webhooks.{number}.url: this is not an http or https address")
    checks: tuple[Callable[[], object], ...] = (
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


def _source_mistakes(config: Config, cap_chars: int) -> Iterator[str]:
    lines, now = lines_of(config), utc_now()
    first: dict[tuple[str, str], int] = {}  # (key, value) that must be unique → index of its first source
    for number, one in enumerate(config.sources):
        at = f"sources.{number}"
        if one.feed is not None:
            yield from _address_mistakes(f"{at}.feed", one.feed, cap_chars)
        if one.language is not None and primary_language(one.language) is None:
            yield f"{at}.language: use a tag of two or three letters, such as en or pt"
        try:
            source = configured_source(number, one, config, now)
        except ConfigError as error:
            yield str(error)
            continue
        place = address_key(source.address) if one.feed is not None else os.path.normpath(source.address)
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


def _address_mistakes(key: str, address: str, cap_chars: int) -> Iterator[str]:
    """Return why an address cannot be requested or used in links."""
    try:
        parsed(address, cap_chars)
        _ = urlsplit(address).port
    except FetchError as error:
        yield f"{key}: {error.detail}"
    except ValueError:
        yield f"{key}: this is not a valid address"
