"""What this process and its workers take from the machine, as the kernel counts it (Linux)."""

import errno
import os
import resource
from pathlib import Path
from typing import NamedTuple

_FEW_FILES = 0.9  # of what may be open
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessTree(NamedTuple):
    """Resident bytes count shared pages once for each process. The rest is of this process alone."""

    own_bytes: int
    workers_bytes: int
    workers: int
    open_files: int
    threads: int


def process_tree() -> ProcessTree:
    """As it is now; 0 for what the system does not tell."""
    own = Path("/proc/self")
    workers = _children(own)
    sizes = [size for size in (_resident(Path(f"/proc/{pid}")) for pid in workers) if size]
    return ProcessTree(
        own_bytes=_resident(own),
        workers_bytes=sum(sizes),
        workers=len(sizes),
        open_files=open_files(),
        threads=_count(own / "task"),
    )


def open_files() -> int:
    """Of this process; all that it may open where not even the list of them can be opened."""
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError as error:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0] if error.errno == errno.EMFILE else 0


def why_few_files() -> str | None:
    """What is to be said where nine of ten files that this process may open are open."""
    count, most = open_files(), resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most < 0 or count < most * _FEW_FILES:
        return None
    return f"{count} of {most} files and connections are open: raise LimitNOFILE= in the unit, or `ulimit -n`"


def _children(process: Path) -> set[int]:
    """Each thread lists those that it started."""
    found: set[int] = set()
    try:
        for thread in (process / "task").iterdir():
            found.update(map(int, _read(thread / "children").split()))
    except OSError:
        return found  # no /proc here
    return found


def _resident(process: Path) -> int:
    fields = _read(process / "statm").split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def _count(folder: Path) -> int:
    try:
        return sum(1 for _ in folder.iterdir())
    except OSError:
        return 0


def _read(file: Path) -> str:
    """What the kernel says; "" of what ended meanwhile or is not told."""
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""
