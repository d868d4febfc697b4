"""Open files that outlive `exec`, so that a daemon that restarts in its process keeps its address and its lock."""

import os

_PREFIX = "AGGREGATOR_KEPT_"

BEGAN_ANEW = any(name.startswith(_PREFIX) for name in os.environ)
"""Whether this process ran another program before, which kept files for this one."""


def keep(name: str, descriptor: int) -> None:
    """Keep a copy of an open file under a name, for the program that this process becomes next."""
    copy = os.dup(descriptor)
    os.set_inheritable(copy, True)
    os.environ[_variable(name)] = str(copy)


def take(name: str) -> int | None:
    """Return the descriptor that was kept under this name; None if there is none, or if it was taken before."""
    kept = os.environ.pop(_variable(name), None)
    if kept is None:
        return None
    os.set_inheritable(int(kept), False)
    return int(kept)


def close_rest() -> None:
    """Close the kept files that were not taken, because they are not needed or their names have changed."""
    for variable in [name for name in os.environ if name.startswith(_PREFIX)]:
        os.close(int(os.environ.pop(variable)))


def _variable(name: str) -> str:
    return _PREFIX + name.encode().hex()
