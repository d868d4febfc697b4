"""Feeds and news sitemaps: addresses whose responses list entries."""

from urllib.parse import urlsplit

from aggregator.config.settings import Config
from aggregator.config.source_settings import (
    LOGIN_ADVICE,
    SourceConfig,
    has_login,
    split_address,
)
from aggregator.intake.kinds.source_kind import SourceKind
from aggregator.model.errors import ConfigError, FetchError
from aggregator.sources.fetch.connections.transport import parse_address


def check_web_address(typed: str) -> str:
    """Return the typed address without `user:password@`.

    Raises ConfigError if it cannot be requested and used in links.
    """
    typed, _ = split_address(typed)
    if has_login(typed):
        raise ConfigError(f"this is not a valid address; {LOGIN_ADVICE}")
    try:
        parse_address(typed)
        _ = urlsplit(typed).port
    except FetchError as error:
        raise ConfigError(error.detail) from error
    except ValueError as error:
        raise ConfigError("this is not a valid address") from error
    return typed


def address_of(item: SourceConfig, _: Config) -> str:
    """Return the address of a feed or page. Raises ConfigError."""
    return check_web_address(item.feed or item.page or "")


KIND = SourceKind(
    address=address_of, poller=lambda poller: poller.poll, is_in_opml=True
)
