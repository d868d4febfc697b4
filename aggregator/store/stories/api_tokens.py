"""Tokens: who may push articles, and read from elsewhere. Only a hash of each is kept."""

import datetime as dt
import hashlib
import hmac
import secrets
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, update

from aggregator.model.core import FrozenStruct
from aggregator.model.errors import UsageError
from aggregator.store.tables import token

Scope = Literal["read", "push", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "push", "admin")

_SECRET_BYTES = 32
TOKEN_PREFIX = "agg_"  # noqa: S105 - tells what it is to people and to programs that look for secrets in files
_ID_BYTES = 5
_NAME_CHARS = 100
_USED_AGAIN = dt.timedelta(minutes=1)  # a feed reader must not cost a transaction a request


class ApiToken(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """One token as it may be shown."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: dt.datetime
    last_used_at: dt.datetime | None = None
    revoked_at: dt.datetime | None = None

    def may(self, scope: Scope) -> bool:
        """Whether it opens what `scope` is asked for; "admin" opens all."""
        return scope in self.scopes or "admin" in self.scopes


def create(
    connection: Connection, name: str, scopes: tuple[Scope, ...], now: dt.datetime
) -> tuple[ApiToken, str]:
    """A new token, and the secret that is its holder's alone.

    Raises UsageError for a name that a living token has, or that cannot be one.
    """
    name = " ".join(name.split())
    if not name or len(name) > _NAME_CHARS or not name.isprintable():
        raise UsageError(f"a token's name has 1 to {_NAME_CHARS} printable characters")
    if any(one.name == name for one in _living(connection)):
        raise UsageError(f"there is a token {name!r}; revoke it first, or choose another name")
    made = ApiToken(
        id=secrets.token_hex(_ID_BYTES),
        name=name,
        scopes=tuple(scope for scope in SCOPES if scope in scopes),
        created_at=now,
    )
    secret = TOKEN_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    connection.execute(
        insert(token).values(
            id=made.id, name=name, hash=_hash(secret), scopes=",".join(made.scopes), created_at=now
        )
    )
    return made, secret


def holder(connection: Connection, secret: str) -> ApiToken | None:
    """The living token with this secret. Takes the same time whichever it is, or none."""
    given = _hash(secret)
    found = None
    for row in connection.execute(select(token).where(token.c.revoked_at.is_(None))):
        if hmac.compare_digest(bytes(row.hash), given):
            found = _token(row)
    return found


def all_tokens(connection: Connection) -> list[ApiToken]:
    """Every token, the revoked ones too, in the order they were made."""
    return [_token(row) for row in connection.execute(select(token).order_by(token.c.created_at, token.c.id))]


def revoke(connection: Connection, name_or_id: str, now: dt.datetime) -> ApiToken:
    """Let the token open nothing any more. Raises UsageError where there is none of that name or id."""
    found = next((one for one in _living(connection) if name_or_id in (one.id, one.name)), None)
    if found is None:
        raise UsageError(f"there is no token {name_or_id!r} in force; `aggregator token list` shows all")
    connection.execute(update(token).where(token.c.id == found.id).values(revoked_at=now))
    return found


def is_to_be_noted(used: ApiToken, now: dt.datetime) -> bool:
    """Whether the last use that is known of lies so far back that this one is worth a transaction."""
    return used.last_used_at is None or abs(now - used.last_used_at) >= _USED_AGAIN


def note_use(connection: Connection, used: ApiToken, now: dt.datetime) -> None:
    """Remember when the token was used last."""
    connection.execute(update(token).where(token.c.id == used.id).values(last_used_at=now))


def _living(connection: Connection) -> list[ApiToken]:
    return [one for one in all_tokens(connection) if one.revoked_at is None]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _token(row: Row[Any]) -> ApiToken:
    return ApiToken(
        id=row.id,
        name=row.name,
        scopes=tuple(scope for scope in SCOPES if scope in row.scopes.split(",")),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
