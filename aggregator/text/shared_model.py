"""The language model of py3langid, in memory that the workers of one pool share.

If each process loaded the model itself, this would cost each of them 80 MB and .65 s. A pool therefore gives its
workers an empty file in memory. The first worker that needs the model writes it there, and seals the file as the last
step: a sealed file is complete and never changes. If a worker is killed before it seals the file, the next one writes
the file again.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import IO, Any, BinaryIO

from aggregator.text.lines import word_list

# The environment variable with the file descriptor of the model, for a worker
DESCRIPTOR_VARIABLE = "AGGREGATOR_LANGUAGE_MODEL"
# The arrays in py3langid's file from which a LanguageIdentifier is made
_PARTS = word_list(
    "ptc.npy pc.npy classes.npy nextmove.npy nextmove_row.npy out_feat.npy"
)

# A function that returns all languages of the model with their log-likelihoods (in nats), the likeliest first
Ranking = Callable[[str], list[tuple[str, float]]]


def memory_file() -> BinaryIO | None:
    """Return an empty file in memory that can be sealed; None if the system has none."""
    try:
        return os.fdopen(
            os.memfd_create("language-model", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING),
            "r+b",
        )
    # The system is not Linux, or this is forbidden, or no descriptor is left.
    except (AttributeError, OSError):
        return None


@cache
def ranking() -> Ranking:
    """Return py3langid's `rank`: with the shared model in a worker, with a model of its own elsewhere."""
    import py3langid

    # This function loads the model when it is called first.
    rank: Ranking = py3langid.rank
    if descriptor := os.environ.get(DESCRIPTOR_VARIABLE):
        with suppress(OSError, ValueError):
            rank = _share(int(descriptor)).rank
    return rank


def _share(descriptor: int) -> Any:
    """Return a LanguageIdentifier with the arrays of the file. Raise OSError or ValueError without a file."""
    path = f"/proc/self/fd/{descriptor}"
    if not _is_complete(descriptor):
        # The file is opened again, because all workers inherit one open file, which flock does not lock against itself.
        with open(path, "rb") as locked:  # noqa: PTH123 - a descriptor, no path
            fcntl.flock(locked, fcntl.LOCK_EX)
            if not _is_complete(descriptor):
                _write(path)
                seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    import numpy as np
    from py3langid.langid import LanguageIdentifier

    model = np.load(path, mmap_mode="r")
    ptc, pc, classes, *automaton = (np.asarray(model[name]) for name in _PARTS)
    # py3langid reads single elements. A memoryview is as fast as a list, and twice as fast as an array.
    nextmove, row, output = (part.data for part in automaton)
    identifier = LanguageIdentifier(
        ptc, pc, classes.tolist(), nextmove, output, tk_row=row
    )
    # py3langid makes a list, which takes 4 MB in each worker.
    identifier._rowbase = (np.asarray(row, np.uint32) << 8).data
    return identifier


def _is_complete(descriptor: int) -> bool:
    # Other seals do not count: a kernel with vm.memfd_noexec=1 seals every new file itself, but only against execution.
    return bool(fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE)


def _write(path: str) -> None:
    """Write the model as one numpy record.

    py3langid's own reader is not used, because its arrays would take 100 MB beside the record. In its file they are
    numpy arrays, which are copied unchanged.
    """
    import lzma
    import shutil
    from tempfile import TemporaryFile
    from zipfile import ZipFile

    import numpy as np
    from py3langid.langid import MODEL_DIR, MODEL_FILE

    with TemporaryFile() as unpacked:
        with lzma.open(MODEL_DIR / MODEL_FILE) as packed:
            shutil.copyfileobj(packed, unpacked)
        with ZipFile(unpacked) as archive:
            fields = []
            for name in _PARTS:
                with archive.open(name) as array:
                    fields.append((name, *_array_type(array)))
            record = np.lib.format.open_memmap(
                path, "w+", np.dtype(fields, align=True), shape=()
            )
            places: Any = record.dtype.fields
            for name in _PARTS:
                with archive.open(name) as array, open(path, "r+b") as target:  # noqa: PTH123 - a descriptor
                    _array_type(array)
                    target.seek(record.offset + places[name][1])
                    shutil.copyfileobj(array, target)


def _array_type(array: IO[bytes]) -> tuple[Any, tuple[int, ...]]:
    """Read the header of a stored array. Return its type and shape."""
    import numpy as np

    np.lib.format.read_magic(array)
    shape, _, dtype = np.lib.format.read_array_header_1_0(array)
    return dtype, shape
