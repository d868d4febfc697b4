"""The command `run`: the daemon."""

import logging
import os
import signal
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aggregator.cli.command_context import Context

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.store.engine.database import Database


log = logging.getLogger(__name__)


def run(context: Context) -> None:
    """Run the daemon in the foreground.

    It polls the sources, groups articles into stories and serves the web pages. Ctrl-C or SIGTERM stops it.
    SIGHUP reloads the configuration; if it has mistakes, the previous one stays in use.

    \b
    Examples:
      aggregator run
      aggregator run --config /etc/aggregator/config.yaml -v
    """
    from aggregator.admin.config_check import check_config
    from aggregator.config.memory import set_malloc_options
    from aggregator.daemon.daemon import Daemon
    from aggregator.daemon.hung_threads import end_with_hung_threads
    from aggregator.daemon.watchdog import Notifier

    set_malloc_options()
    # The daemon ends when its terminal is closed, unless it was started by nohup.
    ends_with_terminal = (
        signal.getsignal(signal.SIGHUP) != signal.SIG_IGN and _has_terminal()
    )
    if not ends_with_terminal:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the daemon can reload
    notifier = Notifier()

    def report_wait(message: str) -> None:
        log.warning("%s", message, extra={"event": "database_awaited"})
        notifier.status(message)

    def check(config: "Config") -> None:
        """Raise an error for a mistake; log a warning for each key of an earlier version."""
        check_config(config)
        for line in config.warnings:
            log.warning("%s", line, extra={"event": "former_key_ignored"})

    def check_before_opening(config: "Config", database: "Database") -> None:
        """Check the configuration and the disk, and wait for the server."""
        check(config)
        database.check_free_disk()
        database.wait_for_server(say=report_wait)
        notifier.status("opening the database")

    try:
        with ExitStack() as opened:
            config, database = opened.enter_context(
                context.obj.writing(check_before_opening)
            )

            def read_again() -> "Config":
                """Read and check the configuration again, from the file that was used at the start."""
                settings = context.obj
                if config.file is not None:
                    settings = replace(settings, config=str(config.file))
                again = settings.read()
                check(again)
                return again

            daemon = Daemon(
                config,
                database,
                read_config=read_again,
                on_applied=context.obj.set_up_logs,
                # Without a terminal at the start, SIGHUP cannot mean that it was closed, but asks for a reload.
                has_terminal=_has_terminal if ends_with_terminal else lambda: True,
            )
            daemon.run()
    except SystemExit:  # the second signal
        end_with_hung_threads(1)
        raise
    if daemon.begins_anew:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the command that started this process
    end_with_hung_threads()


def _has_terminal() -> bool:
    """Return whether this process has a controlling terminal that is still open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
