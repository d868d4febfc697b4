"""The headers of a request for a feed, a page or robots.txt."""

from typing import Literal

from aggregator.model.errors import ConfigError
from aggregator.sources.fetch.response import is_printable, validator

Kind = Literal["feed", "page", "robots"]
_ACCEPT: dict[Kind, str] = {
    "feed": "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, "
    "text/xml;q=0.9, application/json;q=0.8, */*;q=0.5",
    "page": "text/html, application/xhtml+xml, */*;q=0.5",
    "robots": "text/plain, */*;q=0.5",
}


def user_agent(contact: str) -> str:
    """Return the User-Agent: program, version and contact of the operator."""
    # Imported here, because looking up the version takes 30 ms.
    from aggregator import __version__

    words = contact.strip()
    if not words:
        return f"aggregator/{__version__}"
    if not is_printable(words):
        raise ConfigError("fetch.contact: only printable ASCII can be sent to servers")
    return f"aggregator/{__version__} (+{words})"


def request_headers(
    agent: str, accept: Kind, etag: str | None, last_modified: str | None
) -> dict[str, str]:
    """Return the headers of each request of a fetch, which are the same after redirects."""
    headers = {
        "User-Agent": agent,
        "Accept": _ACCEPT[accept],
        "Accept-Encoding": "gzip",  # `decompress_body` undoes it in limited steps
    }
    if kept := validator(etag):
        headers["If-None-Match"] = kept
    if kept := validator(last_modified):
        headers["If-Modified-Since"] = kept
    return headers
