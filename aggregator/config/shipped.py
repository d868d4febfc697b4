"""Files that come with the program beside its modules."""

from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import msgspec

Table = TypeVar("Table")


def shipped(name: str) -> Path:
    """Return the path of a file or folder: inside an installed wheel, or beside the package in a checkout."""
    package = Path(str(files("aggregator")))
    installed = package / "_shipped" / name
    return installed if installed.exists() else package.parent / name


def shipped_table(package: str, name: str, shape: type[Table]) -> Table:
    """Return the YAML file `name` in a package. Raises for an invalid one, which is a bug and no user's error."""
    return msgspec.yaml.decode(files(package).joinpath(name).read_bytes(), type=shape)
