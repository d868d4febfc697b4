"""Checks of the configuration beyond the types of its values: mistakes, file modes, secrets, workers."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from aggregator.config.configured_access import proxy_address
from aggregator.config.file.mistakes import locate_mistakes
from aggregator.config.hosts import is_loopback, loopback_owner_notice
from aggregator.config.messages import pluralise, redact
from aggregator.config.settings import Config
from aggregator.config.values import at_key
from aggregator.config.webhook_settings import read_secret, recipients_from
from aggregator.extract.urls import address_key
from aggregator.intake.configured import mutes_of
from aggregator.intake.kinds.feed_kind import check_web_address
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.intake.manage.configured_sources import configured_source
from aggregator.intake.workers.factory import open_executor, refuse_missing_library
from aggregator.model.clock import utc_now
from aggregator.model.errors import AggregatorError, ConfigError, UsageError
from aggregator.model.health_report import Finding
from aggregator.publish.output_settings import publish_settings
from aggregator.sources.fetch.connections.certificates import UNCHECKED, host_trusts
from aggregator.sources.fetch.connections.transport import proxy_of
from aggregator.sources.fetch.request_headers import user_agent
from aggregator.sources.parse.feeds.read_feed import parser_versions
from aggregator.store.read.health.health_probes import ok, problem, warning
from aggregator.store.search.query import parse_query
from aggregator.text.language import primary_tag

# A user name alone is not a secret.
_USER_WITHOUT_PASSWORD = re.compile(r"://[^/:@]*@")
IN_THE_CLEAR = (
    "the Dask scheduler is on a network without TLS: anyone who can connect to it can run programs on its "
    "workers and in the daemon"
)
USE_TLS = (
    "set work.executor: dask+tls://HOST:PORT (docs/scale.md), or use a private network"
)
_FOR_OTHERS = stat.S_IRGRP | stat.S_IROTH


def report_findings(config: Config) -> Iterator[Finding]:
    """Yield findings about the configuration. The database is not opened, and only a Dask scheduler is contacted."""
    yield ok(
        f"configuration: {config.file or 'the built-in defaults'}, {pluralise(len(config.sources), 'source')}"
    )
    yield ok(f"parsers: {parser_versions()}")
    for line in config.warnings:
        yield warning(line, "delete that line")
    files = []
    for key, value in _leaves(config.model_dump()):
        is_secret = isinstance(value, SecretStr) and key != "url"
        if value and key in ("database", "feed", "page"):
            address = _USER_WITHOUT_PASSWORD.sub("://", str(value))
            is_secret = address != redact(address)
        if is_secret and config.file is not None:
            files.append(config.file)
        # Files with an absolute path are often mounted into a container, where their modes cannot be changed.
        is_file = value and key.endswith("_file") and key != "ca_file"
        if is_file and not Path(str(value)).is_absolute():
            files.append(config.secret_path(str(value)))
    for file in dict.fromkeys(files):
        if is_for_others(file):
            yield warning(
                f"{file} contains secrets and is readable by other users",
                f"chmod 600 {file}",
            )
    yield from _report_address(config)
    for number, source in enumerate(config.sources):
        if source.insecure:
            yield warning(
                f"sources.{number} ({source.name or getattr(source, source.kind)}): {UNCHECKED}",
                "anyone on the network path can change what is read; give its authority as `ca_file:` instead",
            )
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        paths = os.environ.get(variable, "")
        if not all(os.path.exists(path) for path in paths.split(os.pathsep) if path):  # noqa: PTH110 - a text
            yield warning(
                f"{variable} names {paths}, which is not there",
                "correct or remove the variable",
            )
    try:
        check_config(config)
    except ConfigError as error:
        yield from report_mistakes(error)
    yield from _report_workers(config)


def report_mistakes(error: ConfigError) -> Iterator[Finding]:
    """Yield one finding for each mistake."""
    for line in str(error).splitlines():
        yield problem(line, "correct that line, then: aggregator config check")


def is_for_others(file: Path) -> bool:
    """Return whether the mode of `file` allows other users to read it; False if the mode cannot be read."""
    try:
        return bool(file.stat().st_mode & _FOR_OTHERS)
    except OSError:
        return False  # removed meanwhile, or reported by another check


def _leaves(part: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield each value of the configuration with its key; the values in a list have the key of the list."""
    if isinstance(part, dict):
        for name, inner in part.items():
            yield from _leaves(inner, name)
    elif isinstance(part, list | tuple):
        for inner in part:
            yield from _leaves(inner, key)
    else:
        yield key, part


def _report_address(config: Config) -> Iterator[Finding]:
    server = config.server
    file = config.file or "config.yaml"
    if publish_settings(config).is_owner_on_loopback:
        yield ok(
            loopback_owner_notice(server.host, server.port),
            f"behind a proxy, set server.owner_on_loopback: false in {file}",
        )
    else:
        yield ok(
            "requests from loopback need a token to read whole articles",
            "aggregator token create NAME --scope read",
        )
    if is_loopback(server.host) or config.public_url:
        return
    yield warning(
        f"server.host {server.host} is reachable from other machines, and links point to {server.host}",
        f"set `public_url:` in {file} to the address that readers use",
    )


def _report_workers(config: Config) -> Iterator[Finding]:
    if "://" not in config.work.executor:
        return
    if config.work.is_in_the_clear:
        yield warning(f"work.executor: {IN_THE_CLEAR}", USE_TLS)
    try:
        open_executor(config.work.executor, 0, config.effective_tuning).close()
    except ConfigError:
        return  # reported by `check_config`
    except AggregatorError as error:
        yield problem(
            str(error),
            "start it: dask scheduler, dask worker; "
            f"or set work.executor: processes in {config.file or 'config.yaml'}",
        )
    else:
        yield ok(f"workers: {config.work.executor} answers")


def check_config(config: Config) -> None:
    """Raise ConfigError with one line per mistake, each with its line number in the file.

    Checks only the configuration itself, not whether a port is free or a host responds.
    """
    mistakes = [*_source_mistakes(config), *_query_mistakes(config)]
    for number, hook in enumerate(config.webhooks):
        try:
            check_web_address(hook.url.get_secret_value())
        except ConfigError:
            # The message may contain the address, which is a secret.
            mistakes.append(
                f"webhooks.{number}.url: this is not an http or https address"
            )
    # Each raises ConfigError. Mutes are read only without mistakes so far, because `mutes_of` resolves the
    # addresses of sources, and would report the mistakes in them again.
    checks: tuple[Callable[[Config], object], ...] = (
        _check_public_url,
        lambda _: user_agent(config.fetch.contact),
        host_trusts,
        _check_proxies,
        _check_backup_folder,
        lambda _: refuse_missing_library(config.work.executor),
        lambda _: mistakes or mutes_of(config),
        recipients_from,
    )
    for check_one in checks:
        try:
            check_one(config)
        except ConfigError as error:
            mistakes += str(error).splitlines()
    if mistakes:
        raise locate_mistakes(ConfigError("\n".join(mistakes)), config)


def _check_proxies(config: Config) -> None:
    with at_key("fetch.proxy"):
        if proxy := proxy_address(config):
            proxy_of(proxy)
    for number, source in enumerate(config.sources):
        with at_key(f"sources.{number}"):
            if proxy := read_secret(config, source, "proxy"):
                proxy_of(proxy)


def _check_public_url(config: Config) -> None:
    if config.public_url:
        with at_key("public_url"):
            check_web_address(config.public_url)
            parts = urlsplit(config.public_url)
            if "@" in parts.netloc or re.search("[?#]", config.public_url):
                raise ConfigError(
                    "give an address without a login, `?` and `#`: every link in feeds begins with it"
                )
            if re.search(r"/\.{0,2}/|\\", unquote(parts.path).rstrip("/") + "/"):
                raise ConfigError(
                    "give a path without `..`, `.`, `//` and `\\`: browsers read it as another one"
                )


def _check_backup_folder(config: Config) -> None:
    if config.backup.folder is not None:
        # This is imported late, because the code for backups is large, and each reload runs these checks.
        from aggregator.admin.backup_folder import backup_folder

        backup_folder(config)


def _source_mistakes(config: Config) -> Iterator[str]:
    now = utc_now()
    # The index of the first source that has each value of a key that must be unique
    first: dict[tuple[str, str], int] = {}
    for number, configured in enumerate(config.sources):
        at = f"sources.{number}"
        if configured.language is not None and primary_tag(configured.language) is None:
            yield f"{at}.language: use a tag of two or three letters, such as en or pt"
        try:
            source = configured_source(number, configured, config, now)
        except ConfigError as error:
            yield str(error)
            continue
        address = address_key(source.address)
        if source_kind(configured.kind).is_local:
            address = os.path.normpath(source.address)
        unique = {source.kind: address}
        if configured.name is not None:
            unique["name"] = configured.name
        # The keys whose value an earlier source has, too, and the index of that source
        taken = {}
        for key, value in unique.items():
            earlier = first.setdefault((key, value), number)
            if earlier != number:
                taken[key] = earlier
        # The id is derived from the name or, without a name, from the address, so it may equal a name.
        earlier = first.setdefault(("name", source.id), number)
        if earlier != number and not taken:
            taken["name"] = earlier
        for key, earlier in taken.items():
            line = config.lines.get(("sources", earlier))
            where = f"source {earlier + 1}" if line is None else f"line {line}"
            yield f"{at}.{key}: the source in {where} has the same {key}"


def _query_mistakes(config: Config) -> Iterator[str]:
    for name, query in config.queries.items():
        if "query" in query.model_fields_set and not query.query.strip():
            yield f"queries.{name}.query: it is empty; give words to search for, or remove the key"
        elif not query.model_dump(
            exclude_defaults=True, exclude={"title", "items", "link"}
        ):
            yield f"queries.{name}: give at least one filter, such as `query: flood`"
        try:
            if query.query:
                parse_query(query.query)
        except UsageError as error:
            yield f"queries.{name}.query: {error}"
