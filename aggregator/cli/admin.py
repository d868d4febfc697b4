"""Commands for who runs it: db, config, doctor."""

from typing import Annotated, Literal

import typer

from aggregator.cli import show
from aggregator.cli.context import Settings, missing_database, tell_step

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
    from aggregator.store.database import Database, shown_url
    from aggregator.store.migrate import upgrade as run

    settings: Settings = context.obj
    loaded = settings.load()
    database = Database(loaded.database_url)
    before, after = run(database, tell_step)
    database.close()
    where = shown_url(loaded.database_url)
    show.say(f"{where} is at {after}" + ("" if before == after else f" (was {before or 'empty'})"))


@db.command()
def stats(context: typer.Context) -> None:
    """How much is in it.

    \b
    Examples:
      aggregator db stats
    """
    from aggregator.store.statistics import statistics

    settings: Settings = context.obj
    with settings.reading() as (config, database):
        for name, value in statistics(database) if missing_database(config) is None else ():
            show.out(f"{name:22}{value}\n")


@db.command(name="check")
def check_(context: typer.Context) -> None:
    """Whether all rows agree with each other.

    Changes nothing. Ends with 1 where something is wrong. A daemon may go on meanwhile.

    \b
    Examples:
      aggregator db check
    """
    from aggregator.store.checking import faults

    settings: Settings = context.obj
    with settings.reading() as (config, database):
        if missing_database(config) is not None:
            return
        found = list(faults(database))
    for fault in found:
        show.out(f"{fault.rows:9,}  {fault.what}\n")
    if found:
        show.say("keep a copy of the database before anything else is tried")
        raise typer.Exit(1)
    show.say("nothing is wrong")


@config.command(name="show")
def show_(context: typer.Context) -> None:
    """Every key with the value in force, as YAML.

    \b
    Examples:
      aggregator config show
      aggregator config show > everything.yaml
    """
    import yaml

    from aggregator.store.database import shown_url

    settings: Settings = context.obj
    loaded = settings.load()
    values = loaded.model_dump(mode="json") | {"database": shown_url(loaded.database_url)}
    values["sources"] = [
        {key: value for key, value in one.items() if value is not None} for one in values["sources"]
    ]
    show.out(yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


@config.command()
def check(context: typer.Context) -> None:
    """Read the file and name every mistake with its line.

    Ends with 2 where there is one.

    \b
    Examples:
      aggregator config check
      aggregator config check --config /etc/aggregator/config.yaml
    """
    settings: Settings = context.obj
    loaded = settings.load()
    if loaded.webhooks:
        from aggregator.publish.hooks.configured import hooks_of

        hooks_of(loaded)  # reads the files of secrets
    show.say(f"{loaded.file or 'built-in defaults'}: no mistakes, {len(loaded.sources)} sources")


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

    from aggregator.ops.doctor import examine

    settings: Settings = context.obj
    bad = False
    for finding in examine(settings.load()):
        bad = bad or finding.level == "problem"
        if format_ == "jsonl":
            show.out(msgspec.json.encode(finding) + b"\n")
        else:
            advice = f"\n         → {finding.advice}" if finding.advice else ""
            show.out(
                f"{show.coloured(f'{finding.level:8}', _COLOURS[finding.level])} {finding.what}{advice}\n"
            )
    if bad:
        raise typer.Exit(1)
