"""The token of a request: read from its headers, path or cookie, and looked up in the database."""

import base64
import hashlib
import hmac
import math
import re
import time
from typing import Literal, NamedTuple
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace
from starlette.requests import HTTPConnection

from aggregator.model.clock import Clock
from aggregator.model.errors import AggregatorError
from aggregator.store import api_tokens
from aggregator.store.api_tokens import TOKEN_PREFIX, ApiToken
from aggregator.store.engine.database import Database
from aggregator.web.security.origin import client_address
from aggregator.web.security.rate_limit import AddressLimiter

COOKIE = "aggregator_token"
_PREFIX = re.compile(r"(/t/([^/]+))(/.*)?", re.DOTALL)
# The value of the header WWW-Authenticate
BEARER_CHALLENGE = 'Bearer realm="aggregator"'
BAD_READER_TOKEN = {"Google-Bad-Token": "true", "X-Reader-Google-Bad-Token": "true"}
# The limit for one address; further attempts are answered with 429.
_BAD_TOKENS_A_MINUTE = 10
# The CSRF value is the HMAC of this message.
_FORM = b"aggregator form"
# An accepted token is remembered this long, for an outage of the database (chosen: some scrapes of the metrics).
_REMEMBERED_SECONDS = 600.0
Way = Literal["header", "path", "cookie"]


class Bearer(msgspec.Struct, frozen=True):
    """The token of a request. `form` is the CSRF value of its forms; "" if it may not send forms."""

    token: ApiToken
    form: str


class TokenStore:
    """Looks up tokens; every method may raise AggregatorError. Safe to use from many threads."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now
        # Over the limit, valid tokens are still accepted, because clients behind a proxy share one address. A token
        # has 256 random bits, so it cannot be guessed.
        self._wrong_tokens = AddressLimiter(_BAD_TOKENS_A_MINUTE)
        # When each valid token was last accepted, and the token, by the hash of its secret. There are only a few.
        self._accepted: dict[bytes, tuple[float, ApiToken]] = {}

    def bearer(
        self, secret: str, way: Way, may_be_remembered: bool = False
    ) -> Bearer | None:
        """Return the bearer of a secret that came this way; None for a wrong secret.

        `may_be_remembered`: if the database does not answer, a token that was accepted lately is enough. A token in the
        path permits only reading, because addresses are stored in histories and shared.
        """
        key = api_tokens.hash_of(secret)
        at, token = self._accepted.get(key, (-math.inf, None))
        try:
            with self._database.read() as connection:
                token = api_tokens.holder(connection, secret)
            at = time.monotonic()
        except AggregatorError:
            if not may_be_remembered or time.monotonic() - at > _REMEMBERED_SECONDS:
                raise
        if token is None:
            self._accepted.pop(key, None)
            return None
        self._accepted[key] = at, token
        if way == "path":
            scopes = ("read",) if token.may("read") else ()
            return Bearer(replace(token, scopes=scopes), "")
        return Bearer(token, form_of(secret))

    def count_wrong(self, request: HTTPConnection) -> None:
        """Count a wrong token from the address of a request. Raises RefusedError (429) over the limit."""
        self._wrong_tokens.take(
            client_address(request), "too many wrong tokens from this address"
        )

    def any_may_read(self) -> bool:
        """Return whether a valid token has the scope read."""
        with self._database.read() as connection:
            tokens = api_tokens.all_tokens(connection)
        return any(t.may("read") and t.revoked_at is None for t in tokens)

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


def split_prefix(path: str) -> TokenPath | None:
    """Return the parts of `/t/TOKEN/...`; None for other paths."""
    match = _PREFIX.fullmatch(path)
    return TokenPath(match[1], match[2], match[3] or "/") if match else None


def first_name(path: str) -> str:
    """Return the first part of a path, such as `stories` for `/stories/ID`."""
    return path.partition("/")[2].partition("/")[0]


def secret_in(authorization: str) -> str | None:
    """Return the secret in an Authorization header: of Bearer or GoogleLogin, or the password of Basic; else None.

    A password without the prefix of tokens is ignored, because it may be meant for a reverse proxy that forwards it.
    """
    scheme, credentials = _parts(authorization)
    if scheme == "bearer":
        return credentials
    if scheme == "googlelogin":
        password = credentials.rpartition("/")[2]
    elif scheme == "basic":
        try:
            pair = base64.b64decode(credentials, validate=True)
        except ValueError:
            return None
        password = pair.decode("utf-8", "replace").partition(":")[2]
    else:
        return None
    return password if password.startswith(TOKEN_PREFIX) else None


def reader_of(authorization: str) -> str:
    """Return the name of a reader in `GoogleLogin auth=NAME/SECRET`; "" for any other header."""
    scheme, credentials = _parts(authorization)
    name, slash, _ = credentials.removeprefix("auth=").rpartition("/")
    return unquote(name) if scheme == "googlelogin" and slash else ""


def _parts(authorization: str) -> tuple[str, str]:
    """Return the scheme of an Authorization header, in lower case, and its credentials."""
    scheme, _, credentials = authorization.strip().partition(" ")
    return scheme.lower(), credentials.strip()


def form_of(secret: str) -> str:
    """Return the CSRF value of a secret, which a page of another site does not know when it sends a form."""
    key = secret.encode("utf-8", "surrogatepass")
    return hmac.new(key, _FORM, hashlib.sha256).hexdigest()
