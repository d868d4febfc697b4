"""The command install-service: the unit of systemd, with this installation's paths."""

import difflib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.context import Settings
from aggregator.model.errors import AggregatorError, UsageError

if TYPE_CHECKING:
    from aggregator.config.settings import Config


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("install-service")(install_service)


def install_service(
    context: typer.Context,
    user: Annotated[bool, typer.Option("--user", help="A service of your own, without root.")] = False,
    print_: Annotated[bool, typer.Option("--print", help="Print the unit, write nothing.")] = False,
    to: Annotated[
        str,
        typer.Option("--to", metavar="FOLDER", help="Write it there, for an image; systemd need not run."),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Overwrite a unit that is different.")] = False,
) -> None:
    """Write the unit with which systemd runs the daemon.

    It starts nothing: what to type next is said. A unit that is there and different is shown and asked about.

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
    for one in () if user else systemd_unit.obstacles(program, config):
        output.say(f"before it can run: {one}")
    if print_:
        return
    wrong = systemd_unit.complaints(text, user=user)
    if wrong:
        raise AggregatorError("\n".join(["systemd-analyze verify refuses the unit:", *wrong]))
    folder = Path(to).absolute() if to else systemd_unit.unit_folder(user=user)
    file = folder / systemd_unit.NAME
    if _may_write(file, text, yes=yes):
        output.say(f"wrote {systemd_unit.write_unit(folder, text)}")
    if not to:
        _say_what_next(user=user)


def _program() -> Path:
    """The script that was called, or the one beside this interpreter."""
    called = Path(sys.argv[0]).absolute()
    beside = Path(sys.executable).absolute().with_name("aggregator")
    program = called if called.name == "aggregator" and os.access(called, os.X_OK) else beside
    if not program.is_file():
        raise UsageError(f"there is no program at {program}: install the package, then call its `aggregator`")
    return program


def _configured(settings: Settings, *, user: bool) -> "Config":
    """The configuration that the service is to have; it is read, so that its mistakes are told now."""
    from aggregator.admin.systemd_unit import SYSTEM_CONFIG
    from aggregator.config.loader import load

    chosen = Path(settings.config) if settings.config else None
    if chosen is None:
        chosen = Path("config.yaml") if user else SYSTEM_CONFIG
        if not chosen.is_file():
            raise UsageError(
                f"there is no {chosen}: give the file as --config PATH; this makes one: "
                f"aggregator config default > {chosen}"
            )
    return load(chosen.expanduser().absolute(), database=settings.database)


def _may_write(file: Path, text: str, *, yes: bool) -> bool:
    """Whether the unit is to be written; shows what would be lost, and asks."""
    try:
        there = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return True
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if there == text:
        output.say(f"{file} is as it should be")
        return False
    lines = difflib.unified_diff(there.splitlines(), text.splitlines(), str(file), "new", lineterm="")
    output.out("".join(f"{line}\n" for line in lines))
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(f"{file} is there and different, and nobody is there to ask: add --yes")
    if not typer.confirm("Overwrite it?", err=True):
        raise UsageError(
            "nothing was changed; lines of your own belong into a drop-in: systemctl edit aggregator"
        )
    return True


def _say_what_next(*, user: bool) -> None:
    control = "systemctl --user" if user else "systemctl"
    output.say("type next:")
    output.say(f"  {control} daemon-reload")
    output.say(f"  {control} enable --now aggregator")
    if user:
        output.say("  loginctl enable-linger   (so that it runs while you are not logged in)")
    output.say(
        f"it says how it does: {control} status aggregator, journalctl {'--user ' * user}-u aggregator"
    )
