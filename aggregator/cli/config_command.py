"""The commands of `config`."""

import typer

from aggregator.cli import output
from aggregator.cli.command_context import Context
from aggregator.config.messages import pluralise

config = typer.Typer(
    name="config", help="Show and check the configuration.", no_args_is_help=True
)


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
    values = loaded.model_dump(mode="json") | {
        "database": shown_url(loaded.database_url)
    }
    values["sources"] = [
        source.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
        for source in loaded.sources
    ]
    output.out(
        redact(
            yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=10_000)
        )
    )


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
    from aggregator.admin import config_check

    loaded = context.obj.load()
    for line in loaded.warnings:
        output.say(f"warning: {line}")
    config_check.check_config(loaded)
    if loaded.work.is_in_the_clear:
        output.say(
            f"warning: work.executor: {config_check.IN_THE_CLEAR}; {config_check.USE_TLS}"
        )
    output.say(
        f"{loaded.file or 'built-in defaults'}: no mistakes, {pluralise(len(loaded.sources), 'source')}"
    )
