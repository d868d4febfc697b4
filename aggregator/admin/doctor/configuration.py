"""Checks of the configuration: file modes, secrets, addresses, webhooks, workers."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from aggregator.config.hosts import is_loopback, is_owner_on_loopback, loopback_owner_notice
from aggregator.config.messages import counted, redact
from aggregator.config.settings import Config
from aggregator.model.errors import AggregatorError, ConfigError
from aggregator.model.health_report import Finding
from aggregator.sources.parse.feed import parser_versions
from aggregator.store.read.health_probes import ok, problem, warning

_USER_WITHOUT_PASSWORD = re.compile(r"://[^/:@]*@")  # a user name alone is no secret
IN_THE_CLEAR = (
    "the Dask scheduler is on a network without TLS: anyone who can connect to it can run programs on its "
    "workers and in the daemon"
)
USE_TLS = "set work.executor: dask+tls://HOST:PORT (docs/scale.md), or use a private network"
_FOR_OTHERS = stat.S_IRGRP | stat.S_IROTH


def inspect(config: Config) -> Iterator[Finding]:
    """Check what needs no database; a Dask scheduler is the only server that is contacted."""
    sources = counted(len(config.sources), "source")
    yield ok(f"configuration: {config.file or 'the built-in defaults'}, {sources}")
    yield ok(f"parsers: {parser_versions()}")
    yield from _secrets(config)
    yield from _open_address(config)
    yield from _errors(config)
    yield from _webhooks(config)
    yield from _workers(config)


def _errors(config: Config) -> Iterator[Finding]:
    from aggregator.admin.config_check import check

    try:
        check(config)
    except ConfigError as error:
        yield from mistakes(error)


def mistakes(error: ConfigError) -> Iterator[Finding]:
    """Yield one finding for each mistake."""
    for line in str(error).splitlines():
        yield problem(line, "correct that line, then: aggregator config check")


def _secrets(config: Config) -> Iterator[Finding]:
    named = [Path(webhook.secret_file) for webhook in config.webhooks if webhook.secret_file]
    # Files with an absolute path are often mounted into a container, and their mode is not ours to change.
    files = [config.secret_path(str(name)) for name in named if not name.is_absolute()]
    if config.file is not None and _holds_secrets(config):
        files.insert(0, config.file)
    for file in dict.fromkeys(files):
        if is_for_others(file):
            yield warning(f"{file} contains secrets and is readable by other users", f"chmod 600 {file}")


def is_for_others(file: Path) -> bool:
    """Return whether the mode of `file` lets other users read it; False if it cannot be examined."""
    try:
        return bool(file.stat().st_mode & _FOR_OTHERS)
    except OSError:
        return False  # removed meanwhile, or reported by another check


def _holds_secrets(config: Config) -> bool:
    addresses = [config.database or "", *(source.feed or "" for source in config.sources)]
    named = (_USER_WITHOUT_PASSWORD.sub("://", one) for one in addresses)
    return any(one != redact(one) for one in named) or any(
        webhook.secret is not None for webhook in config.webhooks
    )


def _open_address(config: Config) -> Iterator[Finding]:
    server, file = config.server, config.file or "config.yaml"
    if is_owner_on_loopback(
        host=server.host,
        public_url=config.public_url or "",
        allowed_hosts=server.allowed_hosts,
        trusted_proxies=server.trusted_proxies,
        setting=server.owner_on_loopback,
    ):
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


def _webhooks(config: Config) -> Iterator[Finding]:
    for webhook in config.webhooks:
        address = urlsplit(webhook.url.get_secret_value())
        if address.scheme == "http" and not is_loopback(address.hostname or ""):
            yield warning(
                f"webhook {webhook.name} is sent without encryption", "use an https:// address instead"
            )


def _workers(config: Config) -> Iterator[Finding]:
    if "://" not in config.work.executor:
        return
    if config.work.is_in_the_clear:
        yield warning(f"work.executor: {IN_THE_CLEAR}", USE_TLS)
    from aggregator.pipeline.workers.factory import open_executor

    try:
        open_executor(config.work.executor, 0, config.effective_tuning).close()
    except ConfigError:
        return  # reported by `_errors`
    except AggregatorError as error:
        start = "start it: dask scheduler, dask worker"
        yield problem(
            str(error), f"{start}; or set work.executor: processes in {config.file or 'config.yaml'}"
        )
    else:
        yield ok(f"workers: {config.work.executor} answers")
