"""Who asks with a token: reading it off a request, and what becomes of wrong ones."""

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

import msgspec
from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from aggregator.store.stories.api_tokens import TOKEN_PREFIX, ApiToken
from aggregator.web.responses import RefusedError
from aggregator.web.security.request_origin import network_of

BAD_TOKENS_A_MINUTE = 10  # from one address; then it hears 429 (hardening, section 5)
COOKIE = "aggregator_token"
_MINUTE_SECONDS = 60.0
_ADDRESSES = 1000  # that are remembered; a flood of others makes us forget the oldest
_PREFIX = re.compile(r"(/t/([^/]+))(/.*)?", re.DOTALL)
_FORM = b"aggregator form"  # what the value in a form is made of, beside the token

Way = Literal["header", "path", "cookie"]


class TokenStore(Protocol):
    """What the door asks about tokens; all may raise AggregatorError."""

    def holder(self, secret: str) -> ApiToken | None:
        """The token with this secret, while it is in force."""
        ...

    def note_use(self, token: ApiToken) -> None:
        """Remember when it was used."""
        ...

    def any_may_read(self) -> bool:
        """Whether there is a token in force that may read."""
        ...


class GivenSecret(NamedTuple):
    """A secret and how it came."""

    secret: str
    way: Way


class Bearer(msgspec.Struct, frozen=True):
    """Whose request it is. `form` fits the forms that this browser was given; "" where it may send none."""

    token: ApiToken
    form: str


class TokenPath(NamedTuple):
    """An address that begins with a token."""

    prefix: str  # "/t/TOKEN"
    secret: str
    path: str  # the address without it


def prefixed(path: str) -> TokenPath | None:
    """The parts of `/t/TOKEN/...`; None for other addresses."""
    match = _PREFIX.fullmatch(path)
    return TokenPath(match[1], match[2], match[3] or "/") if match else None


def secret_given(headers: Headers, in_path: TokenPath | None) -> GivenSecret | None:
    """The token that a request came with: in its Authorization, else its address, else its cookie."""
    secret = secret_in(headers.get("authorization", ""))
    if secret is not None:
        return GivenSecret(secret, "header")
    if in_path is not None:
        return GivenSecret(in_path.secret, "path")
    cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)
    return GivenSecret(cookie, "cookie") if cookie else None


def secret_in(authorization: str) -> str | None:
    """The token in an Authorization header: a Bearer's, or the password of Basic.

    A password that does not look like a token of ours is meant for a proxy in front, which may pass it on.
    """
    scheme, _, given = authorization.strip().partition(" ")
    given = given.strip()
    if scheme.lower() == "bearer":
        return given
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(given, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
    password = pair.partition(":")[2]
    return password if password.startswith(TOKEN_PREFIX) else None


class BearerAuthenticator:
    """Tells whose a secret is, and counts the wrong ones of an address. Safe to use from many threads."""

    def __init__(self, tokens: TokenStore, clock: Callable[[], float] = time.monotonic) -> None:
        self.tokens = tokens
        self._bad = BadTokens(clock)

    def bearer(self, given: GivenSecret) -> Bearer | None:
        """Whose secret it is. A token in an address opens reading only: addresses are kept and passed on."""
        token = self.tokens.holder(given.secret)
        if token is None:
            return None
        if given.way == "path":
            scopes: tuple[Literal["read"], ...] = ("read",) if token.may("read") else ()
            return Bearer(msgspec.structs.replace(token, scopes=scopes), "")
        return Bearer(token, form_of(given.secret))

    def refuse_more(self, address: str) -> None:
        """Count a wrong token of this address; raises RefusedError when it was one too many."""
        wait = self._bad.wait_seconds(address)
        if wait:
            words = "too many wrong tokens from this address"
            raise RefusedError(429, words, headers={"Retry-After": str(wait)})


def form_of(secret: str) -> str:
    """What a form of the holder carries: a page elsewhere can send our forms but cannot know this."""
    key = secret.encode("utf-8", "surrogatepass")
    return hmac.new(key, _FORM, hashlib.sha256).hexdigest()


class BadTokens:
    """Counts wrong tokens by address, within the last minute.

    Who has used up his tries hears so only for wrong tokens: behind a proxy all share one address, and a
    stranger who guesses must not lock out the others. (A token has 256 random bits: nobody guesses one.)
    Safe to use from many threads.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait_seconds(self, address: str) -> int:
        """Counts one more; 0, or in how many seconds the address may try again."""
        with self._lock:
            return self._wait_seconds(address)

    def _wait_seconds(self, address: str) -> int:
        network, now = network_of(address), self._clock()
        tries = self._tries.pop(network, None) or deque(maxlen=BAD_TOKENS_A_MINUTE)
        self._tries[network] = tries  # at the end: the last to be forgotten
        if len(self._tries) > _ADDRESSES:
            del self._tries[next(iter(self._tries))]
        while tries and now - tries[0] >= _MINUTE_SECONDS:
            tries.popleft()
        if len(tries) == BAD_TOKENS_A_MINUTE:
            return int(_MINUTE_SECONDS - (now - tries[0])) + 1
        tries.append(now)
        return 0
