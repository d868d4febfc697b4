"""The command `install-service`."""

import difflib
import os
import sys
from pathlib import Path
from typing import Annotated

from aggregator.cli import output
from aggregator.cli.command_context import Context
from aggregator.cli.output import flag, option
from aggregator.model.errors import UsageError


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
    from aggregator.config.loader import load

    if not print_ and not to:
        systemd_unit.refuse_without_systemd()
    called = Path(sys.argv[0]).absolute()
    program = Path(sys.executable).absolute().with_name("aggregator")
    if called.name == program.name and os.access(called, os.X_OK):
        program = called
    if not program.is_file():
        raise UsageError(
            f"there is no program at {program}: install the package and run its `aggregator`"
        )
    # The configuration is loaded here, so that its mistakes are reported before a unit is written.
    chosen = Path(context.obj.config) if context.obj.config else None
    if chosen is None:
        chosen = Path("config.yaml") if user else systemd_unit.SYSTEM_CONFIG
        if not chosen.is_file():
            raise UsageError(
                f"there is no {chosen}: give another file with --config PATH, or create it with "
                f"`aggregator config default > {chosen}`"
            )
    config = load(chosen.expanduser().absolute(), database=context.obj.database)
    assert config.file is not None
    text = systemd_unit.unit_text(program, config.file, user=user)
    if print_:
        output.out(text)
    if not user:
        for obstacle in systemd_unit.obstacles(program, config):
            output.say(f"the service cannot run yet: {obstacle}")
    if print_:
        return
    folder = Path(to).absolute() if to else systemd_unit.unit_folder(user=user)
    if _may_write(folder / systemd_unit.NAME, text, yes=yes):
        output.say(f"wrote {systemd_unit.write_unit(folder, text)}")
    if not to:
        for_user = "--user " if user else ""
        output.say(output.fill_template("service_installed.txt", for_user=for_user))


def _may_write(file: Path, text: str, *, yes: bool) -> bool:
    """Return whether to write the unit. If a different one exists, show the differences and ask.

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
