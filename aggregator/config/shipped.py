"""Files that come with the program beside its modules."""

from importlib.resources import files
from pathlib import Path


def shipped(name: str) -> Path:
    """Return the path of a file or folder: inside an installed wheel, or beside the package in a checkout."""
    package = Path(str(files("aggregator")))
    installed = package / "_shipped" / name
    return installed if installed.exists() else package.parent / name
