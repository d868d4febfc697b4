"""Memory, files and threads of this process and its workers, as the system reports them."""

import errno
import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# Few files are left once this share of the limit of open files is used.
_FEW_FILES = 0.9
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessTree(NamedTuple):
    """Resident bytes count shared pages once per process; files and threads are those of this process."""

    own_bytes: int
    workers_bytes: int
    workers: int
    open_files: int
    threads: int


def process_tree() -> ProcessTree:
    """Return the current values on Linux; values that the system does not report are 0."""
    threads = []
    with suppress(OSError):
        threads = [path.name for path in Path("/proc/self/task").iterdir()]
    # Each thread lists the processes that it started.
    children = set()
    for thread in threads:
        children.update(_read(Path(f"/proc/self/task/{thread}/children")).split())
    sizes = [size for size in map(_resident, children) if size]
    return ProcessTree(
        _resident("self"), sum(sizes), len(sizes), open_files(), len(threads)
    )


def open_files() -> int:
    """Return the open files of this process; the limit if even /proc cannot be opened."""
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError as error:
        if error.errno != errno.EMFILE:
            return 0
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def why_few_files() -> str | None:
    """Return a message if at least 90 % of the allowed files are open, else None."""
    count = open_files()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most < 0 or count < most * _FEW_FILES:
        return None
    return f"{count} of {most} files and connections are open: raise LimitNOFILE= in the unit, or `ulimit -n`"


def _resident(process: str) -> int:
    fields = _read(Path(f"/proc/{process}/statm")).split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def _read(file: Path) -> str:
    """Return the content of a file in /proc; "" if it does not exist."""
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""
