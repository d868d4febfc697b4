"""The commands below `token`: who may push articles, and read from elsewhere."""

from typing import Annotated, Literal

import typer

from aggregator.cli import output
from aggregator.cli.context import Settings, missing_database
from aggregator.model.errors import UsageError

token = typer.Typer(help="Tokens: who may push articles, and read from elsewhere.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(token, name="token")


@token.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what will use it.")],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            metavar="read|push|admin",
            help="What it opens: read whole articles, push articles, everything. May be given twice.",
        ),
    ],
) -> None:
    """Make a token and print it, this once.

    Only a hash of it is kept. Articles without an outlet are told apart by NAME and their id.

    \b
    Examples:
      aggregator token create newsroom --scope push
      aggregator token create phone --scope read
    """
    from aggregator.model.core import utc_now
    from aggregator.store.stories.api_tokens import SCOPES
    from aggregator.store.stories.api_tokens import create as run

    scopes = tuple(one for one in SCOPES if one in scope)
    if unknown := sorted(set(scope) - set(SCOPES)):
        raise UsageError(f"--scope {unknown[0]}: choose {', '.join(SCOPES)}")
    settings: Settings = context.obj
    with settings.writing() as (_, database), database.write(durable=True) as connection:
        made, secret = run(connection, name, scopes, utc_now())
    output.out(secret + "\n")
    output.say(f"this is token {made.id} ({made.name}, {', '.join(made.scopes)}); it is not shown again")


@token.command(name="list")
def list_(
    context: typer.Context,
    format_: Annotated[Literal["table", "jsonl"], typer.Option("--format", metavar="table|jsonl")] = "table",
) -> None:
    """Every token: what it opens, and when it was used last.

    \b
    Examples:
      aggregator token list
      aggregator token list --format jsonl
    """
    import msgspec

    from aggregator.store.stories.api_tokens import all_tokens

    settings: Settings = context.obj
    with settings.reading() as (config, database), database.read() as connection:
        listed = all_tokens(connection)
    if format_ == "jsonl":
        for one in listed:
            output.out(msgspec.json.encode(one) + b"\n")
    elif listed:
        columns = ("id", "name", "scopes", "created", "last used", "revoked")
        rows = (
            (one.id, one.name, ", ".join(one.scopes), one.created_at, one.last_used_at, one.revoked_at)
            for one in listed
        )
        output.table(columns, rows, wide=("name",))
    elif missing_database(config) is None:
        output.say("no tokens yet; type: aggregator token create NAME --scope push")


@token.command()
def revoke(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME|ID", help="As `aggregator token list` shows it.")],
) -> None:
    """Let a token open nothing any more, at once.

    What came with it stays; its name may be given again.

    \b
    Examples:
      aggregator token revoke TOKEN
    """
    from aggregator.model.core import utc_now
    from aggregator.store.stories.api_tokens import revoke as run

    settings: Settings = context.obj
    with settings.writing() as (_, database), database.write(durable=True) as connection:
        gone = run(connection, name, utc_now())
    output.say(f"revoked {gone.id} ({gone.name})")
