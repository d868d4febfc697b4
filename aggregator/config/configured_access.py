"""Credentials, proxies and selectors of sources, from config.yaml."""

import base64
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

from aggregator.config.settings import Config
from aggregator.config.source_settings import SourceConfig, split_address
from aggregator.config.values import at_key
from aggregator.config.webhook_settings import read_secret


class Access(NamedTuple):
    """The secret headers of a source, sent only to the origin (scheme, host, port) of `address`.

    A mailbox has a password instead. `selectors` are the CSS selectors of a `page:` source (list, link, title,
    date). `proxy` is the source's own proxy; if it is "", `fetch.proxy` applies, if there is one.
    """

    address: str = ""
    headers: Mapping[str, str] = {}
    password: str = ""
    selectors: tuple[str, ...] = ()
    proxy: str = ""

    def __repr__(self) -> str:
        return f"Access({self.address!r})"


def basic(userinfo: str) -> dict[str, str]:
    """Return the Authorization header for the `user:password` of an address; {} for ""."""
    return _basic(unquote(userinfo)) if userinfo else {}


def configured_access(config: Config) -> dict[str, Access]:
    """Return the access of the configured feeds, pages and mailboxes, by their addresses.

    Raises ConfigError for a secret that cannot be read.
    """
    by_address = {}
    for number, source in enumerate(config.sources):
        typed = source.feed or source.page
        with at_key(f"sources.{number}"):
            if source.imap is not None:
                address = mailbox_address(source)
                by_address[address] = Access(
                    address, password=read_secret(config, source.auth, "password")
                )
            elif typed is not None:
                address, userinfo = split_address(typed)
                selectors: tuple[str, ...] = ()
                if source.list:
                    selectors = (
                        source.list,
                        source.link,
                        source.title or "",
                        source.date,
                    )
                headers = {
                    name: value.get_secret_value()
                    for name, value in source.headers.items()
                }
                if cookie := read_secret(config, source, "cookie"):
                    headers["Cookie"] = cookie
                if source.auth is not None and source.auth.user is not None:
                    headers |= _basic(
                        f"{source.auth.user}:{read_secret(config, source.auth, 'password')}"
                    )
                elif source.auth is not None:
                    headers["Authorization"] = (
                        f"Bearer {read_secret(config, source.auth, 'token')}"
                    )
                by_address[address] = Access(
                    address,
                    basic(userinfo) | headers,
                    selectors=selectors,
                    proxy=read_secret(config, source, "proxy"),
                )
    return by_address


def mailbox_address(item: SourceConfig) -> str:
    """Return the address of a mailbox with its user, because the folders of a server differ by user."""
    scheme, _, rest = (item.imap or "").partition("://")
    host, _, folder = rest.partition("/")
    user = quote((item.auth and item.auth.user) or "", safe="")
    return (
        f"{scheme.lower()}://{user}@{host.lower()}/{quote(unquote(folder) or 'INBOX')}"
    )


def proxy_address(config: Config) -> str:
    """Return the address of `fetch.proxy`, or "". Raises ConfigError for a secret that cannot be read."""
    return read_secret(config, config.fetch, "proxy", section="fetch.")


def _basic(login: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
