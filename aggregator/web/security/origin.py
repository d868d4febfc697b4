"""The origin and the target of a request: Host, Origin, client address, forwarding headers."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from aggregator.config.hosts import is_loopback
from aggregator.publish.output_settings import PublishSettings
from aggregator.text.lines import word_list

# Headers that proxies add, or how their names begin (ADR 25).
_FORWARDING = word_list("""
    forwarded x-forwarded- via x-real-ip x-client-ip true-client-ip cf- cdn-loop
""")
# This key of an ASGI scope says that a trusted proxy forwarded the request.
CAME_BY_PROXY = "aggregator.came_by_proxy"


def is_at_this_machine(request: HTTPConnection) -> bool:
    """Return whether the request came from loopback, to a loopback host, through no proxy.

    Simple proxies add no header but use HTTP/1.0, which current browsers and feed readers do not.
    """
    host = host_name(request)
    if not is_from_loopback(request) or not is_loopback(host):
        return False
    if CAME_BY_PROXY in request.scope or request.scope.get("http_version") != "1.1":
        return False
    names = [name.replace("_", "-") for name in request.headers]
    return not any(name.startswith(_FORWARDING) for name in names)


def is_from_loopback(request: HTTPConnection) -> bool:
    """Return whether the client is on this machine; it may be a proxy for another client."""
    return request.client is not None and is_loopback(request.client.host)


def is_sent_by_another_site(
    headers: Headers, settings: PublishSettings, *, by_form: bool
) -> bool:
    """Return whether the headers of a browser show another site, or hide the site.

    Forms of this server send `Origin: null` because of the Referrer-Policy of its pages. `by_form` accepts this origin,
    because forms have a CSRF value, which is checked later (forms/posted_form.py).
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin", "").lower()
    if not origin or (origin == "null" and by_form):
        return False
    try:
        parts = urlsplit(origin)
    except ValueError:
        return True
    ours = {
        headers.get("host", "").lower(),
        urlsplit(settings.public_url.lower()).netloc,
    }
    return not parts.hostname or not (
        parts.netloc in ours
        or parts.hostname in {host.lower() for host in settings.allowed_hosts}
    )


def host_name(request: HTTPConnection) -> str:
    """Return the name in the Host header, lower case and without port; "" if it is malformed."""
    try:
        host = request.headers.get("host", "")
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def client_address(request: HTTPConnection) -> str:
    """Return the address of the client; "" without one."""
    return request.client.host if request.client else ""
