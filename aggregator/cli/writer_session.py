"""Runs commands that change stories, such as a correction.

Only one process writes stories, the writer. If a daemon is running, it is the writer, and the command is queued for it;
otherwise this process becomes the writer and runs the command itself.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from aggregator.cli.command_context import Settings, missing_database
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.intake.pipeline import Pipeline
    from aggregator.intake.workers.executor import Executor
    from aggregator.model.structs import FrozenStruct
    from aggregator.store.commands import CommandKind
    from aggregator.store.engine.database import Database
    from aggregator.store.maintenance.row_stream import Advance

# The longest wait for the answer of a running daemon, which runs commands between two batches
PATIENCE_SECONDS = 60.0


@contextmanager
def written_before(settings: Settings) -> "Iterator[tuple[Config, Database]]":
    """Yield the configuration and an existing database to write to. Raises UsageError if there is none."""
    missing = missing_database(settings.load())
    if missing is not None:
        raise UsageError(
            f"there is no database at {missing} yet; create one with `aggregator ingest FOLDER`"
        )
    with settings.writing() as opened:
        yield opened


class WriterSession:
    """Runs commands in this process if it can become the writer; otherwise queues them for the writer.

    Commands run in the order they were queued in, so this process first runs those that the last writer left.
    """

    def __init__(self, config: "Config", database: "Database") -> None:
        from aggregator.store.engine.writer_lease import WriterLease

        self._config = config
        self._database = database
        self._lock = WriterLease(database)
        self.is_writer = False
        # The number of the last command that this process queued
        self.queued_as: int | None = None

    def __enter__(self) -> "WriterSession":
        self._become_writer()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def carry_out(
        self,
        kind: "CommandKind",
        command: "FrozenStruct",
        *,
        no_wait: bool = False,
        patience_seconds: float = PATIENCE_SECONDS,
        advance: "Advance" = lambda _count: None,
    ) -> Any:
        """Run a command here or in the writer, and return its answer.

        Return None if the writer has not answered after `patience_seconds`, or at once with `no_wait`. If the writer
        ends meanwhile, this process becomes the writer. `advance` is called with the progress of a command that runs
        here.
        """
        from aggregator.intake import command_handlers
        from aggregator.intake.workers.executor import InlineExecutor
        from aggregator.intake.workers.factory import workers
        from aggregator.model.clock import utc_now

        handler = command_handlers.HANDLERS[kind]
        if self.is_writer:
            # Only regrouping needs workers.
            with (
                workers(self._config)
                if kind == "recluster"
                else nullcontext(InlineExecutor()) as executor
            ):
                return handler.execute(
                    make_pipeline(self._config, self._lock.fenced, executor).writer,
                    command,
                    None,
                    advance,
                )
        number = self.queued_as = command_handlers.enqueue(
            self._database, utc_now(), kind, msgspec.json.encode(command)
        )
        ends = time.monotonic() + (0.0 if no_wait else patience_seconds)
        while True:
            left = ends - time.monotonic()
            answer = command_handlers.wait_for_answer(
                self._database, number, patience_seconds=min(1.0, max(0.0, left))
            )
            if answer is not None:
                return msgspec.json.decode(answer, type=handler.answer)
            if left <= 0:
                return None
            self._become_writer()

    def _become_writer(self) -> None:
        """Become the writer if there is none; then run the commands that were queued for the last one."""
        from aggregator.intake.workers.factory import workers
        from aggregator.store.commands import pending_commands

        self.is_writer = self.is_writer or self._lock.become_writer()
        if not self.is_writer:
            return
        with self._database.read() as connection:
            is_asked = bool(pending_commands(connection))
        if is_asked:
            with workers(self._config) as executor:
                make_pipeline(self._config, self._lock.fenced, executor).run_commands()


def make_pipeline(
    config: "Config",
    database: "Database",
    executor: "Executor",
    *,
    texts_here: bool = False,
) -> "Pipeline":
    """Return a pipeline with these settings. The lease of the writer must fence `database`."""
    from aggregator.intake.configured import story_options
    from aggregator.intake.pipeline import Pipeline
    from aggregator.model.clock import utc_now

    return Pipeline(
        database,
        executor,
        config.effective_tuning,
        utc_now,
        story_options(config),
        texts_here=texts_here,
    )
