"""The language model of py3langid, in memory that the workers of one pool share.

Loaded by itself, the model takes each process 80 MB and .65 s. A pool therefore gives its workers an empty
file in memory. The first worker that needs the model writes it there, and seals the file as the last step:
what is sealed is complete, and nothing changes it. If a worker is killed before that, the next one writes the
file again.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any, BinaryIO

DESCRIPTOR_VARIABLE = "AGGREGATOR_LANGUAGE_MODEL"  # of the environment of a worker
# The arguments of LanguageIdentifier, in the order in which py3langid loads them.
_PARTS = ("nb_ptc", "nb_pc", "nb_classes", "tk_nextmove", "tk_row", "tk_output")


def memory_file() -> BinaryIO | None:
    """Return an empty file in memory that can be sealed; None if the system has none."""
    try:
        return os.fdopen(os.memfd_create("language-model", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "r+b")
    except (AttributeError, OSError):  # not Linux; or forbidden, or no descriptor is left
        return None


@cache
def ranking() -> Callable[[str], list[tuple[str, float]]]:
    """Return py3langid's `rank`, in a worker with the shared model, elsewhere with its own.

    It lists all languages of the model with their log-likelihoods (in nats), the likeliest first.
    """
    import py3langid

    rank: Callable[[str], list[tuple[str, float]]] = py3langid.rank  # loads the model when it is called
    if descriptor := os.environ.get(DESCRIPTOR_VARIABLE):
        with suppress(OSError, ValueError):
            rank = _shared(int(descriptor)).rank
    return rank


def _shared(descriptor: int) -> Any:
    """Return a LanguageIdentifier with the arrays of the file. Raises OSError or ValueError without one."""
    path = f"/proc/self/fd/{descriptor}"
    if not _is_complete(descriptor):
        # Opened anew: all workers inherit one open file, and flock does not lock it against itself.
        with open(path, "rb") as own:  # noqa: PTH123 - a descriptor, no path
            fcntl.flock(own, fcntl.LOCK_EX)
            if not _is_complete(descriptor):
                _write(path)
                seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    import numpy as np
    from py3langid.langid import LanguageIdentifier

    model = np.load(path, mmap_mode="r")
    ptc, pc, classes, *automaton = (np.asarray(model[name]) for name in _PARTS)
    # py3langid reads single elements: of a memoryview as fast as of a list, of an array at half the speed.
    nextmove, row, output = (part.data for part in automaton)
    return LanguageIdentifier(ptc, pc, classes.tolist(), nextmove, output, tk_row=row)


def _is_complete(descriptor: int) -> bool:
    # With vm.memfd_noexec=1 the kernel itself seals every new file: against execution only.
    return bool(fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE)


def _write(path: str) -> None:
    """Write the model as one record of numpy."""
    import numpy as np
    from py3langid.langid import MODEL_DIR, MODEL_FILE
    from py3langid.modelio import load_model

    parts = [np.asarray(part) for part in load_model(MODEL_DIR / MODEL_FILE)]
    fields = [(name, part.dtype, part.shape) for name, part in zip(_PARTS, parts, strict=True)]
    record = np.lib.format.open_memmap(path, "w+", np.dtype(fields, align=True), shape=())
    for name in _PARTS:
        record[name] = parts.pop(0)  # freed before the next is written
