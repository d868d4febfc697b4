"""What commands ask of the writer of stories while another process is that."""

import datetime as dt
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from aggregator.model.core import FrozenStruct
from aggregator.store.tables import request

CommandKind = Literal["correct", "recluster", "forget", "prune", "repair"]


class Command(FrozenStruct, frozen=True, kw_only=True):
    """One request with what became of it. `answer` is JSON; of a refused one the reason in words."""

    n: int
    kind: CommandKind
    payload: str
    state: Literal["waiting", "done", "refused"]
    answer: str | None = None


_COLUMNS = [request.c[name] for name in Command.__struct_fields__]


def enqueue(connection: Connection, at: dt.datetime, kind: CommandKind, payload: str) -> int:
    """Leave a request for the writer; returns its number."""
    values = {"at": at, "kind": kind, "payload": payload, "state": "waiting"}
    key = connection.execute(insert(request).returning(request.c.n), [values]).scalar_one()
    return int(key)


def pending_commands(connection: Connection) -> list[Command]:
    """What nobody has answered yet, in the order in which it was asked."""
    rows = connection.execute(select(*_COLUMNS).where(request.c.state == "waiting").order_by(request.c.n))
    return [Command(**row._mapping) for row in rows]


def one(connection: Connection, n: int) -> Command:
    """The request `n`; it must exist."""
    return Command(**connection.execute(select(*_COLUMNS).where(request.c.n == n)).one()._mapping)


def found(connection: Connection, n: int, kind: CommandKind) -> Command | None:
    """The request `n` where it is one of this kind."""
    row = connection.execute(select(*_COLUMNS).where(request.c.n == n, request.c.kind == kind)).first()
    return None if row is None else Command(**row._mapping)


def answer(
    connection: Connection, n: int, at: dt.datetime, state: Literal["done", "refused"], text: str
) -> None:
    """Write what became of request `n`."""
    values = {"state": state, "answer": text, "done_at": at}
    connection.execute(update(request).where(request.c.n == n).values(**values))
