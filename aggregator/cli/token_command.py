"""The commands of `token`."""

from typing import Annotated

import typer

from aggregator.cli import output
from aggregator.cli.command_context import Context, missing_database
from aggregator.cli.output import argument, option
from aggregator.model.errors import UsageError

token = typer.Typer(
    name="token", help="Manage tokens for the HTTP API.", no_args_is_help=True
)


@token.command()
def create(
    context: Context,
    name: Annotated[
        str,
        argument("NAME", "Name the token after the person or program that uses it."),
    ],
    scope: Annotated[
        list[str],
        option(
            "--scope",
            "read|push|admin",
            "Allow reading full texts, pushing articles, or everything; repeat it for several scopes.",
        ),
    ],
) -> None:
    """Create a token and print it.

    It cannot be shown again: only a hash is stored. Pushed articles without an outlet are identified by NAME
    and their id.

    \b
    Examples:
      aggregator token create newsroom --scope push
      aggregator token create phone --scope read
    """
    from aggregator.model.clock import utc_now
    from aggregator.store.api_tokens import SCOPES
    from aggregator.store.api_tokens import create as run

    scopes = tuple(word for word in SCOPES if word in scope)
    if unknown := sorted(set(scope) - set(SCOPES)):
        raise UsageError(f"--scope {unknown[0]}: choose {', '.join(SCOPES)}")
    with (
        context.obj.writing() as (_, database),
        database.write(durable=True) as connection,
    ):
        created, secret = run(connection, name, scopes, utc_now())
    output.out(secret + "\n")
    output.say(
        f"created token {created.id} ({created.name}, {', '.join(created.scopes)}); it is not shown again"
    )


@token.command(name="list")
def list_(context: Context, format_: output.TableOrJsonl = "table") -> None:
    """List all tokens with their scopes and last use.

    \b
    Examples:
      aggregator token list
      aggregator token list --format jsonl
    """
    from aggregator.store.api_tokens import all_tokens

    with context.obj.reading() as (config, database), database.read() as connection:
        listed = all_tokens(connection)
    if format_ == "jsonl":
        output.json_lines(listed)
    elif listed:
        rows = [
            (
                known.id,
                known.name,
                ", ".join(known.scopes),
                known.created_at,
                known.last_used_at,
                known.revoked_at,
            )
            for known in listed
        ]
        output.table(
            ("id", "name", "scopes", "created", "last used", "revoked"),
            rows,
            wide=("name",),
        )
    elif missing_database(config) is None:
        output.say(
            "No tokens yet. Create one with `aggregator token create NAME --scope push`."
        )


@token.command()
def revoke(
    context: Context,
    name: Annotated[
        str,
        argument(
            "NAME|ID",
            "Revoke the token with this name or id (see `aggregator token list`).",
        ),
    ],
) -> None:
    """Revoke a token immediately.

    Articles that were pushed with it remain. Its name can be used again.

    \b
    Examples:
      aggregator token revoke TOKEN
    """
    from aggregator.model.clock import utc_now
    from aggregator.store.api_tokens import revoke as run

    with (
        context.obj.writing() as (_, database),
        database.write(durable=True) as connection,
    ):
        revoked = run(connection, name, utc_now())
    output.say(f"revoked {revoked.id} ({revoked.name})")
