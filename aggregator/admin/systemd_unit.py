"""The systemd unit: the shipped unit with the paths of this installation.

The system service runs as a dynamic user with restricted access to the file system. The user service keeps
the restrictions that need no privilege (system calls, addresses, limits), but not those of the file system,
which some kernels do not allow to users.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from aggregator.config.settings import Config
from aggregator.config.shipped import shipped_path
from aggregator.model.errors import NotWritableError, UsageError
from aggregator.store.engine.database import Database

NAME = "aggregator.service"
SYSTEM_FOLDER = Path("/etc/systemd/system")
SYSTEM_CONFIG = Path("/etc/aggregator/config.yaml")
# StateDirectory= of the shipped unit, as a system service
STATE = Path("/var/lib/aggregator")
_BOOTED = Path("/run/systemd/system")  # exists if systemd runs (man 3 sd_booted)
# The path of the program in the shipped unit
_PROGRAM = "/opt/aggregator/bin/aggregator"
_HIDDEN = (
    Path("/home"),
    Path("/root"),
    Path("/run/user"),
    Path("/tmp"),  # noqa: S108
    Path("/var/tmp"),  # noqa: S108
)
_PLAIN = re.compile(r"[\w./@:+-]+")
# Settings that need the system manager or are different for a user service.
_NOT_FOR_A_USER = re.compile(
    "Wants|After|DynamicUser|StateDirectory|StateDirectoryMode|ConfigurationDirectory|WorkingDirectory|"
    "Private[A-Za-z]+|Protect[A-Za-z]+|ProcSubset|RemoveIPC|CapabilityBoundingSet|AmbientCapabilities|KeyringMode"
)


def shipped_unit() -> str:
    """Return the unit that comes with the program."""
    return shipped_path(f"systemd/{NAME}").read_text(encoding="utf-8")


def unit_text(program: Path, config: Path, *, user: bool) -> str:
    """Return the unit that runs `program` with the configuration file `config`; both are absolute paths."""
    text = (
        shipped_unit()
        .replace(_PROGRAM, _quote_path(program))
        .replace(str(SYSTEM_CONFIG), _quote_path(config))
    )
    if not user:
        return text
    kept = [
        line
        for line in text.splitlines()
        # The comments are about the system service.
        if not line.startswith("#")
        and not _NOT_FOR_A_USER.fullmatch(line.partition("=")[0])
    ]
    folder = f"WorkingDirectory={str(config.parent).replace('%', '%%')}"
    text = "\n".join(kept).replace("=multi-user.target", "=default.target")
    text = text.replace("Type=notify\n", f"Type=notify\n{folder}\n", 1)
    return re.sub(r"\n{3,}", "\n\n", text) + "\n"


def unit_folder(*, user: bool) -> Path:
    """Return the folder for the units of the administrator, or of the user."""
    if not user:
        return SYSTEM_FOLDER
    config_folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config_folder) / "systemd" / "user"


def refuse_without_systemd() -> None:
    """Raise UsageError if systemd does not run."""
    if not _BOOTED.is_dir():
        raise UsageError(
            "systemd does not run here: start `aggregator run` with the service manager of this machine (for "
            "containers see the Containerfile); --print shows the unit, --to FOLDER writes it for an image"
        )


def obstacles(program: Path, config: Config) -> Iterator[str]:
    """Yield the reasons why the system service cannot run, each with advice.

    The dynamic user of the service cannot read home directories, and can write only to the state directory.
    """
    # Environments of uv and pyenv link to an interpreter in the home directory of the user who made them.
    python = program.resolve().with_name("python")
    for link in (program, program.with_name("python"), python):
        target = link.resolve()
        if not _is_hidden(link) and _is_hidden(target):
            yield (
                f"{link} leads to {target}, which is hidden from the service: make the environment with "
                "the Python of the system (/usr/bin/python3 -m venv /opt/aggregator), or "
                "use `aggregator install-service --user`"
            )
            break
    for what, path in (
        ("the program", program),
        ("the configuration", config.file or SYSTEM_CONFIG),
    ):
        if _is_hidden(path):
            yield (
                f"{what} {path} is in a folder that is hidden from the service: move it (/opt, "
                "/etc/aggregator), or use `aggregator install-service --user`"
            )
        elif path.exists() and not _others_may_read(path):
            yield f"{what} {path} cannot be read by the service: chmod o+rX it and its folders"
    file = Database(config.database_url).file
    if (
        config.database is not None
        and file is not None
        and not file.is_relative_to(STATE)
    ):
        yield (
            f"the database {file} cannot be written by the service: delete the line `database:` "
            f"(the default is {STATE}/aggregator.db), or use a file in that folder"
        )
    for source in config.sources:
        if source.folder is None:
            continue
        folder = config.path(source.folder)
        if _is_hidden(folder) or not folder.is_dir():
            yield f"the watched folder {folder} cannot be read by the service: move it, or remove its source"


def _is_hidden(path: Path) -> bool:
    return any(path.is_relative_to(hidden) for hidden in _HIDDEN)


def write_unit(folder: Path, text: str) -> Path:
    """Write the unit atomically and return its path. Raises NotWritableError."""
    file = folder / NAME
    temporary = folder / f".{NAME}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(0o644)
        temporary.replace(file)
    except OSError as error:
        raise NotWritableError(
            f"{file} cannot be written: {error.strerror}; run the command as root (sudo), or add --user "
            "to install a user service"
        ) from error
    return file


def _others_may_read(path: Path) -> bool:
    """Return whether other users may read the file and traverse its folders."""
    resolved = path.resolve()
    return bool(resolved.stat().st_mode & 0o004) and all(
        folder.stat().st_mode & 0o001 for folder in resolved.parents
    )


def _quote_path(path: Path) -> str:
    """Quote a path as one word of a command line in a unit (man systemd.syntax, systemd.service)."""
    text = str(path).replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
