"""Asking the writer of stories: done here where nobody else is the writer, else left for the one who is.

`correct` and `recluster` change stories, so only the process with the writer lock may carry them out. Where a
daemon has it, the request is a row; the daemon answers it between two batches, and the command waits.
"""

import datetime as dt
import time

from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Database
from aggregator.store.stories import commands
from aggregator.store.stories.commands import Command, CommandKind

_POLL_SECONDS = 0.1


def enqueue(database: Database, now: dt.datetime, kind: CommandKind, payload: bytes) -> int:
    """Leave a request for the writer; returns its number."""
    return database.transact(lambda connection: commands.enqueue(connection, now, kind, payload.decode()))


def wait_for_answer(database: Database, number: int, *, patience_seconds: float) -> str | None:
    """The answer to a request, as JSON; None where nobody has answered in time: it stays in the queue.

    Raises UsageError with the writer's words where it was refused.
    """
    ends = time.monotonic() + patience_seconds
    while True:
        with database.read() as connection:
            found = commands.one(connection, number)
        if found.state == "refused":
            raise UsageError(found.answer or "the request was refused")
        if found.state == "done":
            return found.answer
        if time.monotonic() > ends:
            return None
        time.sleep(_POLL_SECONDS)


def pending_commands(database: Database) -> list[Command]:
    """What the writer is asked for and has not answered, in the order in which it was asked."""
    with database.read() as connection:
        return commands.pending_commands(connection)


def answer(database: Database, now: dt.datetime, request: Command, words: bytes) -> None:
    """It was carried out; `words` are JSON."""
    with database.write() as connection:
        commands.answer(connection, request.n, now, "done", words.decode())


def reject(database: Database, now: dt.datetime, request: Command, words: str) -> None:
    """Say why a request cannot be carried out."""
    database.transact(lambda connection: commands.answer(connection, request.n, now, "refused", words))
