"""The command `doctor`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from aggregator.cli import output
from aggregator.cli.context import Context, Settings

if TYPE_CHECKING:
    from aggregator.model.health_report import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


def doctor(context: Context, format_: output.TextOrJsonl = "text") -> None:
    """Find problems of the installation.

    Prints what to do about each. The exit code is 1 if there is a problem.

    \b
    Examples:
      aggregator doctor
      aggregator doctor --format jsonl
    """
    has_problem = False
    for finding in _findings(context.obj):
        has_problem = has_problem or finding.level == "problem"
        if format_ == "jsonl":
            output.json_line(finding)
        else:
            advice = f"\n         → {finding.advice}" if finding.advice else ""
            output.out(
                f"{output.coloured(f'{finding.level:8}', _COLOURS[finding.level])} {finding.what}{advice}\n"
            )
    if has_problem:
        raise typer.Exit(1)


def _findings(settings: Settings) -> Iterator["Finding"]:
    from aggregator.admin.config_check import mistakes
    from aggregator.admin.doctor import examine
    from aggregator.model.errors import ConfigError
    from aggregator.store.read.health.probes import ok

    try:
        config = settings.load()
    except ConfigError as error:
        yield from mistakes(error)
        yield ok("nothing else was checked, because the configuration cannot be read")
    else:
        yield from examine(config)
