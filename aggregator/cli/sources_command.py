"""The commands of `sources`: the feeds and folders that articles come from."""

from collections.abc import Callable

import typer

from aggregator.cli import change_sources, check_sources, list_sources

sources = typer.Typer(
    name="sources",
    help="Manage the feeds and folders that articles come from.",
    no_args_is_help=True,
)

_COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_sources.list_,
    "show": list_sources.show_,
    "add": change_sources.add,
    "remove": change_sources.remove,
    "pause": change_sources.pause,
    "resume": change_sources.resume,
    "check": check_sources.check,
    "import": check_sources.import_,
    "export": check_sources.export,
}
for name, command in _COMMANDS.items():
    sources.command(name)(command)
