"""Answers to pushes: the same push again (by its Idempotency-Key) is answered alike and does nothing.

All of these are called within the transaction that accepts the articles.
"""

import datetime as dt
import hashlib

from sqlalchemy import Connection, delete, select, update

from aggregator.model.core import FrozenStruct
from aggregator.store import codecs
from aggregator.store.tables import insert_or, push

_FORGOTTEN_AT_ONCE = 100


class StoredAnswer(FrozenStruct, frozen=True, kw_only=True):
    """What came with a key before. `same_body` is False where something else came with it."""

    answer: bytes
    same_body: bool


def open_key(
    connection: Connection, token: str, key: str, body_hash: bytes, now: dt.datetime
) -> StoredAnswer | None:
    """Take the key for this push; what it was answered where it came before.

    On Postgres a push with the key of one that is under way waits for that one's end here.
    """
    row = {"token": token, "key": _key(key), "body_hash": body_hash, "at": now}
    taken = insert_or(connection, push).values(row).on_conflict_do_nothing(index_elements=["token", "key"])
    if connection.execute(taken.returning(push.c.key)).first() is not None:
        return None
    found = connection.execute(select(push).where(push.c.token == token, push.c.key == _key(key))).one()
    return StoredAnswer(
        answer=codecs.decompress_bytes(found.answer), same_body=bytes(found.body_hash) == body_hash
    )


def keep_answer(connection: Connection, token: str, key: str, answer: bytes) -> None:
    """What every later push with this key is answered."""
    mine = (push.c.token == token, push.c.key == _key(key))
    connection.execute(update(push).where(*mine).values(answer=codecs.compress_bytes(answer)))


def forget_before(connection: Connection, oldest: dt.datetime) -> None:
    """Drop answers that nobody will ask for any more, a few at a time."""
    old = select(push.c.token, push.c.key).where(push.c.at < oldest).order_by(push.c.at)
    for row in connection.execute(old.limit(_FORGOTTEN_AT_ONCE)).all():
        connection.execute(delete(push).where(push.c.token == row.token, push.c.key == row.key))


def _key(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
