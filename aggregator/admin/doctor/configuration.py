"""The settings themselves: what can be read by whom, and what they name that is not there."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from aggregator.admin.doctor.context import Finding, ok, problem, warning
from aggregator.config.messages import counted, redact
from aggregator.config.settings import Config
from aggregator.model.errors import AggregatorError, ConfigError
from aggregator.sources.parse.feed import parser_versions

_NAME_ALONE = re.compile(r"://[^/:@]*@")  # a name without a password is no secret
IN_THE_CLEAR = (
    "the Dask scheduler is on a network without TLS: whoever reaches it can run programs on its workers and "
    "in the daemon"
)
USE_TLS = "set work.executor: dask+tls://HOST:PORT (docs/scale.md), or keep it in a network of your own"
_FOR_OTHERS = stat.S_IRGRP | stat.S_IROTH


def inspect(config: Config) -> Iterator[Finding]:
    """What can be said without asking anything but files."""
    sources = counted(len(config.sources), "source")
    yield ok(f"configuration: {config.file or 'the built-in defaults'}, {sources}")
    yield ok(f"parsers: {parser_versions()}")
    yield from _secrets(config)
    yield from _open_address(config)
    yield from _mistakes(config)
    yield from _webhooks(config)
    yield from _workers(config)


def _mistakes(config: Config) -> Iterator[Finding]:
    from aggregator.admin.config_check import check

    try:
        check(config)
    except ConfigError as error:
        for line in str(error).splitlines():
            yield problem(line, "mend that line, then: aggregator config check")


def _secrets(config: Config) -> Iterator[Finding]:
    named = [Path(webhook.secret_file) for webhook in config.webhooks if webhook.secret_file]
    # Those with a whole path are often mounted into a container, where its owner chose the mode.
    files = [config.secret_path(str(name)) for name in named if not name.is_absolute()]
    if config.file is not None and _holds_secrets(config):
        files.insert(0, config.file)
    for file in dict.fromkeys(files):
        if is_for_others(file):
            yield warning(f"{file} holds secrets, and others may read it", f"chmod 600 {file}")


def is_for_others(file: Path) -> bool:
    """Whether other users may read it, as far as its own mode says."""
    try:
        return bool(file.stat().st_mode & _FOR_OTHERS)
    except OSError:
        return False  # gone since it was read, or told below


def _holds_secrets(config: Config) -> bool:
    addresses = [config.database or "", *(source.feed or "" for source in config.sources)]
    named = (_NAME_ALONE.sub("://", one) for one in addresses)
    return any(one != redact(one) for one in named) or any(
        webhook.secret is not None for webhook in config.webhooks
    )


def _open_address(config: Config) -> Iterator[Finding]:
    from aggregator.config.hosts import is_loopback, is_owner_on_loopback

    if not is_owner_on_loopback(
        public_url=config.public_url or "",
        allowed_hosts=config.server.allowed_hosts,
        is_set=config.server.owner_on_loopback,
    ):
        yield ok(
            "requests from loopback need a token to read whole articles, since public_url or "
            "server.allowed_hosts name more than loopback",
            "aggregator token create NAME --scope read",
        )
    elif config.server.owner_on_loopback:
        yield ok(
            "server.owner_on_loopback: requests from loopback that show no proxy read whole articles without "
            "a token"
        )
    if is_loopback(config.server.host) or config.public_url:
        return
    yield warning(
        f"server.host {config.server.host} can be reached from other machines, and links lead to "
        f"{config.server.host}",
        f"set `public_url:` in {config.file or 'config.yaml'} to the address that people type",
    )


def _webhooks(config: Config) -> Iterator[Finding]:
    for webhook in config.webhooks:
        address = urlsplit(webhook.url.get_secret_value())
        if address.scheme == "http" and address.hostname not in ("localhost", "127.0.0.1", "::1"):
            yield warning(
                f"webhook {webhook.name} is sent without encryption", "give its address with https:// instead"
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
        return  # told by `_mistakes`
    except AggregatorError as error:
        start = "start it: dask scheduler, dask worker"
        yield problem(
            str(error), f"{start}; or set work.executor: processes in {config.file or 'config.yaml'}"
        )
    else:
        yield ok(f"workers: {config.work.executor} answers")
