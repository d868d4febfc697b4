"""Tokens of the HTTP API. Only a hash of each secret is stored."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import asdict
from sqlalchemy import Connection

from aggregator.model.errors import UsageError
from aggregator.model.structs import FrozenStruct
from aggregator.store.tables import api_token, insert_rows, read_rows, write_sql

Scope = Literal["read", "push", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "push", "admin")

_SECRET_BYTES = 32
TOKEN_PREFIX = "agg_"  # noqa: S105 - lets people and secret scanners recognise a token
_ID_BYTES = 5
_NAME_CHARS = 100
_USED_AGAIN = timedelta(minutes=1)  # so that not every request writes


class ApiToken(FrozenStruct, omit_defaults=False):
    """A token without its secret."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the token has this scope; "admin" includes all."""
        return scope in self.scopes or "admin" in self.scopes


def create(
    connection: Connection, name: str, scopes: tuple[Scope, ...], now: datetime
) -> tuple[ApiToken, str]:
    """Create a token. Return it with its secret, which is not stored.

    Raises UsageError for an invalid name, or if a valid token already has this name.
    """
    name = " ".join(name.split())
    if not name or len(name) > _NAME_CHARS or not name.isprintable():
        raise UsageError(
            f"the name of a token has 1 to {_NAME_CHARS} printable characters"
        )
    if any(other.name == name for other in _tokens(connection, _VALID)):
        raise UsageError(
            f"a token {name!r} exists; revoke it first, or choose another name"
        )
    token = ApiToken(
        id=secrets.token_hex(_ID_BYTES),
        name=name,
        scopes=_in_order(scopes),
        created_at=now,
    )
    secret = TOKEN_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    values = {"hash": hash_of(secret), "scopes": ",".join(token.scopes)}
    insert_rows(connection, api_token, [asdict(token) | values])
    return token, secret


def holder(connection: Connection, secret: str) -> ApiToken | None:
    """Return the valid token with this secret; None without one.

    The search is by hash, so its duration reveals nothing about the secret.
    """
    holders = _tokens(connection, f"{_VALID} AND hash = :hash", hash=hash_of(secret))
    return next(iter(holders), None)


def all_tokens(connection: Connection) -> list[ApiToken]:
    """Return all tokens, including revoked ones, oldest first."""
    return _tokens(connection)


def revoke(connection: Connection, name_or_id: str, now: datetime) -> ApiToken:
    """Revoke a token. Raises UsageError if no valid token has this name or id."""
    for token in _tokens(connection, _VALID):
        if name_or_id in (token.id, token.name):
            write_sql(
                connection,
                "UPDATE api_token SET revoked_at = :now WHERE id = :id",
                now=now,
                id=token.id,
            )
            return token
    raise UsageError(
        f"there is no valid token {name_or_id!r}; `aggregator token list` shows all"
    )


def is_to_be_noted(used: ApiToken, now: datetime) -> bool:
    """Return whether this use is to be stored: no use is stored yet, or the stored one is at least a minute away."""
    return used.last_used_at is None or abs(now - used.last_used_at) >= _USED_AGAIN


def note_use(connection: Connection, used: ApiToken, now: datetime) -> None:
    """Store the time of the last use."""
    write_sql(
        connection,
        "UPDATE api_token SET last_used_at = :now WHERE id = :id",
        now=now,
        id=used.id,
    )


_VALID = "WHERE revoked_at IS NULL"


def _tokens(connection: Connection, which: str = "", **values: bytes) -> list[ApiToken]:
    """Return the tokens that meet a condition, oldest first."""
    chosen = f"""
        SELECT id, name, scopes, created_at, last_used_at, revoked_at FROM api_token {which}
        ORDER BY created_at, id
        """  # noqa: S608
    return [
        ApiToken(**{**row._mapping, "scopes": _in_order(row.scopes.split(","))})
        for row in read_rows(connection, chosen, **values)
    ]


def _in_order(scopes: Collection[str]) -> tuple[Scope, ...]:
    return tuple(scope for scope in SCOPES if scope in scopes)


def hash_of(secret: str) -> bytes:
    """Return the hash of a secret, as it is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
