"""The command run."""

import typer

from aggregator.cli.context import Settings


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(run)


def run(context: typer.Context) -> None:
    """The daemon, in the foreground: poll, merge, serve.

    Ctrl-C or SIGTERM ends it. The settings are read at the start; to change them, start it again.

    \b
    Examples:
      aggregator run
      aggregator run --config /etc/aggregator/config.yaml -v
    """
    from aggregator.daemon import Daemon

    settings: Settings = context.obj
    with settings.writing() as (config, database):
        Daemon(config, database).run()
