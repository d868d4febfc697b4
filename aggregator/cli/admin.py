"""Commands for operators: config, doctor, token, and install-service, which writes a systemd unit."""

import difflib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.context import Context, Settings, missing_database
from aggregator.cli.output import argument, flag, option
from aggregator.config.messages import counted
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.model.health_report import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}

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
        one.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
        for one in loaded.sources
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
    config_check.check(loaded)
    if loaded.work.is_in_the_clear:
        output.say(
            f"warning: work.executor: {config_check.IN_THE_CLEAR}; {config_check.USE_TLS}"
        )
    output.say(
        f"{loaded.file or 'built-in defaults'}: no mistakes, {counted(len(loaded.sources), 'source')}"
    )


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
    from aggregator.store.read.health_probes import ok

    try:
        config = settings.load()
    except ConfigError as error:
        yield from mistakes(error)
        yield ok("nothing else was checked, because the configuration cannot be read")
    else:
        yield from examine(config)


def install_service(
    context: Context,
    user: Annotated[
        bool, flag("--user", "Install a user service, without root.")
    ] = False,
    print_: Annotated[
        bool, flag("--print", "Print the unit without writing it.")
    ] = False,
    to: Annotated[
        str,
        option(
            "--to",
            "FOLDER",
            "Write the unit to this folder, for an image without systemd.",
        ),
    ] = "",
    yes: Annotated[
        bool, flag("--yes", "Overwrite a different unit without confirmation.")
    ] = False,
) -> None:
    """Install a systemd unit that runs the daemon.

    Nothing is started; the next commands are printed. If a different unit exists, the differences are shown
    and you are asked for confirmation.

    \b
    Examples:
      aggregator install-service --print
      sudo /opt/aggregator/bin/aggregator install-service --config /etc/aggregator/config.yaml
      aggregator install-service --user --config ~/news/config.yaml
    """
    from aggregator.admin import systemd_unit

    if not print_ and not to:
        systemd_unit.refuse_without_systemd()
    program = _program()
    config = _configured(context.obj, user=user)
    assert config.file is not None
    text = systemd_unit.unit_text(program, config.file, user=user)
    if print_:
        output.out(text)
    for obstacle in () if user else systemd_unit.obstacles(program, config):
        output.say(f"the service cannot run yet: {obstacle}")
    if print_:
        return
    folder = Path(to).absolute() if to else systemd_unit.unit_folder(user=user)
    file = folder / systemd_unit.NAME
    if _may_write(file, text, yes=yes):
        output.say(f"wrote {systemd_unit.write_unit(folder, text)}")
    if not to:
        _print_next_commands(user=user)


def _program() -> Path:
    """Return the path of the script that was called, else of the one in the folder of the interpreter."""
    called = Path(sys.argv[0]).absolute()
    installed = Path(sys.executable).absolute().with_name("aggregator")
    program = (
        called
        if called.name == "aggregator" and os.access(called, os.X_OK)
        else installed
    )
    if not program.is_file():
        raise UsageError(
            f"there is no program at {program}: install the package and run its `aggregator`"
        )
    return program


def _configured(settings: Settings, *, user: bool) -> "Config":
    """Load the configuration that the service will use, which reports its mistakes now."""
    from aggregator.admin.systemd_unit import SYSTEM_CONFIG
    from aggregator.config.loader import load

    chosen = Path(settings.config) if settings.config else None
    if chosen is None:
        chosen = Path("config.yaml") if user else SYSTEM_CONFIG
        if not chosen.is_file():
            raise UsageError(
                f"there is no {chosen}: give another file with --config PATH, or create it with "
                f"`aggregator config default > {chosen}`"
            )
    return load(chosen.expanduser().absolute(), database=settings.database)


def _may_write(file: Path, text: str, *, yes: bool) -> bool:
    """Whether to write the unit. If a different one exists, shows the differences and asks.

    Raises UsageError if the existing unit cannot be read or the user declines.
    """
    try:
        existing = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return True
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if existing == text:
        output.say(f"{file} is up to date")
        return False
    lines = difflib.unified_diff(
        existing.splitlines(), text.splitlines(), str(file), "new", lineterm=""
    )
    output.out("".join(f"{line}\n" for line in lines))
    if not yes:
        output.say("Put your own lines in a drop-in instead: systemctl edit aggregator")
        output.confirm(f"Overwrite {file}?")
    return True


def _print_next_commands(*, user: bool) -> None:
    control = "systemctl --user" if user else "systemctl"
    output.say("Start the service with:")
    output.say(f"  {control} daemon-reload")
    output.say(f"  {control} enable --now aggregator")
    if user:
        output.say(
            "  loginctl enable-linger   (keeps it running while you are not logged in)"
        )
    output.say(
        f"Show its state and log with: {control} status aggregator; "
        f"journalctl {'--user ' * user}-u aggregator"
    )


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
    from aggregator.model.core import utc_now
    from aggregator.store.stories.api_tokens import SCOPES
    from aggregator.store.stories.api_tokens import create as run

    scopes = tuple(one for one in SCOPES if one in scope)
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
    from aggregator.store.stories.api_tokens import all_tokens

    with context.obj.reading() as (config, database), database.read() as connection:
        listed = all_tokens(connection)
    if format_ == "jsonl":
        for one in listed:
            output.json_line(one)
    elif listed:
        columns = ("id", "name", "scopes", "created", "last used", "revoked")
        rows = (
            (
                one.id,
                one.name,
                ", ".join(one.scopes),
                one.created_at,
                one.last_used_at,
                one.revoked_at,
            )
            for one in listed
        )
        output.table(columns, rows, wide=("name",))
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
    from aggregator.model.core import utc_now
    from aggregator.store.stories.api_tokens import revoke as run

    with (
        context.obj.writing() as (_, database),
        database.write(durable=True) as connection,
    ):
        revoked = run(connection, name, utc_now())
    output.say(f"revoked {revoked.id} ({revoked.name})")
