"""Memory: the garbage collector, which frees objects that refer to each other, and the C library."""

import gc

# Objects between two searches for cycles, which Python itself begins every 700 (measured: collections took
# 4.7 % of the CPU of placing and rendering 500 articles, and 10 % of that of a start).
_YOUNG_OBJECTS = 10_000


def collect_garbage_seldom() -> None:
    """Let the garbage collector skip what is loaded, and search young objects less often."""
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library can: after a large load glibc keeps some."""
    import ctypes  # only the writer needs it

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
