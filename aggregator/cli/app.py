"""The command line: parse, call, print.

Every command module imports what it needs inside its functions, so that `aggregator --help` and completion
start at once. Global options may stand before or after the command.

How every command is shown and ended: usage lines, being stopped, a reader that has gone.

Usage lines are as manuals write them: `WHAT...` must be given, `[ANOTHER]` may be.
"""

import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

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
from aggregator.model.errors import AggregatorError, BrokenDaemonError, UsageError

if TYPE_CHECKING:
    from typer import Context


_AGAIN_SECONDS = 0.05  # until an interrupt that a library lost is sent again
INTERRUPTED: Final = 130  # what shells give a program that Ctrl-C ended
_REQUIRED = re.compile(r"\{([^{}\n]+?)(?:\.\.\.)?\}(\.\.\.)?")
_STOPPED = {
    "ingest": "stopped; what was read is safe, and the same command goes on from here",
    "recluster": "stopped; nothing has changed, and the same command goes on from here",
    "eval": "stopped; nothing was kept of it",
    "export": "stopped; no file was written",
    "import": "stopped; nothing of it was kept",
    "upgrade": "stopped; the step that was under way is undone, and the same command goes on from here",
}


class PlainCommand(TyperCommand):
    """A command whose usage line has no braces around what is required, and that ends quietly."""

    def collect_usage_pieces(self, ctx: "Context") -> list[str]:  # type: ignore[override]
        return [_REQUIRED.sub(r"\1\2", piece) for piece in super().collect_usage_pieces(ctx)]

    def invoke(self, ctx: "Context") -> Any:  # type: ignore[override]
        """Run it. Ctrl-C says in words what became of the work; a closed pipe says nothing."""
        with _interruptible() as is_interrupted:
            try:
                return super().invoke(ctx)
            except typer.Exit:
                raise
            except BrokenPipeError:
                # The reader (head, less) has gone; nothing is wrong, and nobody is left to flush to.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(0) from None
            except (KeyboardInterrupt, Exception) as error:
                if not (isinstance(error, KeyboardInterrupt) or is_interrupted()):
                    raise
                sys.stderr.write(f"\naggregator: {_STOPPED.get(self.name or '', 'stopped')}\n")
                raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Make Ctrl-C end the command wherever it is; yields a function that says whether it was typed.

    Python raises KeyboardInterrupt between any two instructions, also where a library loses it: what is
    raised in a finalizer or a callback of a weak reference is only reported, so the signal is sent again;
    and a module that is interrupted while it is imported may raise an ImportError in its place.
    """
    if threading.current_thread() is not threading.main_thread() or (
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler  # nohup, for one, ignores it
    ):
        yield lambda: False
        return
    main_thread = threading.get_ident()
    is_interrupted = False
    again: list[threading.Timer] = []
    report = sys.unraisablehook

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        nonlocal is_interrupted
        is_interrupted = True
        raise KeyboardInterrupt

    def report_or_repeat(lost: "sys.UnraisableHookArgs") -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            report(lost)
            return
        again.append(threading.Timer(_AGAIN_SECONDS, signal.pthread_kill, (main_thread, signal.SIGINT)))
        again[-1].start()

    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = report_or_repeat
    try:
        yield lambda: is_interrupted
    finally:
        for timer in again:
            timer.cancel()
        sys.unraisablehook = report
        if signal.getsignal(signal.SIGINT) is interrupt:  # the daemon has one of its own
            signal.signal(signal.SIGINT, signal.default_int_handler)


def every_command(app: typer.Typer) -> Iterator[CommandInfo]:
    """All commands below `app`, those of groups included."""
    yield from app.registered_commands
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from every_command(group.typer_instance)


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
