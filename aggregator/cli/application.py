"""The command line: the Typer application, its global options and exit codes, and Ctrl-C without a traceback.

A command loads its own module only, and modules import their dependencies inside functions, so that commands,
`aggregator --help` and completion start quickly. Global options may precede or follow the command.

Usage lines follow the convention of manual pages: `WHAT...` is required, `[ANOTHER]` is optional.
"""

import _thread
import logging
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any, Literal

import typer
from typer.core import TyperCommand
from typer.models import CommandInfo

from aggregator.cli.command_context import Context, Settings
from aggregator.cli.output import discard_output
from aggregator.model.errors import AggregatorError, UsageError

# The exit code of shells after SIGINT: 128 + 2
EXIT_CODE = 130


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Make Ctrl-C end the command; yield a function that returns whether Ctrl-C was pressed.

    Python raises KeyboardInterrupt between any two instructions, and libraries can lose it: an exception in a
    finalizer or a weak reference callback is only reported, and an import may raise ImportError instead.
    """
    before = signal.getsignal(signal.SIGINT)
    # The signal is ignored in commands that a shell script starts with `&`.
    if threading.current_thread() is not threading.main_thread() or not callable(
        before
    ):
        yield lambda: False
        return
    interrupt = _Interrupt()
    report = sys.unraisablehook

    def report_others(lost: "sys.UnraisableHookArgs") -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            # The exception must not be raised inside the library again.
            later = threading.Timer(0.1, interrupt.repeat)
            later.daemon = True
            later.start()
        else:
            report(lost)

    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = report_others
    try:
        yield lambda: interrupt.has_come
    finally:
        if interrupt.is_in_force():
            signal.signal(signal.SIGINT, before)
        sys.unraisablehook = report


class _Interrupt:
    """The handler of Ctrl-C while a command runs."""

    has_come = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.has_come = True
        raise KeyboardInterrupt

    def is_in_force(self) -> bool:
        """Return whether this handler is still set. The daemon sets its own."""
        return signal.getsignal(signal.SIGINT) is self

    def repeat(self) -> None:
        """Raise KeyboardInterrupt again after a library has lost it."""
        if self.is_in_force():
            _thread.interrupt_main()


_REQUIRED = re.compile(r"\{([^{}\n]+?)(?:\.\.\.)?\}(\.\.\.)?")
_STOPPED = {
    "ingest": "stopped; articles read so far are stored. Type the same command to continue.",
    "recluster": "stopped; nothing was changed. Type the same command to continue.",
    "eval": "stopped; no result was stored",
    "export": "stopped; no file was written",
    "import": "stopped; nothing was imported",
    "upgrade": "stopped; nothing was upgraded. Type the same command to try again.",
}


class PlainCommand(TyperCommand):
    """A command without braces in its usage line, which ends without a traceback on Ctrl-C and closed pipes."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        pieces = super().collect_usage_pieces(ctx)
        return [_REQUIRED.sub(r"\1\2", piece) for piece in pieces]

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command. After Ctrl-C, print what became of the work; after a closed pipe, print nothing."""
        with interruptible() as is_interrupted:
            try:
                return super().invoke(ctx)
            except typer.Exit:
                raise
            except BrokenPipeError:
                # The reader (head, less) has ended; that is not an error.
                discard_output()
                raise typer.Exit(0) from None
            except (KeyboardInterrupt, Exception) as error:
                if not (isinstance(error, KeyboardInterrupt) or is_interrupted()):
                    raise
                sys.stderr.write(
                    f"\naggregator: {_STOPPED.get(self.name or '', 'stopped')}\n"
                )
                raise typer.Exit(EXIT_CODE) from None


def every_command(app: typer.Typer) -> Iterator[CommandInfo]:
    """Yield all commands of `app` and of its groups."""
    yield from app.registered_commands
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from every_command(group.typer_instance)


# `--help` lists the commands in this order.
_COMMANDS = (
    "run", "ingest", "extract", "stories", "search", "story", "explain", "feed", "digest", "mcp", "recluster",
    "forget", "eval", "doctor", "install-service", "export", "import",
)  # fmt: skip
_GROUPS = ("correct", "sources", "token", "webhooks", "notify", "db", "config")
# MODULE.NAME of a command or group below aggregator.cli, unless this is NAME_command.NAME
_PLACES = {
    "eval": "evaluate_command.evaluate",
    "install-service": "install_service_command.install_service",
    "import": "export_command.import_",
    "notify": "webhooks_command.notify",
}


def make_app(only: str | None = None) -> typer.Typer:
    """Return the application with one command or group, or with all of them if it has none named `only`."""
    app = typer.Typer(
        name="aggregator",
        help="Collect articles of many news outlets and group them into stories, one per event.",
        epilog="First steps: 'aggregator ingest FOLDER' reads saved articles, 'aggregator stories' lists the "
        "stories, 'aggregator run' starts the daemon with config.yaml.",
        callback=_global,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    names = {*_COMMANDS, *_GROUPS}
    for name in [only] if only in names else _COMMANDS + _GROUPS:
        module, _, attribute = _PLACES.get(name, f"{name}_command.{name}").partition(
            "."
        )
        part = getattr(import_module(f"aggregator.cli.{module}"), attribute)
        if name in _GROUPS:
            app.add_typer(part)
        else:
            app.command(name)(part)
    for command in every_command(app):
        command.cls = PlainCommand
    return app


def _show_version(is_requested: bool) -> None:
    if is_requested:
        from aggregator import __version__

        typer.echo(__version__)
        raise typer.Exit


_WITH_VALUE = ("--config", "--database", "--log-format")
_FLAG = re.compile("-v+|--verbose")
# Python decodes a byte that is not UTF-8 to one of these.
_SURROGATE = re.compile("[\udc80-\udcff]")


def _global(
    context: Context,
    config: str = typer.Option(
        None,
        "--config",
        metavar="PATH",
        help="Use this configuration file (default: ./config.yaml).",
    ),
    database: str = typer.Option(
        None,
        "--database",
        metavar="URL",
        help="Use this database: sqlite:///FILE or postgresql://USER@HOST/NAME.",
    ),
    verbose: int = typer.Option(
        0,
        "-v",
        "--verbose",
        count=True,
        show_default=False,
        help="Log more details to standard error.",
    ),
    log_format: Literal["text", "json"] = typer.Option(
        None,
        "--log-format",
        metavar="text|json",
        help="Write log records in this format.",
    ),
    version: bool = typer.Option(  # noqa: ARG001 - handled by its callback
        False,
        "--version",
        is_eager=True,
        callback=_show_version,
        help="Show the version and exit.",
    ),
) -> None:
    context.obj = Settings(
        config=config, database=database, verbose=verbose, log_format=log_format
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the console script; an AggregatorError ends it with the error's `exit_code`."""
    typed = sys.argv[1:] if arguments is None else arguments
    try:
        options, others = _split_global_options(typed)
        make_app(others[0] if others else None)(
            [*options, *others], standalone_mode=True
        )
    except AggregatorError as error:
        _print_error(error)
        if "run" in typed:  # Python would wait for threads of the daemon that hang
            from aggregator.daemon.hung_threads import end_with_hung_threads

            end_with_hung_threads(error.exit_code)
        sys.exit(error.exit_code)
    except UnicodeEncodeError:
        # Typed words must be UTF-8, except names of files.
        for word in typed:
            if _SURROGATE.search(word):
                _print_error(UsageError(f"{word}: this is not UTF-8 text"))
                sys.exit(UsageError.exit_code)
        raise
    except BrokenPipeError:
        # The reader (head, less) has ended; that is not an error.
        sys.stderr.close()
        sys.exit(0)


def _print_error(error: AggregatorError) -> None:
    """Write the lines of an error to standard error, as log records if the log format is JSON."""
    from aggregator.config.logging import writes_json

    for line in str(error).splitlines():
        if writes_json():
            logging.getLogger("aggregator").error(
                "%s", line, extra={"event": "cli_command_failed"}
            )
        else:
            sys.stderr.write(f"aggregator: {line}\n")


def _split_global_options(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the global options, and all other arguments, because Typer accepts global options only before the command.

    Everything after `--` belongs to the other arguments.
    """
    global_options = []
    others = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            others += [argument, *remaining]
        elif argument in _WITH_VALUE:
            value = next(remaining, None)
            if value is None:
                raise UsageError(f"{argument} needs a value; see `aggregator --help`")
            global_options += [argument, value]
        elif _FLAG.fullmatch(argument) or argument.split("=")[0] in _WITH_VALUE:
            global_options.append(argument)
        else:
            others.append(argument)
    return global_options, others
