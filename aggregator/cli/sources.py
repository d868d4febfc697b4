"""The commands of `sources`: the feeds and folders that articles come from."""

import typer

from aggregator.cli import change_sources, check_sources, list_sources

sources = typer.Typer(
    name="sources",
    help="Manage the feeds and folders that articles come from.",
    no_args_is_help=True,
)
sources.command("list")(list_sources.list_)
sources.command("show")(list_sources.show_)
sources.command("add")(change_sources.add)
sources.command("remove")(change_sources.remove)
sources.command("pause")(change_sources.pause)
sources.command("resume")(change_sources.resume)
sources.command("check")(check_sources.check)
sources.command("import")(check_sources.import_)
sources.command("export")(check_sources.export)
