"""Memory, open files and threads of this process and its workers (Linux), and options of malloc (glibc).

By default glibc may give each thread an arena, and freed blocks stay in it. A daemon that starts threads at
each reload keeps more and more free memory: in a soak test of five minutes the memory in use stayed at
38 MiB while the free memory of malloc grew from 7 to 31 MiB.
"""

import ctypes
import errno
import os
import resource
from pathlib import Path
from typing import NamedTuple

# <malloc.h>: parameters of mallopt
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_ARENAS = 2  # threads of Python seldom run at once
_LARGE_BYTES = 256 << 10  # pages, feeds and responses: mapped alone, and unmapped when freed


def set_malloc_options() -> bool:
    """Limit arenas, and return large blocks to the system. False if the C library has no mallopt.

    To be called before threads are started.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    options = ((_M_ARENA_MAX, _ARENAS), (_M_MMAP_THRESHOLD, _LARGE_BYTES), (_M_TRIM_THRESHOLD, _LARGE_BYTES))
    done = [mallopt(name, value) == 1 for name, value in options]
    return all(done)


_FEW_FILES = 0.9  # of what may be open
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessTree(NamedTuple):
    """Resident bytes count shared pages once per process; files and threads are those of this process."""

    own_bytes: int
    workers_bytes: int
    workers: int
    open_files: int
    threads: int


def process_tree() -> ProcessTree:
    """Return the current values; 0 for those that the system does not have."""
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
    """Return the open files of this process; the limit if even /proc cannot be opened."""
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError as error:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0] if error.errno == errno.EMFILE else 0


def why_few_files() -> str | None:
    """Return a message if 90 % of the allowed files are open."""
    count, most = open_files(), resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most < 0 or count < most * _FEW_FILES:
        return None
    return f"{count} of {most} files and connections are open: raise LimitNOFILE= in the unit, or `ulimit -n`"


def _children(process: Path) -> set[int]:
    """Return the child processes; each thread lists those that it started."""
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
    """Return the content of a file in /proc; "" if it does not exist."""
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""
