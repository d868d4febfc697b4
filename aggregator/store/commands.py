"""Commands for the writer from other processes."""

import datetime as dt
from typing import Literal

from sqlalchemy import Connection, insert, select

from aggregator.model.structs import FrozenStruct
from aggregator.store.tables import (
    command,
    fields_of,
    struct_of,
    structs_of,
    update_rows,
)

CommandKind = Literal["correct", "recluster", "forget", "prune"]


class Command(FrozenStruct):
    """A command and its result: JSON, or the reason if it was refused."""

    command_no: int
    kind: CommandKind
    payload: str
    state: Literal["waiting", "done", "refused"]
    result: str | None = None


_COLUMNS = fields_of(command, Command)


def enqueue(
    connection: Connection, at: dt.datetime, kind: CommandKind, payload: str
) -> int:
    """Add a command. Return its number."""
    values = {"at": at, "kind": kind, "payload": payload, "state": "waiting"}
    number: int = connection.execute(
        insert(command).returning(command.c.command_no), [values]
    ).scalar_one()
    return number


def pending_commands(connection: Connection) -> list[Command]:
    """Return the waiting commands, oldest first."""
    waiting = select(*_COLUMNS).where(command.c.state == "waiting")
    rows = connection.execute(waiting.order_by(command.c.command_no))
    return structs_of(Command, rows)


def command_numbered(connection: Connection, n: int) -> Command | None:
    """Return command `n`; None if it does not exist."""
    row = connection.execute(select(*_COLUMNS).where(command.c.command_no == n)).first()
    return struct_of(Command, row)


def answer(
    connection: Connection,
    n: int,
    at: dt.datetime,
    state: Literal["done", "refused"],
    text: str,
) -> None:
    """Store state and result of command `n`."""
    values = {"state": state, "result": text, "done_at": at}
    update_rows(connection, command, command.c.command_no == n, **values)
