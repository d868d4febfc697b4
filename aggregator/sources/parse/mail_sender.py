"""Tells who sent a mail: its outlet, and whether a server confirms the address."""

import re
from email.message import EmailMessage

from aggregator.extract.sites import is_public_name, is_shared_site
from aggregator.extract.urls import registrable_domain
from aggregator.sources.parse.feeds.entry_builder import (
    plain_title,
)
from aggregator.sources.parse.mail_headers import LOCAL_CHARS, header, headers
from aggregator.sources.source_limits import NAME_CHARS

# Strings are masked and comments are removed in a server's results. If they are nested or contain escaped characters,
# the results can be read in two ways and do not count.
_QUOTED = re.compile(r'"[^"()\\]*+"')
_COMMENT = re.compile(r'\([^"()\\]*+\)(?![^\s;])')
_MASKED = re.compile(r'["()\\]')

_BY = re.compile(r"\bby\s+([\w.-]+)")

# The first words of a clause that confirms the sender's site
_PASSED = (["dkim=pass"], ["dmarc=pass"])


def outlet_of_mail(message: EmailMessage) -> str:
    """Return the site that sent a message if the receiving mail server confirms it, else the address in From.

    Anyone can write any List-Id, and any name in From, so these prove nothing. The address never looks like the key of
    a site, or of a channel on a site.
    """
    name, _, host = (
        header(message, "From").rpartition("<")[2].strip(" >").lower().rpartition("@")
    )
    site = _site_of(host)
    if (
        site is None
        or is_shared_site(site)
        or site not in _authenticated_sites(message)
    ):
        return plain_title(f"{name[-LOCAL_CHARS:]}@{host}".replace("/", ""))[
            :NAME_CHARS
        ]
    return site


def _authenticated_sites(message: EmailMessage) -> set[str | None]:
    """Return the sites that a message comes from, by the results of the receiving server (RFC 8601).

    The first header counts, because a server writes its results above the sender's headers. The server that it names
    must be the last in the Received headers that has a public name; deliveries within one host use other names.
    """
    results = _COMMENT.sub(
        " ", _QUOTED.sub("?", header(message, "Authentication-Results"))
    )
    server, *clauses = results.lower().split(";")
    own_site = None
    for received in headers(message, "Received"):
        host = _BY.search(received)
        if host and (own_site := _site_of(host[1])):
            break
    if (
        own_site is None
        or own_site != _site_of(server.strip().partition(" ")[0])
        or _MASKED.search(results)
    ):
        return set()
    confirmed = set()
    for words in map(str.split, clauses):
        # An address may contain "header.d=", but no space outside of quotes, which were removed above.
        if words[:1] in _PASSED:
            values = dict(word.partition("=")[::2] for word in words)
            confirmed.add(
                _site_of(
                    values.get("header.d")
                    or values.get("header.from")
                    or values.get("header.i", "").rpartition("@")[2]
                )
            )
    return confirmed


def _site_of(host: str) -> str | None:
    """Return the registrable domain of a host; None if the host has no public name."""
    if not is_public_name(host.lower()):
        return None
    return registrable_domain(f"https://{host}")
