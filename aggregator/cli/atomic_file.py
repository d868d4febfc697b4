"""Files that commands write."""

import os
from pathlib import Path

from aggregator.model.errors import UsageError


def write_atomically(path: Path, data: bytes) -> bool:
    """Put `data` in the place of the file; False where it holds that already, and is left alone.

    Whoever reads the file sees the old or the new one, also after a power cut. Raises UsageError where it
    cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.is_file() and path.read_bytes() == data:
            return False
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return True
