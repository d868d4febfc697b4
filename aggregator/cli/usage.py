"""Usage lines as manuals write them: `WHAT...` must be given, `[ANOTHER]` may be."""

import re
from collections.abc import Iterator

import typer
from typer.core import TyperCommand
from typer.models import CommandInfo

_REQUIRED = re.compile(r"\{(.+?)(?:\.\.\.)?\}(\.\.\.)?")


class PlainCommand(TyperCommand):
    """A command whose usage line has no braces around what is required."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return [_REQUIRED.sub(r"\1\2", piece) for piece in super().collect_usage_pieces(ctx)]


def every_command(app: typer.Typer) -> Iterator[CommandInfo]:
    """All commands below `app`, those of groups included."""
    yield from app.registered_commands
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from every_command(group.typer_instance)
