"""Commands for the writer: rows that the writer executes between two batches.

`correct` and `recluster` change stories, so only the writer may execute them. The command line executes them
itself if no other process is the writer; otherwise it stores a row and waits for the answer.
"""

import datetime as dt
import time

from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Database
from aggregator.store.stories import commands
from aggregator.store.stories.commands import Command, CommandKind

_POLL_SECONDS = 0.1


def enqueue(database: Database, now: dt.datetime, kind: CommandKind, payload: bytes) -> int:
    """Store a command for the writer; return its number."""
    return database.transact(lambda connection: commands.enqueue(connection, now, kind, payload.decode()))


def wait_for_answer(database: Database, number: int, *, patience_seconds: float) -> str | None:
    """Return the answer to a command, as JSON; None after `patience_seconds` (it stays in the queue).

    Raises UsageError with the reason if the writer refused it.
    """
    ends = time.monotonic() + patience_seconds
    while True:
        with database.read() as connection:
            found = commands.one(connection, number)
        if found.state == "refused":
            raise UsageError(found.result or "the command was refused")
        if found.state == "done":
            return found.result
        if time.monotonic() > ends:
            return None
        time.sleep(_POLL_SECONDS)


def pending_commands(database: Database) -> list[Command]:
    """Return the commands that wait for the writer, oldest first."""
    with database.read() as connection:
        return commands.pending_commands(connection)


def answer(database: Database, now: dt.datetime, command: Command, result: bytes) -> None:
    """Mark a command as executed, with its result as JSON."""
    with database.write() as connection:
        commands.answer(connection, command.command_no, now, "done", result.decode())


def reject(database: Database, now: dt.datetime, command: Command, reason: str) -> None:
    """Refuse a command, with the reason."""
    database.transact(
        lambda connection: commands.answer(connection, command.command_no, now, "refused", reason)
    )
