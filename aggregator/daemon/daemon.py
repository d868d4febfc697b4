"""The daemon: signals, the writer lease, the web server, and messages to systemd.

    main      supervision; pings the watchdog of systemd while all threads make progress
    signals   handles signals (daemon/requests.py)
    web       uvicorn
    lease     checks the writer lease every second, on PostgreSQL (store/engine/writer_lease.py)

Everything that depends on the rest of the configuration is a Runtime (daemon/runtime.py).
On SIGHUP one Runtime ends with its web server and the next one starts, while the writer lease stays.
At rest a daemon that has become large ends as at SIGTERM, and its process begins anew (ADR 53).
"""

import gc
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from traceback import format_exception_only
from typing import TYPE_CHECKING

import aggregator
from aggregator import __version__
from aggregator.config.kept_files import BEGAN_ANEW, close_rest
from aggregator.config.memory import (
    collect_garbage_seldom,
    give_back_memory,
    own_bytes,
)
from aggregator.config.settings import Config
from aggregator.daemon.requests import Requests
from aggregator.daemon.runtime import Runtime
from aggregator.daemon.services import DaemonServices
from aggregator.daemon.watchdog import (
    Notifier,
    ServiceTuning,
    watchdog_interval_seconds,
)
from aggregator.model.clock import utc_now
from aggregator.model.errors import (
    AggregatorError,
    AnotherDaemonError,
    BrokenDaemonError,
    DatabaseReplacedError,
)
from aggregator.model.health_report import Reload
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.writer_lease import WriterLease

if TYPE_CHECKING:
    from aggregator.web.server import Server

log = logging.getLogger(__name__)

# Work under way has this long to end; then it is abandoned and repeated after the next start.
STOP_SECONDS = 8.0


class Daemon:
    """One running daemon."""

    def __init__(
        self,
        config: Config,
        database: Database,
        *,
        read_config: Callable[[], Config],
        on_applied: Callable[[Config], object],
        has_terminal: Callable[[], bool],
    ) -> None:
        """`read_config` reads the configuration for a reload.

        `on_applied` is called with each configuration that a reload has applied.
        `has_terminal` returns whether the terminal that started the daemon still exists, because the daemon ends when
        its terminal is closed. It always returns True if the daemon does not depend on a terminal.
        """
        self._config = config
        self._database = database
        self._read_config = read_config
        self._on_applied = on_applied
        self._last_reload: Reload | None = None
        self._notifier = Notifier()
        self._requests = Requests(self._notifier, has_terminal)
        self._tuning = config.effective_tuning.section("watchdog", ServiceTuning)
        self._services = DaemonServices(
            database=database,
            lock=WriterLease(database),
            now=utc_now,
            check_seconds=min(
                self._tuning.check_seconds, watchdog_interval_seconds() or math.inf
            ),
            arrived=threading.Event(),
            failed=self._fail,
            rested=self._on_rest,
            metrics_registry=database.metrics_registry,
            started_at=utc_now(),
            last_reload=lambda: self._last_reload,
        )
        self._failed: AggregatorError | None = None
        # The earliest time (monotonic) to begin anew. A process that has just begun anew waits. A process that somebody
        # started may begin anew at once, because a first reading needs the most memory.
        self._anew_from = (
            time.monotonic() + self._tuning.renewed_seconds if BEGAN_ANEW else 0.0
        )

    @property
    def begins_anew(self) -> bool:
        """Whether the process is to begin anew after `run`."""
        return self._requests.begins_anew

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, or until the process is to begin anew.

        Raises AnotherDaemonError if another process is the writer of the same SQLite file, BrokenDaemonError
        or the error of a thread that ended.
        """
        threading.excepthook = self._on_dead_thread
        self._requests.start()
        try:
            # On PostgreSQL a standby becomes the writer later, in its Runtime.
            if not self._services.lock.become_writer() and self._database.is_sqlite:
                raise AnotherDaemonError(
                    f"{shown_url(self._database.url)} is in use by another daemon or by a command that places "
                    "articles; stop it first, or wait until it has ended (other commands run beside a daemon)"
                )
            if not self._requests.is_stopping:
                runtime = Runtime(self._config, self._services)
                collect_garbage_seldom()
                self._serve_and_work(runtime)
        finally:
            self._services.lock.release()
            self._requests.end()
        if self._failed is not None:
            raise self._failed
        if self.begins_anew:
            self._requests.restore_handlers()
        log.info("stopped", extra={"event": "daemon_stopped"})

    def _serve_and_work(self, runtime: Runtime) -> None:
        server = runtime.web_server()
        try:
            self._start(runtime, server)
            self._notifier.ready("listening")
            while not self._requests.is_stopping:
                if self._requests.take("reload"):
                    self._reload()
                elif self._requests.take("anew"):
                    why_not = self._prepare_anew()
                    if why_not:
                        log.info(
                            "not beginning anew, to give memory back: %s",
                            why_not,
                            extra={"event": "daemon_not_renewed"},
                        )
                    elif self._requests.confirm_anew():
                        log.info(
                            "beginning anew, to give memory back",
                            extra={"event": "daemon_renewed"},
                        )
                        self._requests.stop()
                else:
                    self._supervise()
        finally:
            self._requests.stop()
            if self.begins_anew:
                self._notifier.reloading("beginning anew, to give memory back")
            else:
                self._notifier.stopping()
            self._end()

    def _start(self, runtime: Runtime, server: "Server") -> None:
        """Start a Runtime and its web server."""
        self._runtime = runtime
        self._server = server
        url = server.start()  # first: its port may be in use
        runtime.start()
        log.info(
            "listening on %s, stories in %s",
            url,
            shown_url(self._database.url),
            extra={"event": "server_listening"},
        )

    def _supervise(self) -> None:
        """Wait for a request, and ping the watchdog of systemd while all threads make progress."""
        while not self._requests.wait(self._services.check_seconds):
            if not self._server.is_serving:
                self._fail(BrokenDaemonError("the web server ended; see the log"))
                return
            stalled = self._runtime.watchdog.stalled()
            if stalled:
                log.error(
                    "no progress in: %s",
                    ", ".join(stalled),
                    extra={"event": "threads_stalled"},
                )
            else:
                self._notifier.watchdog()

    def _on_rest(self) -> None:
        """Ask to begin anew if the process has become large; called in the placing thread."""
        if (
            time.monotonic() >= self._anew_from
            and own_bytes(os.getpid()) > self._tuning.renewed_from_bytes
        ):
            self._anew_from = time.monotonic() + self._tuning.renewed_seconds
            self._requests.ask("anew")

    def _prepare_anew(self) -> str:
        """Keep the address and the lock open for the next program; return why it cannot begin, "" if it can."""
        try:
            if self._read_config() != self._config:
                return "the configuration was changed and not reloaded"
        except Exception as error:  # noqa: BLE001 - the file has mistakes
            return format_exception_only(error)[-1].strip()
        # `aggregator.__version__` is looked up again in the installation, and `__version__` is the version of this
        # process. Another version may have to upgrade the database, which takes long.
        if aggregator.__version__ != __version__:
            return "another version was installed"
        if not os.access(sys.executable, os.X_OK):
            return f"{sys.executable} cannot be started"
        try:
            self._server.keep_address()
            self._services.lock.keep_for_next_program()
        except OSError as error:
            close_rest()
            return format_exception_only(error)[-1].strip()
        return ""

    def _reload(self) -> None:
        """Apply the configuration file; if that fails, continue with the previous configuration."""
        log.info(
            "SIGHUP: reading the configuration again",
            extra={"event": "config_reload_requested"},
        )
        try:
            config = self._read_config()
            words = "config reloaded"
            if config.database_url != self._database.url:
                words += "; another database needs a restart, the previous one stays"
            runtime = Runtime(config, self._services)
            try:
                server = runtime.web_server()
                server.refuse_open_address()
            except Exception:
                runtime.stop()
                raise
        except Exception as error:  # noqa: BLE001 - on any error the previous configuration stays
            self._refuse(error)
            return
        self._end_before_next()
        if self._requests.is_stopping:
            return
        try:
            self._start(runtime, server)
        except (AnotherDaemonError, DatabaseReplacedError):
            raise
        except Exception as error:  # noqa: BLE001 - on any error the previous configuration stays
            self._end_before_next()
            previous = Runtime(self._config, self._services)
            self._start(previous, previous.web_server())
            self._refuse(error)
            return
        if not self._requests.is_stopping:
            self._last_reload = Reload(at=utc_now(), ok=True, words=words)
            self._on_applied(config)
            log.info("%s", words, extra={"event": "config_reloaded"})
            self._config = config
            # The indexes and tables of words of the previous Runtime refer to each other, so without this about 18 MB
            # would stay for minutes or hours.
            gc.collect()
            give_back_memory()
            self._notifier.ready(words)

    def _refuse(self, error: Exception) -> None:
        """Log why the new configuration is not used."""
        trace = None
        lines = str(error).splitlines()
        if not isinstance(error, AggregatorError):
            trace = error
            lines = [f"{type(error).__name__}: {error}"]
        for line in lines:
            log.error(
                "config reload failed, keeping the current configuration: %s",
                line,
                exc_info=trace,
                extra={"event": "config_reload_failed"},
            )
        words = f"the previous configuration stays: {lines[0]}"
        self._last_reload = Reload(at=utc_now(), ok=False, words=words)
        self._notifier.ready(words)

    def _end_before_next(self) -> None:
        """End everything before the next Runtime starts: only one thread may place."""
        self._end()
        while self._runtime.writer_loop.join(0.0) and not self._requests.wait_for_stop(
            self._services.check_seconds
        ):
            self._notifier.watchdog()

    def _end(self) -> None:
        """Stop everything; wait at most STOP_SECONDS for work under way."""
        deadline = time.monotonic() + STOP_SECONDS
        web = threading.Thread(target=self._server.stop, name="web-stop", daemon=True)
        web.start()
        self._runtime.stop()
        abandoned = self._runtime.drain(deadline - time.monotonic())
        web.join(max(0.0, deadline - time.monotonic()))
        if abandoned:
            log.warning(
                "abandoned at shutdown: %s",
                ", ".join(abandoned),
                extra={"event": "jobs_abandoned"},
            )

    def _on_dead_thread(self, died: threading.ExceptHookArgs) -> None:
        """End the daemon if a thread ends with an exception, because nothing replaces that thread."""
        if died.exc_value is not None and not isinstance(died.exc_value, SystemExit):
            self._fail(died.exc_value)

    def _fail(self, error: BaseException) -> None:
        """End the daemon because a required thread ended.

        The thread that ends calls this itself, except the web server's thread: supervision notices its end.
        """
        failed = error
        if not isinstance(failed, AggregatorError):
            why = format_exception_only(error)[-1].strip()
            words = f"the daemon ends because thread {threading.current_thread().name} ended ({why}); nothing is lost"
            failed = BrokenDaemonError(words)
            log.critical("%s", words, exc_info=error, extra={"event": "daemon_failed"})
        self._failed = self._failed or failed
        self._requests.stop()
