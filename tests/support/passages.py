"""What an index of sampled shingles holds."""

import numpy as np

from aggregator.grouping.copies.sampled_shingles import _TAG, _TAG_BITS, PassageIndex


def entries(index: PassageIndex, newest: int) -> list[tuple[int, int]]:
    """Return all (number, hash) within the reach of `newest`, sorted."""
    index._insert_fresh()
    buckets = np.repeat(np.arange(len(index._starts) - 1), np.diff(index._starts))
    numbered = []
    for bucket, entry in zip(buckets.tolist(), index._entries.tolist(), strict=True):
        number = index._after + (entry >> _TAG_BITS)
        if number > newest - index._reach:
            numbered.append((number, bucket << _TAG_BITS | entry & _TAG))
    return sorted(numbered)
