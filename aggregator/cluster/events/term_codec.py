"""One uint32 a term: 3 bits field, 19 bits hash of the term, 10 bits log-scaled weight.

The same form serves an article's stored features, a story's mean and the index. Weights are integers in
steps of 1/SCALE after unpacking, so sums of them are exact and do not depend on order. A weight of 1.0 is
code 1023, and each code less is a factor of 2 ** (-1/64) (1.1 %); what is below 2 ** -15 is not kept.

A packed vector is sorted by weight times the model's weight of the field, heaviest first, ties by id: its
beginning is what matters most, so it can be cut anywhere, and its first ids are the index keys.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint32]

FIELDS: Final = ("all", "title", "lead", "names", "num", "numu", "rare")
FIELD_COUNT: Final = len(FIELDS)
HASH_BITS: Final = 19
WEIGHT_BITS: Final = 10
SCALE: Final = 1 << 15
DOT_SCALE: Final = SCALE * SCALE
RARE_DIVISOR: Final = 10.0  # grouping.md section 2: the pair value of `rare` is the dot product / 10

_CODES: Final = 1 << WEIGHT_BITS
_OCTAVE: Final = 64
WEIGHT_OF_CODE: Final[Ints] = np.array(
    [round(SCALE * 2.0 ** ((code - _CODES + 1) / _OCTAVE)) for code in range(_CODES)], dtype=np.int64
)
# The least weight that rounds to each code; where two codes unpack to one weight, the lower one is used.
_EDGES: Final[Ints] = (WEIGHT_OF_CODE[1:] + WEIGHT_OF_CODE[:-1] + 1) // 2


def pack(ids: Ints, weights: Ints) -> Words:
    """Packed terms from ids (field and hash) and integer weights in 1..SCALE; keeps the order."""
    codes = np.searchsorted(_EDGES, np.minimum(weights, SCALE), side="right")
    return (ids << WEIGHT_BITS | codes).astype(np.uint32)


def read(packed: bytes) -> Words:
    """The terms of stored bytes (little-endian on every machine)."""
    return np.frombuffer(packed, dtype="<u4")


def ids_of(words: Words) -> Words:
    """Field and hash of each term."""
    return words >> np.uint32(WEIGHT_BITS)


def weights_of(words: Words) -> Ints:
    """Weight of each term in steps of 1/SCALE."""
    weights: Ints = WEIGHT_OF_CODE[words & np.uint32(_CODES - 1)]
    return weights


def fields_of(ids: Words) -> Words:
    """Number of the field of each id: its place in FIELDS."""
    return ids >> np.uint32(HASH_BITS)


def heaviest(ids: Ints, weights: Ints, field_weights: npt.NDArray[np.float64], limit: int) -> Words:
    """The `limit` terms that weigh most in the model, packed, heaviest first, ties by id."""
    kept = weights > 0
    ids, weights = ids[kept], weights[kept]
    folded = weights * field_weights[ids >> HASH_BITS]
    order = np.lexsort((ids, -folded))[:limit]
    return pack(ids[order], weights[order])
