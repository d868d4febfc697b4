"""How tests wait: for a state, never for a moment, and all with one deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

# For a machine that is busy with other things: a state that does not come by then never will.
PATIENCE_SECONDS = 120.0

Got = TypeVar("Got")


def wait_until(
    look: Callable[[], Got], what: str, seconds: float = PATIENCE_SECONDS
) -> Got:
    """Look again and again until `look()` is true, and return what it gave."""
    deadline = time.monotonic() + seconds
    while not (got := look()):
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.02)
    return got
