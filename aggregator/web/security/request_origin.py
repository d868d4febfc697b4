"""Where a request says that it comes from and goes to: Host, Origin, the client's address."""

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from aggregator.config.hosts import ip_address_of, is_loopback
from aggregator.web.settings import PublishSettings

# Headers that proxies add, by family. Every X- header counts but the few that clients send themselves, and so
# does every name with a part that only makes sense behind a proxy, like CF-Connecting-IP or Client-IP.
_FORWARDING = re.compile(
    r"x-(?!requested-with$|prometheus-|moz$|purpose$|csrf-token$)"
    r"|(cf|fastly|fly|akamai|incap|tailscale|ngrok|cloudfront|disguised|was|rndr|ssl|surrogate|early)-"
    r"|(.+-)?(forward(ed|er|s)?|via|proxy|cdn|client|real|connecting|remote|front|viewer)(-|$)"
    r"|coming-from$"
)
CAME_BY_PROXY = "aggregator.came_by_proxy"  # key of a scope: a trusted proxy passed the request on


def allowed_names(settings: PublishSettings) -> frozenset[str]:
    """Names (not numbers) that a request's Host may be."""
    public = urlsplit(settings.public_url).hostname if settings.public_url else None
    names = ("localhost", settings.host, *settings.allowed_hosts, public or "")
    return frozenset(name.lower().rstrip(".") for name in names if name)


def host_is_allowed(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header is one of `names`, or an IP address: a rebinding page's Host is always a name."""
    name = _host_name(host)
    return name in names or ip_address_of(name) is not None


def is_at_this_machine(request: HTTPConnection) -> bool:
    """From loopback, for loopback, and through no proxy, be it one that is trusted."""
    asked_for = _host_name(request.headers.get("host", ""))
    return is_from_loopback(request) and is_loopback(asked_for) and not is_passed_on(request)


def is_from_loopback(request: HTTPConnection) -> bool:
    """Whether this machine sent it: a program here, or a proxy here for somebody else."""
    client = ip_address_of(request.client.host) if request.client else None
    return client is not None and client.is_loopback


def is_passed_on(request: HTTPConnection) -> bool:
    """Whether a proxy says, or is known, to have passed the request on.

    Simple proxies add no header but speak HTTP/1.0, which no browser or feed reader of today does.
    """
    return (
        bool(request.scope.get(CAME_BY_PROXY))
        or request.scope.get("http_version") != "1.1"
        or any(_FORWARDING.match(name.replace("_", "-")) for name in request.headers)
    )


def is_sent_by_another_site(headers: Headers, settings: PublishSettings, *, by_form: bool) -> bool:
    """Whether a browser says that a page of another site sends this, or that it does not tell.

    Our own forms send `Origin: null`, since our pages let no address out (Referrer-Policy): `by_form` lets
    that pass, and the form has to carry a value (`signing.form_is_ours`).
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
    """An IPv6 address by its first 64 bits: all others are its owner's to choose."""
    parsed = ip_address_of(address)
    if parsed is None or parsed.version == 4:
        return address if parsed is None else str(parsed)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def _host_name(host: str) -> str:
    """The name in a Host header without its port, lower case; "" when it cannot be read."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
