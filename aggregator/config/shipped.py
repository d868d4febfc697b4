"""Files that come with the program beside its modules."""

from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

Table = TypeVar("Table")


def shipped_path(name: str) -> Path:
    """Return the path of a file or folder: inside an installed wheel, or beside the package in a checkout."""
    package = Path(str(files("aggregator")))
    installed = package / "_shipped" / name
    return installed if installed.exists() else package.parent / name


class ShippedTable(Generic[Table]):
    """A YAML file that is a part of a package. It is read when its content is first used."""

    def __init__(self, package: str, name: str, shape: type[Table]) -> None:
        self._file = files(package).joinpath(name)
        self._shape = shape

    @cached_property
    def content(self) -> Table:
        """The file as `shape`. Raises for an invalid file, which is a bug and not an error of a user."""
        return msgspec.yaml.decode(self._file.read_bytes(), type=self._shape)
