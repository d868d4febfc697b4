"""How every command is shown and ended: usage lines, being stopped, a reader that has gone.

Usage lines are as manuals write them: `WHAT...` must be given, `[ANOTHER]` may be.
"""

import os
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperCommand
from typer.models import CommandInfo

if TYPE_CHECKING:
    from typer import Context

INTERRUPTED: Final = 130  # what shells give a program that Ctrl-C ended
_REQUIRED = re.compile(r"\{(.+?)(?:\.\.\.)?\}(\.\.\.)?")
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
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.stderr.write(f"\naggregator: {_STOPPED.get(self.name or '', 'stopped')}\n")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader (head, less) has gone; nothing is wrong, and nobody is left to flush to.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None


def every_command(app: typer.Typer) -> Iterator[CommandInfo]:
    """All commands below `app`, those of groups included."""
    yield from app.registered_commands
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from every_command(group.typer_instance)
