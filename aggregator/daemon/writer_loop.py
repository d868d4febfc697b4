"""The thread that writes stories while its process is the writer, and otherwise tries to become the writer.

If the database cannot be written (full, read-only, restarting), it backs off and tries again while the rest
of the daemon continues. If another process became the writer, it clears its memory and becomes a standby.
"""

import logging
import threading
import time
from contextlib import suppress

from aggregator.daemon.writer_work import IDLE_SECONDS, WriterWork
from aggregator.intake.workers.executor import is_left_behind
from aggregator.model.errors import (
    AggregatorError,
    AnotherDaemonError,
    DamagedError,
    DatabaseAwayError,
    DatabaseBusyError,
    DatabaseOutdatedError,
    DatabaseReplacedError,
    DatabaseTooNewError,
    LeaseLostError,
    NoWorkersError,
    TooManyFilesError,
)
from aggregator.store import migrate
from aggregator.store.engine.database import shown_url

log = logging.getLogger(__name__)

# After the first, second and later errors of the database
BACKOFF_SECONDS = (1.0, 2.0, 3.0)


class WriterLoop(WriterWork):
    """Placing, commands, indexing, rendering and short maintenance tasks, in one thread."""

    _thread: threading.Thread | None = None
    _is_ready = False  # the writer, and `took_over` was called
    trouble: str | None = None  # why placing is paused

    def start(self) -> None:
        """Start the thread; a writer whose database answers has called `took_over` when this returns."""
        if self.services.lock.is_held:
            # The thread tries again
            with suppress(DatabaseAwayError, DatabaseBusyError):
                self._take_up()
        else:
            log.info(
                "standby: another daemon is the writer; this one serves",
                extra={"event": "standby_started"},
            )
        self.heartbeat()
        self._thread = threading.Thread(target=self._run, name="placing", daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> bool:
        """After `stop`: wait `seconds`; return whether the thread still runs."""
        return self._thread is not None and is_left_behind(self._thread, seconds)

    @property
    def is_writing(self) -> bool:
        """Whether this process is the writer and `took_over` was called."""
        return self._is_ready and self.services.lock.is_held

    def _run(self) -> None:
        in_a_row = 0
        try:
            while not self.stopping.is_set():
                try:
                    self._run_once()
                except LeaseLostError as error:
                    self._is_ready = False
                    self.pipeline.forget()
                    if self.services.database.is_sqlite:
                        shown = shown_url(self.services.database.url)
                        raise AnotherDaemonError(
                            f"another process became the writer of {shown} while this one had "
                            "its lock: the .lock file was removed, or its file system lacks locks (a network drive)"
                        ) from error
                    log.warning(
                        "lost the writer lease (%s); now a standby",
                        error,
                        extra={"event": "writer_lease_lost"},
                    )
                    self.services.lock.release()
                except (
                    DatabaseTooNewError,
                    DatabaseOutdatedError,
                    DatabaseReplacedError,
                    AnotherDaemonError,
                ):
                    # The tables are of another version, the file was replaced, or another daemon writes it.
                    raise
                except (AggregatorError, OSError) as error:
                    # The file that is one too many to open may belong to the program: a table of words, a module.
                    if TooManyFilesError.is_behind(error):
                        error = TooManyFilesError()
                    if not isinstance(error, AggregatorError):
                        raise  # the database is not the cause
                    is_new = str(error) != self.trouble  # log an outage of hours once
                    self.trouble = str(error)
                    log.log(
                        logging.ERROR if is_new else logging.DEBUG,
                        "placing is paused and tried again: %s",
                        error,
                        extra={"event": "placing_paused"},
                    )
                    # The last commit may or may not have happened; after these it was not begun, or rolled back.
                    if not isinstance(error, DamagedError | NoWorkersError):
                        self.pipeline.forget()
                    self.stopping.wait(
                        BACKOFF_SECONDS[min(in_a_row, len(BACKOFF_SECONDS) - 1)]
                    )
                    in_a_row += 1
                else:
                    if self.trouble is not None:
                        log.info("placing resumed", extra={"event": "placing_resumed"})
                    self.trouble = None
                    in_a_row = 0
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self.services.failed(error)

    def _run_once(self) -> None:
        """Write pending work, or try to become the writer."""
        self.heartbeat()
        self.services.database.check_file()
        if self._is_ready and not self.services.lock.is_held:
            raise LeaseLostError("its session does not answer")
        if not self._is_ready:
            began = time.monotonic()
            if not self.services.lock.become_writer():
                self.stopping.wait(IDLE_SECONDS)
                return
            self._take_up()
            log.info(
                "became the writer: takeover took %.1f s",
                time.monotonic() - began,
                extra={"event": "writer_lease_acquired"},
            )
        self.run_once()

    def _take_up(self) -> None:
        """Begin to write, with a memory that is built from the database."""
        migrate.check(self.services.database)
        self.took_over()
        self._is_ready = True
