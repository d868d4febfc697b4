"""Origin and target of a request (Host, Origin, client address, forwarding headers), and its token.

Tokens are read from headers, path or cookie; wrong ones are limited.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import math
import re
import threading
import time
from collections.abc import Callable
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec.structs import replace
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, cookie_parser

from aggregator.config.hosts import ip_address_of, is_loopback
from aggregator.model.core import Clock
from aggregator.store import api_tokens
from aggregator.store.api_tokens import TOKEN_PREFIX, ApiToken
from aggregator.store.engine.database import Database
from aggregator.web.responses import RefusedError
from aggregator.web.settings import PublishSettings

# Headers that proxies add, or how their names begin (ADR 25).
_FORWARDING = (
    *("forwarded", "x-forwarded-", "via", "x-real-ip", "x-client-ip"),
    *("true-client-ip", "cf-", "cdn-loop"),
)
# Key of a scope: a trusted proxy forwarded the request
CAME_BY_PROXY = "aggregator.came_by_proxy"


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
    """Return whether the request came from loopback, to a loopback host, through no proxy.

    Simple proxies add no header but use HTTP/1.0, which current browsers and feed readers do not.
    """
    is_forwarded = (
        bool(request.scope.get(CAME_BY_PROXY))
        or request.scope.get("http_version") != "1.1"
        or any(
            name.replace("_", "-").startswith(_FORWARDING) for name in request.headers
        )
    )
    host = _host_name(request.headers.get("host", ""))
    return is_from_loopback(request) and is_loopback(host) and not is_forwarded


def is_from_loopback(request: HTTPConnection) -> bool:
    """Return whether the client is on this machine; it may be a proxy for another client."""
    return request.client is not None and is_loopback(request.client.host)


def is_sent_by_another_site(
    headers: Headers, settings: PublishSettings, *, by_form: bool
) -> bool:
    """Return whether the headers of a browser show another site, or hide the site.

    Forms of this server send `Origin: null` because of the Referrer-Policy of its pages. `by_form` accepts
    that; such forms are checked by their CSRF value (`forms.form_is_valid`).
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
    ours = {
        headers.get("host", "").lower(),
        urlsplit(settings.public_url.lower()).netloc,
    }
    return not name or not (
        place in ours or name in {host.lower() for host in settings.allowed_hosts}
    )


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


COOKIE = "aggregator_token"
_MINUTE_SECONDS = 60.0
_ADDRESSES = 10_000  # stored at most; a further address removes the oldest one
_PREFIX = re.compile(r"(/t/([^/]+))(/.*)?", re.DOTALL)
_FORM = b"aggregator form"  # the message of which the CSRF value is the HMAC

Way = Literal["header", "path", "cookie"]


class GivenSecret(NamedTuple):
    """A secret and the part of the request that contained it."""

    secret: str
    way: Way


class Bearer(msgspec.Struct, frozen=True):
    """The token of a request. `form` is the CSRF value of its forms; "" if it may not send forms."""

    token: ApiToken
    form: str


class TokenStore:
    """Looks up tokens; every method may raise AggregatorError. Safe to use from many threads."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def bearer(self, given: GivenSecret) -> Bearer | None:
        """Return the bearer of a secret; None for a wrong one.

        A token in the path permits reading only, because addresses are stored in histories and shared.
        """
        with self._database.read() as connection:
            token = api_tokens.holder(connection, given.secret)
        if token is None:
            return None
        if given.way == "path":
            scopes: tuple[Literal["read"], ...] = ("read",) if token.may("read") else ()
            return Bearer(replace(token, scopes=scopes), "")
        return Bearer(token, form_of(given.secret))

    def any_may_read(self) -> bool:
        """Return whether a valid token has the scope read."""
        with self._database.read() as connection:
            return any(
                one.may("read") and one.revoked_at is None
                for one in api_tokens.all_tokens(connection)
            )

    def note_use(self, token: ApiToken) -> None:
        """Store the time of use of the token, at most once a minute."""
        now = self._now()
        if api_tokens.is_to_be_noted(token, now):
            with self._database.write() as connection:
                api_tokens.note_use(connection, token, now)


class TokenPath(NamedTuple):
    """A path that begins with a token."""

    prefix: str  # "/t/TOKEN"
    secret: str
    path: str  # the rest of the path


def prefixed(path: str) -> TokenPath | None:
    """Return the parts of `/t/TOKEN/...`; None for other paths."""
    match = _PREFIX.fullmatch(path)
    return TokenPath(match[1], match[2], match[3] or "/") if match else None


def first_name(path: str) -> str:
    """Return `stories` of `/stories/ID`."""
    return path.partition("/")[2].partition("/")[0]


def secret_given(headers: Headers, in_path: TokenPath | None) -> GivenSecret | None:
    """Return the secret of a request: from its Authorization header, else its path, else its cookie."""
    secret = secret_in(headers.get("authorization", ""))
    if secret is not None:
        return GivenSecret(secret, "header")
    if in_path is not None:
        return GivenSecret(in_path.secret, "path")
    cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)
    return GivenSecret(cookie, "cookie") if cookie else None


def secret_in(authorization: str) -> str | None:
    """Return the secret in an Authorization header: of Bearer or GoogleLogin, or the password of Basic.

    A password without the prefix of tokens is ignored: it is meant for a reverse proxy, which may forward it.
    """
    scheme, _, credentials = authorization.strip().partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "bearer":
        return credentials
    if scheme.lower() == "googlelogin":
        password = credentials.rpartition("/")[2]
        return password if password.startswith(TOKEN_PREFIX) else None
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(credentials, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
    password = pair.partition(":")[2]
    return password if password.startswith(TOKEN_PREFIX) else None


def reader_of(authorization: str) -> str:
    """Return the name of a reader in `GoogleLogin auth=NAME/SECRET`; "" if the header is another one."""
    scheme, _, credentials = authorization.strip().partition(" ")
    name, slash, _ = credentials.strip().removeprefix("auth=").rpartition("/")
    return unquote(name) if scheme.lower() == "googlelogin" and slash else ""


class AddressLimiter:
    """Limits what one address (IPv6: its first 64 bits) does to a number a minute, and in a burst.

    Safe to use from many threads.
    """

    def __init__(
        self, a_minute: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = a_minute
        self._clock = clock
        # Tokens left, and the time of that count
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, address: str, refusal: str) -> None:
        """Count one more. Raises RefusedError (429) with this text over the limit."""
        network, now = network_of(address), self._clock()
        with self._lock:
            left, at = self._buckets.pop(network, (float(self._most), now))
            left = min(self._most, left + (now - at) * self._most / _MINUTE_SECONDS)
            taken = left >= 1
            # At the end, to be removed last
            self._buckets[network] = (left - taken, now)
            if len(self._buckets) > _ADDRESSES:
                del self._buckets[next(iter(self._buckets))]
        if not taken:
            wait = max(1, math.ceil((1 - left) * _MINUTE_SECONDS / self._most))
            raise RefusedError(429, refusal, headers={"Retry-After": str(wait)})


def form_of(secret: str) -> str:
    """Return the CSRF value of a secret: a page of another site can send a form, but does not know it."""
    key = secret.encode("utf-8", "surrogatepass")
    return hmac.new(key, _FORM, hashlib.sha256).hexdigest()
