"""How every command is shown and ended: usage lines, being stopped, a reader that has gone.

Usage lines are as manuals write them: `WHAT...` must be given, `[ANOTHER]` may be.
"""

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
