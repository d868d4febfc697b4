"""What sources are requested with beside their address, and what is selected in pages, from config.yaml."""

import base64
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

from aggregator.config.settings import Config
from aggregator.config.source_settings import SourceConfig, split_address
from aggregator.config.values import at_key
from aggregator.config.webhooks import read_secret


class Access(NamedTuple):
    """Secret headers for the origin (scheme, host and port) of an address, and for no other.

    Of a mailbox: the password.
    """

    address: str
    headers: Mapping[str, str] = {}
    password: str = ""

    def __repr__(self) -> str:
        return f"Access({self.address!r})"


class SourceExtras(NamedTuple):
    """Of one source: its access, the selectors of `page:` (list, link, title, date), and its own proxy.

    The proxy is an address as in `fetch.proxy`; "" for that one, or none.
    """

    access: Access | None = None
    selectors: tuple[str, ...] = ()
    proxy: str = ""


def basic(userinfo: str) -> dict[str, str]:
    """Return the header for `user:password` of an address; none for ""."""
    return _basic(unquote(userinfo)) if userinfo else {}


def source_extras(config: Config) -> dict[str, SourceExtras]:
    """Return the extras of the configured sources that have an address, by this address.

    Raises ConfigError for a secret that cannot be read.
    """
    extras = {}
    for number, source in enumerate(config.sources):
        if source.imap is not None:
            with at_key(f"sources.{number}"):
                password = read_secret(config, source.auth, "password")
            extras[mailbox_address(source)] = SourceExtras(
                Access(mailbox_address(source), password=password)
            )
            continue
        typed = source.feed or source.page
        if typed is None:
            continue
        address, userinfo = split_address(typed)
        with at_key(f"sources.{number}"):
            headers = basic(userinfo) | _headers(config, source)
            proxy = read_secret(config, source, "proxy")
        selectors = (
            (source.list, source.link, source.title or "", source.date)
            if source.list
            else ()
        )
        extras[address] = SourceExtras(Access(address, headers), selectors, proxy)
    return extras


def mailbox_address(item: SourceConfig) -> str:
    """Return the address of a mailbox with its user: two users of a server have different folders."""
    scheme, _, rest = (item.imap or "").partition("://")
    host, _, folder = rest.partition("/")
    user = quote((item.auth and item.auth.user) or "", safe="")
    return (
        f"{scheme.lower()}://{user}@{host.lower()}/{quote(unquote(folder) or 'INBOX')}"
    )


def proxy_address(config: Config) -> str | None:
    """Return the address of `fetch.proxy`; None without one. Raises ConfigError for a secret not readable."""
    return read_secret(config, config.fetch, "proxy", section="fetch.") or None


def _basic(login: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def _headers(config: Config, item: SourceConfig) -> dict[str, str]:
    headers = {name: value.get_secret_value() for name, value in item.headers.items()}
    if cookie := read_secret(config, item, "cookie"):
        headers["Cookie"] = cookie
    if item.auth is not None and item.auth.user is not None:
        headers |= _basic(
            f"{item.auth.user}:{read_secret(config, item.auth, 'password')}"
        )
    elif item.auth is not None:
        headers["Authorization"] = f"Bearer {read_secret(config, item.auth, 'token')}"
    return headers
