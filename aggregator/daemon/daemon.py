"""The daemon: signals, the lock of the writer, the web server, and what it tells systemd.

    main      signals, watchdog (pinged only while all parts get on)
    web       uvicorn
    lease     says each two seconds that the writer lives, on Postgres (store/engine/writer_lease.py)

All that depends on the rest of the configuration is a shift (daemon/runtime.py), which begins and ends
within it.
SIGHUP reads the configuration again: one shift ends and the next begins, while lock and web server stay.
"""

import datetime as dt
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from itertools import chain, repeat
from types import FrameType

from aggregator.config.messages import counted
from aggregator.config.settings import Config
from aggregator.daemon.runtime import DaemonServices, Runtime
from aggregator.daemon.watchdog import Notifier, ServiceTuning, watchdog_interval_seconds
from aggregator.model.core import utc_now
from aggregator.model.errors import (
    AggregatorError,
    AnotherDaemonError,
    BrokenDaemonError,
    ConfigError,
    DatabaseReplacedError,
)
from aggregator.model.health_report import ProcessState, Reload
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.writer_lease import open_writer_lease

log = logging.getLogger(__name__)

SAME_SIGNAL_SECONDS = 1.0  # Ctrl-C reaches make and us, and make passes it on: that is one wish
STOP_SECONDS = 8.0  # what is under way may end in this time; then it is left (nothing of it is lost)
HUNG_SECONDS = 0.2  # for a thread to end after all was closed
BEGIN_SECONDS = (1.0, 2.0, 5.0, 10.0)  # between tries to begin a shift while the database is in trouble


def end_with_hung_threads(code: int = 0) -> None:
    """End the process now where a thread waits for a database that hangs: Python would wait for it.

    For the very end: what such a thread does is a transaction that does not happen.
    """
    ends = time.monotonic() + HUNG_SECONDS
    for one in threading.enumerate():  # daemon threads too: those of an executor are waited for all the same
        if one is not threading.current_thread():
            one.join(max(0.0, ends - time.monotonic()))
            if one.is_alive():
                logging.shutdown()
                os._exit(code)


class Daemon:
    """One running daemon."""

    def __init__(
        self,
        config: Config,
        database: Database,
        now: Callable[[], dt.datetime] = utc_now,
        *,
        again: Callable[[], Config] | None = None,
        in_force: Callable[[Config], object] = lambda _config: None,
        has_terminal: Callable[[], bool] | None = None,
    ) -> None:
        """`again` reads the configuration anew, for SIGHUP; without it that signal changes nothing.

        `in_force` is told of one that was taken.
        `has_terminal`: the daemon was started at a terminal and ends with it; whether that is still there.
        """
        self._config = config
        self._database = database
        self._now = now
        self._again = again or (lambda: config)
        self._in_force = in_force
        self._has_terminal = has_terminal or (lambda: True)
        self._last_reload: Reload | None = None
        self._stop = threading.Event()
        self._asked = threading.Event()  # a signal wants something of the main thread
        self._reread = threading.Event()
        self._notifier = Notifier()
        self._lock = open_writer_lease(database, config.effective_tuning, is_standby=True)
        look_seconds = config.effective_tuning.section("service", ServiceTuning).look_seconds
        self._look_seconds = min(look_seconds, watchdog_interval_seconds() or look_seconds)
        self._services = DaemonServices(
            database=database,
            lock=self._lock,
            now=now,
            look_seconds=self._look_seconds,
            arrived=threading.Event(),
            placed=self._count_placed,
            status=self._notify_status,
            failed=self._fail,
            metrics_registry=database.metrics_registry,
            started_at=now(),
            last_reload=lambda: self._last_reload,
            process=self._process_state,
        )
        self._failed: AggregatorError | None = None
        self._asked_to_stop = 0.0
        self._placed = 0  # articles, since the start

    def run(self) -> None:
        """Run until SIGTERM or SIGINT. Raises AnotherDaemonError where a second daemon has no place.

        Where a part of it ends by itself it raises what that raised, or BrokenDaemonError.
        """
        threading.excepthook = self._on_dead_thread
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, self._on_hangup)
        try:
            self._take_lock()
            if not self._stop.is_set():
                self._serve_and_work(Runtime(self._config, self._services))
        finally:
            self._lock.release()
        if self._failed is not None:
            raise self._failed
        log.info("stopped")

    def stop(self) -> None:
        """Ask the daemon to end; `run` returns soon after."""
        self._stop.set()
        self._asked.set()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set():
            if time.monotonic() - self._asked_to_stop > SAME_SIGNAL_SECONDS:
                raise SystemExit(1)  # a second wish: at once
            return
        self._asked_to_stop = time.monotonic()
        log.info("%s: stopping", signal.Signals(number).name)
        self.stop()

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        if not self._has_terminal():
            self._on_signal(number, frame)
        elif not self._stop.is_set():
            self._notifier.reloading()  # at once: see ExecReload in the unit
            self._reread.set()
            self._asked.set()

    def _take_lock(self) -> None:
        """Become the writer, or, on a server, stand by: then the shift tries again and again."""
        if self._lock.become_writer() or not self._database.is_sqlite:
            return
        log.info("another process works on the database; waiting for it to give way")
        if not self._lock.wait_to_become_writer(self._stop) and not self._stop.is_set():
            raise AnotherDaemonError(
                f"another daemon works on {shown_url(self._database.url)}, or a command that does not give "
                "way; stop that one first (ingest, stories and the like work beside it)"
            )

    def _serve_and_work(self, runtime: Runtime) -> None:
        from aggregator.web.server import Server  # 0.1 s of imports that no other command needs

        self._runtime = runtime
        self._server = Server(*runtime.web_services())
        try:
            runtime.start()
            url = self._server.start()
            log.info("listening on %s, stories in %s", url, shown_url(self._database.url))
            self._notifier.ready("listening")
            while not self._stop.is_set():
                if self._reread.is_set():
                    self._read_again()
                self._supervise(until=self._asked)
        finally:
            self.stop()
            self._notifier.stopping()
            self._end()

    def _supervise(self, *, until: threading.Event, seconds: float | None = None) -> None:
        """The main thread: sleep, and tell systemd that we get on as long as all of us do.

        Returns when `until` is set, or after about so many seconds.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while deadline is None or time.monotonic() < deadline:
            left = self._look_seconds if deadline is None else deadline - time.monotonic()
            if until.wait(max(0.0, min(self._look_seconds, left))):
                return
            if not self._server.is_serving:
                self._fail(BrokenDaemonError("the web server ended; the log says why"))
                return
            stalled = self._runtime.watchdog.stalled()
            if stalled:
                log.error("no progress in: %s", ", ".join(stalled))
            else:
                self._notifier.watchdog()

    # --- reading the configuration again ------------------------------------------------------------------

    def _read_again(self) -> None:
        """Put in force what the configuration says now; where that cannot be, all stays as it was."""
        self._reread.clear()
        self._asked.clear()
        if self._stop.is_set():
            self._asked.set()
            return
        log.info("SIGHUP: reading the configuration again")
        old = self._runtime
        try:
            config = self._again()
            words = f"the configuration is in force; {self._changed(config)}"
            runtime = Runtime(config, self._services, old)
            self._show(runtime)
        except Exception as error:  # noqa: BLE001 - whatever a new configuration raises, the old one stays
            self._refuse(error)
            return
        self._end_shift(old)
        try:
            self._begin_shift(runtime)
        except (AnotherDaemonError, DatabaseReplacedError):
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._go_back(runtime)
            self._refuse(error)
            return
        if not self._stop.is_set():
            self._last_reload = Reload(at=self._now(), ok=True, words=words)
            self._in_force(config)
            log.info("%s", words)
            self._config = config
            self._notifier.ready(words)

    def _refuse(self, error: Exception) -> None:
        """Say why the new configuration is not taken."""
        is_ours = isinstance(error, AggregatorError)
        lines = str(error).splitlines() if is_ours else [f"{type(error).__name__}: {error}"]
        for line in lines:
            log.error(
                "the configuration is not taken, the old one stays: %s",
                line,
                exc_info=None if is_ours else error,
            )
        words = f"the old configuration stays: {lines[0]}"
        self._last_reload = Reload(at=self._now(), ok=False, words=words)
        self._notifier.ready(words)

    def _go_back(self, new: Runtime) -> None:
        """Put the old configuration in force again after the new one could not begin."""
        self._end_shift(new)
        runtime = Runtime(self._config, self._services, new)
        try:
            self._show(runtime)
        except AggregatorError as error:
            log.error("the web server goes on as the new configuration says: %s", error)  # noqa: TRY400 - in words
            runtime = Runtime(self._config, self._services, new)
        self._begin_shift(runtime)

    def _show(self, runtime: Runtime) -> None:
        """Let the web server show what `runtime` would; on failure nothing of that is left."""
        try:
            url = self._server.url
            if self._server.change(*runtime.web_services()) != url:
                log.info("listening on %s from now on", self._server.url)
        except Exception:
            runtime.stop()
            raise

    def _end_shift(self, old: Runtime) -> None:
        """End a shift wholly before the next one begins: two may not place side by side."""
        old.stop()
        behind = old.drain(STOP_SECONDS)
        while old.is_placing and not self._stop.is_set():
            self._supervise(until=self._stop, seconds=self._look_seconds)
        if behind:
            log.warning("left behind: %s", ", ".join(behind))

    def _begin_shift(self, new: Runtime) -> None:
        """Begin a shift; while the database is in trouble it is tried again and again."""
        self._runtime = new
        runtime: Runtime | None = new
        for seconds in chain(BEGIN_SECONDS, repeat(BEGIN_SECONDS[-1])):
            if self._stop.is_set():
                return
            try:
                if runtime is None:
                    runtime = self._runtime = Runtime(new.config, self._services, self._runtime)
                runtime.start()
                return
            except (AnotherDaemonError, ConfigError, DatabaseReplacedError):
                raise
            except AggregatorError as error:
                log.warning("the new configuration waits %.0f s: %s", seconds, error)
            if runtime is not None:
                runtime.stop()
                runtime.drain(STOP_SECONDS)
                runtime = None
            self._supervise(until=self._stop, seconds=seconds)

    def _end(self) -> None:
        """Let what is under way end, all of it within STOP_SECONDS."""
        deadline = time.monotonic() + STOP_SECONDS
        web = threading.Thread(target=self._server.stop, name="web-stop", daemon=True)
        web.start()
        self._runtime.stop()
        behind = self._runtime.drain(deadline - time.monotonic())
        web.join(max(0.0, deadline - time.monotonic()))
        if behind:
            log.warning("left behind: %s", ", ".join(behind))

    def _count_placed(self, count: int) -> None:
        self._placed += count

    def _notify_status(self, words: str) -> None:
        """A line of status for systemd."""
        said = [f"placed {counted(self._placed, 'article')}", words]
        if self._last_reload is not None and not self._last_reload.ok:
            said.insert(0, self._last_reload.words)
        self._notifier.status("; ".join(said))

    def _process_state(self) -> ProcessState:
        """Of the shift that runs: the one that the web server was given may have been begun anew."""
        return self._runtime.process()

    def _on_dead_thread(self, died: threading.ExceptHookArgs) -> None:
        """No thread of ours ends with an exception; where one does, none of its kind is there any more."""
        if died.exc_value is not None and not isinstance(died.exc_value, SystemExit):
            self._fail(died.exc_value)

    def _fail(self, error: BaseException) -> None:
        """A part that the daemon cannot do without ended; called in its thread."""
        if isinstance(error, AggregatorError):
            self._failed = self._failed or error
            self.stop()
            return
        why = (
            "there is no memory left"
            if isinstance(error, MemoryError)
            else f"{type(error).__name__}: {error}"
        )
        words = f"the daemon ends, for {threading.current_thread().name} did ({why}); nothing is lost"
        self._failed = self._failed or BrokenDaemonError(words)
        self.stop()
        log.critical("%s", words, exc_info=error)

    def _changed(self, config: Config) -> str:
        """What is different from before, by the sections of the file."""
        names = [name for name in Config.model_fields if getattr(config, name) != getattr(self._config, name)]
        words = f"changed: {', '.join(names)}" if names else "nothing changed"
        if config.database_url != self._database.url:
            words += "; another database needs a restart, the old one stays"
        return words
