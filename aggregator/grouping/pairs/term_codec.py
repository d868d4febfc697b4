"""Packed terms: one uint32 each, 3 bits field, 19 bits hash of the term, 10 bits log-scaled weight.

The stored terms of an article, the mean of a story and the keys of the window use this form. Unpacked weights are
integers in units of 1/SCALE, so their sums are exact and independent of order. A weight of 1.0 is code 1023, and each
lower code is smaller by a factor of 2 ** (-1/64) (1.1 %); weights below 2 ** -15 are dropped.

A packed vector is sorted by weight times the model's weight of the field, heaviest first, ties by id. So a vector can
be cut anywhere, and stories are found by its first ids.
"""

import numpy as np
import numpy.typing as npt

from aggregator.text import vocabulary
from aggregator.text.lines import word_list

# Whole numbers that are computed with: unpacked weights, and ids before they are packed
Ints = npt.NDArray[np.int64]
# Packed terms, as they are stored
Terms = npt.NDArray[np.uint32]
# The ids of terms, without their weights: a field, and below it a hash. To mypy, these three types are the same;
# their names are for readers.
Ids = Terms
# The hashes of words, whatever their fields
Hashes = Terms

# The number of a field is its place here. `all`: the title twice and the whole text; `lead`: the title and the first
# words of the text; `names`; `num`: numbers; `numu`: numbers with their units; `rare`: uncommon words of the lead;
# `named`: the words of names in title and lead (grouping/pairs/terms.py)
FIELDS = word_list("all title lead names num numu rare named")
FIELD_COUNT = len(FIELDS)
HASH_BITS = vocabulary.HASH_BITS
HASHES = vocabulary.HASHES
WEIGHT_BITS = 10
# The unpacked weight of 1.0, and the product of two such weights
SCALE = 1 << 15
DOT_SCALE = SCALE * SCALE
# A term of `rare` has the weight sqrt((idf - 3.8) / RARE_DIVISOR), which keeps the weight below 1.0 (terms.py)
RARE_DIVISOR = 10.0

_CODES = 1 << WEIGHT_BITS
# A step of this many codes doubles a weight
_OCTAVE = 64
WEIGHT_OF_CODE: Ints = np.array(
    [round(SCALE * 2.0 ** ((code - _CODES + 1) / _OCTAVE)) for code in range(_CODES)],
    dtype=np.int64,
)
# The smallest weight that rounds to each code but the first. If several codes have one unpacked weight, the highest of
# them is used.
_EDGES: Ints = (WEIGHT_OF_CODE[1:] + WEIGHT_OF_CODE[:-1] + 1) // 2


def pack(ids: Ints, weights: Ints) -> Terms:
    """Pack terms from ids (field and hash) and integer weights in 1..SCALE, in the order given."""
    codes = np.searchsorted(_EDGES, np.minimum(weights, SCALE), side="right")
    return (ids << WEIGHT_BITS | codes).astype(np.uint32)


def read(packed: bytes) -> Terms:
    """Return the terms of stored bytes (little-endian on every machine)."""
    return np.frombuffer(packed, dtype="<u4")


def ids_of(terms: Terms) -> Ids:
    """Return the id of each term: its field and its hash."""
    return terms >> np.uint32(WEIGHT_BITS)


def hashes_of(ids: Ids) -> Hashes:
    """Return the hash in each id, without its field."""
    return ids & np.uint32(HASHES - 1)


def weights_of(terms: Terms) -> Ints:
    """Return the weight of each term in units of 1/SCALE."""
    weights: Ints = WEIGHT_OF_CODE[terms & np.uint32(_CODES - 1)]
    return weights


def heaviest(
    ids: Ints, weights: Ints, field_weights: npt.NDArray[np.float64], limit: int
) -> Terms:
    """Return the `limit` terms with the largest weight in the model, packed, heaviest first, ties by id."""
    positive = weights > 0
    ids = ids[positive]
    weights = weights[positive]
    weights_in_model = weights * field_weights[ids >> HASH_BITS]
    order = np.lexsort((ids, -weights_in_model))[:limit]
    return pack(ids[order], weights[order])
