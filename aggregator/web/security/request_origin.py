"""The origin and the target of a request: Host, Origin, client address, forwarding headers."""

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from aggregator.config.hosts import ip_address_of, is_loopback
from aggregator.web.settings import PublishSettings

# Headers that proxies add (ADR 25): every X- header except the few that clients send, the headers of hosting
# services, names with a part that only makes sense behind a proxy (Client-IP), and trace identifiers.
_FORWARDING = re.compile(
    r"x-(?!requested-with$|prometheus-|moz$|purpose$|csrf-token$)"
    r"|(cf|fastly|fly|akamai|incap|tailscale|ngrok|cloudfront|disguised|was|rndr|ssl|surrogate|early)-"
    r"|(.+-)?(forward(ed|er|s)?|via|proxy|cdn|client|real|connecting|remote|front|viewer)(-|$)"
    r"|coming-from$"
    r"|(.+-)?(trace(parent|state)?|b3)(-|$)|uberctx-|baggage$|eagleeye-"
    r"|(.+-)?(request|correlation|transaction|trace|span)-?id$|correlation-context$"
)
CAME_BY_PROXY = "aggregator.came_by_proxy"  # key of a scope: a trusted proxy forwarded the request


def allowed_names(settings: PublishSettings) -> frozenset[str]:
    """Return the host names (not IP addresses) that the Host header may have."""
    public = urlsplit(settings.public_url).hostname if settings.public_url else None
    names = ("localhost", settings.host, *settings.allowed_hosts, public or "")
    return frozenset(name.lower().rstrip(".") for name in names if name)


def host_is_allowed(host: str, names: frozenset[str]) -> bool:
    """Return whether a Host header is one of `names` or an IP address.

    IP addresses are safe because DNS rebinding always involves a host name.
    """
    name = _host_name(host)
    return name in names or ip_address_of(name) is not None


def is_at_this_machine(request: HTTPConnection) -> bool:
    """Return whether the request came from loopback, to a loopback host, through no proxy."""
    host = _host_name(request.headers.get("host", ""))
    return is_from_loopback(request) and is_loopback(host) and not is_forwarded(request)


def is_from_loopback(request: HTTPConnection) -> bool:
    """Return whether the client is on this machine; it may be a proxy for another client."""
    return request.client is not None and is_loopback(request.client.host)


def is_forwarded(request: HTTPConnection) -> bool:
    """Return whether a proxy forwarded the request.

    Simple proxies add no header but use HTTP/1.0, which current browsers and feed readers do not.
    """
    return (
        bool(request.scope.get(CAME_BY_PROXY))
        or request.scope.get("http_version") != "1.1"
        or any(_FORWARDING.match(name.replace("_", "-")) for name in request.headers)
    )


def is_sent_by_another_site(headers: Headers, settings: PublishSettings, *, by_form: bool) -> bool:
    """Return whether the headers of a browser show another site, or hide the site.

    Forms of this server send `Origin: null` because of the Referrer-Policy of its pages. `by_form` accepts
    that; such forms are checked by their CSRF value (`editor_forms.form_is_valid`).
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin", "").lower()
    if not origin or (origin == "null" and by_form):
        return False
    try:
        name, place = urlsplit(origin).hostname, urlsplit(origin).netloc
    except ValueError:
        return True
    ours = {headers.get("host", "").lower(), urlsplit(settings.public_url.lower()).netloc}
    return not name or not (place in ours or name in {host.lower() for host in settings.allowed_hosts})


def network_of(address: str) -> str:
    """Return the address, or the /64 network of an IPv6 address, in which a client can choose any address."""
    parsed = ip_address_of(address)
    if parsed is None or parsed.version == 4:
        return address if parsed is None else str(parsed)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def _host_name(host: str) -> str:
    """Return the name in a Host header, lower case and without port; "" if it is malformed."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
