"""Commands for operators: config, doctor."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from aggregator.cli import output
from aggregator.cli.context import Context, Settings
from aggregator.config.messages import counted

if TYPE_CHECKING:
    from aggregator.admin.doctor.doctor import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}

config = typer.Typer(name="config", help="Show and check the configuration.", no_args_is_help=True)


@config.command(name="show")
def show_(context: Context) -> None:
    """Print all settings with their current values, as YAML.

    Secrets are printed as ***: passwords and keys in addresses, and the addresses of webhooks.

    \b
    Examples:
      aggregator config show
      aggregator config show > everything.yaml
    """
    import yaml

    from aggregator.config.messages import redact
    from aggregator.store.engine.database import shown_url

    loaded = context.obj.load()
    values = loaded.model_dump(mode="json") | {"database": shown_url(loaded.database_url)}
    values["sources"] = [
        {key: value for key, value in source.items() if value is not None} for source in values["sources"]
    ]
    output.out(redact(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=10_000)))


@config.command()
def default() -> None:
    """Print a configuration file with all settings.

    It has the default value and the description of each. Use it as the start of your own config.yaml.

    \b
    Examples:
      aggregator config default > config.yaml
    """
    from aggregator.config.loader import starting_config_text

    output.out(starting_config_text())


@config.command()
def check(context: Context) -> None:
    """Check the configuration file.

    Lists all mistakes with their lines. The exit code is 2 if there is a mistake.

    \b
    Examples:
      aggregator config check
      aggregator config check --config /etc/aggregator/config.yaml
    """
    from aggregator.admin.doctor import configuration

    loaded = context.obj.load()
    configuration.check(loaded)
    if loaded.work.is_in_the_clear:
        output.say(f"warning: work.executor: {configuration.IN_THE_CLEAR}; {configuration.USE_TLS}")
    output.say(f"{loaded.file or 'built-in defaults'}: no mistakes, {counted(len(loaded.sources), 'source')}")


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
    from aggregator.admin.doctor.doctor import examine, mistakes
    from aggregator.model.errors import ConfigError

    try:
        config = settings.load()
    except ConfigError as error:
        yield from mistakes(error)
    else:
        yield from examine(config)
