"""MinHash signatures of shingle sets, and the LSH keys under which they are found.

datasketch makes the signatures. It costs 0.6-1.1 s to import (scipy), so it is imported inside `sign`, which
only worker processes call; keys and estimates are plain numpy over the stored bytes. In tests datasketch's
own `jaccard` and `MinHashLSH` are the oracle.

A stored signature: one byte FORMAT, the seed as four bytes, 128 least hashes as four bytes each, all little
endian. Estimates never decide a merge (with a known seed they can be forged): they rank candidates.
"""

import functools
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aggregator.cluster.copies.shingles import Hashes

FORMAT = 1  # raised whenever shingles, scheme or layout change: signatures of two formats do not mix
PERMUTATIONS = 128
_SCHEME = "affine32"  # datasketch 2.x; its 1.x made other values from the same seed
_HEADER = struct.Struct("<BI")
_BYTES = _HEADER.size + 4 * PERMUTATIONS

_ODD_1 = np.uint64(0x9E3779B97F4A7C15)
_ODD_2 = np.uint64(0xFF51AFD7ED558CCD)
_HALF = np.uint64(32)


def sign(shingles: Hashes, *, seed: int) -> bytes:
    """The signature of a shingle set (order and repeats do not matter); b"" for an empty one.

    `seed` (0 to 2^32-1) chooses the permutations; signatures of two seeds cannot be compared.
    """
    if not len(shingles):
        return b""
    sketch = _empty_sketch(seed).copy()
    # The upper half of a 64-bit hash is a 32-bit hash: what scheme affine32 takes.
    sketch.update_batch((shingles >> _HALF).tolist())
    hashes: npt.NDArray[np.uint32] = sketch.hashvalues
    return _HEADER.pack(FORMAT, seed) + hashes.astype("<u4").tobytes()


def bands(signature: bytes, *, count: int, rows: int) -> tuple[int, ...]:
    """`count` LSH keys, each over `rows` neighbouring hashes, as signed 64-bit integers.

    Two texts of resemblance J share at least one key with probability 1-(1-J^rows)^count. The key holds the
    band's number, the format and the seed, so keys of different bands or seeds never meet. () for b"".
    """
    if count * rows > PERMUTATIONS:
        raise ValueError(f"{count} bands of {rows} rows need more than {PERMUTATIONS} permutations")
    if not signature:
        return ()
    cells = _hashes(signature)[: count * rows].astype(np.uint64).reshape(count, rows)
    head = np.uint64(int.from_bytes(signature[: _HEADER.size], "little"))
    keys = (np.arange(1, count + 1, dtype=np.uint64) * _ODD_1) ^ head
    for row in range(rows):
        keys = (keys ^ cells[:, row]) * _ODD_2
        keys ^= keys >> _HALF
    return tuple(keys.view(np.int64).tolist())


def keys_of(signature: bytes, *, count: int, rows: int) -> tuple[int, ...]:
    """As `bands`, and () for a damaged one: `db check` names it, and the keys that it leaves behind."""
    return bands(signature, count=count, rows=rows) if len(signature) == _BYTES else ()


def comparable(left: bytes, right: bytes) -> bool:
    """Whether both are signatures of one format and seed."""
    return len(left) == len(right) == _BYTES and left[: _HEADER.size] == right[: _HEADER.size]


def estimate(left: bytes, right: bytes) -> float:
    """MinHash's estimate of the resemblance, 0..1, with a standard error of at most 0.044.

    0.0 where the two cannot be compared: no shingles, another seed, another format.
    """
    return estimates(left, [right])[0]


def estimates(signature: bytes, others: Sequence[bytes]) -> list[float]:
    """`estimate` of one signature against many, in their order."""
    fitting = [at for at, other in enumerate(others) if comparable(signature, other)]
    found = [0.0] * len(others)
    if fitting:
        table = np.frombuffer(b"".join(others[at] for at in fitting), np.uint8).reshape(len(fitting), _BYTES)
        hashes = np.ascontiguousarray(table[:, _HEADER.size :]).view("<u4")
        equal = np.count_nonzero(hashes == _hashes(signature), axis=1) / PERMUTATIONS
        for at, value in zip(fitting, equal.tolist(), strict=True):
            found[at] = value
    return found


def _hashes(signature: bytes) -> npt.NDArray[np.uint32]:
    if len(signature) != _BYTES:
        raise ValueError(f"a signature has {_BYTES} bytes, this one {len(signature)}")
    return np.frombuffer(signature, "<u4", offset=_HEADER.size)


@functools.lru_cache(maxsize=4)
def _empty_sketch(seed: int) -> Any:
    """An empty MinHash whose permutations its copies share: drawing them costs more than signing."""
    from datasketch import MinHash

    return MinHash(num_perm=PERMUTATIONS, seed=seed, scheme=_SCHEME, hashfunc=int, gpu_mode="disable")
