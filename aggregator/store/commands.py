"""Commands for the writer from other processes."""

from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from aggregator.model.structs import FrozenStruct
from aggregator.store.tables import (
    read_struct,
    read_structs,
    read_value,
    write_sql,
)

CommandKind = Literal["correct", "recluster", "forget", "prune"]


class Command(FrozenStruct):
    """A command. `result`: JSON if it is done, the reason if it was refused, None while it waits."""

    command_no: int
    kind: CommandKind
    payload: str
    state: Literal["waiting", "done", "refused"]
    result: str | None = None


_COMMANDS = "SELECT command_no, kind, payload, state, result FROM command"


def enqueue(
    connection: Connection, at: datetime, kind: CommandKind, payload: str
) -> int:
    """Add a command. Return its number."""
    return read_value(
        connection,
        """
        INSERT INTO command (at, kind, payload, state) VALUES (:at, :kind, :payload, 'waiting')
        RETURNING command_no
        """,
        at=at,
        kind=kind,
        payload=payload,
    )


def pending_commands(connection: Connection) -> list[Command]:
    """Return the waiting commands, oldest first."""
    return read_structs(
        connection, Command, f"{_COMMANDS} WHERE state = 'waiting' ORDER BY command_no"
    )


def command_numbered(connection: Connection, n: int) -> Command | None:
    """Return command `n`; None if it does not exist."""
    return read_struct(connection, Command, f"{_COMMANDS} WHERE command_no = :n", n=n)


def answer(
    connection: Connection,
    n: int,
    at: datetime,
    state: Literal["done", "refused"],
    text: str,
) -> None:
    """Store the final state and the result of command `n`."""
    write_sql(
        connection,
        "UPDATE command SET state = :state, result = :text, done_at = :at WHERE command_no = :n",
        state=state,
        text=text,
        at=at,
        n=n,
    )
