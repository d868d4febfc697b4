"""The unit for systemd: the shipped one with the paths of an installation filled in.

For the whole system it runs as a user of its own that can see next to nothing. A user's own unit keeps what
needs no privilege: the filters of system calls and addresses and the limits, but no view of the file system
of its own, which not every kernel gives to users.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from aggregator.config.settings import Config
from aggregator.model.errors import NotWritableError, UsageError
from aggregator.store.engine.database import Database

NAME = "aggregator.service"
SYSTEM_FOLDER = Path("/etc/systemd/system")
SYSTEM_CONFIG = Path("/etc/aggregator/config.yaml")
STATE = Path("/var/lib/aggregator")  # what StateDirectory= of the shipped unit is for the system
_BOOTED = Path("/run/systemd/system")  # is there where systemd runs (man 3 sd_booted)
_VERIFY_SECONDS = 30
_PROGRAM, _CONFIG = "/opt/aggregator/bin/aggregator", str(SYSTEM_CONFIG)  # as the shipped unit has them
_HIDDEN = (Path("/home"), Path("/root"), Path("/run/user"), Path("/tmp"), Path("/var/tmp"))  # noqa: S108
_PLAIN = re.compile(r"[\w./@:+-]+")
# What only the manager of the whole system can give, and what else is different for a user.
_NOT_FOR_A_USER = re.compile(
    "Wants|After|DynamicUser|StateDirectory|StateDirectoryMode|ConfigurationDirectory|WorkingDirectory|"
    "Private[A-Za-z]+|Protect[A-Za-z]+|ProcSubset|RemoveIPC|CapabilityBoundingSet|AmbientCapabilities|KeyringMode"
)


def shipped_unit() -> str:
    """The unit that comes with the program, for a checkout and for an installed wheel."""
    installed = files("aggregator").joinpath("_shipped", NAME)
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    return (Path(__file__).parents[2] / "systemd" / NAME).read_text(encoding="utf-8")


def unit_text(program: Path, config: Path, *, user: bool) -> str:
    """The unit that runs `program` with the settings of `config`; both are absolute paths."""
    text = shipped_unit().replace(_PROGRAM, _quoted(program)).replace(_CONFIG, _quoted(config))
    if not user:
        return text
    kept = [line for line in text.splitlines() if not _NOT_FOR_A_USER.fullmatch(line.partition("=")[0])]
    folder = f"WorkingDirectory={str(config.parent).replace('%', '%%')}"
    text = "\n".join(kept).replace("WantedBy=multi-user.target", "WantedBy=default.target")
    text = text.replace("Type=notify\n", f"Type=notify\n{folder}\n", 1)
    text = _without_sections(text, ("# Secrets that only root", "# Who it is and where", "# Everything it"))
    return text.replace(
        "# A database on this machine is given its turn; one that comes later is waited for.\n", ""
    )


def unit_folder(*, user: bool) -> Path:
    """Where systemd looks for units that an administrator, or a user, wrote."""
    if not user:
        return SYSTEM_FOLDER
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "systemd" / "user"


def refuse_without_systemd() -> None:
    """Raises UsageError where systemd does not run."""
    if not _BOOTED.is_dir():
        raise UsageError(
            "systemd does not run here: start `aggregator run` by what starts programs on this machine (in a "
            "container the Containerfile does); --print shows the unit, --to FOLDER writes it for an image"
        )


def obstacles(program: Path, config: Config) -> Iterator[str]:
    """What keeps the service of the system from running, in words, each with what to do.

    It runs as a user of its own, who sees no home folders and may write below its state directory alone.
    """
    for what, path in (("the program", program), ("the configuration", config.file or SYSTEM_CONFIG)):
        if any(path.is_relative_to(hidden) for hidden in _HIDDEN):
            yield (
                f"{what} {path} is where the service sees nothing: put it elsewhere (/opt, /etc/aggregator), "
                "or type `aggregator install-service --user`"
            )
        elif path.exists() and not _others_may_read(path):
            yield f"{what} {path} cannot be read by the service's user: chmod o+rX it and its folders"
    file = Database(config.database_url).file
    if config.database is not None and file is not None and not file.is_relative_to(STATE):
        yield (
            f"the database {file} is where the service may not write: delete the line `database:` "
            f"(it is then {STATE / 'aggregator.db'}), or name a file there"
        )
    for source in config.sources:
        folder = config.path(source.folder) if source.folder is not None else None
        if folder is not None and (any(folder.is_relative_to(one) for one in _HIDDEN) or not folder.is_dir()):
            yield f"the watched folder {folder} cannot be seen by the service: move it, or drop its source"


def complaints(text: str, *, user: bool) -> list[str]:
    """What `systemd-analyze verify` has to say about the unit; [] where it is silent, or not there."""
    judge = shutil.which("systemd-analyze")
    if judge is None:
        return []
    with TemporaryDirectory(prefix="aggregator-") as folder:
        file = Path(folder) / NAME
        file.write_text(text, encoding="utf-8")
        command = [judge, *(["--user"] if user else []), "verify", str(file)]
        environment = {"XDG_RUNTIME_DIR": folder, **os.environ}  # without one it judges no user's units
        try:
            ended = subprocess.run(  # noqa: S603 - systemd's own program on a file of ours
                command, env=environment, capture_output=True, text=True, timeout=_VERIFY_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return []
        said = (ended.stdout + ended.stderr).splitlines()
    return [line.replace(str(file), NAME) for line in said if NAME in line]


def write_unit(folder: Path, text: str) -> Path:
    """The unit in its place, whole or not at all. Raises NotWritableError."""
    file, beside = folder / NAME, folder / f".{NAME}.new"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        beside.chmod(0o644)
        beside.replace(file)
    except OSError as error:
        raise NotWritableError(
            f"{file} cannot be written: {error.strerror}; type it as root (sudo), or add --user "
            "for a service of your own"
        ) from error
    return file


def _others_may_read(path: Path) -> bool:
    """Whether everybody may read the file and pass through all folders above it."""
    real = path.resolve()
    return bool(real.stat().st_mode & 0o004) and all(one.stat().st_mode & 0o001 for one in real.parents)


def _quoted(path: Path) -> str:
    """A path as one word of a command line in a unit (man systemd.syntax, systemd.service)."""
    text = str(path).replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _without_sections(text: str, beginnings: tuple[str, ...]) -> str:
    """Without the comments that begin so, up to the next line that is none."""
    kept, dropping = [], False
    for line in text.splitlines():
        dropping = line.startswith(beginnings) or (dropping and line.startswith("#"))
        if not dropping:
            kept.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)) + "\n"
