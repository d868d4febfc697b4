"""Open files that outlive `exec`: a daemon that begins anew keeps its address and its lock."""

import os

_PREFIX = "AGGREGATOR_KEPT_"

BEGAN_ANEW = any(name.startswith(_PREFIX) for name in os.environ)
"""Whether this program was begun by one that kept files for it."""


def keep(name: str, descriptor: int) -> None:
    """Let the program that this process becomes next have a copy of an open file, under a name."""
    copy = os.dup(descriptor)
    os.set_inheritable(copy, True)
    os.environ[_variable(name)] = str(copy)


def take(name: str) -> int | None:
    """Return the descriptor that was kept under this name, once; None without one."""
    kept = os.environ.pop(_variable(name), None)
    if kept is None:
        return None
    os.set_inheritable(int(kept), False)
    return int(kept)


def close_rest() -> None:
    """Close what nobody has taken: its name has changed, or it is not needed."""
    for variable in [name for name in os.environ if name.startswith(_PREFIX)]:
        os.close(int(os.environ.pop(variable)))


def _variable(name: str) -> str:
    return _PREFIX + name.encode().hex()
