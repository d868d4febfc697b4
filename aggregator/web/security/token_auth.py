"""Tokens of requests: reading them from headers, path or cookie, and limiting wrong ones."""

import base64
import binascii
import hashlib
import hmac
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol
from urllib.parse import unquote

import msgspec
from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from aggregator.store.stories.api_tokens import TOKEN_PREFIX, ApiToken
from aggregator.web.responses import RefusedError
from aggregator.web.security.request_origin import network_of

BAD_TOKENS_A_MINUTE = 10  # from one address; further ones are answered with 429
COOKIE = "aggregator_token"
_MINUTE_SECONDS = 60.0
_ADDRESSES = 1000  # stored at most; a further address removes the oldest one
_PREFIX = re.compile(r"(/t/([^/]+))(/.*)?", re.DOTALL)
_FORM = b"aggregator form"  # the message of which the CSRF value is the HMAC

Way = Literal["header", "path", "cookie"]


class TokenStore(Protocol):
    """Looks up tokens; every method may raise AggregatorError."""

    def holder(self, secret: str) -> ApiToken | None:
        """Return the valid token with this secret; None if there is none."""
        ...

    def note_use(self, token: ApiToken) -> None:
        """Store the time of use."""
        ...

    def any_may_read(self) -> bool:
        """Return whether a valid token has the scope read."""
        ...


class GivenSecret(NamedTuple):
    """A secret and the part of the request that contained it."""

    secret: str
    way: Way


class Bearer(msgspec.Struct, frozen=True):
    """The token of a request. `form` is the CSRF value of its forms; "" if it may not send forms."""

    token: ApiToken
    form: str


class TokenPath(NamedTuple):
    """A path that begins with a token."""

    prefix: str  # "/t/TOKEN"
    secret: str
    path: str  # the rest of the path


def prefixed(path: str) -> TokenPath | None:
    """Return the parts of `/t/TOKEN/...`; None for other paths."""
    match = _PREFIX.fullmatch(path)
    return TokenPath(match[1], match[2], match[3] or "/") if match else None


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


class BearerAuthenticator:
    """Looks up secrets, and counts the wrong ones of each address. Safe to use from many threads."""

    def __init__(self, tokens: TokenStore, clock: Callable[[], float] = time.monotonic) -> None:
        self.tokens = tokens
        self._bad = BadTokens(clock)

    def bearer(self, credentials: GivenSecret) -> Bearer | None:
        """Return the bearer of a secret; None for a wrong one.

        A token in the path permits reading only, because addresses are stored in histories and shared.
        """
        token = self.tokens.holder(credentials.secret)
        if token is None:
            return None
        if credentials.way == "path":
            scopes: tuple[Literal["read"], ...] = ("read",) if token.may("read") else ()
            return Bearer(msgspec.structs.replace(token, scopes=scopes), "")
        return Bearer(token, form_of(credentials.secret))

    def refuse_more(self, address: str) -> None:
        """Count a wrong token of this address. Raises RefusedError (429) over BAD_TOKENS_A_MINUTE."""
        wait = self._bad.wait_seconds(address)
        if wait:
            detail = "too many wrong tokens from this address"
            raise RefusedError(429, detail, headers={"Retry-After": str(wait)})


def form_of(secret: str) -> str:
    """Return the CSRF value of a secret: a page of another site can send a form, but does not know it."""
    key = secret.encode("utf-8", "surrogatepass")
    return hmac.new(key, _FORM, hashlib.sha256).hexdigest()


class BadTokens:
    """Counts the wrong tokens of each address within the last minute. Safe to use from many threads.

    Over the limit only further wrong tokens are refused, because clients behind a proxy share one address. A
    token has 256 random bits, so it cannot be guessed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait_seconds(self, address: str) -> int:
        """Count one wrong token; return 0, or the seconds after which the address may try again."""
        network, now = network_of(address), self._clock()
        with self._lock:
            tries = self._tries.pop(network, None) or deque(maxlen=BAD_TOKENS_A_MINUTE)
            self._tries[network] = tries  # at the end, to be removed last
            if len(self._tries) > _ADDRESSES:
                del self._tries[next(iter(self._tries))]
            while tries and now - tries[0] >= _MINUTE_SECONDS:
                tries.popleft()
            if len(tries) == BAD_TOKENS_A_MINUTE:
                return int(_MINUTE_SECONDS - (now - tries[0])) + 1
            tries.append(now)
        return 0
