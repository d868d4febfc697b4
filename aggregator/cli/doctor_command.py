"""The command `doctor`."""

import os
import sys
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import typer

from aggregator.cli import output
from aggregator.cli.command_context import Context

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
    from aggregator.admin.config_check import report_mistakes
    from aggregator.admin.doctor_report import examine
    from aggregator.model.errors import ConfigError
    from aggregator.store.read.health.health_probes import ok

    findings: Iterator[Finding]
    try:
        findings = examine(context.obj.load())
    except ConfigError as error:
        findings = chain(
            report_mistakes(error),
            [ok("nothing else was checked, because the configuration cannot be read")],
        )
    has_problem = False
    has_colours = (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )
    for finding in findings:
        has_problem = has_problem or finding.level == "problem"
        if format_ == "jsonl":
            output.json_line(finding)
        else:
            level = f"{finding.level:8}"
            if has_colours:
                level = typer.style(level, fg=_COLOURS[finding.level])
            output.out(f"{level} {finding.what}\n")
            if finding.advice:
                output.out(f"         → {finding.advice}\n")
    if has_problem:
        raise typer.Exit(1)
