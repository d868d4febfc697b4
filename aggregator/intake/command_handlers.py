"""Commands for the writer: rows that the writer executes between two batches, with one handler for each kind.

Commands change stories, so only the writer may execute them. If no process is the writer, the command line becomes
the writer and executes its command itself; otherwise it stores a row and waits for the answer.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.grouping.corrections.correction_command import (
    CorrectionCommand,
    CorrectionResult,
)
from aggregator.grouping.deletion.forget_articles import ForgetCommand, ForgetResult
from aggregator.grouping.deletion.retention import PruneResult, Retention, RetentionPlan
from aggregator.grouping.place import Placer
from aggregator.grouping.story_options import StoryOptions
from aggregator.intake.prepare import Stop
from aggregator.intake.recluster.regrouping import (
    GroupingDifference,
    ReclusterCommand,
)
from aggregator.intake.workers.executor import Executor
from aggregator.model.clock import Clock
from aggregator.model.errors import (
    AggregatorError,
    NoScratchFolderError,
    UsageError,
    WorkError,
)
from aggregator.model.structs import FrozenStruct
from aggregator.store import commands
from aggregator.store.commands import CommandKind
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import erased_rows
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.maintenance.scratch import delete_abandoned_databases

_POLL_SECONDS = 0.1


def enqueue(
    database: Database, now: datetime, kind: CommandKind, payload: bytes
) -> int:
    """Store a command for the writer; return its number."""
    return database.transact(
        lambda connection: commands.enqueue(connection, now, kind, payload.decode())
    )


def wait_for_answer(
    database: Database, number: int, *, patience_seconds: float
) -> str | None:
    """Return the answer to a command, as JSON; None after `patience_seconds`, and then the command stays queued.

    Raises UsageError with the reason if the writer refused the command.
    """
    ends = time.monotonic() + patience_seconds
    while True:
        with database.read() as connection:
            command = commands.command_numbered(connection, number)
        assert command is not None, "it was added"
        if command.state == "refused":
            raise UsageError(command.result or "the command was refused")
        if command.state == "done":
            return command.result
        if time.monotonic() > ends:
            return None
        time.sleep(_POLL_SECONDS)


log = logging.getLogger(__name__)
# A `prune` command spends about this long on retention, because no entry is placed meanwhile.
PRUNED_SECONDS = 0.5


class WriterServices(NamedTuple):
    """The services that execute commands. `database` is fenced by the lease of the writer."""

    database: Database
    executor: Executor
    all_tuning: Tuning
    now: Clock
    options: StoryOptions
    placer: Placer


class _StoppedError(Exception):
    """The daemon stops during a command."""


def _forget(
    writer: WriterServices,
    command: ForgetCommand,
    request: int | None,
    advance: Advance,
) -> ForgetResult:
    def step() -> None:
        advance(0)

    try:
        delete_abandoned_databases(writer.database)
        return writer.placer.erase(command, request, step)
    except UsageError:
        if request is not None:
            with writer.database.write() as connection:
                erased_rows.blank_command(connection, request)
        raise


def _prune(
    writer: WriterServices,
    command: RetentionPlan,
    request: int | None,
    advance: Advance,
) -> PruneResult:
    """Run retention for PRUNED_SECONDS.

    `aggregator db prune` sends the command again until retention is done, and the writer places entries in between.
    """
    retention_job = Retention(writer.placer, command, is_asked=True)
    ends = time.monotonic() + PRUNED_SECONDS
    advance(0)
    while (more := retention_job.step()) and time.monotonic() < ends:
        advance(0)
    result = PruneResult(is_done=not more)
    if request is not None:
        _answer(writer, request, "done", msgspec.json.encode(result).decode())
    return result


def _recluster(
    writer: WriterServices,
    command: ReclusterCommand,
    request: int | None,
    advance: Advance,
) -> GroupingDifference:
    from aggregator.intake.recluster.recluster_job import Reclusterer

    return Reclusterer(
        writer.database,
        writer.executor,
        writer.all_tuning,
        writer.options,
        now=writer.now,
    ).take_over(
        writer.placer,
        command.since,
        advance,
        request=request,
        in_order_from=command.in_order_from,
    )


class CommandHandler(NamedTuple):
    """A kind of command: the type of the command, the type of its answer, and the function that executes it.

    `execute` gets the writer's services, the command, a row number, and a function. It answers the row with this
    number in its own transaction; None means that there is no row, because the process executes its own command. It
    calls the function with its progress, and the function may raise to stop it. It raises UsageError for an impossible
    command.
    """

    command: type[FrozenStruct]
    answer: type[FrozenStruct]
    execute: Callable[[WriterServices, Any, int | None, Advance], FrozenStruct]


HANDLERS: Mapping[CommandKind, CommandHandler] = {
    "correct": CommandHandler(
        CorrectionCommand,
        CorrectionResult,
        lambda writer, command, request, _: writer.placer.correct(command, request),
    ),
    "forget": CommandHandler(ForgetCommand, ForgetResult, _forget),
    "prune": CommandHandler(RetentionPlan, PruneResult, _prune),
    "recluster": CommandHandler(ReclusterCommand, GroupingDifference, _recluster),
}


def run_commands(writer: WriterServices, stop: Stop) -> int:
    """Execute the waiting commands, oldest first. Return how many."""

    def end_if_stopped(_count: int) -> None:
        if stop():  # asking also reports progress to the watchdog
            raise _StoppedError

    executed = 0
    with writer.database.read() as connection:
        pending = commands.pending_commands(connection)
    for command in pending:
        if stop():
            break
        handler = HANDLERS[command.kind]
        try:
            handler.execute(
                writer,
                msgspec.json.decode(command.payload, type=handler.command),
                command.command_no,
                end_if_stopped,
            )
        except _StoppedError:
            break  # the command is executed at the next start
        except (UsageError, WorkError, NoScratchFolderError) as error:
            if isinstance(error, WorkError) and stop():
                break  # the stop ended the workers; the command is executed at the next start
            _answer(writer, command.command_no, "refused", str(error))
        except AggregatorError:
            # The database failed, so the command stays queued.
            raise
        except Exception as error:
            # If this were raised, the command would end the daemon again at every start.
            log.exception(
                "command %d (%s) failed",
                command.command_no,
                command.kind,
                extra={"event": "command_failed"},
            )
            reason = f"it failed ({type(error).__name__}: {error}); the log of the daemon says more"
            _answer(writer, command.command_no, "refused", reason)
        executed += 1
    return executed


def _answer(
    writer: WriterServices, number: int, state: Literal["done", "refused"], text: str
) -> None:
    now = writer.now()
    writer.database.transact(
        lambda connection: commands.answer(connection, number, now, state, text)
    )
