"""The command `run`: the daemon."""

import logging
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from aggregator.cli.command_context import Context, Settings

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.daemon.watchdog import Notifier
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
    try:
        with ExitStack() as opened:
            notifier.status("opening the database")
            config, database = opened.enter_context(
                context.obj.writing(
                    lambda config, database: _prepare(config, database, notifier)
                )
            )
            daemon = Daemon(
                config,
                database,
                again=lambda: _reloaded(context.obj, config.file),
                in_force=context.obj.set_up_logs,
                has_terminal=_has_terminal if ends_with_terminal else lambda: True,
            )
            daemon.run()
    except SystemExit:  # the second signal
        end_with_hung_threads(1)
        raise
    if daemon.begins_anew:
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the command that started this process
    end_with_hung_threads()


def _prepare(config: "Config", database: "Database", notifier: "Notifier") -> None:
    """Check the configuration and the free disk space, and wait for the database server.

    Mistakes and a full disk end the program before the database is opened.
    """
    from aggregator.admin.config_check import check

    def say(message: str) -> None:
        log.warning("%s", message, extra={"event": "database_awaited"})
        notifier.status(message)

    check(config)
    for line in config.warnings:
        log.warning("%s", line, extra={"event": "former_key_ignored"})
    database.check_free_disk()
    database.wait_for_server(say=say)
    notifier.status("upgrading the database")


def _has_terminal() -> bool:
    """Whether this process has a controlling terminal that is still open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _reloaded(settings: Settings, file: Path | None) -> "Config":
    """Read and check the configuration again, from the file that was used at the start."""
    from aggregator.admin.config_check import check

    reloaded = settings if file is None else replace(settings, config=str(file))
    config = reloaded.read()
    check(config)
    return config
