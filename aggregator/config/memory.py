"""Memory: the garbage collector, which frees objects that refer to each other, and the C library (glibc).

By default glibc may give each thread an arena, and freed blocks stay in it. A daemon that starts threads at
each reload keeps more and more free memory: in a soak test of five minutes the memory in use stayed at
38 MiB while the free memory of malloc grew from 7 to 31 MiB.
"""

import gc
import os
from pathlib import Path

# <malloc.h>: parameters of mallopt
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
# Threads of Python seldom run at once, so one arena is enough: after a first reading, 15 of the 17 MB of a second
# arena were free.
_ARENAS = 1
# Larger blocks, such as long pages and responses, are mapped alone, and unmapped when they are freed. The arrays of a
# text take up to 1 MB; when blocks of 256 KB were mapped, a fifth of the CPU of workers went into page faults.
_LARGE_BYTES = 4 << 20

# New objects between two searches for cycles. With the default of Python 3.11, which is 700, collections took 4.7 % of
# the CPU of placing and rendering 500 articles, and 10 % of the CPU of a start.
_YOUNG_OBJECTS = 10_000


def collect_garbage_seldom() -> None:
    """Let the garbage collector skip the objects that exist now, and search young objects less often."""
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)


def set_malloc_options() -> bool:
    """Let malloc use one arena, and return large blocks to the system; call this before threads are started.

    Return False if the C library has no mallopt, or refused an option.
    """
    import ctypes  # only the daemon needs it

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    options = (
        (_M_ARENA_MAX, _ARENAS),
        (_M_MMAP_THRESHOLD, _LARGE_BYTES),
        (_M_TRIM_THRESHOLD, _LARGE_BYTES),
    )
    done = [mallopt(name, value) == 1 for name, value in options]
    return all(done)


def own_bytes(pid: int) -> int:
    """Return the resident memory of a process in bytes, without mapped files and shared memory; 0 if unknown."""
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text("ascii").split()
    except OSError:  # the process has ended, or this system is not Linux
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def give_back_memory() -> None:
    """Return freed memory to the system, because glibc keeps some; do nothing for another C library."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
