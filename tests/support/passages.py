"""What an index of sampled shingles holds."""

from aggregator.grouping.copies.sampled_shingles import _TAG, _TAG_BITS, PassageIndex


def entries(index: PassageIndex, newest: int) -> list[tuple[int, int]]:
    """Return all (number, hash) within the reach of `newest`, sorted."""
    numbered = []
    for bucket, held in enumerate(index._buckets):
        for entry in held or ():
            number = index._after + (entry >> _TAG_BITS)
            if number > newest - index._reach:
                numbered.append((number, bucket << _TAG_BITS | entry & _TAG))
    return sorted(numbered)
