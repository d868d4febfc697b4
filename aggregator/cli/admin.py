"""Commands for who runs it: db, config, doctor."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aggregator.cli import output
from aggregator.cli.context import Settings, bring_up, missing_database
from aggregator.config.messages import counted

if TYPE_CHECKING:
    from aggregator.admin.doctor.doctor import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}

db = typer.Typer(help="The database: bring it up to date, see what is in it.", no_args_is_help=True)
config = typer.Typer(help="What is in force, and whether config.yaml can be read.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(db, name="db")
    app.add_typer(config, name="config")
    app.command()(doctor)


@db.command()
def upgrade(context: typer.Context) -> None:
    """Bring the tables up to date; harmless when they are.

    \b
    Examples:
      aggregator db upgrade
      aggregator db upgrade --database postgresql://me@localhost/news
    """
    from aggregator.store.engine.database import Database, shown_url

    settings: Settings = context.obj
    loaded = settings.load()
    database = Database(loaded.database_url)
    before, after = bring_up(database, loaded, anew=True)
    database.close()
    where = shown_url(loaded.database_url)
    output.say(f"{where} is at {after}" + ("" if before == after else f" (was {before or 'empty'})"))


@db.command()
def stats(context: typer.Context) -> None:
    """How much is in it.

    \b
    Examples:
      aggregator db stats
    """
    from aggregator.store.read.table_counts import statistics

    settings: Settings = context.obj
    with settings.reading() as (config, database):
        for name, value in statistics(database) if missing_database(config) is None else ():
            output.out(f"{name:22}{value}\n")


@config.command(name="show")
def show_(context: typer.Context) -> None:
    """Every key with the value in force, as YAML.

    *** stands for what is secret: passwords and keys in addresses, the addresses of webhooks.

    \b
    Examples:
      aggregator config show
      aggregator config show > everything.yaml
    """
    import yaml

    from aggregator.config.messages import redact
    from aggregator.store.engine.database import shown_url

    settings: Settings = context.obj
    loaded = settings.load()
    values = loaded.model_dump(mode="json") | {"database": shown_url(loaded.database_url)}
    values["sources"] = [
        {key: value for key, value in one.items() if value is not None} for one in values["sources"]
    ]
    output.out(redact(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=10_000)))


@config.command()
def default() -> None:
    """The commented file that comes with the program.

    To begin one of your own: it names every key, with what it is for.

    \b
    Examples:
      aggregator config default > config.yaml
    """
    from aggregator.config.loader import starting_config_text

    output.out(starting_config_text())


@config.command()
def check(context: typer.Context) -> None:
    """Read the file and name every mistake with its line.

    Ends with 2 where there is one.

    \b
    Examples:
      aggregator config check
      aggregator config check --config /etc/aggregator/config.yaml
    """
    from aggregator.admin.config_check import check as check_config

    settings: Settings = context.obj
    loaded = settings.load()
    check_config(loaded)
    if loaded.work.is_in_the_clear:
        from aggregator.admin.doctor.configuration import IN_THE_CLEAR, USE_TLS

        output.say(f"warning: work.executor: {IN_THE_CLEAR}; {USE_TLS}")
    output.say(f"{loaded.file or 'built-in defaults'}: no mistakes, {counted(len(loaded.sources), 'source')}")


def doctor(
    context: typer.Context,
    format_: Annotated[Literal["text", "jsonl"], typer.Option("--format", metavar="text|jsonl")] = "text",
) -> None:
    """What is wrong, and what to type next.

    Ends with 1 where there is a problem.

    \b
    Examples:
      aggregator doctor
      aggregator doctor --format jsonl
    """
    import msgspec

    settings: Settings = context.obj
    bad = False
    for finding in _findings(settings):
        bad = bad or finding.level == "problem"
        if format_ == "jsonl":
            output.out(msgspec.json.encode(finding) + b"\n")
        else:
            advice = f"\n         → {finding.advice}" if finding.advice else ""
            output.out(
                f"{output.coloured(f'{finding.level:8}', _COLOURS[finding.level])} {finding.what}{advice}\n"
            )
    if bad:
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
