"""The command line: parse, call, print.

Every command module imports what it needs inside its functions, so that `aggregator --help` and completion
start at once. Global options may stand before or after the command.
"""

import logging
import re
import sys

import typer

from aggregator.cli import (
    admin,
    correct,
    db_backup,
    db_check,
    db_prune,
    evaluate,
    export,
    feed,
    forget,
    ingest,
    install_service,
    read,
    run,
    sources,
    stories,
    token,
    webhooks,
)
from aggregator.cli.context import Settings
from aggregator.cli.usage import PlainCommand, every_command
from aggregator.model.errors import AggregatorError, BrokenDaemonError, UsageError

app = typer.Typer(
    name="aggregator",
    help="Read many news outlets, keep one story per event.",
    epilog="First steps: 'aggregator ingest FOLDER' reads saved articles, 'aggregator stories' shows what "
    "they tell together, 'aggregator run' starts the daemon on config.yaml.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    run,
    ingest,
    stories,
    read,
    feed,
    correct,
    forget,
    sources,
    evaluate,
    token,
    webhooks,
    admin,
    install_service,
    db_backup,
    db_check,
    db_prune,
    export,
):
    module.register(app)
for command in every_command(app):
    command.cls = PlainCommand


def _show_version(wanted: bool) -> None:
    if wanted:
        from aggregator import __version__

        typer.echo(__version__)
        raise typer.Exit


_WITH_VALUE = ("--config", "--database", "--log-format")
_FLAG = re.compile("-v+|--verbose")


@app.callback()
def _global(
    context: typer.Context,
    config: str = typer.Option(None, "--config", metavar="PATH", help="Settings (default: ./config.yaml)."),
    database: str = typer.Option(
        None, "--database", metavar="URL", help="sqlite:///FILE or postgresql://USER@HOST/NAME."
    ),
    verbose: int = typer.Option(
        0, "-v", "--verbose", count=True, show_default=False, help="Say more on standard error."
    ),
    log_format: str = typer.Option(None, "--log-format", metavar="text|json", help="For people or programs."),
    version: bool = typer.Option(  # noqa: ARG001 - its callback has seen to it
        False, "--version", is_eager=True, callback=_show_version, help="Print the version and end."
    ),
) -> None:
    context.obj = Settings(config=config, database=database, verbose=verbose, log_format=log_format)


def main(arguments: list[str] | None = None) -> None:
    """The console script. Ends with the exit codes that `errors` gives its exceptions."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        app(_global_first(given), standalone_mode=True)
    except AggregatorError as error:
        _say_why(error)
        if isinstance(error, BrokenDaemonError):
            from aggregator.daemon.daemon import end_with_hung_threads

            end_with_hung_threads(error.exit_code)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # the reader (head, less) has gone; nothing is wrong
        sys.exit(0)


def _say_why(error: AggregatorError) -> None:
    """The lines of an error on standard error; as records where that was asked for."""
    from aggregator.config.logging import writes_json

    for line in str(error).splitlines():
        if writes_json():
            logging.getLogger("aggregator").error("%s", line)
        else:
            sys.stderr.write(f"aggregator: {line}\n")


def _global_first(arguments: list[str]) -> list[str]:
    """Global options moved before the command, so that they may stand anywhere before a `--`."""
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += [argument, *waiting]
        elif argument in _WITH_VALUE:
            value = next(waiting, None)
            if value is None:
                raise UsageError(f"{argument} needs a value; `aggregator --help` says which")
            front += [argument, value]
        elif _FLAG.fullmatch(argument) or argument.startswith(tuple(f"{name}=" for name in _WITH_VALUE)):
            front.append(argument)
        else:
            rest.append(argument)
    return front + rest
