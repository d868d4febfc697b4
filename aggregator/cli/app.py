"""The command line: the Typer application, its global options and exit codes.

Every command module imports what it needs inside its functions, so that `aggregator --help` and completion
start quickly. Global options may precede or follow the command.

Usage lines follow the convention of manual pages: `WHAT...` is required, `[ANOTHER]` is optional.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand
from typer.models import CommandInfo

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
from aggregator.cli.interrupt import INTERRUPTED, interruptible
from aggregator.model.errors import AggregatorError, BrokenDaemonError, UsageError

if TYPE_CHECKING:
    from typer import Context


_REQUIRED = re.compile(r"\{([^{}\n]+?)(?:\.\.\.)?\}(\.\.\.)?")
_STOPPED = {
    "ingest": "stopped; articles read so far are stored. Type the same command to continue.",
    "recluster": "stopped; nothing was changed. Type the same command to continue.",
    "eval": "stopped; no result was stored",
    "export": "stopped; no file was written",
    "import": "stopped; nothing was imported",
    "upgrade": "stopped; the unfinished step was rolled back. Type the same command to continue.",
}


class PlainCommand(TyperCommand):
    """A command without braces in its usage line; it ends without a traceback on Ctrl-C and closed pipes."""

    def collect_usage_pieces(self, ctx: "Context") -> list[str]:  # type: ignore[override]
        return [_REQUIRED.sub(r"\1\2", piece) for piece in super().collect_usage_pieces(ctx)]

    def invoke(self, ctx: "Context") -> Any:  # type: ignore[override]
        """Run the command. Ctrl-C prints what became of the work; a closed pipe prints nothing."""
        message = f"\naggregator: {_STOPPED.get(self.name or '', 'stopped')}\n"
        with interruptible(message) as is_interrupted:
            try:
                return super().invoke(ctx)
            except typer.Exit:
                raise
            except BrokenPipeError:
                # The reader (head, less) has ended. That is no error, and flushing would fail.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(0) from None
            except (KeyboardInterrupt, Exception) as error:
                if not (isinstance(error, KeyboardInterrupt) or is_interrupted()):
                    raise
                sys.stderr.write(message)
                raise typer.Exit(INTERRUPTED) from None


def every_command(app: typer.Typer) -> Iterator[CommandInfo]:
    """Return all commands of `app` and of its groups."""
    yield from app.registered_commands
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from every_command(group.typer_instance)


app = typer.Typer(
    name="aggregator",
    help="Collect articles of many news outlets and group them into stories, one per event.",
    epilog="First steps: 'aggregator ingest FOLDER' reads saved articles, 'aggregator stories' lists the "
    "stories, 'aggregator run' starts the daemon with config.yaml.",
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


def _show_version(is_requested: bool) -> None:
    if is_requested:
        from aggregator import __version__

        typer.echo(__version__)
        raise typer.Exit


_WITH_VALUE = ("--config", "--database", "--log-format")
_FLAG = re.compile("-v+|--verbose")


@app.callback()
def _global(
    context: typer.Context,
    config: str = typer.Option(
        None, "--config", metavar="PATH", help="Use this configuration file (default: ./config.yaml)."
    ),
    database: str = typer.Option(
        None,
        "--database",
        metavar="URL",
        help="Use this database: sqlite:///FILE or postgresql://USER@HOST/NAME.",
    ),
    verbose: int = typer.Option(
        0, "-v", "--verbose", count=True, show_default=False, help="Log more details to standard error."
    ),
    log_format: str = typer.Option(
        None, "--log-format", metavar="text|json", help="Write log records in this format."
    ),
    version: bool = typer.Option(  # noqa: ARG001 - handled by its callback
        False, "--version", is_eager=True, callback=_show_version, help="Show the version and exit."
    ),
) -> None:
    context.obj = Settings(config=config, database=database, verbose=verbose, log_format=log_format)


def main(arguments: list[str] | None = None) -> None:
    """Run the console script; an AggregatorError ends it with the error's `exit_code`."""
    typed = sys.argv[1:] if arguments is None else arguments
    try:
        app(_global_first(typed), standalone_mode=True)
    except AggregatorError as error:
        _print_error(error)
        if isinstance(error, BrokenDaemonError):
            from aggregator.daemon.daemon import end_with_hung_threads

            end_with_hung_threads(error.exit_code)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # the reader (head, less) has ended; that is no error
        sys.exit(0)


def _print_error(error: AggregatorError) -> None:
    """Write the lines of an error to standard error, as log records if the log format is JSON."""
    from aggregator.config.logging import writes_json

    for line in str(error).splitlines():
        if writes_json():
            logging.getLogger("aggregator").error("%s", line, extra={"event": "cli_command_failed"})
        else:
            sys.stderr.write(f"aggregator: {line}\n")


def _global_first(arguments: list[str]) -> list[str]:
    """Move global options before the command: Typer accepts them only there. Stops at `--`."""
    global_options: list[str] = []
    others: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            others += [argument, *remaining]
        elif argument in _WITH_VALUE:
            value = next(remaining, None)
            if value is None:
                raise UsageError(f"{argument} needs a value; see `aggregator --help`")
            global_options += [argument, value]
        elif _FLAG.fullmatch(argument) or argument.startswith(tuple(f"{name}=" for name in _WITH_VALUE)):
            global_options.append(argument)
        else:
            others.append(argument)
    return global_options + others
