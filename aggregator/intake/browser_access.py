"""Access to a source that a user types in the browser: headers, selectors of a page, and a proxy.

config.yaml has the same settings, and there values may also come from files and the environment. For a source that is
listed in config.yaml, only config.yaml counts.
"""

from collections.abc import Mapping

from pydantic import SecretStr

from aggregator.config.configured_access import Access
from aggregator.config.source_settings import checked_headers
from aggregator.intake.page_list import compile_selector
from aggregator.model.errors import ConfigError, UsageError
from aggregator.sources.fetch.connections.transport import proxy_of


def access_of_form(address: str, fields: Mapping[str, str]) -> Access:
    """Read the access to the source at `address` from the fields of a form. Raises UsageError.

    The fields are `user_agent`, `cookie`, `headers` (lines of "Name: value"), `proxy`, and `list`, `link`, `title`
    and `date` (CSS selectors). Each may be missing or empty.
    """
    try:
        proxy = fields.get("proxy", "").strip()
        if proxy:
            proxy_of(proxy)
        headers = {}
        for line in filter(
            None, map(str.strip, fields.get("headers", "").splitlines())
        ):
            name, colon, value = line.partition(":")
            if not colon:
                # The line is not quoted, because it may be a secret that was typed without a name.
                raise UsageError("give headers as lines of a name, a colon and a value")
            headers[name.strip()] = value.strip()
        for name, field in (("User-Agent", "user_agent"), ("Cookie", "cookie")):
            if value := fields.get(field, "").strip():
                headers[name] = value
        checked_headers({name: SecretStr(value) for name, value in headers.items()})
        selectors: tuple[str, ...] = ()
        if items := fields.get("list", ""):
            link, date = fields.get("link", "") or "a", fields.get("date", "") or "time"
            selectors = items, link, fields.get("title", ""), date
        for selector in filter(None, selectors):
            compile_selector(selector)
        return Access(address, headers, selectors=selectors, proxy=proxy)
    except (ConfigError, ValueError) as error:
        raise UsageError(str(error)) from error
