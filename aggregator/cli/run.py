"""The command run."""

import logging
import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer

from aggregator.cli.context import Settings

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.daemon.watchdog import Notifier
    from aggregator.store.engine.database import Database

log = logging.getLogger(__name__)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(run)


def run(context: typer.Context) -> None:
    """The daemon, in the foreground: poll, merge, serve.

    Ctrl-C or SIGTERM ends it. SIGHUP reads the settings again; where they have mistakes, the old ones stay.

    \b
    Examples:
      aggregator run
      aggregator run --config /etc/aggregator/config.yaml -v
    """
    from aggregator.daemon.daemon import Daemon, end_with_hung_threads
    from aggregator.daemon.process_memory import give_back_freed_memory
    from aggregator.daemon.watchdog import Notifier

    give_back_freed_memory()
    settings: Settings = context.obj
    # Its terminal is closed: it ends, unless nohup was asked to prevent that.
    ends_with_terminal = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN and _has_terminal()
    if not ends_with_terminal:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until the daemon can read anything again
    notifier = Notifier()
    with ExitStack() as opened:
        with notifier.starting("opening the database"):
            writing = settings.writing(lambda config, database: _prepare(config, database, notifier))
            config, database = opened.enter_context(writing)
        daemon = Daemon(
            config,
            database,
            again=lambda: _again(settings, config.file),
            in_force=settings.set_up_logs,
            has_terminal=_has_terminal if ends_with_terminal else None,
        )
        daemon.run()
    end_with_hung_threads()


def _prepare(config: "Config", database: "Database", notifier: "Notifier") -> None:
    """Mistakes end the program before the database is touched, and so does a disk without room.

    A server that comes up after us is waited for.
    """
    from aggregator.admin.config_check import check

    def say(words: str) -> None:
        log.warning("%s", words)
        notifier.status(words)

    check(config)
    database.check_free_disk()
    database.wait_for_server(say=say)
    notifier.status("bringing the database up to date")


def _has_terminal() -> bool:
    """Whether a terminal controls this process, and is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _again(settings: Settings, file: Path | None) -> "Config":
    """What `file` (where there was one at the start) says now."""
    from aggregator.admin.config_check import check

    again = settings if file is None else msgspec.structs.replace(settings, config=str(file))
    config = again.read()
    check(config)
    return config
