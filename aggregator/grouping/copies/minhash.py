"""MinHash signatures of shingle sets, which estimate the resemblance of two texts without the texts.

datasketch computes the signatures. `sign` imports only its MinHash module, since its other modules import
scipy, which takes 0.3 s and 42 MB. Estimates are computed with numpy from the stored bytes. The tests compare
them with datasketch's own `jaccard`.

A stored signature is little-endian: one byte FORMAT, four bytes seed, 128 minimum hashes of four bytes each.
Estimates only rank candidates and never decide a merge: anybody who knows the seed can forge them.
"""

import copy
import functools
import importlib.util
import struct
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from aggregator.grouping.copies.shingles import Hashes

# Increment this when shingles, scheme or layout change, because signatures of two formats cannot be compared
FORMAT = 1
PERMUTATIONS = 128
# The scheme of datasketch 2.x; 1.x computes other values from the same seed
_SCHEME = "affine32"
_HEADER = struct.Struct("<BI")
_BYTES = _HEADER.size + 4 * PERMUTATIONS

_HALF = np.uint64(32)


def sign(shingles: Hashes, *, seed: int) -> bytes:
    """Return the signature of a shingle set (order and repeats do not matter); b"" for an empty one.

    `seed` (0 to 2^32-1) chooses the permutations; signatures of two seeds cannot be compared.
    """
    if not len(shingles):
        return b""
    # A shallow copy is enough, because `update_batch` gives the copy an array of its own.
    sketch = copy.copy(_empty_sketch(seed))
    # Scheme affine32 takes 32-bit hashes, so it gets the upper half of each 64-bit hash.
    sketch.update_batch([(shingles >> _HALF).astype(np.uint32)])
    hashes: npt.NDArray[np.uint32] = sketch.hashvalues
    return _HEADER.pack(FORMAT, seed) + hashes.astype("<u4").tobytes()


def estimate(left: bytes, right: bytes) -> float:
    """Return MinHash's estimate of the resemblance, 0..1, with a standard error of at most 0.044.

    Return 0.0 if the two cannot be compared: one has no shingles, or their seeds or formats differ.
    """
    if (
        not len(left) == len(right) == _BYTES
        or left[: _HEADER.size] != right[: _HEADER.size]
    ):
        return 0.0
    return int(np.count_nonzero(_hashes(left) == _hashes(right))) / PERMUTATIONS


def _hashes(signature: bytes) -> npt.NDArray[np.uint32]:
    return np.frombuffer(signature, "<u4", offset=_HEADER.size)


@functools.lru_cache(maxsize=4)
def _empty_sketch(seed: int) -> Any:
    """Return an empty MinHash. Its copies share the permutations, because drawing them costs more than using them."""
    return load_datasketch().MinHash(
        num_perm=PERMUTATIONS,
        seed=seed,
        scheme=_SCHEME,
        hashfunc=np.asarray,
        gpu_mode="disable",
    )


def load_datasketch() -> Any:
    """Import `datasketch.minhash` without running `datasketch/__init__.py`, unless that has run already.

    A later import of datasketch gets the whole package with the same class.
    """
    name = "datasketch"
    spec = importlib.util.find_spec(name)
    if name in sys.modules or spec is None:
        return importlib.import_module(f"{name}.minhash")
    # This module is not run; it only names the folder.
    sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(f"{name}.minhash")
    finally:
        del sys.modules[name]
